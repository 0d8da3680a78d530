"""All that a training needs to go on: weights, optimiser, random states, place in the data."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_core.errors import InvalidInput


class State(NamedTuple):
    tensors: dict[str, Tensor]  # on the CPU
    facts: dict[str, Any]  # plain JSON


def optimiser_tensors(optimiser: torch.optim.Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The optimiser's state by the names of the model's parameters: "exp_avg/encoder.1.weight" and so on."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    return {
        f"{kind}/{names[parameter]}": value
        for parameter, state in optimiser.state.items()
        for kind, value in state.items()
    }


@torch.no_grad()
def restore_optimiser(optimiser: torch.optim.Optimizer, model: nn.Module, tensors: dict[str, Tensor]) -> None:
    parameters = dict(model.named_parameters())
    for key, value in tensors.items():
        kind, _, name = key.partition("/")
        if name not in parameters:
            raise InvalidInput(f"The snapshot holds {key!r}, which this model does not have; train it anew.")
        parameter = parameters[name]
        # Adam counts its steps on the host, but on CUDA, where a recording must be able to count.
        on = "cpu" if kind == "step" and parameter.device.type != "cuda" else parameter.device
        optimiser.state[parameter][kind] = value.to(on, copy=True)


def copied(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Copies on the CPU under names with a prefix."""
    return {f"{prefix}:{name}": value.detach().to("cpu", copy=True) for name, value in tensors.items()}


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """What `copied` made, by the names it had before."""
    begin = f"{prefix}:"
    return {name.removeprefix(begin): value for name, value in tensors.items() if name.startswith(begin)}


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The state of the random numbers of the host and of the device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    """Go on with the random numbers of `random_states`; a device of another kind goes on with its own."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])
