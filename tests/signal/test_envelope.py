"""Closed forms and statistics for depths; the bank against scipy's filter, and what a band keeps of a rate."""

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
    Array,
    RateDetection,
    band_envelopes,
    centre_frequencies_hz,
    detect_rate,
    envelope_depth,
    erb_hz,
    gammatone_response,
    hilbert_envelope,
    joint_depths,
    modulation_spectrum,
    sinusoid_fits,
    slow_envelope,
    slow_step,
)

RATE = 8000
TIME_S = np.arange(4 * RATE) / RATE
HEARD_RATE = 22050  # with room for the bands of hearing
HEARD_S = np.arange(4 * HEARD_RATE) / HEARD_RATE


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
    fitted = sinusoid_fits(envelope, RATE, np.array([[2.5, 7.83]]))[0][0]
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


def detected(envelope: Array, rates_hz: list[float]) -> list[RateDetection]:
    """Each of the rates, the others taken out."""
    return [detect_rate(envelope, RATE, rate_hz, [r for r in rates_hz if r != rate_hz]) for rate_hz in rates_hz]


def test_p_values_are_uniform_in_noise() -> None:
    """The F test keeps its promise: 5 % of rates in plain noise are 'found' at p < 0.05."""
    rates_hz = [6.0, 14.1, 30.3]
    p_values = [
        found.p_value for seed in range(150) for found in detected(hilbert_envelope(noise(seed), RATE), rates_hz)
    ]
    assert 0.025 < np.mean(np.array(p_values) < 0.05) < 0.085
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.05)


def test_an_imposed_rate_is_found_and_its_neighbours_are_not() -> None:
    modulated = noise(5) * (1 + 0.2 * np.sin(2 * np.pi * 7.83 * TIME_S))
    found = detected(hilbert_envelope(modulated, RATE), [2.5, 6.0, 7.83, 14.1])
    assert found[2].depth == pytest.approx(0.2, abs=0.03)
    assert found[2].p_value < 1e-6
    # ten neighbours at 4 s; F(2, 2N) has its survival function in closed form
    f_statistic = (found[0].depth / found[0].floor) ** 2
    assert found[0].p_value == pytest.approx((1 + f_statistic / 10) ** -10)
    assert found[0].p_value == pytest.approx(scipy.stats.f.sf(f_statistic, 2, 20))
    assert all(other.depth < 0.03 for other in (found[0], found[1], found[3]))


def test_the_floor_ignores_a_strong_requested_rate_close_by() -> None:
    modulated = noise(6) * (1 + 0.5 * np.sin(2 * np.pi * 7.0 * TIME_S) + 0.4 * np.sin(2 * np.pi * 6.0 * TIME_S))
    envelope = hilbert_envelope(modulated, RATE)
    with_it = detect_rate(envelope, RATE, 6.0, [7.0]).floor
    assert with_it < 0.03
    assert detect_rate(envelope, RATE, 6.0).floor > 3 * with_it


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
        detect_rate(1 + np.abs(noise(0, 0.5)), RATE, 6.0)
    with pytest.raises(CtxAudioError, match="mono"):
        hilbert_envelope(np.zeros((2, 10)), RATE)


def test_the_layer_imposes_the_depth_that_is_measured() -> None:
    layer = FrequencyModulationLayer(modulation_profile({}, {"schumann": 0.3, "deep_sleep": 0.2}), RATE)
    with torch.no_grad():
        modulated = layer(torch.from_numpy(noise(7)).float()[None])[0].numpy()
    depths = joint_depths(hilbert_envelope(modulated, RATE), RATE, [7.83, 2.5])
    assert depths == pytest.approx([0.3, 0.2], abs=0.03)


@pytest.mark.parametrize("centre_hz", [125.0, 1000.0, 4000.0])
def test_the_response_is_that_of_scipys_gammatone(centre_hz: float) -> None:
    taps, _ = scipy.signal.gammatone(centre_hz, "fir", fs=48000, numtaps=12000)
    frequencies_hz = np.linspace(10.0, 8000.0, 400)
    _, expected = scipy.signal.freqz(taps, 1, worN=frequencies_hz, fs=48000)
    np.testing.assert_allclose(gammatone_response(frequencies_hz, centre_hz), expected, atol=2e-6)


