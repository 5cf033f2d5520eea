from __future__ import annotations

import dataclasses
import itertools
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.contexts import context_named
from ctxaudio.data.prepare import decode_clip, prepare_clips
from ctxaudio.data.selection import Selection, cut, has_sound, held_out, select_folder
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.options import Run
from ctxaudio.pipeline import DataSource, find_data, select_context

SLEEP = context_named("sleep")


def noise(duration_s: float, sample_rate: int = 8000, channels: int = 1, seed: int = 0) -> FloatArray:
    samples = np.random.default_rng(seed).standard_normal((round(duration_s * sample_rate), channels))
    return (0.05 * samples).astype(np.float32)


def write(path: Path, duration_s: float = 1.0, sample_rate: int = 8000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(duration_s, sample_rate, channels, seed=len(path.name)), sample_rate)
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two conditions: five short files of many formats, and one long one; beside them what has no business there."""
    folder = tmp_path / "own"
    write(folder / "Soft rain" / "stereo.flac", sample_rate=48000, channels=2)
    write(folder / "Soft rain" / "lossy.mp3", sample_rate=44100)
    write(folder / "Soft rain" / "lossy.ogg", sample_rate=44100)
    write(folder / "Soft rain" / "big_endian.aiff")
    write(folder / "Soft rain" / "deeper" / "plain.wav")
    write(folder / "fan" / "long.wav", 65.0)
    (folder / "fan" / "notes.txt").write_text("recorded on Sunday")
    (folder / "fan" / "headerless.raw").write_bytes(bytes(999))
    (folder / "empty").mkdir()
    (folder / "pictures").mkdir()
    (folder / "pictures" / "cover.jpg").write_bytes(b"\xff\xd8 not for long")
    write(folder / ".hidden" / "secret.wav")
    write(folder / "fan" / "._long.wav")
    return folder


def splits_by_file(selection: Selection) -> dict[Path, set[str]]:
    splits = defaultdict(set)
    for clip in selection.clips:
        splits[clip.path].add(clip.split)
    return splits


def test_sub_folders_become_the_conditions_of_the_context(own: Path):
    selection = select_folder(own, SLEEP)
    assert selection.context == dataclasses.replace(SLEEP, conditions=("Soft rain", "fan"), vetoes=())
    rain = {clip.clip_id for clip in selection.clips if clip.condition == 0}
    assert rain == {
        f"Soft rain/{name}" for name in ("stereo.flac", "lossy.mp3", "lossy.ogg", "big_endian.aiff", "deeper/plain.wav")
    }
    assert {(clip.title, clip.uploader, clip.licence) for clip in selection.clips if clip.path.suffix == ".flac"} == {
        ("stereo.flac", "", "own")
    }


def test_what_is_no_audio_is_listed_and_hidden_files_are_not(own: Path):
    reasons = {one.clip_id: one.reason for one in select_folder(own, SLEEP).left_out}
    assert reasons.keys() == {"fan/notes.txt", "fan/headerless.raw", "pictures/cover.jpg"}
    assert "not readable as audio" in reasons["fan/headerless.raw"]


def test_a_long_file_is_cut_into_even_pieces_that_make_up_the_whole(own: Path):
    pieces = [clip for clip in select_folder(own, SLEEP).clips if clip.path.name == "long.wav"]
    assert [clip.clip_id for clip in pieces] == ["fan/long.wav#1", "fan/long.wav#2", "fan/long.wav#3"]
    whole, _ = soundfile.read(own / "fan" / "long.wav")
    parts = [soundfile.read(clip.path, start=clip.start, stop=clip.stop)[0] for clip in pieces]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(st.integers(1, 10**9), st.sampled_from([8000, 44100, 192000]))
def test_pieces_are_whole_even_and_at_most_30_s(frames: int, sample_rate: int):
    pieces = cut(frames, sample_rate)
    assert pieces[0][0] == 0 and pieces[-1][1] == frames
    assert all(stop == start for (_, stop), (start, _) in itertools.pairwise(pieces))
    lengths = [stop - start for start, stop in pieces]
    assert 0 < min(lengths) <= max(lengths) <= min(lengths) + 1 <= 30 * sample_rate + 1


def test_a_piece_is_decoded_without_reading_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "long.wav", 40.0)
    read, seen = soundfile.SoundFile.read, []

    def watched(*args, **kwargs):
        samples = read(*args, **kwargs)
        seen.append(len(samples))
        return samples

    monkeypatch.setattr(soundfile.SoundFile, "read", watched)
    samples = decode_clip(path, 8000, 8000, 24000)
    assert seen == [16000] and len(samples) == 16000
    write(tmp_path / "part.wav")
    soundfile.write(tmp_path / "part.wav", soundfile.read(path)[0][8000:24000], 8000)
    np.testing.assert_allclose(samples, decode_clip(tmp_path / "part.wav", 8000), atol=1e-6)


@given(st.lists(st.floats(0.1, 5000), min_size=1, max_size=40))
def test_at_most_a_third_is_held_out_and_never_all(durations_s: list[float]):
    files = {f"{i}.wav": duration_s for i, duration_s in enumerate(durations_s)}
    chosen = held_out(files)
    assert sum(files[name] for name in chosen) <= sum(durations_s) / 3 + 1e-5
    assert len(chosen) <= max(1, len(files) // 5)


@pytest.mark.parametrize(
    ("durations_s", "count"), [([600], 0), ([9, 9], 0), ([9, 9, 9], 1), ([9] * 25, 5), ([90, 9], 1)]
)
def test_a_fifth_of_the_files_is_held_out_where_there_are_enough(durations_s: list[float], count: int):
    assert len(held_out({f"{i}.wav": duration_s for i, duration_s in enumerate(durations_s)})) == count


def test_no_recording_is_on_both_sides_and_a_single_one_is_for_training(own: Path):
    for i in range(8):
        write(own / "fan" / f"{i}.wav", 35.0)
    splits = splits_by_file(select_folder(own, SLEEP))
    assert all(len(sides) == 1 for sides in splits.values())
    assert {"val"} in splits.values()
    alone = select_folder(own / "Soft rain" / "deeper", SLEEP)
    assert {clip.split for clip in alone.clips} == {"train"}


def test_all_files_in_one_folder_are_one_condition_named_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "Brook" / "a.wav")
    (tmp_path / "Brook" / "covers").mkdir()
    monkeypatch.chdir(tmp_path / "Brook")
    selection = select_folder(Path(), SLEEP)
    assert selection.context.conditions == ("Brook",)
    assert [clip.clip_id for clip in selection.clips] == ["a.wav"]


def test_every_kind_of_file_comes_out_mono_at_the_rate_asked_for(own: Path, tmp_path: Path):
    prepared = prepare_clips(select_folder(own, SLEEP), tmp_path / "cache", 22050, 1, progress=False)
    assert prepared.skipped == ()
    assert prepared.condition_names == ("Soft rain", "fan")
    seconds = {clip.clip_id: clip.length / 22050 for clip in prepared.clips}
    for name in ("stereo.flac", "lossy.mp3", "lossy.ogg", "big_endian.aiff", "deeper/plain.wav"):
        assert seconds[f"Soft rain/{name}"] == pytest.approx(1.0, abs=0.06)
    assert sum(s for name, s in seconds.items() if name.startswith("fan")) == pytest.approx(65.0, abs=0.01)


def refused(folder: Path) -> str:
    with pytest.raises(CtxAudioError) as caught:
        select_folder(folder, SLEEP)
    message = str(caught.value)
    assert "\n" not in message and str(folder) in message
    return message


def test_folders_that_cannot_be_used_are_named(own: Path, tmp_path: Path):
    (tmp_path / "nothing").mkdir()
    assert "is empty" in refused(tmp_path / "nothing")
    assert "no such folder" in refused(tmp_path / "missing")
    assert "no readable audio (1 other files)" in refused(own / "pictures")
    write(own / "loose.wav")
    assert "both itself (loose.wav) and in sub-folders (Soft rain/" in refused(own)


@pytest.mark.parametrize("name", ["a;b", " rain", "rain.", "-rain", "x" * 81, "\u96e8" * 80, "rain\u202e", "tab\there"])
def test_a_name_that_cannot_name_files_is_refused(tmp_path: Path, name: str):
    write(tmp_path / "own" / name / "a.wav")
    if name.isprintable():
        assert "can't name a condition" in refused(tmp_path / "own")
    else:
        refused(tmp_path / "own")


@pytest.mark.skipif(os.name == "nt", reason="such names and files don't exist on Windows")
def test_odd_files_are_left_out_and_links_in_a_circle_end(tmp_path: Path):
    folder = tmp_path / "own"
    write(folder / "rain" / "a.wav")
    (folder / "rain" / "round").symlink_to(folder)
    (folder / "linked").symlink_to(write(tmp_path / "elsewhere" / "b.wav").parent)
    (folder / "rain" / "dangling.wav").symlink_to(folder / "gone.wav")
    os.mkfifo(folder / "rain" / "pipe.wav")
    write(folder / "rain" / "c.wav").rename(folder / "rain" / os.fsdecode(b"\xff.wav"))
    selection = select_folder(folder, SLEEP)
    assert {clip.clip_id for clip in selection.clips} == {"rain/a.wav", "linked/b.wav"}
    reasons = [one.reason for one in selection.left_out]
    assert len(reasons) == 3 and all(reason.isascii() for reason in reasons)
    assert sum("rename it" in reason for reason in reasons) == 1
    assert sum(reason in ("rain/pipe.wav: not a file", "rain/dangling.wav: no such file") for reason in reasons) == 2


def test_a_folder_that_cannot_be_read_is_named(own: Path, monkeypatch: pytest.MonkeyPatch):
    scandir = os.scandir

    def closed(path):
        if str(path).endswith("fan"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert "fan: Permission denied" in refused(own)


def test_a_streamed_file_that_does_not_say_its_length_is_cut_like_others(tmp_path: Path):
    path = write(tmp_path / "own" / "streamed.flac", 40.0)
    streamed = bytearray(path.read_bytes())
    streamed[21:26] = bytes([streamed[21] & 0xF0, 0, 0, 0, 0])  # the total in its header is 0
    path.write_bytes(streamed)
    clips = select_folder(tmp_path / "own", SLEEP).clips
    assert [(clip.start, clip.stop) for clip in clips] == [(0, 160000), (160000, 320000)]
    assert len(decode_clip(path, 8000, 160000, 320000)) == 160000


def data_of(data_dir: Path, output_dir: Path) -> DataSource:
    return find_data(Run(data_dir=data_dir, output_dir=output_dir))


def test_the_first_line_says_whose_sound_it_is(own: Path, recordings_dir: Path, tmp_path: Path):
    source = data_of(own, tmp_path / "out")
    assert source.own and not source.embedded and source.description == f"data: your own sound in {own}"
    source = data_of(recordings_dir, tmp_path / "out")
    assert not source.own and source.description == f"data: recordings in {recordings_dir}"


@pytest.fixture
def recordings_dir(recordings: Path) -> Path:
    return recordings


def test_half_of_fsd50k_is_not_taken_for_own_sound(tmp_path: Path):
    write(tmp_path / "FSD50K.dev_audio" / "1.wav")
    source = data_of(tmp_path, tmp_path / "out")
    assert not source.own
    with pytest.raises(CtxAudioError, match=r"dev\.csv is missing"):
        select_context(Run(data_dir=tmp_path), source)


def test_the_default_folder_may_hold_own_sound_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("put sound here")
    assert not has_sound(Path("data"))
    assert find_data(Run()).embedded
    write(tmp_path / "data" / "brook" / "a.wav")
    assert find_data(Run()).own


def test_a_runs_own_output_is_not_taken_for_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "brook" / "a.wav")
    write(tmp_path / "brook" / "output" / "samples" / "rain.wav")
    monkeypatch.chdir(tmp_path / "brook")
    run = Run(data_dir=Path(), output_dir=Path("output"))
    assert [clip.clip_id for clip in select_context(run, find_data(run)).clips] == ["a.wav"]
    same = Run(data_dir=Path(), output_dir=Path())
    with pytest.raises(CtxAudioError, match="choose another output_dir"):
        select_context(same, find_data(same))
