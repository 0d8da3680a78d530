"""Beyond the Gaussian posterior: flows, ladders, bounds and critics, each against what is known."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from tests.conftest import blob_source
from vae_core.bending import FAMILIES, Bent, bound, fit, gap
from vae_core.errors import InvalidInput
from vae_core.exact.cells import integrate
from vae_core.exact.told import TOLD, Told, cell, grid
from vae_core.losses import kl_between_normals, kl_to_standard_normal
from vae_core.metrics import evaluate_all
from vae_core.metrics.importance import importance_bounds, log_weights
from vae_core.models import IWAE, VAE, VAEGAN, AdversarialAutoencoder, InverseFlowVAE, LadderVAE
from vae_core.models.inverse_flow import Flow
from vae_core.models.ladder import weighed
from vae_core.objective import Context
from vae_core.training import TrainSettings, train

IMAGE = (1, 4, 4)
SMALL = {"image": IMAGE, "hidden": (12,)}


def shaken(module: torch.nn.Module, scale: float = 0.5) -> torch.nn.Module:
    """Weights far from where they start, so that nothing is nearly the identity."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=scale)
    return module


def black_and_white(count: int = 8) -> Tensor:
    return (torch.rand(count, *IMAGE, generator=torch.Generator().manual_seed(3)) < 0.5).float()


class Pictures:
    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.labels, self.factors = torch.zeros(len(x)), None

    def __len__(self) -> int:
        return len(self.x)

    def images(self, index: Tensor) -> Tensor:
        return self.x[index]


# The flow.


@pytest.mark.parametrize(("latent", "steps"), [(1, 1), (2, 1), (5, 2), (5, 3)])
def test_the_flows_determinant_is_that_of_its_jacobian(latent: int, steps: int) -> None:
    flow = shaken(Flow(latent, steps, 16, 3)).double()
    z, told = torch.randn(1, latent).double(), torch.randn(1, 3).double()
    jacobian = torch.autograd.functional.jacobian(lambda at: flow(at, told)[0], z)[0, :, 0]
    stretched = flow(z, told)[1]
    assert stretched.shape == (1, latent)
    assert stretched.sum().item() == pytest.approx(torch.linalg.slogdet(jacobian).logabsdet.item(), abs=1e-9)


def test_a_step_of_the_flow_is_autoregressive() -> None:
    step = shaken(Flow(5, 1, 16, 3)).steps[0]
    jacobian = torch.autograd.functional.jacobian(lambda at: step(at, torch.zeros(1, 3))[0], torch.randn(1, 5))
    below = jacobian[0, :, 0]
    assert torch.equal(below, below.tril()) and below.tril(-1).abs().sum() > 0


def test_the_flow_can_be_undone() -> None:
    flow = shaken(Flow(4, 3, 16, 2), 0.3).double()
    z, told = torch.randn(50, 4).double(), torch.randn(50, 2).double()
    torch.testing.assert_close(flow.inverse(flow(z, told)[0], told), z)


def test_a_flow_tells_the_density_of_its_draws() -> None:
    q = shaken(Bent(FAMILIES["flow, 2 steps"]), 0.3)
    z, log_q = q.sample(100)
    torch.testing.assert_close(q.log_density(z), log_q, atol=1e-3, rtol=1e-3)
    assert (q.log_density(grid()).exp().sum() * cell()).item() == pytest.approx(1, abs=0.01)


def test_without_steps_a_flow_is_the_vae() -> None:
    """The same weights, the same noise: log q - log p is what the Gaussian's is."""
    flow = InverseFlowVAE(InverseFlowVAE.Config(latent=3, steps=0, context=1, **SMALL))
    mean, logvar = torch.randn(4, 3), torch.randn(4, 3)
    many = tuple(part.repeat(20_000, 1) for part in (mean, logvar, torch.zeros(4, 1)))
    excess = flow.draw(many).excess.view(20_000, 4, 3).mean(0)
    torch.testing.assert_close(excess, kl_to_standard_normal(mean, logvar), atol=0.06, rtol=0.03)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_what_a_draw_costs_is_its_log_density(steps: int) -> None:
    """log q by going backwards through the flow, which the draw itself never does."""
    model = shaken(InverseFlowVAE(InverseFlowVAE.Config(latent=3, steps=steps, context=4, **SMALL)), 0.3)
    mean, logvar, told = condition = model.condition(black_and_white())
    draw = model.draw(condition)
    start = model.flow.inverse(draw.z, told)
    stretched = model.flow(start, told)[1].sum(1)
    log_q = torch.distributions.Normal(mean, torch.exp(0.5 * logvar)).log_prob(start).sum(1) - stretched
    log_p = torch.distributions.Normal(0.0, 1.0).log_prob(draw.z).sum(1)
    torch.testing.assert_close(draw.excess.sum(1), log_q - log_p, atol=1e-3, rtol=1e-3)


