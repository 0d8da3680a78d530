"""The conditional VAE: what the class does in it, its scores, and the page on it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, expect
from torch import Tensor

from tests.conftest import blob_source, blobs
from tests.lessons import opened, rows
from ui import cache
from ui.lessons import conditional as lesson
from vae_core.errors import InvalidInput
from vae_core.latent.browser import read_header
from vae_core.metrics import METRICS, Trial
from vae_core.models import ConditionalVAE
from vae_core.training import TrainSettings, train

IMAGE = (1, 12, 12)
NAME = "mnist-2d-cvae"


def small(**settings: Any) -> ConditionalVAE:
    config = {"image": IMAGE, "latent": 2, "classes": 3, "hidden": (32,), **settings}
    return ConditionalVAE(ConditionalVAE.Config(**config))


def test_the_class_reaches_encoder_and_decoder() -> None:
    model = small()
    x = torch.rand(4, *IMAGE)
    known = torch.zeros(4, dtype=torch.uint8)
    assert not torch.equal(model.encode_as(x, known).mean, model.encode_as(x, known + 1).mean)
    z = torch.zeros(4, 2)
    assert not torch.equal(model.decode_as(z, known), model.decode_as(z, known + 1))
    assert model.with_class(z, known + 2).tolist() == [[0, 0, 0, 0, 1]] * 4


def test_trained_it_draws_the_class_that_it_is_asked_for_whatever_the_code() -> None:
    """The class says which band is bright; so the code has nothing to do with it."""
    torch.manual_seed(0)
    model = small()
    for _ in train(model, blob_source(96, IMAGE), TrainSettings(epochs=150, batch=32, lr=1e-2), torch.device("cpu")):
        pass
    model.eval()
    z = torch.randn(50, 2)
    for label in range(3):
        bands = model.decode_as(z, torch.full((50,), label)).detach().mean((1, 3)).view(50, 3, 4).mean(2)
        assert (bands.argmax(1) == label).all()


class Judge(torch.nn.Module):
    """Takes the brightest band for the class."""

    def forward(self, x: Tensor) -> Tensor:
        return 100 * x.mean((1, 3)).view(len(x), 3, -1).mean(2)


def test_scores_are_those_of_a_model_whose_answer_is_known() -> None:
    """Weights of zero: q is the prior, so KL is 0, and every pixel costs log 2; and all classes look alike."""
    model = small().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    found = METRICS["conditional"].compute(Trial(model, blob_source(30, IMAGE), Judge().eval()))
    assert found.kl == 0 and found.recon == pytest.approx(144 * torch.tensor(2.0).log().item(), rel=1e-5)
    assert found.elbo == -found.recon
    assert found.obeyed == pytest.approx(1 / 3), "it draws one thing, whatever it is asked for"


def test_the_bound_is_that_of_the_loss() -> None:
    model = small().eval()
    x, labels = blobs(30, IMAGE)
    found = METRICS["conditional"].compute(Trial(model, blob_source(30, IMAGE)))
    terms = [model.loss(x.float() / 255, labels) for _ in range(200)]
    assert found.kl == pytest.approx(terms[0].kl.item(), rel=1e-5)
    assert found.recon == pytest.approx(torch.stack([each.recon for each in terms]).mean().item(), rel=0.01)
    assert found.obeyed is None, "there is no judge"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("image", (2, 8, 8)), ("latent", 0), ("classes", 1), ("hidden", ()), ("activation", "exec"), ("beta", -1.0)],
)
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        ConditionalVAE.Config(**{setting: value})  # type: ignore[arg-type]


# The page.


def test_the_browser_gets_a_decoder_of_code_and_class() -> None:
    header = read_header(lesson.pack(NAME))
    assert header["latent"] == 2 + 10


@pytest.mark.parametrize("name", [name for name, _ in lesson.OFFERED.values()])
def test_knowing_the_class_is_worth_something(name: str) -> None:
    found = cache.checkpoint(name).metrics
    assert found["obeyed"] > (0.7 if name.startswith("fashion") else 0.95)  # clothes are harder
    other = next(beside for own, beside in lesson.OFFERED.values() if own == name)
    if other:
        assert found["elbo"] > cache.checkpoint(other).metrics["elbo"]


def taken_over(picture: Tensor, label: int) -> Tensor:
    return lesson.as_classes(NAME, lesson.style_of(NAME, picture, label)[None])[0, label]


def test_a_style_taken_over_gives_the_picture_back_in_its_own_class() -> None:
    source = cache.held_out("mnist")
    index = torch.arange(50)
    x, labels = source.images(index), source.labels[index]
    own = torch.stack([taken_over(x[i : i + 1], int(labels[i])) for i in range(50)])
    blank = x.mean(0, keepdim=True).expand_as(x)
    assert (own - x).square().mean() < 0.6 * (blank - x).square().mean()


def test_a_model_with_idle_latents_shows_others_and_says_so() -> None:
    page = opened("conditional", data="MNIST 8-D")
    kl = cache.checkpoint("mnist-8d-cvae").metrics["kl_per_latent"]
    shown = [int(box.value) - 1 for box in page.selectbox if box.label in ("Across: latent", "Up: latent")]
    assert len(shown) == 2 and min(kl[latent] for latent in shown) == sorted(kl)[-2]
    idle = [latent + 1 for latent, nats in enumerate(kl) if nats < lesson.IDLE]
    assert idle and any(f"nats each: {', '.join(map(str, idle))}." in caption.value for caption in page.caption)
    assert lesson.unused(NAME) == ""


@pytest.mark.parametrize("title", lesson.OFFERED)
def test_every_model_can_be_chosen(title: str) -> None:
    page = opened("conditional", data=title)
    assert "right class" in rows(page) and "None" not in rows(page), "what was not measured is a dash"
    assert not page.exception and not page.warning and not page.error
    captions = " ".join(caption.value for caption in page.caption)
    assert title.split()[0] in captions and "2,000 of 10,000 held-out images" in captions


@pytest.mark.parametrize("link", [{"at": "nan,0"}, {"at": "9,9"}, {"image": "10000"}, {"as": "eleven"}, {"class": "x"}])
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("conditional", **link)
    assert not page.exception
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_a_wrong_class_can_be_told() -> None:
    page = opened("conditional", **{"image": "0", "as": "3"})
    assert any("told that it sees 3" in caption.value for caption in page.caption)


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Move over the plane: every class is decoded from that code as PyTorch would, and the place is in the link."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/conditional")
    seven = page.get_by_test_id("class-7")
    expect(seven).to_have_attribute("data-z", re.compile("[0-9]"), timeout=90_000)
    plane = page.get_by_test_id("style-plane")
    box = plane.bounding_box()
    assert box is not None
    plane.click(position={"x": 0.7 * box["width"], "y": 0.3 * box["height"]})
    page.wait_for_url(re.compile("at="))
    code = page.evaluate("(node) => JSON.parse(node.dataset.z)", seven.element_handle())
    assert code[0] > 0.5 and code[1] > 0.5 and code[2:] == [0] * 7 + [1, 0, 0]
    drawn = page.evaluate(
        "(node) => [...node.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)",
        seven.element_handle(),
    )
    with torch.inference_mode():
        expected = lesson.model(NAME).decode_as(torch.tensor([code[:2]]), torch.tensor([7])).flatten() * 255
    assert (torch.tensor(drawn) - expected).abs().max() <= 1.0
    page.mouse.move(5, 5)  # a mouse over the plane would move the code again
    page.reload()
    expect(seven).to_have_attribute("data-z", re.compile("[0-9]"), timeout=90_000)
    again = page.evaluate("(node) => JSON.parse(node.dataset.z)", seven.element_handle())
    assert again == code, "the link keeps exactly what was reported"
