"""Sprites: white shapes on black, 64x64, made from five known factors, in the manner of dSprites.

Ours are rendered, not downloaded: 3 shapes x 6 scales x 40 rotations x 32 x 32 positions = 737,280 binary
images (the factors of Matthey et al. 2017, dSprites). Only the 720 centred sprites are drawn; a batch is put
together on the device by shifting them, so no data set is ever stored. 10,000 combinations, chosen once by a
fixed seed, are held out as the test split and never shown in training.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from vae_core.data.base import Dataset, ImageSource, Split

SIDE = 64
SHAPES = ("square", "ellipse", "heart")
FACTORS = ("shape", "scale", "rotation", "position x", "position y")
SIZES = (len(SHAPES), 6, 40, 32, 32)
COUNT = math.prod(SIZES)
HELD_OUT = 10_000
PATCH = 33  # pixels; the largest sprite, whichever way it is turned, fits in a patch of this side
OVERSAMPLING = 4  # points along one side of a pixel that vote on whether the pixel is inside the shape
LARGEST = 11.0  # pixels: half the side of the largest square
SCALES = torch.linspace(0.5, 1.0, SIZES[1])


def inside(shape: str, x: Tensor, y: Tensor) -> Tensor:
    """Whether points lie inside a shape of unit size, y upwards; the three have nearly the same area."""
    if shape == "square":
        return (x.abs() <= 1) & (y.abs() <= 1)
    if shape == "ellipse":
        return (x / 0.8) ** 2 + (y / 1.4) ** 2 <= 1
    x, y = x / 1.12, (y + 0.15) / 1.12  # the heart curve (x^2 + y^2 - 1)^3 = x^2 y^3
    return (x**2 + y**2 - 1) ** 3 - x**2 * y**3 <= 0


@lru_cache(maxsize=1)
def centred_sprites() -> Tensor:
    """The 720 sprites without their position, [3 * 6 * 40, PATCH, PATCH] uint8, each 0 or 1."""
    steps = PATCH * OVERSAMPLING
    axis = (torch.arange(steps) + 0.5) / OVERSAMPLING - PATCH / 2  # pixels from the centre
    y, x = torch.meshgrid(-axis, axis, indexing="ij")
    patches = []
    for shape in SHAPES:
        for scale in SCALES.tolist():
            radius = LARGEST * scale
            for turn in range(SIZES[2]):
                angle = 2 * math.pi * turn / SIZES[2]
                along = (math.cos(angle) * x + math.sin(angle) * y) / radius
                across = (-math.sin(angle) * x + math.cos(angle) * y) / radius
                votes = inside(shape, along, across).float()
                patches.append(torch.nn.functional.avg_pool2d(votes[None], OVERSAMPLING)[0] >= 0.5)
    return torch.stack(patches).to(torch.uint8)


@lru_cache(maxsize=1)
def split_indices() -> dict[str, Tensor]:
    """Flat factor indices of both splits; fixed for ever by the seed."""
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(20171))
    return {"test": order[:HELD_OUT], "train": order[HELD_OUT:]}


def to_factors(flat: Tensor) -> Tensor:
    """Flat indices [B] -> factors [B, 5] in the order of FACTORS; the last one runs fastest."""
    columns = []
    for size in reversed(SIZES):
        columns.append(flat % size)
        flat = flat // size
    return torch.stack(columns[::-1], dim=-1)


def render(factors: Tensor, bank: Tensor) -> Tensor:
    """Images [B, 1, 64, 64] in {0, 1} for factors [B, 5], with the bank of `centred_sprites` padded by a zero
    row and column on every side ([720, PATCH + 2, PATCH + 2]) on the same device."""
    shape, scale, turn, column, row = factors.unbind(-1)
    patch = (shape * SIZES[1] + scale) * SIZES[2] + turn
    pixels = torch.arange(SIDE, device=bank.device)
    # Positions are whole pixels: centres 16 ... 47. Pixel 0 of the padded bank is the zero border.
    top = (pixels - row[:, None] + PATCH // 2 - SIDE // 4 + 1).clamp_(0, PATCH + 1)  # [B, 64]
    left = (pixels - column[:, None] + PATCH // 2 - SIDE // 4 + 1).clamp_(0, PATCH + 1)
    return bank[patch[:, None, None], top[:, :, None], left[:, None, :]].float()[:, None]


class RenderedSprites:
    """One split of the sprites, rendered when asked for."""

    shape = (1, SIDE, SIDE)
    is_resident = True

    def __init__(self, split: Split, device: torch.device | str) -> None:
        flat = split_indices()[split]
        self.flat = flat.to(device)
        self.bank = torch.nn.functional.pad(centred_sprites(), (1, 1, 1, 1)).to(device)
        # Only the test split is small enough for tables that pages and metrics look at.
        self.factors: Tensor | None = to_factors(flat) if split == "test" else None
        self.labels = (flat // (COUNT // SIZES[0])).to(torch.uint8)

    def __len__(self) -> int:
        return len(self.flat)

    def images(self, index: Tensor) -> Tensor:
        return render(to_factors(self.flat[index]), self.bank)


def open_split(split: Split, device: torch.device | str) -> ImageSource:
    return RenderedSprites(split, device)


SPRITES = Dataset(
    name="sprites",
    title="Sprites",
    shape=(1, SIDE, SIDE),
    class_names=SHAPES,
    origin="rendered by this project from the five factors of dSprites (Matthey, Higgins, Hassabis, Lerchner 2017)",
    licence="MIT, as the project",
    open_split=open_split,
    factor_names=FACTORS,
    factor_sizes=SIZES,
    grey=False,
)
