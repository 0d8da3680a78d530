"""How far below log p(x) the ELBO lies: the bound that many samples tighten."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vae_core.errors import InvalidInput
from vae_core.exact.importance import effective_sample_size, log_mean_exp
from vae_core.metrics.trial import device_of

MOST_SAMPLES = 100_000
CODES = 2500  # decoded at a time


class Source(Protocol):
    """Held-out images, fetched by an index [B]: [B, C, H, W] in [0, 1]."""

    def __len__(self) -> int: ...

    def images(self, index: Tensor) -> Tensor: ...


class Bounds(NamedTuple):
    """Lower bounds of log p(x), nats per image, averaged over the images; K = 1 is the ELBO by Monte Carlo."""

    samples: list[int]  # K of each bound
    bound: list[float]
    standard_error: list[float]  # over images
    effective: float  # sample size at the largest K, median over images
    images: int


def log_weights(model: Any, x: Tensor, samples: int, generator: torch.Generator) -> Iterator[Tensor]:
    """log p(x, z) - log q(z | x) for draws z of q(z | x), for images [B, C, H, W]: parts [B, S] in float64, `samples`
    draws altogether.

    A model with a posterior of its own (vae_core.models.drawn) tells of each draw what it costs; any other has encode
    and recon_per_image, and its prior is N(0, I). Noise is drawn on the CPU.
    """
    own = hasattr(model, "condition")
    condition = model.condition(x) if own else _gaussian(model, x)
    draw = model.draw if own else _drawn
    for start in range(0, samples, most := max(1, CODES // len(x))):
        count = min(most, samples - start)
        again = tuple(part.repeat(count, *[1] * (part.ndim - 1)) for part in condition)  # [S B, ...]
        z, excess = draw(again, CpuNoise(generator))
        recon = _recon(model, x, z, count)  # [S, B]
        yield (-excess.double().sum(-1).view(count, len(x)) - recon.double()).T.cpu()


class CpuNoise:
    """The noise of a draw, the same on every device."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def normal(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator).to(like)


def _gaussian(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [B, Z] of a diagonal q(z | x)."""
    posterior = model.encode(x)
    if posterior.is_deterministic:
        raise InvalidInput("A deterministic encoder has no q(z | x) to draw from; choose a VAE.")
    return posterior.mean, posterior.std


def _drawn(condition: tuple[Tensor, ...], context: CpuNoise) -> tuple[Tensor, Tensor]:
    """z [N, Z], and log N(z; mean, std^2) - log N(z; 0, I) of each latent, whose constants cancel."""
    mean, std = condition
    noise = context.normal(mean)
    z = mean + std * noise
    return z, 0.5 * (z.double() ** 2 - noise.double() ** 2) - std.double().log()


def _recon(model: Any, x: Tensor, z: Tensor, count: int) -> Tensor:
    """-log p(x | z) for images [B, C, H, W] and codes [S B, Z]: [S, B]. A Bernoulli's is a sum of softplus(logits)
    less those of the white pixels, which spares a copy of the image for every code."""
    settings = model.config
    if getattr(settings, "likelihood", "bernoulli") != "bernoulli" or not hasattr(model, "decoder"):
        again = x.expand(count, *x.shape).flatten(0, 1)
        return model.recon_per_image(again, z).view(count, len(x))
    logits = (model.logits(z) if hasattr(model, "logits") else model.decoder(z)).float().view(count, len(x), -1)
    return softplus(logits).sum(-1) - torch.einsum("sbp,bp->sb", logits, x.flatten(1))


def bound_of(weights: Tensor, samples: int) -> Tensor:
    """log (1/K) sum_k w_k for K = `samples`, averaged over as many groups of K as there are: [B] of log-weights [B, S].

    Each group's expectation is the bound, so all of them together tell it with the least noise.
    """
    groups = weights.shape[1] // samples
    if not groups:
        raise InvalidInput(f"A bound with K = {samples} needs as many samples; there are {weights.shape[1]}.")
    grouped = weights[:, : groups * samples].unflatten(1, (groups, samples))
    return log_mean_exp(grouped).mean(-1)


@torch.inference_mode()
def importance_bounds(
    model: Any,
    source: Source,
    samples: Sequence[int],
    images: int,
    seed: int = 0,
    batch: int = 25,
    precision: str = "float32",
) -> Iterator[tuple[int, Bounds | None]]:
    """The importance-weighted bound log (1/K) sum_k p(x, z_k) / q(z_k | x), z_k from q(z | x), for every K of `samples`
    on the first images of a source (Burda, Grosse and Salakhutdinov 2016, equation 8).

    It rises with K towards log p(x). In bfloat16 the decoder's products take a third of the time, but their rounding
    lifts the bound, as any noise in a weight does. On grey images a Bernoulli "likelihood" is no likelihood: give
    binarised ones.
    Yields (images done, None) after each batch, and the bounds with the last.
    """
    if not samples or not all(1 <= count <= MOST_SAMPLES for count in samples):
        raise InvalidInput(f"K is {list(samples)}; allowed: numbers of samples from 1 to {MOST_SAMPLES:,}.")
    if not 1 <= images <= len(source):
        raise InvalidInput(f"{images} images were asked for; there are 1 to {len(source):,}.")
    generator = torch.Generator().manual_seed(seed)
    rows, effective = [], []
    for index in torch.arange(images).split(batch):
        x = source.images(index).to(device_of(model))
        with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            weights = torch.cat(list(log_weights(model, x, max(samples), generator)), dim=1)  # [B, K]
        rows.append(torch.stack([bound_of(weights, count) for count in samples]))  # [len(samples), B]
        effective.append(effective_sample_size(weights))
        seen = int(index[-1]) + 1
        if seen < images:
            yield seen, None
    bounds = torch.cat(rows, dim=1)
    error = bounds.std(1) / math.sqrt(images) if images > 1 else torch.zeros(len(samples))
    median = torch.cat(effective).median().item()
    yield images, Bounds(list(samples), bounds.mean(1).tolist(), error.tolist(), median, images)
