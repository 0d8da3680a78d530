"""From a code to a word: the likeliest letter each time, the likeliest of several words kept, or a draw."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

END = 0  # the letter that closes a word


class Written(NamedTuple):
    """Words by the numbers of their letters, closed by the end, and how likely each is for its code."""

    numbers: Tensor  # [B, T]
    log_prob: Tensor  # [B] log p(word | z), nats


@torch.inference_mode()
def greedy(model: Any, z: Tensor) -> Written:
    """The likeliest letter at every place, for codes [B, Z]."""
    return _written(model, z, lambda log_p: log_p.argmax(-1))


@torch.inference_mode()
def drawn(model: Any, z: Tensor, temperature: float, generator: torch.Generator) -> Written:
    """Letters by chance, their log-probabilities divided by a temperature: below 1 bolder about the likely ones."""

    def choose(log_p: Tensor) -> Tensor:
        chances = torch.softmax(log_p.cpu() / temperature, dim=-1)
        return torch.multinomial(chances, 1, generator=generator)[:, 0].to(log_p.device)

    return _written(model, z, choose)


def _written(model: Any, z: Tensor, choose: Any) -> Written:
    places = model.config.image[1]
    before, state = torch.full((len(z),), model.start, device=z.device), model.begun(z)
    closed = torch.zeros(len(z), dtype=torch.bool, device=z.device)
    total, numbers = torch.zeros(len(z), device=z.device), []
    for place in range(places):
        log_p, state = model.go_on(before, z, state, place)  # [B, A]
        before = torch.where(closed, END, choose(log_p))
        total += torch.where(closed, 0.0, log_p.gather(1, before[:, None])[:, 0])
        closed = closed | (before == END)
        numbers.append(before)
    return Written(torch.stack(numbers, dim=1), total)


@torch.inference_mode()
def beam(model: Any, z: Tensor, width: int = 8) -> Written:
    """The likeliest word that a search finds which keeps `width` beginnings at every place. It is the likeliest of all
    where the width is large enough; a search of width 1 is the greedy one."""
    count, (_, places, letters) = len(z), model.config.image
    again = z.repeat_interleave(width, dim=0)  # [B K, Z]
    state = model.begun(again)
    before = torch.full((count * width,), model.start, device=z.device)
    total = torch.full((count, width), -torch.inf, device=z.device)
    total[:, 0] = 0.0  # at first there is one beginning, the empty one
    closed = torch.zeros(count, width, dtype=torch.bool, device=z.device)
    numbers = torch.zeros(count, width, 0, dtype=torch.long, device=z.device)
    first = torch.arange(count, device=z.device)[:, None] * width
    for place in range(places):
        log_p, state = model.go_on(before, again, state, place)
        log_p = log_p.view(count, width, letters)
        ended = torch.full_like(log_p, -torch.inf)
        ended[..., END] = 0.0  # a closed word stays as it is
        scores = total[..., None] + torch.where(closed[..., None], ended, log_p)
        total, best = scores.flatten(1).topk(width, dim=1)  # [B, K]
        parent, letter = best // letters, best % letters
        state = state[:, (first + parent).flatten()]
        closed = closed.gather(1, parent) | (letter == END)
        numbers = torch.cat([numbers.gather(1, parent[..., None].expand(-1, -1, place)), letter[..., None]], dim=-1)
        before = letter.flatten()
    return Written(numbers[:, 0], total[:, 0])
