"""The lines of a run in the format of TensorBoard, for those who look at it there."""

from __future__ import annotations

from typing import Any

from vae_core.errors import InvalidInput
from vae_core.runs.folder import Run

BOARD = "tensorboard"
NO_CURVE = ("step", "steps", "epoch", "seconds", "held_out", "best")


def writer_class() -> Any:
    """Raises InvalidInput where TensorBoard is not installed: it is no requirement of ours."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InvalidInput(
            f"--tensorboard needs the package tensorboard ({error}); `pip install tensorboard`."
        ) from error
    return SummaryWriter


class Board:
    """Curves under train/ and held_out/, in nats per image; KL per latent as one curve a latent."""

    def __init__(self, run: Run, step: int) -> None:
        # What was written beyond the step, by a worker that was killed, is declared void.
        self.writer = writer_class()(str(run.folder / BOARD), purge_step=step + 1)

    def write(self, event: dict[str, Any]) -> None:
        train = {key: event[key] for key in event if key not in NO_CURVE}
        for where, terms in (("train", train), ("held_out", event.get("held_out", {}))):
            for key, value in terms.items():
                numbers = {f"{key}/{latent}": number for latent, number in enumerate(value, 1)} \
                    if isinstance(value, list) else {key: value}  # fmt: skip
                for name, number in numbers.items():
                    self.writer.add_scalar(f"{where}/{name}", number, event["step"])
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()
