"""A normalizing flow over codes: an invertible network that turns a normal distribution into theirs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vae_core.errors import InvalidInput

MOST_STRETCH = 2.0  # log of what one layer may scale a latent by, so that no layer can make it vanish


class Coupling(nn.Module):
    """Half of the latents stay; they decide how the others are scaled and moved (Dinh, Sohl-Dickstein and Bengio 2017,
    "Real NVP", equations 7 and 8)."""

    stays: Tensor  # [Z], 1 for those that stay

    def __init__(self, stays: Tensor, hidden: int) -> None:
        super().__init__()
        self.register_buffer("stays", stays, persistent=False)
        latent = len(stays)
        last = nn.Linear(hidden, 2 * latent)
        nn.init.zeros_(last.weight)  # a layer begins by changing nothing
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last
        )  # fmt: skip

    def _stretch_and_shift(self, z: Tensor) -> tuple[Tensor, Tensor]:
        stretch, shift = self.network(z * self.stays).chunk(2, dim=1)
        moves = 1 - self.stays
        return MOST_STRETCH * torch.tanh(stretch / MOST_STRETCH) * moves, shift * moves

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Points [N, Z] one layer nearer to noise, and the log of the change of volume [N]."""
        stretch, shift = self._stretch_and_shift(z)
        return z * stretch.exp() + shift, stretch.sum(1)

    def back(self, z: Tensor) -> Tensor:
        """The inverse."""
        stretch, shift = self._stretch_and_shift(z)
        return (z - shift) * (-stretch).exp()


class Flow(nn.Module):
    """log p(z) = log N(f(z); 0, I) + log |det df/dz| for an invertible f: coupling layers, after the codes' mean and
    standard deviation are taken out."""

    mean: Tensor  # [Z]
    std: Tensor  # [Z]

    def __init__(self, latent: int, layers: int = 8, hidden: int = 64) -> None:
        super().__init__()
        if latent < 2:
            raise InvalidInput(f"A coupling needs two latents or more, there is {latent}; fit a mixture.")
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("std", torch.ones(latent))
        place = torch.arange(latent)
        halves = (place % 2, (place >= latent // 2).long())  # every other one, or the second half
        self.layers = nn.ModuleList(
            Coupling((halves[layer // 2 % 2] == layer % 2).float(), hidden) for layer in range(layers)
        )

    def to_noise(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """f(z) [N, Z] for points [N, Z], and log |det df/dz| [N]."""
        u, volume = (z - self.mean) / self.std, -self.std.log().sum().expand(len(z))
        for layer in self.layers:
            u, change = layer(u)
            volume = volume + change
        return u, volume

    def from_noise(self, u: Tensor) -> Tensor:
        """The points [N, Z] that `to_noise` turns into u [N, Z]."""
        for layer in reversed(self.layers):
            u = layer.back(u)  # type: ignore[operator]
        return self.mean + self.std * u

    def log_density(self, points: Tensor) -> Tensor:
        """log p(z) of points [N, Z]: [N], nats."""
        u, volume = self.to_noise(points)
        return volume - 0.5 * (u.square().sum(1) + u.shape[1] * math.log(2 * math.pi))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draws [N, Z]."""
        return self.from_noise(torch.randn(count, len(self.mean), generator=generator))


def fit_flow(
    flow: Flow, codes: Tensor, steps: int = 3000, batch: int = 512, lr: float = 2e-3, seed: int = 0
) -> Iterator[float]:
    """Fit a flow to codes [N, Z] by maximum likelihood (Adam, the rate falling to 0), yielding -log p of each batch,
    nats. A "second stage" after the autoencoder, as in Dai and Wipf 2019, who take a second VAE."""
    with torch.no_grad():
        flow.mean.copy_(codes.mean(0))
        flow.std.copy_(codes.std(0).clamp_min(1e-6))
    noise = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(flow.parameters(), lr=lr)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        index = torch.randint(len(codes), (batch,), generator=noise)
        loss = -flow.log_density(codes[index]).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 10.0)
        optimiser.step()
        falling.step()
        yield loss.item()
