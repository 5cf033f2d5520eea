from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from ctxaudio.contexts import context_named
from ctxaudio.data import prepare
from ctxaudio.data.fsd50k import Clip
from ctxaudio.data.prepare import PreparedClips, decode_clip, prepare_clips
from ctxaudio.data.selection import Selection, select_folder
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.audio import high_pass, read_audio, resample

SLEEP = context_named("sleep")


def noise(duration_s: float, sample_rate: int = 44100, seed: int = 0) -> FloatArray:
    samples = np.random.default_rng(seed).standard_normal(round(duration_s * sample_rate))
    return (0.05 * samples).astype(np.float32)


def clip_at(path: Path, split: str = "train") -> Clip:
    return Clip(path.stem, path, ("Rain",), split, f"title {path.stem}", "ann", "CC0")


def select(paths: list[Path], conditions: list[int] | None = None) -> Selection:
    placed = zip(paths, conditions or [0] * len(paths), strict=True)
    return Selection(SLEEP, tuple(dataclasses.replace(clip_at(path), condition=i) for path, i in placed))


def prepare_quietly(selection: Selection, cache: Path, workers: int = 1, sample_rate: int = 22050) -> PreparedClips:
    return prepare_clips(selection, cache, sample_rate, workers, progress=False)


def prepared_in(cache: Path) -> list[Path]:
    """What lies in the cache beside its lock, half-written folders included."""
    return [path for path in cache.iterdir() if path.name != ".lock"]


@pytest.fixture
def mixed(tmp_path: Path) -> list[Path]:
    """Good clips (mono, stereo, 8 kHz) among every kind of bad one."""
    folder = tmp_path / "audio"
    folder.mkdir()
    soundfile.write(folder / "mono.wav", noise(1.0), 44100, "PCM_16")
    soundfile.write(folder / "stereo.wav", np.stack([noise(0.5, seed=1), noise(0.5, seed=2)], axis=1), 44100)
    soundfile.write(folder / "low_rate.wav", noise(0.75, 8000, seed=3), 8000)
    soundfile.write(folder / "silent.wav", np.zeros(44100), 44100)
    soundfile.write(folder / "offset.wav", np.full(44100, 0.5), 44100, "FLOAT")
    soundfile.write(folder / "nan.wav", np.where(np.arange(44100) == 9, np.nan, noise(1.0)), 44100, "FLOAT")
    soundfile.write(folder / "short.wav", noise(0.2), 44100)
    soundfile.write(folder / "no_samples.wav", np.zeros(0), 44100)
    (folder / "corrupt.wav").write_bytes(b"RIFF, but not for long")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "folder.wav").mkdir()
    soundfile.write(folder / "odd_rate.wav", noise(1.0), 30)
    os.mkfifo(folder / "pipe.wav")  # to open it would wait for ever
    return [*sorted(folder.iterdir()), folder / "missing.wav", folder / f"{'long' * 80}.wav"]


def test_good_clips_are_kept_and_bad_ones_listed_with_the_reason(mixed: list[Path], tmp_path: Path) -> None:
    prepared = prepare_quietly(select(mixed), tmp_path / "cache")
    assert {clip.clip_id: clip.length for clip in prepared.clips} == {"mono": 22050, "stereo": 11025, "low_rate": 16538}
    reasons = {skipped.clip_id: skipped.reason for skipped in prepared.skipped}
    expected = {
        "silent": "silent",
        "offset": "silent",
        "nan": "NaN",
        "short": "shorter than 0.3 s",
        "no_samples": "no samples",
        "corrupt": "not readable as audio",
        "empty": "not readable as audio",
        "folder": "not a file",
        "pipe": "not a file",
        "missing": "no such file",
        "odd_rate": "sample rate 30 Hz",
        "long" * 80: "",
    }
    assert reasons.keys() == expected.keys()
    for clip_id, part in expected.items():
        assert part in reasons[clip_id]
        assert f"{clip_id}.wav" in reasons[clip_id]


def test_clips_lie_one_after_the_other_with_their_credits(mixed: list[Path], tmp_path: Path) -> None:
    prepared = prepare_quietly(select(mixed), tmp_path / "cache")
    assert isinstance(prepared.samples, np.memmap)
    assert prepared.samples.shape == (sum(clip.length for clip in prepared.clips),)
    ends = np.cumsum([clip.length for clip in prepared.clips])
    assert [clip.offset for clip in prepared.clips] == [0, *ends[:-1]]
    paths = {path.stem: path for path in mixed}
    for i, clip in enumerate(prepared.clips):
        np.testing.assert_array_equal(prepared.audio(i), decode_clip(paths[clip.clip_id], 22050))
        assert (clip.title, clip.uploader, clip.licence) == (f"title {clip.clip_id}", "ann", "CC0")


