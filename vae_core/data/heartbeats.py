"""Heartbeats: the recorded ones of ECG5000, where they are here, and simulated ones.

ECG5000 (UCR archive; Chen, Hao, Rakthanmanon, Zakaria, Hu and Keogh 2015): 5,000 beats from 20 hours of record chf07 of
the BIDMC Congestive Heart Failure Database (Goldberger et al. 2000, PhysioNet; ODC-BY 1.0), one person with severe
heart failure; each beat brought to 140 samples, mean 0 and deviation 1. The classes were annotated by a program.

The simulated ones follow the dynamical model of McSharry, Clifford, Tarassenko and Smith (2003), equation 1 and table
1, on its limit cycle: an angle runs round once a beat, and each wave (P, Q, R, S, T) pushes z up or down near its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from vae_core.data.signals import Signals
from vae_core.errors import InvalidInput
from vae_core.folders import data_cache

ECG_CLASSES = ("normal", "R-on-T", "premature ventricular", "supraventricular or ectopic", "unclassified")
ECG_LENGTH = 140
NORMAL = 0  # place of the normal class, recorded or simulated
ECG_SOURCE = (
    "ECG5000 of the UCR archive (Chen et al. 2015), from record chf07 of the BIDMC Congestive Heart Failure Database "
    "(Goldberger et al. 2000, PhysioNet, ODC-BY 1.0)"
)

# Table 1 of the paper: angles in radians, strengths and widths of P, Q, R, S, T; the sixth is ours, between S and T,
# and has no strength in a normal beat.
ANGLES = np.array([-np.pi / 3, -np.pi / 12, 0, np.pi / 12, np.pi / 2, np.pi / 4])
STRENGTHS = np.array([1.2, -5.0, 30.0, -7.5, 0.75, 0.0])
WIDTHS = np.array([0.25, 0.1, 0.1, 0.1, 0.4, 0.3])
P, Q, R, S, T, BETWEEN = range(6)
SIMULATED_CLASSES = ("normal", "no P wave", "wide QRS", "T wave upside down", "raised between S and T")
SIMULATED_BEATS = (900, 150)  # normal ones, and of each strange kind, unless told otherwise
MILLIVOLT = 27.0  # of the scaled signal per unit of z, so that a normal R peak stands about 1.2 mV high
WINDOW = (-0.45, 0.55)  # seconds about the R peak
BURN_IN = 0.5  # seconds before the window
BREATHS = 0.25  # a second, of the wandering base line
WANDER = 0.005  # its height, in units of z


def ecg_path() -> Path:
    return data_cache() / "ecg5000.npz"


def ecg5000() -> tuple[Signals, Signals] | None:
    """Training and test beats of ECG5000; None where the file is not here. Raises InvalidInput for a damaged one."""
    path = ecg_path()
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            parts = [(arrays[f"{split}_signals"], arrays[f"{split}_labels"]) for split in ("train", "test")]
        for values, labels in parts:
            good = values.dtype == np.float32 and values.ndim == 2 and values.shape[1] == ECG_LENGTH and len(values)
            if not (good and np.isfinite(values).all() and labels.shape == (len(values),)):
                raise ValueError(f"signals are {values.dtype} {values.shape}, labels {labels.dtype} {labels.shape}")
            if not (labels.min() >= 1 and labels.max() <= len(ECG_CLASSES)):
                raise ValueError(f"labels run from {labels.min()} to {labels.max()}")
    except Exception as error:  # a cut zip, a foreign file, a missing array: all mean one thing to people
        raise InvalidInput(
            f"{path} is not ECG5000 as it is read here ({type(error).__name__}: {error}); it needs train_signals and "
            f"test_signals, float32 [N, {ECG_LENGTH}], and train_labels and test_labels, 1 to {len(ECG_CLASSES)}. "
            "Put a good copy there, or delete it."
        ) from error
    train, test = (
        Signals("ECG5000", values, labels.astype(np.int64) - 1, ECG_CLASSES, "standard deviations")
        for values, labels in parts
    )
    return train, test


class Beats(NamedTuple):
    """What shapes each of N simulated beats."""

    angles: np.ndarray  # [N, W] radians
    strengths: np.ndarray  # [N, W]
    widths: np.ndarray  # [N, W] radians
    seconds: np.ndarray  # [N], from one beat to the next
    breath: np.ndarray  # [N], phase of the base line in radians


def simulated(count: int, strange: int, seed: int = 0) -> Signals:
    """So many normal beats, and so many of each strange kind, in mV, in an order by chance. `seed` fixes them all."""
    draws = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(SIMULATED_CLASSES)), [count] + [strange] * (len(SIMULATED_CLASSES) - 1))
    draws.shuffle(labels)
    z = integrated(drawn_beats(labels, draws))
    values = MILLIVOLT * z + 0.01 * draws.standard_normal(z.shape)  # and 0.01 mV of noise
    return Signals("simulated heartbeats", values.astype(np.float32), labels, SIMULATED_CLASSES, "mV")


def drawn_beats(labels: np.ndarray, draws: np.random.Generator) -> Beats:
    """Beats of classes [N], each a little different from the others of its class."""
    n = len(labels)

    def around(values: np.ndarray, share: float) -> np.ndarray:
        return values * (1 + share * draws.standard_normal((n, len(values))))

    angles = ANGLES + 0.03 * draws.standard_normal((n, len(ANGLES)))
    strengths, widths = around(STRENGTHS, 0.1), around(WIDTHS, 0.05)
    degree = draws.uniform(0.5, 1.0, n)  # how far gone a strange beat is
    kinds = {name: labels == place for place, name in enumerate(SIMULATED_CLASSES)}
    no_p, wide, inverted, raised = (kinds[name] for name in SIMULATED_CLASSES[1:])
    strengths[no_p, P] *= 1 - degree[no_p]
    growth = 1 + degree[wide, None]
    widths[wide, Q : S + 1] *= growth
    strengths[wide, Q : S + 1] /= growth**2  # a wave is as high as its strength times its squared width
    strengths[wide, P] = 0
    strengths[inverted, T] *= -degree[inverted]
    strengths[raised, BETWEEN] = degree[raised]
    seconds = 1 + 0.06 * draws.standard_normal(n).clip(-3, 3)
    return Beats(angles, strengths, widths, seconds, draws.uniform(0, 2 * np.pi, n))


def first_height(beats: Beats, rate: np.ndarray, t: float) -> np.ndarray:
    """The height [N] of the waves at a time, were nothing drawn to the base line: near to where z has to begin, so that
    no beat begins far off."""
    away = (rate[:, None] * t - beats.angles + np.pi) % (2 * np.pi) - np.pi
    heights = beats.strengths * beats.widths**2 / rate[:, None]
    return (heights * np.exp(-(away**2) / (2 * beats.widths**2))).sum(1)


def integrated(beats: Beats, length: int = ECG_LENGTH, substeps: int = 2) -> np.ndarray:
    """z [N, length] over the window, by Runge-Kutta steps of fourth order.

    dz/dt = -sum_i a_i d_i exp(-d_i^2 / 2 b_i^2) - (z - z0(t)), with d_i the angle to wave i, between -pi and pi.
    """
    rate = 2 * np.pi / beats.seconds  # [N] radians a second
    step = (WINDOW[1] - WINDOW[0]) / (length * substeps)
    before = round(BURN_IN / (step * substeps)) * substeps

    def base(t: float) -> np.ndarray:
        return WANDER * np.sin(2 * np.pi * BREATHS * t + beats.breath)

    def push(t: float) -> np.ndarray:
        away = (rate[:, None] * t - beats.angles + np.pi) % (2 * np.pi) - np.pi
        waves = beats.strengths * away * np.exp(-(away**2) / (2 * beats.widths**2))
        return base(t) - waves.sum(1)

    start = WINDOW[0] - before * step
    z, here = first_height(beats, rate, start) + base(start), push(start)
    kept = []
    for k in range(before + length * substeps):
        if k >= before and (k - before) % substeps == 0:
            kept.append(z)
        middle, there = push(start + (k + 0.5) * step), push(start + (k + 1) * step)
        k1 = here - z
        k2 = middle - (z + 0.5 * step * k1)
        k3 = middle - (z + 0.5 * step * k2)
        k4 = there - (z + step * k3)
        z, here = z + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4), there
    return np.stack(kept, axis=1)
