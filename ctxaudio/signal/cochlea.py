"""Envelopes as hearing takes them: slow, in auditory bands, and by the rates that they hold.

400 samples a second are enough for modulation up to 100 Hz. In blocks (overlap-save), one FFT a block gives the
analytic signal of any band of it by a short inverse FFT; equal FFTs side by side take a fraction of a long one's time.

The auditory filters are gammatones of order 4 and bandwidth 1.019 ERB (Patterson et al. 1987; ERB = 24.7 (4.37 f / kHz
+ 1) Hz, Glasberg & Moore 1990, doi:10.1016/0378-5955(90)90170-T) in closed form: the recursive filter of
`scipy.signal.gammatone` is unstable at 48 kHz below 250 Hz. A band is as slow as it is narrow: of a tone at the centre,
depth at rate f is multiplied by (1 + (f / 1.019 ERB)^2)^-2, so at 125 Hz (ERB 38 Hz) 40 Hz keeps 0.24, at 1 kHz 0.85.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.fft

from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.envelope import Array, ComplexArray

SLOW_RATE_HZ = 400.0
BLOCK_S = 1.2
MARGIN_S = 0.1  # in which the slowest auditory band has forgotten what came before

ORDER = 4
BANDWIDTH_ERB = 1.019
HALF_WIDTH_ERB = 3.0  # a band is cut off this far from its centre, where its response is down by 39 dB


def slow_envelope(samples: npt.NDArray[np.floating], sample_rate: int) -> tuple[Array, float]:
    """The Hilbert envelope of `samples` `[T]` at a low rate, `[T * rate / sample_rate]` rounded up, and that rate.

    The rate is 400 Hz or a little more (a sample rate without a divisor near there stays as it is); depths of
    modulation up to 100 Hz are within 0.0005 of those of `hilbert_envelope`.

    Raises `CtxAudioError` for samples that are empty or not mono.
    """
    envelopes, rate_hz = _envelopes(samples, sample_rate, None)
    return envelopes[0], rate_hz


def band_envelopes(samples: npt.NDArray[np.floating], sample_rate: int, centres_hz: Array) -> tuple[Array, float]:
    """Envelope in each gammatone band, `[K, T']`, of `samples` `[T]`, and its rate in hertz: both as `slow_envelope`.

    The filters are causal: low bands come some 20 ms late.
    """
    return _envelopes(samples, sample_rate, centres_hz)


def samples_per_slow_sample(sample_rate: int) -> int:
    """The largest divisor of `sample_rate` that leaves an envelope 400 samples a second or more; 1 at the least.

    >>> [samples_per_slow_sample(rate) for rate in (16000, 22050, 48000)]
    [40, 50, 120]
    """
    return max(step for step in range(1, max(2, int(sample_rate // SLOW_RATE_HZ) + 1)) if sample_rate % step == 0)


def erb_hz(frequency_hz: npt.ArrayLike) -> Array:
    """Equivalent rectangular bandwidth in hertz of the auditory filter at `frequency_hz` (any shape).

    >>> erb_hz([100.0, 1000.0]).round(1)
    array([ 35.5, 132.6])
    """
    return np.asarray(24.7 * (4.37e-3 * np.asarray(frequency_hz, dtype=np.float64) + 1.0))


def centre_frequencies_hz(sample_rate: int, low_hz: float = 125.0, high_hz: float = 8000.0) -> Array:
    """Centres one ERB apart from `low_hz` up to `high_hz`, or less where the filter must fit below `sample_rate`/2.

    Raises `CtxAudioError` where not one fits.

    >>> [len(centre_frequencies_hz(rate)) for rate in (8000, 22050)]
    [23, 30]
    """
    number = 21.4 * np.log10(4.37e-3 * low_hz + 1.0)
    count = max(0, int(21.4 * np.log10(4.37e-3 * high_hz + 1.0) - number)) + 1
    centres = (10.0 ** ((number + np.arange(count)) / 21.4) - 1.0) / 4.37e-3
    fitting = np.asarray(centres[centres + erb_hz(centres) <= sample_rate / 2])
    if len(fitting) == 0:
        raise CtxAudioError(f"no auditory band from {low_hz:g} Hz up fits below {sample_rate / 2:g} Hz")
    return fitting


def gammatone_response(frequencies_hz: Array, centre_hz: float) -> ComplexArray:
    """Transfer function `[F]` at `frequencies_hz` `[F]` of the gammatone at `centre_hz`, about 1 there."""
    bandwidth_hz = BANDWIDTH_ERB * float(erb_hz(centre_hz))
    direct = 1.0 + 1j * (frequencies_hz - centre_hz) / bandwidth_hz
    mirrored = 1.0 + 1j * (frequencies_hz + centre_hz) / bandwidth_hz  # a real filter passes -centre_hz as well
    return np.asarray(direct**-ORDER + mirrored**-ORDER)


def modulation_rates_hz(per_octave: float = 2.0, low_hz: float = 0.5, high_hz: float = 100.0) -> Array:
    """Centres `[M]` in hertz, `per_octave` of them an octave, from `low_hz` up to at most `high_hz`.

    >>> modulation_rates_hz(1.0)
    array([ 0.5,  1. ,  2. ,  4. ,  8. , 16. , 32. , 64. ])
    """
    count = int(np.floor(np.log2(high_hz / low_hz) * per_octave + 1e-9)) + 1
    return np.asarray(low_hz * 2.0 ** (np.arange(count) / per_octave))


def modulation_response(frequencies_hz: npt.ArrayLike, rates_hz: Array, per_octave: float = 2.0) -> Array:
    """Gain `[M, F]` of modulation filters centred at `rates_hz` `[M]`, at `frequencies_hz` `[F]`.

    Constant-Q, as sensitivity to modulation is (Dau et al. 1997, doi:10.1121/1.420344; McDermott & Simoncelli 2011,
    doi:10.1016/j.neuron.2011.06.032): half-cosines of the logarithm of the rate, 1 at the centre, 0 at the next. Their
    squares add up to 1, so no movement is counted twice, and none is lost.

    >>> modulation_response([4.0, 4.0 * 2**0.25], modulation_rates_hz(2.0))[6:8].round(3)
    array([[1.   , 0.707],
           [0.   , 0.707]])
    """
    frequencies = np.asarray(frequencies_hz, dtype=np.float64)
    with np.errstate(divide="ignore"):
        steps = np.abs(np.log2(frequencies[None] / rates_hz[:, None])) * per_octave
    return np.asarray(np.where(steps < 1.0, np.cos(np.pi / 2 * np.minimum(steps, 1.0)), 0.0))


def _envelopes(samples: npt.NDArray[np.floating], sample_rate: int, centres_hz: Array | None) -> tuple[Array, float]:
    """Slow envelope `[K, T']` in the band at each of `centres_hz`, or `[1, T']` of all, and its rate.

    The magnitude of the analytic signal, low-passed below 200 Hz, in overlapping blocks of 1.2 s, mirrored at the ends.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise CtxAudioError(f"an envelope needs mono samples [T] with T >= 1, not shape {samples.shape}")
    step = samples_per_slow_sample(sample_rate)
    rate_hz = sample_rate / step
    block, margin = int(scipy.fft.next_fast_len(round(BLOCK_S * rate_hz))), round(MARGIN_S * rate_hz)
    hop = block - 2 * margin
    length = -(-len(samples) // step)
    # Mirrored, so that the envelope doesn't fall at the ends; what is mirrored is cut off again.
    mirrored = min(margin * step, len(samples) - 1)
    padded = np.zeros(step * (2 * margin + -(-length // hop) * hop), dtype=np.float32)
    ends = np.pad(samples.astype(np.float32), mirrored, mode="reflect")
    start = margin * step - mirrored
    padded[start : start + len(ends)] = ends[: len(padded) - start]
    overlapping = np.lib.stride_tricks.sliding_window_view(padded, step * block)[:: step * hop]
    spectra = np.asarray(scipy.fft.rfft(overlapping), dtype=np.complex64)
    bins, bin_hz = spectra.shape[1], sample_rate / (step * block)
    envelopes = []
    for centre_hz in [None] if centres_hz is None else centres_hz.tolist():
        if centre_hz is None:
            # A magnitude reaches beyond its signal's own band: a flat one needs twice its rate (depths within 0.0005).
            first, response, oversampling = 1, np.ones(bins - 1, np.complex64), 2
        else:
            half_hz, oversampling = HALF_WIDTH_ERB * float(erb_hz(centre_hz)), 1
            first, end = round((centre_hz - half_hz) / bin_hz), round((centre_hz + half_hz) / bin_hz)
            first, end = max(1, first), min(bins, end)
            frequencies_hz = np.arange(first, end, dtype=np.float64) * bin_hz
            response = gammatone_response(frequencies_hz, centre_hz).astype(np.complex64)
        width = block * int(scipy.fft.next_fast_len(-(-oversampling * len(response) // block)))
        analytic = scipy.fft.ifft(spectra[:, first : first + len(response)] * response, width)
        magnitude = np.sqrt(analytic.real**2 + analytic.imag**2)  # np.abs takes three times as long
        slow = scipy.fft.irfft(scipy.fft.rfft(magnitude)[:, : block // 2 + 1], block)
        envelopes.append(slow[:, margin : block - margin].ravel()[:length] * (2.0 / step))
    return np.stack(envelopes).astype(np.float64), rate_hz
