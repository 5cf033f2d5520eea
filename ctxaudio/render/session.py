"""Hours of sound into one file: rendered block by block into a folder aside, measured, then written with one gain.

What is aside is sound as 16-bit floats (66 dB of precision at any level, and nothing clips) and what it is rendered
from. An interrupted session goes on from the last whole sample when it is started again with the same settings; every
block depends on the seed and its number alone, so the result is the same as without the interruption.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, only_one, read_json, writable_folder, write_json
from ctxaudio.modulation.schedule import Schedule
from ctxaudio.modulation.stream import Modulation
from ctxaudio.options import Options, option
from ctxaudio.provenance import Provenance, source_file
from ctxaudio.render.beds import Bed, GeneratedBed, Layer, RecordingBed, rendered_blocks
from ctxaudio.render.finish import Finish, Format, shown, write_finished
from ctxaudio.render.generate import model_for

READ_S = 30.0
BYTES = 2


class Source(NamedTuple):
    """The bed of a session: a trained generator, or a recording."""

    bed: Bed
    context: str | None
    conditions: tuple[str, ...] = ()
    model: Mapping[str, Any] | None = None
    recording: Path | None = None


def generated_source(
    model_path: Path | None,
    condition: int | str,
    channels: int,
    seed: int,
    context: str | None = None,
    schedule: Schedule | None = None,
) -> Source:
    """A generator's endless sound of a condition, by name or index (-1: one of those it knows, by the seed).

    Conditions of the `schedule` are crossed over to. Without a path it is the base, for `context` (None: sleep).
    Raises `CtxAudioError` as `model_for` and for a condition that the model has not learned.
    """
    generator, about = model_for(model_path, context)
    crossings = (schedule.conditions(), schedule.glide_s) if schedule else ()
    bed = GeneratedBed(generator, condition, channels, seed, *crossings)
    names = dict.fromkeys(generator.config.conditions[index] for _, index in bed.crossings)
    return Source(bed, about["context"], tuple(names), about)


@dataclass(frozen=True)
class Mixed(Options):
    """A recording beside the bed: `level_db` to it, and if `gap_s` is not 0, now and then (`RecordingBed`)."""

    path: Path
    level_db: float = option(..., "", least=-60, most=20)
    gap_s: float = option(0.0, "", least=0, most=3600)


@dataclass(frozen=True)
class Session(Options):
    """What to render: layers (levels refer to the first, the bed), modulation, length in minutes, how it ends up.

    `made` is what the file will say of itself, but for the levels that are reached; all of it but `finish` decides
    whether an interrupted session can be taken up.
    """

    layers: Sequence[Layer]
    modulation: Modulation
    minutes: float = option(..., "", least=0.1, most=24 * 60)
    finish: Finish = option(..., "")
    made: Provenance = option(..., "")

    @property
    def layout(self) -> Format:
        bed = self.layers[0].bed
        samples = round(60.0 * self.minutes * bed.sample_rate)
        return Format(bed.sample_rate, self.modulation.channels(bed.channels), samples)

    @property
    def identity(self) -> str:
        told = self.made.as_json()
        told["settings"] = {name: value for name, value in told["settings"].items() if name != "finish"}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def plan_session(
    source: Source, modulation: Modulation, minutes: float, finish: Finish, mix: Sequence[Mixed] = (), seed: int = 0
) -> Session:
    """A session of `source`, with recordings mixed in.

    Raises `CtxAudioError` for conditions that a recording would have to cross over to.
    """
    if source.recording and modulation.schedule and modulation.schedule.conditions():
        raise CtxAudioError(f"the schedule names a condition, which {source.recording} does not have: leave out one")
    bed = source.bed
    layers = [Layer(bed)]
    for number, mixed in enumerate(mix, 1):
        more = RecordingBed(mixed.path, bed.channels, seed + number, 60.0 * minutes, bed.sample_rate, mixed.gap_s)
        layers.append(Layer(more, mixed.level_db))
    recordings = [*([source.recording] if source.recording else []), *(mixed.path for mixed in mix)]
    settings: dict[str, Any] = {"minutes": minutes, "channels": bed.channels, "sample_rate": bed.sample_rate}
    settings |= {"mix_db": [mixed.level_db for mixed in mix], "mix_gap_s": [mixed.gap_s for mixed in mix]}
    facts: dict[str, Any] = {"conditions": source.conditions, "seed": seed, "model": source.model}
    facts |= {"sources": tuple(map(source_file, recordings)), "settings": settings | {"finish": asdict(finish)}}
    made = Provenance("session", modulation, source.context, **facts)
    return Session(layers, modulation, minutes, finish, made)


def preview(session: Session, minute: float, seconds: float = 20.0) -> FloatArray:
    """The sound `[channels, T]` of `session` from `minute` on, before the fades and the gain that the whole would get.

    It is at about -27 LUFS, so that beds and levels of steps are heard as they stand to each other; of a fade of
    minutes, 20 s from its beginning would be silence.
    """
    layout = session.layout
    length = min(round(seconds * layout.sample_rate), layout.samples)
    start = min(round(60.0 * minute * layout.sample_rate), layout.samples - length)
    sound = np.concatenate(list(rendered_blocks(session.layers, session.modulation, start + length, start)), axis=1)
    return np.asarray(sound / max(1.0, float(np.abs(sound).max())), dtype=np.float32)


def render_session(session: Session, path: Path, restart: bool = False, progress: bool = True) -> Provenance:
    """Render `session` into `path`, taking up what an interrupted call with the same settings left.

    Raises `CtxAudioError` where another process renders it, where the folder aside holds a session of other settings
    (`restart` throws it away), and for all that `write_finished` raises.
    """
    layout = session.layout
    aside = writable_folder(path.parent) / f".{path.name}.rendering"
    busy = f"another process is rendering {path}: wait for it, or choose another --output_path"
    with only_one(writable_folder(aside) / ".lock", busy):
        done = _taken_up(aside, session, restart)
        _render(session, aside / "sound.pcm", done, progress)
        made = write_finished(
            lambda: _stored(aside / "sound.pcm", layout), layout, session.finish, path, session.made, progress
        )
        _emptied(aside)
    with suppress(OSError):  # Windows removes no file that is still open
        shutil.rmtree(aside)
    return made


def _emptied(aside: Path) -> None:
    for name in ("settings.json", "sound.pcm"):
        (aside / name).unlink(missing_ok=True)


def _taken_up(aside: Path, session: Session, restart: bool) -> int:
    """Samples that are there already; a folder for this session where there are none."""
    layout, described = session.layout, aside / "settings.json"
    if restart:
        _emptied(aside)
    if described.exists() and read_json(described).get("identity") != session.identity:
        other = f"{aside} holds an unfinished session with other settings"
        raise CtxAudioError(f"{other}: finish it with those, or pass --restart")
    if not described.exists():
        write_json(described, {"identity": session.identity, "settings": session.made.settings})
    sound = aside / "sound.pcm"
    done = min(sound.stat().st_size // (BYTES * layout.channels), layout.samples) if sound.exists() else 0
    if done:
        print(f"taking up an interrupted session after {done / layout.sample_rate / 60:.1f} minutes", flush=True)
    return int(done)


def _render(session: Session, sound: Path, done: int, progress: bool) -> None:
    layout = session.layout
    if done >= layout.samples:
        return
    blocks = rendered_blocks(session.layers, session.modulation, layout.samples, done)
    try:
        with sound.open("r+b" if sound.exists() else "xb") as file:
            file.truncate(done * BYTES * layout.channels)
            file.seek(done * BYTES * layout.channels)
            for block in shown(blocks, layout, "rendering", progress, done):
                if not np.isfinite(block).all():
                    raise CtxAudioError("the sound is not finite: try another seed, or train the generator again")
                file.write(block.T.astype("<f2").tobytes())
    except OSError as error:
        reason = f"{error.strerror or error}; free space and start again: what is there is kept"
        raise CtxAudioError(f"can't write {sound}: {reason}") from error


def _stored(sound: Path, layout: Format) -> Iterator[FloatArray]:
    # read, not mapped: the pages of a mapped file would count as this process's memory
    step = round(READ_S * layout.sample_rate) * layout.channels
    with sound.open("rb") as file:
        for _ in range(0, layout.samples * layout.channels, step):
            sound16 = torch.from_numpy(np.fromfile(file, "<f2", step))  # converts in a fifth of NumPy's time
            yield sound16.float().numpy().reshape(-1, layout.channels).T
