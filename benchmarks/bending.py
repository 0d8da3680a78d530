"""How near does each kind of q come to a posterior of the plane that is no Gaussian?

    python -m benchmarks.bending [--write]

Four posteriors, known exactly on a grid; every family of vae_core.bending fitted to each. Told are, in nats, how far
the bound that it was fitted by lies below log p(x), and KL(q || p), which is the same for the ELBO. With --write the
numbers go to assets/results/bending.json, and the fitted weights to bending.safetensors.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.bending import FAMILIES, STEPS, bound, fit, gap
from vae_core.exact.told import TOLD, Told
from vae_core.folders import ASSETS, write_whole

RESULTS, WEIGHTS = ASSETS / "results" / "bending.json", ASSETS / "results" / "bending.safetensors"
DRAWS = 200_000  # behind a bound that has no closed form


def measure() -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """A row for each posterior and family, and the weights of each q."""
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    weights: dict[str, Tensor] = {}
    for kind in TOLD:
        told = Told(kind)
        for name, family in FAMILIES.items():
            began = time.perf_counter()
            q = fit(told, family)
            seconds = time.perf_counter() - began
            with torch.no_grad():
                generator = torch.Generator().manual_seed(1)
                found = bound(q, told, family.draws, DRAWS // family.draws, generator).mean().item()
            below = told.evidence - found if family.draws > 1 else gap(q, told)
            row = {"kind": kind, "family": name, "below": round(below, 4), "kl": round(gap(q, told), 4)}
            print(f"{kind:22} {name:20} {row['below']:8.3f} below log p(x)   KL {row['kl']:8.3f}  {seconds:5.1f} s")
            rows.append(row)
            weights |= {f"{kind}|{name}|{key}": tensor.contiguous() for key, tensor in q.state_dict().items()}
    return rows, weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows, weights = measure()
    if options.write:
        told = {"steps": STEPS, "draws": DRAWS, "rows": rows}
        write_whole(RESULTS, lambda file: file.write((json.dumps(told, indent=1) + "\n").encode()))
        write_whole(WEIGHTS, lambda file: file.write(save(weights)))


if __name__ == "__main__":
    main()