# The ladder.


def test_the_product_of_two_gaussians() -> None:
    mean, logvar = weighed(
        (torch.tensor([1.0]), torch.tensor([0.0])), (torch.tensor([4.0]), torch.tensor([-1.0986123]))
    )
    assert (mean.item(), logvar.exp().item()) == pytest.approx((3.25, 0.25))  # precisions 1 and 3


def test_the_kl_between_normals_is_torchs() -> None:
    from torch.distributions import Normal, kl_divergence

    mean, logvar, other, other_logvar = torch.randn(4, 5, 3)
    expected = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(other, (0.5 * other_logvar).exp()))
    torch.testing.assert_close(kl_between_normals(mean, logvar, other, other_logvar), expected)


def test_the_ladders_kl_is_the_mean_of_what_its_draws_cost() -> None:
    model = shaken(LadderVAE(LadderVAE.Config(lower=3, upper=2, width=8, **SMALL)), 0.4)
    with torch.no_grad():
        condition = tuple(part.repeat(40_000, 1) for part in model.condition(black_and_white(2)))
        draw = model.draw(condition)
        closed = model.kl_per_latent(condition, draw).view(40_000, 2, 5).mean(0)
    torch.testing.assert_close(closed, draw.excess.view(40_000, 2, 5).mean(0), atol=0.05, rtol=0.03)
    assert (closed > 0).all()


# The bounds.


@pytest.fixture
def tiny() -> VAE:
    """A VAE whose two latents can be summed up, with a q wide enough to find all of the posterior."""
    return widened(shaken(VAE(VAE.Config(latent=2, **SMALL)), 0.7)).eval()  # type: ignore[return-value]


def widened(model: torch.nn.Module, layer: str = "encoder", logvar: float = 0.4) -> torch.nn.Module:
    """With an encoder that hardly looks: means near 0, and this log-variance."""
    last = getattr(model, layer)
    last = last if isinstance(last, torch.nn.Linear) else last[-1]
    with torch.no_grad():
        last.weight.mul_(0.2)
        last.bias.copy_(torch.tensor([0.0, 0.0, logvar, logvar] + [0.0] * (len(last.bias) - 4)))
    return model


def test_the_nll_of_every_posterior_is_that_of_the_integral(tiny: VAE) -> None:
    """One decoder behind a Gaussian, a flow and an IWAE: the estimates meet in log p(x), from below."""
    source = Pictures(black_and_white(3))
    truth = sum(integrate(tiny, source.images(torch.tensor([each]))).evidence for each in range(3)) / 3
    flow = widened(
        shaken(InverseFlowVAE(InverseFlowVAE.Config(latent=2, steps=2, context=3, **SMALL)), 0.2), logvar=1.0
    )
    iwae = widened(IWAE(IWAE.Config(latent=2, **SMALL)))
    for model in (tiny, flow, iwae):
        model.decoder.load_state_dict(tiny.decoder.state_dict())
        *_, (_, found) = importance_bounds(model, source, (1, 5000), 3)
        assert found is not None
        assert found.bound[-1] == pytest.approx(truth, abs=0.03)
        assert found.bound[0] < truth + 0.1


def test_the_ladders_nll_is_that_of_the_integral() -> None:
    """Where the lower prior does not hang on the upper code it is a Gaussian over the plane, and can be summed up."""
    model = shaken(LadderVAE(LadderVAE.Config(lower=2, upper=2, width=8, **SMALL)), 0.5).eval()
    widened(widened(model, "to_upper", 0.0), "to_lower", 3.0)
    with torch.no_grad():
        for parameter in model.expected[-1].parameters():
            parameter.zero_()
    x = black_and_white(1)
    known = SimpleNamespace(config=SimpleNamespace(latent=2), recon_per_image=model.recon_per_image)
    weights = torch.cat(list(log_weights(model, x, 20_000, torch.Generator().manual_seed(0))), 1)
    assert (weights.logsumexp(1) - math.log(20_000)).item() == pytest.approx(integrate(known, x).evidence, abs=0.03)


