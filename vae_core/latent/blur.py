"""Why a decoder blurs: the best picture for a code is the mean of all that could have led to it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vae_core.errors import InvalidInput

NEGLIGIBLE = 1e-7  # a share that no picture shows


def shares(z: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """How likely each of N images is to be the one that was encoded as the code z [Z], if all are alike before:
    q(z | x_n) / sum_m q(z | x_m) for posteriors N(mean, std^2), [N, Z] each. [N], float64."""
    if mean.shape != std.shape or z.shape != mean.shape[1:]:
        raise InvalidInput(
            f"A code {tuple(z.shape)} and posteriors {tuple(mean.shape)}, {tuple(std.shape)} do not belong together; "
            "give a code [Z] and posteriors [N, Z]."
        )
    log_q = -0.5 * ((z - mean).double() / std.double()).square().sum(1) - std.double().log().sum(1)
    return log_q.softmax(0)


def effective_images(share: Tensor) -> float:
    """How many images shares [N] are spread over: exp of their entropy, from 1 to N."""
    return torch.special.xlogy(share, share).sum().neg().exp().item()


def best_picture(share: Tensor, images: Callable[[Tensor], Tensor]) -> Tensor:
    """The mean [C, H, W] of N images with shares [N]; `images` fetches [B, C, H, W] of them by an index [B].

    Squared error and cross-entropy alike are least, on average over what shares a code, at its mean: it is what a
    decoder without limits would answer to this encoder (Bishop 2006, section 1.5.5, on the conditional mean).
    """
    used = (share > NEGLIGIBLE).nonzero().flatten()
    return torch.einsum("n,nchw->chw", share[used].float(), images(used))
