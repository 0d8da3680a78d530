"""The VQ-VAE: its quantiser against known answers, whom each term's gradient reaches, and the prior over its maps."""

from __future__ import annotations

import itertools
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.conftest import blob_source
from vae_core.checkpoints import bundled, read_bundled
from vae_core.data import dataset
from vae_core.errors import InvalidInput
from vae_core.metrics import METRICS, Trial
from vae_core.models import VQVAE, PixelCNN
from vae_core.models.pixelcnn import numbers_of
from vae_core.models.quantiser import Quantised, Quantiser, perplexity
from vae_core.objective import Context
from vae_core.recipes import BANKS
from vae_core.runs import code_maps
from vae_core.runs.code_maps import CodeMaps, as_code_maps
from vae_core.training import Training, TrainSettings

IMAGE = (1, 12, 12)


def quantiser(codes: list[list[float]], **settings: Any) -> Quantiser:
    found = Quantiser(len(codes), len(codes[0]), **{"restart": 0.0, **settings})
    with torch.no_grad():
        found.codes.copy_(torch.tensor(codes))
    return found


def small(**settings: Any) -> VQVAE:
    torch.manual_seed(0)
    return VQVAE(VQVAE.Config(**{"image": IMAGE, "codes": 16, "dimensions": 4, "width": 8, "narrow": 4, **settings}))


def prior(**settings: Any) -> PixelCNN:
    torch.manual_seed(0)
    shape = {"image": (1, 4, 5), "codes": 7, "width": 8, "layers": 3, "classes": 2}
    return PixelCNN(PixelCNN.Config(**{**shape, **settings})).eval()


# The quantiser.


def test_the_nearest_code_is_that_of_brute_force() -> None:
    book, z = Quantiser(20, 3, restart=0.0), torch.randn(4, 3, 5, 6)
    with torch.no_grad():
        book.codes.copy_(torch.randn(20, 3))
    found = book.nearest(z)
    assert found.shape == (4, 5, 6)
    for image, row, cell in itertools.product(range(4), range(5), range(6)):
        distances = ((book.codes - z[image, :, row, cell]) ** 2).sum(1)
        assert found[image, row, cell] == distances.argmin()
    said = book.eval()(z)
    assert torch.equal(said.numbers, found) and torch.allclose(said.vectors, book.lookup(found))


def test_near_codes_are_told_apart_in_half_precision() -> None:
    book = quantiser([[1.0, 0.0], [1.002, 0.0]]).eval()
    z = torch.tensor([1.0, 1.002]).view(2, 1, 1, 1) * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert book(z).numbers.flatten().tolist() == [0, 1]


def test_moving_means_are_those_by_hand() -> None:
    book = quantiser([[0.0], [10.0], [50.0]], decay=0.9)
    sizes, sums = torch.zeros(3), torch.zeros(3)
    for values in ([1.0, 2.0, 9.0], [3.0, 8.0, 11.0, 8.5], [2.5]):
        z = torch.tensor(values).view(-1, 1, 1, 1)
        chosen = book.nearest(z).flatten()
        book(z)
        sizes = 0.9 * sizes + 0.1 * torch.bincount(chosen, minlength=3)
        sums = 0.9 * sums + 0.1 * torch.zeros(3).index_add(0, chosen, z.flatten())
    torch.testing.assert_close(book.codes[:2, 0], sums[:2] / sizes[:2])
    torch.testing.assert_close(book.counts, sizes)
    assert book.codes[2] == 50, "nothing chose it, so it stays"


