"""The page on collapse, holes and missing modes: what it shows is what was measured and drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, expect

from tests.lessons import opened, rows, text
from ui import cache
from ui.figures.collapse import by_class, excess_map
from ui.lessons import collapse as lesson
from vae_core.errors import InvalidInput

PLAIN = list(lesson.PLANES.values())


def moved(name: str) -> list[float]:
    """How much each latent, the one with the largest KL first, changes the picture: L2 from end to end."""
    ends = [strip.pictures.float().div(255).split(28, dim=2) for strip in lesson.strips(name)]
    return [float((pictures[-1] - pictures[0]).norm()) for pictures in ends]


def test_a_sleeping_latent_moves_nothing_and_free_bits_wake_it() -> None:
    asleep, awake = (lesson.strips(lesson.deep_name(way)) for way in ("warm-up", "free-bits"))
    assert [each.awake for each in asleep] == [True] + 9 * [False] and all(each.awake for each in awake)
    still = moved(lesson.deep_name("warm-up"))
    assert still[0] > 5 and max(still[1:]) < 0.5
    assert min(moved(lesson.deep_name("free-bits"))) > 1
    told = [each.kl for each in awake]
    assert told == sorted(told, reverse=True) and min(told) > 0.9


def test_dice_are_the_same_for_all_codes_and_another_throw_is_another() -> None:
    for way in lesson.WAYS.values():
        pictures = lesson.drawn(lesson.before_name(way), 0, 0, 2)
        assert pictures.shape == (2, 10, 1, 28, 28) and set(pictures.unique().tolist()) <= {0.0, 1.0}
        assert not torch.equal(pictures[0], pictures[1])
    labels = cache.held_out(lesson.DATA).labels
    assert labels[lesson.specimens(3)].tolist() == list(range(10))


def test_the_strong_decoder_sleeps_and_its_loss_is_the_better_for_it() -> None:
    """What the page says of its models."""
    told = {way: cache.checkpoint(lesson.before_name(way)).metrics for way in lesson.WAYS.values()}
    assert told["whole"]["kl"] < 2.5 < 9 < told["free-bits"]["kl"]
    assert told["whole"]["elbo"] > told["free-bits"]["elbo"]
    deep = {way: cache.checkpoint(lesson.deep_name(way)).metrics for way in lesson.WAYS.values()}
    assert deep["free-bits"]["elbo"] > deep["whole"]["elbo"] + 10
    kept = {name: lesson.results()["models"][name]["kept_class"] for name in map(lesson.before_name, told)}
    assert max(kept.values()) < 0.35, "mostly the dice's"


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("kind", lesson.PRIORS.values())
def test_a_map_is_two_densities(name: str, kind: str) -> None:
    """Both integrate to one on the square, but for what lies outside of it."""
    ground = lesson.plane(name, kind)
    aggregate = lesson.stored(name, "aggregate").float()
    side = len(ground.excess)
    area = ((ground.high[0] - ground.low[0]) / side) ** 2
    assert float(aggregate.exp().sum() * area) == pytest.approx(1, abs=0.03)
    both = aggregate.view(side, side).flip(0).exp() * ground.excess.nan_to_num(0.0).exp()
    assert 0.8 < float(both[ground.excess.isfinite()].sum() * area) < 1.03
    spread = ground.excess[ground.excess.isfinite()]
    assert spread.min() < 0 < spread.max()


@pytest.mark.parametrize("name", PLAIN)
def test_a_fitted_prior_lies_nearer_to_the_codes(name: str) -> None:
    cloud = cache.encoded(name)
    assert cloud.std is not None
    codes = cloud.codes + cloud.std * torch.randn(cloud.codes.shape, generator=torch.Generator().manual_seed(5))
    normal = lesson.prior(name, "normal").log_density(codes).mean()
    for kind in ("gaussian", "mixture", "flow"):
        gain = (lesson.prior(name, kind).log_density(codes).mean() - normal).item()
        assert gain == pytest.approx(lesson.measured(name, kind)["gain"], abs=0.03) and gain >= -0.01
    gains = [lesson.measured(name, kind)["gain"] for kind in ("gaussian", "mixture", "flow")]
    assert max(gains[1:]) > gains[0]


def test_what_was_measured_can_be_drawn_again() -> None:
    """Draws for the screen from every prior have about the clearness that was measured."""
    for name in (*lesson.offered(lesson.PLANES).values(), *lesson.offered(lesson.DEEP).values()):
        for kind in lesson.PRIORS.values():
            made = lesson.draws(name, kind, 100, 0)
            assert made.pictures.shape[0] == 100 and made.codes.isfinite().all()
            share = lesson.unclear(name, kind, 100, 0) / 100
            assert share == pytest.approx(lesson.measured(name, kind)["unclear"], abs=0.17)


def test_the_least_covered_images_are_held_out_ones_that_no_sample_is() -> None:
    for name, kind in lesson.samplers().values():
        images, twins, numbers = lesson.missed(name, kind)
        assert images.shape == twins.shape == (12, 1, 28, 28) and len(numbers.unique()) == 12
        assert (images - twins).abs().flatten(1).sum(1).min() > 10
    shares = lesson.results()["classes"]
    labels = cache.held_out(lesson.DATA).labels
    assert shares == pytest.approx((labels.bincount() / len(labels)).tolist(), abs=1e-4)


def test_the_page_tells_what_was_measured() -> None:
    page = opened("collapse", beta="beta 1", prior="mixture", samples="2 latents, beta 8")
    assert not page.exception and not page.warning and not page.error
    said, drawn = text(page), rows(page)
    assert "VAE, beta 1, 2 latents, trained on MNIST" in said and "10,000 held-out images" in said
    assert f'data-head="FID">{lesson.measured("mnist-2d-vae-beta1", "mixture")["frechet"]:.0f}<' in drawn
    assert f'data-head="covered">{lesson.measured("mnist-2d-vae-beta8", "normal")["coverage"]:.0%}<' in drawn
    assert 'class="small-table wide"' not in drawn, "every table fits on a phone"
    assert f"more than {lesson.AWAKE:g} nats" in said


@pytest.mark.parametrize(
    "link",
    [{"trained": "<script>"}, {"images": "-1"}, {"dice": "1e9"}, {"beta": "beta 3"}, {"prior": "nan"}, {"seed": "x"},
     {"deep": "../.."}, {"samples": "all"}],
)  # fmt: skip
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("collapse", **link)
    assert not page.exception
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_damaged_results_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "collapse.json"
    for content in ("", "{", json.dumps({"models": {"mnist-2d-vae-beta1": {"normal": {"classes": []}}}})):
        path.write_text(content)
        monkeypatch.setattr(lesson, "RESULTS", path)
        lesson.results.clear()
        with pytest.raises(InvalidInput, match=r"collapse\.json.*benchmarks\.collapse"):
            lesson.results()
    monkeypatch.undo()
    lesson.results.clear()
    monkeypatch.setattr(lesson, "FITS", tmp_path / "none.safetensors")
    lesson.tensors.clear()
    with pytest.raises(InvalidInput, match=r"none\.safetensors cannot be used"):
        lesson.tensors()
    monkeypatch.undo()
    lesson.tensors.clear()


def test_figures_show_what_they_are_given() -> None:
    excess = torch.tensor([[0.0, 9.0], [-9.0, torch.nan]]).numpy()
    figure = excess_map(excess, (-2.0, -2.0), (2.0, 2.0), torch.zeros(1, 2).numpy(), 6.0)
    assert figure.data[0].z[0].tolist() == [0.0, 6.0] and list(figure.data[0].x) == [-1.0, 1.0]
    shares = [0.5, 0.5]
    figure = by_class(["a", "b"], [0.9, 0.1], shares, [1.0, 0.0], 0.97)
    assert [list(each.y) for each in figure.data] == [[90, 10], [100, 0], [50, 50]]


@pytest.mark.browser
def test_the_main_path_in_a_browser(app: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{app}/collapse?beta=beta+0.1")
    expect(page.get_by_text("Orange: the prior N(0, I) promises")).to_be_visible(timeout=90_000)
    page.get_by_role("radio", name="mixture", exact=True).click()
    expect(page.get_by_text("Orange: the mixture promises")).to_be_visible()
    page.wait_for_url(re.compile("prior=mixture"))
    page.close()
