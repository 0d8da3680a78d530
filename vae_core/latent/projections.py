"""A latent cloud of any number of dimensions, laid out in the plane: PCA, t-SNE, UMAP.

A projection of many points takes up to a minute, so it is kept on disk under a name made from everything that
it depends on: the codes themselves, the method, its settings and library, the seed. A damaged file is
computed anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vae_core.errors import InvalidInput
from vae_core.folders import projection_cache, write_whole

Progress = Callable[[float, str], None]  # (share done in [0, 1], what is going on)

FEWEST, MOST = 10, 100_000  # points
NEIGHBOURS = 15  # UMAP: how many neighbours count as local
PERPLEXITY = 30.0  # t-SNE: roughly the same, in its own words
ITERATIONS = 1000  # t-SNE
NEIGHBOURS_DONE = 0.1  # share of the bar given to the search for neighbours
ROWS = 500  # of a distance matrix held in memory at once

log = logging.getLogger(__name__)
# Numba's fallback threads abort the whole process when two of them start at once, and t-SNE reports on a
# shared stream; so one projection at a time, and others wait.
one_at_a_time = threading.Lock()


def pca(codes: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    """The two directions of largest variance, exact; each turned so that its largest weight is positive."""
    centred = codes - codes.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)  # columns, by rising variance
    plane = directions[:, [-1, -2]]
    plane *= np.where(plane[np.abs(plane).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    return centred @ plane


def tsne(codes: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton 2008) by scikit-learn, started from two principal components."""
    from sklearn.manifold import TSNE

    def heard(text: str) -> None:
        if found := re.search(r"Iteration (\d+): error", text):  # every 50 iterations
            share = NEIGHBOURS_DONE + (1 - NEIGHBOURS_DONE) * int(found[1]) / ITERATIONS
            progress(share, f"t-SNE: iteration {found[1]} of {ITERATIONS}")

    progress(0.0, "t-SNE: looking for neighbours")
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    with overheard(heard):
        return TSNE(perplexity=perplexity, init="pca", max_iter=ITERATIONS, random_state=seed, verbose=2).fit_transform(
            codes
        )


