import json
from dataclasses import replace

import pytest
from sounds import RATE, modulated_noise, noise

from ctxaudio import pipeline
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.evaluation.clips import RealSound, prepared_sound, real_sound
from ctxaudio.evaluation.merit import figures_of_merit, modulation_figures
from ctxaudio.files import read_json
from ctxaudio.modulation.profile import ModulationProfile, Rate
from ctxaudio.run import Run


@pytest.fixture(scope="module")
def figures(trained: Run, clips, tmp_path_factory: pytest.TempPathFactory):
    generator, _ = pipeline.load_model(trained)
    other = write_embedded_corpus(tmp_path_factory.mktemp("other"), ["Rain", "Cricket", "Wind"], 9, clips_per_label=6)
    fresh = real_sound(other, clips.condition_names, RATE, "train", "sleep")
    return figures_of_merit(generator, replace(fresh, training=prepared_sound(clips, "train", 20)))


def test_figures_of_merit_stand_beside_their_floors(figures):
    overall = figures["texture_distance"]["all_conditions"]
    assert list(figures["texture_distance"]["by_condition"]) == ["Rain", "Wind", "Cricket"]
    assert overall["real_floor"] < overall["generated"]
    assert overall["real_floor"] < overall["white_noise"]
    for found in (overall, *figures["texture_distance"]["by_condition"].values()):
        for mark in ("generated", "real_floor", "matched_noise", "white_noise"):
            assert found[f"{mark}_low"] < found[mark] < found[f"{mark}_high"]
    asked = {row["rate_hz"]: row for row in figures["modulation"]}
    assert asked[2.5]["measured"] == pytest.approx(asked[2.5]["asked"], abs=0.06)
    assert asked[2.5]["without"] < asked[2.5]["measured"]


def test_a_run_is_told_what_its_clips_are_compared_with(trained: Run, clips):
    figures = pipeline.judge(trained, clips)
    assert figures["reference"] == f"val split of {trained.data_dir}"
    assert any("also chose the best generator" in note for note in figures["notes"])
    assert "Rain: too few real clips" in figures["notes"] and figures["texture_distance"]["all_conditions"] is None
    assert read_json(trained.analysis_dir / "figures_of_merit.json") == json.loads(json.dumps(figures))


def test_each_condition_with_two_real_clips_has_figures_and_a_verdict(trained: Run):
    generator, _ = pipeline.load_model(trained)
    real = RealSound({"Rain": sounds_of(3), "Wind": sounds_of(1)}, {"Rain": sounds_of(3, 20)}, "made up")
    figures = figures_of_merit(generator, real)
    assert list(figures["texture_distance"]["by_condition"]) == list(figures["verdicts"]) == ["Rain"]
    assert figures["verdicts"]["Rain"].startswith(("near", "distinguishable", "undecided"))
    assert figures["reference"] == "made up"


def sounds_of(count: int, first: int = 0):
    return {f"{seed}": noise(seed) for seed in range(first, first + count)}


def test_the_depth_asked_for_stands_beside_the_measured_one_and_that_of_the_same_clips_without():
    plain, modulated = ([modulated_noise(6.0, depth, seed) for seed in range(5)] for depth in (0.0, 0.4))
    (row,) = modulation_figures(ModulationProfile((Rate(6.0, 0.4),)), modulated, plain, RATE)
    assert (row["rate_hz"], row["asked"]) == (6.0, 0.4)
    assert row["measured"] == pytest.approx(0.4, abs=0.03) and row["without"] < 0.03
    assert modulation_figures(ModulationProfile(), modulated, plain, RATE) == []
