"""Rates of courses: measured as a periodogram has them, imposed without a shift in time, differentiable."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal
import torch

from ctxaudio.model.rates import BANDS, LARGEST_GAIN, course_rates, impose_rates, rate_bands

FRAME_RATE = 22050 / 128


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_rates_are_the_band_means_of_the_periodogram_of_the_mirrored_courses():
    courses = noise(2, 3, 400)
    there_and_back = np.concatenate([courses.numpy(), courses.numpy()[..., ::-1]], axis=-1)
    _, density = scipy.signal.periodogram(there_and_back, FRAME_RATE, detrend=False, return_onesided=False)
    power = density[..., :401] * FRAME_RATE  # of white noise of variance 1, 1 in every bin
    bands = rate_bands(401, FRAME_RATE).numpy()
    expected = np.log(power @ bands / bands.sum(0))
    np.testing.assert_allclose(course_rates(courses, FRAME_RATE).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_a_jump_from_the_end_to_the_start_is_not_fast():
    drift = torch.linspace(-1.7, 1.7, 345)[None, None]
    rates = course_rates(drift, FRAME_RATE)[0, 0]
    assert float(rates[0]) > 2.0 and float(rates[8:].max()) < -4.0


@pytest.mark.parametrize("frames", [345, 690, 1895])
def test_imposed_rates_are_found_again(frames):
    t = torch.arange(345) / FRAME_RATE
    purring = noise(2, 4, 345, seed=1) * (1.0 + torch.cos(2 * math.pi * 25.0 * t)) + torch.cos(2 * math.pi * 25.0 * t)
    purring = purring / purring.std(-1, keepdim=True)
    wanted = course_rates(purring, FRAME_RATE)
    made = impose_rates(noise(2, 4, frames, seed=2), wanted, FRAME_RATE)
    found = course_rates(made, FRAME_RATE)
    before = (course_rates(noise(2, 4, frames, seed=2), FRAME_RATE) - wanted).abs().mean()
    assert float((found - wanted).abs().mean()) < 0.2 < 0.5 * float(before)
    peak_hz = np.fft.rfftfreq(frames, 1 / FRAME_RATE)[np.abs(np.fft.rfft(made.numpy())).mean((0, 1)).argmax()]
    assert abs(peak_hz - 25.0) < 4.0


def test_courses_that_have_their_rates_stay_and_events_keep_their_time():
    courses = noise(1, 2, 400)
    courses[0, 0, 200] = 20.0
    same = impose_rates(courses, course_rates(courses, FRAME_RATE), FRAME_RATE)
    torch.testing.assert_close(same, courses, rtol=0, atol=1e-4)
    slower = impose_rates(courses, torch.linspace(2.0, -2.0, BANDS).expand(1, 2, BANDS), FRAME_RATE)
    assert int(slower[0, 0].argmax()) == 200


def test_nothing_is_raised_from_nothing():
    silent = torch.zeros(1, 1, 345)
    assert float(impose_rates(silent, torch.zeros(1, 1, BANDS), FRAME_RATE).abs().max()) == 0.0
    slow = torch.cos(2 * math.pi * 2.0 * torch.arange(345) / FRAME_RATE)[None, None]
    raised = impose_rates(slow, torch.full((1, 1, BANDS), 20.0), FRAME_RATE)
    assert float(raised.abs().max()) <= LARGEST_GAIN * 1.5


def test_gradients_reach_courses_and_rates():
    courses, rates = noise(1, 2, 48).double().requires_grad_(), noise(1, 2, BANDS, seed=3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda c, r: impose_rates(c, r, FRAME_RATE), (courses, rates), atol=1e-4)
