"""Sound in and out, the recordings, the voice VQ-VAE, and what is measured of it."""

from __future__ import annotations

import io
import math
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from tests.conftest import blob_source
from vae_core.audio.spectra import (
    BANDS,
    FRAMES,
    HOP,
    RANGE,
    aligned,
    cut,
    loud_part,
    seconds,
    sound_of,
    spectrogram,
)
from vae_core.audio.wav import RATE, read_wav, write_wav
from vae_core.data import dataset
from vae_core.data.spoken_digits import DIGITS, SPEAKERS, held_out_recordings
from vae_core.errors import InvalidInput
from vae_core.metrics import METRICS, Trial
from vae_core.models import VoiceVQVAE

IMAGE = (1, 12, 12)


def tone(hertz: float = 1000.0, lasts: float = 0.5, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(lasts * rate)) / rate)


def wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


def wav24(samples: np.ndarray, rate: int = RATE) -> bytes:
    """A file of 24 bits, which no library here writes: three bytes a sample, after a header of its own."""
    whole = np.round(samples * (2**23 - 1)).astype("<i4")
    body = np.stack([whole >> shift & 255 for shift in (0, 8, 16)], axis=-1).astype(np.uint8).tobytes()
    chunks = struct.pack("<4sIHHIIHH4sI", b"fmt ", 16, 1, 1, rate, 3 * rate, 3, 24, b"data", len(body)) + body
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


# Files.

