"""Contracts that hold for every model of the registry, with each network that it has."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import blob_source, blobs
from vae_core.data.base import StoredImages
from vae_core.errors import InvalidInput
from vae_core.models import MODELS, VAE, Autoencoder, LatentModel, Posterior, RestoringModel
from vae_core.models.base import LIKELIHOODS, LOGVAR_BOUNDS
from vae_core.models.parts import ACTIVATIONS, NETWORKS, LatentLinear
from vae_core.objective import Context
from vae_core.training import TrainSettings, train

IMAGE, COLOUR = (1, 12, 12), (3, 12, 12)
SMALL: dict[str, Any] = {
    "image": IMAGE, "latent": 3, "hidden": (24,), "channels": (4, 8), "classes": 3, "features": 16, "dropout": 0.0,
    "tc": 1.0, "critic": (16,),
    "sigma": (2 * math.pi) ** -0.5,  # at which a Gaussian's constants vanish, and only what can be learned is left
}  # fmt: skip


def build(name: str, **settings: Any) -> Any:
    """A small model of the registry; settings that its config does not have are left out."""
    kind: Any = MODELS[name]
    known = {field.name for field in fields(kind.Config)}
    shape = {"image": image_of(name)}
    return kind(kind.Config(**{key: value for key, value in {**SMALL, **shape, **settings}.items() if key in known}))


def image_of(name: str) -> tuple[int, int, int]:
    """Of the smallest pictures that a model of the registry takes."""
    return COLOUR if getattr(MODELS[name], "needs_colour", False) else IMAGE


def networks(name: str) -> tuple[str, ...]:
    kind: Any = MODELS[name]
    return NETWORKS if "network" in {field.name for field in fields(kind.Config)} else ("own",)


EVERY = [(name, network) for name in MODELS for network in networks(name)]
LATENT = [(name, network) for name, network in EVERY if issubclass(MODELS[name], LatentModel)]
RESTORING = [name for name in MODELS if issubclass(MODELS[name], RestoringModel)]
every_model = pytest.mark.parametrize(("name", "network"), EVERY)
every_latent_model = pytest.mark.parametrize(("name", "network"), LATENT)


def pictures(count: int = 6, image: tuple[int, int, int] = IMAGE) -> tuple[Tensor, Tensor]:
    pixels, labels = blobs(count, image)
    return pixels.float() / 255, labels


def source_of(name: str, count: int = 96) -> StoredImages:
    """What a model can learn: pictures, or for one that reads words one of three words, a letter some times."""
    if not getattr(MODELS[name], "reads_letters", False):
        return blob_source(count, image_of(name))
    labels = torch.arange(count) % 3
    words = torch.zeros(count, *IMAGE, dtype=torch.uint8)
    for word, label in zip(words, labels.tolist(), strict=True):
        word[0, : label + 2, label + 1] = word[0, label + 2, 0] = 255
    return StoredImages(words.numpy(), labels.to(torch.uint8).numpy())


class Still(Context):
    """A step without noise, so that two batches can be compared."""

    def normal(self, like: Tensor) -> Tensor:
        return torch.zeros_like(like)

    def uniform(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return torch.full(shape, 0.5, device=like.device)


@every_model
def test_says_what_it_is(name: str, network: str) -> None:
    model = build(name, network=network)
    assert model.title and isinstance(model.is_generative, bool)
    assert isinstance(model, nn.Module) and model.config == type(model).Config(**vars(model.config))


@every_model
def test_learns(name: str, network: str) -> None:
    model = build(name, network=network)
    epochs = 30 * (1 + hasattr(model, "critic")) * (1 + (network == "residual"))  # longer for games and depth
    settings = TrainSettings(epochs=epochs, batch=32, lr=5e-3, warmup=0)
    log = list(train(model, source_of(name), settings, torch.device("cpu"), log_every=10))
    totals = [step.terms["total"] for step in log]
    assert len(totals) == 3 * epochs // 10
    if name != "vae_gan":  # the better its critic, the larger its loss: test_beyond looks at its copies
        assert totals[-1] < 0.9 * totals[0]


@every_model
def test_the_same_weights_and_images_give_the_same_loss_at_any_batch_size(name: str, network: str) -> None:
    """In nats per image: a batch that holds everything twice scores the same."""
    model = build(name, network=network).eval()
    x, labels = pictures(image=image_of(name))
    doubled = x.repeat(2, 1, 1, 1)
    if isinstance(model, LatentModel):
        code = model.encode(x).mean
        once, twice = model.recon_per_image(x, code).mean(), model.recon_per_image(doubled, code.repeat(2, 1)).mean()
        torch.testing.assert_close(once, twice)
        once, twice = model.loss(x).kl_per_latent, model.loss(doubled).kl_per_latent
    else:
        once = model.loss(x, labels, Still()).total
        twice = model.loss(doubled, labels.repeat(2), Still()).total
    torch.testing.assert_close(once, twice)


@every_latent_model
def test_shapes(name: str, network: str) -> None:
    model = build(name, network=network)
    x, _ = pictures()
    posterior = model.encode(x)
    assert posterior.mean.shape == (6, 3)
    assert posterior.logvar is None or posterior.logvar.shape == (6, 3)
    assert posterior.sample().shape == (6, 3)
    picture = model.decode(posterior.mean)
    assert picture.shape == x.shape
    assert picture.min() >= 0 and picture.max() <= 1
    terms = model.loss(x)
    assert terms.total.shape == terms.recon.shape == terms.kl.shape == ()
    assert terms.kl_per_latent.shape == (3,)
    torch.testing.assert_close(terms.kl_per_latent.sum(), terms.kl)


@every_latent_model
@pytest.mark.parametrize("image", [(1, 12, 12), (3, 8, 16)])
def test_reconstruction_is_summed_over_pixels(name: str, network: str, image: tuple[int, int, int]) -> None:
    """A decoder of zeros says one half everywhere: log 2 nats for each pixel, whatever the batch. Without a sigmoid it
    says 0, and each pixel of 1 costs a half."""
    model = build(name, network=network, image=image)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()
    if model.pixels == "clip":
        model.config = replace(model.config, sigma=1.0)
        x, each = torch.ones(5, *image), 0.5 + 0.5 * math.log(2 * math.pi)
    else:
        x, each = torch.rand(5, *image), math.log(2)
    assert model.loss(x).recon.item() == pytest.approx(math.prod(image) * each, rel=1e-5)


@every_latent_model
def test_only_a_deterministic_encoder_says_that_it_is_one(name: str, network: str) -> None:
    model = build(name, network=network)
    x, _ = pictures()
    posterior = model.encode(x)
    assert posterior.is_deterministic == (not model.is_generative)
    if posterior.is_deterministic:
        assert posterior.sample() is posterior.mean
        assert model.loss(x).kl.item() == 0
        with pytest.raises(TypeError, match="no standard deviation"):
            _ = posterior.std
    else:
        assert not torch.equal(posterior.sample(), posterior.mean)
        assert model.loss(x).kl.item() > 0


@every_latent_model
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_reaches_the_encoder(name: str, network: str, likelihood: str) -> None:
    model = build(name, network=network, likelihood=likelihood, sigma=0.5)
    model.loss(pictures()[0]).total.backward()
    slopes = {key: parameter.grad for key, parameter in model.named_parameters()}
    assert all(slope is not None and slope.abs().sum() > 0 for slope in slopes.values())
    assert ("log_sigma" in slopes) == (model.config.likelihood == "gaussian_learned")


@pytest.mark.parametrize("name", RESTORING)
def test_a_restoring_model_sees_a_part_and_gives_the_whole(name: str) -> None:
    model = build(name).eval()
    x, _ = pictures(image=image_of(name))
    shown = model.degraded(x)
    assert len(shown) == len(x) and shown.numel() < x.numel(), "something is missing"
    for made in (model.restored(shown), model.baseline(shown)):
        assert made.shape == x.shape and made.min() >= 0 and made.max() <= 1
    assert torch.equal(model.restored(shown), model.restored(shown)), "one answer"
    alone, beside = model.restored(shown[:2]), model.restored(shown)[:2]
    torch.testing.assert_close(alone, beside, rtol=0, atol=1e-5)  # no picture hangs on its neighbours in the batch


@pytest.mark.parametrize("name", RESTORING)
def test_all_of_a_restoring_model_is_trained(name: str) -> None:
    model = build(name)
    model.loss(pictures(image=image_of(name))[0]).total.backward()
    slopes = {key: parameter.grad for key, parameter in model.named_parameters()}
    still = [key for key, slope in slopes.items() if slope is None or not slope.abs().sum() > 0]
    assert not still, still


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str) -> None:
    model = build("vae", activation=activation)
    assert torch.isfinite(model.loss(pictures()[0]).total)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 8.0])
def test_beta_weighs_the_kl_and_nothing_else(beta: float) -> None:
    x, _ = pictures()
    model = build("vae", beta=beta)
    torch.manual_seed(3)
    terms = model.loss(x)
    torch.testing.assert_close(terms.total, terms.recon + beta * terms.kl)
    torch.manual_seed(3)
    scaled = model.loss(x, context=Context(kl_scale=3.0))
    assert (scaled.recon.item(), scaled.kl.item()) == (terms.recon.item(), terms.kl.item())
    torch.testing.assert_close(scaled.total, scaled.recon + 3 * beta * scaled.kl)


def test_a_larger_beta_leaves_less_kl_after_training() -> None:
    left = []
    for beta in (0.1, 20.0):
        torch.manual_seed(0)
        model = build("vae", beta=beta)
        settings = TrainSettings(epochs=20, batch=32, lr=5e-3, warmup=0, precision="float32")
        steps = list(train(model, blob_source(96), settings, torch.device("cpu")))
        left.append(steps[-1].terms["kl"])
    assert left[1] < 0.5 * left[0]


def test_draws_follow_the_generator_and_the_posterior() -> None:
    posterior = Posterior(torch.full((20_000, 1), 2.0), torch.full((20_000, 1), math.log(0.25)))
    first, again = (posterior.sample(Context(generator=torch.Generator().manual_seed(5))) for _ in range(2))
    assert torch.equal(first, again)
    assert abs(first.mean().item() - 2) < 0.02
    assert abs(first.std().item() - 0.5) < 0.02  # exp(logvar / 2), not exp(logvar)


def test_log_variance_is_bounded() -> None:
    model = build("vae")
    with torch.no_grad():
        model.encoder[-1].bias.fill_(1e6)
    terms = model.loss(pictures()[0])
    assert model.encode(pictures()[0]).logvar.max() == LOGVAR_BOUNDS[1]
    assert torch.isfinite(terms.kl)


def test_latents_stay_in_float32_under_autocast() -> None:
    layer, x = LatentLinear(4, 2), torch.randn(3, 4)
    outside = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert nn.functional.linear(x, layer.weight).dtype == torch.bfloat16
        assert torch.equal(layer(x), outside)


def test_a_learned_scale_finds_the_noise_of_the_data() -> None:
    model = Autoencoder(replace(build("autoencoder").config, likelihood="gaussian_learned"))
    x = torch.full((64, *IMAGE), 0.5) + 0.1 * torch.randn(64, *IMAGE)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.zero_()  # so that it says one half everywhere
    optimiser = torch.optim.Adam([model.log_sigma], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        model.loss(x).total.backward()
        optimiser.step()
    assert abs(model.log_sigma.exp().item() - 0.1) < 0.005


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("image", (1, 28)), ("image", (2, 28, 28)), ("image", (1, 10_000, 10_000)), ("latent", 0), ("latent", 10**9),
        ("network", "transformer"), ("hidden", ()), ("hidden", (10**7,)), ("activation", "eval"),
        ("likelihood", "poisson"), ("sigma", 0.0), ("sigma", math.nan),
        ("beta", math.nan), ("beta", -1.0), ("beta", 1e9),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=setting) as error:
        VAE.Config(**{setting: value})  # type: ignore[arg-type]
    assert "allowed" in str(error.value)


def test_an_image_that_cannot_be_halved_so_often_is_named() -> None:
    with pytest.raises(InvalidInput, match="halved"):
        VAE.Config(image=(1, 28, 28), network="conv", channels=(4, 4, 4))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("classes", 1),
        ("channels", ()),
        ("channels", (10**6,)),
        ("features", 0),
        ("dropout", 1.0),
        ("image", (1, 9, 9)),
        ("image", (10**12, 8, 8)),
        ("image", (1, 10**6, 8)),
    ],
)
def test_a_classifiers_setting_out_of_range_is_named(setting: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=r"image|channels" if setting == "image" else setting):
        build("classifier", **{setting: value})
