import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sounds import RATE, modulated_noise, noise

from ctxaudio import pipeline
from ctxaudio.cli import main
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.evaluation.evaluate import (
    RealSound,
    Sounds,
    by_recording,
    evaluate,
    figures_of_merit,
    held_out_sound,
    mean_row,
    middle,
    modulation_figures,
    prepared_sound,
    real_sound,
)
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


def made(real: RealSound) -> Sounds:
    """Rain are copies of training clips, Cricket is noise, Wind a single clip."""
    copies = list(real.training["Rain"].items())[:3]
    rain = {f"of {name}": 0.5 * clip[: 4 * RATE] for name, clip in copies}
    return {"Rain": rain, "Cricket": sounds_of(3), "Wind": sounds_of(1, 9)}


def test_generated_clips_are_compared_with_real_ones_and_everything_stands_beside_something(
    recordings: Path, tmp_path: Path
):
    conditions = ("Rain", "Cricket", "Wind")
    real = real_sound(recordings, conditions, RATE)
    evaluation = evaluate(RealSound(real.training, {}, "training clips", notes=["few"]), made(real), RATE)
    evaluation.write(tmp_path, {"seed": 0})
    assert any("Wind: 1 generated clip" in note for note in evaluation.notes)
    assert evaluation.notes[0] == "few"
    assert {path.name for path in tmp_path.iterdir()} == {"evaluation.json", "evaluation.csv", "evaluation.png"}
    content = strict_json(tmp_path / "evaluation.json")
    found = {one["condition"]: one for one in content["conditions"]}
    rain, cricket, wind = found["Rain"], found["Cricket"], found["Wind"]
    assert rain["kernel_generated"] < rain["kernel_matched_noise"] < cricket["kernel_generated"]
    assert cricket["kernel_generated"] == pytest.approx(cricket["kernel_white_noise"], rel=0.2)
    assert rain["kernel_generated_low"] < rain["kernel_generated"] < rain["kernel_generated_high"]
    assert wind["kernel_generated"] is None and wind["diversity"] is None and wind["generated_clips"] == 1
    assert wind["verdict"] == "undecided: too few clips" and cricket["verdict"].startswith("distinguishable")
    assert content["verdict"].startswith("of 3 conditions") and content["seed"] == 0
    table = pd.read_csv(tmp_path / "evaluation.csv").set_index("condition")
    assert table.loc["Rain", "kernel_generated"] == pytest.approx(rain["kernel_generated"])
    assert table.loc["mean", "kernel_generated"] == pytest.approx(
        (rain["kernel_generated"] + cricket["kernel_generated"]) / 2
    )


def test_copies_of_training_clips_are_named(recordings: Path):
    real = real_sound(recordings, ("Rain", "Cricket", "Wind"), RATE)
    found = evaluate(real, made(real), RATE)
    figures = found.table.set_index("condition")
    assert {copy["clip"] for copy in found.copies} == {f"of {copy['training_clip']}" for copy in found.copies}
    assert {copy["training_clip"] for copy in found.copies} == set(list(real.training["Rain"])[:3])
    assert figures["copies"].to_dict() == {"Rain": 3, "Cricket": 0, "Wind": 0, "mean": 3}
    assert figures.loc["Rain", "memorisation_ratio"] < 0.5


def test_a_model_is_compared_without_modulation_and_it_says_so(trained: Run, recordings: Path, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path), "--data_dir", str(recordings), "--output_dir", str(tmp_path)]
    assert main(["evaluate", *model, "--num_samples", "2"]) == 0
    printed = capsys.readouterr().out
    assert "without modulation, beside the val split" in printed
    assert printed.splitlines()[-1].startswith("verdict: of 3 conditions")
    assert "Wind: undecided: too few clips" in printed and "note: the reference is the val split" in printed
    content = strict_json(tmp_path / "evaluation.json")
    assert [one["condition"] for one in content["conditions"]] == ["Rain", "Wind", "Cricket"]
    assert any("1 real clip" in note for note in content["notes"])
    assert any("by uploaders of training clips" in note for note in content["notes"])


def test_where_sets_are_too_small_it_says_so_and_nothing_is_nan(tmp_path: Path):
    real = RealSound({"Rain": {"a": noise(0)}, "Wind": {"b": noise(1), "c": noise(2)}}, {}, "two")
    generated = {"Rain": {"x": noise(3), "y": noise(4)}, "Wind": {"z": noise(5), "w": noise(6)}, "Gong": {}}
    evaluation = evaluate(real, generated, RATE)
    notes = " | ".join(evaluation.notes)
    for said in ("Rain: 1 real clip: a distance", "Wind: no real-to-real floor", "Gong: no real and no generated clip"):
        assert said in notes
    evaluation.write(tmp_path, {})
    content = strict_json(tmp_path / "evaluation.json")
    assert content["conditions"][1]["kernel_real_floor"] is None
    assert content["overall"]["kernel_generated"] is not None
    assert evaluation.table["generated_clips"].tolist() == [2, 2, 0, 4]


def test_a_condition_without_clips_has_a_row_and_no_verdict():
    found = evaluate(RealSound({"Rain": {"a": noise(0)}}, {}, ""), {"Rain": {}}, RATE)
    assert found.notes[0] == "Rain: 1 real and no generated clip: a distance and a diversity need two"
    assert found.table["verdict"].tolist() == ["undecided: too few clips", ""]


def test_real_clips_may_be_a_plain_folder_too(tmp_path: Path):
    for seed, clip in sounds_of(15).items():
        write_audio(tmp_path / "Cricket" / f"{seed}.wav", clip, RATE)
    real = real_sound(tmp_path, ("Cricket",), RATE)
    found = evaluate(real, {"Cricket": dict(real.reference["Cricket"])}, RATE).table.set_index("condition")
    assert found.loc["Cricket", ["real_clips", "training_clips"]].tolist() == [3, 12]
    assert found.loc["Cricket", "kernel_generated"] <= 0.0


