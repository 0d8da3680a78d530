"""The perceptual VAE, the residual network, and the bank of the lesson on results: known answers and what must hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser
from torch import Tensor, nn

from benchmarks.results import missed, variances
from tests.conftest import blob_source
from tests.test_models import IMAGE, build, pictures
from ui.browser import source
from vae_core.checkpoints import bundled, read_bundled, read_model, round_weights, write_model
from vae_core.errors import InvalidInput
from vae_core.latent.browser import pack_decoder
from vae_core.losses import gaussian_nll
from vae_core.models import Classifier, PerceptualVAE
from vae_core.models.parts import ResidualBlock, conv_decoder, conv_encoder
from vae_core.models.perceptual import Eyes
from vae_core.recipes import BANKS, RECIPES, in_bank, judge_of
from vae_core.recipes.results import DATA_RESULTS, KINDS_RESULTS, eyes_name, result_name
from vae_core.runs.eyes import with_eyes
from vae_core.runs.folder import Run
from vae_core.runs.worker import work
from vae_core.training import TrainSettings, train


def classifier(image: tuple[int, int, int] = IMAGE, channels: tuple[int, ...] = (8, 16)) -> Classifier:
    return Classifier(Classifier.Config(image=image, classes=3, channels=channels, features=8)).eval()


def test_a_picture_compared_with_itself_is_not_wrong() -> None:
    model, x = build("perceptual"), pictures()[0]
    assert torch.equal(model.perceived(x, x), torch.zeros(len(x)))
    assert torch.equal(model.unlike(x, x), torch.zeros(len(x), 2))
    assert (model.perceived(x, 1 - x) > 0).all()


def test_eyes_see_what_the_classifier_sees() -> None:
    judge, x = classifier(), torch.rand(3, *IMAGE)
    eyes = Eyes(1, (8, 16))
    eyes.take(judge)
    for depth, seen in enumerate(eyes(x)):
        assert torch.equal(seen, judge.body[: 3 * depth + 2](x))
    assert [tuple(seen.shape) for seen in eyes(x)] == [(3, 8, 12, 12), (3, 16, 6, 6)]


def test_the_loss_of_one_known_eye() -> None:
    """One filter that hands the pixel on: its error is that of the pixels, so only the weights are left."""
    model = build("perceptual", seen=(1,), depth_weights=(3.0,), pixel_weight=2.0)
    with torch.no_grad():
        model.eyes.weight0.zero_()
        model.eyes.weight0[0, 0, 1, 1] = 1
        model.eyes.bias0.zero_()
    x, again = torch.rand(4, *IMAGE), torch.rand(4, *IMAGE)
    expected = (3 + 2) * (x - again).square().sum((1, 2, 3))
    torch.testing.assert_close(model.perceived(x, again), expected)


def test_training_moves_the_copies_and_never_the_eyes() -> None:
    model: Any = build("perceptual", likelihood="gaussian_learned")
    before = {name: value.clone() for name, value in model.eyes.state_dict().items()}
    assert len(before) == 4 and not list(model.eyes.parameters()), "what is no parameter, no optimiser finds"
    start = {name: value.detach().clone() for name, value in model.named_parameters()}
    settings = TrainSettings(epochs=3, batch=32, lr=5e-3, warmup=0, weight_decay=0.1)
    list(train(model, blob_source(96), settings, torch.device("cpu")))
    for name, value in model.eyes.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(not torch.equal(value, start[name]) for name, value in model.named_parameters())


def test_the_likelihood_is_told_and_not_trained_for() -> None:
    model: Any = build("perceptual", likelihood="gaussian_learned", sigma=0.3)
    x = pictures()[0]
    torch.manual_seed(0)
    terms = model.loss(x)
    torch.manual_seed(0)
    logits = model.decoder(model.encode(x).sample())
    torch.testing.assert_close(terms.recon, gaussian_nll(logits.sigmoid(), x, math.log(0.3)).mean())
    perceived = model.perceived(x, logits.sigmoid()).mean()
    torch.testing.assert_close(terms.total, perceived + terms.kl + terms.recon)
    assert not terms.recon.requires_grad
    terms.total.backward()
    slope = model.decoder[0].weight.grad.clone()
    model.zero_grad()
    (perceived + terms.kl.detach()).backward()
    torch.testing.assert_close(model.decoder[0].weight.grad, slope)


def test_eyes_are_kept_with_the_model(tmp_path: Path) -> None:
    model: Any = build("perceptual")
    model.eyes.take(classifier())
    round_weights(model, "float16")
    folder = tmp_path / "model"
    write_model(folder, model, name="m", model_name="perceptual", dataset="mnist", training={}, weights="float16")
    again: Any = read_model(folder).model
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    x = pictures()[0]
    assert torch.equal(again.unlike(x, 1 - x), model.unlike(x, 1 - x))


@pytest.mark.parametrize(
    ("name", "named"),
    [("cifar-classifier", "sizes"), ("mnist-2d-ae", "no classifier"), ("nobody", "no bundled model")],
)
def test_eyes_that_do_not_fit_are_refused(name: str, named: str) -> None:
    model = PerceptualVAE(PerceptualVAE.Config(eyes_of=name, seen=(16, 32)))
    with pytest.raises(InvalidInput, match=named):
        with_eyes(model)


def test_a_run_begins_with_the_eyes_of_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vae_core.runs.worker.evaluate", lambda *_: {})  # scores are not what is asked for here
    recipe = RECIPES[result_name("mnist", "perceptual")]
    recipe = replace(
        recipe, settings=recipe.settings | {"eyes_of": "mnist-classifier", "seen": (16, 32)},
        training=TrainSettings(epochs=1, batch=64, images=64),
    )  # fmt: skip
    run = Run.create(tmp_path / "run", recipe, "cpu")
    assert work(run).state == "finished"
    made: Any = read_model(run.model_folder).model
    judge: Any = read_bundled("mnist-classifier").model
    assert torch.equal(made.eyes.weight0, judge.body[0].weight) and torch.equal(made.eyes.bias1, judge.body[3].bias)
    assert with_eyes(judge) is judge


@pytest.mark.parametrize(
    ("setting", "value"),
    [("seen", ()), ("seen", (8, 16, 8, 8, 8)), ("seen", (10**6, 2)), ("depth_weights", (1.0,)),
     ("depth_weights", (math.nan, 1.0)), ("depth_weights", (-1.0, 1.0)), ("pixel_weight", math.inf)],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match="seen|depth_weights" if setting == "seen" else setting):
        PerceptualVAE.Config(image=(1, 8, 8), **{setting: value})  # type: ignore[arg-type]


def test_a_residual_network_halves_and_doubles_as_a_convolutional_one() -> None:
    shape = ((3, 16, 24), (4, 6), (10,))
    for residual in (False, True):
        encoder = conv_encoder(*shape, 5, "relu", residual)
        decoder = conv_decoder(*shape, 5, "relu", residual)
        codes = encoder(torch.rand(2, 3, 16, 24))
        assert codes.shape == (2, 5) and decoder(codes).shape == (2, 3, 16, 24)
        blocks = [sum(isinstance(layer, ResidualBlock) for layer in half) for half in (encoder, decoder)]
        assert blocks == ([2, 2] if residual else [0, 0])


def test_a_block_whose_branch_is_silent_hands_its_input_on() -> None:
    block, x = ResidualBlock(6, "gelu"), torch.randn(2, 6, 4, 4)
    assert not torch.allclose(block(x), x)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    assert torch.equal(block(x), x)


def test_what_the_benchmark_measures_of_eyes() -> None:
    eyes = Eyes(1, (4, 6))
    x, again = torch.rand(700, 1, 8, 8), torch.rand(700, 1, 8, 8)
    pairs = list(zip(eyes(x), eyes(again), strict=True))
    assert missed(eyes, x, again) == pytest.approx([(a - b).square().mean().item() for a, b in pairs], rel=1e-4)
    assert variances(eyes, x) == pytest.approx([a.var(0, correction=0).mean().item() for a, _ in pairs], rel=1e-3)


def test_the_bank_differs_in_the_network_and_the_loss_alone() -> None:
    bank = {recipe.name: recipe for recipe in BANKS["results"]}
    assert len(bank) == 4 * len(DATA_RESULTS) and all(map(in_bank, bank))
    for short, data in DATA_RESULTS.items():
        plain, deep, perceived = (bank[result_name(short, kind)] for kind in KINDS_RESULTS)
        assert {plain.training, deep.training, perceived.training} == {plain.training}
        assert deep.settings == plain.settings | {"network": "residual"}
        assert plain.settings.items() <= perceived.settings.items()
        eyes = bank[eyes_name(short)]
        assert perceived.config.eyes_of == eyes.name and perceived.config.seen == eyes.config.channels
        judge = RECIPES[judge_of(data) or ""]
        assert judge.name != eyes.name and judge.config.channels != eyes.config.channels
        assert judge.training.seed != eyes.training.seed


@pytest.mark.parametrize("short", DATA_RESULTS)
def test_a_bundled_model_looks_through_its_bundled_eyes(short: str) -> None:
    model: Any = read_bundled(result_name(short, "perceptual")).model
    judge: Any = read_bundled(eyes_name(short)).model
    other = Eyes(model.config.image[0], model.config.seen)
    other.take(judge)
    for name, value in other.state_dict().items():
        assert torch.equal(model.eyes.state_dict()[name], value), name


def test_every_bundled_model_of_the_lesson_was_measured() -> None:
    from ui.lessons.results import FILE

    found = json.loads(FILE.read_text("utf-8"))
    assert set(found) == set(DATA_RESULTS)
    for short, entry in found.items():
        assert entry["held_out"] == entry["samples"] == 10_000
        for kind, row in entry["models"].items():
            loaded = read_bundled(result_name(short, kind))
            assert row["elbo"] == pytest.approx(loaded.metrics["elbo"], rel=0.01)
            assert row["epochs"] == loaded.training["epochs"] == RECIPES[loaded.name].training.epochs
            pixels = math.prod(RECIPES[loaded.name].config.image)
            assert row["bits"] == pytest.approx(8 - row["elbo"] / pixels / math.log(2), abs=1e-3)
            assert row["psnr"] == pytest.approx(-10 * math.log10(row["mse"]), abs=0.01)
    assert {name for name in bundled() if name.startswith("results-")} == {each.name for each in BANKS["results"]}


def seen_by_numpy(decoder: nn.Module, codes: Tensor) -> np.ndarray:
    with torch.no_grad():
        return torch.sigmoid(decoder(codes)).flatten(1).numpy()


@pytest.mark.browser
def test_the_browser_decodes_residual_blocks_as_pytorch_does(browser: Browser) -> None:
    model = build("vae", network="residual", image=(3, 8, 16), activation="silu")
    round_weights(model, "float16")
    codes = torch.randn(4, 3)
    pack = list(pack_decoder(model.decoder, (3, 8, 16), 3))
    page = browser.new_page()
    script = source("decoder.js") + "\nreturn codes.map((z) => Array.from(makeDecoder(parsePack(bytes)).decode(z)));"
    told = page.evaluate(
        f"([pack, codes]) => {{ const bytes = new Uint8Array(pack);\n{script} }}", [pack, codes.tolist()]
    )
    page.close()
    np.testing.assert_allclose(np.array(told), seen_by_numpy(model.decoder, codes), atol=2e-6)
