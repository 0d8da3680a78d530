"""What one does with a trained model's latent space: grids, paths, traversals, priors, projections."""

from vae_core.latent.grids import embed, linear_grid, prior_quantile_grid, tile
from vae_core.latent.paths import PATHS, blend, corners_grid, spherical, step_sizes, straight
from vae_core.latent.priors import Gaussian, fit_gaussian, standard_normal
from vae_core.latent.projections import PROJECTIONS, project
from vae_core.latent.traversals import FactorInformation, factor_information, order_by_kl, traverse

__all__ = [
    "PATHS",
    "PROJECTIONS",
    "FactorInformation",
    "Gaussian",
    "blend",
    "corners_grid",
    "embed",
    "factor_information",
    "fit_gaussian",
    "linear_grid",
    "order_by_kl",
    "prior_quantile_grid",
    "project",
    "spherical",
    "standard_normal",
    "step_sizes",
    "straight",
    "tile",
    "traverse",
]
