"""The choices of the Train page, as a recipe."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import controls
from vae_core.data import Dataset, datasets, own
from vae_core.models import MODELS, is_latent
from vae_core.recipes import RECIPES, Recipe, judge_of
from vae_core.recipes.results import DATA_RESULTS, result_name
from vae_core.training import TrainSettings
from vae_core.training.device import available
from vae_core.training.settings import WHOLE

KINDS = {kind.title: name for name, kind in MODELS.items() if is_latent(name)}
SCHEDULES = {
    "constant": "constant",
    "warm-up": "warm-up",
    "cyclical": "cyclical",
    "falling": "fall",
    "capacity": "capacity",
}
SCHEDULE_HELP = (
    "How the weight of the KL moves during training. Constant: beta throughout. Warm-up: from 0 up to beta. Cyclical: "
    "several such rises. Falling: from a multiple of beta down to it. Capacity: beta presses the KL to a number of "
    "nats that rises, not to 0."
)
BETA_HELP = "The weight of the KL in the loss. 1 is the plain VAE; more presses the codes harder towards the prior."
PRECISIONS = ("auto", "float32", "bfloat16")
PRECISION_HELP = "Of the matrix products. Auto takes whichever is faster on the device."
MLP, CONV, RESIDUAL, LINEAR = "MLP", "convolutional", "residual", "linear"
IN_RECIPES = {CONV: "conv", RESIDUAL: "residual"}  # the networks that have channels
CHANNELS = (16, 32, 64, 128)  # of as many convolutions as halve the image to 4 pixels or more
LEAST_SIDE = 4
BETA_ROW = 74  # pixels: as high as the two widgets, so that Start stays where it is
START: dict[str, dict[str, Any]] = {  # where a dataset asks for another start than TrainSettings'
    "sprites": {"epochs": 1, "batch": 64, "lr": 1e-3, "network": CONV, "latent": 10, "beta": 4.0},
}
USUAL: dict[str, Any] = {"epochs": 20, "batch": 256, "lr": 2e-3, "network": MLP, "latent": 2, "beta": 1.0}
KEPT = ("epochs", "batch", "lr", "network", "latent", "beta")  # widgets that start anew with other data


def entry(
    label: str, low: float, high: float, start: float, step: float, *, key: str, help: str | None = None,
    form: str | None = None,
) -> Any:  # fmt: skip
    """A number to type, kept in the link; whole where `start` is. Both ends are allowed."""
    arrived = st.query_params.get(key)
    if key not in st.session_state and arrived is not None:
        try:
            value = type(start)(arrived)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            st.warning(
                f"The link asks for {label} = {arrived[:60]!r}; allowed: {low:,} to {high:,}. {start:g} is shown."
            )
    low, high, step = (type(start)(bound) for bound in (low, high, step))
    return st.number_input(label, low, high, start, step, key=key, help=help, format=form, bind="query-params")


def choices(more: DeltaGenerator) -> tuple[Recipe, str]:
    """What to train, and the name of the device; what is seldom changed stands in `more`. Raises InvalidInput where
    the choices do not go together."""
    offered = {entry.title: name for name, entry in datasets().items()}
    left, right = st.columns(2)
    with left:
        data = offered[controls.choose("Data", list(offered), key="data", style="select")]
    start = start_for(data)
    if st.session_state.setdefault("data trained", data) != data:
        st.session_state["data trained"] = data
        st.session_state.update({key: start[key] for key in KEPT})  # to forget them would bring the link's back
    chosen = datasets()[data]
    with right:
        model = KINDS[controls.choose("Model", list(KINDS), key="model", default="VAE", style="select")]
    left, right = st.columns(2)
    with left:
        latent = entry("Latents", 2, 1024, start["latent"], 1, key="latent")
    with right:
        epochs = entry("Epochs", *WHOLE["epochs"], start["epochs"], 1, key="epochs")
    settings: dict[str, Any] = {"image": chosen.shape, "latent": latent, **eyes_for(model, data)}
    training: dict[str, Any] = {"epochs": epochs}
    if "beta" not in knobs_of(model):
        with st.container(height=BETA_ROW, border=False):
            st.caption("An autoencoder has no prior, so no KL and no beta: its loss is the reconstruction alone.")
    else:
        left, right = st.columns(2)
        with left:
            settings["beta"] = entry("Beta", 0.0, 1000.0, start["beta"], 0.5, key="beta", help=BETA_HELP, form="%g")
        with right:
            schedule = controls.choose(
                "Beta's schedule", list(SCHEDULES), key="schedule", style="select", help=SCHEDULE_HELP
            )
        training["kl_schedule"] = SCHEDULES[schedule]
    with more:
        rare, network, device = rarer(model, training.get("kl_schedule", "constant"), chosen, start)
    recipe = Recipe(name_of(data, model, settings), data, model, settings | network, TrainSettings(**training, **rare))
    _ = recipe.config  # checked here, so that what is wrong is said here
    return recipe, device


def start_for(data: str) -> dict[str, Any]:
    """What the widgets start with for a dataset: a batch never larger than the images there are to train on."""
    start = USUAL | START.get(data, {})
    if data.startswith(own.PREFIX):
        start["batch"] = min(start["batch"], own.owned(data.removeprefix(own.PREFIX)).train)
    return start


def rarer(
    model: str, schedule: str, data: Dataset, start: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Settings of the training, of the network, and the device: what a lecture seldom changes."""
    rare: dict[str, Any] = {}
    if schedule == "fall":
        rare["kl_start"] = entry("First weight, in betas", 0.01, 1e4, 20.0, 1.0, key="first", form="%g")
    if schedule == "cyclical":
        rare["kl_cycles"] = entry("Cycles", *WHOLE["kl_cycles"], 4, 1, key="cycles")
    if schedule == "capacity":
        rare["capacity"] = entry("Capacity at the end, nats per image", 0.0, 1e4, 25.0, 1.0, key="capacity", form="%g")
    left, right = st.columns(2)
    channels = channels_for(data.shape) if "channels" in knobs_of(model) else ()
    with left:
        rare["batch"] = entry("Batch, images", *WHOLE["batch"], start["batch"], 32, key="batch")
        networks = [MLP, CONV, RESIDUAL] if channels else [MLP if "hidden" in knobs_of(model) else LINEAR]
        network = controls.choose("Network", networks, key="network", default=start["network"], style="select")
        device = controls.choose("Device", ["auto", *available()], key="device", style="select")
    with right:
        rare["lr"] = entry("Learning rate", 1e-6, 1.0, start["lr"], 5e-4, key="lr", form="%g")
        rare["seed"] = entry("Seed", 0, 2**31 - 1, 0, 1, key="trainseed")
        rare["precision"] = controls.choose(
            "Precision", list(PRECISIONS), key="precision", style="select", help=PRECISION_HELP
        )
    if "beta" in knobs_of(model):
        rare["free_bits"] = entry("Free bits, nats per latent", 0.0, 100.0, 0.0, 0.05, key="freebits", form="%g")
    score = "ELBO" if MODELS[model].is_generative else "reconstruction"
    rare["patience"] = entry(
        f"Stop early after so many epochs without a better held-out {score}; 0: never", 0, 1000, 0, 1, key="patience"
    )
    if name := IN_RECIPES.get(network):
        return rare, {"network": name, "channels": channels, "hidden": (256,), "activation": "relu"}, device
    return rare, {}, device


