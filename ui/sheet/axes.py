"""The axes of a decoded plane: where a value of a latent lies on the sheet."""

from __future__ import annotations

import math

from torch import Tensor

from ui.sheet import Axis

CLOSEST = 0.1  # of two ticks, as a share of the axis
AT_MOST = 7  # ticks
MOST_TOLD = 12  # latents of a code that are written out


def minus(text: str) -> str:
    """A number with a true minus sign, so that columns of numbers stay in line."""
    return text.replace("-", "\N{MINUS SIGN}")


def code_texts(codes: Tensor) -> list[str]:
    """Codes [N, Z] for reading; of many latents the first few."""
    latent = codes.shape[1]
    digits, rest = (2 if latent <= 2 else 1), (", …" if latent > MOST_TOLD else "")
    told = codes[:, :MOST_TOLD].tolist()
    return [minus(f"z = ({', '.join(f'{value:.{digits}f}' for value in code)}{rest})") for code in told]


def place(u: float, spacing: str, n: int, reach: float) -> float:
    """Where a value u, in standard deviations from the centre, lies along an axis of n pictures, in [0, 1]: linear
    grids have u = -reach at the middle of their first picture, quantile grids at its outer edge."""
    if spacing == "linear":
        return ((u + reach) / (2 * reach) * (n - 1) + 0.5) / n
    return 0.5 + 0.5 * math.erf(u / math.sqrt(2)) / math.erf(reach / math.sqrt(2))


def plane_axis(latent: int, spacing: str, n: int, reach: float, mean: float, std: float) -> Axis:
    """The axis of one latent (counted from 0) on a sheet of n x n pictures, `reach` standard deviations each way."""
    low, high = mean - reach * std, mean + reach * std
    chosen: dict[float, float] = {}  # value: place
    for value in sorted(round_values(low, high), key=lambda value: abs(value - mean)):
        at = place((value - mean) / std, spacing, n, reach)
        if 0 <= at <= 1 and all(abs(at - other) > CLOSEST for other in chosen.values()):
            chosen[value] = at
    return Axis(f"latent {latent + 1}", [(at, minus(f"{value:g}")) for value, at in sorted(chosen.items())])


def round_values(low: float, high: float) -> list[float]:
    """The multiples of 1, 2 or 5 (times a power of ten) between two values, at most `AT_MOST`."""
    power = 10 ** math.floor(math.log10((high - low) / AT_MOST))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if (high - low) / step <= AT_MOST)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
