"""The last step of everything rendered: fades, loudness, true peak, one whole file and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.signal
from tqdm import tqdm

from ctxaudio.contexts import context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.modulation.stream import Modulation
from ctxaudio.provenance import Provenance, claims_of, json_beside
from ctxaudio.signal.audio import audio_format, audio_writer
from ctxaudio.signal.filters import fade_gain, resample
from ctxaudio.signal.loudness import OVERSAMPLING, LevelMeter, true_peak_db

#: A true peak of the oversampled waveform; the samples themselves then stay inside -1..1.
CLIPPING_DB = -0.1
REACH_S = 0.005
#: Peaks are found between the samples too, and a smooth gain moves them a little: stay this much below.
MARGIN_DB = 0.2

Blocks = Callable[[], Iterator[FloatArray]]


@dataclass(frozen=True)
class Finish:
    """How a file is to end up: `lufs` None keeps the level; `true_peak_db` (dBTP) is never passed; fades in seconds.

    `limit_db`: by how much peaks may be limited (`PeakLimiter`) before all is made quieter for them; 0 for exact
    envelopes.
    """

    lufs: float | None = -27.0
    true_peak_db: float = -6.0
    fade_s: float = 0.0
    limit_db: float = 0.0

    def __post_init__(self) -> None:
        if self.lufs is not None and not -70.0 < self.lufs <= -10.0:
            raise CtxAudioError(f"lufs {self.lufs:g} is outside -70..-10: -27 is the default, off keeps the level")
        if not -60.0 <= self.true_peak_db <= 0.0:
            raise CtxAudioError(f"true_peak {self.true_peak_db:g} dBTP is outside -60..0")
        if not 0.0 <= self.fade_s <= 600.0:
            raise CtxAudioError(f"fade {self.fade_s:g} s is outside 0-600 s")


@dataclass(frozen=True)
class Format:
    """Sample rate in hertz, channels and samples a channel of what is to be written."""

    sample_rate: int
    channels: int
    samples: int


def provenance_of(made_by: str, modulation: Modulation, context: str | None, **facts: Any) -> Provenance:
    """How a file comes about that `modulation` goes into; `facts` are further fields of `Provenance`."""
    named = None if context is None else context_named(context)
    claims = claims_of(named, modulation.at_start, modulation.scheduled_rates_hz)
    return Provenance(made_by, claims, modulation.at_start, context, schedule=modulation.schedule, **facts)


def faded(blocks: Iterator[FloatArray], layout: Format, fade_s: float) -> Iterator[FloatArray]:
    """`blocks` with raised-cosine fades at the two ends of the whole, each at most half of it."""
    fade = min(round(fade_s * layout.sample_rate), layout.samples // 2)
    at = 0
    for block in blocks:
        length = block.shape[1]
        if fade and (at < fade or at + length > layout.samples - fade):
            block = block * fade_gain(at, length, layout.samples, fade, fade)
        at += length
        yield block


def measured(blocks: Blocks, layout: Format, fade_s: float, progress: bool = False) -> LevelMeter:
    """A meter that has heard the faded whole."""
    meter = LevelMeter(layout.sample_rate, layout.channels)
    for block in shown(faded(blocks(), layout, fade_s), layout, "measuring", progress):
        meter.add(block)
    return meter


def write_finished(
    blocks: Blocks, layout: Format, finish: Finish, path: Path, made: Provenance, progress: bool = False
) -> Provenance:
    """Go through `blocks` twice: measure, then write `path` (its suffix decides how) with one gain throughout.

    Where the true peak would pass its ceiling by more than `finish.limit_db`, all is quieter; up to that the few
    peaks are limited. `made` with the levels that are reached goes into the file and beside it, and is given back.

    A level that is to be kept is kept unless the sound would clip: then it is turned down by just that, which is said.

    Raises `CtxAudioError` for silence (unless the level is kept), and as `audio_writer` and `json_beside` do.
    """
    audio_format(path, layout.sample_rate)
    json_beside(path)
    meter = measured(blocks, layout, finish.fade_s, progress)
    gain = (
        meter.unchanged() if finish.lufs is None else meter.gain_to(finish.lufs, finish.true_peak_db + finish.limit_db)
    )
    if finish.lufs is None and gain.true_peak_db > CLIPPING_DB:
        print(f"turned down by {gain.true_peak_db - CLIPPING_DB:.1f} dB: at its own level it would clip", flush=True)
        gain = meter.gain_to(gain.lufs, CLIPPING_DB)
    sound: Iterator[FloatArray] = (
        gain.applied_to(block)
        for block in shown(faded(blocks(), layout, finish.fade_s), layout, f"writing {path.name}", progress)
    )
    if finish.lufs is not None and gain.true_peak_db > finish.true_peak_db:
        sound = limited(sound, finish.true_peak_db, layout.sample_rate)
        gain = replace(gain, true_peak_db=finish.true_peak_db)
    made = made.reaching(gain)
    with audio_writer(path, layout.sample_rate, layout.channels, made.comment(), frames=layout.samples) as writer:
        for block in sound:
            writer.write(block)
    made.write_beside(path)
    return made


def limited(blocks: Iterator[FloatArray], ceiling_db: float, sample_rate: int) -> Iterator[FloatArray]:
    """The blocks through a `PeakLimiter`."""
    limiter = PeakLimiter(ceiling_db, sample_rate)
    for block in blocks:
        yield limiter.process(block)
    yield limiter.flush()


def shown(
    blocks: Iterator[FloatArray], layout: Format, what: str, progress: bool, done: int = 0
) -> Iterator[FloatArray]:
    """The blocks, with a bar in seconds of sound of which `done` samples are there already."""
    seconds, there = round(layout.samples / layout.sample_rate), round(done / layout.sample_rate)
    with tqdm(total=seconds, initial=there, desc=what, unit="s", unit_scale=True, disable=not progress, delay=1) as bar:
        for block in blocks:
            yield block
            bar.update(block.shape[1] / layout.sample_rate)


class PeakLimiter:
    """Blocks `[channels, T]` in and out, true peak under `ceiling_db` (dBTP); what comes out lags by 10 ms.

    >>> limiter = PeakLimiter(-6.0, 8000)
    >>> click = np.zeros((1, 8000), np.float32)
    >>> click[0, 4000] = 1.0
    >>> out = np.concatenate([limiter.process(click), limiter.flush()], axis=1)
    >>> out.shape, round(float(20 * np.log10(out.max())), 1)
    ((1, 8000), -6.2)
    """

    def __init__(self, ceiling_db: float, sample_rate: int) -> None:
        self._ceiling_db = ceiling_db
        self._ceiling = 10.0 ** ((ceiling_db - MARGIN_DB) / 20.0)
        self._sample_rate = sample_rate
        self._reach = max(1, round(REACH_S * sample_rate))
        window = np.hanning(2 * self._reach + 3)[1:-1]
        self._smoothing = (window / window.sum()).astype(np.float32)
        self._waiting: FloatArray | None = None
        self._past = 0  # samples of `_waiting` that have already gone out

    def process(self, block: FloatArray) -> FloatArray:
        waiting = block if self._waiting is None else np.concatenate([self._waiting, block], axis=1)
        return self._emit(waiting, max(self._past, waiting.shape[1] - 2 * self._reach))

    def flush(self) -> FloatArray:
        """The rest of the stream."""
        assert self._waiting is not None
        return self._emit(self._waiting, self._waiting.shape[1])

    def _emit(self, waiting: FloatArray, until: int) -> FloatArray:
        ready = waiting[:, self._past : until]
        if waiting.shape[1] and true_peak_db(waiting) > self._ceiling_db - MARGIN_DB:
            ready = ready * self._gain(waiting)[self._past : until]
        keep_from = max(0, until - 2 * self._reach)
        self._waiting, self._past = waiting[:, keep_from:], until - keep_from
        return ready

    def _gain(self, sound: FloatArray) -> FloatArray:
        rows = [resample(row, self._sample_rate, OVERSAMPLING * self._sample_rate) for row in sound]
        between = np.abs(np.stack(rows))[:, : OVERSAMPLING * sound.shape[1]]
        between = np.pad(between, ((0, 0), (0, OVERSAMPLING * sound.shape[1] - between.shape[1])))
        peaks = np.maximum(between.reshape(len(sound), -1, OVERSAMPLING).max((0, 2)), np.abs(sound).max(0))
        peaks[:-1] = np.maximum(peaks[:-1], peaks[1:])  # a crest between two samples concerns both
        needed = np.minimum(1.0, self._ceiling / np.maximum(peaks, 1e-9)).astype(np.float32)
        spread = scipy.ndimage.minimum_filter1d(needed, 2 * self._reach + 1, mode="nearest")
        padded = np.pad(spread, self._reach, mode="edge")
        return np.asarray(scipy.signal.oaconvolve(padded, self._smoothing, mode="valid"), dtype=np.float32)
