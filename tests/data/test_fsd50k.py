from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ctxaudio.contexts import CONTEXTS, context_named
from ctxaudio.data.fsd50k import Index, is_fsd50k, read_index
from ctxaudio.data.selection import select_clips, selection_table
from ctxaudio.errors import CtxAudioError

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"

Row = tuple[str, str, str]


def write_index(folder: Path, rows: list[Row], vocabulary: str | None = None) -> Path:
    """An FSD50K folder of which the clips are there in name only: the index must not open them."""
    (folder / "FSD50K.dev_audio").mkdir(parents=True)
    for fname, _, _ in rows:
        if fname.isalnum():
            (folder / "FSD50K.dev_audio" / f"{fname}.wav").touch()
    ground_truth = folder / "FSD50K.ground_truth"
    ground_truth.mkdir()
    lines = ["fname,labels,mids,split", *(f'{fname},"{labels}","/m/0",{split}' for fname, labels, split in rows)]
    (ground_truth / "dev.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if vocabulary is not None:
        (ground_truth / "vocabulary.csv").write_text(vocabulary, encoding="utf-8")
    return folder


def test_rows_become_clips_with_labels_in_row_order(tmp_path: Path) -> None:
    write_index(
        tmp_path, [("7", "Rain,Water", "train"), ("8", "Wind", "val")], "0,Rain,/m/1\n1,Water,/m/2\n2,Wind,/m/3\n"
    )
    metadata = tmp_path / "FSD50K.metadata"
    metadata.mkdir()
    entry = {"title": "Drizzle", "uploader": "ann", "license": "http://creativecommons.org/publicdomain/zero/1.0/"}
    (metadata / "dev_clips_info_FSD50K.json").write_text(json.dumps({"7": entry}), encoding="utf-8")
    assert is_fsd50k(tmp_path)
    rain, wind = read_index(tmp_path).clips
    assert (rain.clip_id, rain.labels, rain.split) == ("7", ("Rain", "Water"), "train")
    assert rain.path == tmp_path / "FSD50K.dev_audio" / "7.wav"
    assert (rain.title, rain.uploader, rain.licence) == ("Drizzle", "ann", entry["license"])
    assert (wind.title, wind.uploader, wind.licence) == ("", "", "unknown")


def test_eval_has_no_split_column(tmp_path: Path) -> None:
    (tmp_path / "FSD50K.eval_audio").mkdir()
    (tmp_path / "FSD50K.eval_audio" / "5.wav").touch()
    (tmp_path / "FSD50K.ground_truth").mkdir()
    (tmp_path / "FSD50K.ground_truth" / "eval.csv").write_text('fname,labels,mids\n5,"Rain,Water","/m/0"\n')
    index = read_index(tmp_path, subset="eval")
    assert [(clip.split, clip.path.parent.name) for clip in index.clips] == [("eval", "FSD50K.eval_audio")]
    assert [clip.split for clip in select_clips(index, context_named("sleep")).clips] == ["eval"]
    assert not is_fsd50k(tmp_path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\x", "C:x", "", "a/b"])
def test_a_hostile_file_name_is_left_out_and_the_rest_is_read(tmp_path: Path, name: str) -> None:
    index = read_index(write_index(tmp_path, [(name, "Rain", "train"), ("2", "Rain", "train")]))
    assert [(clip.clip_id, "outside" in clip.reason) for clip in index.clips] == [(name, True), ("2", False)]
    selection = select_clips(index, context_named("sleep"))
    assert [clip.clip_id for clip in selection.clips] == ["2"] and selection.left_out == index.clips[:1]


def test_missing_parts_tell_the_layout(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(CtxAudioError, match=r"absent: no such folder; an FSD50K folder holds FSD50K\.dev_audio"):
        read_index(absent)
    folder = write_index(tmp_path / "whole", [("1", "Rain", "train")])
    (folder / "FSD50K.dev_audio").rename(folder / "elsewhere")
    with pytest.raises(CtxAudioError, match=r"FSD50K\.dev_audio is missing"):
        read_index(folder)
    (folder / "FSD50K.dev_audio").mkdir()
    (folder / "FSD50K.ground_truth" / "dev.csv").unlink()
    with pytest.raises(CtxAudioError, match=r"dev\.csv is missing .* holds FSD50K\.dev_audio"):
        read_index(folder)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"fname,mids\n1,/m/0\n", r"lacks the column\(s\) labels, split"),
        (b"", "lacks the column"),
        (b"fname,labels,mids,split\n1,Rain\n", "line 2 doesn't have 4 fields"),
        (b"fname,labels,mids,split\n1,Rain,/m/0,test\n", "line 2: split 'test'"),
        (b"fname,labels,mids,split\n1,Rain,/m/0,eval\n", "line 2: split 'eval'"),
        (b'fname,labels,mids,split\n1,"Rain,/m/0,train\n', "not a UTF-8 CSV"),
        (b"fname,labels,mids,split\n1,\xff\xfe,/m/0,train\n", "not a UTF-8 CSV"),
    ],
)
def test_a_damaged_csv_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    write_index(tmp_path, [])
    (tmp_path / "FSD50K.ground_truth" / "dev.csv").write_bytes(content)
    with pytest.raises(CtxAudioError, match=says):
        read_index(tmp_path)


