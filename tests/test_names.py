"""Names: words as pictures, an exact likelihood over all of them, the search for the likeliest, and the scores."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from vae_core.data import LESSON_DATA, dataset, datasets
from vae_core.data.base import StoredImages
from vae_core.data.names import (
    HELD_OUT,
    LONGEST,
    NAMES,
    SHAPE,
    is_held_out,
    names_of,
    one_hot,
    pictures_of,
    read_list,
    read_word,
    spelled,
)
from vae_core.errors import InvalidInput
from vae_core.latent.spelling import beam, drawn, greedy
from vae_core.metrics import METRICS, Trial, evaluate_all
from vae_core.models import NameVAE
from vae_core.objective import Context
from vae_core.recipes import BANKS

TINY = (1, 4, 3)  # names of up to 3 letters from two


def small(image: tuple[int, int, int] = TINY, **settings: Any) -> NameVAE:
    config = {"image": image, "latent": 2, "embedding": 4, "reader": 6, "writer": 8, **settings}
    return NameVAE(NameVAE.Config(**config))


def words_of(image: tuple[int, int, int]) -> torch.Tensor:
    """Every name [N, 1, T, A] that there is."""
    _, places, letters = image
    every = [word for n in range(1, places) for word in itertools.product(range(1, letters), repeat=n)]
    x = torch.zeros(len(every), *image)
    for row, word in zip(x, every, strict=True):
        row[0, range(len(word) + 1), [*word, 0]] = 1
    return x


# The data.


def test_a_word_is_its_picture_and_back() -> None:
    words = ["emma", "a", "z" * LONGEST]
    pictures = one_hot(words)
    assert pictures.shape == (3, *SHAPE) and pictures.sum((1, 2, 3)).tolist() == [255 * 5, 255 * 2, 255 * 16]
    assert spelled(pictures_of(words)[:, 0].argmax(-1)) == words


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no name yet"), ("   ", "no name yet"), ("josé", "try 'jose'"), ("Zoë", "try 'zoe'"), ("r2d2", "'2'"),
     ("anna-maria", "try 'annamaria'"), ("anna maria", "a blank"), ("李", "a to z"), ("x" * 16, "has 16 letters"),
     ("x" * 500, "…"), ("<b>", "'<'"), ("ﬁ", "try 'fi'"), ("a\tb", "a tab"), ("ß", "a to z")],
)  # fmt: skip
def test_what_is_no_name_gets_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as error:
        read_word(text)
    assert len(str(error.value)) < 200


def test_what_is_a_name_is_read_in_small_letters() -> None:
    assert (read_word(" Emma "), read_word("OLIVER"), read_word("q")) == ("emma", "oliver", "q")


def test_a_list_tells_what_it_leaves_out() -> None:
    found = read_list("\ufeffAnna\n\nben\nanna\nr2d2\n  leo \r\n".encode())
    assert found.words == ["anna", "ben", "leo"] and found.repeated == 1
    assert len(found.refused) == 1 and found.refused[0].startswith("Line 5: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "no name that can be used"), (b"12\n", "Line 1"), (b"\xff\xfe\x00", "UTF-8"), (b"a\n" * 1_000_001, "MB")],
)
def test_a_list_of_no_use_gets_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_list(content)


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list of names on this machine."""
    words = ["".join(letters) for letters in itertools.product("abcdefgh", repeat=3)]
    (tmp_path / "names.txt").write_text("\n".join([*words, words[0]]), "utf-8")
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    return words


def test_the_splits_share_no_name_and_lose_none(listed: list[str]) -> None:
    train_names, test_names = names_of("train"), names_of("test")
    assert sorted(train_names + test_names) == sorted(listed), "each once, though one stands there twice"
    assert 0.5 < HELD_OUT * len(test_names) / len(listed) < 2 and all(map(is_held_out, test_names))
    assert [is_held_out(word) for word in ("emma", "luna", "charlotte")] == [False, True, True], "the same everywhere"
    source = NAMES.load("test")
    assert source.shape == SHAPE and len(source) == len(test_names) == len(source.labels)
    assert spelled(source.images(torch.tensor([1, 0]))[:, 0].argmax(-1)) == [test_names[1], test_names[0]]


