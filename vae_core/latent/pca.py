"""Principal component analysis by eigendecomposition, and the angles between two subspaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from vae_core.errors import InvalidInput

ROWS = 2000  # images at a time


class Source(Protocol):
    """Images by their index."""

    def __len__(self) -> int: ...

    def images(self, index: Tensor) -> Tensor: ...


class Moments(NamedTuple):
    """All that a squared error of affine maps can know of N images."""

    mean: Tensor  # [P], float64, P = C H W
    covariance: Tensor  # [P, P], float64, about the mean, divided by N
    images: int


class PCA(NamedTuple):
    """The first K principal components of N images, the one with the largest variance first."""

    mean: np.ndarray  # [P]
    directions: np.ndarray  # [K, P], orthonormal; each turned so that its largest weight is positive
    variances: np.ndarray  # [K], squared pixels, divided by N
    total: float  # variance of all P pixels together

    def encode(self, x: np.ndarray, latent: int | None = None) -> np.ndarray:
        """Codes [B, Z] of flat images [B, P]; Z is `latent`, or K."""
        return (x - self.mean) @ self.directions[:latent].T

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Flat images [B, P] of codes [B, Z]; nothing is clipped."""
        return z @ self.directions[: z.shape[1]] + self.mean


def summing(source: Source) -> Iterator[tuple[int, Moments | None]]:
    """Mean and covariance of all images: yields (images seen, None) after each part, and the moments with the last.

    Summed about the first part's mean, in float32 within a part and in float64 over the parts.
    """
    if len(source) < 2:
        raise InvalidInput(f"{len(source)} image has no variance; give two or more.")
    total: Tensor | None = None
    for index in torch.arange(len(source)).split(ROWS):
        x = source.images(index).flatten(1)  # [B, P]
        if total is None:
            about = x.mean(0)
            total = torch.zeros(x.shape[1], dtype=torch.float64)
            products = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
        x = x - about
        total += x.double().sum(0)
        products += (x.T @ x).double()
        seen = int(index[-1]) + 1
        if seen < len(source):
            yield seen, None
    assert total is not None
    shift = total / len(source)
    yield len(source), Moments(about.double() + shift, products / len(source) - torch.outer(shift, shift), len(source))


def moments(source: Source) -> Moments:
    """Mean and covariance of all images of a source."""
    for _, found in summing(source):
        if found is not None:
            return found
    raise AssertionError("the last part brings the moments")


def pca(data: Moments, components: int) -> PCA:
    """The first K principal components from the eigenvectors of the covariance."""
    size = len(data.mean)
    if not 1 <= components <= size:
        raise InvalidInput(f"{components} principal components were asked for; choose 1 to {size}, the pixels.")
    values, vectors = torch.linalg.eigh(data.covariance)  # rising
    directions = vectors.T.flip(0)[:components]  # [K, P]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    directions = directions * torch.where(largest < 0, -1.0, 1.0)
    variances = values.flip(0)[:components].clamp_min(0)
    return PCA(data.mean.numpy(), directions.numpy(), variances.numpy(), float(values.clamp_min(0).sum()))


def principal_angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The angles [min(K, L)], in degrees, rising, between the subspaces that the columns of [P, K] and [P, L] span.

    Both sines and cosines are looked at, for an arc cosine near 1 loses half of its digits (Bjorck and Golub 1973;
    Knyazev and Argentati 2002).
    """
    if len(a) != len(b):
        raise InvalidInput(
            f"Subspaces of {len(a)} and of {len(b)} dimensions have no angle; give columns of one length."
        )
    qa, qb = np.linalg.qr(np.asarray(a, float))[0], np.linalg.qr(np.asarray(b, float))[0]
    if qa.shape[1] < qb.shape[1]:
        qa, qb = qb, qa
    cosines = np.linalg.svd(qa.T @ qb, compute_uv=False).clip(0, 1)  # falling
    sines = np.linalg.svd(qb - qa @ (qa.T @ qb), compute_uv=False).clip(0, 1)[::-1]  # rising
    return np.degrees(np.where(cosines**2 < 0.5, np.arccos(cosines), np.arcsin(sines)))
