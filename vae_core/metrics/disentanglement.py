"""Four more scores of whether each known factor has a latent of its own, and what the KL of a model is made of.

All but `kl_parts` look at codes [N, Z], the posterior means of held-out images, and whole-numbered factors [N, F]. They
disagree with each other and with the MIG; Locatello et al. 2019 compare them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.losses import KLParts, decomposed_kl, gaussian_log_density, stratified_log_weights
from vae_core.metrics.active_latents import THRESHOLD
from vae_core.metrics.trial import Trial

TREES, DEPTH = 20, 12  # of each forest
VOTES, GROUP = 2000, 64  # groups of images that vote, as many again that are judged; images in a group
DRAWS, AT_ONCE = 1000, 100  # codes whose densities are looked up, and how many at a time


class DCI(NamedTuple):
    """Eastwood and Williams 2018, each in [0, 1], higher is better."""

    disentanglement: float  # whether a latent matters to one factor only
    completeness: float  # whether a factor needs one latent only
    informativeness: float  # share of held-back images whose factors all latents together tell, mean over factors
    importance: Tensor  # [Z, F], each factor's column adds up to 1


def dci(codes: Tensor, factors: Tensor, seed: int = 0) -> DCI:
    """Random forests, one a factor, that look at every latent at every split; how much a latent matters is how much
    impurity its splits took away. Half of the images train them, the others are held back."""
    check(codes, factors)
    x, half = codes.double().cpu().numpy(), len(codes) // 2
    importance, told = [], []
    for values in factors.cpu().numpy().T:
        forest = RandomForestClassifier(TREES, max_depth=DEPTH, max_features=None, random_state=seed)
        forest.fit(x[:half], values[:half])
        importance.append(forest.feature_importances_)
        told.append(float(np.mean(forest.predict(x[half:]) == values[half:])))
    matters = torch.tensor(np.stack(importance, axis=1))  # [Z, F]
    weight = matters.sum(1) / matters.sum().clamp_min(1e-12)  # a latent counts as much as it matters
    disentanglement = (weight * certainty(matters)).sum().item()
    return DCI(disentanglement, certainty(matters.T).mean().item(), sum(told) / len(told), matters.float())


def certainty(weights: Tensor) -> Tensor:
    """[rows, K] from 0 -> [rows]: 1 where one of K holds all of a row's weight, 0 where all hold the same."""
    total, count = weights.sum(1, keepdim=True), weights.shape[1]
    if count < 2:
        return torch.ones(len(weights), dtype=weights.dtype)
    shares = torch.where(total > 0, weights / total.clamp_min(1e-12), 1 / count)
    return 1 + torch.special.xlogy(shares, shares).sum(1) / math.log(count)


class SAP(NamedTuple):
    sap: float  # mean gap over factors, in [0, 1]
    gap: Tensor  # [F]
    score: Tensor  # [Z, F], how well each latent alone tells each factor


def sap(codes: Tensor, factors: Tensor, categories: Sequence[int] = ()) -> SAP:
    """The separated attribute predictability (Kumar, Sattigeri and Balakrishnan 2018): for each factor, the lead of the
    latent that tells it best over the next one. An ordered factor is told by a straight line through one latent (R^2),
    one of `categories` by thresholds on it (share of each class that is told rightly, less what guessing gives)."""
    check(codes, factors)
    x = codes.double().cpu()
    x = torch.cat([x, torch.zeros(len(x), 1, dtype=x.dtype)], dim=1) if x.shape[1] == 1 else x  # a runner-up
    columns = [
        torch.stack([by_thresholds(latent, values) if number in categories else by_a_line(latent, values)
                     for latent in x.T])
        for number, values in enumerate(factors.cpu().T)
    ]  # fmt: skip
    score = torch.stack(columns, dim=1)  # [Z, F]
    best = score.topk(2, dim=0).values
    gap = best[0] - best[1]
    return SAP(gap.mean().item(), gap.float(), score.float())


def by_a_line(latent: Tensor, values: Tensor) -> Tensor:
    """R^2 of the values [N] by a straight line through a latent [N]."""
    x, y = latent - latent.mean(), values.double() - values.double().mean()
    return (x @ y) ** 2 / ((x @ x) * (y @ y)).clamp_min(1e-24)


def by_thresholds(latent: Tensor, values: Tensor) -> Tensor:
    """How well the class whose mean is the nearest tells classes [N]: 0 for guesses, 1 for all."""
    classes = values.unique()
    if len(classes) < 2:
        raise InvalidInput("A factor of one class alone cannot be told; give more points.")
    means = torch.stack([latent[values == label].mean() for label in classes])
    guess = classes[(latent[:, None] - means).abs().argmin(1)]
    right = torch.stack([(guess[values == label] == label).double().mean() for label in classes]).mean()
    return ((right - 1 / len(classes)) / (1 - 1 / len(classes))).clamp_min(0)


class FactorVote(NamedTuple):
    accuracy: float  # share of groups whose fixed factor is told; guessing gives about 1 / F
    votes: Tensor  # [Z, F], how often each latent was the stillest while each factor was fixed


