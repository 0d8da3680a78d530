"""A small convolutional classifier: the eyes of the metrics. Its opinion and its features judge decoded pictures."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn

from vae_core.errors import require
from vae_core.models.rules import usual
from vae_core.objective import PLAIN, Context


@dataclass(frozen=True)
class ClassifierConfig:
    image: tuple[int, int, int] = (1, 28, 28)  # C, H, W
    classes: int = 10
    channels: tuple[int, ...] = (16, 32)  # each block halves the image
    features: int = 128
    dropout: float = 0.3

    def __post_init__(self) -> None:
        factor = 2 ** len(self.channels)
        require(
            self,
            *usual(self, "classes", "channels"),
            (len(self.image) == 3 and self.image[0] in (1, 3), "image", "(1 or 3, height, width)"),
            (all(4 <= side <= 256 for side in self.image[1:]), "image", "sides of 4 to 256"),
            (all(side % factor == 0 for side in self.image[1:]), "channels", "so few that the image can be halved"),
            (1 <= self.features <= 4096, "features", "1 to 4096"),
            (0 <= self.dropout < 1, "dropout", "0 to 1"),
        )


class ClassifierTerms(NamedTuple):
    total: Tensor  # cross-entropy, nats per image
    accuracy: Tensor


class Classifier(nn.Module):
    Config = ClassifierConfig
    title = "classifier"
    is_generative = False

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise((config.image[0], *config.channels)):
            layers += [nn.Conv2d(fan_in, fan_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        flat = (
            config.channels[-1] * (config.image[1] >> len(config.channels)) * (config.image[2] >> len(config.channels))
        )
        self.body = nn.Sequential(
            *layers, nn.Flatten(), nn.Dropout(config.dropout), nn.Linear(flat, config.features), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.features, config.classes))

    def features(self, x: Tensor) -> Tensor:
        """What the last hidden layer sees in images [B, C, H, W]: [B, F]."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, classes] for images [B, C, H, W] in [0, 1]."""
        return self.head(self.body(x))

    def loss(self, x: Tensor, labels: Tensor | None = None, context: Context = PLAIN) -> ClassifierTerms:
        assert labels is not None, "a classifier is trained on labelled images"
        logits = _through(self.head, _through(self.body, x, context), context).float()
        target = labels.to(logits.device).long()
        accuracy = (logits.argmax(1) == target).float().mean()
        return ClassifierTerms(total=nn.functional.cross_entropy(logits, target), accuracy=accuracy)


def _through(layers: nn.Sequential, x: Tensor, context: Context) -> Tensor:
    """The layers, with the noise of dropout from the context: several processes drop what one would."""
    for layer in layers:
        x = context.dropout(x, layer.p) if isinstance(layer, nn.Dropout) and layer.training else layer(x)
    return x
