"""What the lesson beyond the Gaussian posterior keeps: fitted posteriors, models side by side, measured densities."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch
from plotly.graph_objects import Figure
from safetensors.torch import load_file
from torch import Tensor

from ui.cache import checkpoint, encoded, held_out
from ui.figures import beyond as figures
from ui.lessons import expect, read_results, usable
from vae_core.bending import FAMILIES, Bent
from vae_core.checkpoints import bundled
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.exact.told import CELLS, TOLD, Told, grid
from vae_core.folders import ASSETS
from vae_core.losses import kl_to_standard_normal
from vae_core.metrics.frechet import frechet_distance
from vae_core.objective import Context

FOLDER = ASSETS / "results"
FITS, WEIGHTS, DENSITY = FOLDER / "bending.json", FOLDER / "bending.safetensors", FOLDER / "density.json"
REFIT = "Make it again: `python -m benchmarks.bending --write`."
REMEASURE = "Make it again: `python -m benchmarks.density --write`."
DATA, COLUMNS = "mnist", 12
SHARE, COARSE = 0.9, 2  # of the posterior's mass within its line; cells of the grid to one of the line's
CODES = 2000  # points of a crowd
FEWER, MOST = 500, 5000  # draws of q behind an NLL, of all models and of those with a published one


class Kind(NamedTuple):
    title: str
    changed: str  # what it changes


KINDS = {
    "mnist-bound1": Kind("VAE, long", "nothing: Gaussian q, the ELBO"),
    "mnist-bound5": Kind("IWAE, 5 draws, long", "the bound"),
    "mnist-short": Kind("VAE", "nothing: Gaussian q, the ELBO"),
    "mnist-flow": Kind("VAE with a flow", "the family of q"),
    "mnist-ladder": Kind("ladder VAE", "two levels of codes, other units"),
    "mnist-adversarial": Kind("adversarial autoencoder", "what enforces the prior"),
    "mnist-vae-gan": Kind("VAE-GAN", "who judges a copy"),
}
FORMULAS = {
    "their sum": "z\u2081 + z\u2082 = 1",
    "a bend": "z\u2082 \u2212 0.8 z\u2081\u00b2 = \u22120.8",
    "their product": "z\u2081 z\u2082 = 0.8",
    "their distance from 0": "|z| = 1.6",
}
CROWDS = {
    "autoencoder": ("mnist-2d-ae", "nobody asks for a prior"),
    "VAE": ("mnist-2d-vae-beta1", "each q(z|x) pays for leaving"),
    "adversarial AE": ("mnist-adversarial-2d", "the crowd must match it"),
}
PUBLISHED = {"mnist-bound1": 86.76, "mnist-bound5": 85.54}  # NLL, Burda et al. 2016, the same network


def offered(names: dict[str, Any]) -> list[str]:
    """Those of some recipes whose models are here."""
    here = bundled()
    return [name for name in names if name in here]


class Fits(NamedTuple):
    below: dict[str, dict[str, float]]  # kind of posterior -> family -> nats that its bound lies below log p(x)
    kl: dict[str, dict[str, float]]  # the same for KL(q || p)
    draws: int


@st.cache_resource(show_spinner=False)
def fits() -> Fits:
    """What benchmarks/bending.py measured. InvalidInput where the file is missing or damaged."""
    found = read_results(FITS, REFIT)
    with usable(FITS, REFIT):
        table: dict[str, dict[str, dict[str, float]]] = {"below": {}, "kl": {}}
        for row in found["rows"]:
            for which in table:
                table[which].setdefault(row["kind"], {})[row["family"]] = float(row[which])
        expect(all(list(table[which][kind]) == list(FAMILIES) for which in table for kind in TOLD))
        return Fits(table["below"], table["kl"], int(found["draws"]))


@st.cache_resource(show_spinner=False)
def weights() -> dict[str, Tensor]:
    with usable(WEIGHTS, REFIT):
        return load_file(WEIGHTS)


class Maps(NamedTuple):
    """The exact posterior and q on one scale, and where most of the posterior lies."""

    posterior: np.ndarray  # [n, n] uint8
    q: np.ndarray  # [n, n] uint8
    line: np.ndarray  # [n / COARSE, n / COARSE] float32, at least 1 where the SHARE lies


@st.cache_resource(show_spinner=False, max_entries=32)
@torch.inference_mode()
def maps(kind: str, family: str) -> Maps:
    """One posterior and one fitted q, on the grid."""
    prefix = f"{kind}|{family}|"
    q = Bent(FAMILIES[family])
    state = {key.removeprefix(prefix): tensor for key, tensor in weights().items() if key.startswith(prefix)}
    try:
        q.load_state_dict(state)
    except RuntimeError as error:
        raise InvalidInput(f"{WEIGHTS} does not hold {family!r} of {kind!r}. {REFIT}") from error
    z = grid()
    p = Told(kind).posterior(z).exp()
    scale = 255 / p.max()
    found = [(density * scale).clamp(0, 255).round().byte().view(CELLS, CELLS).numpy() for density in
             (p, q.log_density(z).exp())]  # fmt: skip
    coarse = p.view(1, 1, CELLS, CELLS).unfold(2, COARSE, COARSE).unfold(3, COARSE, COARSE).mean((-2, -1))[0, 0]
    ordered = coarse.flatten().sort(descending=True).values
    level = ordered[(ordered.cumsum(0) < SHARE * ordered.sum()).sum()]
    return Maps(found[0], found[1], (coarse / level).clamp_max(3).float().numpy())


class Crowd(NamedTuple):
    codes: np.ndarray  # [CODES, 2]
    labels: np.ndarray  # [CODES]
    kl: float | None  # of q(z | x) to the prior, nats per image, mean over them; None without a q
    distance: float  # Frechet distance of the draws of q of all of them together from the prior
    outside: int  # of the codes, beyond the window


@st.cache_resource(show_spinner="Encoding the held-out images", max_entries=8)
def crowd(name: str, reach: float) -> Crowd:
    """A draw of q(z | x) for each of the first held-out images, or their codes where there is no q."""
    cloud = encoded(name)
    codes, kl = cloud.codes[:CODES], None
    generator = torch.Generator().manual_seed(0)
    if cloud.std is not None:
        std = cloud.std[:CODES]
        kl = kl_to_standard_normal(codes, 2 * std.log()).sum(1).mean().item()
        codes = codes + std * torch.randn(codes.shape, generator=generator)
    prior = torch.randn(100_000, codes.shape[1], generator=generator)
    outside = int((codes.abs().amax(1) > reach).sum())
    return Crowd(codes.numpy(), cloud.labels[:CODES].numpy(), kl, frechet_distance(prior, codes), outside)


@st.cache_resource(show_spinner=False, max_entries=8)
def crowd_figure(name: str, reach: float) -> Figure:
    """The codes of `crowd` in their plane: kept, for no control changes it."""
    found = crowd(name, reach)
    return figures.crowd(found.codes, found.labels, dataset(DATA).class_names, reach)


@st.cache_resource(show_spinner=False, max_entries=64)
@torch.inference_mode()
def samples(name: str, seed: int) -> Tensor:
    """Pictures [COLUMNS, C, H, W] of codes from the prior."""
    model: Any = checkpoint(name).model
    context = Context(generator=torch.Generator().manual_seed(seed))
    if hasattr(model, "prior_codes"):
        return model.decode(model.prior_codes(COLUMNS, context))
    return model.decode(context.normal(torch.empty(COLUMNS, model.config.latent)))


@st.cache_resource(show_spinner=False, max_entries=16)
@torch.inference_mode()
def copies(name: str) -> Tensor:
    """The first held-out images, each by way of one draw of q(z | x)."""
    model: Any = checkpoint(name).model
    x = held_out(DATA).images(torch.arange(COLUMNS))
    context = Context(generator=torch.Generator().manual_seed(0))
    if hasattr(model, "condition"):
        return model.decode(model.draw(model.condition(x), context).z)
    return model.decode(model.encode(x).sample(context))


@st.cache_resource(show_spinner=False)
def measured() -> dict[str, dict[str, Any]]:
    """What benchmarks/density.py found, by the model's name. InvalidInput where the file is missing or damaged."""
    found = read_results(DENSITY, REMEASURE)
    with usable(DENSITY, REMEASURE):
        rows = {str(row["model"]): row for row in found["models"]}
        for row in rows.values():
            expect(len(row["bound"]) == len(row["samples"]) == len(row["standard_error"]) if "bound" in row else True)
            expect(all(len(row[key]) == 2 for key in ("precision", "coverage")) and float(row["frechet"]) >= 0)
    return rows