def umap(codes: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    """UMAP (McInnes, Healy, Melville 2018) by umap-learn, with its default settings on exact neighbours."""
    progress(0.0, "UMAP: loading the library")  # several seconds: it compiles itself
    from umap import UMAP

    def heard(text: str) -> None:
        found = re.search(r"(\d+)/(\d+)", text)
        if found and int(found[1]) % 10 == 0:
            share = NEIGHBOURS_DONE + (1 - NEIGHBOURS_DONE) * int(found[1]) / int(found[2])
            progress(share, f"UMAP: epoch {found[1]} of {found[2]}")

    neighbours = nearest(codes, min(NEIGHBOURS, len(codes) - 1), progress)
    progress(NEIGHBOURS_DONE, "UMAP: weighing the neighbours")
    # tqdm's bar is umap-learn's only report; a line every epoch, so that tqdm's own thread never steps in.
    bar = {
        "disable": False,
        "file": Listener(heard),
        "bar_format": "{n_fmt}/{total_fmt}",
        "miniters": 1,
        "mininterval": 0,
    }
    warnings.filterwarnings("ignore", r"precomputed_knn\[2\]")  # without an index, new points cannot be added: fine
    reducer = UMAP(
        n_neighbors=neighbours[0].shape[1],
        precomputed_knn=(*neighbours, None),
        random_state=seed,
        n_jobs=1,  # one thread, else the seed would not settle the result
        tqdm_kwds=bar,
    )
    return reducer.fit_transform(codes)


def nearest(codes: np.ndarray, count: int, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Indices and distances [N, count] of each code's nearest, itself included; exact, told block by block.
    (umap-learn's own search is approximate, takes longer at our sizes, and reports nothing.)"""
    points = torch.from_numpy(codes)
    indices: list[Tensor] = []
    distances: list[Tensor] = []
    for block in points.split(ROWS):
        progress(NEIGHBOURS_DONE * len(indices) * ROWS / len(points), "UMAP: looking for neighbours")
        found = torch.cdist(block, points).topk(count, dim=1, largest=False)
        indices.append(found.indices)
        distances.append(found.values)
    return torch.cat(indices).numpy(), torch.cat(distances).float().numpy()


@dataclass(frozen=True)
class Projection:
    """One way to lay a cloud out; the result depends on the library's version and on the settings."""

    title: str
    compute: Callable[[np.ndarray, int, Progress], np.ndarray]
    library: str
    settings: dict[str, float]


PROJECTIONS: dict[str, Projection] = {
    "pca": Projection("PCA", pca, "numpy", {}),
    "tsne": Projection("t-SNE", tsne, "scikit-learn", {"perplexity": PERPLEXITY, "iterations": ITERATIONS}),
    "umap": Projection("UMAP", umap, "umap-learn", {"neighbours": NEIGHBOURS}),
}


def project(
    codes: Tensor,
    method: str = "pca",
    seed: int = 0,
    progress: Progress | None = None,
    cache_dir: Path | str | None = None,
) -> Tensor:
    """Codes [N, Z] -> float32 points [N, 2], from the cache where it has them.

    `progress(share, text)` hears how far it is, from the calling thread; an exception raised there stops the
    work. t-SNE and UMAP need at least 10 points. The cache folder is `cache_dir`, else LATENT_CACHE, else the
    user's cache.
    """
    check(codes, method, seed)
    progress = progress or (lambda share, text: None)
    array = np.ascontiguousarray(codes.detach().cpu().numpy(), dtype=np.float64)
    folder = Path(cache_dir) if cache_dir is not None else projection_cache()
    path = folder / f"{method}-{content_key(array, method, seed)}.npz"
    points = cached(path, len(array), progress)
    if points is None:
        with turn(progress):
            points = cached(path, len(array), progress)  # whoever was waited for may have wanted the same
            if points is None:
                points = np.asarray(PROJECTIONS[method].compute(array, seed, progress), dtype=np.float32)
                keep(path, points)
    progress(1.0, f"{PROJECTIONS[method].title}: done")
    return torch.from_numpy(points)


def check(codes: Tensor, method: str, seed: int) -> None:
    if method not in PROJECTIONS:
        raise InvalidInput(f"There is no projection {method!r}; choose one of {', '.join(PROJECTIONS)}.")
    if codes.ndim != 2 or codes.shape[1] < 2:
        raise InvalidInput(f"The codes have shape {tuple(codes.shape)}; a projection needs (N, Z) with Z at least 2.")
    if not FEWEST <= len(codes) <= MOST:
        raise InvalidInput(f"{len(codes)} points cannot be projected; choose from {FEWEST} to {MOST}.")
    if not codes.isfinite().all():
        raise InvalidInput("Some codes are not finite, so they have no place in a plane; check the model's weights.")
    if (codes == codes[0]).all():
        raise InvalidInput(
            f"All {len(codes)} codes are one and the same point; choose a model whose latents are active."
        )
    if not 0 <= seed < 2**32:
        raise InvalidInput(f"The seed is {seed}; choose a whole number from 0 to {2**32 - 1}.")


def content_key(codes: np.ndarray, method: str, seed: int) -> str:
    """The name of a projection's file, made from all that decides its content."""
    entry = PROJECTIONS[method]
    facts = [
        method,
        seed,
        entry.settings,
        codes.shape,
        entry.library,
        importlib.metadata.version(entry.library),
    ]
    digest = hashlib.sha256(json.dumps(facts).encode())
    digest.update(codes.tobytes())
    return digest.hexdigest()[:24]


def cached(path: Path, count: int, progress: Progress) -> np.ndarray | None:
    """Kept points [N, 2]; None where there are none or where the file is damaged."""
    try:
        return read_points(path, count)
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever is wrong with a cache, it is never worth an error
        log.warning("%s is damaged (%s: %s); the projection is computed again", path, type(error).__name__, error)
        progress(0.0, "The kept projection is damaged; computing it again")
        return None


def read_points(path: Path, count: int) -> np.ndarray:
    """Points [N, 2] from a file of ours; any exception means that it is none."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # np.load would leave a bad one open
        points = arrays["points"]
    if points.shape != (count, 2) or points.dtype != np.float32 or not np.isfinite(points).all():
        raise ValueError(f"points are {points.dtype} {points.shape}, expected finite float32 ({count}, 2)")
    return points


def keep(path: Path, points: np.ndarray) -> None:
    """Write to the cache; a full or read-only disk costs the next visitor time, not this one the result."""
    try:
        write_whole(path, lambda file: np.savez(file, points=points))
    except OSError as error:
        log.warning("The projection could not be kept in %s: %s", path.parent, error)


@contextlib.contextmanager
def turn(progress: Progress) -> Iterator[None]:
    """Inside, no other projection runs; who waits hears of it twice a second, and can stop by raising."""
    while not one_at_a_time.acquire(timeout=0.5):
        progress(0.0, "Waiting for another projection to finish")
    try:
        yield
    finally:
        one_at_a_time.release()


class Listener(io.TextIOBase):
    """A text stream that hands every piece of text to a function."""

    def __init__(self, heard: Callable[[str], object]) -> None:
        self.heard = heard

    def write(self, text: str) -> int:
        self.heard(text)
        return len(text)


@contextlib.contextmanager
def overheard(heard: Callable[[str], object]) -> Iterator[None]:
    """Inside, what this thread prints is heard instead of shown; other threads print as before.

    scikit-learn's t-SNE has no callback: its printed report is the only sign of how far it is.
    """
    mine, screen = threading.get_ident(), sys.stdout

    def sort(text: str) -> None:
        (heard if threading.get_ident() == mine else screen.write)(text)

    with contextlib.redirect_stdout(Listener(sort)):
        yield
