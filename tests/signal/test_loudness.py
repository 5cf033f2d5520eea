from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
import scipy.signal
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.loudness import LevelMeter, equally_loud, integrated_lufs, set_loudness, true_peak_db


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
    assert true_peak_db(np.zeros(22050, np.float32)) == -np.inf


def test_true_peak_finds_the_crests_between_the_samples() -> None:
    t = np.arange(22050)
    between = (0.5 * np.sin(2 * np.pi * (t / 4 + 1 / 8)) * np.hanning(22050)).astype(np.float32)
    assert 20 * np.log10(np.abs(between).max()) == pytest.approx(-9.03, abs=0.01)
    assert true_peak_db(between) == pytest.approx(-6.02, abs=0.05)


@given(st.floats(-55, 0), st.floats(-45, -20))
@settings(deadline=None, max_examples=25)
def test_set_loudness_reaches_the_target_with_one_gain(level_db: float, lufs: float) -> None:
    samples = noise(10 ** (level_db / 20) * 0.2)
    scaled, reached = set_loudness(samples, 22050, lufs, true_peak_db=0.0)
    gains = scaled[samples != 0] / samples[samples != 0]
    np.testing.assert_allclose(gains, gains[0], rtol=1e-5)
    assert reached == pytest.approx(lufs, abs=0.05)
    assert reached == pytest.approx(integrated_lufs(scaled, 22050), abs=1e-6)


def test_a_peaky_sound_stays_below_the_true_peak_and_says_how_loud_it_is() -> None:
    clicks = np.zeros(2 * 22050, dtype=np.float32)
    clicks[::5512] = 0.9
    scaled, reached = set_loudness(clicks, 22050)
    assert true_peak_db(scaled) == pytest.approx(-6.0, abs=0.01)
    assert reached < -28.0


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(22050, np.float32), "silence"),
        (np.full(8000, 0.1, np.float32), "at least 0.4 s"),
        (np.full(22050, np.nan, np.float32), "NaN"),
        (np.zeros((2, 22050), np.float32), "silence"),
        (np.zeros((22050, 2), np.float32), r"stereo \[2, T\]"),
        (np.zeros((3, 22050), np.float32), r"stereo \[2, T\]"),
        (np.zeros(0, np.float32), "at least 0.4 s"),
    ],
)
def test_bad_input_is_named(samples: FloatArray, says: str) -> None:
    with pytest.raises(CtxAudioError, match=says):
        set_loudness(samples, 22050)


