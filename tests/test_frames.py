"""What a run shows while it trains: at which steps, which held-out images, and what the model makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.conftest import blob_source
from tests.running import IMAGE
from vae_core.latent.pictures import to_bytes
from vae_core.models import MODELS
from vae_core.recipes import Recipe
from vae_core.runs import Run, frame_steps
from vae_core.runs.pictures import DRAWS, POINTS, Pictures, choose_sample
from vae_core.training import TrainSettings

pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (8, [0, 1, 2, 3, 4, 6, 7, 8]),
        (24, [0, 1, 2, 3, 4, 6, 8, 11, 14, 17, 20, 24]),  # 24 (n / 12)^2, rounded, each once
        (800, [round(800 * (n / 16) ** 2) for n in range(17)]),
    ],
)
def test_frames_are_close_together_at_first(steps: int, expected: list[int]) -> None:
    assert frame_steps(steps) == expected


def test_there_are_never_too_many_frames() -> None:
    for steps in (1, 79, 14_040, 10**6):
        at = frame_steps(steps)
        assert (at[0], at[-1]) == (0, steps) and at == sorted(set(at)) and len(at) <= 101


def test_the_sample_shows_every_class_first_and_no_image_twice() -> None:
    source = blob_source(POINTS + 500)
    sample = choose_sample(source, torch.device("cpu"))
    assert len(sample.index) == len(set(sample.index.tolist())) == POINTS
    assert set(sample.labels[:3].tolist()) == {0, 1, 2}
    assert torch.equal(sample.labels, source.labels[sample.index])
    assert torch.equal(sample.images, source.pixels[sample.index[:8]])
    assert torch.equal(sample.index, choose_sample(source, torch.device("cpu")).index)
    assert len(choose_sample(blob_source(5), torch.device("cpu")).images) == 5


@pytest.mark.parametrize("kind", ["vae", "autoencoder"])
def test_a_frame_is_what_the_model_makes_of_the_sample(own_folder: Path, kind: str) -> None:
    exact = TrainSettings(precision="float32")
    recipe = Recipe("small", "own-blobs", kind, {"image": IMAGE, "hidden": (16,)}, exact)
    run = Run.create(own_folder / kind, recipe)
    model, source = MODELS[kind](recipe.config).eval(), blob_source(60)
    before = torch.get_rng_state()
    pictures = Pictures(run, model, source, torch.device("cpu"))
    pictures.write(12)
    assert torch.equal(torch.get_rng_state(), before), "the training's random numbers are not touched"
    frame, sample = run.frame(12), run.sample()
    assert run.frames() == [12] and frame.step == 12
    images = source.images(sample.index)
    with torch.no_grad():
        codes = model.encode(images).mean
        assert torch.equal(frame.latents, codes.half())
        assert torch.equal(frame.recon, to_bytes(model.decode(codes[:8])))
    assert torch.equal(sample.images, to_bytes(images[:8]))
    assert frame.samples.shape == (DRAWS, *IMAGE) and frame.samples.dtype == torch.uint8
    places = pictures._places(codes)
    spread = places.std(dim=0) / (1.0 if kind == "vae" else codes.std(dim=0))
    assert ((spread > 0.5) & (spread < 1.5)).all(), "from the prior, or as wide as the codes where there is none"


def test_one_held_out_image_is_enough(own_folder: Path) -> None:
    recipe = Recipe("small", "own-blobs", "autoencoder", {"image": IMAGE, "hidden": (16,)})
    run = Run.create(own_folder / "one", recipe)
    Pictures(run, MODELS["autoencoder"](recipe.config).eval(), blob_source(1), torch.device("cpu")).write(0)
    assert run.frame(0).latents.shape == (1, 2)
