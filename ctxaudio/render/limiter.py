"""A look-ahead peak limiter for streams: one crackle in eight hours must not make the whole night quieter.

The gain that each moment needs to stay under the ceiling is spread over 5 ms to either side by its minimum, then
smoothed by a Hann window as long, so it never jumps and never lets a peak through; all channels share it.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
import scipy.signal

from ctxaudio.files import FloatArray
from ctxaudio.signal.filters import resample
from ctxaudio.signal.loudness import OVERSAMPLING, true_peak_db

REACH_S = 0.005
#: Peaks are found between the samples too, and a smooth gain moves them a little: stay this much below.
MARGIN_DB = 0.2


class PeakLimiter:
    """Blocks `[channels, T]` in and out, true peak under `ceiling_db` (dBTP); what comes out lags by 10 ms.

    >>> limiter = PeakLimiter(-6.0, 8000)
    >>> click = np.zeros((1, 8000), np.float32)
    >>> click[0, 4000] = 1.0
    >>> out = np.concatenate([limiter.process(click), limiter.flush()], axis=1)
    >>> out.shape, round(float(20 * np.log10(out.max())), 1)
    ((1, 8000), -6.2)
    """

    def __init__(self, ceiling_db: float, sample_rate: int) -> None:
        self._ceiling_db = ceiling_db
        self._ceiling = 10.0 ** ((ceiling_db - MARGIN_DB) / 20.0)
        self._sample_rate = sample_rate
        self._reach = max(1, round(REACH_S * sample_rate))
        window = np.hanning(2 * self._reach + 3)[1:-1]
        self._smoothing = (window / window.sum()).astype(np.float32)
        self._waiting: FloatArray | None = None
        self._past = 0  # samples of `_waiting` that have already gone out

    def process(self, block: FloatArray) -> FloatArray:
        waiting = block if self._waiting is None else np.concatenate([self._waiting, block], axis=1)
        return self._emit(waiting, max(self._past, waiting.shape[1] - 2 * self._reach))

    def flush(self) -> FloatArray:
        """The rest of the stream."""
        assert self._waiting is not None
        return self._emit(self._waiting, self._waiting.shape[1])

    def _emit(self, waiting: FloatArray, until: int) -> FloatArray:
        ready = waiting[:, self._past : until]
        if waiting.shape[1] and true_peak_db(waiting) > self._ceiling_db - MARGIN_DB:
            ready = ready * self._gain(waiting)[self._past : until]
        keep_from = max(0, until - 2 * self._reach)
        self._waiting, self._past = waiting[:, keep_from:], until - keep_from
        return ready

    def _gain(self, sound: FloatArray) -> FloatArray:
        rows = [resample(row, self._sample_rate, OVERSAMPLING * self._sample_rate) for row in sound]
        between = np.abs(np.stack(rows))[:, : OVERSAMPLING * sound.shape[1]]
        between = np.pad(between, ((0, 0), (0, OVERSAMPLING * sound.shape[1] - between.shape[1])))
        peaks = np.maximum(between.reshape(len(sound), -1, OVERSAMPLING).max((0, 2)), np.abs(sound).max(0))
        peaks[:-1] = np.maximum(peaks[:-1], peaks[1:])  # a crest between two samples concerns both
        needed = np.minimum(1.0, self._ceiling / np.maximum(peaks, 1e-9)).astype(np.float32)
        spread = scipy.ndimage.minimum_filter1d(needed, 2 * self._reach + 1, mode="nearest")
        padded = np.pad(spread, self._reach, mode="edge")
        return np.asarray(scipy.signal.oaconvolve(padded, self._smoothing, mode="valid"), dtype=np.float32)
