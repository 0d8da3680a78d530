"""The terms of the losses: pure functions, in nats, summed over pixels or kept per latent, never averaged.

Averaging happens once, over the batch, in the models; so a number means the same at any batch size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from vae_core.errors import InvalidInput


def bernoulli_nll(logits: Tensor, x: Tensor) -> Tensor:
    """-log p(x | z) of a Bernoulli likelihood, summed over C, H and W: [B], nats per image.

    For binary images this is a likelihood. For grey ones it is the cross-entropy that the field reports as if
    it were one; we call it "grey BCE" wherever it is shown. Both arguments are [B, C, H, W].
    Raises InvalidInput for pixels outside [0, 1] (on the CPU: elsewhere the check would stall the device, and
    images come from an ImageSource, whose pixels are uint8 / 255).
    """
    if x.device.type == "cpu":
        low, high = x.aminmax()
        if not (low >= 0 and high <= 1):
            raise InvalidInput(
                f"Pixels run from {low.item():g} to {high.item():g}, but cross-entropy needs them in [0, 1]; "
                "divide uint8 images by 255, or choose the Gaussian likelihood."
            )
    return binary_cross_entropy_with_logits(logits.float(), x, reduction="none").sum((1, 2, 3))


def gaussian_nll(mean: Tensor, x: Tensor, log_sigma: Tensor | float) -> Tensor:
    """-log N(x; mean, sigma^2), summed over C, H and W, with its constants: [B], nats per image.

    `log_sigma` is one number for all pixels; learned, it makes the decoder calibrate itself (Rybkin, Daniilidis
    and Levine 2021, sigma-VAE). With sigma fixed this is the squared error divided by 2 sigma^2.
    """
    precision = torch.exp(-log_sigma) if isinstance(log_sigma, Tensor) else math.exp(-log_sigma)
    squared = ((x - mean.float()) * precision) ** 2
    return (0.5 * squared + log_sigma + 0.5 * math.log(2 * math.pi)).sum((1, 2, 3))


def kl_to_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(0, 1)) for every latent: [B, Z], nats (Kingma and Welling 2014, appendix B)."""
    return 0.5 * (mean**2 + logvar.exp() - 1 - logvar)


def kl_between_normals(mean: Tensor, logvar: Tensor, other_mean: Tensor, other_logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(other_mean, exp(other_logvar))) for every latent: [B, Z], nats."""
    apart = (mean - other_mean) ** 2 * torch.exp(-other_logvar)
    return 0.5 * (other_logvar - logvar + torch.exp(logvar - other_logvar) + apart - 1)


def kl_to_uniform(logits: Tensor) -> Tensor:
    """KL(softmax(logits) || uniform) over K categories: [..., K] -> [...], nats; from 0 to log K."""
    log_q = torch.log_softmax(logits.float(), dim=-1)
    return (log_q.exp() * log_q).sum(-1) + math.log(logits.shape[-1])


class KLParts(NamedTuple):
    """The three parts of a mean KL to the prior, in nats; they add up to log q(z | x) - log p(z)."""

    information: Tensor  # of the code about which image it came from: log q(z | x) - log q(z)
    total_correlation: Tensor  # how far the latents are from independent: log q(z) - sum of log q(z_j)
    dimension_wise: Tensor  # how far each latent alone is from the prior: sum of log q(z_j) - log p(z_j)


def gaussian_log_density(z: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; mean, exp(logvar)) of every number by itself, in nats; the three are broadcast."""
    return -0.5 * ((z - mean) ** 2 * torch.exp(-logvar) + logvar + math.log(2 * math.pi))


def stratified_log_weights(batch: int, population: int, device: torch.device | str = "cpu") -> Tensor:
    """What each posterior of a batch weighs in an estimate of q(z), as logarithms [B, B]; each row adds up to 1.

    The posterior that a draw came from is one of `population` images, and stands for itself alone; the others stand
    for all the rest (Chen et al. 2018, minibatch-stratified sampling, appendix C.2). Without these weights a batch
    would take its own image for one of B, and every code for a common one.
    """
    if not 2 <= batch <= population:
        raise InvalidInput(f"A batch of {batch} out of {population} images; allowed: 2 up to all of them.")
    others = batch - 1
    weights = torch.full((batch, batch), 1 / others, device=device)
    rows = torch.arange(batch, device=device)
    weights[rows, rows] = 1 / population
    weights[rows, (rows + 1) % batch] = (population - others) / (population * others)  # of these, one less is left
    return weights.log()


def decomposed_kl(z: Tensor, own: Tensor, mean: Tensor, logvar: Tensor, log_weights: Tensor) -> KLParts:
    """Index-code information, total correlation and dimension-wise KL (Hoffman and Johnson 2016; Chen et al. 2018,
    equation 2), from draws z [B, Z], the density log q(z | x) [B] that each came from, and the posteriors [N, Z] that
    make up q(z) with weights whose logarithms are [B, N]. Means over the draws: estimates, which get better with N.
    """
    each = gaussian_log_density(z[:, None], mean[None], logvar[None])  # [B, N, Z]
    joint = (log_weights + each.sum(-1)).logsumexp(1)  # [B]: log q(z)
    marginals = (log_weights[..., None] + each).logsumexp(1).sum(-1)  # [B]: sum of log q(z_j)
    prior = gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z)).sum(-1)
    return KLParts((own - joint).mean(), (joint - marginals).mean(), (marginals - prior).mean())