@pytest.mark.parametrize("gain", [0.001, 0.1, 1.0])
def test_levels_are_alike_whatever_the_recording_level(tmp_path: Path, gain: float) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, gain * noise(1.0) / 0.25, 44100, "FLOAT")
    rms = np.sqrt(np.mean(decode_clip(path, 22050) ** 2))
    assert 20 * np.log10(rms) == pytest.approx(-26.0, abs=0.01)


def test_a_peaky_clip_is_levelled_lower_so_that_it_never_clips(tmp_path: Path) -> None:
    clicks = np.zeros(88200)
    clicks[40000] = 0.5
    soundfile.write(tmp_path / "clicks.wav", clicks, 44100)
    samples = decode_clip(tmp_path / "clicks.wav", 22050)
    unscaled = resample(high_pass(read_audio(tmp_path / "clicks.wav")[0][0], 44100), 44100, 22050)
    np.testing.assert_allclose(samples, unscaled / np.abs(unscaled).max(), atol=1e-6)
    assert np.sqrt(np.mean(samples**2)) < 10 ** (-26 / 20)


def test_rumble_and_offset_are_gone_before_the_level_is_set(tmp_path: Path) -> None:
    t = np.arange(2 * 44100) / 44100
    wanted = 0.01 * np.sin(2 * np.pi * 440 * t)
    soundfile.write(tmp_path / "rumble.wav", 0.3 + 0.3 * np.sin(2 * np.pi * 5 * t) + wanted, 44100, "FLOAT")
    middle = decode_clip(tmp_path / "rumble.wav", 22050)[11025:-11025]
    spectrum = np.abs(np.fft.rfft(middle))
    assert int(spectrum.argmax()) == 440
    assert spectrum[:20].max() < 0.01 * spectrum[440]


