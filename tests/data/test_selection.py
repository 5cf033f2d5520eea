from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.contexts import context_named
from ctxaudio.data.fsd50k import Clip, Index, read_index
from ctxaudio.data.selection import (
    KNOWN_WRONG,
    Selection,
    SelectionOptions,
    keep_uploaders_apart,
    select_clips,
    selection_table,
)
from ctxaudio.errors import CtxAudioError

SLEEP = context_named("sleep")
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"
BY = "http://creativecommons.org/licenses/by/3.0/"
NC = "http://creativecommons.org/licenses/by-nc/3.0/"


def clip(clip_id: str, labels: str = "Rain", split: str = "train", uploader: str = "", licence: str = CC0) -> Clip:
    return Clip(clip_id, Path(f"{clip_id}.wav"), tuple(labels.split(",")), split, "", uploader, licence)


def select(clips: list[Clip], **options: Any) -> Selection:
    return select_clips(Index(tuple(clips)), SLEEP, SelectionOptions(**options))


def ids(selection: Selection) -> list[str]:
    return [clip.clip_id for clip in selection.clips]


def reasons(selection: Selection) -> dict[str, str]:
    return {left_out.clip_id: left_out.reason for left_out in selection.left_out}


def test_licences_filter_only_when_asked() -> None:
    clips = [clip("1"), clip("2", licence=BY), clip("3", licence=NC), clip("4", licence="unknown")]
    assert ids(select(clips)) == ["1", "2", "3", "4"]
    selection = select(clips, licences=("cc0", "cc-by"))
    assert ids(selection) == ["1", "2"]
    assert reasons(selection) == {"3": "licence cc-by-nc", "4": "licence unknown"}


def test_known_wrong_and_excluded_clips_are_left_out_with_the_reason() -> None:
    clips = [clip("1"), clip("121351", "Rain,Stream"), clip("2")]
    assert reasons(select(clips)) == {"121351": KNOWN_WRONG["121351"]}
    assert reasons(select(clips, exclude=("2",)))["2"] == "excluded by --exclude"


def test_labels_take_the_place_of_the_conditions() -> None:
    index = Index((clip("1"), clip("2", "Meow,Cat"), clip("3", "Wind")), vocabulary={"Rain": "", "Meow": "", "Cat": ""})
    selection = select_clips(index, SLEEP, SelectionOptions(labels=("Cat", "Rain", "Cat")))
    assert selection.context.conditions == ("Cat", "Rain")
    assert (selection.context.name, selection.context.vetoes) == ("sleep", SLEEP.vetoes)
    assert [(clip.clip_id, clip.condition) for clip in selection.clips] == [("1", 1), ("2", 0)]


@pytest.mark.parametrize(
    ("label", "says"),
    [("Rian", "Rian is not in FSD50K's vocabulary"), ("Thunder", "Thunder is kept out"), ("Dog", "Dog is kept out")],
)
def test_a_label_that_cannot_be_is_named(label: str, says: str) -> None:
    index = Index((clip("1"),), vocabulary={"Rain": "", "Thunder": "", "Dog": ""})
    with pytest.raises(CtxAudioError, match=says):
        select_clips(index, SLEEP, SelectionOptions(labels=("Rain", label)))


@pytest.mark.parametrize("wrong", [{"licences": ()}, {"labels": ()}, {"licences": ("gpl",)}, {"rating": "good"}])
def test_options_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CtxAudioError):
        SelectionOptions(**wrong)


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    """Clips whose id says how they were rated; Organ is a parent, its votes stand with its child Church_organ."""
    votes = {
        "all": {"/m/rain": [1.0, 1.0]},
        "one": {"/m/rain": [1.0]},
        "mixed": {"/m/rain": [1.0, 1.0, 0.5]},
        "unsure": {"/m/rain": [0.0]},
        "none": {"/m/rain": []},
        "other": {"/m/wind": [1.0]},
        "child": {"/m/drizzle": [1.0, 1.0]},
        "background": {"/m/drizzle": [0.5]},
    }
    for folder in ("FSD50K.dev_audio", "FSD50K.ground_truth", "FSD50K.metadata"):
        (tmp_path / folder).mkdir()
    labels = dict.fromkeys(votes, "Rain,Water") | {"child": "Drizzle,Rain", "background": "Drizzle,Rain"}
    rows = [f'{name},"{labels[name]}","",train' for name in votes]
    for name in votes:
        (tmp_path / "FSD50K.dev_audio" / f"{name}.wav").touch()
    truth = tmp_path / "FSD50K.ground_truth"
    (truth / "dev.csv").write_text("\n".join(["fname,labels,mids,split", *rows, 'unrated,Rain,"",train']) + "\n")
    (tmp_path / "FSD50K.dev_audio" / "unrated.wav").touch()
    (truth / "vocabulary.csv").write_text(
        "".join(f"{i},{x},/m/{x.lower()}\n" for i, x in enumerate(("Rain", "Water", "Wind", "Drizzle")))
    )
    (tmp_path / "FSD50K.metadata" / "pp_pnp_ratings_FSD50K.json").write_text(json.dumps(votes))
    return tmp_path


