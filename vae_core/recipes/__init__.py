"""How each bundled model is made. `python -m vae_core train NAME` makes it again; to add models for a lesson: a file
with its bank, and a line in BANKS."""

from __future__ import annotations

from vae_core.recipes import (
    anomaly,
    beyond,
    collapse,
    colourisation,
    conditional,
    denoising,
    discrete,
    disentanglement,
    explorers,
    judges,
    limits,
    loss,
    names,
    parts,
    reduction,
    results,
    super_resolution,
    voice,
    vq_vae,
    vq_vae2,
)
from vae_core.recipes.recipe import IMAGE, Recipe, changed

__all__ = ["BANKS", "IMAGE", "RECIPES", "Recipe", "changed", "in_bank", "judge_of"]

# Models that one lesson compares with each other: a bank of its own, which no other page offers.
BANKS: dict[str, tuple[Recipe, ...]] = {
    "reduction": tuple(reduction.bank()),
    "denoising": tuple(denoising.bank()),
    "parts": tuple(parts.bank()),
    "super-resolution": tuple(super_resolution.bank()),
    "colourisation": tuple(colourisation.bank()),
    "anomaly": tuple(anomaly.bank()),
    "conditional": tuple(conditional.bank()),
    "discrete": tuple(discrete.bank()),
    "vq-vae": tuple(vq_vae.bank()),
    "vq-vae-2": tuple(vq_vae2.bank()),
    "names": tuple(names.bank()),
    "beyond": tuple(beyond.bank()),
    "collapse": tuple(collapse.bank()),
    "loss": tuple(loss.bank()),
    "voice": tuple(voice.bank()),
    "disentanglement": tuple(disentanglement.bank()),
    "limits": tuple(limits.bank()),
    "results": tuple(results.bank()),
}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *explorers.plane("mnist", "mnist"),
        *explorers.plane("fashion", "fashion_mnist"),
        *explorers.digits(),
        *(explorers.sprites(beta) for beta in explorers.BETAS_SPRITES),
        *judges.classifiers(),
        *(recipe for bank in BANKS.values() for recipe in bank),
    )
}


def in_bank(name: str) -> bool:
    """Whether a recipe's model belongs to one lesson, and stands in no other page's choice."""
    return any(recipe.name == name for bank in BANKS.values() for recipe in bank)


def judge_of(data: str) -> str | None:
    """The recipe of the classifier that judges pictures of a dataset, where there is one."""
    judges = (recipe.name for recipe in RECIPES.values() if recipe.data == data and recipe.model == "classifier")
    return next(judges, None)