def gated_sound(sample_rate: int, seconds: float, channels: int, seed: int) -> FloatArray:
    """Noise whose level jumps by up to 80 dB, with holes of silence: every gate has something to do."""
    random = np.random.default_rng(seed)
    length = round(seconds * sample_rate)
    level_db = np.repeat(random.choice([-200.0, -70.0, -45.0, -30.0, -12.0], size=40), -(-length // 40))[:length]
    return (10 ** (level_db / 20) * random.standard_normal((channels, length))).astype(np.float32)


def in_blocks(samples: FloatArray, seed: int) -> list[FloatArray]:
    cuts = np.random.default_rng(seed).integers(0, samples.shape[-1] + 1, size=9)
    return np.split(samples, np.sort(cuts), axis=-1)


@given(
    st.sampled_from([8000, 11025, 22050, 44100, 48000]), st.floats(0.4, 9.0), st.integers(1, 2), st.integers(0, 2**32)
)
@settings(deadline=None, max_examples=60)
def test_the_meter_agrees_with_pyloudnorm_however_the_sound_is_split(
    sample_rate: int, seconds: float, channels: int, seed: int
) -> None:
    samples = gated_sound(sample_rate, seconds + 1 / sample_rate, channels, seed)
    meter = LevelMeter(sample_rate, channels)
    for block in in_blocks(samples, seed):
        meter.add(block)
    reference = pyloudnorm.Meter(sample_rate, filter_class="DeMan").integrated_loudness(samples.T.astype(np.float64))
    assert meter.integrated_lufs() == pytest.approx(reference, abs=1e-3)


@given(st.floats(-40.0, 40.0), st.integers(0, 2**32))
@settings(deadline=None, max_examples=40)
def test_a_gain_is_foreseen_with_its_gates(gain_db: float, seed: int) -> None:
    samples = gated_sound(8000, 6.0, 2, seed).astype(np.float64)
    meter = LevelMeter(8000, 2)
    meter.add(samples)
    louder = integrated_lufs(samples * 10 ** (gain_db / 20), 8000)
    assert meter.integrated_lufs(gain_db) == pytest.approx(louder, abs=1e-6)


def test_left_and_right_add_their_power() -> None:
    left, right = noise(), np.roll(noise(), 5000)
    both = integrated_lufs(np.stack([left, right]), 22050)
    assert both == pytest.approx(integrated_lufs(left, 22050) + 3.01, abs=0.02)
    assert integrated_lufs(np.stack([left, 0 * left]), 22050) == pytest.approx(integrated_lufs(left, 22050), abs=1e-9)


def test_the_meter_keeps_ten_numbers_a_second() -> None:
    meter = LevelMeter(8000)
    minute = noise(0.1, 8000, 60.0)
    for _ in range(5):
        meter.add(minute)
    assert len(meter._energies) == 10 * 300 and meter._energies.itemsize == 8
    assert meter.integrated_lufs() == pytest.approx(integrated_lufs(minute, 8000), abs=0.01)


def test_silence_after_sound_leaves_no_denormal_numbers() -> None:
    meter = LevelMeter(22050)
    meter.add(noise())
    meter.add(np.zeros(10 * 22050, np.float32))
    assert not meter._state.any()


NOISES = {"white": ([1.0], [1.0]), "rumble": ([1.0], [1.0, -0.9]), "hiss": ([1.0, -1.0], [1.0])}


@pytest.mark.parametrize("colour", NOISES)
@pytest.mark.parametrize("seed", range(4))
def test_true_peak_of_noise_is_that_of_soxr(colour: str, seed: int) -> None:
    samples = scipy.signal.lfilter(*NOISES[colour], np.random.default_rng(seed).standard_normal(60000))
    oversampled = soxr.resample(samples.astype(np.float32), 22050, 88200, quality="HQ")
    expected = 20 * np.log10(max(np.abs(oversampled).max(), np.abs(samples).max()))
    assert true_peak_db(samples.astype(np.float32)) == pytest.approx(expected, abs=0.1)


@given(st.floats(0.01, 0.45), st.floats(0, 6.28))
@settings(deadline=None, max_examples=40)
def test_true_peak_of_a_tone_is_its_amplitude(frequency: float, phase: float) -> None:
    # Four points a sample may miss a crest by pi f / 4 radians: 0.55 dB at 0.45 of the rate, less below.
    tone = np.hanning(6000) * np.sin(2 * np.pi * frequency * np.arange(6000) + phase)
    missed_db = 20 * np.log10(np.cos(np.pi * frequency / 4))
    assert missed_db - 0.1 <= true_peak_db(tone.astype(np.float32)) <= 0.1


@given(st.integers(0, 2**32), st.integers(1, 2))
@settings(deadline=None, max_examples=30)
def test_true_peak_does_not_depend_on_the_blocks(seed: int, channels: int) -> None:
    samples = gated_sound(8000, 2.0, channels, seed)
    whole, split = LevelMeter(8000, channels), LevelMeter(8000, channels)
    whole.add(samples)
    for block in in_blocks(samples, seed):
        split.add(block)
        # and reading it in between changes nothing
        assert 10 ** (split.true_peak_db / 20) >= np.abs(block).max(initial=0.0) * (1 - 1e-9)
    assert split.true_peak_db == pytest.approx(whole.true_peak_db, abs=1e-4)


@pytest.mark.parametrize("at", [0, 1, 15999])
def test_true_peak_sees_the_first_and_the_last_sample(at: int) -> None:
    samples = np.zeros(16000, np.float32)
    samples[at] = 0.5
    assert true_peak_db(samples) == pytest.approx(-6.02, abs=0.01)


def test_stereo_keeps_its_balance() -> None:
    samples = np.stack([noise(0.2), 0.25 * np.roll(noise(), 999)])
    scaled, reached = set_loudness(samples, 22050)
    assert scaled.shape == samples.shape and scaled.dtype == np.float32
    np.testing.assert_allclose(scaled / samples, scaled[0, 0] / samples[0, 0], rtol=1e-5)
    assert reached == pytest.approx(-27.0, abs=1e-3)
    assert integrated_lufs(scaled, 22050) == pytest.approx(-27.0, abs=1e-3)


def test_a_sound_with_parts_near_the_gate_still_reaches_the_loudness() -> None:
    # At full scale the faint half counts for the relative gate, at -60 LUFS it is below the absolute one.
    loud, faint = noise(0.1, 22050, 4.0), noise(0.02, 22050, 4.0)
    scaled, reached = set_loudness(np.concatenate([loud, faint]), 22050, lufs=-60.0)
    assert reached == pytest.approx(-60.0, abs=1e-3)
    assert integrated_lufs(scaled, 22050) == pytest.approx(-60.0, abs=1e-3)


def test_the_gain_says_what_comes_of_it() -> None:
    meter = LevelMeter(22050)
    meter.add(noise())
    gain = meter.gain_to(-20.0, -9.0)
    scaled = gain.applied_to(noise())
    assert gain.true_peak_db == pytest.approx(true_peak_db(scaled), abs=1e-4)
    assert gain.lufs == pytest.approx(integrated_lufs(scaled, 22050), abs=1e-6)
    assert meter.unchanged().lufs == integrated_lufs(noise(), 22050)


def test_equally_loud_sounds_are_as_quiet_as_the_one_held_back_by_its_peak() -> None:
    noise = np.random.default_rng(0).standard_normal(4 * 22050).astype(np.float32)
    clicks = np.zeros_like(noise)
    clicks[::4410] = 1.0
    stereo = np.stack([noise, noise[::-1]])
    matched, lufs = equally_loud([0.01 * noise, clicks, 0.3 * stereo], 22050)
    assert lufs < -30.0
    for samples, original in zip(matched, (noise, clicks, stereo), strict=True):
        assert integrated_lufs(samples, 22050) == pytest.approx(lufs, abs=0.01)
        assert true_peak_db(samples) <= -6.0 + 0.01
        np.testing.assert_allclose(samples / np.abs(samples).max(), original / np.abs(original).max(), atol=1e-5)
    assert equally_loud([noise, 0.5 * noise], 22050)[1] == pytest.approx(-27.0, abs=0.01)