def test_only_clips_that_all_found_predominant_are_rated_present(rated: Path) -> None:
    selection = select_clips(read_index(rated), SLEEP, SelectionOptions(rating="present"))
    assert ids(selection) == ["all", "one", "child"]
    assert set(reasons(selection).values()) == {"not rated as present and predominant by all"}
    assert len(select_clips(read_index(rated), SLEEP).clips) == 9


@pytest.mark.parametrize(("content", "says"), [(None, "is missing"), ('{"1": [1.0]}', "clip 1 is not"), ("[", "JSON")])
def test_ratings_that_cannot_be_read_are_named(rated: Path, content: str | None, says: str) -> None:
    path = rated / "FSD50K.metadata" / "pp_pnp_ratings_FSD50K.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(CtxAudioError, match=rf"pp_pnp_ratings_FSD50K\.json.* {says}"):
        select_clips(read_index(rated), SLEEP, SelectionOptions(rating="present"))


def test_clips_that_are_not_on_disk_are_counted_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clips = tuple(clip(str(i), "Rain" if i % 2 else "Meow") for i in range(1000))
    for there in ("1.wav", "3.wav", "4.wav"):
        Path(there).touch()
    selection = select_clips(Index(clips, on_disk=True), SLEEP)
    assert ids(selection) == ["1", "3"]
    assert (selection.not_fetched, selection.without_condition, selection.left_out) == (498, 500, ())
    assert "not on disk: 498 more clips (ctxaudio fetch brings them)" in selection_table(selection)
    with pytest.raises(CtxAudioError, match=r"none of the 495 clips of context 'sleep' is in .*ctxaudio fetch"):
        select_clips(Index(clips[10:], on_disk=True), SLEEP)


def test_an_uploader_on_both_sides_goes_where_more_of_the_clips_lie() -> None:
    clips = [
        *[clip(f"a{i}", uploader="ann", split=split) for i, split in enumerate(["train", "train", "val"])],
        *[clip(f"b{i}", uploader="bob", split=split) for i, split in enumerate(["train", "val", "val"])],
        *[clip(f"t{i}", uploader="tie", split=split) for i, split in enumerate(["val", "train"])],
        *[clip(f"n{i}", uploader="", split=split) for i, split in enumerate(["train", "val"])],
    ]
    selection = select(clips)
    split = {clip.clip_id: clip.split for clip in selection.clips}
    assert {clip_id for clip_id, side in split.items() if side == "val"} == {"b0", "b1", "b2", "n1"}
    assert (selection.moved, selection.not_apart) == (3, 0)
    assert "moved between train and val: 3, so that no uploader is on both sides" in selection_table(selection)


def test_a_condition_keeps_its_val_clips_where_one_uploader_made_them_all() -> None:
    clips = [clip(str(i), uploader="ann", split="val" if i == 3 else "train") for i in range(4)]
    clips += [
        clip(str(i), "Wind", uploader="ann" if i < 7 else "bob", split="val" if i > 5 else "train") for i in range(4, 8)
    ]
    selection = select(clips)
    assert [c.clip_id for c in selection.clips if c.split == "val"] == ["3", "7"], "Rain keeps 3, Wind gives up 6"
    assert (selection.moved, selection.not_apart) == (1, 1)
    assert "not independent of train: 1 val clips by uploaders of train clips" in selection_table(selection)


CLIPS = st.lists(
    st.tuples(st.sampled_from("abcd "), st.sampled_from(["train", "val"]), st.integers(0, 2)), min_size=1, max_size=40
)


@given(CLIPS)
def test_uploaders_are_apart_unless_a_condition_would_lose_a_side(rows: list[tuple[str, str, int]]) -> None:
    clips = [
        replace(clip(str(i), uploader=who.strip(), split=split), condition=condition)
        for i, (who, split, condition) in enumerate(rows)
    ]
    apart = keep_uploaders_apart(clips)
    assert [(c.clip_id, c.condition) for c in apart] == [(c.clip_id, c.condition) for c in clips]
    sides_before, sides_after = ({(c.condition, c.split) for c in those} for those in (clips, apart))
    assert sides_before <= sides_after, "no side is emptied"
    assert all(a.split == b.split for a, b in zip(apart, clips, strict=True) if not b.uploader)