def test_one_draw_of_the_iwae_is_the_elbo_of_the_vae(tiny: VAE) -> None:
    """With the same noise: minus log of one weight."""
    iwae = IWAE(IWAE.Config(samples=1, latent=2, **SMALL)).eval()
    iwae.load_state_dict(tiny.state_dict())
    x = black_and_white()
    posterior = tiny.encode(x)
    noise = Context(generator=torch.Generator().manual_seed(1)).normal(posterior.mean)
    z = posterior.mean + posterior.std * noise
    log_q = torch.distributions.Normal(posterior.mean, posterior.std).log_prob(z).sum(1)
    log_p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) - tiny.recon_per_image(x, z)
    found = iwae.loss(x, context=Context(generator=torch.Generator().manual_seed(1)))
    assert found.total.item() == pytest.approx((log_q - log_p).mean().item(), rel=1e-5)
    vae = tiny.loss(x, context=Context(generator=torch.Generator().manual_seed(1)))
    assert found.recon.item() == pytest.approx(vae.recon.item(), rel=1e-5)
    assert found.kl.item() == pytest.approx(vae.kl.item(), rel=1e-5)


def test_the_iwaes_bound_rises_with_k_and_its_gradient_is_finite(tiny: VAE) -> None:
    x = black_and_white(4).repeat(500, 1, 1, 1)
    losses = []
    for count in (1, 5, 50):
        iwae = IWAE(IWAE.Config(samples=count, latent=2, **SMALL))
        iwae.load_state_dict(tiny.state_dict())
        terms = iwae.loss(x)
        losses.append(terms.total.item())
    assert losses[0] > losses[1] + 0.02 > losses[2] + 0.02
    terms.total.backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in iwae.parameters())
    with pytest.raises(InvalidInput, match="samples"):
        IWAE.Config(samples=0)
    with pytest.raises(InvalidInput, match="train a VAE"):
        iwae.loss(x[:2], context=Context(free_bits=0.1))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_softplus_of_logits_is_the_reconstruction(tiny: VAE, precision: str) -> None:
    """The fast likelihood against that of the model, drawn from the same noise."""
    x = black_and_white()
    fast = importance_bounds(tiny, Pictures(x), (200,), 8, precision=precision)
    slow = SimpleNamespace(encode=tiny.encode, recon_per_image=tiny.recon_per_image, config=tiny.config)
    bounds = [found.bound[0] for *_, (_, found) in [fast, importance_bounds(slow, Pictures(x), (200,), 8)] if found]
    assert bounds[0] == pytest.approx(bounds[1], abs=1e-4 if precision == "float32" else 0.1)


# What is told.


def test_the_gap_of_the_best_gaussian_is_the_known_one() -> None:
    """Their sum: a Gaussian posterior of precision I + 11'/sigma^2, so a diagonal q lies KL below."""
    told = Told("their sum")
    precision = 1 / told.sigma**2
    matrix = torch.eye(2) + precision
    evidence = torch.distributions.Normal(0.0, math.sqrt(2 + told.sigma**2)).log_prob(torch.tensor(1.0)).item()
    assert told.evidence == pytest.approx(evidence, abs=1e-4)
    known = 0.5 * math.log((1 + precision) ** 2 / torch.linalg.det(matrix).item())
    found = fit(told, FAMILIES["Gaussian"], steps=700)
    assert gap(found, told) == pytest.approx(known, abs=0.03)
    one = fit(told, FAMILIES["flow, 1 step"], steps=250)
    assert gap(one, told) < 0.05, "a tilt is autoregressive"


@pytest.mark.parametrize("kind", TOLD)
def test_a_posterior_fills_the_window(kind: str) -> None:
    told = Told(kind)
    assert (told.posterior(grid()).exp().sum() * cell()).item() == pytest.approx(1, abs=1e-3)
    q = Bent(FAMILIES["Gaussian"]).requires_grad_(False)
    below = told.evidence - bound(q, told, 1, 200_000, torch.Generator().manual_seed(0)).mean().item()
    assert below == pytest.approx(gap(q, told), rel=0.03), "log p(x) = ELBO + KL, the one by draws, the other summed"


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(InvalidInput, match="their sum"):
        Told("their fate")
    with pytest.raises(InvalidInput, match="sigma"):
        Told("their sum", 0.0)


# The critics.


