"""Sound of any length into one file, block by block: a file through a modulation, or a session of hours.

All goes through in blocks, so that hours of sound take the memory of seconds. A session is first rendered into a folder
aside, as 16-bit floats (66 dB of precision at any level, and nothing clips). Interrupted, it goes on from the last
whole sample when it is started again with the same settings; every block depends on the seed and its number alone, so
the result is the same as without the interruption.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
import scipy.signal
import torch
from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, only_one, read_json, writable_folder, write_json
from ctxaudio.modulation.layer import modulated
from ctxaudio.modulation.schedule import Mixed, Modulation
from ctxaudio.options import Options, option
from ctxaudio.provenance import Provenance, json_beside, source_file
from ctxaudio.render.beds import BLOCK_S, Bed, RecordingBed, rendered_blocks
from ctxaudio.signal.audio import AudioReader, audio_format, audio_writer, fade_gain, resample
from ctxaudio.signal.loudness import OVERSAMPLING, LevelMeter, loudness_of, true_peak_db
from ctxaudio.workers import made_ahead

#: A true peak of the oversampled waveform; the samples themselves then stay inside -1..1.
CLIPPING_DB = -0.1
#: Peaks are found between the samples too, and a smooth gain moves them a little: stay this much below.
MARGIN_DB = 0.2
REACH_S = 0.005
READ_S = 30.0

Blocks = Callable[[], Iterator[FloatArray]]


@dataclass(frozen=True)
class Finish(Options):
    """How a file is to end up: `lufs` None keeps the level; `true_peak_db` (dBTP) is never passed; fades in seconds.

    `limit_db`: by how much peaks may be limited (`limited`) before all is made quieter for them; 0 for exact envelopes.
    """

    lufs: float | None = option(-27.0, "", above=-70, most=-10)
    true_peak_db: float = option(-6.0, "", least=-60, most=0)
    fade_s: float = option(0.0, "", least=0, most=600)
    limit_db: float = 0.0


class Format(NamedTuple):
    """Sample rate in hertz, channels and samples a channel of what is to be written."""

    sample_rate: int
    channels: int
    samples: int


class Session:
    """What to render: `minutes` (0.1 to a day) of `bed`, with the recordings of `mix` beside it, modulated.

    `made` is what the file will say of itself, but for the levels that are reached: `facts` are its `context`, and as
    `model` what stands beside the weights of the bed's generator.

    Raises `CtxAudioError` for conditions that a recording would have to cross over to, and as `RecordingBed`.
    """

    def __init__(
        self, bed: Bed, modulation: Modulation, minutes: float, finish: Finish, mix: Sequence[Mixed] = (), **facts: Any
    ) -> None:
        if not 0.1 <= minutes <= 24 * 60:
            raise CtxAudioError(f"minutes {minutes} must be at least 0.1 and at most 1440")
        recordings = [mixed.path for mixed in mix]
        if isinstance(bed, RecordingBed):
            recordings.insert(0, bed.path)
            if modulation.schedule and modulation.schedule.conditions():
                raise CtxAudioError(f"the schedule names a condition, which {bed.path} does not have: leave out one")
        rate, channels, self.modulation, self.finish = bed.sample_rate, bed.channels, modulation, finish
        self.beds = [bed]
        for number, mixed in enumerate(mix, 1):
            more = RecordingBed(mixed.path, channels, bed.seed + number, 60.0 * minutes, rate, mixed.gap_s)
            more.level_db = mixed.level_db
            self.beds.append(more)
        self.layout = Format(rate, modulation.channels(channels), round(60.0 * minutes * rate))
        settings: dict[str, Any] = {"minutes": minutes, "channels": channels, "sample_rate": rate}
        settings |= {"mix_db": [mixed.level_db for mixed in mix], "mix_gap_s": [mixed.gap_s for mixed in mix]}
        settings["finish"] = asdict(finish)
        facts |= {"conditions": bed.conditions, "seed": bed.seed, "sources": tuple(map(source_file, recordings))}
        self.made = Provenance("session", modulation, settings=settings, **facts)

    @property
    def identity(self) -> str:
        """What decides whether an interrupted session can be taken up: all that `made` says but for the finish."""
        told = self.made.as_json()
        told["settings"].pop("finish")
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def modulate_file(
    source: Path, path: Path, modulation: Modulation, finish: Finish, context: str | None = None, progress: bool = True
) -> Provenance:
    """Write `source` with `modulation` to `path`: as long as it was, mono or stereo.

    The file is gone through two or three times (tones need its loudness first) instead of being held in memory.
    `context` only says whose evidence goes with the file; the provenance is in the file, beside it, and returned.

    Raises `CtxAudioError` for a source that can't be read, is the output itself, or has more than two channels.
    """
    if path.exists() and source.exists() and path.samefile(source):
        raise CtxAudioError(f"{path} is the input itself: choose another output file")
    reader = AudioReader(source)
    sample_rate, channels, lufs = reader.sample_rate, reader.channels, None
    if channels > 2:
        raise CtxAudioError(f"{source} has {channels} channels: mix it down to one or two")
    settings = {"finish": asdict(finish)}
    made = Provenance("modulate", modulation, context, sources=(source_file(source),), settings=settings)
    if modulation.profile.tones:
        lufs = loudness_of(reader.blocks(BLOCK_S), sample_rate, channels, source)

    def blocks() -> Iterator[FloatArray]:
        return modulated(reader.blocks(BLOCK_S), modulation, sample_rate, channels, lufs)

    layout = Format(sample_rate, modulation.channels(channels), reader.frames)
    return write_finished(blocks, layout, finish, path, made, progress)


def preview(session: Session, minute: float, seconds: float = 20.0) -> FloatArray:
    """The sound `[channels, T]` of `session` from `minute` on, at about -27 LUFS: beds and levels of steps are heard as
    they stand to each other. Without the fades of the whole: 20 s at the start of a long one would be silence.
    """
    layout = session.layout
    length = min(round(seconds * layout.sample_rate), layout.samples)
    start = min(round(60.0 * minute * layout.sample_rate), layout.samples - length)
    sound = np.concatenate(list(rendered_blocks(session.beds, session.modulation, start + length, start)), axis=1)
    return np.asarray(sound / max(1.0, float(np.abs(sound).max())), dtype=np.float32)


def render_session(session: Session, path: Path, restart: bool = False, progress: bool = True) -> Provenance:
    """Render `session` into `path`, taking up what an interrupted call with the same settings left.

    Raises `CtxAudioError` where another process renders it, where the folder aside holds a session of other settings
    (`restart` throws it away), and for all that `write_finished` raises.
    """
    aside = writable_folder(path.parent) / f".{path.name}.rendering"
    busy = f"another process is rendering {path}: wait for it, or choose another --output_path"
    with only_one(writable_folder(aside) / ".lock", busy):
        sound = _rendered(session, aside, restart, progress)
        stored = functools.partial(_stored, sound, session.layout)
        made = write_finished(stored, session.layout, session.finish, path, session.made, progress)
        shutil.rmtree(aside, ignore_errors=True)  # Windows removes no file that is still open: the lock stays there
    return made


def _rendered(session: Session, aside: Path, restart: bool, progress: bool) -> Path:
    """The file in the folder `aside` with all of the session's sound, of which only what is missing is rendered."""
    layout, described, sound = session.layout, aside / "settings.json", aside / "sound.pcm"
    if restart:
        described.unlink(missing_ok=True)
        sound.unlink(missing_ok=True)
    if described.exists() and read_json(described).get("identity") != session.identity:
        other = f"{aside} holds an unfinished session with other settings"
        raise CtxAudioError(f"{other}: finish it with those, or pass --restart")
    write_json(described, {"identity": session.identity, "settings": session.made.settings})
    frame_bytes = 2 * layout.channels
    done = min(sound.stat().st_size // frame_bytes, layout.samples) if sound.exists() else 0
    if done:
        print(f"taking up an interrupted session after {done / layout.sample_rate / 60:.1f} minutes", flush=True)
    if done == layout.samples:
        return sound
    blocks = rendered_blocks(session.beds, session.modulation, layout.samples, done)
    try:
        with sound.open("ab") as file:
            file.truncate(done * frame_bytes)
            for block in shown(blocks, layout, "rendering", progress, at=done):
                if not np.isfinite(block).all():
                    raise CtxAudioError("the sound is not finite: try another seed, or train the generator again")
                file.write(block.T.astype("<f2").tobytes())
    except OSError as error:
        reason = f"{error.strerror or error}; free space and start again: what is there is kept"
        raise CtxAudioError(f"can't write {sound}: {reason}") from error
    return sound


def _stored(sound: Path, layout: Format) -> Iterator[FloatArray]:
    # read, not mapped: the pages of a mapped file would count as this process's memory
    step = round(READ_S * layout.sample_rate) * layout.channels
    with sound.open("rb") as file:
        for _ in range(0, layout.samples * layout.channels, step):
            sound16 = torch.from_numpy(np.fromfile(file, "<f2", step))  # converts in a fifth of NumPy's time
            yield sound16.float().numpy().reshape(-1, layout.channels).T


def write_finished(
    blocks: Blocks, layout: Format, finish: Finish, path: Path, made: Provenance, progress: bool = False
) -> Provenance:
    """Go through `blocks` twice: measure, then write `path` (its suffix decides how) with one gain throughout.

    Where the true peak would pass its ceiling by more than `finish.limit_db`, all is quieter; up to that the few
    peaks are limited. A level that is to be kept is kept unless the sound would clip: then it is turned down by just
    that, which is said. `made` with the levels that are reached goes into the file and beside it, and is given back.

    Raises `CtxAudioError` for silence (unless the level is kept), and as `audio_writer` and `json_beside` do.
    """
    audio_format(path, layout.sample_rate)
    json_beside(path)
    measured = made_ahead(shown(blocks(), layout, "measuring", progress, finish.fade_s))
    meter = LevelMeter(layout.sample_rate, layout.channels, blocks=measured)
    limit_db = finish.true_peak_db + finish.limit_db
    gain = meter.unchanged() if finish.lufs is None else meter.gain_to(finish.lufs, limit_db)
    if finish.lufs is None and gain.true_peak_db > CLIPPING_DB:
        print(f"turned down by {gain.true_peak_db - CLIPPING_DB:.1f} dB: at its own level it would clip", flush=True)
        gain = meter.gain_to(gain.lufs, CLIPPING_DB)
    again = shown(blocks(), layout, f"writing {path.name}", progress, finish.fade_s)
    sound: Iterator[FloatArray] = map(gain.applied_to, again)
    if finish.lufs is not None and finish.limit_db and gain.true_peak_db > finish.true_peak_db:
        sound = limited(sound, finish.true_peak_db, layout.sample_rate)
        gain = replace(gain, true_peak_db=finish.true_peak_db)
    made = replace(made, reached=gain)
    with audio_writer(path, layout.sample_rate, layout.channels, made.comment(), frames=layout.samples) as writer:
        for block in made_ahead(sound):
            writer.write(block)
    made.write_beside(path)
    return made


def limited(blocks: Iterable[FloatArray], ceiling_db: float, sample_rate: int) -> Iterator[FloatArray]:
    """Blocks `[channels, T]` with their true peak under `ceiling_db` (dBTP), by a gain smooth for 5 ms about each."""
    ceiling_db, reach = ceiling_db - MARGIN_DB, max(1, round(REACH_S * sample_rate))
    waiting, past = None, 0  # `past` samples of `waiting` have gone out, and are there for what the gain sees
    smoothing = np.hanning(2 * reach + 3)[1:-1]
    smoothing = (smoothing / smoothing.sum()).astype(np.float32)
    for block in chain(blocks, [None]):
        if block is not None:
            waiting = block if waiting is None else np.concatenate([waiting, block], axis=1)
        if waiting is None:
            return
        length = waiting.shape[1]
        until = length if block is None else max(past, length - 2 * reach)
        ready = waiting[:, past:until]
        if length and true_peak_db(waiting) > ceiling_db:
            rows = [resample(row, sample_rate, OVERSAMPLING * sample_rate)[: OVERSAMPLING * length] for row in waiting]
            between = np.stack([np.pad(np.abs(row), (0, OVERSAMPLING * length - len(row))) for row in rows])
            peaks = np.maximum(between.reshape(len(rows), -1, OVERSAMPLING).max((0, 2)), np.abs(waiting).max(0))
            peaks[:-1] = np.maximum(peaks[:-1], peaks[1:])  # a crest between two samples concerns both
            needed = np.minimum(1.0, 10.0 ** (ceiling_db / 20.0) / np.maximum(peaks, 1e-9)).astype(np.float32)
            spread = scipy.ndimage.minimum_filter1d(needed, 2 * reach + 1, mode="nearest")
            gain = scipy.signal.oaconvolve(np.pad(spread, reach, mode="edge"), smoothing, "valid")
            ready = ready * gain.astype(np.float32)[past:until]
        yield ready
        keep_from = max(0, until - 2 * reach)
        waiting, past = waiting[:, keep_from:], until - keep_from


def shown(
    blocks: Iterator[FloatArray], layout: Format, what: str, progress: bool, fade_s: float = 0.0, at: int = 0
) -> Iterator[FloatArray]:
    """The blocks from sample `at` on, under a bar in seconds of sound.

    With raised-cosine fades at the two ends of the whole, each at most half of it.
    """
    rate, total, fade = layout.sample_rate, layout.samples, min(round(fade_s * layout.sample_rate), layout.samples // 2)
    look = {"unit": "s", "unit_scale": True, "disable": not progress, "delay": 1}
    with tqdm(total=round(total / rate), initial=round(at / rate), desc=what, **look) as bar:
        for block in blocks:
            length = block.shape[1]
            if fade and (at < fade or at + length > total - fade):
                block = block * fade_gain(at, length, total, fade, fade)
            yield block
            at += length
            bar.update(length / rate)
