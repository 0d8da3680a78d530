"""Eyes for a model that compares features: the convolutions of the bundled classifier that its settings name.

They are put in when a training begins, and stored with the model from then on.
"""

from __future__ import annotations

from torch import nn

from vae_core.checkpoints import read_bundled
from vae_core.errors import InvalidInput
from vae_core.models import Classifier, PerceptualVAE


def with_eyes(model: nn.Module) -> nn.Module:
    """The model, seeing as the classifier that it names; any other model as it is.

    Raises InvalidInput where what it names is not here, is no classifier, or one of other sizes.
    """
    if isinstance(model, PerceptualVAE) and model.config.eyes_of:
        name = model.config.eyes_of
        judge = read_bundled(name).model
        if not isinstance(judge, Classifier):
            raise InvalidInput(f"The eyes are to be those of {name}, which is no classifier; name one.")
        model.eyes.take(judge)
    return model
