"""The bank against scipy's filter, and what a band of hearing keeps of a rate."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.cochlea import (
    band_envelopes,
    centre_frequencies_hz,
    erb_hz,
    gammatone_response,
    samples_per_slow_sample,
    slow_envelope,
)
from ctxaudio.signal.envelope import envelope_depth, hilbert_envelope

RATE = 22050
TIME_S = np.arange(4 * RATE) / RATE


def noise(seed: int) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).standard_normal(len(TIME_S))


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
    samples = noise(1) * (1 + 0.3 * np.sin(2 * np.pi * 7.83 * TIME_S))
    centres_hz = np.array([250.0, 1000.0, 5000.0])
    envelopes, rate_hz = band_envelopes(samples, RATE, centres_hz)
    for centre_hz, envelope in zip(centres_hz, envelopes, strict=True):
        taps, _ = scipy.signal.gammatone(centre_hz, "fir", fs=RATE, numtaps=3000)
        plain = np.abs(scipy.signal.hilbert(scipy.signal.lfilter(taps, 1, samples)))
        # Away from the ends: before its start a sound is silence to lfilter, and its own mirror image to the bank.
        envelope, plain = envelope[100:-100], plain[5000:-5000]
        assert envelope.mean() == pytest.approx(plain.mean(), rel=0.002)
        for target_hz in (6.0, 7.83):
            expected = envelope_depth(plain, RATE, target_hz)
            assert envelope_depth(envelope, rate_hz, target_hz) == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize(("sample_rate", "seconds"), [(16000, 2.0), (22050, 3.37), (48000, 5.11), (22051, 2.5)])
def test_the_slow_envelope_measures_as_the_full_one(sample_rate: int, seconds: float) -> None:
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    samples = np.random.default_rng(2).standard_normal(len(time_s)) * (1 + 0.3 * np.sin(2 * np.pi * 40 * time_s))
    slow, rate_hz = slow_envelope(samples, sample_rate)
    step = samples_per_slow_sample(sample_rate)
    assert len(slow) == -(-len(samples) // step)
    full = hilbert_envelope(samples, sample_rate)
    for target_hz in (2.5, 14.1, 40.0, 99.0):
        expected = envelope_depth(full, sample_rate, target_hz)
        assert envelope_depth(slow, rate_hz, target_hz) == pytest.approx(expected, abs=0.0008)


@pytest.mark.parametrize(("centre_hz", "rate_hz"), [(125.0, 6.0), (125.0, 40.0), (1000.0, 40.0)])
def test_a_narrow_band_takes_fast_rates_away(centre_hz: float, rate_hz: float) -> None:
    """The closed form in the module's docstring."""
    tone = (1 + 0.2 * np.sin(2 * np.pi * rate_hz * TIME_S)) * np.sin(2 * np.pi * centre_hz * TIME_S)
    envelopes, slow_rate_hz = band_envelopes(tone, RATE, np.array([centre_hz]))
    kept = (1 + (rate_hz / (1.019 * erb_hz(centre_hz))) ** 2) ** -2
    assert envelope_depth(envelopes[0], slow_rate_hz, rate_hz) == pytest.approx(0.2 * kept, rel=0.05)


def test_centres_are_one_erb_apart_and_fit() -> None:
    for sample_rate in (8000, RATE, 48000):
        centres_hz = centre_frequencies_hz(sample_rate)
        middle_hz = (centres_hz[1:] + centres_hz[:-1]) / 2
        np.testing.assert_allclose(np.diff(centres_hz) / erb_hz(middle_hz), 1.0, atol=0.01)
        assert centres_hz[-1] + erb_hz(centres_hz[-1]) <= min(sample_rate / 2, 9000)
    with pytest.raises(CtxAudioError, match="no auditory band"):
        centre_frequencies_hz(200)
    with pytest.raises(CtxAudioError, match="mono"):
        band_envelopes(np.zeros((2, 100)), RATE, np.array([1000.0]))
