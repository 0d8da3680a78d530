"""Held-out scores of a trained model. To add one: a file with a function of a Trial, an entry in METRICS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vae_core.metrics.accuracy import accuracy
from vae_core.metrics.active_latents import active_latents
from vae_core.metrics.completeness import completeness
from vae_core.metrics.conditional import conditional
from vae_core.metrics.continuity import continuity
from vae_core.metrics.discrete import discrete
from vae_core.metrics.drawn import drawn
from vae_core.metrics.elbo import elbo
from vae_core.metrics.mig import mig
from vae_core.metrics.names import names
from vae_core.metrics.restoration import restoration
from vae_core.metrics.trial import Source, Spread, Trial, as_json
from vae_core.metrics.voice import voice
from vae_core.metrics.vq_vae import code_prior, vector_quantised
from vae_core.metrics.vq_vae2 import two_levels

__all__ = ["METRICS", "Metric", "Number", "Spread", "Trial", "evaluate_all"]


class Number(NamedTuple):
    """One number that a metric reports: how to call it, in what unit, and which way is better."""

    title: str
    unit: str
    better: str  # "lower", "higher" or "neither"


@dataclass(frozen=True)
class Metric:
    """A metric by description. `compute` takes a Trial that offers all `needs` and returns a NamedTuple."""

    title: str
    compute: Callable[[Trial], Any]
    source: str
    needs: tuple[str, ...]
    numbers: dict[str, Number] = field(default_factory=dict)
    nested: bool = False  # whether its results stand in metrics.json under its own name, or beside all others


METRICS: dict[str, Metric] = {
    "elbo": Metric(
        "Evidence lower bound",
        elbo,
        "Kingma and Welling 2014",
        needs=("codes",),
        numbers={
            "recon": Number("reconstruction", "nats per image", "lower"),
            "kl": Number("KL to the prior", "nats per image", "neither"),
            "elbo": Number("ELBO at beta 1", "nats per image", "higher"),
        },
    ),
    "active_latents": Metric(
        "Active latents",
        active_latents,
        "Burda, Grosse and Salakhutdinov 2016",
        needs=("codes", "posterior"),
        numbers={"active_latents": Number("active latents", "latents", "neither")},
    ),
    "continuity": Metric(
        "Continuity",
        continuity,
        "notion: Rocca and Rocca 2019; numbers: this project",
        needs=("codes", "judge"),
        numbers={
            "unevenness": Number("largest step over mean step", "times", "lower"),
            "no_class": Number("path without a clear class", "share of frames", "lower"),
        },
        nested=True,
    ),
    "completeness": Metric(
        "Completeness",
        completeness,
        "notion: Rocca and Rocca 2019; numbers: Kynkaanniemi et al. 2019, Naeem et al. 2020",
        needs=("codes", "judge"),
        numbers={
            "precision": Number("samples on the data's manifold", "share of samples", "higher"),
            "recall": Number("data on the samples' manifold", "share of images", "higher"),
            "density": Number("density of the data around samples", "times the data's own", "higher"),
            "coverage": Number("data covered by samples", "share of images", "higher"),
        },
        nested=True,
    ),
    "mig": Metric(
        "Mutual information gap",
        mig,
        "Chen et al. 2018; Locatello et al. 2019",
        needs=("codes", "factors"),
        numbers={"mig": Number("mutual information gap", "share of entropy", "higher")},
    ),
    "conditional": Metric(
        "Evidence lower bound, the class known",
        conditional,
        "Sohn, Lee and Yan 2015",
        needs=("conditional",),
        numbers={
            "recon": Number("reconstruction", "nats per image", "lower"),
            "kl": Number("KL to the prior", "nats per image", "neither"),
            "elbo": Number("ELBO of log p(x | y)", "nats per image", "higher"),
            "obeyed": Number("draws of the class that was asked for", "share of draws", "higher"),
        },
    ),
    "discrete": Metric(
        "Evidence lower bound of a code of letters",
        discrete,
        "Jang, Gu and Poole 2017",
        needs=("letters",),
        numbers={
            "recon": Number("reconstruction", "nats per image", "lower"),
            "kl": Number("KL to the uniform prior", "nats per image", "neither"),
            "elbo": Number("ELBO at beta 1", "nats per image", "higher"),
            "relaxed_recon": Number("reconstruction with soft letters", "nats per image", "neither"),
            "used": Number("letters in use", "letters a place", "higher"),
        },
    ),
    "names": Metric(
        "Names given back",
        names,
        "Bowman et al. 2016",
        needs=("words",),
        numbers={
            "exact": Number("names that come back letter for letter", "share of names", "higher"),
            "letters_right": Number("letters in their place", "share of letters", "higher"),
            "bits_per_letter": Number("-ELBO", "bits per letter", "lower"),
        },
    ),
    "vector_quantised": Metric(
        "Reconstruction by way of a codebook, and its usage",
        vector_quantised,
        "van den Oord, Vinyals and Kavukcuoglu 2017",
        needs=("codebook",),
        numbers={
            "recon": Number("reconstruction", "nats per image", "lower"),
            "distance": Number("squared distance to the codes", "per map", "neither"),
            "unexplained": Number("squared error over variance", "share", "lower"),
            "perplexity": Number("perplexity of the codes", "codes", "higher"),
            "used": Number("codes in use", "codes", "higher"),
        },
    ),
    "two_levels": Metric(
        "Reconstruction by way of two levels of codes",
        two_levels,
        "Razavi, van den Oord and Vinyals 2019",
        needs=("two codebooks",),
        numbers={
            "recon": Number("reconstruction", "nats per image", "lower"),
            "unexplained": Number("squared error over variance", "share", "lower"),
            "top_unexplained": Number("the same from the top alone", "share", "lower"),
            "perplexity_top": Number("perplexity of the top's codes", "codes", "higher"),
            "perplexity_bottom": Number("perplexity of the bottom's codes", "codes", "higher"),
        },
    ),
    "code_prior": Metric(
        "Cost of code maps under a prior",
        code_prior,
        "van den Oord et al. 2016",
        needs=("code maps",),
        numbers={
            "map_nats": Number("a code map", "nats per map", "lower"),
            "code_nats": Number("a code", "nats per code", "lower"),
            "saved": Number("saved of the nats of uniform codes", "share", "higher"),
        },
    ),
    "drawn": Metric(
        "Evidence lower bound of a posterior known by its draws",
        drawn,
        "Kingma et al. 2016; Sonderby et al. 2016",
        needs=("draws",),
        numbers={
            "recon": Number("reconstruction", "nats per image", "lower"),
            "kl": Number("KL to the prior", "nats per image", "neither"),
            "elbo": Number("ELBO at beta 1", "nats per image", "higher"),
        },
    ),
    "voice": Metric(
        "Speech said again from its codes",
        voice,
        "van den Oord, Vinyals and Kavukcuoglu 2017",
        needs=("spoken",),
        numbers={
            "recon": Number("reconstruction", "nats per image", "lower"),
            "mse_over_variance": Number("error of the spectrogram", "shares of its variance", "lower"),
            "perplexity": Number("codes in use", "codes", "higher"),
            "bits_per_second": Number("codes", "bits per second", "lower"),
            "bits_used": Number("codes by their entropy", "bits per second", "lower"),
        },
    ),
    "restoration": Metric(
        "Fidelity of the restored pictures",
        restoration,
        "PSNR; Wang et al. 2004",
        needs=("restores",),
        numbers={
            "psnr": Number("PSNR", "dB", "higher"),
            "ssim": Number("SSIM", "index", "higher"),
            "baseline_psnr": Number("PSNR without a network", "dB", "higher"),
            "baseline_ssim": Number("SSIM without a network", "index", "higher"),
        },
    ),
    "accuracy": Metric(
        "Accuracy of the classifier",
        accuracy,
        "this project",
        needs=("labels",),
        numbers={
            "accuracy": Number("accuracy", "share of images", "higher"),
            "cross_entropy": Number("cross-entropy", "nats per image", "lower"),
            "sure": Number("images that it is sure of", "share of images", "neither"),
        },
    ),
}


def evaluate_all(
    model: Any,
    source: Source,
    classifier: Any = None,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> dict[str, Any]:
    """Every metric that fits a model, as plain JSON: what goes into metrics.json.

    The model is any of the registry, in eval mode; `source` holds its held-out images;
    `classifier` judges decoded pictures (continuity and completeness are left out without one). What is not
    defined for a model (the KL of an autoencoder, the MIG without factors) is left out. `progress(share,
    title)` hears what is about to be computed. Raises InvalidInput where a score is not finite.
    """
    trial = Trial(model, source, classifier, seed)
    found: dict[str, Any] = {"held_out": len(source), "seed": seed}
    with_all = {name: metric for name, metric in METRICS.items() if all(map(trial.offers, metric.needs))}
    for done, (name, metric) in enumerate(with_all.items()):
        if progress:
            progress(done / len(with_all), metric.title)
        result = as_json({name: metric.compute(trial)})
        found.update(result if metric.nested else result[name])
    return found