def test_mistakes_are_one_line(recordings: Path, trained: Run, tmp_path: Path, capsys):
    model = ["--model_path", str(trained.model_path)]
    silent, other = tmp_path / "silent", tmp_path / "other"
    write_audio(silent / "Rain" / "0.wav", np.zeros(2 * RATE, np.float32), RATE)
    write_audio(other / "Gong" / "0.wav", noise(0), RATE)
    for arguments, message in (
        ([*model, "--num_samples", "1"], "num_samples 1 must be at least 2"),
        ([*model, "--data_dir", str(tmp_path / "none")], "no such folder"),
        ([*model, "--data_dir", str(other)], "no real clip of Rain, Waves_and_surf, Wind"),
        ([*model, "--data_dir", str(silent)], "silent (under"),
        (["--model_path", str(tmp_path / "none")], "none"),
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
    fresh = real_sound(other, clips.condition_names, RATE, "sleep").training
    return figures_of_merit(generator, RealSound(fresh, prepared_sound(clips, "train", 20), "fresh"))


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
    assert figures["verdicts"]["Wind"] == figures["verdicts"]["Cricket"] == "undecided: too few clips"
    assert figures["verdict"].startswith("of 3 conditions") and "2 undecided" in figures["verdict"]
    assert figures["reference"] == "made up"


def sounds_of(count: int, first: int = 0):
    return {f"{seed}": noise(seed) for seed in range(first, first + count)}


def test_the_depth_asked_for_stands_beside_the_measured_one_and_that_of_the_same_clips_without():
    plain, modulated = ([modulated_noise(6.0, depth, seed) for seed in range(5)] for depth in (0.0, 0.4))
    (row,) = modulation_figures(ModulationProfile((Rate(6.0, 0.4),)), modulated, plain, RATE)
    assert (row["rate_hz"], row["asked"]) == (6.0, 0.4)
    assert row["measured"] == pytest.approx(0.4, abs=0.03) and row["without"] < 0.03
    assert modulation_figures(ModulationProfile(), modulated, plain, RATE) == []


@pytest.fixture
def with_eval(recordings: Path, tmp_path: Path) -> Path:
    """The recordings, and three clips of Rain and one of Wind in the eval split."""
    root = tmp_path / "fsd50k"
    shutil.copytree(recordings, root)
    rows = ["fname,labels,mids"]
    for number, label in enumerate(("Rain", "Rain", "Rain", "Wind")):
        write_audio(root / "FSD50K.eval_audio" / f"{number}.wav", noise(number, 6.0), RATE)
        rows.append(f"{number},{label},/m/0")
    (root / "FSD50K.ground_truth" / "eval.csv").write_text("\n".join(rows) + "\n")
    return root


def test_the_eval_split_is_the_reference_where_there_is_one(with_eval: Path):
    real = real_sound(with_eval, ("Rain", "Cricket"), RATE)
    assert list(real.reference["Rain"]) == ["0", "1", "2"] and real.reference["Cricket"] == {}
    assert len(real.training["Rain"]) == 4 and real.description.startswith("the eval split of") and real.notes == []


def test_validation_clips_are_said_to_flatter(recordings: Path):
    real = real_sound(recordings, ("Rain",), RATE)
    assert "by uploaders of training clips" in real.notes[0]
    assert not set(real.reference["Rain"]) & set(real.training["Rain"])


def test_a_plain_folder_is_divided_as_training_does(tmp_path: Path):
    for number in range(5):
        write_audio(tmp_path / "Rain" / f"{number}.wav", noise(number), RATE)
    real = real_sound(tmp_path, ("Rain",), RATE)
    assert len(real.reference["Rain"]) == 1 and len(real.training["Rain"]) == 4 and len(real.notes) == 1


def test_a_run_is_judged_by_eval_clips_else_by_validation_clips_and_a_note(
    clips: PreparedClips, with_eval: Path, recordings: Path
):
    judged = held_out_sound(clips, with_eval, 2)
    assert len(judged.reference["Rain"]) == len(judged.training["Rain"]) == 2
    assert judged.description.startswith("the eval split of")
    chosen = held_out_sound(clips, recordings, 20)
    names = [clips.clips[i].clip_id for i in clips.of("val", 0)]
    assert list(chosen.reference["Rain"]) == names and "by uploaders of training clips" in chosen.notes[0]
    assert not set(names) & set(chosen.training["Rain"])


def test_an_eval_split_without_a_clip_of_the_conditions_is_said(clips: PreparedClips, with_eval: Path):
    others = replace(
        clips, condition_names=("Gong", "Harp", "Bell", "Purr", "Tabla", "Organ")[: len(clips.condition_names)]
    )
    judged = held_out_sound(others, with_eval, 20)
    assert "val split" in judged.description and any("looked for the labels Gong" in note for note in judged.notes)


def test_prepared_clips_are_cut_to_their_middle(clips: PreparedClips):
    sounds = prepared_sound(clips, "train", 2)
    assert list(sounds) == list(clips.condition_names) and len(sounds["Rain"]) == 2
    clip = np.arange(10 * RATE)
    assert middle(clip, RATE)[0] == 3 * RATE and len(middle(clip, RATE)) == 4 * RATE
    assert len(middle(clip[:RATE], RATE)) == RATE


def test_more_clips_than_asked_for_are_left_out_by_chance_and_noted(recordings: Path):
    real = real_sound(recordings, ("Rain",), RATE, most=2)
    assert len(real.training["Rain"]) == 2 and "2 of 4 training clips" in " ".join(real.notes)
