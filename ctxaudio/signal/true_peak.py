"""True peak by ITU-R BS.1770-4 (annex 2): how high the waveform rises between the samples, block by block."""

from __future__ import annotations

import functools

import numpy as np
import scipy.signal

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.blas import one_blas_thread

OVERSAMPLING = 4
INTERPOLATOR_TAPS = 64
INTERPOLATOR_CUTOFF = 0.96  # of half the sample rate; with these taps within 0.1 dB of soxr HQ on noise of any colour
ROW_OUTPUTS = 32
PIECE_SAMPLES = 16384  # what the processor keeps at hand: half the time of 65536


class TruePeakMeter:
    """Highest point of the waveform between the samples of a sound given in blocks, by four-fold oversampling.

    BS.1770-4 annex 2. The sound is taken as zero before its start and after its end. `channels` as in `LoudnessMeter`.

    >>> meter = TruePeakMeter()
    >>> quarter_rate_tone = np.sin(2 * np.pi * (np.arange(4000) / 4 + 1 / 8)) * np.hanning(4000)
    >>> meter.add(quarter_rate_tone[:1001]), meter.add(quarter_rate_tone[1001:])
    (None, None)
    >>> round(float(np.abs(quarter_rate_tone).max()), 2), round(meter.peak, 2)  # the samples miss the crests
    (0.71, 1.0)
    """

    def __init__(self, channels: int = 1) -> None:
        self.channels = channels
        self._highest = 0.0
        self._pending = np.zeros((channels, INTERPOLATOR_TAPS - 1), np.float32)

    def add(self, block: FloatArray) -> None:
        """Take the next `block`, `[T]` or `[channels, T]`, of any length; `CtxAudioError` if it is not finite."""
        rows = channel_rows(block, self.channels)
        for start in range(0, rows.shape[1], PIECE_SAMPLES):
            piece = np.concatenate([self._pending, rows[:, start : start + PIECE_SAMPLES]], axis=1)
            whole_rows = (piece.shape[1] - INTERPOLATOR_TAPS + 1) // ROW_OUTPUTS
            self._highest = max(self._highest, _peak_between(piece, whole_rows, self._highest))
            self._pending = piece[:, whole_rows * ROW_OUTPUTS :]

    @property
    def peak(self) -> float:
        """Linear, 0 for silence."""
        ending = np.zeros((self.channels, INTERPOLATOR_TAPS + ROW_OUTPUTS), np.float32)
        piece = np.concatenate([self._pending, ending], axis=1)
        whole_rows = (piece.shape[1] - INTERPOLATOR_TAPS + 1) // ROW_OUTPUTS
        return max(self._highest, _peak_between(piece, whole_rows, self._highest))


def true_peak_db(samples: FloatArray, sample_rate: int) -> float:
    """True peak of `samples` (`[T]` or stereo `[2, T]`) in dBTP, the same at any `sample_rate`; see `TruePeakMeter`.

    `-inf` for silence. Raises `CtxAudioError` for samples of more than two channels, empty or not finite.

    >>> true_peak_db(np.full(100, 0.0, np.float32), 8000)
    -inf
    """
    meter = TruePeakMeter(count_channels(samples))
    meter.add(samples)
    return decibels(meter.peak)


def count_channels(samples: FloatArray) -> int:
    """1 for `[T]`, 2 for `[2, T]`; raises `CtxAudioError` for any other shape and for no samples at all."""
    if samples.size == 0 or samples.ndim not in (1, 2) or (samples.ndim == 2 and samples.shape[0] > 2):
        raise CtxAudioError(
            f"expected mono samples [T] or stereo [2, T] with T >= 1, not an array of shape {samples.shape}"
        )
    return 1 if samples.ndim == 1 else samples.shape[0]


def channel_rows(block: FloatArray, channels: int) -> FloatArray:
    """`block` as `[channels, T]`; raises `CtxAudioError` for another number of channels, NaN and infinity."""
    rows = block[None] if block.ndim == 1 else block
    if rows.ndim != 2 or rows.shape[0] != channels:
        raise CtxAudioError(f"expected blocks [{channels}, T], not an array of shape {block.shape}")
    if not np.isfinite(rows).all():
        raise CtxAudioError("can't measure the loudness of samples that hold NaN or infinity")
    return rows


@functools.lru_cache(maxsize=1)
def _interpolation() -> tuple[FloatArray, float]:
    """A matrix that takes 95 samples in a row to the 3 x 32 points between 32 of them, and the most it can amplify.

    A matrix product does the many short sums of a polyphase filter at several times the speed of a convolution.
    """
    length = OVERSAMPLING * INTERPOLATOR_TAPS - 1
    kernel = scipy.signal.firwin(length, INTERPOLATOR_CUTOFF / OVERSAMPLING, window=("kaiser", 2.5)) * OVERSAMPLING
    phases = np.append(kernel, 0.0).reshape(INTERPOLATOR_TAPS, OVERSAMPLING)[:, :-1]  # the last is on the samples
    matrix = np.zeros((ROW_OUTPUTS + INTERPOLATOR_TAPS - 1, OVERSAMPLING - 1, ROW_OUTPUTS), np.float32)
    for output in range(ROW_OUTPUTS):
        matrix[output : output + INTERPOLATOR_TAPS, :, output] = phases
    return matrix.reshape(len(matrix), -1), float(np.abs(phases).sum(0).max())


def _peak_between(piece: FloatArray, whole_rows: int, known: float) -> float:
    """Highest magnitude of `piece` `[channels, n]`, on its samples and between them, as far as it is above `known`."""
    matrix, most = _interpolation()
    on_samples = max(float(piece.max()), -float(piece.min()))
    if whole_rows == 0 or on_samples * most <= known:
        return on_samples
    rows = np.lib.stride_tricks.sliding_window_view(piece, len(matrix), axis=1)[:, ::ROW_OUTPUTS][:, :whole_rows]
    with one_blas_thread():
        between = rows.reshape(-1, len(matrix)) @ matrix
    return max(on_samples, float(between.max()), -float(between.min()))


def decibels(amplitude: float) -> float:
    return float(20.0 * np.log10(amplitude)) if amplitude > 0.0 else -np.inf
