import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sounds import RATE, noise

from ctxaudio.data.prepare import PreparedClips
from ctxaudio.evaluation.sounds import held_out_sound, middle, prepared_sound, real_sound
from ctxaudio.signal.audio import write_audio


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
