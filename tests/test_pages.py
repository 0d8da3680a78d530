"""Every page, run as the app runs it but without a browser; and links that ask for nonsense."""

from __future__ import annotations

import re

import pytest
import torch
from streamlit.testing.v1 import AppTest

from ui.cache import share_the_cores
from ui.cards import model_cards
from vae_core.folders import PROJECT

NAMED = re.findall(r'st\.Page\("pages/(\w+)\.py"', (PROJECT / "app.py").read_text("utf-8"))
LESSONS = [name for name in NAMED if name != "home"]
# Lessons on data of one's choice; runs bring theirs along, and some lessons stand on one dataset.
SETTLED = (
    "runs", "parts", "compression", "denoising", "super_resolution", "signals", "reparameterisation", "inference",
    "colourisation", "latent_variables", "discrete", "names", "vq_vae", "vq_vae2", "voice", "loss",
    "disentanglement", "beyond_gaussian", "collapse", "limits",
)  # fmt: skip
ON_DATA = [name for name in LESSONS if name not in SETTLED]
NONSENSE = ("nan", "1e9", "../../etc/passwd", "beta 3", "<script>")


def opened(name: str, **link: str) -> AppTest:
    page = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)
    if name != "home":
        page.switch_page(f"pages/{name}.py")
    for key, value in link.items():
        page.query_params[key] = value
    return page.run()


def test_every_page_is_named_in_the_router() -> None:
    files = {path.stem for path in (PROJECT / "pages").glob("*.py")}
    assert set(NAMED) == files
    assert len(NAMED) == len(files)


def test_home_leads_to_every_page_in_the_order_of_the_menu() -> None:
    page = opened("home")
    linked = [link.proto.page for link in page.get("page_link")]
    assert sorted(linked) == sorted(LESSONS) and linked == LESSONS


@pytest.mark.parametrize("name", NAMED)
def test_page_runs_and_complains_of_nothing(name: str) -> None:
    page = opened(name)
    assert not page.exception
    assert not page.error
    assert not page.warning
    assert len(page.title) == 1


@pytest.mark.parametrize("name", LESSONS)
def test_lesson_asks_a_question_and_ends_with_the_answer_the_code_and_the_lecture(name: str) -> None:
    page = opened(name)
    assert page.title[0].value.endswith("?")
    labels = [expander.label for expander in page.expander]
    assert labels[-3:] == ["What you have seen", "Show the code", "In the lecture"]
    assert page.expander[-2].code  # real functions
    captions = " ".join(caption.value for caption in page.caption)
    assert "trained on" in captions
    assert "held-out" in captions or "none of them from an image" in captions


@pytest.mark.parametrize("name", ON_DATA)
@pytest.mark.parametrize("value", NONSENSE)
def test_a_link_that_asks_for_nonsense_gets_a_sentence(name: str, value: str) -> None:
    page = opened(name, data=value)
    assert not page.exception
    assert any("The link asks for" in warning.value and value[:60] in warning.value for warning in page.warning)
    assert page.title  # and the page is there all the same


@pytest.mark.parametrize("value", NONSENSE)
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("latent_map", "model"), ("latent_map", "beside"), ("latent_map", "at"), ("latent_map", "pin"),
        ("latent_map", "axes"), ("latent_map", "show"), ("latent_map", "own"), ("sampling_grid", "codes"),
        ("sampling_grid", "n"), ("sampling_grid", "spacing"), ("sampling_grid", "range"), ("interpolation", "walk"),
        ("interpolation", "path"), ("interpolation", "a"), ("interpolation", "b"), ("interpolation", "t"),
        ("traversals", "model"), ("traversals", "z"), ("continuity_completeness", "model"),
        ("continuity_completeness", "seed"), ("continuity_completeness", "guess"),
        ("continuity_completeness", "answer"),
    ],
)  # fmt: skip
def test_any_control_may_be_asked_for_nonsense(name: str, key: str, value: str) -> None:
    page = opened(name, **{key: value})
    assert not page.exception
    assert not page.error
    assert any("The link asks for" in warning.value for warning in page.warning)


@pytest.mark.parametrize("name", [name for name in ON_DATA if name != "reduction"])
def test_a_link_reproduces_the_choice_of_data(name: str) -> None:
    # A model has latents, data have none.
    data = "Fashion-MNIST" if name in ("train", "anomaly", "results") else "Fashion 2-D"
    page = opened(name, data=data)
    assert not page.exception
    assert not page.warning
    assert any("Fashion-MNIST" in caption.value for caption in page.caption)


def test_a_point_that_is_none_is_refused_on_the_map() -> None:
    page = opened("latent_map", at="nan,1")
    assert not page.exception
    assert any("2 numbers from" in warning.value for warning in page.warning)
    page = opened("latent_map", pin="10000")
    assert any("0 to 9999" in warning.value for warning in page.warning)


def test_what_the_lesson_on_continuity_says_of_beta_was_measured() -> None:
    def score(name: str) -> tuple[float, float]:
        found = model_cards()[name].metrics
        return found["continuity"]["unevenness"]["mean"], found["completeness"]["coverage"]["mean"]

    for data in ("mnist", "fashion"):
        (jumps, covers), little, much = (score(f"{data}-2d-{name}") for name in ("ae", "vae-beta0.1", "vae-beta8"))
        assert little[0] < 0.75 * jumps and little[1] == pytest.approx(covers, abs=0.01), "0.1: more even, no wider"
        assert much[1] < covers - 0.05, "8: fewer images covered"
    (jumps, covers), (steps, vae_covers) = score("mnist-10d-ae"), score("mnist-10d-vae-beta1")
    assert jumps <= steps and covers < vae_covers - 0.1, "ten latents: even, too, but it covers less"


@pytest.mark.parametrize(("cores", "given", "taken"), [(1, "", 1), (2, "", 1), (6, "", 3), (6, "1", 1)])
def test_a_page_leaves_half_of_the_cores_to_others(
    cores: int, given: str, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.cache.usable_cores", lambda: cores)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    share_the_cores.clear()
    share_the_cores()
    assert torch.get_num_threads() == taken
    share_the_cores.clear()
