"""How much of a picture's edges a reconstruction keeps."""

from __future__ import annotations

from torch import Tensor

from vae_core.errors import InvalidInput


def edge_energy(x: Tensor) -> Tensor:
    """Sum of the squared differences of neighbouring pixels, along rows and columns, of pictures [B, C, H, W]: [B].

    The energy of the image gradient, a measure of focus (Subbarao, Choi and Nikzad 1993). An edge that is spread over
    k pixels keeps a k-th of it.
    """
    if x.ndim != 4:
        raise InvalidInput(f"Pictures of shape {tuple(x.shape)} have no edges to measure; they must be [B, C, H, W].")
    down, across = x.diff(dim=-2), x.diff(dim=-1)
    return down.square().sum((1, 2, 3)) + across.square().sum((1, 2, 3))


def sharpness(pictures: Tensor, originals: Tensor) -> float:
    """Edge energy of pictures [B, C, H, W] as a share of that of their originals, all pictures taken together: 1 for
    equal ones, below 1 for blurred ones."""
    return (edge_energy(pictures).sum() / edge_energy(originals).sum()).item()
