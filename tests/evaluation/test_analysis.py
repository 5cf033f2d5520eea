"""One row per clip, one table per folder; a difference is found where there is one, and none where there is none."""

import json
from dataclasses import asdict
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import soundfile
import torch
from sounds import RATE, modulated_noise

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.evaluation.analysis import (
    MIN_SAMPLE_RATE,
    analyse_clip,
    asked_depths,
    batch_analyze_frequencies,
    carrier_prominence_db,
    compare_folders,
    comparison,
    holm,
    named_rates,
)
from ctxaudio.files import write_json
from ctxaudio.modulation.layer import FrequencyModulationLayer
from ctxaudio.modulation.profile import Carrier, ModulationProfile, Rate, modulation_profile
from ctxaudio.signal.audio import read_audio, write_audio
from ctxaudio.signal.loudness import integrated_lufs

RATE_PARTS = ("depth", "floor", "p")
TIME_S = np.arange(4 * RATE) / RATE
SHARED = Path(__file__).parents[3] / "shared"
LOW_RATE = 16000
CLIPS = 11


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


def white(seed: int, seconds: float = 4.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def test_prominence_is_zero_in_noise_and_shows_the_boost_of_the_layer() -> None:
    layer = FrequencyModulationLayer(modulation_profile({}, {"earth": 1.0}), RATE)
    plain, boosted = [], []
    for seed in range(20):
        samples = white(seed)
        plain.append(carrier_prominence_db(samples, RATE, 432.0))
        with torch.no_grad():
            louder = layer(torch.from_numpy(samples).float()[None])[0].numpy()
        boosted.append(carrier_prominence_db(louder, RATE, 432.0))
    assert np.mean(plain) == pytest.approx(0.0, abs=0.6)
    # 12 dB at the centre of the bell, about 11 over the narrow band, less what it lifts 10-20 Hz away
    assert 9.5 < np.mean(boosted) < 12.0


def test_prominence_is_not_hidden_by_one_partial_in_the_neighbourhood() -> None:
    samples = white(9) + 0.05 * np.sin(2 * np.pi * 432 * TIME_S)
    with_partial = samples + 0.2 * np.sin(2 * np.pi * 460 * TIME_S)
    assert carrier_prominence_db(with_partial, RATE, 432.0) == pytest.approx(
        carrier_prominence_db(samples, RATE, 432.0), abs=1.0
    )


def test_a_carrier_needs_room_below_half_the_sample_rate() -> None:
    with pytest.raises(CtxAudioError, match="higher sample rate"):
        carrier_prominence_db(np.ones(1000), 1000, 528.0)
    assert carrier_prominence_db(np.zeros(RATE), RATE, 528.0) == 0.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clips = tmp_path / "clips"
    write_audio(clips / "b.wav", modulated_noise(2.5, 0.3, 1), RATE)
    write_audio(clips / "a.wav", modulated_noise(2.5, 0.3, 2), RATE)
    soundfile.write(clips / "c.flac", modulated_noise(6.0, 0.3, 3, seconds=2.5), RATE)
    return clips


def test_folder_becomes_table_csv_json_and_figure(folder: Path) -> None:
    table = batch_analyze_frequencies(str(folder), progress=False)
    assert list(table["file"]) == ["a.wav", "b.wav", "c.flac"]
    assert table.attrs["skipped"] == []
    expected = analyse_clip(*read_audio(folder / "b.wav"))
    assert table.loc[1].drop("file").to_dict() == expected
    pd.testing.assert_frame_equal(pd.read_csv(folder / "analysis.csv"), table, check_dtype=False)
    content = json.loads((folder / "analysis.json").read_text())
    assert content["medians"]["deep_sleep_depth"] == pytest.approx(table["deep_sleep_depth"].median())
    assert content["rows"][1]["file"] == "b.wav"
    assert (folder / "analysis.png").read_bytes().startswith(b"\x89PNG")
    assert not list(folder.glob(".writing-*"))


def test_the_three_files_go_where_they_are_told(folder: Path, tmp_path: Path) -> None:
    batch_analyze_frequencies(folder, tmp_path / "new" / "two", progress=False)
    written = {path.name for path in (tmp_path / "new" / "two").iterdir()}
    assert written == {"analysis.csv", "analysis.json", "analysis.png"}
    assert not (folder / "analysis.csv").exists()


def test_clips_that_cannot_be_measured_are_listed_and_warned_of(folder: Path, capsys) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF but no more")
    write_audio(folder / "short.wav", modulated_noise(6.0, 0.1, seconds=0.5), RATE)
    (folder / "._a.wav").write_bytes(b"resource fork")
    table = batch_analyze_frequencies(folder, progress=False)
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == 2 and "warning: broken.wav is left out" in warned[0]
    assert "short.wav is left out of the analysis: 0.50 s is too short" in warned[1]
    assert len(table) == 3
    assert [clip["file"] for clip in table.attrs["skipped"]] == ["broken.wav", "short.wav"]
    assert json.loads((folder / "analysis.json").read_text())["skipped"] == table.attrs["skipped"]


def test_a_streamed_flac_without_a_length_is_measured_like_any_other(folder: Path) -> None:
    content = bytearray((folder / "c.flac").read_bytes())
    content[21] &= 0xF0  # the number of samples in the header: 36 bits from here on, 0 where an encoder streams
    content[22:26] = bytes(4)
    (folder / "streamed.flac").write_bytes(content)
    table = batch_analyze_frequencies(folder, progress=False).drop(columns="file")
    assert len(table) == 4 and table.loc[2].equals(table.loc[3]), "c.flac and the same without its length"


def test_a_dollar_sign_in_a_name_begins_no_formula(folder: Path) -> None:
    dollars = folder.rename(folder.with_name(r"$\frac$ and $$"))
    batch_analyze_frequencies(dollars, progress=False)
    assert (dollars / "analysis.png").is_file()


def test_a_name_that_is_no_valid_utf_8_is_written_with_its_bytes_escaped(folder: Path) -> None:
    next(folder.glob("*.wav")).rename(folder / "rain\udcff.wav")
    batch_analyze_frequencies(folder, progress=False)
    assert r"rain\udcff.wav" in (folder / "analysis.csv").read_text(encoding="utf-8")


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
    with pytest.raises(CtxAudioError, match="rate 400 Hz is outside"):
        batch_analyze_frequencies(tmp_path, rates_hz=[400.0])


def write_clips(folder: Path, depth: float, first_seed: int = 0, name: str = "clip") -> Path:
    time_s = np.arange(2 * LOW_RATE) / LOW_RATE
    for number in range(CLIPS):
        noise = 0.05 * np.random.default_rng(first_seed + number).standard_normal(len(time_s))
        samples = noise * (1 + depth * np.sin(2 * np.pi * 10.0 * time_s)) / np.sqrt(1 + depth**2 / 2)
        write_audio(folder / f"{name}_{number:02d}.wav", samples.astype(np.float32), LOW_RATE)
    return folder


def test_a_modulated_folder_differs_from_its_sham_at_the_rate_asked_for(tmp_path: Path) -> None:
    modulated, sham = write_clips(tmp_path / "modulated", 0.3), write_clips(tmp_path / "sham", 0.0)
    profile = {"rates": [{"rate_hz": 10.0, "depth": 0.3, "pulse": None}], "carriers": []}
    (modulated / "generated.json").write_text(json.dumps({"profile": profile}))
    table = compare_folders(modulated, sham, progress=False)
    row = table.set_index("measure").loc["rate_10_hz_depth"]
    assert row["asked"] == 0.3
    assert row["modulated"] == pytest.approx(0.3, abs=0.03)
    assert row["sham"] < 0.03
    assert row["p"] == pytest.approx(2.0 ** (1 - CLIPS))  # every pair on the same side: the exact test's least
    assert row["p_holm"] == pytest.approx(table.attrs["smallest_p_holm"])
    assert row["pairs"] == CLIPS
    significant = table.attrs["significant"]
    assert "rate_10_hz_depth" in significant
    assert not {"schumann_depth", "deep_sleep_depth", "earth_prominence_db", "spectral_centroid_hz"} & set(significant)
    content = json.loads((modulated / "comparison.json").read_text())
    assert content["significant"] == significant
    assert (modulated / "comparison.png").read_bytes().startswith(b"\x89PNG")
    pd.testing.assert_frame_equal(pd.read_csv(modulated / "comparison.csv"), table, check_dtype=False)


def test_two_shams_do_not_differ(tmp_path: Path) -> None:
    one, other = write_clips(tmp_path / "one", 0.0), write_clips(tmp_path / "other", 0.0, 100)
    table = compare_folders(one, other, tmp_path / "out", progress=False)
    assert table.attrs["significant"] == []
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.csv",
        "comparison.json",
        "comparison.png",
    }


