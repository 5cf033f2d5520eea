import math
from functools import partial

import pytest
import torch

from ctxaudio.model import losses
from ctxaudio.model.discriminator import Verdict

EQUAL = torch.ones(1)


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


def energy_score(one: torch.Tensor, other: torch.Tensor, real: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The energy score of two takes as it is defined: either take's distance to the crop, less half that of the two."""
    distance = partial(losses.texture_distance, weight=weight)
    return 0.5 * (distance(one, real) + distance(other, real)) - 0.5 * distance(one, other)


def test_of_either_take_in_turn_the_loss_has_exactly_the_gradient_of_the_energy_score():
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 3, 4, dtype=torch.float64, generator=random)
    real = torch.randn(3, 4, dtype=torch.float64, generator=random)
    weight = torch.tensor([0.5, 0.5, 2.0, 1.0], dtype=torch.float64)
    shape = torch.tensor([0.7, 0.3], dtype=torch.float64, requires_grad=True)

    def takes() -> torch.Tensor:
        return shape[0] * noise + shape[1] * noise.square()

    one, other = takes()
    (wanted,) = torch.autograd.grad(energy_score(one, other, real, weight), shape)
    one, other = takes()
    in_turn = 0.5 * (losses.energy_loss(one, other, real, weight) + losses.energy_loss(other, one, real, weight))
    (found,) = torch.autograd.grad(in_turn, shape)
    torch.testing.assert_close(found, wanted)
    assert float(wanted.abs().min()) > 1e-3


def slope(deviation: float) -> tuple[float, float]:
    """Of loss and score where takes have that deviation and real crops 1: their derivatives by it, in expectation."""
    one, other, real = torch.randn(3, 100_000, 1, generator=torch.Generator().manual_seed(0))
    found = []
    for term in (losses.energy_loss, energy_score):
        d = torch.tensor(deviation, requires_grad=True)
        found.append(float(torch.autograd.grad(term(d * one, d * other, real, EQUAL), d)[0]))
    return found[0], found[1]


def test_in_expectation_the_loss_has_the_gradient_of_the_energy_score():
    for deviation in (0.2, 0.5, 1.0, 1.5, 3.0):
        of_loss, of_score = slope(deviation)
        assert of_loss == pytest.approx(of_score, abs=0.01)


def test_it_descends_to_where_takes_vary_as_the_crops_do():
    random = torch.Generator().manual_seed(0)
    crops, one, other = torch.randn(3, 40_000, 1, generator=random)
    deviations = torch.linspace(0.0, 2.0, 9)
    scores = [float(energy_score(d * one, d * other, crops, EQUAL)) for d in deviations]
    assert deviations[scores.index(min(scores))] == 1.0
    slopes = [slope(float(d))[0] for d in deviations[1:]]
    assert all(s < -0.01 for s in slopes[:3]) and all(s > 0.01 for s in slopes[4:])
    assert slopes[3] == pytest.approx(0.0, abs=0.01)
    distances = [float(losses.texture_distance(d * one, crops, EQUAL)) for d in deviations]
    assert distances.index(min(distances)) == 0  # which is why a distance alone irons out what varies


def test_the_second_take_is_a_constant():
    one, other, real = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0)).unbind()
    losses.energy_loss(one.requires_grad_(), other.requires_grad_(), real, EQUAL).backward()
    assert other.grad is None and float(one.grad.abs().min()) > 0


def test_the_loss_finds_a_shift_and_is_zero_where_all_are_the_same():
    wanted = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    assert float(losses.energy_loss(wanted, wanted, wanted, EQUAL)) == 0.0
    shifts = (0.0, 0.5, 2.0, 6.0)
    found = [float(losses.energy_loss(wanted + by, wanted + by, wanted, EQUAL)) for by in shifts]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(37.0**0.5 - 1.0, abs=1e-4)
    assert float(losses.energy_loss(wanted + 1.0, wanted + 2.0, wanted, EQUAL)) == pytest.approx(0.0, abs=1e-6)


def test_the_loss_has_an_exact_gradient_that_no_outlier_rules():
    takes = torch.randn(3, 2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one, other, real = takes.unbind()
    weight = torch.tensor([0.5, 0.5, 2.0, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a: losses.energy_loss(a, other, real, weight), (one.requires_grad_(),))
    assert torch.autograd.gradcheck(lambda a: losses.texture_distance(a, real, weight), (one,))
    far = torch.tensor([[0.5, 1000.0]], requires_grad=True)
    losses.texture_distance(far, torch.zeros(1, 2), EQUAL).backward()
    assert float(far.grad[0, 1] / far.grad[0, 0]) == pytest.approx(math.hypot(1.0, 0.5) / 0.5, rel=1e-3)


def test_a_statistic_counts_as_much_as_its_weight():
    one, other = torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 3.0]])
    apart = [math.sqrt(2.0) - 1.0, 0.0, math.sqrt(10.0) - 1.0]
    weight = torch.tensor([2.0, 0.9, 0.1])
    wanted = (2.0 * apart[0] + 0.1 * apart[2]) / 3
    assert float(losses.texture_distance(one, other, weight)) == pytest.approx(wanted, rel=1e-5)
    assert float(losses.energy_loss(one, one, other, weight)) == pytest.approx(wanted, rel=1e-5)
