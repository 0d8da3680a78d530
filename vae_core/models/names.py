"""A variational autoencoder of words: one recurrent network reads a name, another writes it letter by letter (Bowman,
Vilnis, Vinyals, Dai, Jozefowicz and Bengio 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vae_core.errors import require
from vae_core.losses import kl_to_standard_normal
from vae_core.models.base import LossTerms, Posterior, gaussian_posterior
from vae_core.models.parts import LatentLinear
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context

END = 0  # the letter that closes a name
IMPOSSIBLE = -1e4  # as a logit: its probability is 0 in float32, and 0 times it is 0


@dataclass(frozen=True)
class NameConfig:
    image: tuple[int, int, int] = (1, 16, 27)  # 1, places T, letters A; letter 0 is the end
    latent: int = 16
    embedding: int = 24  # numbers that stand for a letter
    reader: int = 80  # width of the encoder's GRU, in each direction
    writer: int = 128  # width of the decoder's GRU
    word_dropout: float = 0.0  # share of the letters that the decoder is not shown in training
    beta: float = 1.0  # weighs the KL in the objective, never in a reported ELBO

    def __post_init__(self) -> None:
        require(
            self,
            *usual(self, "latent", "beta"),
            (len(self.image) == 3 and self.image[0] == 1, "image", "(1, places, letters)"),
            (all(2 <= side <= 256 for side in self.image[1:]), "image", "2 to 256 places and letters"),
            (1 <= self.embedding <= 1024, "embedding", "1 to 1024"),
            (1 <= self.reader <= 2048, "reader", "1 to 2048"),
            (1 <= self.writer <= 2048, "writer", "1 to 2048"),
            (0 <= self.word_dropout <= 1, "word_dropout", "a share from 0 to 1"),
        )


class NameVAE(nn.Module):
    """p(x | z) = prod_t p(letter t | letters before t, z): exact, so all names of up to T - 1 letters share
    probability 1. The prior is N(0, I).

    A decoder that sees all letters before may do without z: then q(z | x) falls back to the prior and the KL to 0,
    which is called posterior collapse.
    """

    Config = NameConfig
    title = "VAE of names"
    is_generative = True
    reads_letters = True  # its images are words: one-hot rows, the end, and then empty ones
    is_recordable = False  # nobody has tried a recurrent layer in a recorded step yet

    def __init__(self, config: NameConfig) -> None:
        super().__init__()
        self.config = config
        letters = config.image[2]
        self.start, self.hidden = letters, letters + 1  # what the decoder is shown first, and for a dropped letter
        self.seen = nn.Embedding(letters, config.embedding)
        self.reader = nn.GRU(config.embedding, config.reader, batch_first=True, bidirectional=True)
        self.to_posterior = LatentLinear(2 * config.reader, 2 * config.latent)
        self.written = nn.Embedding(letters + 2, config.embedding)
        self.first = LatentLinear(config.latent, config.writer)
        self.writer = nn.GRU(config.embedding + config.latent, config.writer, batch_first=True)
        self.to_letter = LatentLinear(config.writer, letters)

    def encode(self, x: Tensor) -> Posterior:
        """q(z | x) for names [B, 1, T, A]."""
        numbers, length = read_letters(x)
        with torch.autocast(x.device.type, enabled=False):
            states, _ = self.reader(self.seen(numbers))  # [B, T, 2 R]
        forward, backward = states.chunk(2, dim=-1)
        last = forward.gather(1, length[:, None, None].expand(-1, 1, forward.shape[-1]))[:, 0]  # when the end was read
        return gaussian_posterior(self.to_posterior(torch.cat([last, backward[:, 0]], dim=1)))

    def allowed(self, device: torch.device) -> Tensor:
        """What is added to the logits [T, A], so that a name has a letter and ends at the last place."""
        added = torch.zeros(self.config.image[1:], device=device)
        added[0, END] = IMPOSSIBLE
        added[-1, END + 1 :] = IMPOSSIBLE
        return added

    def begun(self, z: Tensor) -> Tensor:
        """The decoder's state [1, B, W] before the first letter, for codes [B, Z]."""
        return torch.tanh(self.first(z))[None]

    def go_on(self, before: Tensor, z: Tensor, state: Tensor, place: int) -> tuple[Tensor, Tensor]:
        """log p [B, A] of the letter at a place, given the one before it [B] (`start` for none) and the state."""
        out, state = self.writer(torch.cat([self.written(before), z], dim=1)[:, None], state)
        return torch.log_softmax(self.to_letter(out[:, 0]) + self.allowed(z.device)[place], dim=-1), state

    def letter_log_probs(self, numbers: Tensor, z: Tensor, hidden: Tensor | None = None) -> Tensor:
        """log p(letter | letters before, z) at every place, [B, T, A], for names by number [B, T] and codes [B, Z];
        where `hidden` [B, T] is true the decoder is not shown the letter before."""
        before = torch.cat([torch.full_like(numbers[:, :1], self.start), numbers[:, :-1]], dim=1)
        if hidden is not None:
            before = torch.where(hidden, self.hidden, before)
        with torch.autocast(z.device.type, enabled=False):
            beside = z.float()[:, None].expand(-1, before.shape[1], -1)
            out, _ = self.writer(torch.cat([self.written(before), beside], dim=-1), self.begun(z))
        return torch.log_softmax(self.to_letter(out) + self.allowed(z.device), dim=-1)

    def recon_per_image(self, x: Tensor, z: Tensor, hidden: Tensor | None = None) -> Tensor:
        """-log p(x | z) for names [B, 1, T, A] and codes [B, Z]: [B], nats per name, the end included."""
        numbers, _ = read_letters(x)
        return -(x[:, 0].float() * self.letter_log_probs(numbers, z, hidden)).sum((1, 2))

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> LossTerms:
        """recon + beta * KL with one draw of z per name; in eval mode, at beta 1, minus the ELBO. While training, word
        dropout hides a share of the letters from the decoder."""
        posterior = self.encode(x)
        assert posterior.logvar is not None
        z, hidden = posterior.sample(context), None
        if self.training and self.config.word_dropout:
            hidden = context.uniform((len(x), x.shape[2]), x) < self.config.word_dropout
        recon = self.recon_per_image(x, z, hidden).mean()
        kl_per_latent = kl_to_standard_normal(posterior.mean, posterior.logvar).mean(0)  # [Z]
        total = recon + self.config.beta * context.penalty(kl_per_latent)
        return LossTerms(total, recon, kl_per_latent.sum(), kl_per_latent)


def read_letters(x: Tensor) -> tuple[Tensor, Tensor]:
    """The letters of names [B, 1, T, A] by number [B, T], empty rows as the end, and the place of the first end [B]."""
    numbers = x[:, 0].argmax(-1)
    return numbers, (numbers == END).int().argmax(1)
