"""Whether a file is what every clip of FSD50K is: whole, WAV, 44.1 kHz, mono, 0.3-30 s (Fonseca et al. 2022)."""

from __future__ import annotations

from pathlib import Path

import soundfile

from ctxaudio.errors import ClipError
from ctxaudio.files import read_audio

SAMPLE_RATE = 44_100
SHORTEST_S, LONGEST_S = 0.3, 30.0
ROUNDING_S = 0.05


def check_clip(path: Path) -> float:
    """Duration in seconds of a clip that is as all in FSD50K are; raises `ClipError` saying what is not."""
    try:
        about = soundfile.info(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise ClipError("not readable as audio") from error
    if (about.format, about.samplerate, about.channels) != ("WAV", SAMPLE_RATE, 1):
        raise ClipError(f"{about.format}, {about.samplerate} Hz, {about.channels} channels: not WAV, 44100 Hz, mono")
    with path.open("rb") as file:
        promised = int.from_bytes(file.read(8)[4:], "little") + 8
    if promised > path.stat().st_size:
        raise ClipError(f"cut off: {path.stat().st_size} bytes of {promised}")
    try:
        samples, _ = read_audio(path)
    except ClipError as error:
        raise ClipError(str(error).removeprefix(f"{path}: ")) from error
    seconds = samples.shape[1] / SAMPLE_RATE
    if not SHORTEST_S - ROUNDING_S <= seconds <= LONGEST_S + ROUNDING_S:
        raise ClipError(f"{seconds:.2f} s long: FSD50K's clips have {SHORTEST_S:g}-{LONGEST_S:g} s")
    return seconds
