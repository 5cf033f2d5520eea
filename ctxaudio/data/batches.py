"""Random crops of prepared clips, balanced over the conditions, repeatable from a generator's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray

CROSSFADE_S, MOST_CROPS_OF_A_CLIP = 0.01, 4


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
    would turn into a roll that nobody played: silence follows it instead, as in the recording.

    All randomness comes from `generator` (on the CPU): the same state gives the same batches.

    Raises `CtxAudioError` where the split has no clips.
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
        #: How many batches hold as much sound as the split does, at least 1.
        total = float(sum(lengths[clips].sum() for clips in self._clips))
        self.steps_per_epoch = max(1, round(total / crop_samples / batch_size))

    def next(self) -> Batch:
        """Draw the next batch."""
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

    Equal-power crossfade: the two ends are unlike each other, so their powers add. At most half of `samples` is faded.
    Kept within -1..1, which the sum of two peaks could leave.
    """
    fade = min(fade_samples, len(samples) // 2)
    loop = samples[: len(samples) - fade].copy()
    angle = (np.arange(fade, dtype=np.float32) + 0.5) / max(fade, 1) * (np.pi / 2)
    loop[:fade] = np.sin(angle) * samples[:fade] + np.cos(angle) * samples[len(samples) - fade :]
    return np.clip(loop, -1.0, 1.0, dtype=np.float32)


@dataclass(frozen=True)
class MixedBatches:
    """Batches of which a `share` is recordings and the rest one of several synthesised corpora, drawn anew each time.

    All sources have the same conditions in the same order, and draw from one generator of random numbers. `clip` counts
    the clips of recordings; those of a corpus are -1.
    """

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


#: Endless batches, of which `steps_per_epoch` make an epoch.
Batches = ClipBatches | MixedBatches
