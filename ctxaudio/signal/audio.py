"""Sound files of any length, block by block: reading whatever libsndfile reads, writing WAV and FLAC.

Written samples are rounded to 16 (or 24) bits without dither: at -27 LUFS a bed lies 70 dB above the rounding, which
is noise of its own there, and a fade ends in digital silence. For quieter or barer sound (a lone tone) take 24 bits.
A file read and written at the same bits is the same samples.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, Self

import numpy as np
import numpy.typing as npt
import soundfile

from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, written_whole

Bits = Literal[16, 24]

FORMATS = {".wav": "WAV", ".flac": "FLAC"}
WAV_LIMIT_BYTES = 2**32 - 2**16  # the sizes in a WAV header have 32 bits; leave room for what is not samples
WAV_COMMENT_BYTES = 2000  # libsndfile drops a longer one without a word
FLAC_LEVEL = 0.125  # of 0..1: a third faster than the default, and 0.3 % longer on noise
LONGEST_FRAMES = 2**48  # libsndfile gives a count beyond any file where the header names none


class AudioReader:
    """A sound file to be read in blocks: `sample_rate` in hertz, `channels`, `frames`, `duration_s`.

    Raises `ClipError` for a file that is missing, unreadable, empty, cut off, or holds NaN or infinity.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with audio_writer(Path(folder, "steps.wav"), 8000, channels=2) as out:
    ...         out.write(np.full((2, 12000), 0.25, np.float32))
    ...     with AudioReader(Path(folder, "steps.wav")) as sound:
    ...         sound.duration_s, [block.shape for block in sound.blocks(seconds=1.0)]
    (1.5, [(2, 8000), (2, 4000)])
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._sound = soundfile.SoundFile(path)
        except (OSError, TypeError, soundfile.SoundFileError) as error:  # TypeError: .raw has no header to go by
            reason = "no such file" if not path.exists() else "not readable as audio"
            raise ClipError(f"{path}: {reason}") from error
        self.sample_rate: int = self._sound.samplerate
        self.channels: int = self._sound.channels
        self.frames: int = self._sound.frames
        if not 0 < self.frames < LONGEST_FRAMES:
            self._sound.close()
            raise ClipError(f"{path}: holds no samples" if self.frames == 0 else f"{path}: does not say how long it is")

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate

    def blocks(self, seconds: float = 10.0, start: int = 0) -> Iterator[FloatArray]:
        """Blocks `[channels, T]` of `seconds` (the last may be shorter) from frame `start` to the end."""
        length = max(1, round(seconds * self.sample_rate))
        at = start
        try:
            self._sound.seek(start)
            while at < self.frames:
                block = self._sound.read(min(length, self.frames - at), dtype="float32", always_2d=True)
                if not len(block):
                    raise ClipError(f"{self.path}: cut off after {at / self.sample_rate:.1f} s")
                if not np.isfinite(block).all():
                    raise ClipError(f"{self.path}: holds NaN or infinite samples")
                at += len(block)
                yield np.ascontiguousarray(block.T)
        except soundfile.SoundFileError as error:
            raise ClipError(f"{self.path}: not readable as audio after {at / self.sample_rate:.1f} s") from error

    def close(self) -> None:
        self._sound.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AudioWriter:
    """Takes the samples of a file from `audio_writer`; `frames` counts those it has."""

    def __init__(self, path: Path, sound: soundfile.SoundFile, bits: Bits, sink: _Sink) -> None:
        self.path = path
        self.frames = 0
        self._sound, self._bits, self._sink = sound, bits, sink

    def write(self, block: FloatArray) -> None:
        """Add `block` (`[T]` or `[channels, T]`); raises `CtxAudioError` for samples not finite or outside -1..1."""
        rows = block[None] if block.ndim == 1 else block
        if rows.shape[0] != self._sound.channels:
            raise CtxAudioError(f"{self.path} has {self._sound.channels} channels, a block has shape {block.shape}")
        if rows.shape[1] == 0:
            return
        highest, lowest = float(rows.max()), float(rows.min())
        if not (highest <= 1.0 and lowest >= -1.0):
            at = self.frames / self._sound.samplerate
            raise CtxAudioError(
                f"refusing to write {self.path}: {lowest:.3g}..{highest:.3g} at {at:.1f} s is not -1..1"
            )
        after = (self.frames + rows.shape[1]) * len(rows) * self._bits // 8
        if self._sound.format == "WAV" and after > WAV_LIMIT_BYTES:
            raise CtxAudioError(f"{self.path} would be above 4 GB, more than WAV can hold: choose a name with .flac")
        self._sound.write(quantised(rows, self._bits))
        self._sink.raise_error()
        self.frames += rows.shape[1]


