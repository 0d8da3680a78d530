"""What networks share that are shown what is left of a picture and asked for all of it."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from vae_core.objective import PLAIN, Context


class RestoringTerms(NamedTuple):
    """What a training step returns, averaged over the batch."""

    total: Tensor  # the objective
    recon: Tensor  # half the squared error, summed over C, H and W: nats per image of a Gaussian with sigma 1, less
    # its constant


class RestoringModel(nn.Module):
    """Makes whole pictures [B, C, H, W] of what `degraded` leaves of them. Its training needs no labels: every
    picture is its own answer."""

    Config: ClassVar[Any]
    is_generative: ClassVar[bool] = False
    needs_colour: ClassVar[bool] = False  # whether it makes sense for pictures of three channels only
    title: ClassVar[str]
    config: Any

    def degraded(self, x: Tensor) -> Tensor:
        """What the network is shown of whole pictures [B, C, H, W]."""
        raise NotImplementedError

    def baseline(self, shown: Tensor) -> Tensor:
        """Pictures [B, C, H, W] in [0, 1] that can be made of it without a network."""
        raise NotImplementedError

    def restored(self, shown: Tensor) -> Tensor:
        """Pictures [B, C, H, W] in [0, 1] that the network makes of what it is shown."""
        return self.mean(shown).clamp(0, 1)

    def mean(self, shown: Tensor) -> Tensor:
        """The same before it is cut off at [0, 1], which is what is trained."""
        raise NotImplementedError

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> Any:
        """Half the squared error of the pictures made of what `degraded` leaves of x [B, C, H, W]."""
        recon = 0.5 * (self.mean(self.degraded(x)).float() - x).square().sum((1, 2, 3)).mean()
        return RestoringTerms(recon, recon)
