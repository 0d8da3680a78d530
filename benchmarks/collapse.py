"""Holes and missing modes, measured: codes drawn from the prior, and from what was fitted to the codes afterwards.

    python -m benchmarks.collapse [--only MODEL ...] [--write]

For each model: codes of the first 20,000 training images (of a VAE one draw from each posterior) are fitted by a
Gaussian, a mixture and a flow. Of codes drawn from each, 2 x 2,000 are decoded and compared, by the features of the
bundled classifier, with as many held-out images. `gain` is what the ELBO of the held-out images gains when the fit
takes the prior's place. Then, for the models told the class, draws whose classes are as frequent as in the data.
And of the models of the lesson's bank: does what is decoded, or drawn, from an image's code have the image's class?
Numbers go to assets/results/collapse.json, fits and pictures to collapse.safetensors.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from vae_core.checkpoints import bundled, read_bundled
from vae_core.data import dataset
from vae_core.data.binarise import Binarised
from vae_core.folders import ASSETS, write_whole
from vae_core.latent.flow import Flow, fit_flow
from vae_core.latent.holes import Box, data_radius, nearest, share_of, window_grid, window_of
from vae_core.latent.pictures import to_bytes
from vae_core.latent.priors import aggregate_log_density, fit_gaussian, fit_mixture, standard_normal
from vae_core.metrics.completeness import Scores, scores
from vae_core.metrics.coverage import by_class, covered
from vae_core.metrics.frechet import frechet_distance
from vae_core.recipes import BANKS
from vae_core.runs.scores import BINARISED

RESULTS, FITS = ASSETS / "results" / "collapse.json", ASSETS / "results" / "collapse.safetensors"
FITTED, DRAWS, SAMPLES, SIDE, SHOWN = 20_000, 2, 2000, 64, 12
PLAIN = {
    "mnist-2d-vae-beta0.1": 20, "mnist-2d-vae-beta1": 20, "mnist-2d-vae-beta8": 20, "mnist-10d-vae-beta1": 40,
    "mnist-10d-ae": 40,
}  # fmt: skip
"""Models and the Gaussians in their mixtures."""
TOLD = ("mnist-2d-cvae", "mnist-8d-cvae")
SEED = 20_171

torch.set_num_threads(1)


class Held:
    """The held-out images, their features, and those that samples are compared with."""

    def __init__(self) -> None:
        self.source = dataset("mnist").load("test")
        self.judge: Any = read_bundled("mnist-classifier").model
        every = torch.arange(len(self.source))
        self.features = torch.cat([self.judge.features(self.source.images(part)) for part in every.split(500)])
        order = torch.randperm(len(self.source), generator=torch.Generator().manual_seed(SEED))
        self.folds = order[: DRAWS * SAMPLES].view(DRAWS, SAMPLES)
        self.compared = self.folds.flatten()


def codes_of(model: Any, source: Any, count: int, seed: int) -> Tensor:
    """Codes [N, Z] as the decoder meets them: of a VAE a draw from each posterior."""
    noise, found = torch.Generator().manual_seed(seed), []
    for part in torch.arange(count).split(500):
        posterior = model.encode(source.images(part))
        z = posterior.mean
        found.append(z if posterior.logvar is None else z + posterior.std * torch.randn(z.shape, generator=noise))
    return torch.cat(found)


def sampled(held: Held, draw: Callable[[int, torch.Generator], Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The scores of pictures that `draw` makes, and the held-out images that they come least near."""
    noise = torch.Generator().manual_seed(SEED)
    pictures = [draw(SAMPLES, noise) for _ in range(DRAWS)]
    features = [torch.cat([held.judge.features(part) for part in each.split(500)]) for each in pictures]
    seen = torch.cat([held.judge.head(each).softmax(-1) for each in features])
    found = [scores(held.features[fold], each) for fold, each in zip(held.folds, features, strict=True)]
    near = [covered(held.features[fold], each) for fold, each in zip(held.folds, features, strict=True)]
    reach = torch.cat([each.reach for each in near])
    twins = torch.cat([each[near[place].nearest] for place, each in enumerate(pictures)])
    worst = reach.argsort(descending=True)[:SHOWN]
    labels = held.source.labels[held.compared]
    told = {
        **{name: round(sum(getattr(each, name) for each in found) / DRAWS, 4) for name in Scores._fields},
        "frechet": round(frechet_distance(held.features, torch.cat(features)), 3),
        "classes": [round(value, 4) for value in (seen.argmax(-1).bincount(minlength=10) / len(seen)).tolist()],
        "unclear": round((seen.amax(-1) < 0.8).float().mean().item(), 4),
        "class_coverage": [round(value, 4) for value in by_class(torch.cat([n.within for n in near]), labels, 10)],
    }
    return told, {"worst": held.compared[worst], "twins": to_bytes(twins[worst])}


