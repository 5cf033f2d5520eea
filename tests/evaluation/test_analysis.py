"""One row per clip, one table per folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.signal
import soundfile

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.evaluation.batch import batch_analyze_frequencies
from ctxaudio.evaluation.measures import analyse_clip
from ctxaudio.evaluation.psychoacoustics import psychoacoustic_measures
from ctxaudio.evaluation.rates import modulation_figures
from ctxaudio.modulation.profile import ModulationProfile, Rate
from ctxaudio.signal.audio import read_audio, write_audio
from ctxaudio.signal.loudness import integrated_lufs

RATE = 22050
RATE_PARTS = ("depth", "floor", "depth_db", "p")
RATE_PARTS += ("median_band_depth", "largest_band_depth", "largest_band_hz", "bands_p")
SHARED = Path(__file__).parents[3] / "shared"


def modulated_noise(rate_hz: float, depth: float, seed: int = 0, seconds: float = 4.0) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE)) / RATE
    samples = 0.05 * np.random.default_rng(seed).standard_normal(len(time_s))
    return (samples * (1 + depth * np.sin(2 * np.pi * rate_hz * time_s))).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clips = tmp_path / "clips"
    write_audio(clips / "b.wav", modulated_noise(2.5, 0.3, 1), RATE)
    write_audio(clips / "a.wav", modulated_noise(2.5, 0.3, 2), RATE)
    soundfile.write(clips / "c.flac", modulated_noise(6.0, 0.3, 3, seconds=2.5), RATE)
    return clips


def test_row_has_every_measure_and_only_numbers() -> None:
    row = analyse_clip(modulated_noise(6.0, 0.2), RATE)
    for band in BANDS:
        assert {f"{band}_waveform_energy_db", f"{band}_envelope_depth"} <= set(row)
    for target in TARGETS.values():
        parts = RATE_PARTS if target.kind == "rate" else ("level_db", "prominence_db")
        assert {f"{target.name}_{part}" for part in parts} <= set(row)
    assert all(type(value) is float and np.isfinite(value) for value in row.values())


def test_imposed_rate_shows_at_its_target_and_in_its_band_only() -> None:
    plain, row = analyse_clip(modulated_noise(6.0, 0.0), RATE), analyse_clip(modulated_noise(6.0, 0.3), RATE)
    assert row["meditation_depth"] == pytest.approx(0.3, abs=0.03)
    assert row["meditation_depth_db"] == pytest.approx(20 * np.log10(row["meditation_depth"]))
    assert row["meditation_p"] < 1e-6
    assert row["theta_envelope_depth"] > 3 * plain["theta_envelope_depth"]
    for band in ("delta", "alpha", "beta", "gamma"):
        assert row[f"{band}_envelope_depth"] < 2 * plain[f"{band}_envelope_depth"]
    # the naive measure doesn't notice: nothing was added to the waveform at 4-8 Hz
    assert row["theta_waveform_energy_db"] == pytest.approx(plain["theta_waveform_energy_db"], abs=3.0)


def test_band_depth_is_the_rms_over_its_rates() -> None:
    """A single rate of depth m among the 12 of delta at 4 s (1, 1.25 .. 3.75 Hz) gives m / sqrt(12)."""
    time_s = np.arange(4 * RATE) / RATE
    tone = 0.3 * (1 + 0.6 * np.sin(2 * np.pi * 2.5 * time_s)) * np.sin(2 * np.pi * 1000 * time_s)
    assert analyse_clip(tone.astype(np.float32), RATE)["delta_envelope_depth"] == pytest.approx(
        0.6 / np.sqrt(12), rel=0.01
    )


def test_waveform_energy_sees_infrasound_that_nobody_hears() -> None:
    time_s = np.arange(4 * RATE) / RATE
    rumble = modulated_noise(6.0, 0.0) + (0.05 * np.sqrt(2) * np.sin(2 * np.pi * 6 * time_s)).astype(np.float32)
    row = analyse_clip(rumble, RATE)
    assert row["infrasound_share"] == pytest.approx(0.5, abs=0.02)
    assert row["theta_waveform_energy_db"] == pytest.approx(-3.0, abs=0.2)


def test_loudness_centroid_and_level_of_a_known_tone() -> None:
    time_s = np.arange(4 * RATE) / RATE
    tone = (0.1 * np.sin(2 * np.pi * 528 * time_s)).astype(np.float32)
    row = analyse_clip(tone, RATE)
    assert row["solfeggio_level_db"] == pytest.approx(-20.0, abs=0.01)
    assert row["solfeggio_prominence_db"] > 40.0
    assert row["earth_level_db"] < -60.0
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
    assert stereo["meditation_depth_left"] == pytest.approx(0.3, abs=0.03)
    assert stereo["meditation_depth_right"] < 0.05
    assert set(analyse_clip(np.stack([left, left]), RATE)) == set(mono)


def test_a_rate_in_one_audible_band_is_found_there() -> None:
    """Noise of 1-2 kHz pumps at 6 Hz amid steady noise: the whole sound hardly does, that band does."""
    time_s = np.arange(4 * RATE) / RATE
    sections = scipy.signal.butter(6, [1000, 2000], "bandpass", fs=RATE, output="sos")
    pumping = scipy.signal.sosfiltfilt(sections, modulated_noise(6.0, 0.0, 1)) * (1 + 0.6 * np.sin(12 * np.pi * time_s))
    steady = modulated_noise(6.0, 0.0, 2)
    steady = steady - scipy.signal.sosfiltfilt(sections, steady)
    row = analyse_clip((pumping + steady).astype(np.float32), RATE)
    assert 1000.0 <= row["meditation_largest_band_hz"] <= 2000.0
    assert row["meditation_largest_band_depth"] == pytest.approx(0.6, abs=0.12)
    assert row["meditation_depth"] < 0.1
    assert row["meditation_median_band_depth"] < 0.1
    assert row["meditation_bands_p"] < 1e-6
    assert row["focus_bands_p"] > 0.001
    everywhere = analyse_clip(modulated_noise(6.0, 0.3), RATE)
    assert everywhere["meditation_median_band_depth"] == pytest.approx(0.3, abs=0.03)


def test_a_band_that_holds_next_to_nothing_is_not_measured() -> None:
    time_s = np.arange(4 * RATE) / RATE
    tone = 0.1 * np.sin(2 * np.pi * 440 * time_s)
    hiss = 1e-6 * np.random.default_rng(0).standard_normal(len(time_s)) * (1 + 0.9 * np.sin(12 * np.pi * time_s))
    assert analyse_clip((tone + hiss).astype(np.float32), RATE)["meditation_largest_band_depth"] < 0.05


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


def test_a_binaural_beat_is_in_neither_ear() -> None:
    time_s = np.arange(4 * RATE) / RATE
    ears = 0.1 * np.sin(2 * np.pi * np.array([[397.0], [403.0]]) * time_s).astype(np.float32)
    row = analyse_clip(ears, RATE)
    assert row["meditation_depth"] == pytest.approx(2 / 3, abs=0.02)
    assert row["meditation_depth_left"] < 0.01
    assert row["meditation_depth_right"] < 0.01
    one_sided = analyse_clip(np.stack([modulated_noise(6.0, 0.3), np.zeros(4 * RATE, np.float32)]), RATE)
    assert one_sided["meditation_depth_right"] == 0.0


def test_colour_is_librosas() -> None:
    samples, row = modulated_noise(6.0, 0.3), analyse_clip(modulated_noise(6.0, 0.3), RATE)
    expected = librosa.feature.spectral_centroid(y=samples, sr=RATE).mean()
    assert row["spectral_centroid_hz"] == pytest.approx(expected, rel=1e-4)
    assert row["spectral_flatness"] == pytest.approx(librosa.feature.spectral_flatness(y=samples).mean(), rel=1e-4)


def test_psychoacoustics_without_mosqito_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mosqito", None)
    with pytest.raises(CtxAudioError, match=r"pip install 'ctxaudio\[psychoacoustics\]'"):
        batch_analyze_frequencies(folder, progress=False, psychoacoustics=True)
    assert not (folder / "analysis.csv").exists()


def test_the_definitions_of_asper_sone_and_acum() -> None:
    """1 asper: 1 kHz, 60 dB, all modulated at 70 Hz. 4 sone: 1 kHz at 60 dB. -27 LUFS is taken for 60 dB."""
    pytest.importorskip("mosqito", reason="the extra psychoacoustics is not installed")
    time_s = np.arange(round(1.0 * RATE)) / RATE
    tone = np.sin(2 * np.pi * 1000 * time_s)
    for samples, measure, expected, within in (
        (tone * (1 + np.sin(2 * np.pi * 70 * time_s)), "roughness_asper", 1.0, 0.1),
        (tone, "loudness_sone", 4.0, 0.15),
    ):
        level = samples * 10 ** (-27 / 20) / np.sqrt(np.mean(samples**2))
        assert psychoacoustic_measures(level.astype(np.float32), RATE)[measure] == pytest.approx(expected, abs=within)


def test_short_and_silent_clips_are_clip_errors() -> None:
    with pytest.raises(ClipError, match=r"1\.00 s is too short"):
        analyse_clip(modulated_noise(6.0, 0.2, seconds=1.0), RATE)
    with pytest.raises(ClipError, match="silence"):
        analyse_clip(np.zeros(4 * RATE, np.float32), RATE)


def test_folder_becomes_table_csv_json_and_figure(folder: Path) -> None:
    table = batch_analyze_frequencies(str(folder), progress=False)
    assert list(table["file"]) == ["a.wav", "b.wav", "c.flac"]
    assert table.attrs["skipped"] == []
    expected = analyse_clip(*read_audio(folder / "b.wav"))
    assert table.loc[1].drop("file").to_dict() == expected
    pd.testing.assert_frame_equal(pd.read_csv(folder / "analysis.csv"), table, check_dtype=False)
    content = json.loads((folder / "analysis.json").read_text())
    assert content["clips"] == 3
    assert content["summary_medians"]["deep_sleep_depth"] == pytest.approx(table["deep_sleep_depth"].median())
    assert content["targets_detected"]["deep_sleep"] >= 2
    assert content["rows"][1]["file"] == "b.wav"
    assert (folder / "analysis.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob(".writing-*"))


def test_the_same_table_by_two_processes_elsewhere(folder: Path, tmp_path: Path) -> None:
    alone = batch_analyze_frequencies(folder, tmp_path / "one", progress=False)
    together = batch_analyze_frequencies(folder, tmp_path / "new" / "two", workers=2, progress=False)
    pd.testing.assert_frame_equal(alone, together)
    written = {path.name for path in (tmp_path / "new" / "two").iterdir()}
    assert written == {"analysis.csv", "analysis.json", "analysis.png"}
    assert not (folder / "analysis.csv").exists()


def test_clips_that_cannot_be_measured_are_listed_and_warned_of(folder: Path) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF but no more")
    write_audio(folder / "short.wav", modulated_noise(6.0, 0.1, seconds=0.5), RATE)
    (folder / "._a.wav").write_bytes(b"resource fork")
    with pytest.warns(UserWarning, match=r"2 of 5 clips left out.*broken\.wav.*short\.wav: 0\.50 s is too short"):
        table = batch_analyze_frequencies(folder, progress=False)
    assert len(table) == 3
    assert [clip["file"] for clip in table.attrs["skipped"]] == ["broken.wav", "short.wav"]
    assert json.loads((folder / "analysis.json").read_text())["skipped"] == table.attrs["skipped"]


def test_a_clip_below_the_gate_is_null_in_json(folder: Path) -> None:
    write_audio(folder / "faint.wav", (modulated_noise(6.0, 0.1) * 0.004).astype(np.float32), RATE)
    table = batch_analyze_frequencies(folder, progress=False)
    assert table.set_index("file").loc["faint.wav", "lufs"] == -np.inf
    rows = json.loads((folder / "analysis.json").read_text(), parse_constant=lambda name: pytest.fail(name))["rows"]
    assert {row["file"]: row for row in rows}["faint.wav"]["lufs"] is None


def test_missing_empty_and_hopeless_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(CtxAudioError, match="nowhere is not a folder"):
        batch_analyze_frequencies(tmp_path / "nowhere")
    with pytest.raises(CtxAudioError, match="no WAV or FLAC file"):
        batch_analyze_frequencies(tmp_path)
    (tmp_path / "broken.wav").write_bytes(b"nothing")
    with pytest.raises(CtxAudioError, match="none of 1 clips"):
        batch_analyze_frequencies(tmp_path, progress=False)
    assert not (tmp_path / "analysis.csv").exists()
    with pytest.raises(CtxAudioError, match="workers must be 1 or more"):
        batch_analyze_frequencies(tmp_path, workers=0)
    with pytest.raises(CtxAudioError, match="rate 400 Hz is outside"):
        batch_analyze_frequencies(tmp_path, rates_hz=[400.0])


@pytest.mark.skipif(not SHARED.is_dir(), reason="real recordings are not beside the project")
def test_real_recordings_have_a_floor_that_an_imposed_depth_clears() -> None:
    rows = []
    for path in sorted((SHARED / "recordings" / "FSD50K.dev_audio").glob("*.wav")):
        samples, sample_rate = read_audio(path)
        if samples.shape[1] >= 4 * sample_rate and len(rows) < 12 and samples.any():
            rows.append(analyse_clip(samples[:, : 4 * sample_rate], sample_rate))
    assert len(rows) == 12
    assert np.median([row["focus_floor"] for row in rows]) < 0.1


def test_the_depth_asked_for_stands_beside_the_measured_one_and_that_of_the_same_clips_without():
    plain, modulated = ([modulated_noise(6.0, depth, seed) for seed in range(5)] for depth in (0.0, 0.4))
    (row,) = modulation_figures(ModulationProfile((Rate(6.0, 0.4),)), modulated, plain, RATE)
    assert (row["rate_hz"], row["asked"]) == (6.0, 0.4)
    assert row["measured"] == pytest.approx(0.4, abs=0.03) and row["without"] < 0.03
    assert modulation_figures(ModulationProfile(), modulated, plain, RATE) == []
