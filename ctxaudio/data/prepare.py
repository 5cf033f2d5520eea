"""Decoding the selected clips once, into one flat memory map that training reads without decoding again.

Each clip: decode, mix down, high-pass at 20 Hz, resample, set the level. The high-pass comes before
resampling so that rumble and offset never reach it, and before the level so that they don't count in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from ctxaudio.data.fsd50k import Clip, LeftOut
from ctxaudio.data.selection import Selection, count_by_condition
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, only_one, read_json, writable_folder, write_json
from ctxaudio.signal.audio import high_pass, read_audio, resample

FORMAT_VERSION = 2
SAMPLES = "samples.f32"  # little-endian
SHORTEST_S, SILENCE_DB, LEVEL_DB = 0.3, -80.0, -26.0
CLIPS_PER_WORKER = 100  # a process takes a second or two to start, in which one decodes some hundred clips


@dataclass(frozen=True, eq=False)
class PreparedClips:
    """The clips of a context, mono at `sample_rate` (hertz), one after the other in `samples` `[total]`."""

    sample_rate: int
    context: str
    condition_names: tuple[str, ...]
    clips: tuple[Clip, ...]
    samples: np.memmap[tuple[int], np.dtype[np.float32]]
    skipped: tuple[LeftOut, ...] = ()

    def audio(self, i: int) -> FloatArray:
        """A copy of clip `i` as `[T]`, in -1..1."""
        clip = self.clips[i]
        return np.array(self.samples[clip.offset : clip.offset + clip.length], dtype=np.float32)

    def of(self, split: str, condition: int | None = None) -> list[int]:
        """Indices of the clips of a split, of one condition or of all."""
        return [i for i, x in enumerate(self.clips) if x.split == split and condition in (None, x.condition)]

    def counts(self) -> dict[str, dict[str, int]]:
        """Clips as {condition name: {split: count}}, in the order of the context's conditions."""
        return count_by_condition(self.condition_names, self.clips)


def prepare_clips(
    selection: Selection, cache_dir: Path, sample_rate: int = 22050, workers: int = 4, progress: bool = True
) -> PreparedClips:
    """Prepare the selected clips under `cache_dir`, or read what an earlier call with the same input left there.

    Up to `workers` processes decode, one for each hundred clips (0 or 1: this process does); the result is the same
    for any number, and memory doesn't grow with the number of clips. Clips that are missing, damaged, under 0.3 s
    or silent (under -80 dBFS RMS after the high-pass) are listed in `PreparedClips.skipped`. The rest have -26 dBFS
    RMS, or less where the peak would pass 1. A call that is interrupted leaves nothing that a later one would take
    for whole.

    Raises `CtxAudioError` where no clip is left, the cache can't be written to, or is damaged.
    """
    folder = cache_dir / _cache_key(selection, sample_rate)
    if not folder.exists():
        busy = f"waiting for another run that is preparing clips in {cache_dir}"
        with only_one(writable_folder(cache_dir) / ".lock", busy, wait=True):
            if not folder.exists():
                _write_cache(selection, folder, sample_rate, workers, progress)
    return _read_cache(selection, folder, sample_rate)


def decode_clip(path: Path, sample_rate: int, start: int = 0, stop: int | None = None) -> FloatArray:
    """One clip, mono `[T]` at `sample_rate`, high-passed and levelled; `ClipError` if it can't be used.

    `start` and `stop` (sample frames of the file) take a part of it; the rest is not read.
    """
    channels, native_rate = read_audio(path, start, stop)
    samples = channels.mean(axis=0, dtype=np.float32)
    if len(samples) < SHORTEST_S * native_rate:
        raise ClipError(f"{path}: {len(samples) / native_rate:.3f} s is shorter than {SHORTEST_S} s")
    samples = high_pass(samples, native_rate)
    if _rms(samples) < 10 ** (SILENCE_DB / 20):
        raise ClipError(f"{path}: silent (under {SILENCE_DB:g} dBFS)")
    samples = resample(samples, native_rate, sample_rate)
    if (level := _rms(samples)) == 0.0:
        raise ClipError(f"{path}: silent at {sample_rate} Hz")
    gain = min(10 ** (LEVEL_DB / 20) / level, 1.0 / float(np.abs(samples).max()))
    return np.clip(samples * np.float32(gain), -1.0, 1.0, dtype=np.float32)


