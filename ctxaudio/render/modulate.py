"""Any audio file, of any length, through a modulation into another, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.modulation.stream import Modulation, Modulator
from ctxaudio.provenance import Provenance, json_beside, source_file
from ctxaudio.render.finish import Finish, Format, provenance_of, write_finished
from ctxaudio.signal.audio import AudioReader
from ctxaudio.signal.loudness import LoudnessMeter

BLOCK_S = 10.0


def modulate_file(
    source: Path,
    path: Path,
    modulation: Modulation,
    finish: Finish,
    context: str | None = None,
    progress: bool = True,
) -> Provenance:
    """Write `source` with `modulation` to `path`: as long as it was, mono or stereo.

    The file is gone through two or three times (tones need its loudness first) instead of being held in memory.
    `context` only says whose evidence goes with the file; the provenance is in the file, beside it, and given back.

    Raises `CtxAudioError` for a source that can't be read, is the output itself, or has more than two channels.
    """
    if path.exists() and source.exists() and path.samefile(source):
        raise CtxAudioError(f"{path} is the input itself: choose another output file")
    json_beside(path)
    reader = AudioReader(source)
    sample_rate, channels, samples = reader.sample_rate, reader.channels, reader.frames
    if channels > 2:
        raise CtxAudioError(f"{source} has {channels} channels: mix it down to one or two")
    settings = {"finish": asdict(finish)}
    made = provenance_of("modulate", modulation, context, sources=(source_file(source),), settings=settings)
    lufs = loudness_of(source) if modulation.profile.tones else None

    def blocks() -> Iterator[FloatArray]:
        modulator = Modulator(modulation, sample_rate, channels, lufs)
        for block in AudioReader(source).blocks(BLOCK_S):
            yield modulator.process(block)
        yield modulator.flush()

    layout = Format(sample_rate, modulation.channels(channels), samples)
    return write_finished(blocks, layout, finish, path, made, progress)


def loudness_of(source: Path) -> float:
    """Integrated loudness of a file in LUFS; raises `CtxAudioError` where it is silent."""
    reader = AudioReader(source)
    meter = LoudnessMeter(reader.sample_rate, reader.channels)
    for block in reader.blocks(BLOCK_S):
        meter.add(block)
    lufs = meter.integrated_lufs()
    if not np.isfinite(lufs):
        raise CtxAudioError(f"{source} is silent (nothing above -70 LUFS): a tone has no level to refer to")
    return lufs
