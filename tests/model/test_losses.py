import math

import pytest
import torch

from ctxaudio.model import losses
from ctxaudio.model.discriminator import Verdict


def verdict(real: list[float], condition: list[list[float]] | None = None) -> list[Verdict]:
    return [Verdict(torch.tensor([real]), torch.tensor(condition or [[0.0, 0.0]]))]


def test_the_hinge_losses_have_the_right_signs():
    assert float(losses.discriminator_hinge(verdict([2.0]), verdict([-2.0]))) == 0.0
    assert float(losses.discriminator_hinge(verdict([0.5]), verdict([0.0]))) == pytest.approx(1.5)
    assert float(losses.generator_hinge(verdict([2.0]))) < float(losses.generator_hinge(verdict([-2.0])))


def test_of_several_views_the_mean_counts():
    two = verdict([2.0]) + verdict([0.0])
    assert float(losses.generator_hinge(two)) == pytest.approx(-1.0)
    assert float(losses.discriminator_hinge(two, verdict([-1.0]) + verdict([-1.0]))) == pytest.approx(0.5)


def test_the_hinges_pull_the_two_networks_apart():
    real, fake = torch.zeros(1, 3, requires_grad=True), torch.zeros(1, 3, requires_grad=True)
    none = torch.zeros(1, 2)
    losses.discriminator_hinge([Verdict(real, none)], [Verdict(fake, none)]).backward()
    assert bool((real.grad < 0).all()) and bool((fake.grad > 0).all())
    fake.grad = None
    losses.generator_hinge([Verdict(fake, none)]).backward()
    assert bool((fake.grad < 0).all())


def test_the_condition_loss_is_the_cross_entropy():
    given = verdict([0.0], [[2.0, 0.0]])
    assert float(losses.condition_loss(given, torch.tensor([0]))) == pytest.approx(math.log(1 + math.exp(-2)))


def test_the_energy_score_is_least_where_takes_vary_as_the_crops_do():
    random = torch.Generator().manual_seed(0)
    crops, one, other = torch.randn(3, 40_000, 1, generator=random)
    deviations = torch.linspace(0.0, 2.0, 9)
    scores = [float(losses.energy_score(d * one, d * other, crops)) for d in deviations]
    assert deviations[scores.index(min(scores))] == 1.0
    distances = [float(losses.texture_distance(d * one, crops)) for d in deviations]
    assert distances.index(min(distances)) == 0  # which is why a distance alone irons out what varies


def test_the_energy_score_finds_a_shift_and_is_zero_where_all_are_the_same():
    wanted = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    assert float(losses.energy_score(wanted, wanted, wanted)) == 0.0
    shifts = (0.0, 0.5, 2.0, 6.0)
    scores = [float(losses.energy_score(wanted + by, wanted + by, wanted)) for by in shifts]
    assert scores == sorted(scores)
    assert scores[-1] == pytest.approx(37.0**0.5 - 1.0, abs=1e-4)
    assert float(losses.energy_score(wanted, wanted + 1.0, wanted)) == pytest.approx(0.0, abs=1e-6)


def test_the_energy_score_has_an_exact_gradient_that_no_outlier_rules():
    takes = torch.randn(3, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one, other, real = takes.unbind()
    assert torch.autograd.gradcheck(
        lambda a, b: losses.energy_score(a, b, real), (one.requires_grad_(), other.requires_grad_())
    )
    far = torch.tensor([[0.5, 1000.0]], requires_grad=True)
    losses.texture_distance(far, torch.zeros(1, 2)).backward()
    assert float(far.grad[0, 1] / far.grad[0, 0]) == pytest.approx(math.hypot(1.0, 0.5) / 0.5, rel=1e-3)
