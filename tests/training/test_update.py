"""An update is the optimiser's own; a device that is not there is named; random numbers drawn aside leave no trace."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ctxaudio.errors import CtxAudioError
from ctxaudio.training.config import TrainingConfig
from ctxaudio.training.loop import descend
from ctxaudio.training.state import preserve_rng, random_state, set_random_state
from ctxaudio.workers import check_device

CPU = torch.device("cpu")


def test_descending_is_the_optimisers_own_step() -> None:
    torch.manual_seed(0)
    mine, reference = nn.Linear(5, 3), nn.Linear(5, 3)
    reference.load_state_dict(mine.state_dict())
    given = torch.randn(4, 5)
    nn.functional.mse_loss(reference(given), torch.zeros(4, 3)).backward()
    nn.utils.clip_grad_norm_(reference.parameters(), 0.1)
    torch.optim.SGD(reference.parameters(), lr=0.5).step()

    for parameter in mine.parameters():
        parameter.grad = torch.full_like(parameter, 100.0)  # of an earlier update
    loss = nn.functional.mse_loss(mine(given), torch.zeros(4, 3))
    descend(loss, torch.optim.SGD(mine.parameters(), lr=0.5), largest_norm=0.1)
    assert torch.equal(mine.weight, reference.weight)


def test_random_numbers_drawn_aside_leave_no_trace() -> None:
    torch.manual_seed(5)
    kept = random_state(CPU)
    expected = torch.randn(3)
    torch.manual_seed(5)
    with preserve_rng(CPU):
        torch.randn(1000)
    assert torch.equal(torch.randn(3), expected)
    set_random_state(CPU, kept)
    assert torch.equal(torch.randn(3), expected)


@pytest.mark.parametrize("name", ["cuda:97", "meta", "meta:0:1", "potato"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(CtxAudioError, match=f"device '{name}' is not to be had here"):
        check_device(name)


@pytest.mark.parametrize(("name", "value"), [("lambda_adversarial", -1), ("batch_size", 0)])
def test_settings_out_of_range_are_named(name: str, value: object) -> None:
    with pytest.raises(CtxAudioError, match=f"{name} '?{value}"):
        TrainingConfig(**{name: value})
