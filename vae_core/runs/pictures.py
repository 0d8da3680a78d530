"""What a run shows while it trains: the codes of some held-out images, a few reconstructions, a few draws.

None of it touches the training: no random number is taken from it, and the model is only asked.
"""

from __future__ import annotations

import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.data import ImageSource
from vae_core.folders import write_whole
from vae_core.latent.pictures import to_bytes
from vae_core.latent.priors import fit_gaussian, standard_normal
from vae_core.models import LatentModel
from vae_core.runs.folder import SAMPLE, Run, Sample
from vae_core.training.sources import index_home

POINTS, RECONSTRUCTIONS, DRAWS = 2000, 8, 16
BATCH = 500  # images encoded at a time
SEED = 20_171


def frame_steps(steps: int) -> list[int]:
    """The steps of which a run of so many keeps a frame: 13 to 101, close together at first, where most happens."""
    frames = min(100, max(12, steps // 50))
    return sorted({round(steps * (number / frames) ** 2) for number in range(frames + 1)})


def choose_sample(source: ImageSource, device: torch.device) -> Sample:
    """The held-out images to show, always the same of one source; the first of them show every class."""
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(SEED))[:POINTS]
    labels = source.labels[order]
    firsts = [int((labels == label).nonzero()[0]) for label in labels.unique()][:RECONSTRUCTIONS]
    others = torch.ones(len(order), dtype=torch.bool)
    others[firsts] = False
    order = torch.cat([order[firsts], order[others]])
    images = source.images(order[:RECONSTRUCTIONS].to(index_home(source, device)))
    return Sample(order, source.labels[order], to_bytes(images).cpu())


class Pictures:
    """The frames of one run."""

    def __init__(self, run: Run, model: LatentModel, source: ImageSource, device: torch.device) -> None:
        self.run, self.model, self.source, self.device = run, model, source, device
        self.sample = choose_sample(source, device)
        self.noise = torch.randn(DRAWS, model.config.latent, generator=torch.Generator().manual_seed(SEED))
        tensors = {name: tensor.contiguous() for name, tensor in vars(self.sample).items()}
        write_whole(run.folder / SAMPLE, lambda file: file.write(save(tensors)))

    def write(self, step: int) -> bool:
        """Keep a frame of the model, which is in eval mode, as it is now; False where it makes no numbers any more."""
        mixed = self.run.config.recipe.training.precision == "bfloat16"  # as in training: a frame is to cost little
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            codes, recon, samples = self.draw()
        if not all(tensor.isfinite().all() for tensor in (codes, recon, samples)):
            return False
        data = save({"latents": codes.half(), "recon": to_bytes(recon), "samples": to_bytes(samples)})
        write_whole(self.run.frame_file(step), lambda file: file.write(data))
        return True

    @torch.no_grad()
    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """The codes [N, Z] of the sample, its first images reconstructed, and draws [16, C, H, W]; on the CPU."""
        index = self.sample.index.to(index_home(self.source, self.device))
        codes = torch.cat([self.model.encode(self.source.images(part)).mean for part in index.split(BATCH)]).float()
        recon = self.model.decode(codes[:RECONSTRUCTIONS]).cpu()
        if not codes.isfinite().all():  # to which no Gaussian can be fitted
            return codes.cpu(), recon, recon
        return codes.cpu(), recon, self.model.decode(self._places(codes.cpu()).to(self.device)).cpu()

    def _places(self, codes: Tensor) -> Tensor:
        """Codes [16, Z] of the same noise: draws from the prior, or from a Gaussian fitted to the codes [N, Z]."""
        if self.model.is_generative:
            return standard_normal(codes.shape[1]).place(self.noise)
        return fit_gaussian(codes if len(codes) > 1 else codes.repeat(2, 1)).place(self.noise)
