"""The page on the parts of an autoencoder: what is drawn is what the models are and do, and what they scored."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest
from torch import nn

from benchmarks import parts as benchmark
from tests.lessons import opened, text
from ui.cache import checkpoint, held_out
from ui.figures.parts import Network, Sums, block, difference, error_bars, network
from ui.lessons import parts as lesson
from ui.lessons.parts import CHANGES
from vae_core.errors import InvalidInput
from vae_core.latent.anatomy import anatomy, through
from vae_core.metrics.sharpness import edge_energy, sharpness
from vae_core.models import MODELS
from vae_core.recipes import BANKS, RECIPES, Recipe

BANK = {recipe.name: recipe for recipe in BANKS["parts"]}


def html(page: AppTest) -> str:
    return " ".join(element.proto.body for element in page.get("html"))


def test_every_combination_that_can_be_chosen_was_trained_and_no_model_is_left_over() -> None:
    names = {
        lesson.model_name(name, value, latent)
        for name, change in CHANGES.items()
        for value in change.values
        for latent in change.latents
    }
    assert names == set(BANK)
    for name, change in CHANGES.items():
        assert change.usual in change.values, name


DIFFERS = {  # all that is not the same, within a change and a latent size
    "Depth": {"hidden"},
    "Width": {"hidden"},
    "Data": {"images", "epochs", "batch", "lr", "evaluate_every"},  # no one thing: the page says so beside the bars
    "Loss": {"likelihood"},
    "Activation": {"activation"},
    "Regularisation": {"weight_decay", "model", "kinds", "lowest", "highest", "clipped", "patience", "evaluate_every"},
}


def settings_of(recipe: Recipe) -> dict[str, Any]:
    return {"data": recipe.data, "model": recipe.model, **vars(recipe.config), **vars(recipe.training)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_changes_one_thing(name: str) -> None:
    """Or, where it changes more, what is named above and nothing else."""
    for latent in CHANGES[name].latents:
        recipes = [BANK[lesson.model_name(name, value, latent)] for value in CHANGES[name].values]
        settings = [settings_of(recipe) for recipe in recipes]
        keys = {key for each in settings for key in each}
        assert {key for key in keys if len({str(each.get(key)) for each in settings}) > 1} == DIFFERS[name]
        if len(DIFFERS[name]) == 1:
            assert len({str(each[key]) for each in settings for key in DIFFERS[name]}) == len(recipes)


def test_depth_and_width_and_images_are_as_many_as_is_said() -> None:
    of = {
        name: [BANK[lesson.model_name(name, value, 8)] for value in CHANGES[name].values]
        for name in ("Depth", "Width", "Data")
    }
    assert [recipe.config.hidden for recipe in of["Depth"]] == [(64,) * int(n) for n in CHANGES["Depth"].values]
    assert [recipe.config.hidden for recipe in of["Width"]] == [(int(n),) * 2 for n in CHANGES["Width"].values]
    assert [f"{recipe.training.images or 60_000:,}" for recipe in of["Data"]] == list(CHANGES["Data"].values)


def test_what_else_differs_stands_beside_the_bars() -> None:
    said = text(opened("parts", change="Data", to="100"))
    assert "Not the images alone differ here" in said
    for value in CHANGES["Data"].values:
        training = BANK[lesson.model_name("Data", value, 32)].training
        steps = training.epochs * ((training.images or 60_000) // training.batch)
        told = f"{steps:,} steps of {training.batch} images, learning rate {training.lr:g}"
        assert re.search(rf"{value}[^:;]*: {told}", said)
    few = text(opened("parts", change="Regularisation"))
    assert "none, weight decay and dropout: 4,000 steps of 25 images" in few and "early stopping: 400 steps" in few
    assert "60,000 images had 1,404 steps of 256, at 0.003" in few
    assert "steps of" not in text(opened("parts", change="Width"))


def test_layers_are_read_off_the_model() -> None:
    config = MODELS["autoencoder"].Config(latent=5, hidden=(40, 30, 20), activation="relu")
    model = MODELS["autoencoder"](config).eval()
    x = torch.rand(3, 1, 28, 28)
    found = anatomy(model, x)
    assert [layer.units for layer in found.encoder] == [40, 30, 20]
    assert found.code.units == 5
    assert [layer.units for layer in found.decoder] == [20, 30, 40]
    assert found.encoder_weights == 785 * 40 + 41 * 30 + 31 * 20 + 21 * 5
    assert found.decoder_weights == 6 * 20 + 21 * 30 + 31 * 40 + 41 * 784
    with torch.no_grad():
        torch.testing.assert_close(found.code.values, model.encode(x).mean)  # type: ignore[operator]
        torch.testing.assert_close(found.rebuilt, model.decode(found.code.values))  # type: ignore[operator]
    assert all(layer.values.min() >= 0 for layer in (*found.encoder, *found.decoder)), "after the ReLU"


def test_a_layer_ends_where_the_next_one_begins() -> None:
    half = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    x = torch.randn(5, 1, 2, 2)
    first, second = through(half, x)
    with torch.no_grad():
        torch.testing.assert_close(first.values, half[1](x.flatten(1)).relu())
        torch.testing.assert_close(second.values, half[3](first.values))


def test_edge_energy_of_a_blurred_edge() -> None:
    """A step of height 1 has energy 1 a row; spread over k pixels, a k-th of it; moved, the same; flat, none."""
    steps = torch.zeros(3, 1, 1, 12)
    steps[0, ..., 6:] = 1
    steps[1, ..., 4:8] = torch.arange(1, 5) / 4
    steps[1, ..., 8:] = 1
    assert edge_energy(steps).tolist() == pytest.approx([1, 1 / 4, 0])
    assert sharpness(steps[1:2], steps[:1]) == pytest.approx(0.25)
    assert edge_energy(steps.transpose(2, 3)).tolist() == edge_energy(steps).tolist()
    with pytest.raises(InvalidInput, match="no edges"):
        edge_energy(torch.zeros(3, 4))


def test_what_the_results_say_is_what_the_models_do() -> None:
    found = lesson.results()
    source = held_out("mnist")
    x = source.images(torch.arange(len(source)))
    assert found.held_out == len(source)
    for name in ("parts-8d", "parts-2d-bce", "parts-32d-images100"):
        scores, reach = benchmark.measured(checkpoint(name).model, x)
        assert found.models[name].held_out == pytest.approx(tuple(scores[key] for key in lesson.MEASURES), rel=1e-3)
        assert found.models[name].reach == pytest.approx(reach, rel=1e-3)
    known = lesson.known_images()
    few = benchmark.measured(checkpoint("parts-32d-images100").model, known)[0]
    assert found.models["parts-32d-images100"].train.squared == pytest.approx(few["squared"], rel=1e-3)
    assert checkpoint("parts-8d").metrics["held_out"] == len(source)
    for name, scores in found.models.items():
        assert scores.trained_on == (RECIPES[name].training.images or 60_000)
        assert scores.measured_on == min(scores.trained_on, 10_000)


def test_the_two_measures_are_what_they_are_called() -> None:
    """Squared error and grey BCE of a model of known output, and the least cross-entropy there is."""

    class Constant(nn.Module):
        config = MODELS["autoencoder"].Config(latent=2)

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return MODELS["autoencoder"](self.config).encode(x)  # type: ignore[operator]

        def decoder(self, z: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(z), 1, 28, 28)  # every pixel one half

    x = torch.zeros(4, 1, 28, 28)
    x[:, :, :14] = 1
    scores, _ = benchmark.measured(Constant(), x)
    assert scores["squared"] == pytest.approx(0.25)
    assert scores["cross"] == pytest.approx(784 * np.log(2), rel=1e-5)
    assert scores["sharpness"] == 0
    grey = torch.full((2, 1, 28, 28), 0.5)
    assert benchmark.limits(x, grey)["least_cross"] == pytest.approx(784 * np.log(2), rel=1e-5)
    assert benchmark.limits(x, x)["least_cross"] == 0
    assert benchmark.limits(x, x)["mean_picture"] == 0


def test_the_bank_shows_what_the_page_claims() -> None:
    """Small codes forget, few images are learned by heart, and each loss is best by its own measure."""
    found = lesson.results().models
    squared = [found[f"parts-{latent}d"].held_out.squared for latent in (2, 8, 32)]
    sharp = [found[f"parts-{latent}d"].held_out.sharpness for latent in (2, 8, 32)]
    assert squared == sorted(squared, reverse=True) and sharp == sorted(sharp)
    few, all_images = found["parts-32d-images100"], found["parts-32d"]
    assert few.held_out.squared > 5 * few.train.squared
    assert all_images.held_out.squared < 1.2 * all_images.train.squared
    for latent in (2, 8, 32):
        by_square, by_cross = found[f"parts-{latent}d"].train, found[f"parts-{latent}d-bce"].train
        assert by_cross.cross < by_square.cross
        assert by_cross.cross > lesson.results().least_cross / 2


def test_the_page_draws_the_true_sizes() -> None:
    page = opened("parts", change="Depth", to="4", latent="8")
    assert not page.exception and not page.error and not page.warning
    assert page.title[0].value.endswith("?")
    sizes = ", ".join(map(str, [784, 64, 64, 64, 64, 8, 64, 64, 64, 64, 784]))
    assert f"Network of {sizes} units" in html(page)
    weights = anatomy(checkpoint("parts-8d-depth4").model, torch.zeros(1, 1, 28, 28)).encoder_weights
    assert f"{weights:,} weights" in html(page)
    scores = lesson.results().models["parts-8d-depth4"]
    assert f"<b>{scores.train.squared:.4f}</b>" in html(page) and f"{scores.held_out.squared:.4f}" in text(page)
    assert "trained on 60,000 training images" in text(page) and "10,000 held-out images" in text(page)


def test_the_bars_are_the_measured_errors() -> None:
    page = opened("parts", change="Width", to="256", latent="2")
    left, right = (json.loads(chart.proto.spec) for chart in page.get("plotly_chart"))
    models = [lesson.results().models[f"parts-2d{end}"] for end in ("-width16", "", "-width256")]
    assert left["data"][0]["y"] == pytest.approx([each.train.squared for each in models])
    assert left["data"][1]["y"] == pytest.approx([each.held_out.squared for each in models])
    assert left["data"][1]["marker"]["opacity"] == [0.45, 0.45, 1]
    assert right["data"][0]["x"] == ["2", "8", "32"] and right["data"][0]["marker"]["opacity"] == [1, 0.45, 0.45]


def test_two_losses_stand_under_one_measure_each() -> None:
    page = opened("parts", change="Loss", to="cross-entropy", latent="8")
    left, right = (json.loads(chart.proto.spec) for chart in page.get("plotly_chart"))
    assert left["layout"]["yaxis"]["title"]["text"] == "squared error per pixel"
    assert right["layout"]["yaxis"]["title"]["text"] == "grey BCE, nats per image"
    models = [lesson.results().models[name] for name in ("parts-8d", "parts-8d-bce")]
    assert right["data"][1]["y"] == pytest.approx([each.held_out.cross for each in models])
    assert right["layout"]["shapes"][0]["y0"] == pytest.approx(lesson.results().least_cross)
    assert "trained with: cross-entropy" in html(page)
    assert "trained with: cross-entropy" not in html(opened("parts", change="Loss"))


def test_the_words_say_what_the_numbers_say() -> None:
    by_heart = lesson.results().models["parts-32d-images100"].held_out
    assert f"**{by_heart.sharpness:.0%}** as strong as the originals'" in text(opened("parts", change="Data", to="100"))
    assert "mean picture would do nearly as well" in text(opened("parts", change="Data", to="100"))
    assert "mean picture would do better" in text(opened("parts", change="Data", to="100", latent="8"))
    page = opened("parts")
    assert "It rebuilds new images as well as those" in text(page), "0.0214 against 0.0216"
    assert "red: too light, blue: too dark" in html(page)


def test_a_training_image_goes_in_when_it_is_asked_for() -> None:
    page = opened("parts", change="Data", to="100")
    before = html(page)
    page = page.button_group(key="split").set_value("training").run()
    assert not page.exception and html(page) != before
    picture = lesson.known_images()[:1]
    own = lesson.squared_error(picture, lesson.inside("parts-32d-images100", picture).rebuilt)
    assert f"<b>{own:.4f}</b>" in html(page)
    page = next(button for button in page.button if button.label == "Next").click().run()
    assert page.query_params["set"] in ("1", ["1"]) and f"<b>{own:.4f}</b>" not in html(page)


@pytest.mark.parametrize(
    ("key", "value"),
    [("change", "Size"), ("to", "100"), ("latent", "3"), ("split", "x"), ("set", "99"), ("data", "x"), ("to", "nan")],
)
def test_a_link_that_asks_for_nonsense_gets_a_sentence(key: str, value: str) -> None:
    page = opened("parts", **{key: value})
    assert not page.exception and not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_what_was_not_trained_is_not_replaced_in_silence() -> None:
    page = opened("parts", change="Activation", latent="2")
    assert not page.exception
    assert any("Latent size = '2'; there are: 32" in warning.value for warning in page.warning)


@pytest.mark.parametrize("content", ["{}", "[]", "no json", '{"models": {}}', '{"models": {"parts-2d": 1}}'])
def test_damaged_results_are_named(content: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "parts.json"
    path.write_text(content)
    monkeypatch.setattr(lesson, "RESULTS", path)
    lesson.results.clear()  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=r"parts\.json.*benchmarks\.parts"):
        lesson.results()
    lesson.results.clear()  # type: ignore[attr-defined]


def test_a_square_for_every_number() -> None:
    assert [block(units) for units in (1, 2, 7, 8, 32, 64, 256)] == [
        (1, 1), (1, 2), (1, 7), (2, 4), (4, 8), (8, 8), (16, 16),
    ]  # fmt: skip
    drawn = network(
        Network(
            np.zeros((28, 28)), [np.ones(16)], np.array([0.5, -2.0]), [-np.ones(16)], np.ones((28, 28)), (10, 2000),
            1.0, "held-out image", [("this picture", "1.0000")], [Sums("all", 0.5, 1.0)],
        )
    )  # fmt: skip
    assert "Network of 784, 16, 2, 16, 784 units" in drawn and "2,000 weights" in drawn
    assert "(0.5, &minus;2.0)" in drawn and "width:50.0%" in drawn
    assert "bottom:50%;height:25.0%" in drawn and "top:50%;height:50.0%" in drawn, "cut at the reach"


def test_where_a_picture_is_wrong() -> None:
    picture = np.array([[[0.0, 1.0, 0.3]]])
    red, blue, right = difference(picture, np.array([[[1.0, 0.0, 0.3]]]))[0].transpose(1, 2, 0)[0].tolist()
    assert right == [255, 255, 255]
    assert red[0] > red[2] and blue[2] > blue[0]


def test_the_bars_name_what_they_show() -> None:
    figure = error_bars(["a", "b"], [0.1, 0.2], [0.3, 0.4], 1, x="what", y="error", limit=0.5, limit_name="at most")
    assert [bar.name for bar in figure.data] == ["training images", "held-out images"]
    assert list(figure.data[1].y) == [0.3, 0.4] and list(figure.data[0].marker.opacity) == [0.45, 1]
    assert figure.layout.yaxis.range[1] > 0.5 and figure.layout.shapes[0].name == "at most"


NEIGHBOURS: Any = (("button", "Next"), ("radio", "Width"))


def at_rest(page: Any, drawing: Any) -> Any:
    """Where it stands once it has stood there for half a second: while an answer arrives it is away for a moment."""
    seen: list[Any] = []
    for _ in range(100):
        seen.append(drawing.bounding_box())
        if len(seen) > 5 and seen[-1] is not None and seen[-5:] == [seen[-1]] * 5:
            break
        page.wait_for_timeout(100)
    return seen[-1]


@pytest.mark.browser
def test_in_a_browser_one_control_changes_the_network(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{app}/parts")
    drawing = page.get_by_role("img", name=re.compile("Network of"))
    expect(drawing).to_have_attribute("aria-label", "Network of 784, 64, 64, 32, 64, 64, 784 units", timeout=60_000)
    box = at_rest(page, drawing)
    assert box and box["y"] + box["height"] < 800, "on the screen together with its controls"
    page.get_by_role("radio", name="256").click()
    expect(drawing).to_have_attribute("aria-label", "Network of 784, 256, 256, 32, 256, 256, 784 units")
    page.get_by_role("radio", name="Data").click()
    page.get_by_role("radio", name="100", exact=True).click()
    expect(page.get_by_text("It knows its images by heart")).to_be_visible()
    assert "change=" in page.url and "to=100" in page.url
    for change, label in ((name, each.label) for name, each in CHANGES.items()):
        page.get_by_role("radio", name=change).click()
        expect(page.get_by_text(label, exact=True).first).to_be_visible()
        assert at_rest(page, drawing) == box, f"{change}: nothing moves"
    next_one, width = (page.get_by_role(role, name=name).bounding_box() for role, name in NEIGHBOURS)
    assert next_one and width and abs(next_one["y"] - width["y"]) < 1 and abs(next_one["height"] - width["height"]) < 1
    page.close()
