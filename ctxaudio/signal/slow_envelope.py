"""Envelopes at a low rate: 400 samples a second are enough for modulation up to 100 Hz, and fast to measure.

In blocks (overlap-save): one FFT a block gives the analytic signal of any band of it by a short inverse FFT, and equal
FFTs side by side take a fraction of the time of a long one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.sinusoids import Array

SLOW_RATE_HZ = 400.0
BLOCK_S = 1.2
MARGIN_S = 0.1  # in which the slowest auditory band has forgotten what came before

Complex64Array = npt.NDArray[np.complex64]


def slow_envelope(samples: npt.NDArray[np.floating], sample_rate: int) -> tuple[Array, float]:
    """The Hilbert envelope of `samples` `[T]` at a low rate, `[T * rate / sample_rate]` rounded up, and that rate.

    The rate is 400 Hz or a little more; depths of modulation up to 100 Hz are within 0.0005 of those of
    `hilbert_envelope`. A sample rate without a divisor near there stays as it is.

    Raises `CtxAudioError` for samples that are empty or not mono.

    >>> t = np.arange(88200) / 22050
    >>> envelope, rate_hz = slow_envelope((1 + 0.5 * np.sin(2 * np.pi * 6 * t)) * np.sin(2 * np.pi * 1000 * t), 22050)
    >>> len(envelope), rate_hz, round(float(envelope.max()), 2)
    (1764, 441.0, 1.5)
    """
    blocks = blocks_of(samples, sample_rate)
    return blocks.envelope(1, blocks.spectra.shape[1] - 1, oversampling=2), blocks.rate_hz


def samples_per_slow_sample(sample_rate: int) -> int:
    """The largest divisor of `sample_rate` that leaves an envelope 400 samples a second or more; 1 at the least.

    >>> [samples_per_slow_sample(rate) for rate in (16000, 22050, 48000)]
    [40, 50, 120]
    """
    return max(step for step in range(1, max(2, int(sample_rate // SLOW_RATE_HZ) + 1)) if sample_rate % step == 0)


@dataclass(frozen=True)
class Blocks:
    """Spectra `[G, bins]` of overlapping blocks; `block` and `margin` (either side) in slow samples, `step` long."""

    spectra: Complex64Array
    bin_hz: float
    rate_hz: float
    step: int
    block: int
    margin: int
    length: int

    def envelope(
        self, first_bin: int, bins: int, response: Complex64Array | None = None, oversampling: int = 1
    ) -> Array:
        """Slow envelope `[length]` of `bins` bins from `first_bin` on, times `response` `[bins]` if given.

        The magnitude of the analytic signal, low-passed below 200 Hz. It is taken at a rate of `oversampling` times
        the band, as a magnitude reaches beyond its signal's own band: a flat one needs 2 (depths within 0.0005), one
        with slopes 1.
        """
        width = self.block * int(scipy.fft.next_fast_len(-(-oversampling * bins // self.block)))
        band = self.spectra[:, first_bin : first_bin + bins]
        analytic = scipy.fft.ifft(band if response is None else band * response, width)
        magnitude = np.sqrt(analytic.real**2 + analytic.imag**2)  # np.abs takes three times as long
        slow = scipy.fft.irfft(scipy.fft.rfft(magnitude)[:, : self.block // 2 + 1], self.block)
        kept = slow[:, self.margin : self.block - self.margin].ravel()[: self.length]
        return np.asarray(kept * (2.0 / self.step), dtype=np.float64)


def blocks_of(samples: npt.NDArray[np.floating], sample_rate: int) -> Blocks:
    """`samples` `[T]` cut into overlapping blocks of 1.2 s, mirrored at the ends, and transformed.

    Raises `CtxAudioError` for samples that are empty or not mono.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise CtxAudioError(f"an envelope needs mono samples [T] with T >= 1, not shape {samples.shape}")
    step = samples_per_slow_sample(sample_rate)
    rate_hz = sample_rate / step
    block, margin = int(scipy.fft.next_fast_len(round(BLOCK_S * rate_hz))), round(MARGIN_S * rate_hz)
    hop = block - 2 * margin
    length = -(-len(samples) // step)
    count = -(-length // hop)
    # Mirrored, so that the envelope doesn't fall at the ends; what is mirrored is cut off again.
    mirrored = min(margin * step, len(samples) - 1)
    padded = np.zeros(step * (2 * margin + count * hop), dtype=np.float32)
    ends = np.pad(samples.astype(np.float32), mirrored, mode="reflect")
    start = margin * step - mirrored
    padded[start : start + len(ends)] = ends[: len(padded) - start]
    overlapping = np.lib.stride_tricks.sliding_window_view(padded, step * block)[:: step * hop]
    spectra = np.asarray(scipy.fft.rfft(overlapping), dtype=np.complex64)
    return Blocks(spectra, sample_rate / (step * block), rate_hz, step, block, margin, length)
