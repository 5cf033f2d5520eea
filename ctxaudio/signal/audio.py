"""Sound files, whole or in blocks, and what is done to a sound first: resampling, a high-pass filter, fades.

Read is whatever libsndfile reads; written are WAV, FLAC, OGG, Opus (at 48 kHz) and MP3. WAV and FLAC are rounded to
16 bits without dither: at -27 LUFS a sound lies 70 dB above the rounding, and a fade ends in digital silence. A 16-bit
file read and written again is the same samples.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import soundfile
import soxr

from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, why_unreadable, written_whole

#: By suffix: libsndfile's format, subtype, and settings where the default won't do; all but WAV and FLAC are lossy.
#: FLAC: a third faster than the default, and 0.3 % longer on noise. MP3: the default, some 40 kbit/s of mono, takes
#: 1 dB off a depth of .3 at 14.1 Hz; these 110 kbit/s take less than .1 dB.
FORMATS: dict[str, dict[str, Any]] = {
    ".wav": {"format": "WAV", "subtype": "PCM_16"},
    ".flac": {"format": "FLAC", "subtype": "PCM_16", "compression_level": 0.125},
    ".ogg": {"format": "OGG", "subtype": "VORBIS"},
    ".opus": {"format": "OGG", "subtype": "OPUS"},
    ".mp3": {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": 0.3, "bitrate_mode": "CONSTANT"},
}
OPUS_RATE = 48_000  # Opus knows five rates; at the lower ones libsndfile's bit rate is so low that noise loses 1-3 LU
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
        self.duration_s = self.frames / self.sample_rate

    def blocks(self, seconds: float = 10.0, start: int = 0, stop: int | None = None) -> Iterator[FloatArray]:
        """Blocks `[channels, T]` of `seconds` (the last may be shorter) from frame `start` to `stop`, or to the end."""
        length = max(1, min(round(seconds * self.sample_rate), MOST_SAMPLES // self.channels))
        stop = self.frames if stop is None else min(stop, self.frames)
        with self._opened() as sound:
            at = 0 if self._streamed else sound.seek(start)
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


class _Sink(io.FileIO):
    """A file for libsndfile to write to that keeps the error of a full disk: an exception can't pass through C."""

    error: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            done = super().write(content)
            return done if done == len(content) else done + self.write(content[done:])
        except OSError as error:
            self.error = error
            return 0


class AudioWriter:
    """Takes the samples of a file from `audio_writer`, at `sample_rate`; `path` is its name in messages."""

    def __init__(self, path: Path, sample_rate: int, sound: soundfile.SoundFile, sink: _Sink) -> None:
        self._path, self._sample_rate, self._sound, self._sink, self._frames = path, sample_rate, sound, sink, 0
        self._resampler: soxr.ResampleStream | None = None
        if sound.samplerate != sample_rate:
            self._resampler = soxr.ResampleStream(sample_rate, sound.samplerate, sound.channels, quality="HQ")

    def write(self, block: FloatArray, last: bool = False) -> None:
        """Add `block` (`[T]` or `[channels, T]`), and with `last` what a resampler held back.

        Raises `CtxAudioError` for samples that are not finite or outside -1..1, and for a WAV above 4 GB.
        """
        rows = np.atleast_2d(block)
        if not np.abs(rows).max(initial=0.0) <= 1.0:
            at, spread = self._frames / self._sample_rate, f"{rows.min():.3g}..{rows.max():.3g}"
            raise CtxAudioError(f"refusing to write {self._path}: {spread} at {at:.1f} s is not -1..1")
        self._frames += rows.shape[1]
        if self._sound.format == "WAV" and 2 * self._frames * len(rows) > WAV_LIMIT_BYTES:
            raise CtxAudioError(f"{self._path} would be above 4 GB, more than WAV can hold: choose a name with .flac")
        samples = np.ascontiguousarray(rows.T, np.float32)
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last)
        for at in range(0, len(samples), FRAMES_AT_ONCE):
            piece = samples[at : at + FRAMES_AT_ONCE]
            if self._sound.subtype == "MPEG_LAYER_III":
                piece = piece / np.float32(LAME_SCALE)
            elif self._sound.subtype == "PCM_16":
                piece = np.minimum(np.rint(piece * np.float32(2**15)), 2**15 - 1).astype(np.int16)
            self._sound.write(piece)
            if self._sink.error is not None:
                raise self._sink.error


