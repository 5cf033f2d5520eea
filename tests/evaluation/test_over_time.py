"""A stream's envelope has no borders, and what changes over time is found when it does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ctxaudio.cli import main
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.over_time import (
    PICTURE_RATES_HZ,
    analyse_file,
    modulation_over_time,
    modulation_spectrogram,
    rates_found,
)
from ctxaudio.signal.envelope import envelope_depth, slow_envelope

RATE = 8000


def noise(seconds: float, seed: int = 0, channels: int = 1) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))
    return (0.05 * samples).astype(np.float32)


def modulated(samples: np.ndarray, rate_hz: float | np.ndarray, depth: float) -> np.ndarray:
    turns = np.cumsum(np.broadcast_to(rate_hz, samples.shape[1])) / RATE
    return (samples * (1 + depth * np.sin(2 * np.pi * turns))).astype(np.float32)


@pytest.mark.parametrize("lengths", [(8000,), (100000,), (777, 40001)])
def test_the_cuts_of_a_stream_do_not_matter(lengths: tuple[int, ...]) -> None:
    samples = modulated(noise(21.3), 6.0, 0.3)
    cuts = np.cumsum(np.resize(lengths, samples.shape[1] // min(lengths)))
    streamed, _ = modulation_over_time(np.split(samples, cuts[cuts < samples.shape[1]], axis=1), RATE, 5.0, 2.5)
    pd.testing.assert_frame_equal(streamed, modulation_over_time([samples], RATE, 5.0, 2.5)[0])


def test_depths_are_those_of_the_whole_envelope() -> None:
    """Of the first window, and of one across the border of two pieces, which are measured one by one."""
    samples = modulated(noise(31.3), 6.0, 0.3)
    table, _ = modulation_over_time([samples], RATE, 10.0, 5.0, rates_hz=[0.5, 21.3])
    envelope, rate_hz = slow_envelope(samples[0], RATE)
    assert table["start_s"].tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]
    for name, target_hz in {"rate_0.5_hz": 0.5, "meditation": 6.0, "rate_21.3_hz": 21.3}.items():
        for row, first in ((0, 0), (3, round(15.0 * rate_hz))):
            expected = envelope_depth(envelope[first : first + round(10.0 * rate_hz)], rate_hz, target_hz)
            assert table[f"{name}_depth"].iloc[row] == pytest.approx(expected, abs=2e-4)


def test_a_schedule_is_found_with_its_times_rates_and_depths() -> None:
    rates_hz = np.repeat([10.0, 4.0], 60 * RATE)
    table, picture = modulation_over_time(iter([modulated(noise(120.0), rates_hz, 0.3)]), RATE, 10.0, 5.0)
    first, second = rates_found(table)
    assert (first["start_hz"], second["end_hz"]) == pytest.approx((10.0, 4.0), abs=0.01)
    assert (first["depth"], second["depth"]) == pytest.approx((0.3, 0.3), abs=0.02)
    assert 50.0 <= first["to_s"] <= 62.0
    assert 58.0 <= second["from_s"] <= 70.0
    assert PICTURE_RATES_HZ[picture[2].argmax()] == pytest.approx(10.0, rel=0.02)
    assert PICTURE_RATES_HZ[picture[-2].argmax()] == pytest.approx(4.0, rel=0.02)
    assert picture[2].max() == pytest.approx(0.3, abs=0.03)


def test_a_glide_is_one_stretch_between_its_ends() -> None:
    rates_hz = np.interp(np.arange(200 * RATE) / RATE, [0, 60, 140, 200], [10.0, 10.0, 8.0, 8.0])
    table, _ = modulation_over_time(iter([modulated(noise(200.0), rates_hz, 0.4)]), RATE, 10.0, 5.0)
    stretches = [(s["start_hz"], s["end_hz"]) for s in rates_found(table)]
    assert stretches == [pytest.approx(ends, abs=0.15) for ends in ((10, 10), (10, 8), (8, 8))]


def test_nothing_is_found_in_plain_noise() -> None:
    table, _ = modulation_over_time(iter([noise(400.0, 5)]), RATE, 4.0, 2.0)
    assert table["strongest_hz"].notna().mean() <= 0.01
    assert (table[["focus_p", "schumann_p"]] < 0.05).to_numpy().mean() == pytest.approx(0.05, abs=0.03)


def test_a_binaural_beat_is_in_the_mono_mix() -> None:
    time_s = np.arange(30 * RATE) / RATE
    ears = 0.1 * np.sin(2 * np.pi * np.array([[247.0], [253.0]]) * time_s).astype(np.float32)
    table, _ = modulation_over_time(iter([ears]), RATE, 10.0, 5.0)
    row = table.iloc[1]
    assert row["strongest_hz"] == pytest.approx(6.0, abs=0.01)
    assert row["meditation_depth"] == pytest.approx(2 / 3, abs=0.01)  # |cos| has its first harmonic at 2/3


def test_silence_amid_sound_is_no_number() -> None:
    samples = np.concatenate([noise(20.0), np.zeros((1, 20 * RATE), np.float32)], axis=1)
    table, _ = modulation_over_time(iter([samples]), RATE, 4.0, 2.0)
    assert np.isfinite(table["focus_depth"].iloc[0])
    assert np.isnan(table["focus_depth"].iloc[-1])


def test_a_file_becomes_a_table_a_summary_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "night.flac", modulated(noise(90.0, 1, 2), 6.0, 0.3).T, RATE)
    table = analyse_file(tmp_path / "night.flac", tmp_path / "out", rates_hz=[25.0])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out" / "night_modulation.csv"), table, check_dtype=False)
    summary = json.loads((tmp_path / "out" / "night_modulation.json").read_text())
    assert (summary["duration_s"], summary["window_s"]) == (90.0, 9.0)
    assert summary["found"][0]["start_hz"] == pytest.approx(6.0, abs=0.01)
    assert summary["medians"]["meditation_depth"] == pytest.approx(0.3, abs=0.02)
    assert summary["medians"]["rate_25_hz_depth"] < 0.02
    assert summary["lufs"] == pytest.approx(table.attrs["lufs"])
    assert (tmp_path / "out" / "night_modulation.png").read_bytes().startswith(b"\x89PNG")
    assert main(["analyze", str(tmp_path / "night.flac"), "--window_s", "30"]) == 0
    assert "6.00 to 6.00 Hz, depth 0." in capsys.readouterr().out


def test_files_that_cannot_be_measured_are_named(tmp_path: Path) -> None:
    for name, samples in {"short": noise(1.0), "silent": np.zeros((1, 4 * RATE)), "fine": noise(4.0)}.items():
        soundfile.write(tmp_path / f"{name}.wav", samples.T, RATE)
    with pytest.raises(CtxAudioError, match=r"short\.wav: 1\.00 s is too short"):
        analyse_file(tmp_path / "short.wav")
    with pytest.raises(CtxAudioError, match=r"silent\.wav: digital silence"):
        analyse_file(tmp_path / "silent.wav")
    with pytest.raises(CtxAudioError, match="a window of 10 s is longer"):
        analyse_file(tmp_path / "fine.wav", window_s=10.0)
    for window_s in (1.0, float("nan")):
        with pytest.raises(CtxAudioError, match=f"window {window_s:g} s is too short"):
            analyse_file(tmp_path / "fine.wav", window_s=window_s)
    with pytest.raises(CtxAudioError, match="rate nan Hz is outside"):
        analyse_file(tmp_path / "fine.wav", rates_hz=[float("nan")])
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".wav"] * 3


@pytest.mark.parametrize("sample_rate", [5, 9, 41, 60, 100])
def test_a_sample_rate_too_low_for_rates_is_one_line(tmp_path: Path, sample_rate: int, capsys) -> None:
    soundfile.write(tmp_path / "slow.wav", noise(4.0)[0, : 30 * sample_rate], sample_rate)
    assert main(["analyze", str(tmp_path / "slow.wav")]) == 2
    assert f"slow.wav: sample rate {sample_rate} Hz" in capsys.readouterr().err


def test_dollars_in_a_file_name_are_no_formula(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "$$.wav", noise(4.0)[0], RATE)
    analyse_file(tmp_path / "$$.wav")
    assert (tmp_path / "$$_modulation.png").is_file()


def test_modulation_spectrogram_puts_a_line_at_its_rate_and_time() -> None:
    depths = np.full((24, 181), 0.003)
    depths[:12, 90] = 0.5  # 10 Hz, the middle of the logarithm
    depths[-1] = np.nan
    figure = modulation_spectrogram(np.arange(24) * 600.0 + 300.0, depths, "night")
    image = figure.axes[0].images[0]
    left, right, low, high = image.get_extent()
    assert (left, right) == pytest.approx((0.0, 240.0))
    row = int(np.nanargmax(image.get_array()[:, 0]))
    assert 2 ** (low + (row + 0.5) / 181 * (high - low)) == pytest.approx(10.0)
    assert image.get_array()[row, 0] == pytest.approx(20 * np.log10(0.5))
    axis = figure.axes[0]
    assert (axis.get_title("left"), axis.get_xlabel()) == ("night", "time (minutes); dotted: the rate targets")
