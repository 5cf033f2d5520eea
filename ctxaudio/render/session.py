"""Hours of sound into one file: rendered block by block into a folder aside, measured, then written with one gain.

What is aside is sound as 16-bit floats (66 dB of precision at any level, and nothing clips) and the settings that it
was rendered with. A session that was interrupted at any point goes on from the last whole sample when it is started
again with the same settings; every block depends on the seed and its number alone, so the result is the same as
without the interruption.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, read_json, writable_folder, write_json
from ctxaudio.modulation.stream import Modulation
from ctxaudio.render.beds import Layer, rendered_blocks
from ctxaudio.render.finish import Finish, Format, write_finished
from ctxaudio.signal.loudness import LoudnessGain

READ_S = 30.0
BYTES = 2


@dataclass(frozen=True)
class Session:
    """What to render: layers (levels refer to the first, the bed), modulation, length in minutes, how it ends up."""

    layers: Sequence[Layer]
    modulation: Modulation
    minutes: float
    finish: Finish
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        if not 0.1 <= self.minutes <= 24 * 60:
            raise CtxAudioError(f"minutes {self.minutes:g} is outside 0.1-1440")

    @property
    def layout(self) -> Format:
        bed = self.layers[0].bed
        samples = round(60.0 * self.minutes * bed.sample_rate)
        return Format(bed.sample_rate, self.modulation.channels(bed.channels), samples)


def render_session(
    session: Session, path: Path, comment: Callable[[LoudnessGain], str], restart: bool = False, progress: bool = True
) -> LoudnessGain:
    """Render `session` into `path` (FLAC or WAV), taking up what an interrupted call with the same settings left.

    Raises `CtxAudioError` where the folder aside holds a session of other settings (`restart` throws it away), and
    for all that `write_finished` raises.
    """
    layout = session.layout
    aside = writable_folder(path.parent) / f".{path.name}.rendering"
    done = _taken_up(aside, session.settings, layout, restart)
    _render(session, aside / "sound.pcm", done, progress)
    finished = write_finished(
        lambda: _stored(aside / "sound.pcm", layout), layout, session.finish, path, comment, progress
    )
    shutil.rmtree(aside)
    return finished


def _taken_up(aside: Path, settings: dict[str, Any], layout: Format, restart: bool) -> int:
    """Samples that are there already; an empty folder for these settings where there are none."""
    identity = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    described = aside / "settings.json"
    if restart and aside.exists():
        shutil.rmtree(aside)
    if described.exists() and read_json(described).get("identity") != identity:
        raise CtxAudioError(
            f"{aside} holds an unfinished session with other settings: finish it with those, or pass --restart"
        )
    if not described.exists():
        write_json(described, {"identity": identity, "settings": settings})
    sound = aside / "sound.pcm"
    frame = BYTES * layout.channels
    done = min(sound.stat().st_size // frame, layout.samples) if sound.exists() else 0
    if done:
        print(f"taking up an interrupted session after {done / layout.sample_rate / 60:.1f} minutes", flush=True)
    return int(done)


def _render(session: Session, sound: Path, done: int, progress: bool) -> None:
    layout = session.layout
    frame = BYTES * layout.channels
    bar = tqdm(
        total=round(layout.samples / layout.sample_rate),
        initial=round(done / layout.sample_rate),
        desc="rendering",
        unit="s",
        unit_scale=True,
        disable=not progress,
    )
    try:
        with bar, sound.open("r+b" if sound.exists() else "xb") as file:
            file.truncate(done * frame)
            file.seek(done * frame)
            if done >= layout.samples:
                return
            for block in rendered_blocks(session.layers, session.modulation, layout.samples, done):
                file.write(_encoded(block))
                bar.update(block.shape[1] / layout.sample_rate)
    except OSError as error:
        raise CtxAudioError(
            f"can't write {sound}: {error.strerror or error}; free space and start again: what is there is kept"
        ) from error


def _encoded(block: FloatArray) -> bytes:
    if not np.isfinite(block).all():
        raise CtxAudioError("the sound to render is not finite: try another seed, or train the generator again")
    return torch.from_numpy(np.ascontiguousarray(block.T)).half().numpy().tobytes()


def _stored(sound: Path, layout: Format) -> Iterator[FloatArray]:
    # read, not mapped: the pages of a mapped file would count as this process's memory
    step = round(READ_S * layout.sample_rate) * layout.channels
    with sound.open("rb") as file:
        for _ in range(0, layout.samples * layout.channels, step):
            block = np.fromfile(file, dtype="<f2", count=step).reshape(-1, layout.channels)
            yield torch.from_numpy(block).float().numpy().T
