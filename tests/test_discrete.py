"""The discrete VAE: its softening, its bound, the gradients of a problem that is known, and the page on it."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, expect

from tests.conftest import blob_source, blobs
from tests.lessons import opened, rows, text
from ui import cache
from ui import code_board as board
from ui.lessons import discrete as lesson
from vae_core.errors import InvalidInput
from vae_core.exact.letters import RELAXED, SCORE, STRAIGHT, estimated, loss_of, true_gradient
from vae_core.latent.browser import read_header
from vae_core.losses import kl_to_uniform
from vae_core.metrics import METRICS, Trial
from vae_core.models import DiscreteVAE
from vae_core.models.discrete import gumbel, gumbel_softmax

IMAGE = (1, 12, 12)
NAME = "mnist-discrete"


def small(**settings: Any) -> DiscreteVAE:
    config = {"image": IMAGE, "latents": 4, "categories": 3, "hidden": (32,), **settings}
    return DiscreteVAE(DiscreteVAE.Config(**config))


def uniform(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_the_largest_of_logits_and_gumbel_noise_is_a_draw_from_their_softmax() -> None:
    logits = torch.tensor([1.0, 0.0, -1.0])
    letters = (logits + gumbel(uniform(100_000, 3))).argmax(-1)
    shares = torch.bincount(letters, minlength=3) / 100_000
    torch.testing.assert_close(shares, logits.softmax(0), rtol=0, atol=0.005)
    assert gumbel(torch.zeros(2)).isfinite().all() and gumbel(torch.ones(2)).isfinite().all()


def test_temperature_goes_from_a_letter_to_a_bit_of_each() -> None:
    logits, noise = torch.tensor([1.0, 0.0, -1.0]), gumbel(uniform(50, 3))
    cold, warm = (gumbel_softmax(logits, noise, temperature) for temperature in (0.01, 1000.0))
    assert (cold.amax(-1) > 0.99).float().mean() > 0.95
    torch.testing.assert_close(warm, torch.full_like(warm, 1 / 3), rtol=0, atol=0.01)
    assert torch.equal(cold.argmax(-1), warm.argmax(-1)), "the winner is the same at every temperature"
    torch.testing.assert_close(warm.sum(-1), torch.ones(50))


def test_straight_through_is_a_letter_with_the_soft_ones_slope() -> None:
    logits = torch.tensor([1.0, 0.0, -1.0], requires_grad=True)
    noise, weights = gumbel(uniform(1, 3)), torch.tensor([1.0, 5.0, -2.0])
    hard, soft = (gumbel_softmax(logits, noise, 0.7, through) for through in (True, False))
    assert sorted(hard[0].tolist()) == pytest.approx([0, 0, 1])
    slopes = [torch.autograd.grad((each * weights).sum(), logits)[0] for each in (hard, soft)]
    torch.testing.assert_close(*slopes)


def test_kl_to_uniform_is_that_of_torch() -> None:
    logits = torch.randn(20, 5)
    flat = torch.distributions.Categorical(logits=torch.zeros(20, 5))
    expected = torch.distributions.kl_divergence(torch.distributions.Categorical(logits=logits), flat)
    torch.testing.assert_close(kl_to_uniform(logits), expected)
    assert kl_to_uniform(torch.zeros(3)).item() == pytest.approx(0, abs=1e-6)
    assert kl_to_uniform(torch.tensor([100.0, 0.0, 0.0])).item() == pytest.approx(math.log(3), rel=1e-5)


def test_letters_are_true_ones_when_it_is_not_trained() -> None:
    model = small()
    logits = model.letter_logits(torch.rand(5, *IMAGE))
    assert logits.shape == (5, 4, 3)
    true, relaxed = (model.drawn(logits, uniform(5, 4, 3), relaxed=each) for each in (False, True))
    assert ((true == 0) | (true == 1)).all() and (true.sum(-1) == 1).all()
    assert ((relaxed > 0) & (relaxed < 1)).all()
    words = true.argmax(-1)
    assert torch.equal(model.decode_words(words), model.decode_letters(true))


def test_scores_of_a_model_that_knows_nothing() -> None:
    """Weights of zero: letters are uniform, so KL is 0, all are in use, and every pixel costs log 2 either way."""
    model = small().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    found = METRICS["discrete"].compute(Trial(model, blob_source(30, IMAGE)))
    assert found.kl == pytest.approx(0, abs=1e-6) and found.used == pytest.approx(3)
    assert found.recon == pytest.approx(144 * math.log(2), rel=1e-5) == found.relaxed_recon
    assert found.elbo == pytest.approx(-found.recon)


def test_the_bound_is_that_of_the_loss() -> None:
    model = small().eval()
    x, _ = blobs(30, IMAGE)
    found = METRICS["discrete"].compute(Trial(model, blob_source(30, IMAGE)))
    terms = [model.loss(x.float() / 255) for _ in range(100)]
    assert found.kl == pytest.approx(terms[0].kl.item(), rel=1e-4)
    assert found.recon == pytest.approx(torch.stack([each.recon for each in terms]).mean().item(), rel=0.01)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("image", (2, 8, 8)), ("latents", 0), ("categories", 1), ("hidden", ()), ("temperature", 0.0), ("beta", -1.0)],
)
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        DiscreteVAE.Config(**{setting: value})  # type: ignore[arg-type]


# The small problem.


def test_the_true_gradient_is_that_of_finite_differences() -> None:
    logits, costs = lesson.LOGITS.double(), lesson.COSTS.double()

    def expected(at: torch.Tensor) -> float:
        return float((at.softmax(0) * loss_of(torch.eye(3, dtype=torch.float64), costs)).sum())

    steps = 1e-6 * torch.eye(3, dtype=torch.float64)
    slopes = [(expected(logits + step) - expected(logits - step)) / 2e-6 for step in steps]
    assert true_gradient(logits, costs).tolist() == pytest.approx(slopes, rel=1e-5)


def test_the_score_function_is_right_on_average_and_the_soft_letter_only_when_cold() -> None:
    draws = uniform(200_000, 3)
    truth = true_gradient(lesson.LOGITS, lesson.COSTS)

    def estimate(kind: str, temperature: float) -> Any:
        return estimated(kind, lesson.LOGITS, lesson.COSTS, temperature, draws)

    score = estimate(SCORE, 1.0)
    error = (score.variance / 200_000) ** 0.5
    assert score.bias < 4 * error
    warm, cold = estimate(RELAXED, 2.0), estimate(RELAXED, 0.1)
    assert warm.bias > 0.5 * truth.norm() and cold.bias < 0.2 * truth.norm()
    assert warm.variance < cold.variance
    assert estimate(STRAIGHT, 1.0).bias > 4 * error
    with pytest.raises(InvalidInput, match="estimator"):
        estimate("magic", 1.0)


# The page.


def test_the_browser_gets_a_decoder_of_letters() -> None:
    config = lesson.model(NAME).config
    assert read_header(lesson.pack(NAME))["latent"] == config.latents * config.categories


def test_training_too_warm_costs_nats_that_the_training_does_not_see() -> None:
    gaps = {}
    for title, name in lesson.OFFERED.items():
        found = cache.checkpoint(name).metrics
        assert found["elbo"] == pytest.approx(-(found["recon"] + found["kl"]))
        assert 1 < found["used"] <= 8
        gaps[title] = found["recon"] - found["relaxed_recon"]
    assert gaps["temperature 2"] > 2 * gaps["temperature 0.5"] > 0
    assert gaps["straight-through"] == pytest.approx(0, abs=1e-3), "its decoder never saw a soft letter"


def test_the_temperature_leaves_the_winner() -> None:
    logits = torch.tensor([0.3, 0.1, 0.0, -1.0])
    cold, warm = lesson.soft_letters(logits, 0.1), lesson.soft_letters(logits, 5.0)
    assert cold.shape == (lesson.SHOWN, 4) and torch.equal(cold.argmax(-1), warm.argmax(-1))


@pytest.mark.parametrize("title", lesson.OFFERED)
def test_every_model_can_be_chosen(title: str) -> None:
    page = opened("discrete", model=title)
    assert f'class="strong"><th scope="row">{title}<' in rows(page)
    assert not page.exception and not page.warning and not page.error
    assert any(f"trained on MNIST ({title})" in caption.value for caption in page.caption)


@pytest.mark.parametrize(
    "link",
    [{"model": "x"}, {"image": "-1"}, {"temperature": "0"}, {"place": "99"}, {"seed": "x"}]
    + [{"word": word} for word in ("x", "1,2", ",".join(["0"] * 12), ",".join(["9"] * 12), ",".join(["1.5"] * 12))],
)
def test_a_link_that_asks_for_nonsense_gets_a_sentence(link: dict[str, str]) -> None:
    page = opened("discrete", **link)
    assert not page.exception
    assert any("The link asks for" in warning.value for warning in page.warning)


def test_the_word_in_the_link_belongs_to_its_image_and_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the board is told: letters of the link, or those of the encoder whose probabilities it shows."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(board, "code_board", lambda _, chances, __, **rest: told.append({"chances": chances, **rest}))

    def is_the_encoders() -> bool:
        return told[-1]["at"] == torch.tensor(told[-1]["chances"]).argmax(-1).tolist()

    word = [1, 8] * 6
    page = opened("discrete", word=",".join(map(str, word)), image="3")
    assert not page.exception and not page.warning
    assert told[-1]["at"] == [letter - 1 for letter in word] and not is_the_encoders()
    page.run()
    assert told[-1]["at"][0] == 0, "it stays"
    other = list(lesson.OFFERED)[1]
    page.segmented_control(key="model").set_value(other).run()
    assert is_the_encoders() and "word" not in page.query_params
    page.query_params["word"] = ",".join(map(str, word))
    page.run()
    assert not is_the_encoders()
    next(button for button in page.button if button.label == "Another image").click().run()
    assert is_the_encoders() and "word" not in page.query_params
    assert len({each["of"] for each in told}) == 3


@pytest.mark.browser
def test_main_path(browser: Browser, app: str) -> None:
    """Flip a letter: the browser decodes the new word as PyTorch would."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{app}/discrete")
    large = page.get_by_test_id("decoded-letters")
    expect(large).to_have_attribute("data-z", re.compile("[0-9]"), timeout=90_000)

    def word() -> list[int]:
        z = page.evaluate("(node) => JSON.parse(node.dataset.z)", large.element_handle())
        return torch.tensor(z).view(-1, 8).argmax(-1).tolist()

    before = word()
    other = (before[2] + 1) % 8
    page.get_by_test_id(f"letter-2-{other}").click()
    page.mouse.move(5, 5)
    expect(page.get_by_test_id(f"letter-2-{other}")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(200)
    assert word() == [*before[:2], other, *before[3:]]
    drawn = page.evaluate(
        "(node) => [...node.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)",
        large.element_handle(),
    )
    with torch.inference_mode():
        expected = lesson.model(NAME).decode_words(torch.tensor([word()])).flatten() * 255
    assert (torch.tensor(drawn) - expected).abs().max() <= 1.0
    page.wait_for_url(re.compile("word="))
    page.reload()
    expect(page.get_by_test_id(f"letter-2-{other}")).to_have_attribute("aria-pressed", "true")
    page.get_by_test_id(f"letter-2-{other}").focus()
    page.keyboard.press("ArrowDown")  # the keyboard tries a letter, and chooses it
    expect(page.get_by_text(f"trying letter {other + 1} in place 4")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id(f"letter-3-{other}")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="The encoder's letters").click()
    expect(page.get_by_test_id(f"letter-2-{before[2]}")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Random letters").click()
    page.get_by_role("radio", name="temperature 2").click()
    expect(page.get_by_text(re.compile(r"trained on MNIST \(temperature 2\)"))).to_be_visible()
    likeliest = lesson.logits_of(lesson.OFFERED["temperature 2"], cache.held_out("mnist").images(torch.tensor([0])))
    for place, letter in enumerate(likeliest.argmax(-1).tolist()):
        expect(page.get_by_test_id(f"letter-{place}-{letter}")).to_have_attribute("aria-pressed", "true")
    assert "word=" not in page.url


def test_another_image_begins_at_the_place_of_which_its_encoder_is_least_sure() -> None:
    page = opened("discrete")
    for _ in range(2):
        place = next(box for box in page.selectbox if box.label == "Place of the code").value
        assert f"the letter in place {place} of the image above" in text(page)
        number = int(page.query_params.get("image", "0"))
        logits = lesson.logits_of(
            next(iter(lesson.OFFERED.values())), cache.held_out("mnist").images(torch.tensor([number]))
        )
        entropy = torch.distributions.Categorical(logits=logits).entropy()
        assert int(place) - 1 == int(entropy.argmax())
        next(button for button in page.button if button.label == "Another image").click().run()
    kept = opened("discrete", image="1", place="2")
    assert next(box for box in kept.selectbox if box.label == "Place of the code").value == "2"