def factor_vote(codes: Tensor, factors: Tensor, seed: int = 0) -> FactorVote:
    """The metric of Kim and Mnih 2018: fix one factor, let the others vary, and see which latent varies least.

    Each group of images shares one factor's value. Its latent of least variance, relative to its variance over all,
    votes for that factor; each latent then stands for the factor it got most votes from, and other groups are judged by
    that. Latents whose variance over all images is below that of an active one do not take part.
    """
    check(codes, factors)
    generator = torch.Generator().manual_seed(seed)
    variance = codes.double().var(0)
    scaled = codes.double() / variance.clamp_min(1e-24).sqrt()
    scaled_variance_of_the_inactive = torch.where(variance >= THRESHOLD, 0.0, torch.inf)
    tables = []
    for _ in range(2):  # those that vote, those that are judged
        table = torch.zeros(codes.shape[1], factors.shape[1])
        for turn in range(VOTES):
            factor = turn % factors.shape[1]
            value = factors[torch.randint(len(factors), (1,), generator=generator), factor]
            alike = (factors[:, factor] == value).nonzero()[:, 0]
            group = alike[torch.randint(len(alike), (GROUP,), generator=generator)]
            table[(scaled[group].var(0) + scaled_variance_of_the_inactive).argmin(), factor] += 1
        tables.append(table)
    votes, judged = tables
    if not (variance >= THRESHOLD).any():
        return FactorVote(0.0, votes)
    right = judged.gather(1, votes.argmax(1, keepdim=True)).sum()
    return FactorVote((right / judged.sum()).item(), votes)


class Draws(NamedTuple):
    """One code of every held-out image, and the posteriors that they were drawn from."""

    z: Tensor  # [N, Z]
    own: Tensor  # [N], log q(z | x)
    mean: Tensor  # [N, Z]
    logvar: Tensor  # [N, Z]


def draws(trial: Trial) -> Draws:
    mean, logvar = trial.posterior
    assert logvar is not None
    z = mean + torch.exp(0.5 * logvar) * torch.randn(mean.shape, generator=trial.generator())
    return Draws(z, gaussian_log_density(z, mean, logvar).sum(-1), mean, logvar)


@torch.no_grad()
def kl_parts(trial: Trial) -> KLParts:
    """Index-code information, total correlation and dimension-wise KL of a trained VAE, in nats per image, means over
    1,000 draws. q(z) is the mixture of the posteriors of all N held-out images: so the information cannot be more than
    log N, and where the codes of two images hardly overlap it is just that."""
    z, own, mean, logvar = draws(trial)
    weights = torch.full((1, 1), -math.log(len(mean)))
    chosen = torch.randperm(len(mean), generator=trial.generator())[:DRAWS]
    parts = [
        torch.stack(decomposed_kl(z[few], own[few], mean, logvar, weights)) * len(few) for few in chosen.split(AT_ONCE)
    ]
    return KLParts(*(torch.stack(parts).sum(0) / len(chosen)))


@torch.no_grad()
def batch_total_correlation(trial: Trial, batch: int, population: int) -> float:
    """What batches of a training make of the total correlation, in nats: the mean of the stratified estimate. It falls
    short, even below 0, where no two posteriors of a batch meet in all latents at once."""
    z, own, mean, logvar = draws(trial)
    weights = stratified_log_weights(batch, population)
    whole = len(z) // batch * batch
    found = [
        decomposed_kl(z[rows], own[rows], mean[rows], logvar[rows], weights).total_correlation
        for rows in torch.arange(whole).split(batch)
    ]
    return torch.stack(found).mean().item()


class Drift(NamedTuple):
    """What a row of pictures does beside what it is looked at for."""

    centre: float  # pixels from the leftmost, topmost to the rightmost, lowest centre of mass: the diagonal
    area: float  # the largest sum of pixels over the smallest


def drift(pictures: Tensor) -> Drift:
    """How far what is drawn in pictures [T, 1, H, W] wanders, and how much it grows."""
    mass = pictures[:, 0].double()
    total = mass.sum((1, 2)).clamp_min(1e-9)
    across = (mass.sum(1) * torch.arange(mass.shape[2])).sum(1) / total
    down = (mass.sum(2) * torch.arange(mass.shape[1])).sum(1) / total
    wide, high = (float(place.max() - place.min()) for place in (across, down))
    return Drift(math.hypot(wide, high), float(total.max() / total.min()))


def check(codes: Tensor, factors: Tensor) -> None:
    """Raises InvalidInput for codes and factors that do not belong together."""
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or len(codes) < 4:
        raise InvalidInput(
            f"Codes {tuple(codes.shape)} and factors {tuple(factors.shape)} do not belong together; "
            "give (N, Z) and (N, F) with the same N, at least 4."
        )
    if factors.is_floating_point() or factors.min() < 0:
        raise InvalidInput("The factors must be whole numbers from 0 upwards; number their values first.")
    if not codes.isfinite().all():
        raise InvalidInput("Some codes are not finite; check the model's weights.")
