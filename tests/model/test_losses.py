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
