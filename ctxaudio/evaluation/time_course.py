"""Does one sound go the same way in time as a part of another? What tells a copy from a sound of the same kind.

Statistics can't: two takes of one rain have the same. So the envelopes in bands of hearing are laid over each other
at every lag, and correlated. Level and colour don't matter, nor does the phase of the waveform.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from ctxaudio.files import FloatArray
from ctxaudio.signal.cochlea import band_envelopes, centre_frequencies_hz
from ctxaudio.signal.envelope import Array

BAND_STEP = 3
COMPRESSION = 0.3
SLOWEST_HZ = 40.0


def time_course(samples: FloatArray, sample_rate: int) -> tuple[Array, float]:
    """Compressed envelopes `[K, T']` of `samples` `[T]` in every third band of hearing, at some 40 Hz, and that rate.

    Raises `CtxAudioError` for samples that are empty or not mono.
    """
    envelopes, rate_hz = band_envelopes(samples, sample_rate, centre_frequencies_hz(sample_rate)[::BAND_STEP])
    step = max(1, int(rate_hz // SLOWEST_HZ))
    count = max(1, envelopes.shape[1] // step)
    blocks = envelopes[:, : count * step].reshape(len(envelopes), count, -1).mean(axis=2)
    return np.maximum(blocks, 1e-9) ** COMPRESSION, rate_hz / step


def best_correlation(course: Array, other: Array) -> float:
    """Highest correlation (-1..1) over all lags at which the shorter of two courses `[K, T']` lies within the longer.

    >>> random = np.random.default_rng(0)
    >>> long = random.random((4, 300))
    >>> round(best_correlation(3.0 * long[:, 70:150] + 1.0, long), 6)
    1.0
    """
    short, long = (course, other) if course.shape[1] <= other.shape[1] else (other, course)
    length, total = short.shape[1], long.shape[1]
    template = short - short.mean(axis=1, keepdims=True)
    size = int(scipy.fft.next_fast_len(total, real=True))
    products = scipy.fft.irfft(scipy.fft.rfft(long, size) * scipy.fft.rfft(template, size).conj(), size)
    together = products[:, : total - length + 1].sum(axis=0)
    sums, squares = (np.cumsum(np.pad(x, ((0, 0), (1, 0))), axis=1) for x in (long, long**2))
    moving = squares[:, length:] - squares[:, :-length] - (sums[:, length:] - sums[:, :-length]) ** 2 / length
    energy = np.maximum(moving, 0.0).sum(axis=0) * np.square(template).sum()
    return float((together / np.sqrt(np.maximum(energy, 1e-20))).max())
