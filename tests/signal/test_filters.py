from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.filters import fade_gain, high_pass, resample


def tone(frequency_hz: float, sample_rate: int, duration_s: float = 2.0) -> FloatArray:
    t = np.arange(round(duration_s * sample_rate)) / sample_rate
    return np.sin(2 * np.pi * frequency_hz * t).astype(np.float32)


def gain_db(before: FloatArray, after: FloatArray) -> float:
    """Gain over the middle half, away from the edges."""
    middle = slice(len(before) // 4, -len(before) // 4)
    return float(10 * np.log10(np.mean(after[middle] ** 2) / np.mean(before[middle] ** 2)))


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100])
def test_high_pass_removes_5_hz_and_leaves_440_hz(sample_rate: int) -> None:
    rumble, note = tone(5, sample_rate), tone(440, sample_rate)
    assert gain_db(rumble, high_pass(rumble, sample_rate)) <= -40
    assert abs(gain_db(note, high_pass(note, sample_rate))) < 0.1


def test_high_pass_is_6_db_down_at_the_cutoff_as_two_butterworth_passes_are() -> None:
    at_cutoff = tone(20, 8000, duration_s=4.0)
    assert gain_db(at_cutoff, high_pass(at_cutoff, 8000)) == pytest.approx(-6.02, abs=0.1)


def test_high_pass_has_no_delay() -> None:
    note = tone(440, 8000)
    correlation = scipy.signal.correlate(high_pass(note, 8000), note)
    assert int(np.argmax(correlation)) == len(note) - 1


def test_high_pass_agrees_with_scipy_away_from_the_edges() -> None:
    noise = np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    sections = scipy.signal.butter(4, 20.0, "highpass", fs=8000, output="sos")
    expected = scipy.signal.sosfiltfilt(sections, noise.astype(np.float64))
    np.testing.assert_allclose(high_pass(noise, 8000)[8000:-8000], expected[8000:-8000], atol=1e-5)


@given(st.integers(1, 40), st.floats(-1, 1))
@settings(deadline=None, max_examples=30)
def test_high_pass_takes_any_length_and_removes_a_constant(length: int, level: float) -> None:
    filtered = high_pass(np.full(length, level, dtype=np.float32), 44100)
    assert filtered.shape == (length,)
    assert filtered.dtype == np.float32
    np.testing.assert_allclose(filtered, 0.0, atol=1e-5)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44100, 22050), (48000, 22050), (8000, 22050), (22050, 44100)])
def test_a_resampled_tone_is_the_tone_at_the_new_rate(from_rate: int, to_rate: int) -> None:
    resampled = resample(tone(1000, from_rate), from_rate, to_rate)
    expected = tone(1000, to_rate)
    assert resampled.shape == expected.shape
    assert resampled.dtype == np.float32
    middle = slice(to_rate // 2, -to_rate // 2)
    np.testing.assert_allclose(resampled[middle], expected[middle], atol=1e-4)


def test_resample_agrees_with_scipy_on_noise_below_the_transition_band() -> None:
    noise = np.random.default_rng(1).standard_normal(44100)
    sections = scipy.signal.butter(12, 6000, fs=44100, output="sos")
    noise = scipy.signal.sosfiltfilt(sections, noise).astype(np.float32)
    expected = scipy.signal.resample_poly(noise, 1, 2, window=("kaiser", 12.0))
    difference = resample(noise, 44100, 22050)[2000:-2000] - expected[2000:-2000]
    assert np.sqrt(np.mean(difference**2)) < 1e-3 * np.sqrt(np.mean(expected**2))


def test_resample_keeps_out_what_would_fold_back() -> None:
    folded = resample(tone(15000, 44100), 44100, 22050)
    assert np.abs(folded[2000:-2000]).max() < 1e-4


def test_resample_to_the_same_rate_is_a_copy() -> None:
    note = tone(440, 8000)
    copy = resample(note, 8000, 8000)
    np.testing.assert_array_equal(copy, note)
    assert not np.shares_memory(copy, note)


def test_bad_input_is_named() -> None:
    with pytest.raises(CtxAudioError, match="rates must be positive"):
        resample(tone(440, 8000), 8000, 0)
    for samples in (np.zeros((2, 100), np.float32), np.zeros(0, np.float32)):
        with pytest.raises(CtxAudioError, match="mono"):
            resample(samples, 8000, 4000)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 60), st.lists(st.integers(0, 180), max_size=4))
def test_blocks_join_to_the_fades_of_the_whole(rising: int, falling: int, steady: int, cuts: list[int]) -> None:
    total = rising + steady + falling
    whole = fade_gain(0, total, total, rising, falling)
    borders = [0, *sorted(min(cut, total) for cut in cuts), total]
    blocks = [fade_gain(a, b - a, total, rising, falling) for a, b in pairwise(borders)]
    assert np.array_equal(np.concatenate(blocks), whole)


@given(st.integers(1, 500), st.integers(1, 500))
def test_a_fade_goes_from_nothing_to_all_and_its_reverse_is_the_other(rising: int, falling: int) -> None:
    gain = fade_gain(0, 1200, 1200, rising, falling)
    assert gain[0] == gain[-1] == 0.0 and gain.max() == 1.0 and gain.min() >= 0.0
    assert (np.diff(gain[: rising + 1]) > 0).all() and (gain[rising : 1200 - falling] == 1.0).all()
    assert np.array_equal(gain[::-1], fade_gain(0, 1200, 1200, falling, rising))
    # no step above what the steepest point of the cosine has
    assert np.abs(np.diff(gain)).max() <= np.pi / 2 / min(rising, falling) + 1e-6
