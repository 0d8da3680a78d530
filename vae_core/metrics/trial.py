"""What every metric is handed: a trained model, held-out images, and a judge; and how it reports numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from vae_core.errors import InvalidInput


class Source(Protocol):
    """Held-out images, fetched by an index [B]: [B, C, H, W] in [0, 1]."""

    labels: Tensor  # [N]
    factors: Tensor | None  # [N, F], where known

    def __len__(self) -> int: ...

    def images(self, index: Tensor) -> Tensor: ...


class Spread(NamedTuple):
    """A mean with the standard deviation of what it was taken over, and the standard error of the mean."""

    mean: float
    std: float
    standard_error: float


def spread(values: Tensor) -> Spread:
    """Mean and spread of values [n]; the spread of a single value is unknown and counts as 0."""
    values = values.double()
    std = values.std().item() if len(values) > 1 else 0.0
    return Spread(values.mean().item(), std, std / math.sqrt(len(values)))


@dataclass
class Trial:
    """One model before one set of held-out images, all of them, in batches whose sums are weighted rightly.

    `model` is an autoencoder or a VAE (encode, decode, recon_per_image), or itself a classifier. `classifier`
    (features, logits) judges decoded pictures. Both must be in eval mode. Random numbers are drawn on the CPU
    from `seed`, so they are the same on every device, and the same for all models that are tried on the same
    images.
    """

    model: Any
    source: Source
    classifier: Any = None
    seed: int = 0
    batch: int = 250

    def __post_init__(self) -> None:
        assert not getattr(self.model, "training", False), "call model.eval() first"
        assert not getattr(self.classifier, "training", False), "call classifier.eval() first"
        if len(self.source) == 0:
            raise InvalidInput("There are no held-out images; a model cannot be scored on none.")
        expected = getattr(getattr(self.model, "config", None), "image", None)
        found = tuple(self.images(torch.tensor([0])).shape[1:])
        if expected is not None and tuple(expected) != found:
            raise InvalidInput(f"The model takes images of shape {tuple(expected)}, the data has {found}.")

    def __len__(self) -> int:
        return len(self.source)

    def generator(self) -> torch.Generator:
        """A fresh one for each metric, so that no metric's numbers depend on which others were asked for."""
        return torch.Generator().manual_seed(self.seed)

    def images(self, index: Tensor) -> Tensor:
        """Images [B, C, H, W] on the model's device."""
        return self.source.images(index).to(device_of(self.model))

    def batches(self) -> Iterator[Tensor]:
        """The indices of all images, a batch at a time; the last batch may be smaller."""
        yield from torch.arange(len(self)).split(self.batch)

    @cached_property
    def posterior(self) -> tuple[Tensor, Tensor | None]:
        """Posterior mean and log-variance [N, Z] of every image, on the CPU; no variance if deterministic."""
        found = [self.model.encode(self.images(index)) for index in self.batches()]
        mean = torch.cat([posterior.mean.float().cpu() for posterior in found])
        if not mean.isfinite().all():
            raise InvalidInput("The model's codes are not finite: its training diverged. Train it again, slower.")
        if found[0].logvar is None:
            return mean, None
        return mean, torch.cat([posterior.logvar.float().cpu() for posterior in found])

    def decode(self, codes: Tensor) -> Tensor:
        """Pictures [B, C, H, W] for a batch of codes [B, Z] from anywhere."""
        return self.model.decode(codes.to(device_of(self.model)))

    def features(self, images: Tensor) -> Tensor:
        """What the judge's last hidden layer sees in a batch of images: [B, F], on the CPU."""
        return self.classifier.features(images.to(device_of(self.classifier))).float().cpu()

    def confidence(self, images: Tensor) -> Tensor:
        """The judge's largest class probability for a batch of images: [B], on the CPU."""
        logits = self.classifier(images.to(device_of(self.classifier)))
        return logits.float().softmax(dim=-1).amax(dim=-1).cpu()

    def offers(self, need: str) -> bool:
        """Whether what a metric needs is there."""
        return {
            "codes": lambda: hasattr(self.model, "encode"),
            "posterior": lambda: hasattr(self.model, "encode") and self.posterior[1] is not None,
            "conditional": lambda: hasattr(self.model, "encode_as"),
            "letters": lambda: hasattr(self.model, "letter_logits"),
            "words": lambda: getattr(self.model, "reads_letters", False),
            "codebook": lambda: hasattr(self.model, "decode_numbers"),
            "two codebooks": lambda: hasattr(self.model, "decode_levels"),
            "code maps": lambda: hasattr(self.model, "logits") and hasattr(self.model.config, "codes_of"),
            "draws": lambda: hasattr(self.model, "condition"),
            "spoken": lambda: hasattr(self.model, "spoken"),
            "restores": lambda: hasattr(self.model, "restored"),
            "judge": lambda: self.classifier is not None,
            "factors": lambda: self.source.factors is not None,
            "labels": lambda: hasattr(self.model, "features"),  # the model is itself a classifier
        }[need]()


def device_of(model: Any) -> torch.device:
    parameter = next(iter(model.parameters()), None) if isinstance(model, torch.nn.Module) else None
    return torch.device("cpu") if parameter is None else parameter.device


def as_json(value: Any) -> Any:
    """Results of metrics as plain lists, dicts and numbers; fields that are None are left out.

    A number that is not finite is no result: it raises InvalidInput, which names it.
    """
    if isinstance(value, Tensor):
        value = value.tolist()
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        found = {}
        for name, item in value.items():
            try:
                found[name] = as_json(item)
            except FloatingPointError as error:
                raise InvalidInput(
                    f"The metric {name} came out as {error}; the model's weights are of no use."
                ) from error
        return {name: item for name, item in found.items() if item is not None}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise FloatingPointError(value)
    return value
