"""Zero-phase high-pass filter and resampling, both on mono samples `[T]`."""

from __future__ import annotations

import numpy as np
import scipy.signal
import soxr

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray

HIGH_PASS_ORDER = 4


def high_pass(samples: FloatArray, sample_rate: int, cutoff_hz: float = 20.0) -> FloatArray:
    """Remove what lies below `cutoff_hz` (hertz, under half of `sample_rate`) from `samples` `[T]`, without delay.

    A Butterworth filter of order 4 run forwards and backwards (`scipy.signal.sosfiltfilt`): -6 dB at the
    cutoff, under -90 dB two octaves below it. The signal may be as short as one sample.

    Raises `CtxAudioError` for a cutoff outside 0..`sample_rate`/2 and for samples that are not mono or empty.

    >>> t = np.arange(8000) / 8000
    >>> offset_tone = (0.5 + 0.1 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    >>> bool(abs(high_pass(offset_tone, 8000).mean()) < 1e-3)
    True
    """
    _check_mono(samples)
    if not 0.0 < cutoff_hz < sample_rate / 2:
        raise CtxAudioError(f"cutoff {cutoff_hz:g} Hz must lie between 0 and half the sample rate {sample_rate} Hz")
    sections = scipy.signal.butter(HIGH_PASS_ORDER, cutoff_hz, "highpass", fs=sample_rate, output="sos")
    # Mirror one period: the default of some 15 samples is far shorter than the ringing at 20 Hz, and the default "odd"
    # extension turns the clip about its ends, which sets a step of twice the first and last sample there.
    pad_length = min(len(samples) - 1, round(sample_rate / cutoff_hz))
    filtered = scipy.signal.sosfiltfilt(sections, samples.astype(np.float64), padtype="even", padlen=pad_length)
    return np.asarray(filtered, dtype=np.float32)


def resample(samples: FloatArray, from_rate: int, to_rate: int) -> FloatArray:
    """`samples` `[T]` at `from_rate` (hertz) as `[about T * to_rate / from_rate]` at `to_rate`, band-limited.

    Uses the SoX resampler at its high quality setting (`soxr` HQ: 20 bits, flat to 0.91 of the lower Nyquist).

    Raises `CtxAudioError` for a rate that is not positive and for samples that are not mono or empty.

    >>> resample(np.zeros(44100, dtype=np.float32), 44100, 22050).shape
    (22050,)
    """
    _check_mono(samples)
    if from_rate <= 0 or to_rate <= 0:
        raise CtxAudioError(f"sample rates must be positive, not {from_rate} and {to_rate} Hz")
    if from_rate == to_rate:
        return samples.astype(np.float32)
    return np.asarray(soxr.resample(samples.astype(np.float32), from_rate, to_rate, quality="HQ"), dtype=np.float32)


def _check_mono(samples: FloatArray) -> None:
    if samples.ndim != 1 or samples.size == 0:
        raise CtxAudioError(f"expected mono samples [T] with T >= 1, not an array of shape {samples.shape}")