def test_without_the_list_a_sentence_says_where_it_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENT_DATA", str(tmp_path))
    with pytest.raises(InvalidInput, match="licence is not stated") as error:
        NAMES.load("train")
    assert str(tmp_path / "names.txt") in str(error.value)
    (tmp_path / "names.txt").write_text("anna\nr2d2\n", "utf-8")
    with pytest.raises(InvalidInput, match="1 lines cannot be used"):
        NAMES.load("train")
    (tmp_path / "names.txt").write_text("anna\nben\n", "utf-8")
    with pytest.raises(InvalidInput, match="2 different names"):
        NAMES.load("train")


def test_no_page_offers_data_that_nobody_has() -> None:
    assert dataset("names") is NAMES and "names" not in datasets() and not set(LESSON_DATA) & set(datasets())
    assert NAMES.name == "names" and NAMES.origin and NAMES.licence


# The model.


@pytest.mark.parametrize("image", [TINY, (1, 5, 4), (1, 2, 3)])
def test_all_names_share_probability_one(image: tuple[int, int, int]) -> None:
    """By enumeration: every word up to the longest, for several codes."""
    model, every = small(image).eval(), words_of(image)
    with torch.no_grad():
        for z in 3 * torch.randn(4, 2):
            nats = model.recon_per_image(every, z.expand(len(every), -1))
            assert torch.exp(-nats.double()).sum().item() == pytest.approx(1, abs=1e-5)


def test_an_enormous_search_finds_the_likeliest_name_of_all() -> None:
    every = words_of(TINY)
    words = [row[0].argmax(-1).tolist() for row in every]
    worse = 0
    for seed in range(20):
        torch.manual_seed(seed)
        model = small().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(4)  # bolder, so that the likeliest letter is not always the way to the likeliest word
            z = torch.randn(1, 2)
            log_p = -model.recon_per_image(every, z.expand(len(every), -1))
        found = beam(model, z, width=len(every) + 1)
        assert found.numbers[0].tolist() == words[int(log_p.argmax())]
        assert found.log_prob.item() == pytest.approx(log_p.max().item(), abs=1e-4)
        first = greedy(model, z)
        assert first.log_prob.item() == pytest.approx(log_p[words.index(first.numbers[0].tolist())].item(), abs=1e-4)
        assert torch.equal(beam(model, z, width=1).numbers, first.numbers)
        worse += bool(first.log_prob < found.log_prob - 1e-4)
    assert worse, "the greedy word is not always the likeliest"


def test_draws_follow_the_likelihood() -> None:
    model, every = small().eval(), words_of(TINY)
    z = torch.randn(1, 2)
    with torch.no_grad():
        expected = torch.exp(-model.recon_per_image(every, z.expand(len(every), -1)))
    found = drawn(model, z.expand(2000, -1), 1.0, torch.Generator().manual_seed(0))
    words = [row[0].argmax(-1).tolist() for row in every]
    counts = torch.zeros(len(every))
    for row in found.numbers.tolist():
        counts[words.index(row)] += 1
    torch.testing.assert_close(counts / 2000, expected, rtol=0, atol=0.04)
    cold = drawn(model, z.expand(50, -1), 0.01, torch.Generator().manual_seed(0))
    assert torch.equal(cold.numbers, greedy(model, z).numbers.expand(50, -1))


def test_a_word_of_any_length_has_an_end() -> None:
    model, z = small((1, 6, 4)).eval(), 5 * torch.randn(200, 2)
    for found in (greedy(model, z), drawn(model, z, 2.0, torch.Generator().manual_seed(1)), beam(model, z, 3)):
        lengths = (found.numbers == 0).int().argmax(1)
        assert found.numbers.shape == (200, 6) and (lengths >= 1).all() and (lengths <= 5).all()


def test_letters_behind_the_end_and_neighbours_change_nothing() -> None:
    model = small().eval()
    x = words_of(TINY)[[0, 3, 9]]
    alone = torch.cat([model.encode(each[None]).mean for each in x])
    torch.testing.assert_close(model.encode(x).mean, alone)


