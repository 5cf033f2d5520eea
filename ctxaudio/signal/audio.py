"""Sound files, whole or in blocks: reading whatever libsndfile reads, writing WAV, FLAC, OGG, Opus and MP3.

WAV and FLAC are rounded to 16 bits without dither: at -27 LUFS a sound lies 70 dB above the rounding, and a fade ends
in digital silence. A 16-bit file read and written again is the same samples. Opus is written at 48 kHz.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, why_unreadable, written_whole

#: libsndfile's names of the formats that we write, by suffix; all but WAV and FLAC are lossy.
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
OPUS_RATE = 48_000  # Opus knows five rates; at the lower ones libsndfile's bit rate is so low that noise loses 1-3 LU
#: By libsndfile's format, its settings where the default won't do. FLAC: a third faster, and 0.3 % longer on noise.
#: MP3: its default, some 40 kbit/s of mono, takes 1 dB off a depth of .3 at 14.1 Hz; these 110 take less than .1 dB.
SETTINGS: dict[str, dict[str, Any]] = {
    "FLAC": {"compression_level": 0.125},
    "MP3": {"compression_level": 0.3, "bitrate_mode": "CONSTANT"},
}
LAME_SCALE = 0.95  # what LAME multiplies samples with at a constant bit rate, lest they clip
FRAMES_AT_ONCE = 2**16  # libvorbis overflows its stack on millions
WAV_LIMIT_BYTES = 2**32 - 2**16  # the sizes in a WAV header have 32 bits; leave room for what is not samples
WAV_COMMENT_BYTES = 2000  # libsndfile drops a longer one without a word

LOWEST_RATE, HIGHEST_RATE = 1000, 768_000
MOST_SAMPLES = 2**27  # held at once, all channels counted: 512 MB
NO_LENGTH = 2**48  # libsndfile gives a count beyond any file where the header names none


class _SoundFile(soundfile.SoundFile):
    """Without soundfile's seek after each block read, which fails where a header names no length."""

    def seekable(self) -> bool:
        return False