def test_scipys_recursive_form_is_why_it_is_not_used() -> None:
    _, recursive = scipy.signal.gammatone(125.0, "iir", fs=48000)
    assert np.abs(np.roots(recursive)).max() > 1.0


def test_a_band_envelope_is_that_of_the_filtered_sound() -> None:
    """The plain way, at full rate: filter, Hilbert transform, fit. Depths at two rates and the mean level."""
    samples = (
        0.05 * np.random.default_rng(1).standard_normal(len(HEARD_S)) * (1 + 0.3 * np.sin(2 * np.pi * 7.83 * HEARD_S))
    )
    centres_hz = np.array([250.0, 1000.0, 5000.0])
    envelopes, rate_hz = band_envelopes(samples, HEARD_RATE, centres_hz)
    for centre_hz, envelope in zip(centres_hz, envelopes, strict=True):
        taps, _ = scipy.signal.gammatone(centre_hz, "fir", fs=HEARD_RATE, numtaps=3000)
        plain = np.abs(scipy.signal.hilbert(scipy.signal.lfilter(taps, 1, samples)))
        # Away from the ends: before its start a sound is silence to lfilter, and its own mirror image to the bank.
        envelope, plain = envelope[100:-100], plain[5000:-5000]
        assert envelope.mean() == pytest.approx(plain.mean(), rel=0.002)
        for target_hz in (6.0, 7.83):
            expected = envelope_depth(plain, HEARD_RATE, target_hz)
            assert envelope_depth(envelope, rate_hz, target_hz) == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize(("sample_rate", "seconds"), [(16000, 2.0), (22050, 3.37), (48000, 5.11), (22051, 2.5)])
def test_the_slow_envelope_measures_as_the_full_one(sample_rate: int, seconds: float) -> None:
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    samples = np.random.default_rng(2).standard_normal(len(time_s)) * (1 + 0.3 * np.sin(2 * np.pi * 40 * time_s))
    slow, rate_hz = slow_envelope(samples, sample_rate)
    step = slow_step(sample_rate)
    assert len(slow) == -(-len(samples) // step)
    full = hilbert_envelope(samples, sample_rate)
    for target_hz in (2.5, 14.1, 40.0, 99.0):
        expected = envelope_depth(full, sample_rate, target_hz)
        assert envelope_depth(slow, rate_hz, target_hz) == pytest.approx(expected, abs=0.0008)


@pytest.mark.parametrize(("centre_hz", "rate_hz"), [(125.0, 6.0), (125.0, 40.0), (1000.0, 40.0)])
def test_a_narrow_band_takes_fast_rates_away(centre_hz: float, rate_hz: float) -> None:
    """The closed form in the module's docstring."""
    tone = (1 + 0.2 * np.sin(2 * np.pi * rate_hz * HEARD_S)) * np.sin(2 * np.pi * centre_hz * HEARD_S)
    envelopes, slow_rate_hz = band_envelopes(tone, HEARD_RATE, np.array([centre_hz]))
    kept = (1 + (rate_hz / (1.019 * erb_hz(centre_hz))) ** 2) ** -2
    assert envelope_depth(envelopes[0], slow_rate_hz, rate_hz) == pytest.approx(0.2 * kept, rel=0.05)


def test_centres_are_one_erb_apart_and_fit() -> None:
    for sample_rate in (8000, HEARD_RATE, 48000):
        centres_hz = centre_frequencies_hz(sample_rate)
        middle_hz = (centres_hz[1:] + centres_hz[:-1]) / 2
        np.testing.assert_allclose(np.diff(centres_hz) / erb_hz(middle_hz), 1.0, atol=0.01)
        assert centres_hz[-1] + erb_hz(centres_hz[-1]) <= min(sample_rate / 2, 9000)
    with pytest.raises(CtxAudioError, match="no auditory band"):
        centre_frequencies_hz(200)
    with pytest.raises(CtxAudioError, match="mono"):
        band_envelopes(np.zeros((2, 100)), HEARD_RATE, np.array([1000.0]))
