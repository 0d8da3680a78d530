"""What a model scores on held-out images while it is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vae_core.objective import Context
from vae_core.training.sources import Source, Trainable, index_home

BATCH = 500  # images at a time; no result depends on it but by rounding and by which noise an image gets
SEED = 20_171


@torch.no_grad()
def held_out_terms(
    model: Trainable, source: Source, device: torch.device, precision: str = "float32"
) -> dict[str, Any]:
    """The terms of the loss over all N images, each image counted once: nats per image, beta 1, one fixed draw of
    noise per image that is not taken from the training's. Adds the `elbo` where there is a prior.

    In the training's own precision it takes half the time; bfloat16 moves the ELBO of an MNIST model by some 0.003
    nats. The scores in a model's metrics.json are in float32.
    """
    context = Context(generator=torch.Generator(device).manual_seed(SEED))
    home = index_home(source, device)
    labels = source.labels.to(device)
    sums: dict[str, Tensor] = {}
    for index in torch.arange(len(source), device=home).split(BATCH):
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            terms = model.loss(source.images(index), labels[index.to(device)], context)
        for name, value in terms._asdict().items():
            whole = value.double() if device.type != "mps" else value  # MPS has no float64
            sums[name] = sums.get(name, 0) + whole * len(index)
    means: dict[str, Any] = {name: (total / len(source)).tolist() for name, total in sums.items()}
    if "recon" not in means:
        return means
    if not model.is_generative:  # no prior, so no KL to it and no ELBO
        return {"recon": means["recon"]}
    del means["total"]  # it weighs the KL with the model's beta: no number to compare
    return {**means, "elbo": -(means["recon"] + means["kl"])}


def score(terms: dict[str, Any]) -> float:
    """The one number, lower is better, that early stopping looks at: -ELBO, else the reconstruction, else the loss."""
    return -terms["elbo"] if "elbo" in terms else terms["recon"] if "recon" in terms else terms["total"]