@contextmanager
def audio_writer(
    path: Path, sample_rate: int, channels: int, comment: str = "", bits: Bits = 16, frames: int | None = None
) -> Iterator[AudioWriter]:
    """A WAV or FLAC file (by suffix) at `path`, to write to in blocks; it is there only once the block succeeds.

    Args:
        comment: metadata: ICMT in WAV (up to 2000 bytes), COMMENT in FLAC.
        bits: 16 or 24 for each sample.
        frames: the length to come, if known: a WAV above 4 GB is then written as RF64, which most players read.

    Raises `CtxAudioError` for another suffix, a comment too long, a full disk and whatever `AudioWriter.write` refuses.
    """
    kind = audio_format(path)
    if kind == "WAV":
        if len(comment.encode()) > WAV_COMMENT_BYTES:
            raise CtxAudioError(
                f"{path}: a comment in WAV holds {WAV_COMMENT_BYTES} bytes, not {len(comment.encode())}"
            )
        if frames is not None and frames * channels * bits // 8 > WAV_LIMIT_BYTES:
            kind = "RF64"
    level = FLAC_LEVEL if kind == "FLAC" else None
    with written_whole(path) as aside, aside.open("wb", buffering=0) as file:
        sink = _Sink(file)
        try:
            with soundfile.SoundFile(
                sink, "w", sample_rate, channels, f"PCM_{bits}", format=kind, compression_level=level
            ) as sound:
                if comment:
                    sound.comment = comment
                yield AudioWriter(path, sound, bits, sink)
        except (soundfile.SoundFileError, AssertionError):  # soundfile asserts that all was written
            sink.raise_error()
            raise
        sink.raise_error()


def audio_format(path: Path) -> str:
    """WAV or FLAC, by the suffix of `path`; raises `CtxAudioError` for any other.

    >>> audio_format(Path("night.flac"))
    'FLAC'
    """
    if path.suffix.lower() not in FORMATS:
        raise CtxAudioError(f"can't write {path.name}: choose a name that ends in {' or '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


def quantised(rows: FloatArray, bits: Bits) -> npt.NDArray[np.signedinteger]:
    """`rows` `[channels, T]` in -1..1 as whole numbers `[T, channels]` for libsndfile: int16, or 24 bits atop an int32.

    >>> quantised(np.array([[-1.0, 0.5, 1.0]]), 16).ravel()
    array([-32768,  16384,  32767], dtype=int16)
    """
    full = 2 ** (bits - 1)
    scaled = np.multiply(rows, np.float32(full))
    np.minimum(np.rint(scaled, out=scaled), full - 1, out=scaled)
    if bits == 16:
        return np.ascontiguousarray(scaled.astype(np.int16).T)
    return np.ascontiguousarray(scaled.astype(np.int32).T) << 8


class _Sink:
    """A file for libsndfile to write to that keeps the error of a full disk: an exception can't pass through C."""

    def __init__(self, file: BinaryIO) -> None:
        self.error: OSError | None = None
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def write(self, content: bytes) -> int:
        left = memoryview(content)
        try:
            while left and self.error is None:
                left = left[self._file.write(left) :]
        except OSError as error:
            self.error = error
        return len(content) - len(left)

    def raise_error(self) -> None:
        if self.error is not None:
            raise self.error


def read_audio(path: Path, start: int = 0, stop: int | None = None) -> tuple[FloatArray, int]:
    """Samples `[channels, T]` in -1..1 and the sample rate, of any format libsndfile reads.

    `start` and `stop` (sample frames) read a part, without holding the rest in memory.
    Raises `ClipError` for a file that is missing, unreadable, empty or holds NaN or infinity.
    """
    try:
        samples, sample_rate = soundfile.read(path, start=start, stop=stop, dtype="float32", always_2d=True)
    except (OSError, TypeError, soundfile.SoundFileError) as error:  # TypeError: .raw has no header to go by
        reason = "no such file" if not path.exists() else "not readable as audio"
        raise ClipError(f"{path}: {reason}") from error
    if len(samples) == 0:
        raise ClipError(f"{path}: holds no samples")
    if not np.isfinite(samples).all():
        raise ClipError(f"{path}: holds NaN or infinite samples")
    return np.ascontiguousarray(samples.T), int(sample_rate)


def write_audio(path: Path, samples: FloatArray, sample_rate: int, comment: str = "") -> None:
    """Write `samples` (`[T]` or `[channels, T]`, in -1..1) as 16-bit WAV with `comment` in its metadata.

    Raises `CtxAudioError` for samples that are not finite or would clip.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if not np.isfinite(peak) or peak > 1.0:
        raise CtxAudioError(f"refusing to write {path}: peak {peak:.3g} is outside -1..1")
    channels = 1 if samples.ndim == 1 else samples.shape[0]
    encoded = io.BytesIO()  # libsndfile does not always say that a disk is full; Python's own writing does
    with soundfile.SoundFile(encoded, "w", sample_rate, channels, "PCM_16", format="WAV") as sound:
        if comment:
            sound.comment = comment
        sound.write(samples.T)
    with written_whole(path) as aside:
        aside.write_bytes(encoded.getvalue())
