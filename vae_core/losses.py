"""The terms of the losses: pure functions, in nats, summed over pixels or kept per latent, never averaged.

Averaging happens once, over the batch, in the models; so a number means the same at any batch size.
"""

from __future__ import annotations

import math

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


def kl_to_uniform(logits: Tensor) -> Tensor:
    """KL(softmax(logits) || uniform) over K categories: [..., K] -> [...], nats; from 0 to log K."""
    log_q = torch.log_softmax(logits.float(), dim=-1)
    return (log_q.exp() * log_q).sum(-1) + math.log(logits.shape[-1])