def test_looking_changes_nothing() -> None:
    model = small().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.loss(torch.rand(3, *IMAGE))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_a_dead_code_comes_back_as_a_vector_of_the_batch(update: str) -> None:
    z = torch.randn(8, 2, 2, 2)
    alive = quantiser([[0.0, 0.0], [90.0, 90.0]], update=update, restart=0.1)
    left = quantiser([[0.0, 0.0], [90.0, 90.0]], update=update, restart=0.0)
    for _ in range(3):
        alive(z), left(z)
    assert torch.equal(left.codes[1].detach(), torch.tensor([90.0, 90.0]))
    assert alive.codes[1].abs().max() < 5
    fresh = quantiser([[0.0, 0.0], [90.0, 90.0]], update=update, restart=0.1)
    fresh(z)
    assert ((z.movedim(1, -1).reshape(-1, 2) - fresh.codes[1].detach()).abs().sum(1) == 0).any()


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_two_processes_keep_the_codebook_of_one(update: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads in place of the processes: each sees half of the batch, and they add up what they saw."""
    barrier, told = threading.Barrier(2), dict[str, Tensor]()

    def all_reduce(values: Tensor) -> None:
        told[threading.current_thread().name] = values.clone()
        barrier.wait(20)
        total = sum(told.values(), torch.zeros_like(values))
        barrier.wait(20)
        values.copy_(total)

    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    batches, start = torch.randn(4, 6, 2, 3, 3), torch.randn(9, 2).tolist()

    def train(rank: int, world: int, found: dict[int, Quantised]) -> Quantiser:
        book = quantiser(start, update=update, decay=0.5, restart=0.5)
        context = Context(rank=rank, world=world, generator=torch.Generator().manual_seed(3))
        for z in batches:
            found[rank] = book(z[rank * 6 // world : (rank + 1) * 6 // world], context)
        return book

    alone: dict[int, Quantised] = {}
    expected = train(0, 1, alone)
    with ThreadPoolExecutor(2) as pool:
        shared: dict[int, Quantised] = {}
        books = [each.result() for each in [pool.submit(train, rank, 2, shared) for rank in range(2)]]
    for book in books:
        torch.testing.assert_close(book.codes, expected.codes)
        torch.testing.assert_close(book.counts, expected.counts)
    torch.testing.assert_close(shared[1].perplexity, alone[0].perplexity)
    assert torch.equal(torch.cat([shared[0].numbers, shared[1].numbers]), alone[0].numbers)


def test_perplexity_of_known_usage() -> None:
    assert perplexity(torch.ones(8)).item() == pytest.approx(8)
    assert perplexity(torch.tensor([5.0, 0.0, 0.0])).item() == pytest.approx(1)
    assert perplexity(torch.tensor([2.0, 2.0, 0.0, 0.0])).item() == pytest.approx(2)


# Whom each term reaches.


def test_each_term_of_the_quantiser_reaches_one_side_alone() -> None:
    book = quantiser([[0.0, 1.0], [3.0, -1.0]], update="gradient").eval()
    z = torch.randn(2, 2, 3, 3, requires_grad=True)

    def slopes(term: Tensor) -> tuple[Tensor | None, ...]:
        return torch.autograd.grad(term, [z, book.codes], allow_unused=True)

    said = book(z)
    on_z, on_codes = slopes(said.codebook)
    assert on_z is None and on_codes is not None and on_codes.abs().sum() > 0
    on_z, on_codes = slopes(book(z).commitment)
    assert on_codes is None and on_z is not None
    torch.testing.assert_close(on_z, 2 * (z - said.vectors) / len(z))
    weights = torch.randn_like(z)
    on_z, on_codes = slopes((book(z).vectors * weights).sum())
    assert on_codes is None and torch.equal(on_z, weights), "straight-through: as if the choice were not there"


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_the_terms_reach_what_they_should_in_the_model(update: str) -> None:
    model, x = small(update=update), torch.rand(4, *IMAGE)
    parts = {
        "encoder": list(model.encoder.parameters()),
        "codebook": list(model.quantiser.parameters()),
        "decoder": list(model.decoder.parameters()),
    }
    said = model.quantised(x)
    recon = model.recon_per_image(x, said.vectors).mean()
    reached = {}
    for name, term in (("recon", recon), ("codebook", said.codebook), ("commitment", said.commitment)):
        if not term.requires_grad:
            reached[name] = set()
            continue
        model.zero_grad()
        term.backward(retain_graph=True)
        reached[name] = {part for part, own in parts.items() if any(p.grad is not None and p.grad.any() for p in own)}
    assert reached == {
        "recon": {"encoder", "decoder"},
        "codebook": {"codebook"} if update == "gradient" else set(),
        "commitment": {"encoder"},
    }


def test_beta_weighs_the_commitment_and_nothing_else() -> None:
    x = torch.rand(4, *IMAGE)
    found = {beta: small(beta=beta).eval().loss(x) for beta in (0.0, 0.25, 2.0)}
    for beta, terms in found.items():
        torch.testing.assert_close(terms.total, terms.recon + terms.codebook + beta * terms.commitment)
    assert len({terms.recon.item() for terms in found.values()}) == 1
    torch.testing.assert_close(found[0.0].codebook, found[0.0].commitment)


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_a_training_goes_on_as_if_it_had_not_stopped(update: str) -> None:
    settings = TrainSettings(epochs=2, batch=8, lr=1e-3, precision="float32")
    source, device = blob_source(32, IMAGE), torch.device("cpu")
    whole = Training(small(update=update, restart=0.5), source, settings, device)
    state = None
    for progress in whole.run(log_every=1):
        if progress.step == 3:
            state = whole.state()
    later = Training(small(update=update, restart=0.5), source, settings, device)
    assert state is not None
    later.restore(state)
    list(later.run())
    ends = whole.model.state_dict(), later.model.state_dict()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert {"quantiser.codes", "quantiser.counts"} <= ends[0].keys()


def test_scores_of_a_model_that_knows_one_picture() -> None:
    """A decoder of zeros says black: the error is the mean square; codes that lie together count as one."""
    model, source = small().eval(), blob_source(30, IMAGE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.quantiser.codes.copy_(torch.arange(16.0)[:, None].expand(16, 4))
    found = METRICS["vector_quantised"].compute(Trial(model, source))
    x = source.images(torch.arange(30)).double()
    assert found.unexplained == pytest.approx(((x**2).mean() / x.var(correction=0)).item(), rel=1e-5)
    assert (found.used, found.distance) == (1, 0.0) and found.perplexity == pytest.approx(1)
    assert found.usage[0] == 1 and len(found.usage) == 16


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("image", (1, 10, 12)), ("codes", 1), ("dimensions", 0), ("width", 1), ("update", "magic"), ("decay", 1.0),
        ("restart", -0.1), ("beta", math.nan), ("sigma", 0.0), ("blocks", -1), ("narrow", 0),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        VQVAE.Config(**{setting: value})  # type: ignore[arg-type]


# The prior.


def test_no_code_sees_itself_or_what_comes_after() -> None:
    model = prior(layers=6)
    numbers = torch.randint(7, (1, 4, 5))
    start = model.logits(numbers, torch.tensor([1]))
    for place in range(20):
        other = numbers.clone().view(-1)
        other[place] = (other[place] + 1) % 7
        moved = (model.logits(other.view(1, 4, 5), torch.tensor([1])) != start).any(1).flatten()
        assert not moved[: place + 1].any(), "neither it nor one before it may know"
        assert moved[place + 1 :].all(), "and no later one may be blind to it"


@pytest.mark.parametrize(("codes", "height", "width"), [(2, 3, 2), (3, 2, 2)])
def test_the_chances_of_all_maps_add_up_to_one(codes: int, height: int, width: int) -> None:
    model = prior(image=(1, height, width), codes=codes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.7)
    maps = torch.tensor(list(itertools.product(range(codes), repeat=height * width))).view(-1, height, width)
    for label in (0, 1):
        logs = model.logits(maps, torch.full((len(maps),), label)).log_softmax(1)
        each = logs.gather(1, maps[:, None]).sum((1, 2, 3)).double()
        assert each.exp().sum().item() == pytest.approx(1, abs=1e-5)
        pictures = maps[:, None].float() / codes
        total = model.loss(pictures, torch.full((len(maps),), label)).total
        assert total.item() == pytest.approx(-each.mean().item(), rel=1e-4)


def test_a_sample_is_drawn_from_the_chances_that_the_loss_knows() -> None:
    """The quick way of sampling, a row at a time, agrees with the whole network at every cell."""
    model, uniform, labels = prior(), torch.rand(30, 4, 5), torch.arange(30) % 2
    drawn = model.sample(uniform, labels)
    below = model.logits(drawn, labels).softmax(1).cumsum(1)  # [B, K, h, w]
    assert torch.equal(drawn, (uniform[:, None] >= below).sum(1).clamp_max(6))
    assert len({tuple(each.flatten().tolist()) for each in drawn}) > 20


def test_a_prior_learns_what_maps_have_in_common() -> None:
    """Maps of one code that is drawn once: the first costs log K, the others nothing."""
    pictures = (torch.arange(64) % 4).view(-1, 1, 1, 1).expand(64, 1, 3, 3).float() / 4
    model = prior(image=(1, 3, 3), codes=4, classes=0, width=16, dropout=0.0).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        model.loss(pictures).total.backward()
        optimiser.step()
    assert model.eval().loss(pictures).total.item() == pytest.approx(math.log(4), rel=0.1)


def test_code_maps_are_pictures_from_which_the_numbers_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    model, source = small(codes=13), blob_source(20, IMAGE)
    maps = CodeMaps(source, model)
    assert maps.shape == (1, 3, 3) and len(maps) == 20 and maps.labels is source.labels
    found = maps.images(torch.tensor([4, 1]))
    assert found.min() >= 0 and found.max() < 1
    assert torch.equal(numbers_of(found, 13), model.numbers(source.images(torch.tensor([4, 1]))))
    config = PixelCNN.Config(image=(1, 3, 3), codes=13, codes_of="a-model")
    assert as_code_maps(source, replace(config, codes_of="")) is source
    assert as_code_maps(source, model.config) is source
    bundle: Any = type("Found", (), {"model": model})
    monkeypatch.setattr(code_maps, "read_bundled", lambda name: bundle)
    assert as_code_maps(source, config).shape == (1, 3, 3)
    with pytest.raises(InvalidInput, match="13 codes"):
        as_code_maps(source, replace(config, codes=12))


@pytest.mark.parametrize(("setting", "value"), [("image", (3, 4, 4)), ("codes", 1), ("reach", 2), ("dropout", 1.0)])
def test_a_priors_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting):
        PixelCNN.Config(**{setting: value})  # type: ignore[arg-type]


# What is bundled.

HERE = [recipe.name for recipe in BANKS["vq-vae"] if recipe.name in bundled()]


@pytest.mark.parametrize("name", [name for name in HERE if not name.endswith("-prior")])
def test_a_bundled_codebook_holds_what_is_said_of_it(name: str) -> None:
    checkpoint = read_bundled(name)
    found, codes = checkpoint.metrics, checkpoint.model.config.codes  # type: ignore[union-attr]
    if name == "cifar-vq":
        assert found["unexplained"] <= 0.07 and found["perplexity"] >= 0.6 * codes  # type: ignore[operator]
    if name == "mnist-vq-dead":
        assert found["used"] < 0.75 * codes and found["perplexity"] < 0.5 * codes, "a good part of it died"  # type: ignore[operator]
    assert len(found["usage"]) == codes and sum(found["usage"]) == pytest.approx(1)


@pytest.mark.parametrize("name", [name for name in HERE if name.endswith("-prior")])
def test_a_bundled_prior_knows_the_maps_of_its_codebook(name: str) -> None:
    """It would not if that codebook were another one by now."""
    checkpoint = read_bundled(name)
    config = checkpoint.model.config  # type: ignore[union-attr]
    kind, shape = read_bundled(config.codes_of).model, config.image  # type: ignore[union-attr, arg-type]
    maps = CodeMaps(dataset(checkpoint.dataset).load("test"), kind) if shape[1] == 7 else None  # type: ignore[arg-type]
    assert checkpoint.metrics["saved"] > 0.1
    if maps is not None:
        at = torch.arange(300)
        nats = checkpoint.model.loss(maps.images(at), maps.labels[at]).per_code.item()  # type: ignore[operator]
        assert nats == pytest.approx(checkpoint.metrics["code_nats"], rel=0.1)