def _rms(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _decode_or_reason(clip: Clip, sample_rate: int) -> FloatArray | str:
    try:
        return decode_clip(clip.path, sample_rate, clip.start, clip.stop)
    except (CtxAudioError, OSError) as error:
        return str(error) if isinstance(error, ClipError) else f"{clip.path}: {error}"


def _cache_key(selection: Selection, sample_rate: int) -> str:
    clips, context = list[tuple[object, ...]](), selection.context
    for clip in selection.clips:
        try:
            status = clip.path.stat()
            there = status.st_size, status.st_mtime_ns
        except OSError:
            there = 0, 0  # a clip that is missing now and appears later has to change the key
        clips.append((clip.clip_id, *there, clip.start, clip.stop, clip.condition, clip.split))
    content = json.dumps([FORMAT_VERSION, sample_rate, context.name, context.conditions, clips])
    return f"{context.name}-{sample_rate}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _write_cache(selection: Selection, folder: Path, sample_rate: int, workers: int, progress: bool) -> None:
    """Write `folder` aside, in the place of what a killed call left; it takes its name once it is whole."""
    chosen, aside = selection.clips, folder.with_name(".preparing")
    clips, skipped = list[tuple[str, int, int]](), list[tuple[str, str]]()
    parallel = joblib.Parallel(n_jobs=max(1, min(workers, len(chosen) // CLIPS_PER_WORKER)), return_as="generator")
    tasks = (joblib.delayed(_decode_or_reason)(clip, sample_rate) for clip in chosen)
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        with (aside / SAMPLES).open("wb") as file, closing(parallel(tasks)) as results:
            shown = tqdm(results, "preparing clips", len(chosen), unit="clip", disable=not progress)
            for clip, decoded in zip(chosen, shown, strict=True):
                if isinstance(decoded, str):
                    skipped.append((clip.clip_id, decoded))
                else:
                    clips.append((clip.clip_id, file.tell() // 4, len(decoded)))
                    file.write(decoded.astype("<f4", copy=False).tobytes())
        if not clips:
            none = f"none of the {len(chosen)} clips of context {selection.context.name!r} could be used"
            raise CtxAudioError(f"{none}; the first: {skipped[0][1]}")
        write_json(aside / "index.json", {"clips": clips, "skipped": skipped})
        aside.rename(folder)
    except BrokenProcessPool as error:
        raise CtxAudioError(f"a worker process died, often for want of memory: use fewer than {workers}") from error
    except OSError as error:
        raise CtxAudioError(f"can't write {folder}: {error.strerror or error}; free space or move the cache") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _read_cache(selection: Selection, folder: Path, sample_rate: int) -> PreparedClips:
    # Credits come from the selection, so they are never out of date.
    chosen = {clip.clip_id: clip for clip in selection.clips}
    index, context = read_json(folder / "index.json"), selection.context
    try:
        samples, clips, end = np.memmap(folder / SAMPLES, "<f4", "r"), list[Clip](), 0
        for clip_id, _, length in index["clips"]:
            clips.append(replace(chosen[clip_id], offset=end, length=length))
            end += length
        if end != len(samples) or not (samples.min() >= -1.0 and samples.max() <= 1.0):  # nor NaN
            raise ValueError(f"{len(samples)} samples for {end}, or some outside -1..1")
        skipped = tuple(LeftOut(clip_id, reason) for clip_id, reason in index["skipped"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CtxAudioError(f"the prepared clips in {folder} are damaged ({error}): delete that folder") from error
    return PreparedClips(sample_rate, context.name, context.conditions, tuple(clips), samples, skipped)
