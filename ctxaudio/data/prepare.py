"""Decoding the selected clips once, into one flat memory map, and drawing batches of random crops from it.

Each clip: decode, mix down, high-pass at 20 Hz, resample, set the level. The high-pass comes before resampling so that
rumble and offset never reach it, and before the level so that they don't count in it.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import torch
from tqdm import tqdm

from ctxaudio.data.fsd50k import Clip
from ctxaudio.data.selection import Selection, count_by_condition
from ctxaudio.data.synthesis import rms
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, only_one, read_json, writable_folder, write_json
from ctxaudio.signal.audio import high_pass, read_audio, resample

FORMAT_VERSION, SAMPLES = 2, "samples.f32"  # little-endian
SHORTEST_S, SILENCE_DB, LEVEL_DB = 0.3, -80.0, -26.0
CROSSFADE_S, MOST_CROPS_OF_A_CLIP = 0.01, 4
QUIETEST_STYLE_DB = -60.0  # a crop from a pause in its clip, which is at -26 dB on the whole, is no style
CLIPS_PER_WORKER = 100  # a process takes a second or two to start, in which one decodes some hundred clips


@dataclass(frozen=True, eq=False)
class PreparedClips:
    """The clips of a context, mono at `sample_rate` (hertz), one after the other in `samples` `[total]`."""

    sample_rate: int
    context: str
    condition_names: tuple[str, ...]
    clips: tuple[Clip, ...]
    samples: np.memmap[tuple[int], np.dtype[np.float32]]
    skipped: tuple[Clip, ...] = ()

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

    Up to `workers` processes decode, one for each hundred clips; the result is the same for any number. Clips that are
    missing, damaged, under 0.3 s or silent (under -80 dBFS RMS after the high-pass) are listed in `skipped`. The rest
    have -26 dBFS RMS, or less where the peak would pass 1. A call that is interrupted leaves nothing that a later one
    would take for whole. Raises `CtxAudioError` where no clip is left, the cache can't be written to, or is damaged.
    """
    folder = cache_dir / _cache_key(selection, sample_rate)
    if not folder.exists():
        busy = f"waiting for another run that is preparing clips in {cache_dir}"
        with only_one(writable_folder(cache_dir) / ".lock", busy, wait=True):
            if not folder.exists():
                _write_cache(selection, folder, sample_rate, workers, progress)
    return _read_cache(selection, folder, sample_rate)


def decode_clip(path: Path, sample_rate: int, start: int = 0, stop: int | None = None) -> FloatArray:
    """One clip, or its sample frames from `start` to `stop`, mono `[T]` at `sample_rate`, high-passed and levelled;
    `ClipError` if it can't be used."""
    channels, native_rate = read_audio(path, start, stop)
    samples = channels.mean(axis=0, dtype=np.float32)
    if len(samples) < SHORTEST_S * native_rate:
        raise ClipError(f"{path}: {len(samples) / native_rate:.3f} s is shorter than {SHORTEST_S} s")
    samples = high_pass(samples, native_rate)
    if rms(samples) < 10 ** (SILENCE_DB / 20):
        raise ClipError(f"{path}: silent (under {SILENCE_DB:g} dBFS)")
    samples = resample(samples, native_rate, sample_rate)
    if (level := rms(samples)) == 0.0:
        raise ClipError(f"{path}: silent at {sample_rate} Hz")
    gain = min(10 ** (LEVEL_DB / 20) / level, 1.0 / float(np.abs(samples).max()))
    return np.clip(samples * np.float32(gain), -1.0, 1.0, dtype=np.float32)


def _decode_or_reason(clip: Clip, sample_rate: int) -> FloatArray | str:
    try:
        return decode_clip(clip.path, sample_rate, clip.start, clip.stop)
    except (ClipError, OSError) as error:
        return str(error) if isinstance(error, ClipError) else f"{clip.path}: {error}"


