"""Runs side by side: their held-out curves, what was set differently, what came out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ui.figures.runs import DASHES
from ui.palette import RUN_COLOURS
from ui.training.events import events_of, held_out_of
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.models import MODELS
from vae_core.runs.folder import Run

Style = tuple[str, str]  # of a run's line: colour, dash
STYLES: tuple[Style, ...] = tuple(zip(RUN_COLOURS, DASHES, strict=True))
SCORES = {  # how the picker calls them, and the axes
    "negative ELBO": "\N{MINUS SIGN}ELBO at β\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1",
    "reconstruction": "reconstruction",
    "KL": "KL to the prior",
}
NOTHING = "\N{EN DASH}"
HIDDEN = ("image", "classes")  # they follow from the data
OF_BETA = ("kl_schedule", "kl_start", "kl_share", "kl_cycles", "capacity", "free_bits")  # mean nothing without a KL
WORDS = {  # what people call a setting; the key, by which `--set` knows it, is told beside it
    "latent": "latents",
    "kl_schedule": "beta's schedule",
    "kl_start": "first weight of the KL, in betas",
    "kl_share": "share of the training in which beta moves",
    "kl_cycles": "cycles of beta",
    "free_bits": "free bits, nats per latent",
    "capacity": "KL at the end, nats",
    "lr": "learning rate",
    "lr_schedule": "learning rate's schedule",
    "warmup": "steps in which the learning rate rises",
    "clip": "largest norm of a gradient",
    "weight_decay": "weight decay",
    "batch": "images in a step",
    "labels": "labels that it was trained on; none: all",
    "images": "training images; 0: all",
    "binarise": "pixels drawn black or white",
    "shift": "pixels by which pictures are shifted",
    "flip": "pictures mirrored",
    "patience": "evaluations without a better one until it stops",
    "evaluate_every": "steps between evaluations; 0: an epoch",
    "graph": "steps recorded, on CUDA",
    "hidden": "widths of the hidden layers",
    "channels": "channels of the convolutions",
    "sigma": "standard deviation of the Gaussian likelihood",
    "tc": "weight of the total correlation",
    "population": "images that a batch stands for",
    "critic": "widths of the critic's layers",
    "eyes_of": "the classifier that looks at copies",
    "seen": "channels of its convolutions",
    "depth_weights": "weights of what they see, by depth",
    "pixel_weight": "weight of the pixels' error",
    "kinds": "kinds of damage",
    "lowest": "least damage",
    "highest": "most damage",
    "clipped": "share of damaged pictures cut off at [0, 1]",
    "features": "features before the classes",
    "latents": "numbers, or letters, of a code",
    "categories": "letters to choose from",
    "temperature": "temperature of the soft letters",
    "straight_through": "true letters forward, soft ones backward",
    "units": "units at each pixel",
    "window": "side of the window of pixels before",
    "factor": "times that a side is smaller",
    "codes": "codes in the book",
    "dimensions": "dimensions of a code vector",
    "narrow": "channels inside a residual block",
    "update": "how the codebook learns",
    "decay": "decay of the codebook's moving means",
    "restart": "share of a fair share below which a code is set anew; 0: never",
    "codes_of": "model whose code maps are learned",
    "level": "which of its levels, the coarsest first",
    "given": "codes of the coarser map that is told; 0: none",
    "blank": "share of images whose bottom map is left out",
    "reach": "cells across that a layer sees",
    "layers": "layers",
    "embedding": "numbers that stand for a letter",
    "reader": "width of the network that reads",
    "writer": "width of the network that writes",
    "dropout": "share of hidden units dropped",
    "word_dropout": "letters hidden from the decoder",
    "width": "channels of a small pixel",
    "blocks": "residual blocks",
    "samples": "draws of z that the bound averages",
    "steps": "steps of the flow",
    "context": "numbers that the encoder tells each step",
    "lower": "latents next to the picture",
    "upper": "latents above them",
    "weight": "weight of the game against the critic",
    "halvings": "times that the rate of codes is halved",
    "stretch": "most by which bands are stretched",
}
MAIN = ("data", "model", "latent", "beta", "kl_schedule", "network", "epochs", "batch", "lr", "seed")  # of a single run
CELL = "padding:0.15rem 0.6rem 0.15rem 0;text-align:left;vertical-align:top;"
SHORT = "overflow:hidden;overflow-wrap:anywhere;display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:"
LINE = "border-top:1px solid rgba(128,128,128,0.4);"
PATTERNS = {  # of a line as the figure draws it: CSS stops, `c` for its colour
    "solid": "linear-gradient(c,c)",
    "dash": "repeating-linear-gradient(90deg,c 0 9px,transparent 9px 14px)",
    "dot": "repeating-linear-gradient(90deg,c 0 4px,transparent 4px 8px)",
    "dashdot": "repeating-linear-gradient(90deg,c 0 10px,transparent 10px 14px,c 14px 18px,transparent 18px 22px)",
}


def score(held_out: dict[str, Any], which: str) -> float | None:
    """A held-out score in nats per image; None where it is not defined for a model."""
    if which == "negative ELBO":
        return -held_out["elbo"] if "elbo" in held_out else None
    return held_out.get({"reconstruction": "recon", "KL": "kl"}[which])


def curve_of(run: Run, which: str, against: str) -> tuple[list[float], list[float]]:
    """At which epoch (or after how many seconds) the held-out images were looked at, and the score."""
    seen = [(event[against], score(event["held_out"], which)) for event in events_of(run) if event.get("held_out")]
    there = [(place, value) for place, value in seen if value is not None]
    return [place for place, _ in there], [value for _, value in there]


def title_of(data: str) -> str:
    """The title of a dataset; its name, where it was somebody's own and is here no more."""
    try:
        return dataset(data).title
    except InvalidInput:
        return data


