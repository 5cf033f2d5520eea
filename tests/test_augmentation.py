from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.errors import CtxAudioError
from ctxaudio.model.augmentation import Augmentation, draw_augmentation
from ctxaudio.model.training_config import LARGEST_AUGMENT, TrainingConfig

SAMPLES, SAMPLE_RATE = 1600, 8000


def draw(batch: int, probability: float, seed: int = 0) -> Augmentation:
    return draw_augmentation(batch, SAMPLES, SAMPLE_RATE, probability, torch.Generator().manual_seed(seed))


def test_each_change_happens_as_often_as_asked_and_else_not_at_all() -> None:
    drawn = draw(4000, 0.4)
    filtered = drawn.filter_db.abs().amax(1) > 0
    assert float((drawn.sign < 0).float().mean()) == pytest.approx(0.2, abs=0.03)  # of the 0.4, half are upright
    assert float(filtered.float().mean()) == pytest.approx(1 - 0.6 * 0.6, abs=0.03)  # gain, colour
    assert float((drawn.shift > 0).float().mean()) == pytest.approx(0.4, abs=0.03)
    untouched = (drawn.sign > 0) & ~filtered & (drawn.shift == 0)
    assert float(untouched.float().mean()) == pytest.approx(0.6**3 * 0.8, abs=0.03)


def test_an_augmented_sound_is_the_sound_filtered_and_turned() -> None:
    sound = torch.randn(6, SAMPLES, dtype=torch.float64)
    drawn = draw(6, 0.8, seed=3)
    out = drawn(sound)
    for row, made, sign, filter_db, shift in zip(sound, out, drawn.sign, drawn.filter_db, drawn.shift, strict=True):
        expected = np.fft.irfft(np.fft.rfft(row) * 10 ** (filter_db.double().numpy() / 20)) * float(sign)
        np.testing.assert_allclose(made, np.roll(expected, int(shift)), atol=1e-4)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_changes_are_gentle(seed: int) -> None:
    drawn = draw(4, 0.8, seed)
    assert float(drawn.filter_db.abs().max()) <= 6.0 + 2.0 + 5.0  # gain, ripple, five octaves at most from 1 kHz
    assert int(drawn.shift.min()) >= 0 and int(drawn.shift.max()) < SAMPLES


def test_gradients_pass_through() -> None:
    drawn = draw_augmentation(2, 24, SAMPLE_RATE, 0.8, torch.Generator().manual_seed(1))
    drawn = Augmentation(drawn.sign.double(), drawn.filter_db.double(), drawn.shift)
    assert torch.autograd.gradcheck(drawn, torch.randn(2, 24, dtype=torch.float64, requires_grad=True))


def mean_factor(phase_per_unit: torch.Tensor, values: torch.Tensor) -> float:
    """The mean of exp(i phase * value): what a chance shift by `values` does to a distribution at one frequency."""
    return float(torch.polar(torch.ones_like(values), phase_per_unit * values).mean().abs())


@pytest.mark.parametrize("probability", [0.2, LARGEST_AUGMENT])
def test_no_change_can_hide_a_difference_between_real_and_fake(probability: float) -> None:
    """Karras et al. 2020: a chance change leaks where it maps two distributions to one. A shift of the level (or of
    the time, the sign) multiplies the characteristic function of the level; nowhere may the factor be 0."""
    drawn = draw(40_000, probability)
    middle = drawn.filter_db[:, 200]  # 1 kHz: tilt is 0 there, gain and ripple remain
    for phase in torch.linspace(0.0, 3.0, 61):
        assert mean_factor(phase, middle) > 0.01, f"at {phase:.2f} rad a decibel"
    for cycles in range(1, 6):
        turns = drawn.shift.float() / SAMPLES
        assert mean_factor(torch.tensor(2 * np.pi * cycles), turns) == pytest.approx(1 - probability, abs=0.02)
    assert float(drawn.sign.mean()) == pytest.approx(1 - probability, abs=0.02)


def test_a_shift_that_always_happens_would_hide_one() -> None:
    turns = draw(40_000, 1.0).shift.float() / SAMPLES
    assert mean_factor(torch.tensor(2 * np.pi), turns) < 0.02
    with pytest.raises(CtxAudioError, match=r"augment 0\.9 is outside 0-0\.8"):
        TrainingConfig(augment=0.9)