def table() -> list[dict[str, Any]]:
    """A row for each model that is here and was measured."""
    rows = []
    for name in offered(KINDS) if DENSITY.exists() else []:
        found = measured().get(name)
        if found is None:
            continue
        bound = dict(zip(found.get("samples", []), found.get("bound", []), strict=True))
        rows.append(
            {
                "model": KINDS[name].title,
                "minutes": found["seconds"] / 60,
                "\u2212ELBO": _less(bound.get(1)),
                f"NLL, {FEWER}": _less(bound.get(FEWER)),
                f"NLL, {MOST:,}": _less(bound.get(MOST)),
                "paper": PUBLISHED.get(name),
                "Fr\u00e9chet": found["frechet"],
                "precision": found["precision"][0],
                "coverage": found["coverage"][0],
            }
        )
    return rows


def _less(bound: float | None) -> float | None:
    return None if bound is None else -bound


def caption() -> str:
    """What the table's numbers are of, from the file."""
    here = offered(KINDS)
    rows = [row for name, row in measured().items() if name in here]
    counted = next((row for row in rows if "bound" in row), None)
    words = (
        f"Fr\u00e9chet distance, precision and coverage: {rows[0]['pictures']:,} samples against the held-out images, "
        "in the features of our own classifier of digits, so comparable on this page only. "
        "A VAE-GAN compares no pixels: a likelihood of images does not exist, and none is shown. "
    )
    if counted is None:
        return words
    return (
        f"Nats per image on {counted['images']:,} held-out digits, binarised once. NLL: minus the bound with so many "
        "draws of q(z|x), at or above the true one, perhaps far where q is narrow, as the adversarial autoencoder's "
        f"is; \u2212ELBO: with one draw. Minutes of training, on one thread of a busy CPU. "
        f"Paper: Burda et al. 2016, {MOST:,} draws, the same network trained for "
        "3,280 passes over the data. Short trainings compare with each other, long ones with the paper; the ladder, "
        "whose hidden units are other ones (GELU) and whose KL was faded in, compares only roughly. " + words
    )