def settings_in_words(run: Run) -> dict[str, str]:
    """Every setting of a run as a text, under the name by which `--set` knows it."""
    recipe = run.config.recipe
    about = {"data": title_of(recipe.data), "model": MODELS[recipe.model].title}
    told = {**about, **recipe.settings, **vars(recipe.training)}
    hidden = HIDDEN if "beta" in recipe.settings else HIDDEN + OF_BETA
    return {key: in_words(value) for key, value in told.items() if key not in hidden}


def in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def set_differently(chosen: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """The settings that are not the same for all, a value for each run; of a single run the main ones."""
    told = [settings_in_words(run) for run in chosen]
    if len(told) == 1:
        return [(key, [told[0][key]]) for key in MAIN if key in told[0]]
    keys = dict.fromkeys([*MAIN, *(key for each in told for key in each)])
    rows = [(key, [each.get(key, NOTHING) for each in told]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def came_out(chosen: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """The held-out scores in nats per image: the newest, or those that early stopping chose."""
    seen = [held_out_of(run) for run in chosen]
    rows = []
    for which, words in SCORES.items():
        values = [score(held_out, which) for held_out in seen]
        rows.append((words, [NOTHING if value is None else f"{value:.2f}" for value in values]))
    return rows


def it_took(chosen: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """How long each was trained until now."""
    events = [events_of(run) for run in chosen]
    return [
        ("epochs", [f"{each[-1]['epoch']:.3g}" if each else NOTHING for each in events]),
        ("seconds", [f"{each[-1]['seconds']:.1f}" if each else NOTHING for each in events]),
    ]


def table_of(chosen: Sequence[Run]) -> str:
    """Both as HTML: a column for each run, under its line."""
    heads = "".join(
        f'<th scope="col" style="{CELL}vertical-align:bottom">{mark(style)}<span title="{escape(run.name)}" '
        f'style="{SHORT}3">{escape(run.name)}</span></th>'
        for run, style in zip(chosen, STYLES, strict=False)
    )
    title = "Set differently" if len(chosen) > 1 else "Settings"
    settings = set_differently(chosen) or [("nothing", [NOTHING] * len(chosen))]
    return (
        '<div style="overflow-x:auto"><table style="width:100%;border-collapse:collapse;font-size:0.9rem;'
        f'font-variant-numeric:tabular-nums"><tr><td></td>{heads}</tr>{_section(title, settings, len(chosen))}'
        f"{_section('Held out, nats per image', came_out(chosen), len(chosen))}"
        f"{_section('Trained for', it_took(chosen), len(chosen))}</table></div>"
    )


def legend_of(chosen: Sequence[Run]) -> str:
    """The lines of the figure with their names, as HTML."""
    entries = "".join(
        f'<span style="display:inline-flex;align-items:center;gap:8px;max-width:20rem">{mark(style)}'
        f'<span title="{escape(run.name)}" style="{SHORT}1">{escape(run.name)}</span></span>'
        for run, style in zip(chosen, STYLES, strict=False)
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:2px 22px;font-size:1rem">{entries}</div>'


def mark(style: Style) -> str:
    colour, dash = style
    pattern = PATTERNS[dash].replace("c ", f"{colour} ").replace("c,c", f"{colour},{colour}")
    return f'<span style="display:inline-block;flex:none;width:44px;height:4px;background:{pattern}"></span>'


def called(key: str) -> str:
    """What a row is called, as HTML: a setting in people's words, with its key below."""
    below = f'<br><code style="font-size:0.85em;opacity:0.75">{escape(key)}</code>' if key in WORDS else ""
    return escape(WORDS.get(key, key)) + below


def _section(title: str, rows: list[tuple[str, list[str]]], columns: int) -> str:
    head = f'<tr><th colspan="{columns + 1}" style="{CELL}{LINE}padding-top:0.5rem">{title}</th></tr>'
    return head + "".join(
        f'<tr><th scope="row" style="{CELL}font-weight:400">{called(key)}</th>'
        + "".join(f'<td style="{CELL}">{escape(value)}</td>' for value in values)
        + "</tr>"
        for key, values in rows
    )
