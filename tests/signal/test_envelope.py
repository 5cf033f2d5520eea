"""Closed forms and statistics for the measures of envelopes and carriers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.layer import FrequencyModulationLayer
from ctxaudio.modulation.profile import modulation_profile
from ctxaudio.signal.envelope import (
    detect_rates,
    envelope_depth,
    hilbert_envelope,
    joint_depths,
    modulation_spectrum,
    sinusoid_fits,
)

RATE = 8000
TIME_S = np.arange(4 * RATE) / RATE


def noise(seed: int, seconds: float = 4.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


@pytest.mark.parametrize("rate_hz", [2.5, 6.0, 7.83, 14.1, 40.0])
@pytest.mark.parametrize("depth", [0.1, 0.5, 0.9])
def test_depth_of_an_amplitude_modulated_tone(rate_hz: float, depth: float) -> None:
    tone = 0.4 * (1 + depth * np.sin(2 * np.pi * rate_hz * TIME_S + 1.0)) * np.sin(2 * np.pi * 1000 * TIME_S)
    assert envelope_depth(hilbert_envelope(tone, RATE), RATE, rate_hz) == pytest.approx(depth, abs=0.005)


def test_a_bin_of_the_spectrum_would_miss_a_rate_between_bins() -> None:
    """Why the fit: 7.83 Hz over 4 s is 31.32 cycles, and the nearest bin reads 0.5 as less."""
    envelope = 1 + 0.5 * np.sin(2 * np.pi * 7.83 * TIME_S)
    spectrum = 2 * np.abs(np.fft.rfft(envelope)) / np.abs(np.fft.rfft(envelope)[0])
    assert spectrum[31] < 0.45
    assert envelope_depth(envelope, RATE, 7.83) == pytest.approx(0.5, abs=1e-9)


def test_two_equal_tones_beat_with_the_known_index() -> None:
    """|cos| has its first harmonic at 2/3 of its mean, however deep the beat sounds."""
    beat = np.sin(2 * np.pi * 400 * TIME_S) + np.sin(2 * np.pi * 406 * TIME_S)
    assert envelope_depth(hilbert_envelope(beat, RATE), RATE, 6.0) == pytest.approx(2 / 3, abs=0.01)


@settings(deadline=None, max_examples=30)
@given(
    rates=st.lists(st.floats(1.0, 90.0), min_size=1, max_size=4, unique_by=lambda rate: round(rate)),
    depth=st.floats(0.0, 0.24),
    phase=st.floats(-3.0, 3.0),
    seconds=st.floats(2.0, 5.0),
)
def test_the_fit_gives_back_what_made_the_envelope(
    rates: list[float], depth: float, phase: float, seconds: float
) -> None:
    rates = [rate for i, rate in enumerate(rates) if all(abs(rate - other) > 0.6 for other in rates[:i])]
    time_s = np.arange(round(seconds * 500)) / 500
    envelope = 3.0 * (1 + sum(depth * np.sin(2 * np.pi * rate * time_s + phase) for rate in rates))
    assert joint_depths(envelope, 500, rates) == pytest.approx([depth] * len(rates), abs=1e-6)


def test_the_fit_is_the_least_squares_solution() -> None:
    envelope = np.abs(noise(1, 2.0))
    columns = [np.ones(len(envelope))]
    for rate_hz in (2.5, 7.83):
        angle = 2 * np.pi * rate_hz * np.arange(len(envelope)) / RATE
        columns += [np.cos(angle), np.sin(angle)]
    a, b1, c1, b2, c2 = np.linalg.lstsq(np.stack(columns, axis=1), envelope, rcond=None)[0]
    fitted = sinusoid_fits(envelope, RATE, np.array([[2.5, 7.83]]))[0]
    assert fitted[0] == pytest.approx(a, rel=1e-9)
    assert np.angle(1j * fitted[1:3]) == pytest.approx(np.angle([c1 + 1j * b1, c2 + 1j * b2]), abs=1e-7)
    assert joint_depths(envelope, RATE, [2.5, 7.83]) == pytest.approx(
        [np.hypot(b1, c1) / a, np.hypot(b2, c2) / a], rel=1e-7
    )


def test_depth_does_not_depend_on_level() -> None:
    envelope = hilbert_envelope(noise(2), RATE)
    assert envelope_depth(50 * envelope, RATE, 6.0) == pytest.approx(envelope_depth(envelope, RATE, 6.0), rel=1e-9)


def test_modulation_spectrum_is_the_single_fits_and_agrees_with_the_fft_on_bins() -> None:
    envelope = hilbert_envelope(noise(3), RATE)
    grid_hz = np.arange(1.0, 100.0, 0.25)
    depths = modulation_spectrum(envelope, RATE, grid_hz)
    fft = 2 * np.abs(np.fft.rfft(envelope)) / envelope.sum()
    np.testing.assert_allclose(depths, fft[4 : 4 + len(grid_hz)], rtol=1e-6, atol=1e-9)
    assert depths[20] == pytest.approx(envelope_depth(envelope, RATE, grid_hz[20]), rel=1e-9)


def test_hilbert_envelope_agrees_with_scipy_away_from_the_ends() -> None:
    samples = noise(4)
    expected = np.abs(scipy.signal.hilbert(samples))
    np.testing.assert_allclose(hilbert_envelope(samples, RATE)[800:-800], expected[800:-800], atol=2e-3)


def test_p_values_are_uniform_in_noise() -> None:
    """The F test keeps its promise: 5 % of rates in plain noise are 'found' at p < 0.05."""
    p_values = [
        found.p_value
        for seed in range(150)
        for found in detect_rates(hilbert_envelope(noise(seed), RATE), RATE, [6.0, 14.1, 30.3])
    ]
    assert 0.025 < np.mean(np.array(p_values) < 0.05) < 0.085
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.05)


def test_an_imposed_rate_is_found_and_its_neighbours_are_not() -> None:
    modulated = noise(5) * (1 + 0.2 * np.sin(2 * np.pi * 7.83 * TIME_S))
    found = detect_rates(hilbert_envelope(modulated, RATE), RATE, [2.5, 6.0, 7.83, 14.1])
    assert found[2].depth == pytest.approx(0.2, abs=0.03)
    assert found[2].p_value < 1e-6
    assert found[2].f_statistic == pytest.approx((found[2].depth / found[2].floor) ** 2)
    # ten neighbours at 4 s; F(2, 2N) has its survival function in closed form
    assert found[0].p_value == pytest.approx((1 + found[0].f_statistic / 10) ** -10)
    assert found[0].p_value == pytest.approx(scipy.stats.f.sf(found[0].f_statistic, 2, 20))
    assert all(other.depth < 0.03 for other in (found[0], found[1], found[3]))


def test_the_floor_ignores_a_strong_requested_rate_close_by() -> None:
    modulated = noise(6) * (1 + 0.5 * np.sin(2 * np.pi * 7.0 * TIME_S) + 0.4 * np.sin(2 * np.pi * 6.0 * TIME_S))
    envelope = hilbert_envelope(modulated, RATE)
    with_it = detect_rates(envelope, RATE, [6.0, 7.0])[0].floor
    assert with_it < 0.03
    assert detect_rates(envelope, RATE, [6.0])[0].floor > 3 * with_it


@pytest.mark.parametrize(
    ("rates_hz", "says"),
    [([0.1], "one cycle"), ([400.0], "can't be measured"), ([6.0, 6.05], "tell 6 Hz from 6.05 Hz")],
)
def test_rates_that_cannot_be_measured_are_refused(rates_hz: list[float], says: str) -> None:
    with pytest.raises(CtxAudioError, match=says):
        joint_depths(np.ones(1600), 400, rates_hz)


def test_silence_and_short_sound_are_refused() -> None:
    with pytest.raises(CtxAudioError, match="silence"):
        envelope_depth(np.zeros(1000), 100, 6.0)
    with pytest.raises(CtxAudioError, match="too short for a floor"):
        detect_rates(1 + np.abs(noise(0, 0.5)), RATE, [6.0])
    with pytest.raises(CtxAudioError, match="mono"):
        hilbert_envelope(np.zeros((2, 10)), RATE)


def test_the_layer_imposes_the_depth_that_is_measured() -> None:
    layer = FrequencyModulationLayer(modulation_profile({}, {"schumann": 0.3, "deep_sleep": 0.2}), RATE)
    with torch.no_grad():
        modulated = layer(torch.from_numpy(noise(7)).float()[None])[0].numpy()
    depths = joint_depths(hilbert_envelope(modulated, RATE), RATE, [7.83, 2.5])
    assert depths == pytest.approx([0.3, 0.2], abs=0.03)
