"""A codebook: every vector of a map becomes the nearest of K learned ones (van den Oord, Vinyals and Kavukcuoglu 2017).

Three things are learned, each from its own term: the decoder from the reconstruction, whose gradient the encoder gets
unchanged past the choice ("straight-through"); the codebook from the distance to what chose it, by gradient or by a
moving mean; the encoder from the commitment to what it chose.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_core.errors import InvalidInput
from vae_core.objective import PLAIN, Context

UPDATES = ("ema", "gradient")


class Quantised(NamedTuple):
    """A map of vectors [B, D, H, W] said by the codebook. Losses are squared distances, summed over D, H and W and
    averaged over the batch."""

    numbers: Tensor  # [B, H, W] int64, from 0 to K - 1
    vectors: Tensor  # [B, D, H, W]: the code vectors, with the gradient of the map itself (straight-through)
    codebook: Tensor  # |sg[z] - e|^2, whose gradient reaches the codebook alone; with a moving mean, nothing
    commitment: Tensor  # |z - sg[e]|^2, whose gradient reaches the encoder alone; beta is yet to weigh it
    perplexity: Tensor  # effective number of codes in this batch: at most as many as it has vectors


class Quantiser(nn.Module):
    """K codes of D dimensions. In training mode every forward pass also moves the codebook (update "ema") and brings
    dead codes back; in eval mode it changes nothing.

    `decay` belongs to the moving means. A code is dead when its moving share of the choices is below `restart` times
    that of a fair codebook, 1 / K; it is set to a vector of the batch at random (Dhariwal et al. 2020). 0: never.
    Several processes keep one codebook: they add up what they saw.
    """

    codes: Tensor  # [K, D]
    counts: Tensor  # [K]: moving mean of how often a code is chosen in a step

    def __init__(
        self, codes: int, dimensions: int, update: str = "ema", decay: float = 0.99, restart: float = 0.1
    ) -> None:
        super().__init__()
        for holds, what, value, allowed in (
            (2 <= codes <= 65_536, "codes", codes, "2 to 65536"),
            (1 <= dimensions <= 1024, "dimensions", dimensions, "1 to 1024"),
            (update in UPDATES, "update", update, " or ".join(UPDATES)),
            (0 <= decay < 1, "decay", decay, "0 to below 1"),
            (0 <= restart < 1, "restart", restart, "0 (never) to below 1"),
        ):
            if not holds:
                raise InvalidInput(f"{what} is {value!r}; allowed: {allowed}.")
        self.update, self.decay, self.restart = update, decay, restart
        start = torch.empty(codes, dimensions).uniform_(-1 / codes, 1 / codes)
        if update == "gradient":
            self.codes = nn.Parameter(start)
        else:
            self.register_buffer("codes", start)
        self.register_buffer("counts", torch.zeros(codes))

    def nearest(self, z: Tensor) -> Tensor:
        """Numbers [B, H, W] of the codes nearest to vectors [B, D, H, W]."""
        return self._nearest(_rows(z)).view(len(z), *z.shape[2:])

    def lookup(self, numbers: Tensor) -> Tensor:
        """Code vectors [B, D, H, W] for numbers [B, H, W]."""
        return self.codes[numbers].movedim(-1, 1)

    def forward(self, z: Tensor, context: Context = PLAIN) -> Quantised:
        """Vectors [B, D, H, W], in float32 whatever the products are computed in: near codes must not be mixed up."""
        z = z.float()
        rows = _rows(z)
        chosen = self._nearest(rows)  # [N]
        numbers = chosen.view(len(z), *z.shape[2:])
        codes = self.lookup(numbers)
        codebook, commitment = _distance(z.detach(), codes), _distance(z, codes.detach())
        with torch.no_grad():
            hits = _added(torch.zeros_like(self.counts), chosen, torch.ones_like(rows[:, 0]), context)  # [K]
            if self.training:
                self._learn(rows, chosen, hits, context)
        vectors = z + (codes - z).detach()  # forward the codes, backward as if nothing had happened
        return Quantised(numbers, vectors, codebook, commitment, perplexity(hits))

    @torch.no_grad()
    def _nearest(self, rows: Tensor) -> Tensor:
        with torch.autocast(rows.device.type, enabled=False):
            rows, codes = rows.float(), self.codes.float()
            # |z - e|^2 without |z|^2, which is the same for every code
            return torch.addmm((codes**2).sum(1), rows, codes.T, alpha=-2).argmin(1)

    @torch.no_grad()
    def _learn(self, rows: Tensor, chosen: Tensor, hits: Tensor, context: Context) -> None:
        """The moving means (van den Oord et al., appendix A.1), then dead codes. With m = N e, their new mean m / N is
        the step below: a code that nothing chose stays where it is."""
        self.counts.mul_(self.decay).add_(hits, alpha=1 - self.decay)
        if self.update == "ema":
            sums = _added(torch.zeros_like(self.codes), chosen, rows, context)  # [K, D]
            step = (1 - self.decay) * (sums - hits[:, None] * self.codes)
            self.codes.add_(step / self.counts.clamp_min(torch.finfo(step.dtype).tiny)[:, None])
        if self.restart:
            fair = len(rows) * context.world / len(self.codes)
            dead = self.counts < self.restart * fair
            self.codes.copy_(torch.where(dead[:, None], self._drawn(rows, context), self.codes))
            self.counts.copy_(torch.where(dead, fair, self.counts))

    def _drawn(self, rows: Tensor, context: Context) -> Tensor:
        """K vectors of the whole batch at random [K, D], the same in every process."""
        alone = replace(context, rank=0, world=1)
        draws = alone.uniform((len(self.codes),), rows)
        place = (draws * len(rows) * context.world).long() - context.rank * len(rows)
        mine = (place >= 0) & (place < len(rows))
        found = torch.where(mine[:, None], rows[place.clamp(0, len(rows) - 1)], 0.0)
        return _over_processes(found, context)


def perplexity(counts: Tensor) -> Tensor:
    """Effective number of codes, exp of the entropy of how often [K] each was chosen: 1 if always the same, K if all
    alike. It grows with the number of choices, so compare it only over the same images."""
    shares = counts / counts.sum().clamp_min(torch.finfo(counts.dtype).tiny)
    return torch.exp(-torch.special.xlogy(shares, shares).sum())


def _rows(z: Tensor) -> Tensor:
    """Vectors [B, D, H, W] as rows [B * H * W, D]."""
    return z.movedim(1, -1).reshape(-1, z.shape[1])


def _distance(first: Tensor, second: Tensor) -> Tensor:
    return ((first - second) ** 2).sum((1, 2, 3)).mean()


def _added(into: Tensor, chosen: Tensor, values: Tensor, context: Context) -> Tensor:
    """Values [N, ...] added up by the code that each chose, over all processes: [K, ...]."""
    return _over_processes(into.index_add_(0, chosen, values.to(into)), context)


def _over_processes(values: Tensor, context: Context) -> Tensor:
    if context.world > 1:
        torch.distributed.all_reduce(values)
    return values
