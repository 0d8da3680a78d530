"""A prior over code maps: every code is drawn given all that come before it in reading order (van den Oord et al. 2016,
"Conditional Image Generation with PixelCNN Decoders"), and given a coarser map where there is one (Razavi, van den Oord
and Vinyals 2019)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from vae_core.errors import InvalidInput, require
from vae_core.models.rules import SIZES, is_allowed, usual
from vae_core.models.vq_vae import Bypassed
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class PixelCNNConfig:
    LATER: ClassVar[dict[str, Any]] = {"level": 0, "given": 0}  # what it meant where a file lacks them

    image: tuple[int, int, int] = (1, 7, 7)  # of the code map: 1, h, w; 2, h, w with a given map beside it
    codes: int = 512  # K
    codes_of: str = ""  # the bundled model whose code maps it learns; empty: the images are code maps themselves
    level: int = 0  # which of that model's maps, the coarsest first
    given: int = 0  # codes of the next coarser map, which it is told; 0: none
    width: int = 64  # channels
    layers: int = 6
    reach: int = 3  # cells across that a layer sees of a row above: odd; of its own row, the left half
    classes: int = 0  # labels that it is told; 0: none
    dropout: float = 0.1

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "codes"),
            (len(self.image) == 3 and self.image[0] == 1 + bool(self.given), "image",
             "(1, height, width), or (2, height, width) with a given map"),
            (is_allowed(self.image), "image", SIZES),
            (0 <= self.level <= 8, "level", "0 (the coarsest) to 8"),
            (self.given == 0 or 2 <= self.given <= 65_536, "given", "0 (no map), or 2 to 65536 codes"),
            (1 <= self.width <= 1024, "width", "1 to 1024 channels"),
            (1 <= self.layers <= 64, "layers", "1 to 64"),
            (1 <= self.reach <= 15 and self.reach % 2 == 1, "reach", "odd numbers from 1 to 15"),
            (0 <= self.classes <= 1000, "classes", "0 (none) to 1000"),
            (0 <= self.dropout < 1, "dropout", "0 to below 1"),
        )  # fmt: skip


class PixelCNNTerms(NamedTuple):
    total: Tensor  # -log p(map), nats per map
    per_code: Tensor  # the same divided by the codes of a map; log K for uniform codes


class Above(nn.Conv2d):
    """A convolution that sees the row of a cell and those above it (`own` False: those above it alone)."""

    def __init__(self, fan_in: int, fan_out: int, reach: int, own: bool) -> None:
        super().__init__(fan_in, fan_out, (reach // 2 + 1, reach))
        self.reach, self.own = reach, own

    def forward(self, x: Tensor) -> Tensor:
        side, rows = self.reach // 2, self.kernel_size[0]
        if self.own:
            return super().forward(pad(x, (side, side, rows - 1, 0)))
        return super().forward(pad(x, (side, side, rows, 0)))[:, :, :-1]


class Before(nn.Conv2d):
    """A convolution along a row that sees a cell and those left of it (`own` False: those left of it alone)."""

    def __init__(self, fan_in: int, fan_out: int, reach: int, own: bool) -> None:
        super().__init__(fan_in, fan_out, (1, reach // 2 + 1))
        self.own = own

    def forward(self, x: Tensor) -> Tensor:
        cells = self.kernel_size[1]
        if self.own:
            return super().forward(pad(x, (cells - 1, 0, 0, 0)))
        return super().forward(pad(x, (cells, 0, 0, 0)))[..., :-1]


class Layer(nn.Module):
    """Two stacks, so that no cell above is out of sight: one sees the rows above, the other the row at hand and what
    the first one found. Each is gated by its own other half; the label and the given map push both (van den Oord et al.
    2016, eq. 4 and section 2.3).
    """

    def __init__(self, width: int, reach: int, classes: int, given: bool, first: bool) -> None:
        super().__init__()
        self.above = Above(width, 2 * width, reach, own=not first)
        self.before = Before(width, 2 * width, reach, own=not first)
        self.down = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.label = table(classes, 4 * width) if classes else None
        self.given = nn.Conv2d(width, 4 * width, 1) if given else None
        self.first = first

    def told(self, labels: Tensor | None, around: Tensor | None) -> Tensor | None:
        """What labels [B] and the features [B, width, h, w] of a given map push: [B, 4 width, h, w], sides of 1 where
        there is no map; the first half for the first stack. None where there is neither."""
        parts = []
        if self.label is not None and labels is not None:
            parts.append(self.label(labels)[:, :, None, None])
        if self.given is not None and around is not None:
            parts.append(self.given(around))
        return sum(parts[1:], parts[0]) if parts else None

    def seen_above(self, above: Tensor, told: Tensor | None) -> Tensor:
        """What the first stack finds [B, 2 width, h, w] in its features [B, width, h, w], before its gate."""
        return self.above(above) + half(told, 0)

    def seen_before(self, before: Tensor, upper: Tensor, told: Tensor | None) -> Tensor:
        """The second stack's features [B, width, h, w], one layer on."""
        fresh = self.out(gated(self.before(before) + self.down(upper) + half(told, 1)))
        return fresh if self.first else before + fresh  # past the first layer, which must not let a cell see itself


