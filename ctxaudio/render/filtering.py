"""A zero-phase kernel over a stream of blocks: what comes out lags by half a kernel, and `flush` brings the rest."""

from __future__ import annotations

import numpy as np
import scipy.signal

from ctxaudio.files import FloatArray


class CentredFilter:
    """Blocks `[channels, T]` in, pairs of (as it came, filtered) out, aligned; the stream is zero outside itself.

    The same as `signal.kernels.centred_convolution` of the whole.
    """

    def __init__(self, kernel: FloatArray, channels: int) -> None:
        self._kernel = kernel[None].astype(np.float32)
        self._half = len(kernel) // 2
        # Two halves of history: zeros before the stream, of which the first half belongs to no output sample.
        self._waiting = np.zeros((channels, self._half), dtype=np.float32)

    def process(self, block: FloatArray) -> tuple[FloatArray, FloatArray]:
        waiting = np.concatenate([self._waiting, block], axis=1)
        ready = waiting.shape[1] - 2 * self._half
        if ready <= 0:
            self._waiting = waiting
            return waiting[:, :0], waiting[:, :0]
        self._waiting = waiting[:, ready:]
        filtered = scipy.signal.oaconvolve(waiting, self._kernel, mode="valid", axes=1)
        return waiting[:, self._half : self._half + ready], np.asarray(filtered, dtype=np.float32)

    def flush(self) -> tuple[FloatArray, FloatArray]:
        return self.process(np.zeros((len(self._waiting), self._half), dtype=np.float32))