def test_a_second_call_reads_without_decoding(
    mixed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare_quietly(select(mixed), tmp_path / "cache")

    def refuse(path: Path, *part: int | None) -> None:
        raise AssertionError(f"decoded {path} again")

    monkeypatch.setattr(prepare, "read_audio", refuse)
    second = prepare_quietly(select(mixed), tmp_path / "cache")
    assert second.clips == first.clips
    assert second.skipped == first.skipped
    np.testing.assert_array_equal(second.samples, first.samples)
    with pytest.raises(AssertionError, match="decoded"):
        prepare_quietly(select(mixed), tmp_path / "cache", sample_rate=16000)


def test_what_the_clips_depend_on_changes_the_cache(mixed: list[Path], tmp_path: Path) -> None:
    paths = [path for path in mixed if path.stem in ("mono", "stereo", "missing")]
    cache = tmp_path / "cache"

    def folders_after(selection: Selection, sample_rate: int = 22050) -> int:
        prepare_quietly(selection, cache, sample_rate=sample_rate)
        return len(prepared_in(cache))

    assert folders_after(select(paths)) == 1
    assert folders_after(select(paths)) == 1
    assert folders_after(select(paths), sample_rate=16000) == 2
    assert folders_after(select(paths, [0, 1, 0])) == 3
    os.utime(paths[0], ns=(1, 1))
    assert folders_after(select(paths)) == 4
    soundfile.write(paths[-1], noise(0.5), 44100)
    assert folders_after(select(paths)) == 5
    renamed = dataclasses.replace(SLEEP, conditions=("Hail", *SLEEP.conditions[1:]))
    assert folders_after(dataclasses.replace(select(paths), context=renamed)) == 6


def test_any_number_of_workers_gives_the_same_files(
    mixed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "CLIPS_PER_WORKER", 1)
    one = prepare_quietly(select(mixed), tmp_path / "one")
    three = prepare_quietly(select(mixed), tmp_path / "three", workers=3)
    assert three.clips == one.clips
    assert three.skipped == one.skipped
    for name in ("samples.f32", "index.json"):
        (a,), (b,) = (list((tmp_path / cache).glob(f"*/{name}")) for cache in ("one", "three"))
        assert a.read_bytes() == b.read_bytes()


def test_an_interruption_leaves_nothing_and_the_next_call_succeeds(
    mixed: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, calls = prepare._decode_or_reason, []

    def interrupted(path: Path, *how: int) -> FloatArray | str:
        calls.append(path)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return decode(path, *how)

    monkeypatch.setattr(prepare, "_decode_or_reason", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_quietly(select(mixed), tmp_path / "cache")
    assert prepared_in(tmp_path / "cache") == []
    monkeypatch.undo()
    assert len(prepare_quietly(select(mixed), tmp_path / "cache").clips) == 3


KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from pathlib import Path
from ctxaudio.data import prepare
from ctxaudio.contexts import context_named
from ctxaudio.data.selection import select_folder

decode, seen = prepare._decode_or_reason, []

def killed(*how):
    seen.append(how)
    if len(seen) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return decode(*how)

prepare._decode_or_reason = killed
selection = select_folder(Path(sys.argv[1]), context_named("sleep"))
prepare.prepare_clips(selection, Path(sys.argv[2]), 22050, 1, False)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_what_a_killed_call_leaves_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    folder, cache = tmp_path / "audio", tmp_path / "cache"
    folder.mkdir()
    for i in range(8):
        soundfile.write(folder / f"{i}.wav", noise(0.5, 8000, i), 8000)
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(folder), str(cache)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert [path.name for path in prepared_in(cache)] == [".preparing"]
    prepared = prepare_quietly(select_folder(folder, SLEEP), cache)
    assert len(prepared.clips) == 8
    assert [path.name.startswith("sleep-22050-") for path in prepared_in(cache)] == [True]


def test_what_a_living_call_is_writing_is_left_alone_and_waited_for(
    mixed: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    being_written = cache / ".preparing"
    being_written.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool:
        with FileLock(cache / ".lock"):
            second = pool.submit(prepare_quietly, select(mixed), cache)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.5)
            assert prepared_in(cache) == [being_written]
        assert len(second.result().clips) == 3
    assert not being_written.exists()
    assert "waiting for another run" in capsys.readouterr().out


def test_nothing_usable_is_an_error_and_leaves_no_cache(mixed: list[Path], tmp_path: Path) -> None:
    bad = [path for path in mixed if path.stem in ("silent", "missing")]
    with pytest.raises(CtxAudioError, match=r"none of the 2 clips of context 'sleep' .*silent\.wav"):
        prepare_quietly(select(bad), tmp_path / "cache")
    assert prepared_in(tmp_path / "cache") == []


def test_a_truncated_cache_is_named(mixed: list[Path], tmp_path: Path) -> None:
    prepare_quietly(select(mixed), tmp_path / "cache")
    (samples,) = (tmp_path / "cache").glob("*/samples.f32")
    samples.write_bytes(samples.read_bytes()[:5000])
    with pytest.raises(CtxAudioError, match=r"damaged .* delete that folder"):
        prepare_quietly(select(mixed), tmp_path / "cache")


@pytest.mark.parametrize(
    ("was", "now"), [('"mono"', '"other"'), ("22050\n", "22049\n"), ("22050\n", '"22050"\n'), ("22050\n", "-22050\n")]
)
def test_an_index_that_does_not_fit_the_samples_is_named(mixed: list[Path], tmp_path: Path, was: str, now: str) -> None:
    prepare_quietly(select(mixed), tmp_path / "cache")
    (index,) = (tmp_path / "cache").glob("*/index.json")
    before = index.read_text()
    assert was in before
    index.write_text(before.replace(was, now, 1))
    with pytest.raises(CtxAudioError, match=r"damaged .* delete that folder"):
        prepare_quietly(select(mixed), tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(mixed: list[Path], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should go")
    with pytest.raises(CtxAudioError, match="can't write into"):
        prepare_quietly(select(mixed), tmp_path / "cache")


def test_of_and_counts_agree(mixed: list[Path], tmp_path: Path) -> None:
    paths = [path for path in mixed if path.stem in ("mono", "stereo", "low_rate")]
    places = zip(paths, ("train", "val", "train"), (0, 0, 2), strict=True)
    clips = tuple(dataclasses.replace(clip_at(path, split), condition=i) for path, split, i in places)
    prepared = prepare_quietly(Selection(SLEEP, clips), tmp_path / "cache")
    assert prepared.of("train") == [0, 2]
    assert prepared.of("train", 2) == [2]
    assert prepared.of("val", 2) == []
    assert prepared.counts()["Rain"] == {"train": 1, "val": 1}
    assert prepared.counts()["Wind"] == {"train": 1, "val": 0}
