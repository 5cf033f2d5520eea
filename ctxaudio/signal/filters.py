"""Zero-phase high-pass filter, resampling and fades."""

from __future__ import annotations

import numpy as np
import scipy.signal
import soxr

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray

HIGH_PASS_ORDER = 4


def high_pass(samples: FloatArray, sample_rate: int, cutoff_hz: float = 20.0) -> FloatArray:
    """Remove what lies below `cutoff_hz` (hertz, under half of `sample_rate`) from `samples` `[T]`, without delay.

    A Butterworth filter of order 4 run forwards and backwards: -6 dB at the cutoff, under -90 dB two octaves below it.
    """
    sections = scipy.signal.butter(HIGH_PASS_ORDER, cutoff_hz, "highpass", fs=sample_rate, output="sos")
    # Mirror one period: the default of some 15 samples is far shorter than the ringing at 20 Hz, and the default "odd"
    # extension turns the clip about its ends, which sets a step of twice the first and last sample there.
    pad_length = min(len(samples) - 1, round(sample_rate / cutoff_hz))
    filtered = scipy.signal.sosfiltfilt(sections, samples.astype(np.float64), padtype="even", padlen=pad_length)
    return np.asarray(filtered, dtype=np.float32)


def resample(samples: FloatArray, from_rate: int, to_rate: int) -> FloatArray:
    """`samples` `[T]` at `from_rate` (hertz) as `[about T * to_rate / from_rate]` at `to_rate`, band-limited.

    By the SoX resampler at high quality: 20 bits, flat to 0.91 of the lower Nyquist.

    Raises `CtxAudioError` for a rate that is not positive and for samples that are not mono or empty.

    >>> resample(np.zeros(44100, dtype=np.float32), 44100, 22050).shape
    (22050,)
    """
    if samples.ndim != 1 or samples.size == 0:
        raise CtxAudioError(f"expected mono samples [T] with T >= 1, not an array of shape {samples.shape}")
    if from_rate <= 0 or to_rate <= 0:
        raise CtxAudioError(f"sample rates must be positive, not {from_rate} and {to_rate} Hz")
    if from_rate == to_rate:
        return samples.astype(np.float32)
    return np.asarray(soxr.resample(samples.astype(np.float32), from_rate, to_rate, quality="HQ"), dtype=np.float32)


def fade_gain(start: int, length: int, total: int, fade_in_samples: int, fade_out_samples: int) -> FloatArray:
    """Gain `[length]` in 0..1 for the samples from `start` on, of a sound of `total` samples.

    Raised cosines: 0 at the first and at the last sample of the sound, 1 between the fades; of 0 samples: none.

    >>> fade_gain(0, 8, 8, fade_in_samples=2, fade_out_samples=4).round(2).tolist()
    [0.0, 0.5, 1.0, 1.0, 0.8500000238418579, 0.5, 0.15000000596046448, 0.0]
    """
    at = np.arange(start, start + length)
    gain = np.ones(length, np.float32)
    for from_end, fade_samples in ((at, fade_in_samples), (total - 1 - at, fade_out_samples)):
        if fade_samples:
            turns = np.minimum(from_end / fade_samples, 1.0)
            gain *= (0.5 - 0.5 * np.cos(np.pi * turns)).astype(np.float32)
    return gain
