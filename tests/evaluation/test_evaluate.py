import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sounds import RATE, modulated_noise, noise

from ctxaudio import pipeline
from ctxaudio.cli import main
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.evaluate import by_recording, evaluate, figures_of_merit, mean_row, modulation_figures
from ctxaudio.evaluation.sounds import RealSound, generated_sound, prepared_sound, real_sound
from ctxaudio.files import read_json
from ctxaudio.modulation.profile import ModulationProfile, Rate
from ctxaudio.options import Run
from ctxaudio.signal.audio import write_audio


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and error.startswith("ctxaudio: ")
    return error


def strict_json(path: Path) -> dict:
    def never(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    return json.loads(path.read_text(), parse_constant=never)


@pytest.fixture(scope="module")
def folder(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sub-folders by condition: Rain are copies of training clips, Cricket is noise, Wind a single clip."""
    root = tmp_path_factory.mktemp("made")
    real = real_sound(recordings, ("Rain", "Cricket", "Wind"), RATE, "val")
    for i, clip in enumerate(list(real.training["Rain"].values())[:3]):
        write_audio(root / "Rain" / f"{i}.wav", 0.5 * clip[: 4 * RATE], RATE)
        write_audio(root / "Cricket" / f"{i}.wav", noise(i), RATE)
    write_audio(root / "Wind" / "0.wav", noise(9), RATE)
    return root


def test_a_folder_is_compared_with_real_clips_and_everything_stands_beside_something(
    folder: Path, recordings: Path, tmp_path: Path, capsys
):
    given = ["--generated_dir", str(folder), "--data_dir", str(recordings), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *given, "--split", "train"]) == 0
    printed = capsys.readouterr().out
    assert "train split of" in printed and "note: Wind: 1 generated clip" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.json", "evaluation.csv", "evaluation.png"}
    found = {one["condition"]: one for one in strict_json(tmp_path / "evaluation.json")["conditions"]}
    rain, cricket, wind = found["Rain"], found["Cricket"], found["Wind"]
    assert rain["kernel_generated"] < rain["kernel_matched_noise"] < cricket["kernel_generated"]
    assert cricket["kernel_generated"] == pytest.approx(cricket["kernel_white_noise"], rel=0.2)
    assert rain["kernel_generated_low"] < rain["kernel_generated"] < rain["kernel_generated_high"]
    assert wind["kernel_generated"] is None and wind["diversity"] is None and wind["generated_clips"] == 1
    assert wind["verdict"] == "undecided: too few clips" and cricket["verdict"].startswith("distinguishable")
    assert printed.splitlines()[-1].startswith("verdict: of 3 conditions")
    assert f"Cricket: {cricket['verdict']}" in printed and "note: the reference is the train split" in printed
    table = pd.read_csv(tmp_path / "evaluation.csv").set_index("condition")
    assert table.loc["Rain", "kernel_generated"] == pytest.approx(rain["kernel_generated"])
    assert table.loc["mean", "kernel_generated"] == pytest.approx(
        (rain["kernel_generated"] + cricket["kernel_generated"]) / 2
    )


def test_copies_of_training_clips_are_named(folder: Path, recordings: Path):
    real = real_sound(recordings, ("Rain", "Cricket"), RATE, "val")
    generated = generated_sound(folder, RATE)[0]
    found = evaluate(real, generated, RATE)
    figures = found.table.set_index("condition")
    assert {copy.clip for copy in found.copies} == {"Rain/0.wav", "Rain/1.wav", "Rain/2.wav"}
    assert {copy.training_clip for copy in found.copies} == set(list(real.training["Rain"])[:3])
    assert figures["copies"].to_dict() == {"Rain": 3, "Cricket": 0, "mean": 3}
    assert figures.loc["Rain", "memorisation_ratio"] < 0.5


def test_a_model_is_compared_without_modulation_and_it_says_so(trained: Run, recordings: Path, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path), "--data_dir", str(recordings), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *model, "--num_samples", "2", "--duration", "1.5"]) == 0
    printed = capsys.readouterr().out
    assert "without modulation, beside the val split" in printed
    content = strict_json(tmp_path / "evaluation.json")
    assert [one["condition"] for one in content["conditions"]] == ["Rain", "Wind", "Cricket"]
    assert content["conditions"][0]["floor_of"] == "training clips"
    assert any("1 real clip" in note for note in content["notes"])
    assert any("by uploaders of training clips" in note for note in content["notes"])


def test_where_sets_are_too_small_it_says_so_and_nothing_is_nan(tmp_path: Path):
    real = RealSound({"Rain": {"a": noise(0)}, "Wind": {"b": noise(1), "c": noise(2)}}, {}, "two")
    generated = {"Rain": {"x": noise(3), "y": noise(4)}, "Wind": {"z": noise(5), "w": noise(6)}, "Gong": {}}
    evaluation = evaluate(real, generated, RATE)
    notes = " | ".join(evaluation.notes)
    for said in ("Rain: 1 real clip: a distance", "Wind: no real-to-real floor", "Gong: left out"):
        assert said in notes
    evaluation.write(tmp_path, {})
    content = strict_json(tmp_path / "evaluation.json")
    assert content["conditions"][1]["kernel_real_floor"] is None
    assert content["overall"]["kernel_generated"] is not None
    assert evaluation.table["generated_clips"].tolist() == [2, 2, 4]


def test_nothing_in_common_is_an_error():
    with pytest.raises(CtxAudioError, match="nothing to compare: Rain: left out, there is no generated clip"):
        evaluate(RealSound({"Rain": {"a": noise(0)}}, {}, ""), {"Rain": {}}, RATE)


def test_real_clips_may_be_a_plain_folder_too(folder: Path, tmp_path: Path, capsys):
    given = ["--generated_dir", str(folder), "--data_dir", str(folder), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *given]) == 0
    table = pd.read_csv(tmp_path / "evaluation.csv").set_index("condition")
    assert table.loc["Cricket", "kernel_generated"] <= 0.0
    flat = ["--generated_dir", str(folder / "Rain"), "--data_dir", str(folder / "Rain")]
    assert main(["evaluate", *flat, "--output_dir", str(tmp_path), "--overwrite"]) == 0


def test_mistakes_are_one_line(folder: Path, trained: Run, tmp_path: Path, capsys):
    model, made = ["--model_path", str(trained.model_path)], ["--generated_dir", str(folder)]
    for arguments, message in (
        ([], "give --model_path or --generated_dir"),
        ([*model, *made], "give --model_path or --generated_dir"),
        ([*model, "--sample_rate", "22050"], "leave out --sample_rate"),
        ([*made, "--num_samples", "1"], "num_samples 1 must be at least 2"),
        ([*made, "--data_dir", str(folder), "--split", "eval"], "no eval split"),
        ([*made, "--data_dir", str(tmp_path / "none")], "no such folder"),
        (["--generated_dir", str(tmp_path / "none")], "no such folder"),
    ):
        assert message in refused([*arguments, "--output_dir", str(tmp_path / "out")], capsys)


def test_pieces_of_a_recording_are_one_clip_unless_there_is_no_other():
    rows = np.ones((2, 3))
    assert [len(one) for one in by_recording({"a.wav#1": rows, "a.wav#2": rows, "b#1.wav": rows})] == [4, 2]
    assert [len(one) for one in by_recording({"a.wav#1": rows, "a.wav#2": rows})] == [2, 2]


def test_pieces_of_one_recording_are_said_to_be_that():
    real = RealSound({"Rain": {f"day.wav#{i}": noise(i) for i in range(4)}}, {}, "one")
    notes = evaluate(real, {"Rain": {str(i): noise(i + 9) for i in range(4)}}, RATE).notes
    assert "Rain: its real clips are pieces of one recording: the intervals are too narrow" in notes


def test_the_interval_of_a_mean_is_that_of_independent_rows():
    random = np.random.default_rng(0)
    rows = random.normal([10.0, 20.0, 60.0], [1.0, 2.0, 4.0], (20000, 3))
    bounds = np.quantile(rows, (0.05, 0.95), axis=0)
    table = pd.DataFrame({"x": [10.0, 20.0, 60.0], "x_low": bounds[0], "x_high": bounds[1], "name": "abc"})
    found = mean_row(table)
    assert found["x"] == 30.0 and "name" not in found
    assert [found["x_low"], found["x_high"]] == pytest.approx(np.quantile(rows.mean(axis=1), (0.05, 0.95)), abs=0.1)


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
    assert any("by uploaders of training clips" in note for note in figures["notes"])
    assert any(note.startswith("Rain: 1 real clip: a distance") for note in figures["notes"])
    assert figures["texture_distance"]["all_conditions"] is None
    assert read_json(trained.analysis_dir / "figures_of_merit.json") == json.loads(json.dumps(figures))


def test_each_condition_with_two_real_clips_has_figures_and_a_verdict(trained: Run):
    generator, _ = pipeline.load_model(trained)
    real = RealSound({"Rain": sounds_of(3), "Wind": sounds_of(1)}, {"Rain": sounds_of(3, 20)}, "made up")
    figures = figures_of_merit(generator, real)
    assert list(figures["texture_distance"]["by_condition"]) == ["Rain"]
    assert figures["verdicts"]["Rain"].startswith(("near", "distinguishable", "undecided"))
    assert figures["verdicts"]["Wind"] == "undecided: too few clips" and figures["verdict"].startswith(
        "of 2 conditions"
    )
    assert figures["reference"] == "made up"


def sounds_of(count: int, first: int = 0):
    return {f"{seed}": noise(seed) for seed in range(first, first + count)}


def test_the_depth_asked_for_stands_beside_the_measured_one_and_that_of_the_same_clips_without():
    plain, modulated = ([modulated_noise(6.0, depth, seed) for seed in range(5)] for depth in (0.0, 0.4))
    (row,) = modulation_figures(ModulationProfile((Rate(6.0, 0.4),)), modulated, plain, RATE)
    assert (row["rate_hz"], row["asked"]) == (6.0, 0.4)
    assert row["measured"] == pytest.approx(0.4, abs=0.03) and row["without"] < 0.03
    assert modulation_figures(ModulationProfile(), modulated, plain, RATE) == []