class PixelCNN(nn.Module):
    """p(c) = product over cells of p(c_i | cells before i, label, given map). The images that it is trained on are code
    maps: number k of K codes as the grey value k / K; the given map, of which a cell sees what lies around
    it, before and after, is a second channel, each of its codes as large as the cells that it stands for."""

    Config = PixelCNNConfig
    title = "prior over code maps"
    is_generative = True

    def __init__(self, config: PixelCNNConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = table(config.codes, config.width)
        self.layers = nn.ModuleList(
            Layer(config.width, config.reach, config.classes, given=config.given > 0, first=number == 0)
            for number in range(config.layers)
        )
        self.coarse = table(config.given, config.width) if config.given else None
        self.around = surroundings(config.width) if config.given else None
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv2d(config.width, config.width, 1), nn.ReLU(), nn.Conv2d(config.width, config.codes, 1)
        )

    @property
    def stack(self) -> list[Layer]:
        return cast("list[Layer]", list(self.layers))

    def told(self, labels: Tensor | None, given: Tensor | None) -> list[Tensor | None]:
        """What each layer is told by labels [B] and a given map [B, h', w'], of at most the sides of the code map."""
        around = None
        if self.coarse is not None and self.around is not None:
            if given is None:
                raise InvalidInput("This prior needs a coarser code map; hand it one as `given`.")
            around = self.around(self.coarse(enlarged(given, self.config.image[1:])).movedim(-1, 1))
        return [layer.told(labels, around) for layer in self.stack]

    def logits(
        self, numbers: Tensor, labels: Tensor | None = None, context: Context = PLAIN, given: Tensor | None = None
    ) -> Tensor:
        """Logits [B, K, h, w] of every code given those before it, for code numbers [B, h, w], labels [B] and a given
        map [B, h', w']."""
        above = before = self.embedding(numbers).movedim(-1, 1)
        for layer, told in zip(self.stack, self.told(labels, given), strict=True):
            upper = layer.seen_above(above, told)
            above, before = gated(upper), layer.seen_before(before, upper, told)
            if self.training:
                above, before = (context.dropout(each, self.config.dropout) for each in (above, before))
        return self.head(before).float()

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> PixelCNNTerms:
        """-log p of code maps [B, 1, h, w], each number k as k / K; with a given map as a second channel."""
        numbers = numbers_of(x, self.config.codes)
        given = numbers_of(x[:, 1:], self.config.given) if self.config.given else None
        told = labels.to(x.device).long() if self.config.classes and labels is not None else None
        logits = self.logits(numbers, told, context, given)
        total = cross_entropy(logits, numbers, reduction="sum") / len(x)
        return PixelCNNTerms(total, total / math.prod(self.config.image[1:]))

    @torch.no_grad()
    def sample(
        self, uniform: Tensor, labels: Tensor | None = None, temperature: float = 1.0, given: Tensor | None = None
    ) -> Tensor:
        """Code numbers [B, h, w] from draws in [0, 1) of the same shape, cell by cell in reading order, given a map
        [B, h', w'] where the prior needs one. A temperature below 1 prefers likely codes."""
        told = self.told(labels, given)
        numbers = torch.zeros(uniform.shape, dtype=torch.long, device=uniform.device)
        for row in range(uniform.shape[1]):
            uppers = self._rows_above(numbers[:, : row + 1], [rows(each, slice(row + 1)) for each in told])
            beside = [rows(each, slice(row, row + 1)) for each in told]
            for cell in range(uniform.shape[2]):
                shares = torch.softmax(self._at(numbers[:, row, : cell + 1], uppers, beside) / temperature, dim=1)
                drawn = torch.searchsorted(shares.cumsum(1), uniform[:, row, cell, None].contiguous(), right=True)
                numbers[:, row, cell] = drawn[:, 0].clamp_max(self.config.codes - 1)
        return numbers

    def _rows_above(self, numbers: Tensor, told: list[Tensor | None]) -> list[Tensor]:
        """What each layer finds above the last row of code numbers [B, r, w]: [B, 2 width, 1, w] each."""
        above, found = self.embedding(numbers).movedim(-1, 1), []
        for layer, each in zip(self.stack, told, strict=True):
            upper = layer.seen_above(above, each)
            found.append(upper[:, :, -1:])
            above = gated(upper)
        return found

    def _at(self, row: Tensor, uppers: list[Tensor], told: list[Tensor | None]) -> Tensor:
        """Logits [B, K] of the last cell of a row of code numbers [B, n], whose own number changes nothing."""
        before = self.embedding(row).movedim(-1, 1)[:, :, None]
        cells = slice(row.shape[1])
        for layer, upper, each in zip(self.stack, uppers, told, strict=True):
            before = layer.seen_before(before, upper[..., cells], None if each is None else each[..., cells])
        return self.head(before[..., -1:])[:, :, 0, 0].float()