def measures(values: np.ndarray, prefix: str) -> pd.DataFrame:
    columns = [f"{name}_depth" for name in named_rates()] + ["solfeggio_prominence_db", "earth_prominence_db"]
    columns += [f"{band}_envelope_depth" for band in ("delta", "theta", "alpha", "beta", "gamma")]
    columns += ["lufs", "true_peak_db", "spectral_centroid_hz", "spectral_flatness", "infrasound_share"]
    table = pd.DataFrame(values[:, : len(columns)], columns=columns)
    table.insert(0, "file", [f"{prefix}{number}.wav" for number in range(len(table))])
    return table


def test_chance_alone_finds_something_in_five_percent_of_comparisons_at_most() -> None:
    """Sixteen measures of pure chance, 120 times: Holm's method keeps the risk of even one finding to 5 %."""
    found = 0
    for seed in range(120):
        random = np.random.default_rng(seed)
        tables = measures(random.normal(size=(12, 16)), "a"), measures(random.normal(size=(12, 16)), "a")
        found += bool(comparison(*tables, {}, named_rates()).attrs["significant"])
    assert found <= scipy.stats.binom.ppf(0.99, 120, 0.05)


def test_few_clips_are_said_to_be_too_few() -> None:
    random = np.random.default_rng(0)
    tables = measures(random.normal(size=(4, 16)), "a"), measures(random.normal(size=(4, 16)) + 100, "a")
    table = comparison(*tables, {}, named_rates())
    assert table["p"].max() == pytest.approx(2 / 16)  # four pairs: 16 ways to give them signs
    assert table.attrs["smallest_p_holm"] > 0.05
    assert table.attrs["significant"] == []