def knobs_of(model: str) -> set[str]:
    """The names of a model's settings."""
    return {each.name for each in fields(MODELS[model].Config)}


def eyes_for(model: str, data: str) -> dict[str, Any]:
    """Through whose convolutions a model looks that compares features: those of a classifier that judges nothing, as
    the lesson on results does; else of the data's own judge. Without one they are filters by chance."""
    judge = judge_of(data)
    if "eyes_of" not in knobs_of(model) or judge is None:
        return {}
    for short, name in DATA_RESULTS.items():
        if name == data:
            settings = RECIPES[result_name(short, "perceptual")].settings
            return {key: settings[key] for key in ("eyes_of", "seen", "depth_weights", "pixel_weight")}
    seen = RECIPES[judge].config.channels
    return {"eyes_of": judge, "seen": seen, "depth_weights": (10.0,) * len(seen), "pixel_weight": 10.0}


def channels_for(shape: tuple[int, int, int]) -> tuple[int, ...]:
    """The convolutions that fit an image [C, H, W]; none where its sides cannot be halved."""
    count, sides = 0, tuple(shape[1:])
    while count < len(CHANNELS) and all(side % 2 == 0 and side // 2 >= LEAST_SIDE for side in sides):
        sides = tuple(side // 2 for side in sides)
        count += 1
    return CHANNELS[:count]


def name_of(data: str, model: str, settings: dict[str, Any]) -> str:
    """What the run is called, as the recipes are: mnist-2d-vae-beta4."""
    beta = f"-beta{settings['beta']:g}" if "beta" in settings else ""
    return f"{data.replace('_', '-')[:40]}-{settings['latent']}d-{'ae' if model == 'autoencoder' else model}{beta}"