@pytest.mark.parametrize("kind", [AdversarialAutoencoder, VAEGAN])
def test_each_side_of_a_game_moves_its_own_weights(kind: type) -> None:
    """The critic's gradient is that of its own loss; the model's does not hang on the critic being caught."""
    model = kind(kind.Config(latent=2, critic=(8, 6), weight=0.0, **SMALL))
    x = black_and_white()
    model.loss(x, context=Context(generator=torch.Generator().manual_seed(0))).total.backward()
    plain = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    louder = kind(kind.Config(latent=2, critic=(8, 6), weight=3.0, **SMALL))
    louder.load_state_dict(model.state_dict())
    louder.loss(x, context=Context(generator=torch.Generator().manual_seed(0))).total.backward()
    for name, parameter in louder.named_parameters():
        same = torch.allclose(parameter.grad, plain[name], atol=1e-6)
        critics = name.startswith("critic")
        reached = name.startswith("encoder" if kind is AdversarialAutoencoder else "decoder")
        assert same == (critics or not reached), name


def test_an_adversarial_autoencoder_draws_the_crowd_to_the_prior() -> None:
    """Without the game the codes go where they like."""
    spreads = []
    for weight in (0.0, 10.0):
        torch.manual_seed(0)
        model = AdversarialAutoencoder(
            AdversarialAutoencoder.Config(image=(1, 12, 12), latent=2, hidden=(24,), critic=(32, 32), weight=weight)
        )
        with torch.no_grad():
            model.encoder[-1].bias[:2] += 4  # far from the prior
        for _ in train(
            model, blob_source(96), TrainSettings(epochs=30, batch=32, lr=3e-3, warmup=0), torch.device("cpu")
        ):
            pass
        codes = model.encode(blob_source(96).images(torch.arange(96))).mean
        spreads.append(codes.mean(0).norm().item())
    assert spreads[1] < 0.5 * spreads[0]


def test_a_vae_gan_learns_to_copy() -> None:
    """Its total need not fall, for its critic learns, too; and no pixel is compared. Yet the copies come nearer."""
    model = VAEGAN(VAEGAN.Config(image=(1, 12, 12), latent=3, hidden=(24,), critic=(16,)))
    settings = TrainSettings(epochs=30, batch=32, lr=5e-3, warmup=0)
    log = list(train(model, blob_source(96), settings, torch.device("cpu"), log_every=10))
    assert log[-1].terms["recon"] < 0.9 * log[0].terms["recon"]


def test_the_vae_gan_compares_features() -> None:
    model = VAEGAN(VAEGAN.Config(latent=2, critic=(8, 6), sigma=0.5, **SMALL))
    x, other = black_and_white(), black_and_white().roll(1, 0)
    assert model.unlike(x, x).tolist() == pytest.approx([6 * math.log(0.5)] * 8)
    features = torch.nn.Sequential(*list(model.critic)[:-1])
    apart = (features(x.flatten(1)) - features(other.flatten(1))) ** 2
    torch.testing.assert_close(model.unlike(x, other), (2 * apart + math.log(0.5)).sum(1))


@pytest.mark.parametrize(
    ("kind", "settings", "named"),
    [(InverseFlowVAE, {"steps": 99}, "steps"), (InverseFlowVAE, {"width": 0}, "width"),
     (InverseFlowVAE, {"activation": "eval"}, "activation"), (LadderVAE, {"upper": 0}, "upper"),
     (LadderVAE, {"hidden": ()}, "hidden"), (AdversarialAutoencoder, {"weight": math.nan}, "weight"),
     (AdversarialAutoencoder, {"critic": ()}, "critic"), (VAEGAN, {"weight": -1.0}, "weight"),
     (VAEGAN, {"critic": (10**9,)}, "critic")],
)  # fmt: skip
def test_a_setting_out_of_range_is_named(kind: type, settings: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        kind.Config(**settings)


@pytest.mark.parametrize("kind", [InverseFlowVAE, LadderVAE])
def test_a_drawn_posterior_is_scored(kind: type) -> None:
    """The bound from the metrics is the mean of single weights."""
    sizes = {"latent": 3} if kind is InverseFlowVAE else {"lower": 3, "upper": 2}
    model = kind(kind.Config(**sizes, **SMALL)).eval()
    source = Pictures(black_and_white(400))
    found = evaluate_all(model, source)
    *_, (_, bounds) = importance_bounds(model, source, (1,), 400)
    assert bounds is not None
    assert found["elbo"] == pytest.approx(-(found["recon"] + found["kl"]))
    assert found["elbo"] == pytest.approx(bounds.bound[0], abs=0.2)
    assert model.decode(model.prior_codes(5)).shape == (5, *IMAGE)