def test_a_label_outside_the_vocabulary_is_named(tmp_path: Path) -> None:
    write_index(tmp_path, [("1", "Rain,Rian", "train")], "0,Rain,/m/1\n")
    with pytest.raises(CtxAudioError, match=r"line 2: Rian not in vocabulary\.csv"):
        read_index(tmp_path)


def test_damaged_metadata_is_named(tmp_path: Path) -> None:
    write_index(tmp_path, [("1", "Rain", "train")])
    (tmp_path / "FSD50K.metadata").mkdir()
    (tmp_path / "FSD50K.metadata" / "dev_clips_info_FSD50K.json").write_text('{"1": "CC0"}')
    with pytest.raises(CtxAudioError, match="clip 1 is not a JSON object"):
        read_index(tmp_path)


def index_of(folder: Path, rows: list[Row]) -> Index:
    return read_index(write_index(folder, rows))


def test_a_clip_belongs_to_its_first_label_that_is_a_condition(tmp_path: Path) -> None:
    rows = [
        ("1", "Wind,Rain", "train"),
        ("2", "Rain,Wind", "train"),
        ("3", "Water,Rain", "val"),
        ("4", "Meow", "train"),
    ]
    selection = select_clips(index_of(tmp_path, rows), context_named("sleep"))
    names = [selection.context.conditions[clip.condition] for clip in selection.clips]
    assert [(clip.clip_id, name) for clip, name in zip(selection.clips, names, strict=True)] == [
        ("1", "Wind"),
        ("2", "Rain"),
        ("3", "Rain"),
    ]
    assert selection.without_condition == 1
    assert selection.left_out == ()


def test_refused_clips_are_listed_with_the_reason(tmp_path: Path) -> None:
    rows = [
        ("1", "Rain,Water", "train"),
        ("2", "Thunder,Thunderstorm,Rain", "train"),
        ("3", "Rain,Speech,Human_voice", "train"),
        ("1", "Wind", "val"),
        ("4", "Speech,Human_voice", "train"),
    ]
    selection = select_clips(index_of(tmp_path, rows), context_named("sleep"))
    assert {left_out.clip_id: left_out.reason for left_out in selection.left_out} == {
        "2": "vetoed by its label Thunder",
        "3": "vetoed by its label Speech",
        "1": "listed twice: the first row counts",
    }
    assert [clip.labels for clip in selection.clips] == [("Rain", "Water")]
    assert selection.without_condition == 1


def test_nothing_to_train_on_is_an_error_that_names_the_labels(tmp_path: Path) -> None:
    with pytest.raises(CtxAudioError, match=r"none of 1 clips .* Rain, Waves_and_surf, Wind, Cricket, Mechanical_fan"):
        select_clips(index_of(tmp_path / "none", [("1", "Meow", "train")]), context_named("sleep"))
    with pytest.raises(CtxAudioError, match="no clip in the split 'train'"):
        select_clips(index_of(tmp_path / "val", [("1", "Rain", "val")]), context_named("sleep"))


def test_counts_and_table_show_empty_conditions_and_reasons(tmp_path: Path) -> None:
    rows = [("1", "Rain", "train"), ("2", "Rain", "val"), ("3", "Wind", "train"), ("4", "Wind,Dog", "train")]
    selection = select_clips(index_of(tmp_path, rows), context_named("sleep"))
    head, splits, *lines = selection_table(selection).splitlines()
    assert (head, splits.split()) == ("context sleep: 3 clips", ["condition", "train", "val"])
    shown = [line.split() for line in lines[: len(selection.context.conditions)]]
    assert [name for name, *_ in shown] == list(selection.context.conditions)
    assert ["Rain", "1", "1"] in shown and ["Wind", "1", "0"] in shown and ["Cricket", "0", "0"] in shown
    assert "left out: 1 vetoed by its label Dog" in lines


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the folder of real recordings is not beside the repository")
@pytest.mark.parametrize("context", CONTEXTS)
def test_real_recordings_serve_every_context(context: str) -> None:
    selection = select_clips(read_index(RECORDINGS), context_named(context))
    assert len(selection.clips) + len(selection.left_out) + selection.without_condition == 325
    assert any(clip.split == "train" for clip in selection.clips)
    assert all(clip.path.is_file() for clip in selection.clips)
    assert all(clip.licence != "unknown" for clip in selection.clips)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
def test_a_pipe_among_the_clips_is_not_taken_for_one(tmp_path: Path) -> None:
    write_index(tmp_path, [("1", "Rain", "train"), ("2", "Rain", "train")])
    audio = tmp_path / "FSD50K.dev_audio"
    audio.mkdir(exist_ok=True)
    (audio / "1.wav").unlink(missing_ok=True)
    os.mkfifo(audio / "1.wav")
    (audio / "2.wav").touch()
    selection = select_clips(read_index(tmp_path), context_named("sleep"))
    assert ([clip.clip_id for clip in selection.clips], selection.not_fetched) == (["2"], 1)
