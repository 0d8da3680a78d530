"""Grey images seen as one fixed draw of black and white: what a model trained on such draws is scored on."""

from __future__ import annotations

import torch
from torch import Tensor

from vae_core.data.base import ImageSource

WORD = 0xFFFF_FFFF  # 32 bits, kept in int64 because not every device has unsigned arithmetic


class Binarised:
    """A source whose pixels are drawn as 0 or 1, each with its grey value as the probability of 1.

    The draw hangs on the seed, the image and the pixel alone: an image is the same in whatever batch and on
    whatever device it is asked for.
    """

    def __init__(self, source: ImageSource, seed: int) -> None:
        self.source = source
        self.seed = seed
        self.shape = source.shape
        self.labels = source.labels
        self.factors = source.factors
        self.is_resident = source.is_resident

    def __len__(self) -> int:
        return len(self.source)

    def images(self, index: Tensor) -> Tensor:
        grey = self.source.images(index)  # [B, C, H, W], multiples of 1/255
        levels = (grey.flatten(1) * 255).round_().long()
        draws = random_words(self.seed, index.to(grey.device), levels.shape[1])
        # Whole numbers only, so that devices which round differently still agree: 0 ... 254 below the level.
        return ((draws.mul_(255) >> 32) < levels).to(grey.dtype).view_as(grey)


def random_words(seed: int, index: Tensor, count: int) -> Tensor:
    """Random 32-bit words [B, count], as int64, for images [B] by number: a hash of (seed, image, pixel)."""
    place = torch.arange(count, device=index.device)
    start = torch.tensor([seed & WORD, seed >> 32 & WORD], device=index.device)
    key = scrambled(scrambled(start[:1]) ^ start[1:])  # [1]
    image = scrambled(scrambled(key ^ (index.long() & WORD)))  # [B]
    return scrambled((image[:, None] + scrambled(place)) & WORD)


def scrambled(words: Tensor) -> Tensor:
    """A bijection of 32-bit words in which every bit moves half of the others (Wellons 2018, "lowbias32")."""
    words = words ^ words >> 16
    words.mul_(0x7FEB_352D).bitwise_and_(WORD)
    words.bitwise_xor_(words >> 15)
    words.mul_(0x846C_A68B - 2**32).bitwise_and_(WORD)  # the same modulo 2^32, without leaving 64 bits
    return words.bitwise_xor_(words >> 16)