def of_plain(name: str, held: Held) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """One model before each of its priors."""
    model: Any = read_bundled(name).model
    codes = codes_of(model, dataset("mnist").load("train"), FITTED, 0)
    own = codes_of(model, held.source, len(held.source), 1)
    radius, normal = data_radius(own), standard_normal(codes.shape[1])
    flow = Flow(codes.shape[1])
    with torch.enable_grad():
        for _ in fit_flow(flow, codes):
            pass
    mixture = fit_mixture(codes, PLAIN[name])
    gaussian = fit_gaussian(codes)
    kept = {f"flow.{key}": value.half() for key, value in flow.state_dict().items()}
    flow.load_state_dict({key: value.half().float() for key, value in flow.state_dict().items()})  # as it is kept
    kept |= {f"mixture.{key}": value for key, value in mixture._asdict().items()}
    kept |= {f"gaussian.{key}": value.contiguous() for key, value in gaussian._asdict().items()}
    if codes.shape[1] == 2 and model.is_generative:
        kept |= plane_of(model, held, own)
    found = {}
    for title, prior in (("normal", normal), ("gaussian", gaussian), ("mixture", mixture), ("flow", flow)):

        def draw(count: int, noise: torch.Generator, prior: Any = prior) -> Tensor:
            return torch.cat([model.decode(part) for part in prior.sample(count, noise).split(500)])

        told, pictures = sampled(held, draw)
        z = prior.sample(SAMPLES, torch.Generator().manual_seed(SEED + 1))
        told["holes"] = round(share_of(nearest(z, own) > radius).value, 4)
        if model.is_generative:
            told["gain"] = round((prior.log_density(own) - normal.log_density(own)).mean().item(), 4)
        found[title] = told
        kept |= {f"{title}.{key}": value for key, value in pictures.items()}
    return found, kept


def plane_of(model: Any, held: Held, own: Tensor) -> dict[str, Tensor]:
    """log q(z) of the held-out images on a square of the plane that holds nearly all their codes [N, 2] and the prior;
    smoothed by a Gaussian as wide as a cell, for posteriors may be far narrower than the grid."""
    posterior = model.encode(held.source.images(torch.arange(len(held.source))))
    low, high = own.quantile(0.001, dim=0), own.quantile(0.999, dim=0)
    window = window_of(Box(low.clamp_max(-3), high.clamp_min(3)))
    cell = (window.high[0] - window.low[0]) / SIDE
    smooth = (posterior.std.square() + cell**2).sqrt()
    aggregate = aggregate_log_density(window_grid(window, SIDE), posterior.mean, smooth)
    return {"window": torch.tensor([window.low, window.high]), "aggregate": aggregate}


def of_told(name: str, held: Held) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A conditional model: codes from its prior, classes as frequent as among the training labels."""
    model: Any = read_bundled(name).model
    labels = dataset("mnist").load("train").labels

    def draw(count: int, noise: torch.Generator) -> Tensor:
        asked = labels[torch.randint(len(labels), (count,), generator=noise)]
        z = torch.randn(count, model.config.latent, generator=noise)
        return torch.cat([model.decode_as(*part) for part in zip(z.split(500), asked.split(500), strict=True)])

    told, pictures = sampled(held, draw)
    return {"normal": told}, {f"normal.{key}": value for key, value in pictures.items()}


def of_bank(name: str, held: Held) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A model of the lesson on collapse: how often what it makes of an image's code has the image's class."""
    model: Any = read_bundled(name).model
    images = Binarised(held.source, BINARISED)
    z = codes_of(model, images, SAMPLES, SEED)
    noise = torch.Generator().manual_seed(SEED)
    if hasattr(model, "draw"):
        thrown = torch.rand(SAMPLES, *images.shape, generator=noise)
        parts = [model.draw(*part) for part in zip(z.split(250), thrown.split(250), strict=True)]
    else:
        parts = [model.decode(part) for part in z.split(250)]
    seen = torch.cat([held.judge(part) for part in parts]).argmax(-1)
    kept = (seen == held.source.labels[:SAMPLES]).double().mean().item()
    return {"images": SAMPLES, "kept_class": round(kept, 4)}, {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="some of the models")
    parser.add_argument("--write", action="store_true", help="after each model")
    options = parser.parse_args()
    bank = [recipe.name for recipe in BANKS["collapse"]]
    kinds = {**dict.fromkeys(PLAIN, of_plain), **dict.fromkeys(TOLD, of_told), **dict.fromkeys(bank, of_bank)}
    with torch.no_grad():
        held = Held()
        for name in options.only or [each for each in kinds if each in bundled()]:
            began = time.perf_counter()
            told, tensors = kinds[name](name, held)
            print(name, f"{time.perf_counter() - began:.0f} s", json.dumps(told, indent=1), flush=True)
            if options.write:
                write(name, told, tensors, held)


def write(name: str, told: dict[str, Any], tensors: dict[str, Tensor], held: Held) -> None:
    result = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"models": {}}
    of_data = scores(held.features[held.folds[0]], held.features[held.folds[1]])
    shares = held.source.labels.bincount(minlength=10) / len(held.source)
    result |= {
        "fitted": FITTED, "draws": DRAWS, "samples": SAMPLES,
        "of_data": {key: round(value, 4) for key, value in of_data._asdict().items()},
        "classes": [round(value, 4) for value in shares.tolist()],
    }  # fmt: skip
    result["models"][name] = told
    write_whole(RESULTS, lambda file: file.write((json.dumps(result, indent=1) + "\n").encode()))
    kept = load_file(FITS) if FITS.exists() else {}
    kept = {key: value for key, value in kept.items() if not key.startswith(f"{name}/")}
    kept |= {f"{name}/{key}": value.contiguous() for key, value in tensors.items()}
    write_whole(FITS, lambda file: file.write(save(kept)))


if __name__ == "__main__":
    main()