def test_word_dropout_hides_letters_in_training_alone() -> None:
    model, x = small(word_dropout=1.0), words_of(TINY)
    z = torch.zeros(len(x), 2)
    hidden = torch.ones(len(x), 4, dtype=torch.bool)
    blind = model.letter_log_probs(x[:, 0].argmax(-1), z, hidden)
    torch.testing.assert_close(blind, blind[:1].expand_as(blind))  # no name shows in what the decoder was shown
    context = Context(generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        unseen = model.train().loss(x, context=context).recon
        seen = model.eval().loss(x, context=Context(generator=torch.Generator().manual_seed(0))).recon
    assert unseen != seen
    z = model.encode(x).sample(Context(generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(seen, model.recon_per_image(x, z).mean())


def test_free_bits_are_paid_whether_used_or_not() -> None:
    model, x = small(beta=2.0).eval(), words_of(TINY)
    terms = [model.loss(x, context=Context(free_bits=free, generator=torch.Generator().manual_seed(0)))
             for free in (0.0, 0.0, 5.0)]  # fmt: skip
    assert terms[0].total == terms[1].total, "the noise is the context's"
    assert terms[2].total.item() == pytest.approx(terms[2].recon.item() + 2 * 2 * 5, rel=1e-5)
    terms[2].total.backward()
    slopes = {key: parameter.grad for key, parameter in model.named_parameters()}
    assert all(slope is not None and slope.abs().sum() > 0 for slope in slopes.values()), "the code may still help"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("image", (3, 16, 27)), ("image", (1, 1, 27)), ("image", (1, 16, 10_000)), ("latent", 0), ("embedding", 0),
     ("reader", 10**6), ("writer", 0), ("word_dropout", 1.5), ("word_dropout", math.nan), ("beta", -1.0)],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        NameVAE.Config(**{setting: value})  # type: ignore[arg-type]


# The scores.


def test_scores_of_a_model_that_knows_nothing() -> None:
    """Weights of zero: of A letters each is as likely, the first is no end, and q is the prior."""
    model, x = small((1, 6, 4)).eval(), words_of((1, 6, 4))[:30]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    source = StoredImages((255 * x).byte().numpy(), torch.zeros(30).byte().numpy())
    found = evaluate_all(model, source)
    letters = x.sum((1, 2, 3))  # the end included
    nats = math.log(3) + (letters - 1) * math.log(4)
    assert found["kl"] == pytest.approx(0, abs=1e-6) and found["active_latents"] == 0
    assert -found["elbo"] == pytest.approx(nats.mean().item(), rel=1e-5)
    assert found["bits_per_letter"] == pytest.approx((nats.sum() / letters.sum()).item() / math.log(2), rel=1e-5)
    assert found["exact"] == pytest.approx(0 if found["exact"] == 0 else 1 / 30), "one name, whatever went in"


def test_a_model_that_spells_back_is_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = small().eval(), words_of(TINY)
    source = StoredImages((255 * x).byte().numpy(), torch.zeros(len(x)).byte().numpy())
    answers = x[:, 0].argmax(-1).clone()
    answers[0, 0] = 3 - answers[0, 0]  # one letter of one name is wrong
    monkeypatch.setattr(
        sys.modules["vae_core.metrics.names"], "greedy", lambda model, z: type("W", (), {"numbers": answers})
    )
    found = METRICS["names"].compute(Trial(model, source))
    assert found.exact == pytest.approx(1 - 1 / len(x))
    assert found.letters_right == pytest.approx(1 - 1 / x.sum().item())


def test_the_bank_differs_in_what_it_is_about() -> None:
    bank = {recipe.name: recipe for recipe in BANKS["names"]}
    assert len({recipe.training.epochs for recipe in bank.values()}) == 1
    assert all(recipe.config.image == SHAPE and recipe.data == "names" for recipe in bank.values())
    plain = bank["names-plain"]
    assert (plain.config.beta, plain.config.word_dropout, plain.training.free_bits) == (1.0, 0.0, 0.0)
    assert plain.training.kl_schedule == "constant"
    assert bank["names-annealed"].training.kl_schedule == "warm-up" and bank["names-free-bits"].training.free_bits > 0
