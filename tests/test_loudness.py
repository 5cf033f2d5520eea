from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.loudness import integrated_lufs, set_loudness, true_peak_db


def noise(level: float = 0.1, sample_rate: int = 22050, duration_s: float = 2.0) -> FloatArray:
    samples = np.random.default_rng(0).standard_normal(round(duration_s * sample_rate))
    return (level * samples).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000])
@pytest.mark.parametrize("amplitude_db", [0.0, -20.0, -33.0])
def test_a_997_hz_tone_reads_3_db_below_its_amplitude(sample_rate: int, amplitude_db: float) -> None:
    # BS.1770-4: a 0 dBFS 997 Hz sine in one channel reads -3.01 LKFS.
    t = np.arange(3 * sample_rate) / sample_rate
    samples = (10 ** (amplitude_db / 20) * np.sin(2 * np.pi * 997 * t)).astype(np.float32)
    assert integrated_lufs(samples, sample_rate) == pytest.approx(amplitude_db - 3.01, abs=0.05)


def test_silence_around_a_sound_is_gated_out() -> None:
    silence = np.zeros(4 * 22050, dtype=np.float32)
    padded = np.concatenate([silence, noise(duration_s=8.0), silence])
    assert integrated_lufs(padded, 22050) == pytest.approx(integrated_lufs(noise(duration_s=8.0), 22050), abs=0.3)


def test_silence_has_no_loudness() -> None:
    assert integrated_lufs(np.zeros(22050, np.float32), 22050) == -np.inf
    assert true_peak_db(np.zeros(22050, np.float32), 22050) == -np.inf


def test_true_peak_finds_the_crests_between_the_samples() -> None:
    t = np.arange(22050)
    between = (0.5 * np.sin(2 * np.pi * (t / 4 + 1 / 8)) * np.hanning(22050)).astype(np.float32)
    assert 20 * np.log10(np.abs(between).max()) == pytest.approx(-9.03, abs=0.01)
    assert true_peak_db(between, 22050) == pytest.approx(-6.02, abs=0.05)


@given(st.floats(-55, 0), st.floats(-45, -20))
@settings(deadline=None, max_examples=25)
def test_set_loudness_reaches_the_target_with_one_gain(level_db: float, lufs: float) -> None:
    samples = noise(10 ** (level_db / 20) * 0.2)
    scaled, reached = set_loudness(samples, 22050, lufs, true_peak_db=0.0)
    gains = scaled[samples != 0] / samples[samples != 0]
    np.testing.assert_allclose(gains, gains[0], rtol=1e-5)
    assert reached == pytest.approx(lufs, abs=0.05)
    assert reached == pytest.approx(integrated_lufs(scaled, 22050), abs=1e-9)


def test_a_peaky_sound_stays_below_the_true_peak_and_says_how_loud_it_is() -> None:
    clicks = np.zeros(2 * 22050, dtype=np.float32)
    clicks[::5512] = 0.9
    scaled, reached = set_loudness(clicks, 22050)
    assert true_peak_db(scaled, 22050) == pytest.approx(-6.0, abs=0.01)
    assert reached < -28.0


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(22050, np.float32), "silence"),
        (np.full(8000, 0.1, np.float32), "at least 0.4 s"),
        (np.full(22050, np.nan, np.float32), "NaN"),
        (np.zeros((2, 22050), np.float32), "mono"),
    ],
)
def test_bad_input_is_named(samples: FloatArray, says: str) -> None:
    with pytest.raises(CtxAudioError, match=says):
        set_loudness(samples, 22050)