def surroundings(width: int) -> nn.Sequential:
    """Features [B, width, h, w] of a given map, each of a cell and those around it."""
    return nn.Sequential(
        nn.Conv2d(width, width, 5, padding=2), Bypassed(width, width), Bypassed(width, width), nn.ReLU()
    )


def table(rows: int, width: int) -> nn.Embedding:
    """Learned vectors [rows, width], of variance 1 at first. Uniform: normal ones would make PyTorch load half of its
    compiler when a stored model is rebuilt without memory, which takes seconds."""
    return nn.Embedding.from_pretrained(torch.empty(rows, width).uniform_(-(3**0.5), 3**0.5), freeze=False)


def numbers_of(x: Tensor, codes: int) -> Tensor:
    """Code numbers [B, h, w] of code maps [B, 1, h, w], number k as k / K."""
    return (x[:, 0] * codes).round().long().clamp(0, codes - 1)


def enlarged(numbers: Tensor, sides: tuple[int, ...]) -> Tensor:
    """A map [B, h', w'] with every code as large as the cells that it stands for: [B, *sides]."""
    down, across = (-(-side // own) for side, own in zip(sides, numbers.shape[1:], strict=True))
    return numbers.repeat_interleave(down, 1).repeat_interleave(across, 2)[:, : sides[0], : sides[1]]


def rows(told: Tensor | None, at: slice) -> Tensor | None:
    """Some rows of what is told [B, 4 width, h, w]; all of it where it is the same for every cell."""
    return told if told is None or told.shape[2] == 1 else told[:, :, at]


def half(told: Tensor | None, stack: int) -> Tensor | float:
    """What one of the two stacks is told: [B, 2 width, h, w]."""
    return 0.0 if told is None else told.chunk(2, dim=1)[stack]


def gated(x: Tensor) -> Tensor:
    """[B, 2 C, h, w] -> [B, C, h, w]: what is said, times how much of it is let through."""
    said, gate = x.chunk(2, dim=1)
    return torch.tanh(said) * torch.sigmoid(gate)