def test_clips_below_the_gate_do_not_spoil_the_rest() -> None:
    tables = [measures(np.random.default_rng(seed).normal(size=(6, 16)), "a") for seed in (0, 1)]
    tables[0].loc[0, "lufs"] = -np.inf
    tables[1]["true_peak_db"] = tables[0]["true_peak_db"]
    table = comparison(*tables, {}, named_rates()).set_index("measure")
    assert np.isfinite(table.loc["lufs", "difference"])
    assert table.loc["true_peak_db", "p"] == 1.0
    assert table["p_holm"].between(0, 1).all()


def test_holm_corrects_as_published() -> None:
    """Holm 1979: the smallest times N, the next times N-1, and never less than the one before."""
    assert holm(pd.Series([0.02, 0.9, 0.001, 0.03])).tolist() == pytest.approx([0.06, 0.9, 0.004, 0.06])


def test_what_was_asked_for_is_what_the_json_of_the_folder_says(tmp_path: Path) -> None:
    assert asked_depths(tmp_path) == {}
    rates = Rate(6.0, 0.3), Rate(0.2, 0.3), Rate(16.0, 0.3, pulse=True)
    profile = ModulationProfile(rates, (Carrier(432.0, 0.4),))
    write_json(tmp_path / "generated.json", {"profile": asdict(profile)})
    asked = asked_depths(tmp_path)
    assert (asked[6.0], asked[432.0], set(asked)) == (0.3, 0.4, {432.0, 6.0, 16.0})
    assert np.isnan(asked[16.0])  # pulses have another fundamental than their depth says


def test_folders_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 0.0)
    with pytest.raises(CtxAudioError, match="compared with itself"):
        compare_folders(clips, clips)
    with pytest.raises(CtxAudioError, match="nowhere is not a folder"):
        compare_folders(clips, tmp_path / "nowhere")
    with pytest.raises(CtxAudioError, match="no file of the same name"):
        compare_folders(clips, write_clips(tmp_path / "others", 0.0, name="other"), progress=False)
    (clips / "generated.json").write_text('{"profile": {"rates": [6.0]}}')
    with pytest.raises(CtxAudioError, match="no profile"):
        compare_folders(clips, write_clips(tmp_path / "other", 0.0))
