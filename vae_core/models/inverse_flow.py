"""A VAE with an inverse autoregressive flow as its posterior (Kingma, Salimans, Jozefowicz et al. 2016): a Gaussian
draw is bent, step by step, by masked autoregressive networks (MADE: Germain, Gregor, Murray and Larochelle 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, linear, logsigmoid

from vae_core.errors import require
from vae_core.models.base import LOGVAR_BOUNDS
from vae_core.models.drawn import Condition, Draw, DrawnVAE
from vae_core.models.parts import mlp_decoder, mlp_encoder
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context

OPEN = 2.0  # added to a gate's logit, so that a new flow changes little (Kingma et al. 2016, section 4)


@dataclass(frozen=True)
class InverseFlowConfig:
    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    latent: int = 2
    hidden: tuple[int, ...] = (512, 256, 128)  # widths from the image to the latent; the decoder mirrors them
    activation: str = "gelu"
    steps: int = 2  # of the flow; 0 is the diagonal Gaussian
    width: int = 200  # of a step's hidden layer
    context: int = 50  # numbers that the encoder tells every step of the flow

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "image", "latent", "hidden", "activation"),
            (0 <= self.steps <= 32, "steps", "0 to 32"),
            (1 <= self.width <= 4096, "width", "1 to 4096"),
            (1 <= self.context <= 1024, "context", "1 to 1024"),
        )


class MaskedLinear(nn.Linear):
    """A linear layer that lets an output see only inputs of the degrees that its own allows."""

    mask: Tensor

    def __init__(self, seen: Tensor, seeing: Tensor, *, strictly: bool) -> None:
        """`seen` and `seeing` are the degrees of the inputs [I] and the outputs [O]: an output sees inputs of at most
        its own degree, or of less than that."""
        super().__init__(len(seen), len(seeing))
        allowed = seeing[:, None] > seen if strictly else seeing[:, None] >= seen
        self.register_buffer("mask", allowed.float())  # kept in files, whose reader builds no tensor itself

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.mask * self.weight, self.bias)


class FlowStep(nn.Module):
    """z_i -> g_i z_i + (1 - g_i) m_i, where gate g_i and target m_i are functions of z_1 ... z_(i-1) and a context."""

    def __init__(self, latent: int, width: int, context: int) -> None:
        super().__init__()
        order = torch.arange(latent)
        degrees = torch.arange(width) % max(1, latent - 1)
        self.inside = MaskedLinear(order, degrees, strictly=False)
        self.told = nn.Linear(context, width, bias=False)
        self.outside = MaskedLinear(degrees, order.repeat(2), strictly=True)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """z [B, Z] and context [B, C] -> the next z, and log dz'_i / dz_i [B, Z]: the Jacobian is triangular, so their
        sum is the logarithm of its determinant."""
        target, gate = self._judged(z, context)
        return torch.sigmoid(gate) * z + torch.sigmoid(-gate) * target, logsigmoid(gate)

    def inverse(self, z: Tensor, context: Tensor) -> Tensor:
        """The z [B, Z] that this step would have sent here: one latent after the other, so Z times slower."""
        found = torch.zeros_like(z)
        for latent in range(z.shape[1]):
            target, gate = self._judged(found, context)
            back = (z - torch.sigmoid(-gate) * target) / torch.sigmoid(gate)
            found = torch.cat([found[:, :latent], back[:, latent : latent + 1], found[:, latent + 1 :]], dim=1)
        return found

    def _judged(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Targets and logits of the gates, [B, Z] each."""
        target, gate = self.outside(elu(self.inside(z) + self.told(context))).to(z.dtype).chunk(2, dim=1)
        return target, gate + OPEN


class Flow(nn.Module):
    """Steps one after the other; between two of them the latents change their order, so that each comes first once."""

    def __init__(self, latent: int, steps: int, width: int, context: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(FlowStep(latent, width, context) for _ in range(steps))

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """z [B, Z] -> its image, and for each latent of it the sum of log dz' / dz over the steps: [B, Z]."""
        stretched = torch.zeros_like(z)
        for step in self.steps:
            z, logs = step(z, context)
            z, stretched = z.flip(1), (stretched + logs).flip(1)
        return z, stretched

    def inverse(self, z: Tensor, context: Tensor) -> Tensor:
        """The z [B, Z] that the flow would have sent here."""
        for step in reversed(self.steps):
            z = step.inverse(z.flip(1), context)  # type: ignore[operator]
        return z


class InverseFlowVAE(DrawnVAE):
    """A VAE's encoder, decoder and prior N(0, I); its draw of z goes through a flow before it is decoded."""

    Config = InverseFlowConfig
    title = "VAE with an inverse autoregressive flow"

    def __init__(self, config: InverseFlowConfig) -> None:
        super().__init__()
        self.config = config
        outputs = 2 * config.latent + config.context
        self.flow = Flow(config.latent, config.steps, config.width, config.context)
        self.encoder = mlp_encoder(config.image, config.hidden, outputs, config.activation)
        self.decoder = mlp_decoder(config.image, config.hidden, config.latent, config.activation)

    def condition(self, x: Tensor) -> Condition:
        """Mean and log-variance [B, Z] of the draw before the flow, and the context [B, C] of its steps."""
        latent = self.config.latent
        mean, logvar, context = self.encoder(x).split([latent, latent, self.config.context], dim=1)
        return mean, logvar.clamp(*LOGVAR_BOUNDS), context

    def draw(self, condition: Condition, context: Context = PLAIN) -> Draw:
        mean, logvar, told = condition
        noise = context.normal(mean)
        z, stretched = self.flow(mean + torch.exp(0.5 * logvar) * noise, told)
        # log N(z0; mean, var) - log |dz / dz0| - log N(z; 0, I): the constants cancel (equation 11)
        before = -0.5 * (noise**2 + logvar)
        if len(self.flow.steps) % 2:
            before = before.flip(1)  # in the order in which z leaves the flow
        return Draw(z, before - stretched + 0.5 * z**2)

    def prior_codes(self, count: int, context: Context = PLAIN) -> Tensor:
        return context.normal(next(self.parameters()).new_empty(count, self.config.latent))