@contextmanager
def audio_writer(
    path: Path, sample_rate: int, channels: int, comment: str = "", frames: int = 0
) -> Iterator[AudioWriter]:
    """A file at `path`, in the format of its suffix, to write to in blocks; it is there once the block succeeds.

    Args:
        comment: metadata: ICMT in WAV (up to 2000 bytes), COMMENT elsewhere.
        frames: the length to come, if known: a WAV above 4 GB is then written as RF64, which most players read.

    Raises `CtxAudioError` as `audio_format` and `AudioWriter.write` do, and for a comment too long or a full disk.
    """
    wanted = audio_format(path, sample_rate)
    if wanted["format"] == "WAV":
        if (size := len(comment.encode(errors="replace"))) > WAV_COMMENT_BYTES:
            raise CtxAudioError(f"{path}: a comment in WAV holds {WAV_COMMENT_BYTES} bytes, not {size}")
        if 2 * frames * channels > WAV_LIMIT_BYTES:
            wanted["format"] = "RF64"
    with written_whole(path) as aside, _Sink(aside, "w") as sink:
        try:
            with soundfile.SoundFile(sink, "w", channels=channels, **wanted) as sound:
                if comment:
                    sound.comment = comment.encode(errors="replace").decode()
                writer = AudioWriter(path, sample_rate, sound, sink)
                yield writer
                writer.write(np.zeros((channels, 0), np.float32), last=True)
        finally:  # instead of what soundfile makes of it
            if sink.error is not None:
                raise sink.error


def write_audio(path: Path, samples: FloatArray, sample_rate: int, comment: str = "") -> None:
    """Write `samples` (`[T]` or `[channels, T]`, in -1..1) to `path`; as `audio_writer`."""
    with audio_writer(path, sample_rate, len(np.atleast_2d(samples)), comment) as out:
        out.write(samples)


def encode_audio(samples: FloatArray, sample_rate: int, suffix: str) -> bytes:
    """The bytes of the file with `suffix` (".mp3", say) that `write_audio` would write, for a page to hold."""
    with tempfile.TemporaryDirectory() as folder:
        write_audio(path := Path(folder, f"sound{suffix}"), samples, sample_rate)
        return path.read_bytes()


def audio_format(path: Path, sample_rate: int = OPUS_RATE) -> dict[str, Any]:
    """What libsndfile is told to write `path`; `CtxAudioError` for an unknown suffix, or a rate that it lacks."""
    if path.suffix.lower() not in FORMATS:
        raise CtxAudioError(f"can't write {path.name}: choose a name that ends in {', '.join(FORMATS)}")
    wanted = {**FORMATS[path.suffix.lower()], "samplerate": sample_rate}
    if wanted["subtype"] == "OPUS":
        wanted["samplerate"] = OPUS_RATE
    try:
        soundfile.SoundFile(io.BytesIO(), "w", channels=1, **wanted).close()
    except soundfile.SoundFileError as error:
        allowed = f"{path.suffix} can't hold {sample_rate} Hz"
        raise CtxAudioError(f"can't write {path.name}: {allowed}: choose .flac, or another sample rate") from error
    return wanted


def high_pass(samples: FloatArray, sample_rate: int, cutoff_hz: float = 20.0) -> FloatArray:
    """Remove what lies below `cutoff_hz` (hertz, under half of `sample_rate`) from `samples` `[T]`, without delay.

    A Butterworth filter of order 4 run forwards and backwards: -6 dB at the cutoff, under -90 dB two octaves below it.
    """
    sections = scipy.signal.butter(4, cutoff_hz, "highpass", fs=sample_rate, output="sos")
    # Mirror one period: the default of some 15 samples is far shorter than the ringing at 20 Hz, and the default "odd"
    # extension turns the clip about its ends, which sets a step of twice the first and last sample there.
    pad_length = min(len(samples) - 1, round(sample_rate / cutoff_hz))
    filtered = scipy.signal.sosfiltfilt(sections, samples.astype(np.float64), padtype="even", padlen=pad_length)
    return np.asarray(filtered, dtype=np.float32)


def resample(samples: FloatArray, from_rate: int, to_rate: int) -> FloatArray:
    """`samples` `[T]` at `from_rate` (hertz) as `[about T * to_rate / from_rate]` at `to_rate`, band-limited.

    By the SoX resampler at high quality: 20 bits, flat to 0.91 of the lower Nyquist.
    """
    if from_rate == to_rate:
        return samples.astype(np.float32)
    return np.asarray(soxr.resample(samples.astype(np.float32), from_rate, to_rate, quality="HQ"), dtype=np.float32)


def fade_gain(start: int, length: int, total: int, fade_in_samples: int, fade_out_samples: int) -> FloatArray:
    """Gain `[length]` in 0..1 for the samples from `start` on, of a sound of `total` samples.

    Raised cosines: 0 at the first and at the last sample of the sound, 1 between the fades; of 0 samples: none.
    """
    at = np.arange(start, start + length)
    gain = np.ones(length, np.float32)
    for from_end, fade_samples in ((at, fade_in_samples), (total - 1 - at, fade_out_samples)):
        if fade_samples:
            turns = np.minimum(from_end / fade_samples, 1.0)
            gain *= (0.5 - 0.5 * np.cos(np.pi * turns)).astype(np.float32)
    return gain
