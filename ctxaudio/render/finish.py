"""The last step of everything rendered: fades, loudness, true peak, and one whole file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.render.limiter import PeakLimiter
from ctxaudio.signal.audio import audio_format, audio_writer
from ctxaudio.signal.filters import fade_gain
from ctxaudio.signal.loudness import LevelMeter, LoudnessGain

#: A true peak of the oversampled waveform; the samples themselves then stay inside -1..1.
CLIPPING_DB = -0.1

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
    for block in _shown(faded(blocks(), layout, fade_s), layout, "measuring", progress):
        meter.add(block)
    return meter


def write_finished(
    blocks: Blocks,
    layout: Format,
    finish: Finish,
    path: Path,
    comment: Callable[[LoudnessGain], str],
    progress: bool = False,
) -> LoudnessGain:
    """Go through `blocks` twice: measure, then write `path` (WAV or FLAC by its suffix) with one gain throughout.

    Where the true peak would pass its ceiling by more than `finish.limit_db`, all is quieter; up to that the few
    peaks are limited. `comment` makes the file's metadata from what is reached, which is given back.

    A level that is to be kept is kept unless the sound would clip: then it is turned down by just that, which is said.

    Raises `CtxAudioError` for silence (unless the level is kept), and as `audio_writer` does.
    """
    audio_format(path)
    meter = measured(blocks, layout, finish.fade_s, progress)
    gain = (
        meter.unchanged() if finish.lufs is None else meter.gain_to(finish.lufs, finish.true_peak_db + finish.limit_db)
    )
    if finish.lufs is None and gain.true_peak_db > CLIPPING_DB:
        print(f"turned down by {gain.true_peak_db - CLIPPING_DB:.1f} dB: at its own level it would clip", flush=True)
        gain = meter.gain_to(gain.lufs, CLIPPING_DB)
    sound: Iterator[FloatArray] = (
        gain.applied_to(block)
        for block in _shown(faded(blocks(), layout, finish.fade_s), layout, f"writing {path.name}", progress)
    )
    if finish.lufs is not None and gain.true_peak_db > finish.true_peak_db:
        sound = limited(sound, finish.true_peak_db, layout.sample_rate)
        gain = replace(gain, true_peak_db=finish.true_peak_db)
    with audio_writer(path, layout.sample_rate, layout.channels, comment(gain), frames=layout.samples) as writer:
        for block in sound:
            writer.write(block)
    return gain


def limited(blocks: Iterator[FloatArray], ceiling_db: float, sample_rate: int) -> Iterator[FloatArray]:
    """The blocks through a `PeakLimiter`."""
    limiter = PeakLimiter(ceiling_db, sample_rate)
    for block in blocks:
        yield limiter.process(block)
    yield limiter.flush()


def _shown(blocks: Iterator[FloatArray], layout: Format, what: str, progress: bool) -> Iterator[FloatArray]:
    """The blocks, with a bar in seconds of sound."""
    bar = tqdm(
        total=round(layout.samples / layout.sample_rate), desc=what, unit="s", unit_scale=True, disable=not progress
    )
    with bar:
        for block in blocks:
            yield block
            bar.update(block.shape[1] / layout.sample_rate)