KINDS: dict[str, Any] = {
    "16 bits": lambda: wav((32767 * tone()).astype(np.int16)),
    "8 bits": lambda: wav((128 + 127 * tone()).round().astype(np.uint8)),
    "24 bits": lambda: wav24(tone()),
    "32 bits": lambda: wav((2**31 * tone()).astype(np.int32)),
    "float": lambda: wav(tone().astype(np.float32)),
    "double": lambda: wav(tone()),
    "44.1 kHz": lambda: wav((32767 * tone(rate=44_100)).astype(np.int16), 44_100),
    "stereo": lambda: wav(np.stack([2 * tone(), 0 * tone()], 1).astype(np.float32)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_wav_is_the_same_sound(kind: str) -> None:
    sound = read_wav(KINDS[kind]())
    assert abs(len(sound.samples) - RATE // 2) <= 1 and sound.samples.dtype == np.float32
    middle = slice(500, -500)  # resampling rings at the ends
    assert np.abs(sound.samples[: RATE // 2][middle] - tone()[middle]).max() < 0.02
    assert "0.50 s" in sound.told and (("2 channels" in sound.told) == (kind == "stereo"))


def test_what_is_written_is_read_again() -> None:
    sound = read_wav(write_wav(tone(), peak=0.5))
    assert np.abs(sound.samples - tone()).max() < 1e-3


BAD: dict[str, tuple[Any, str]] = {
    "nothing": (lambda: b"", "no WAV"),
    "another format": (lambda: b"ID3" + bytes(2000), "no WAV"),
    "cut in its header": (lambda: KINDS["16 bits"]()[:30], "no WAV"),
    "no sample": (lambda: wav(np.zeros(0, np.int16)), "WAV"),
    "silence": (lambda: wav(np.zeros(RATE, np.int16)), "silent"),
    "a constant": (lambda: wav(np.full(RATE, 9000, np.int16)), "silent"),
    "an hour": (lambda: wav(np.ones(3600 * RATE, np.uint8)), r"3,600\.00 s; allowed are 0\.1 to 60"),
    "a moment": (lambda: wav(np.ones(100, np.int16)), "Speak for longer"),
    "not a number": (lambda: wav(np.full(RATE, np.nan, np.float32)), "no numbers"),
    "infinite": (lambda: wav(np.full(RATE, np.inf, np.float32)), "no numbers"),
    "too slow a rate": (lambda: wav(np.ones(100, np.int16), 100), "100 samples a second"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_recording_is_named(case: str) -> None:
    content, named = BAD[case]
    with pytest.raises(InvalidInput, match=named):
        read_wav(content())


def test_a_file_that_was_cut_short_is_refused_or_read_as_far_as_it_goes() -> None:
    whole = KINDS["16 bits"]()
    try:
        assert len(read_wav(whole[: len(whole) // 2]).samples) <= RATE // 2
    except InvalidInput as error:
        assert "no WAV" in str(error)


# Spectrograms.


@pytest.mark.parametrize("hertz", [500.0, 1000.0, 3000.0])
def test_a_tone_is_a_line_at_its_pitch(hertz: float) -> None:
    spectrum = spectrogram(tone(hertz))
    assert spectrum.shape == (BANDS, RATE // 2 // HOP + 1)
    assert spectrum.max() == 1 and spectrum.min() >= 0
    inside = spectrum[:, 5:-5]
    assert (inside.argmax(0) == round(hertz / (RATE / 2 / BANDS)) - 1).all(), "row 0 is the first band above 0"


def test_half_as_loud_is_six_decibels_below() -> None:
    samples = np.concatenate([tone(), 0.5 * tone()])
    row = spectrogram(samples).amax(0)
    assert ((row[10] - row[-10]) * RANGE).item() == pytest.approx(6.02, abs=0.1)
    torch.testing.assert_close(spectrogram(samples), spectrogram(0.01 * samples), rtol=0, atol=1e-4)


def test_sound_is_found_again_from_a_spectrogram() -> None:
    """The spectrogram of what Griffin-Lim finds is nearly the one it was given; of random phases it is not."""
    samples = held_out_recordings().samples[40]
    wanted = spectrogram(samples)

    def off(rounds: int) -> float:
        found = spectrogram(sound_of(wanted[None], rounds)[0])
        return float((found - wanted[:, : found.shape[1]]).square().mean().sqrt()) * RANGE

    assert off(48) < 2.5 < 5 < off(0), "decibels"


def test_the_loud_part_is_cut_out_and_the_sound_stays_with_it() -> None:
    samples = np.concatenate([np.zeros(4000), tone(lasts=0.3), np.zeros(2400)])
    spectrum = spectrogram(samples)
    part = loud_part(spectrum, margin=0)
    assert abs(part.start - 4000 / HOP) <= 3 and abs(part.stop - 6400 / HOP) <= 4
    picture, first = cut(spectrum)
    assert picture.shape == (BANDS, FRAMES)
    own = aligned(samples, first, FRAMES)
    assert own.shape == (FRAMES * HOP,) and np.abs(own).sum() == pytest.approx(np.abs(tone(lasts=0.3)).sum())
    middle = np.flatnonzero(own).mean() / HOP
    assert middle == pytest.approx(FRAMES / 2, abs=2)
    short, first = cut(spectrum, 16)
    assert torch.equal(short, spectrum[:, first : first + 16])
    assert np.array_equal(aligned(samples, first, 16), samples[first * HOP : (first + 16) * HOP])
    assert seconds(125) == 1.0


# Recordings.


def test_the_bundled_recordings_are_five_takes_of_every_digit_by_every_speaker() -> None:
    found = held_out_recordings()
    expected = [(d, s, t) for d in range(len(DIGITS)) for s in range(len(SPEAKERS)) for t in range(5)]
    assert list(zip(*(each.tolist() for each in found[1:]), strict=True)) == expected
    assert all(each.dtype == np.int16 and len(each) > 1000 for each in found.samples)
    by_voice, by_digit = (dataset(name).load("test") for name in ("voices", "spoken_digits"))
    assert torch.equal(by_voice.images(torch.arange(300)), by_digit.images(torch.arange(300)))
    assert by_voice.labels.tolist() == found.speakers.tolist() and by_digit.labels.tolist() == found.digits.tolist()


def archive(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            told = tarfile.TarInfo(f"folder/recordings/{name}")
            told.size = len(content)
            file.addfile(told, io.BytesIO(content))


def test_training_recordings_come_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    with pytest.raises(InvalidInput, match=r"not on this machine.*free-spoken-digit-dataset\.tar"):
        dataset("voices").load("train")
    sound = KINDS["16 bits"]()
    path = tmp_path / "free-spoken-digit-dataset.tar"
    names = ("3_theo_5.wav", "3_theo_4.wav", "0_lucas_49.wav", "7_stranger_9.wav")
    archive(path, dict.fromkeys(names, sound))
    train = dataset("voices").load("train")
    assert train.factors is not None
    assert train.factors.tolist() == [[0, 2], [3, 4]], "takes 0 to 4 are held out, others' recordings left out"
    archive(path, {"3_theo_5.wav": KINDS["stereo"]()})
    with pytest.raises(InvalidInput, match="mono"):
        dataset("voices").load("train")
    path.write_bytes(b"no archive")
    with pytest.raises(InvalidInput, match="cannot be read"):
        dataset("voices").load("train")


# The model.


def small(**settings: Any) -> VoiceVQVAE:
    config = {"image": IMAGE, "classes": 3, "codes": 8, "dimensions": 4, "width": 16, "blocks": 1, **settings}
    return VoiceVQVAE(VoiceVQVAE.Config(**config))


def test_codes_and_a_speaker_make_a_spectrogram_of_any_length() -> None:
    model = small().eval()
    for columns in (12, 32):
        codes = model.heard(torch.rand(5, 1, 12, columns))
        assert codes.shape == (5, columns // 4) and codes.max() < 8
        said = model.spoken(codes, torch.tensor([0, 1, 2, 0, 1]))
        assert said.shape == (5, 1, 12, columns) and said.min() >= 0 and said.max() <= 1
    with torch.no_grad():
        for step in model.decoder.steps:
            step.voice.weight.mul_(100)
    assert not torch.allclose(model.spoken(codes[:1], torch.tensor([0])), model.spoken(codes[:1], torch.tensor([1])))


def test_stretching_moves_bands_and_nothing_when_it_is_off() -> None:
    class Ends:
        def uniform(self, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[0.0], [0.5], [1.0]])  # the lowest factor, none, the highest

    x = torch.arange(12.0).view(1, 1, 12, 1).expand(3, 1, 12, 12)
    low, same, high = small(stretch=0.25)._stretched(x, Ends())[:, 0, :, 0]  # type: ignore[arg-type]
    assert torch.equal(same, torch.arange(12.0))
    torch.testing.assert_close(low, 0.75 * torch.arange(12.0))
    torch.testing.assert_close(high[:9], 1.25 * torch.arange(9.0))
    assert (high[10:] == 0).all(), "above the highest band there is nothing"


def test_all_of_it_is_trained() -> None:
    model = small()
    model.loss(torch.rand(6, *IMAGE), torch.arange(6) % 3).total.backward()
    slopes = {name: each.grad for name, each in model.named_parameters()}
    still = [name for name, slope in slopes.items() if slope is None or not slope.abs().sum() > 0]
    assert not still, still


@pytest.mark.parametrize(
    ("setting", "value"),
    [("image", (3, 12, 12)), ("image", (1, 12, 10)), ("classes", 1), ("codes", 1), ("dimensions", 0), ("width", 1),
     ("blocks", 0), ("halvings", 9), ("stretch", 0.5), ("beta", -1.0), ("sigma", 0.0)],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        VoiceVQVAE.Config(**{setting: value})  # type: ignore[arg-type]


def test_scores_of_a_model_that_knows_nothing() -> None:
    """Weights of zero: one code for all, which costs its bits all the same and carries none."""
    model = small().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    found = METRICS["voice"].compute(Trial(model, blob_source(30, IMAGE)))
    assert found.perplexity == pytest.approx(1) and found.bits_used == pytest.approx(0)
    assert found.bits_per_second == pytest.approx(3 * RATE / (4 * HOP))
    x = blob_source(30, IMAGE).images(torch.arange(30)).double()
    sigma = model.config.sigma
    nats = 0.5 * (x**2).sum() / sigma**2 / 30 + 144 * (math.log(sigma) + 0.5 * math.log(2 * math.pi))
    assert found.recon == pytest.approx(nats.item(), rel=1e-5)
    assert found.mse_over_variance == pytest.approx(((x**2).mean() / x.var(correction=0)).item(), rel=1e-5)
