"""Does the digit survive, and does the voice change? Two judges listen to what a voice VQ-VAE says.

    python -m benchmarks.voice [--models FOLDER] [--write]

The judges, bundled as well, were trained on the training recordings to tell the digit and the speaker from a
spectrogram; how often they are right on the 300 held-out originals stands beside everything else. Each of these is
said again from its codes by its own speaker, and by each of the five others; once more with the detour through sound
(Griffin-Lim), which is what one hears. And what do the codes themselves tell? Naive Bayes guesses digit and speaker
from how often each code occurs, learned from four of the five held-out takes and asked about the fifth. With --write
the numbers go to assets/results/voice.json, and how often each code occurs in each digit and with each speaker.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_core.audio.spectra import cut, sound_of, spectrogram
from vae_core.audio.wav import RATE
from vae_core.checkpoints import Checkpoint, read_bundled, read_model
from vae_core.data import dataset
from vae_core.data.spoken_digits import DIGITS, SPEAKERS, held_out_recordings
from vae_core.folders import ASSETS, write_whole
from vae_core.metrics import Trial
from vae_core.metrics.voice import voice

RESULTS = ASSETS / "results" / "voice.json"
BITS = 16  # of a sample in the recordings


@torch.no_grad()
def heard(judge: Any, pictures: Tensor) -> Tensor:
    """The judge's class [N] for spectrograms [N, 1, bands, T]."""
    return torch.cat([judge(part).argmax(1) for part in pictures.split(100)])


def through_sound(pictures: Tensor) -> Tensor:
    """Spectrograms [N, 1, bands, T] of the sound that is made of such."""
    frames = pictures.shape[-1]
    sounds = [sound for part in pictures.split(50) for sound in sound_of(part[:, 0])]
    return torch.stack([cut(spectrogram(sound), frames)[0] for sound in sounds])[:, None]


def counted(codes: Tensor, labels: Tensor, kinds: int, of: int) -> Tensor:
    """How often each of `of` codes [N, t] occurs with each label [N]: [kinds, of]."""
    return torch.bincount((labels[:, None] * of + codes).flatten(), minlength=kinds * of).view(kinds, of)


def guessed(codes: Tensor, labels: Tensor, takes: Tensor, kinds: int, of: int) -> float:
    """Share of recordings whose label naive Bayes guesses from their codes [N, t], each take by the other takes."""
    right = 0
    for take in takes.unique():
        own = takes == take
        known = (counted(codes[~own], labels[~own], kinds, of) + 1.0).log()
        known = known - known.logsumexp(1, keepdim=True)  # [kinds, of]
        right += int((known[:, codes[own]].sum(-1).argmax(0) == labels[own]).sum())
    return right / len(labels)


@torch.no_grad()
def measure(models: dict[str, Checkpoint]) -> dict[str, Any]:
    model, of_digit, of_speaker = (models[name].model for name in NAMES)
    source = dataset("voices").load("test")
    x = source.images(torch.arange(len(source)))
    digits, speakers = source.factors.T
    takes = torch.from_numpy(held_out_recordings().takes.astype(int))
    codes = model.heard(x)

    def judged(pictures: Tensor, target: Tensor) -> dict[str, float]:
        digit, who = heard(of_digit, pictures), heard(of_speaker, pictures)
        shares = {"digit": digit == digits, "target": who == target, "source": who == speakers}
        return {name: share.double().mean().item() for name, share in shares.items()}

    result: dict[str, Any] = {
        "held_out": len(source), "steps": models[NAMES[0]].training["steps"], "codes": model.config.codes,
        "original": judged(x, speakers), "rebuilt": judged(model.spoken(codes, speakers), speakers),
    }  # fmt: skip
    turns = [(speakers + turn) % len(SPEAKERS) for turn in range(1, len(SPEAKERS))]
    said = [model.spoken(codes, target) for target in turns]
    result["converted"] = averaged([judged(*each) for each in zip(said, turns, strict=True)])
    result["original_heard"] = judged(through_sound(x), speakers)
    result["converted_heard"] = averaged(
        [judged(through_sound(each), target) for each, target in zip(said, turns, strict=True)]
    )
    result["from_codes"] = {
        "digit": guessed(codes, digits, takes, len(DIGITS), model.config.codes),
        "speaker": guessed(codes, speakers, takes, len(SPEAKERS), model.config.codes),
    }
    rate = voice(Trial(model, source))
    result["bits_per_second"] = {"codes": rate.bits_per_second, "entropy": rate.bits_used, "sound": RATE * BITS}
    result["uses"] = {
        "digit": counted(codes, digits, len(DIGITS), model.config.codes).T.tolist(),
        "speaker": counted(codes, speakers, len(SPEAKERS), model.config.codes).T.tolist(),
    }
    return result


def averaged(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


NAMES = ("voices-vq", "spoken-digits-classifier", "voices-classifier")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="the runs of freshly trained models; else the bundled ones")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    models = {
        name: read_bundled(name) if options.models is None else read_model(options.models / name / "model")
        for name in NAMES
    }
    result = measure(models)
    for name, value in result.items():
        if name != "uses":
            print(f"{name:18} {json.dumps(value)}")
    if options.write:
        write_whole(RESULTS, lambda file: file.write((json.dumps(result) + "\n").encode()))


if __name__ == "__main__":
    main()
