"""One row per clip."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from sounds import RATE, modulated_noise

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.evaluation.measures import MIN_SAMPLE_RATE, analyse_clip, carrier_prominence_db
from ctxaudio.modulation.layer import FrequencyModulationLayer
from ctxaudio.modulation.profile import modulation_profile
from ctxaudio.signal.audio import read_audio
from ctxaudio.signal.loudness import integrated_lufs

RATE_PARTS = ("depth", "floor", "p")
TIME_S = np.arange(4 * RATE) / RATE
SHARED = Path(__file__).parents[3] / "shared"


def test_row_has_every_measure_and_only_numbers() -> None:
    row = analyse_clip(modulated_noise(6.0, 0.2), RATE)
    for band in BANDS:
        assert f"{band}_envelope_depth" in row
    for target in TARGETS.values():
        parts = RATE_PARTS if target.kind == "rate" else ("prominence_db",)
        assert {f"{target.name}_{part}" for part in parts} <= set(row)
    assert all(type(value) is float and np.isfinite(value) for value in row.values())


def test_imposed_rate_shows_at_its_target_and_in_its_band_only() -> None:
    plain, row = analyse_clip(modulated_noise(6.0, 0.0), RATE), analyse_clip(modulated_noise(6.0, 0.3), RATE)
    assert row["meditation_depth"] == pytest.approx(0.3, abs=0.03)
    assert row["meditation_p"] < 1e-6
    assert row["theta_envelope_depth"] > 3 * plain["theta_envelope_depth"]
    for band in ("delta", "alpha", "beta", "gamma"):
        assert row[f"{band}_envelope_depth"] < 2 * plain[f"{band}_envelope_depth"]


def test_band_depth_is_the_rms_over_its_rates() -> None:
    """A single rate of depth m among the 12 of delta at 4 s (1, 1.25 .. 3.75 Hz) gives m / sqrt(12)."""
    time_s = np.arange(4 * RATE) / RATE
    tone = 0.3 * (1 + 0.6 * np.sin(2 * np.pi * 2.5 * time_s)) * np.sin(2 * np.pi * 1000 * time_s)
    assert analyse_clip(tone.astype(np.float32), RATE)["delta_envelope_depth"] == pytest.approx(
        0.6 / np.sqrt(12), rel=0.01
    )


def test_infrasound_that_nobody_hears_is_told_apart() -> None:
    time_s = np.arange(4 * RATE) / RATE
    rumble = modulated_noise(6.0, 0.0) + (0.05 * np.sqrt(2) * np.sin(2 * np.pi * 6 * time_s)).astype(np.float32)
    row = analyse_clip(rumble, RATE)
    assert row["infrasound_share"] == pytest.approx(0.5, abs=0.02)


def test_loudness_centroid_and_level_of_a_known_tone() -> None:
    time_s = np.arange(4 * RATE) / RATE
    tone = (0.1 * np.sin(2 * np.pi * 528 * time_s)).astype(np.float32)
    row = analyse_clip(tone, RATE)
    assert row["solfeggio_prominence_db"] > 40.0
    assert row["spectral_centroid_hz"] == pytest.approx(528.0, abs=30.0)
    assert row["spectral_flatness"] < 0.01
    assert row["lufs"] == integrated_lufs(tone, RATE)
    assert row["true_peak_db"] == pytest.approx(-20.0, abs=0.1)
    assert row["duration_s"] == 4.0


def test_stereo_is_measured_as_its_mono_mix() -> None:
    left, right = modulated_noise(6.0, 0.3, 1), modulated_noise(2.5, 0.3, 2)
    mono, stereo = analyse_clip((left + right) / 2, RATE), analyse_clip(np.stack([left, right]), RATE)
    level = {"lufs", "true_peak_db"}
    assert {name: stereo[name] for name in mono if name not in level} == {
        name: mono[name] for name in mono if name not in level
    }
    assert stereo["lufs"] == integrated_lufs(np.stack([left, right]), RATE)


def test_other_rates_are_measured_beside_the_targets() -> None:
    samples = modulated_noise(10.0, 0.3)
    row = analyse_clip(samples, RATE, rates_hz=[10.0, 6.0, 7.9])
    assert row["rate_10_hz_depth"] == pytest.approx(0.3, abs=0.03)
    assert row["rate_10_hz_p"] < 1e-6
    assert "rate_6_hz_depth" not in row  # the target `meditation` is that rate
    plain = analyse_clip(samples, RATE)
    assert row["meditation_depth"] == pytest.approx(plain["meditation_depth"], abs=0.005)
    # 4 s can't tell 7.9 from 7.83 Hz, so each is fitted without the other
    assert row["rate_7.9_hz_depth"] == pytest.approx(row["schumann_depth"], abs=0.005)


def test_colour_is_librosas() -> None:
    samples, row = modulated_noise(6.0, 0.3), analyse_clip(modulated_noise(6.0, 0.3), RATE)
    expected = librosa.feature.spectral_centroid(y=samples, sr=RATE).mean()
    assert row["spectral_centroid_hz"] == pytest.approx(expected, rel=1e-4)
    assert row["spectral_flatness"] == pytest.approx(librosa.feature.spectral_flatness(y=samples).mean(), rel=1e-4)


def test_short_and_silent_clips_are_clip_errors() -> None:
    with pytest.raises(ClipError, match=r"1\.00 s is too short"):
        analyse_clip(modulated_noise(6.0, 0.2, seconds=1.0), RATE)
    with pytest.raises(ClipError, match="silence"):
        analyse_clip(np.zeros(4 * RATE, np.float32), RATE)
    for sample_rate in (5, 9, 41, 60, 100, 2000):
        with pytest.raises(ClipError, match=f"{sample_rate} Hz is too low a sample rate"):
            analyse_clip(np.ones(4 * sample_rate, np.float32), sample_rate)


def test_the_lowest_sample_rate_that_is_taken_is_measured_without_a_warning(recwarn) -> None:
    assert np.isfinite(list(analyse_clip(modulated_noise(6.0, 0.2)[:16000], MIN_SAMPLE_RATE).values())).all()
    assert not recwarn.list


@pytest.mark.skipif(not SHARED.is_dir(), reason="real recordings are not beside the project")
def test_real_recordings_have_a_floor_that_an_imposed_depth_clears() -> None:
    rows = []
    for path in sorted((SHARED / "recordings" / "FSD50K.dev_audio").glob("*.wav")):
        samples, sample_rate = read_audio(path)
        if samples.shape[1] >= 4 * sample_rate and len(rows) < 12 and samples.any():
            rows.append(analyse_clip(samples[:, : 4 * sample_rate], sample_rate))
    assert len(rows) == 12
    assert np.median([row["focus_floor"] for row in rows]) < 0.1


def noise(seed: int, seconds: float = 4.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def test_prominence_is_zero_in_noise_and_shows_the_boost_of_the_layer() -> None:
    layer = FrequencyModulationLayer(modulation_profile({}, {"earth": 1.0}), RATE)
    plain, boosted = [], []
    for seed in range(20):
        samples = noise(seed)
        plain.append(carrier_prominence_db(samples, RATE, 432.0))
        with torch.no_grad():
            louder = layer(torch.from_numpy(samples).float()[None])[0].numpy()
        boosted.append(carrier_prominence_db(louder, RATE, 432.0))
    assert np.mean(plain) == pytest.approx(0.0, abs=0.6)
    # 12 dB at the centre of the bell, about 11 over the narrow band, less what it lifts 10-20 Hz away
    assert 9.5 < np.mean(boosted) < 12.0


def test_prominence_is_not_hidden_by_one_partial_in_the_neighbourhood() -> None:
    samples = noise(9) + 0.05 * np.sin(2 * np.pi * 432 * TIME_S)
    with_partial = samples + 0.2 * np.sin(2 * np.pi * 460 * TIME_S)
    assert carrier_prominence_db(with_partial, RATE, 432.0) == pytest.approx(
        carrier_prominence_db(samples, RATE, 432.0), abs=1.0
    )


def test_a_carrier_needs_room_below_half_the_sample_rate() -> None:
    with pytest.raises(CtxAudioError, match="higher sample rate"):
        carrier_prominence_db(np.ones(1000), 1000, 528.0)
    assert carrier_prominence_db(np.zeros(RATE), RATE, 528.0) == 0.0