class AudioReader:
    """A sound file to be read in blocks: `sample_rate` in hertz, `channels`, `frames`, `duration_s`.

    Raises `ClipError` for a file that is missing, unreadable, empty, cut off, or holds NaN or infinity.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_audio(Path(folder, "steps.wav"), np.full((2, 12000), 0.25, np.float32), 8000)
    ...     sound = AudioReader(Path(folder, "steps.wav"))
    ...     sound.duration_s, [block.shape for block in sound.blocks(seconds=1.0)]
    (1.5, [(2, 8000), (2, 4000)])
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as sound:
            self.sample_rate: int = sound.samplerate
            self.channels: int = sound.channels
            self.frames: int = sound.frames
            if not LOWEST_RATE <= self.sample_rate <= HIGHEST_RATE:
                allowed = f"{LOWEST_RATE}-{HIGHEST_RATE} Hz"
                raise ClipError(f"{path}: sample rate {self.sample_rate} Hz is outside {allowed}: resample it")
            self._streamed = self.frames >= NO_LENGTH
            if self._streamed:
                self.frames = sum(iter(lambda: len(sound.read(FRAMES_AT_ONCE, dtype="float32")), 0))
        if self.frames == 0:
            raise ClipError(f"{path}: holds no samples")

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate

    def blocks(self, seconds: float = 10.0, start: int = 0, stop: int | None = None) -> Iterator[FloatArray]:
        """Blocks `[channels, T]` of `seconds` (the last may be shorter) from frame `start` to `stop`, or to the end."""
        length = max(1, min(round(seconds * self.sample_rate), MOST_SAMPLES // self.channels))
        stop = self.frames if stop is None else min(stop, self.frames)
        at = 0
        with self._opened() as sound:
            if not self._streamed:
                at = sound.seek(start)
            while at < stop:
                end = min(at + length, start if at < start else stop)
                block = sound.read(end - at, dtype="float32", always_2d=True)
                if len(block) < end - at:
                    raise ClipError(f"{self.path}: cut off after {(at + len(block)) / self.sample_rate:.1f} s")
                if not np.isfinite(block).all():
                    raise ClipError(f"{self.path}: holds NaN or infinite samples")
                at = end
                if at > start:
                    yield np.ascontiguousarray(block.T)

    @contextmanager
    def _opened(self) -> Iterator[_SoundFile]:
        if reason := why_unreadable(self.path):
            raise ClipError(f"{self.path}: {reason}")
        try:  # a name may be bytes that are no text
            with _SoundFile(os.fsencode(self.path) if os.name == "posix" else self.path) as sound:
                yield sound
        except (OSError, TypeError, soundfile.SoundFileError) as error:  # TypeError: .raw has no header to go by
            raise ClipError(f"{self.path}: not readable as audio") from error


def read_audio(path: Path, start: int = 0, stop: int | None = None) -> tuple[FloatArray, int]:
    """Samples `[channels, T]` in -1..1 of a file, or of its frames `start` to `stop`, and the sample rate.

    Raises `ClipError` as `AudioReader` does, and for more than 2**27 samples.
    """
    sound = AudioReader(path)
    frames = min(sound.frames, sound.frames if stop is None else stop) - start
    if frames * sound.channels > MOST_SAMPLES:
        raise ClipError(f"{path}: {frames} samples are too many to hold at once: cut it into shorter files")
    if frames <= 0:
        raise ClipError(f"{path}: holds no samples from {start} on")
    return next(sound.blocks(sound.duration_s, start, stop)), sound.sample_rate


class AudioWriter:
    """Takes the samples of a file from `audio_writer`, at `sample_rate`; `path` is its name in messages."""

    def __init__(self, path: Path, sample_rate: int, sound: soundfile.SoundFile, sink: _Sink) -> None:
        self.path, self.frames, self._sample_rate = path, 0, sample_rate
        self._sound, self._sink = sound, sink
        self._resampler: soxr.ResampleStream | None = None
        if sound.samplerate != sample_rate:
            self._resampler = soxr.ResampleStream(sample_rate, sound.samplerate, sound.channels, quality="HQ")

    def write(self, block: FloatArray) -> None:
        """Add `block` (`[T]` or `[channels, T]`); raises `CtxAudioError` for samples not finite or outside -1..1."""
        rows = np.atleast_2d(block)
        if len(rows) != self._sound.channels:
            raise CtxAudioError(f"{self.path} has {self._sound.channels} channels, a block has shape {block.shape}")
        if not np.abs(rows).max(initial=0.0) <= 1.0:
            at = self.frames / self._sample_rate
            spread = f"{rows.min():.3g}..{rows.max():.3g}"
            raise CtxAudioError(f"refusing to write {self.path}: {spread} at {at:.1f} s is not -1..1")
        self.frames += rows.shape[1]
        if self._sound.format == "WAV" and 2 * self.frames * len(rows) > WAV_LIMIT_BYTES:
            raise CtxAudioError(f"{self.path} would be above 4 GB, more than WAV can hold: choose a name with .flac")
        self._encode(np.ascontiguousarray(rows.T, np.float32))

    def finish(self) -> None:
        """Write what the resampler still holds back."""
        self._encode(np.zeros((0, self._sound.channels), np.float32), last=True)

    def _encode(self, samples: FloatArray, last: bool = False) -> None:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last)
        for at in range(0, len(samples), FRAMES_AT_ONCE):
            piece = samples[at : at + FRAMES_AT_ONCE]
            if self._sound.subtype == "MPEG_LAYER_III":
                piece = piece / np.float32(LAME_SCALE)
            self._sound.write(rounded(piece) if self._sound.subtype == "PCM_16" else piece)
            self._sink.raise_error()


@contextmanager
def audio_writer(
    path: Path, sample_rate: int, channels: int, comment: str = "", frames: int | None = None
) -> Iterator[AudioWriter]:
    """A file at `path`, in the format of its suffix, to write to in blocks; it is there once the block succeeds.

    Args:
        comment: metadata: ICMT in WAV (up to 2000 bytes), COMMENT elsewhere.
        frames: the length to come, if known: a WAV above 4 GB is then written as RF64, which most players read.

    Raises `CtxAudioError` as `audio_format` and `AudioWriter.write` do, and for a comment too long or a full disk.
    """
    kind = audio_format(path, sample_rate)
    if kind == "WAV" and (size := len(comment.encode(errors="replace"))) > WAV_COMMENT_BYTES:
        raise CtxAudioError(f"{path}: a comment in WAV holds {WAV_COMMENT_BYTES} bytes, not {size}")
    if kind == "WAV" and 2 * (frames or 0) * channels > WAV_LIMIT_BYTES:
        kind = "RF64"
    with (
        written_whole(path) as aside,
        aside.open("wb") as file,
        _encoder(file, path, kind, sample_rate, channels, comment) as writer,
    ):
        yield writer


def write_audio(path: Path, samples: FloatArray, sample_rate: int, comment: str = "") -> None:
    """Write `samples` (`[T]` or `[channels, T]`, in -1..1) to `path`; as `audio_writer`."""
    with audio_writer(path, sample_rate, len(np.atleast_2d(samples)), comment) as out:
        out.write(samples)


def encode_audio(samples: FloatArray, sample_rate: int, suffix: str) -> bytes:
    """The bytes of the file with `suffix` (".mp3", say) that `write_audio` would write, for a page to hold."""
    stream, name = io.BytesIO(), Path("sound" + suffix)
    with _encoder(stream, name, audio_format(name), sample_rate, len(np.atleast_2d(samples))) as writer:
        writer.write(samples)
    return stream.getvalue()


def audio_format(path: Path, sample_rate: int | None = None) -> str:
    """WAV, FLAC, OGG or MP3, by the suffix of `path`; `CtxAudioError` for any other, or one without `sample_rate`.

    >>> audio_format(Path("night.flac"), 22050)
    'FLAC'
    """
    if path.suffix.lower() not in FORMATS:
        raise CtxAudioError(f"can't write {path.name}: choose a name that ends in {', '.join(FORMATS)}")
    kind = FORMATS[path.suffix.lower()][0]
    if sample_rate is not None:
        try:
            with _encoder(io.BytesIO(), path, kind, sample_rate, 1):
                pass
        except soundfile.SoundFileError as error:
            allowed = f"{path.suffix} can't hold {sample_rate} Hz"
            raise CtxAudioError(f"can't write {path.name}: {allowed}: choose .flac, or another sample rate") from error
    return kind


def rounded(samples: FloatArray) -> npt.NDArray[np.int16]:
    """`samples` in -1..1 as 16-bit numbers.

    >>> rounded(np.array([-1.0, 0.5, 1.0], np.float32))
    array([-32768,  16384,  32767], dtype=int16)
    """
    return np.minimum(np.rint(samples * np.float32(2**15)), 2**15 - 1).astype(np.int16)


@contextmanager
def _encoder(
    stream: BinaryIO, path: Path, kind: str, sample_rate: int, channels: int, comment: str = ""
) -> Iterator[AudioWriter]:
    """A writer into `stream`; `path` names it in messages and has the suffix, `kind` is libsndfile's major format."""
    sink, subtype = _Sink(stream), FORMATS[path.suffix.lower()][1]
    rate = OPUS_RATE if subtype == "OPUS" else sample_rate
    try:
        settings = SETTINGS.get(kind, {})
        with soundfile.SoundFile(sink, "w", rate, channels, subtype, format=kind, **settings) as sound:
            if comment:
                sound.comment = comment.encode(errors="replace").decode()
            writer = AudioWriter(path, sample_rate, sound, sink)
            yield writer
            writer.finish()
    except (soundfile.SoundFileError, AssertionError):  # soundfile asserts that all was written
        sink.raise_error()
        raise
    sink.raise_error()


class _Sink:
    """A file for libsndfile to write to that keeps the error of a full disk: an exception can't pass through C."""

    def __init__(self, file: BinaryIO) -> None:
        self.error: OSError | None = None
        self._write, self.seek, self.tell = file.write, file.seek, file.tell

    def write(self, content: bytes) -> int:
        try:
            return self._write(content)
        except OSError as error:
            self.error = error
            return 0

    def raise_error(self) -> None:
        if self.error is not None:
            raise self.error