def _cache_key(selection: Selection, sample_rate: int) -> str:
    clips, context = list[tuple[object, ...]](), selection.context
    for clip in selection.clips:
        size = changed = 0  # a clip that is missing now and appears later has to change the key
        with suppress(OSError):
            size, changed = clip.path.stat().st_size, clip.path.stat().st_mtime_ns
        clips.append((clip.clip_id, size, changed, clip.start, clip.stop, clip.condition, clip.split))
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
        skipped = tuple(replace(chosen[clip_id], reason=reason) for clip_id, reason in index["skipped"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CtxAudioError(f"the prepared clips in {folder} are damaged ({error}): delete that folder") from error
    return PreparedClips(sample_rate, context.name, context.conditions, tuple(clips), samples, skipped)


class Batch(NamedTuple):
    """`audio` float32 `[B, T]` in -1..1; `condition` int64 `[B]`; `clip` int64 `[B]`, indices of prepared clips."""

    audio: torch.Tensor
    condition: torch.Tensor
    clip: torch.Tensor


class ClipBatches:
    """Endless batches of `batch_size` crops of `crop_samples` samples from one split.

    Each crop takes a condition (equally likely, however many clips it has), then a clip of it (likelier the longer it
    is, up to four crops: one long recording is still one place), then a random place in the clip. A clip shorter than
    the crop goes round from a random start, with a 10 ms crossfade at the seam: for a texture (rain, wind) that is the
    same sound going on. A clip shorter than half the crop is mostly a struck sound (drum, bell), which going round
    would turn into a roll that nobody played: silence follows it instead, as in the recording. The same state of
    `generator` (on the CPU) gives the same batches. Raises `CtxAudioError` where the split has no clips.
    """

    def __init__(
        self, prepared: PreparedClips, split: str, crop_samples: int, batch_size: int, generator: torch.Generator
    ) -> None:
        by_condition = [prepared.of(split, i) for i in range(len(prepared.condition_names))]
        self._clips = [torch.tensor(clips) for clips in by_condition if clips]
        if not self._clips:
            raise CtxAudioError(f"context {prepared.context!r} has no prepared clips in the split {split!r}")
        self._prepared, self._generator = prepared, generator
        self._crop_samples, self._batch_size = crop_samples, batch_size
        lengths = torch.tensor([clip.length for clip in prepared.clips], dtype=torch.float64)
        self._heard = lengths.clamp(crop_samples, MOST_CROPS_OF_A_CLIP * crop_samples)
        self._total = sum(prepared.clips[i].length for i in prepared.of(split))

    @property
    def steps_per_epoch(self) -> int:
        """How many batches hold as much sound as the split does, at least 1."""
        return max(1, round(self._total / self._crop_samples / self._batch_size))

    def next(self) -> Batch:
        """Draw a batch."""
        chosen = [self._draw_clip() for _ in range(self._batch_size)]
        audio = torch.from_numpy(np.stack([self._draw_crop(i) for i in chosen]))
        conditions = [self._prepared.clips[i].condition for i in chosen]
        return Batch(audio, torch.tensor(conditions), torch.tensor(chosen))

    def _draw_clip(self) -> int:
        clips = self._clips[self._draw_below(len(self._clips))]
        return int(clips[torch.multinomial(self._heard[clips], 1, generator=self._generator)])

    def _draw_crop(self, i: int) -> FloatArray:
        samples, crop = self._prepared.audio(i), self._crop_samples
        if 2 * len(samples) < crop:
            return np.pad(samples, (0, crop - len(samples)))
        if len(samples) < crop:
            loop = seamless_loop(samples, round(CROSSFADE_S * self._prepared.sample_rate))
            return loop[(self._draw_below(len(loop)) + np.arange(crop)) % len(loop)]
        start = self._draw_below(len(samples) - crop + 1)
        return samples[start : start + crop]

    def _draw_below(self, stop: int) -> int:
        return int(torch.randint(stop, (), generator=self._generator))


def seamless_loop(samples: FloatArray, fade_samples: int) -> FloatArray:
    """`samples` `[T]` with its end folded over its start, `[T - fade_samples]`, so that it repeats without a click.

    The crossfade is of equal power, since the two ends are unlike each other; at most half of `samples` is faded.
    """
    fade = min(fade_samples, len(samples) // 2)
    loop = samples[: len(samples) - fade].copy()
    angle = (np.arange(fade, dtype=np.float32) + 0.5) / max(fade, 1) * (np.pi / 2)
    loop[:fade] = np.sin(angle) * samples[:fade] + np.cos(angle) * samples[len(samples) - fade :]
    return np.clip(loop, -1.0, 1.0, dtype=np.float32)  # two peaks may add up to more


@dataclass(frozen=True)
class MixedBatches:
    """Batches of which a `share` is recordings and the rest one of several synthesised corpora, drawn anew each time;
    all have the same conditions and draw from one `generator`. `clip` counts recordings, and is -1 for synthesised."""

    recordings: ClipBatches | None
    corpora: Sequence[ClipBatches]
    share: float
    batch_size: int
    generator: torch.Generator

    @property
    def steps_per_epoch(self) -> int:
        return sum(source.steps_per_epoch for source in (self.recordings, *self.corpora) if source)

    def next(self) -> Batch:
        made = self.corpora[int(torch.randint(len(self.corpora), (), generator=self.generator))].next()
        real, n = (self.recordings.next(), round(self.share * self.batch_size)) if self.recordings else (made, 0)
        made = made._replace(clip=torch.full_like(made.clip, -1))
        return Batch(*(torch.cat([ours[:n], theirs[n:]]) for ours, theirs in zip(real, made, strict=True)))


Batches = ClipBatches | MixedBatches


def draw_crops(batches: Batches, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`count` crops `[N, T]` of training clips and their conditions `[N]`, but for those from a pause."""
    drawn = [batches.next() for _ in range(math.ceil(count / len(batches.next().audio)))]
    crops, conditions = torch.cat([b.audio for b in drawn])[:count], torch.cat([b.condition for b in drawn])[:count]
    audible = crops.square().mean(1) > 10 ** (QUIETEST_STYLE_DB / 10)
    return crops[audible], conditions[audible]
