"""A difference is found where there is one, and none where there is none."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.comparison import AskedProfile, asked_profile, compare_folders, comparison, holm
from ctxaudio.evaluation.rates import named_rates
from ctxaudio.files import write_json
from ctxaudio.modulation.profile import Carrier, ModulationProfile, Pulse, Rate
from ctxaudio.signal.audio import write_audio

RATE = 16000
CLIPS = 11


def write_clips(folder: Path, depth: float, first_seed: int = 0, name: str = "clip") -> Path:
    time_s = np.arange(2 * RATE) / RATE
    for number in range(CLIPS):
        noise = 0.05 * np.random.default_rng(first_seed + number).standard_normal(len(time_s))
        samples = noise * (1 + depth * np.sin(2 * np.pi * 10.0 * time_s)) / np.sqrt(1 + depth**2 / 2)
        write_audio(folder / f"{name}_{number:02d}.wav", samples.astype(np.float32), RATE)
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
    assert row["modulated_clips"] == row["sham_clips"] == CLIPS
    significant = table.attrs["significant"]
    assert "rate_10_hz_depth" in significant
    assert not {"schumann_depth", "deep_sleep_depth", "earth_prominence_db", "spectral_centroid_hz"} & set(significant)
    assert table.attrs["test"].startswith("Wilcoxon")
    content = json.loads((modulated / "comparison.json").read_text())
    assert content["significant"] == significant
    assert (modulated / "comparison.png").read_bytes().startswith(b"\x89PNG")
    pd.testing.assert_frame_equal(pd.read_csv(modulated / "comparison.csv"), table, check_dtype=False)


def test_two_shams_do_not_differ(tmp_path: Path) -> None:
    one, other = write_clips(tmp_path / "one", 0.0), write_clips(tmp_path / "other", 0.0, 100, name="other")
    table = compare_folders(one, other, tmp_path / "out", progress=False)
    assert table.attrs["significant"] == []
    assert table.attrs["test"].startswith("Mann-Whitney")
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


@pytest.mark.parametrize("second", ["a", "b"])
def test_chance_alone_finds_something_in_five_percent_of_comparisons_at_most(second: str) -> None:
    """Sixteen measures of pure chance, 120 times: Holm's method keeps the risk of even one finding to 5 %."""
    found = 0
    for seed in range(120):
        random = np.random.default_rng(seed)
        tables = measures(random.normal(size=(12, 16)), "a"), measures(random.normal(size=(12, 16)), second)
        found += bool(comparison(*tables, AskedProfile({}, {}), named_rates()).attrs["significant"])
    assert found <= scipy.stats.binom.ppf(0.99, 120, 0.05)


def test_few_clips_are_said_to_be_too_few() -> None:
    random = np.random.default_rng(0)
    tables = measures(random.normal(size=(4, 16)), "a"), measures(random.normal(size=(4, 16)) + 100, "b")
    table = comparison(*tables, AskedProfile({}, {}), named_rates())
    assert table["p"].max() == pytest.approx(2 / 70)  # four against four: 70 ways to share eight ranks
    assert table.attrs["smallest_p_holm"] > 0.05
    assert table.attrs["significant"] == []


def test_clips_below_the_gate_do_not_spoil_the_rest() -> None:
    tables = [measures(np.random.default_rng(seed).normal(size=(6, 16)), "a") for seed in (0, 1)]
    tables[0].loc[0, "lufs"] = -np.inf
    tables[1]["true_peak_db"] = tables[0]["true_peak_db"]
    table = comparison(*tables, AskedProfile({}, {}), named_rates()).set_index("measure")
    assert np.isfinite(table.loc["lufs", "difference"])
    assert table.loc["true_peak_db", "p"] == 1.0
    assert table["p_holm"].between(0, 1).all()


def test_holm_corrects_as_published() -> None:
    """Holm 1979: the smallest times N, the next times N-1, and never less than the one before."""
    assert holm(np.array([0.001, 0.02, 0.03, 0.9])).tolist() == pytest.approx([0.004, 0.06, 0.06, 0.9])


def test_what_was_asked_for_is_what_the_clips_agree_on(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_audio(tmp_path / f"{name}.wav", np.zeros(100, np.float32), RATE)
    assert asked_profile(tmp_path) == AskedProfile({}, {})
    rates = Rate(6.0, 0.3), Rate(0.2, 0.3), Rate(16.0, 0.3, pulse=Pulse())
    profile = ModulationProfile(rates, (Carrier(432.0, 0.4),))
    for name in ("one", "two"):
        write_json(tmp_path / f"{name}.json", {"profile": asdict(profile)})
    asked = asked_profile(tmp_path)
    assert (asked.rates[6.0], asked.carriers) == (0.3, {432.0: 0.4})
    assert list(asked.rates) == [6.0, 16.0]
    assert np.isnan(asked.rates[16.0])  # pulses have another fundamental than their depth says
    write_json(tmp_path / "two.json", {"profile": asdict(ModulationProfile())})
    assert asked_profile(tmp_path) == AskedProfile({}, {})


def test_folders_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips", 0.0)
    with pytest.raises(CtxAudioError, match="compared with itself"):
        compare_folders(clips, clips)
    with pytest.raises(CtxAudioError, match="nowhere is not a folder"):
        compare_folders(clips, tmp_path / "nowhere")
    (clips / "generated.json").write_text('{"profile": {"rates": [6.0]}}')
    with pytest.raises(CtxAudioError, match="no profile"):
        compare_folders(clips, write_clips(tmp_path / "other", 0.0))
