"""Envelopes as hearing takes them, and how deep they go up and down at any rate in hertz: is that more than chance?

A rate such as 7.83 Hz falls between the bins of a 4 s spectrum (31.3 cycles), so depths come from a least-squares
fit of `a + b cos + c sin` at the exact rate. Numpy only and apart from the modulation layer on purpose: what
measures must not share code with what is measured. Sources: Viemeister 1979 (doi:10.1121/1.383531) for depth; Picton
et al. 2003 (doi:10.3109/14992020309101316) for the F test of a rate against its neighbours, as used for steady-state
responses.

400 samples a second are enough for modulation up to 100 Hz. In blocks (overlap-save), one FFT a block gives the
analytic signal of any band of it by a short inverse FFT; equal FFTs side by side take a fraction of a long one's time.

The auditory filters are gammatones of order 4 and bandwidth 1.019 ERB (Patterson et al. 1987; ERB = 24.7 (4.37 f / kHz
+ 1) Hz, Glasberg & Moore 1990, doi:10.1016/0378-5955(90)90170-T) in closed form: the recursive filter of
`scipy.signal.gammatone` is unstable at 48 kHz below 250 Hz. A band is as slow as it is narrow: of a tone at the centre,
depth at rate f is multiplied by (1 + (f / 1.019 ERB)^2)^-2, so at 125 Hz (ERB 38 Hz) 40 Hz keeps 0.24, at 1 kHz 0.85.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from ctxaudio.errors import CtxAudioError

Array = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

SLOW_RATE_HZ = 400.0
BLOCK_S = 1.2
MARGIN_S = 0.1  # in which the slowest auditory band has forgotten what came before

ORDER = 4
BANDWIDTH_ERB = 1.019
HALF_WIDTH_ERB = 3.0  # a band is cut off this far from its centre, where its response is down by 39 dB

NEIGHBOURS_FROM_HZ, NEIGHBOURS_TO_HZ = 0.5, 1.5


def hilbert_envelope(samples: npt.NDArray[np.floating], sample_rate: float) -> Array:
    """Magnitude of the analytic signal of `samples` `[T]`, `[T]`; `CtxAudioError` if they are empty or not mono."""
    _check_mono(samples)
    # a prime length takes the FFT many times as long; the padding also keeps the end from the start
    padded = int(scipy.fft.next_fast_len(len(samples) + int(sample_rate) // 8))
    return np.asarray(np.abs(scipy.signal.hilbert(samples.astype(np.float64), padded))[: len(samples)])


def slow_envelope(samples: npt.NDArray[np.floating], sample_rate: int) -> tuple[Array, float]:
    """The Hilbert envelope of `samples` `[T]` at a low rate, `[T * rate / sample_rate]` rounded up, and that rate.

    The rate is 400 Hz or a little more (a sample rate without a divisor near there stays as it is); depths of
    modulation up to 100 Hz are within 0.0005 of those of `hilbert_envelope`. Errors as there.
    """
    envelopes, rate_hz = band_envelopes(samples, sample_rate, None)
    return envelopes[0], rate_hz


def band_envelopes(
    samples: npt.NDArray[np.floating], sample_rate: int, centres_hz: Array | None
) -> tuple[Array, float]:
    """Slow envelope `[K, T']` of `samples` `[T]` in the gammatone band at each of `centres_hz`, or `[1, T']` of all.

    Length, rate in hertz and errors are as with `slow_envelope`. It is the magnitude of the analytic signal, low-passed
    below 200 Hz, in overlapping blocks, mirrored at the ends. The filters are causal: low bands come some 20 ms late.
    """
    _check_mono(samples)
    step = slow_step(sample_rate)
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
            first, end = max(1, round((centre_hz - half_hz) / bin_hz)), min(bins, round((centre_hz + half_hz) / bin_hz))
            frequencies_hz = np.arange(first, end, dtype=np.float64) * bin_hz
            response = gammatone_response(frequencies_hz, centre_hz).astype(np.complex64)
        width = block * int(scipy.fft.next_fast_len(-(-oversampling * len(response) // block)))
        analytic = scipy.fft.ifft(spectra[:, first : first + len(response)] * response, width)
        magnitude = np.sqrt(analytic.real**2 + analytic.imag**2)  # np.abs takes three times as long
        slow = scipy.fft.irfft(scipy.fft.rfft(magnitude)[:, : block // 2 + 1], block)
        envelopes.append(slow[:, margin : block - margin].ravel()[:length] * (2.0 / step))
    return np.stack(envelopes).astype(np.float64), rate_hz


def slow_step(sample_rate: int) -> int:
    """The largest divisor of `sample_rate` that leaves an envelope 400 samples a second or more; 1 at the least.

    >>> [slow_step(rate) for rate in (16000, 22050, 48000)]
    [40, 50, 120]
    """
    return max(step for step in range(1, max(2, int(sample_rate // SLOW_RATE_HZ) + 1)) if sample_rate % step == 0)


def erb_hz(frequency_hz: npt.ArrayLike) -> Array:
    """Equivalent rectangular bandwidth in hertz of the auditory filter at `frequency_hz` (any shape)."""
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


def modulation_filters(
    frequencies_hz: npt.ArrayLike, per_octave: float = 2.0, low_hz: float = 0.5, high_hz: float = 100.0
) -> tuple[Array, Array]:
    """Centres `[M]` in hertz of modulation filters from `low_hz` up, and their gain `[M, F]` at `frequencies_hz` `[F]`.

    Constant-Q, as sensitivity to modulation is (Dau et al. 1997, doi:10.1121/1.420344; McDermott & Simoncelli 2011,
    doi:10.1016/j.neuron.2011.06.032): half-cosines of the logarithm of the rate, 1 at the centre, 0 at the next. Their
    squares add up to 1, so no movement is counted twice, and none is lost.
    """
    count = int(np.floor(np.log2(high_hz / low_hz) * per_octave + 1e-9)) + 1
    rates_hz = np.asarray(low_hz * 2.0 ** (np.arange(count) / per_octave))
    with np.errstate(divide="ignore"):
        steps = np.abs(np.log2(np.asarray(frequencies_hz, dtype=np.float64) / rates_hz[:, None])) * per_octave
    return rates_hz, np.asarray(np.where(steps < 1.0, np.cos(np.pi / 2 * np.minimum(steps, 1.0)), 0.0))


class RateDetection(NamedTuple):
    """Modulation depth at a rate, rms depth of its N neighbours, and the chance of it in noise by F(2, 2N)."""

    depth: float
    floor: float
    p_value: float


def envelope_depth(envelope: Array, sample_rate: float, rate_hz: float) -> float:
    """Modulation depth m of `envelope` `[T]` at exactly `rate_hz` (1 is full modulation); errors as `joint_depths`."""
    return joint_depths(envelope, sample_rate, [rate_hz])[0]


def joint_depths(envelope: Array, sample_rate: float, rates_hz: Sequence[float]) -> tuple[float, ...]:
    """Modulation depth of `envelope` `[T]` at each of `rates_hz`, fitted at once, so that none leaks into another.

    Raises `CtxAudioError` for a silent envelope, a rate with less than one cycle in it or above half the sample
    rate, and rates too close to be told apart (nearer than half a cycle over the whole length).
    """
    return tuple(sinusoid_fits(envelope, sample_rate, np.array([rates_hz], dtype=np.float64))[1][0].tolist())


def modulation_spectrum(envelope: Array, sample_rate: float, rates_hz: npt.ArrayLike) -> Array:
    """Modulation depth `[R]` of `envelope` `[T]` at `rates_hz` `[R]`, each fitted alone; errors as `joint_depths`."""
    return sinusoid_fits(envelope, sample_rate, np.asarray(rates_hz, dtype=np.float64)[:, None])[1][:, 0]


def detect_rate(envelope: Array, sample_rate: float, rate_hz: float, others_hz: Sequence[float] = ()) -> RateDetection:
    """How far `rate_hz` stands out in `envelope` `[T]`, once it and `others_hz` are taken out together.

    Neighbours lie 0.5 to 1.5 Hz away in steps of one cycle over the whole length, where the fitted rate itself has
    no leakage; none is within one step of another rate. Raises `CtxAudioError` as `joint_depths` does and where the
    sound is too short for a neighbour.
    """
    rates, length, duration_s = np.array([rate_hz, *others_hz], np.float64), len(envelope), len(envelope) / sample_rate
    fits, depths = sinusoid_fits(envelope, sample_rate, rates[None])
    first, last = np.ceil(NEIGHBOURS_FROM_HZ * duration_s - 1e-6), np.floor(NEIGHBOURS_TO_HZ * duration_s + 1e-6)
    steps = np.arange(max(first, 1), last + 1) / duration_s
    beside_hz = rate_hz + np.concatenate([-steps[::-1], steps])
    apart_hz = np.abs(beside_hz[:, None] - rates).min(axis=1)
    beside_hz = beside_hz[(beside_hz >= 1.0 / duration_s) & (apart_hz > 1.0 / duration_s - 1e-6)]
    if not (count := len(beside_hz)):
        raise CtxAudioError(f"{duration_s:.2f} s is too short for a floor around {rate_hz:g} Hz: use 2 s or more")
    # What the fit itself has at the neighbours is a sum of geometric series, so nothing need be subtracted in time.
    fitted_hz = np.concatenate([[0.0], rates, -rates])
    leak = _geometric_series(2.0 * np.pi * (fitted_hz[:, None] - beside_hz) / sample_rate, length)
    rest = _fourier_sums(envelope, sample_rate, beside_hz) - fits[0] @ leak
    depth, floor = depths[0, 0], np.sqrt(np.mean((2 * np.abs(rest) / length / fits[0, 0].real) ** 2))
    with np.errstate(divide="ignore"):
        f_statistic = (depth / floor) ** 2
    p_value = (1.0 + f_statistic / count) ** -float(count)  # what F(2, 2N) leaves above it, in closed form
    return RateDetection(float(depth), float(floor), float(p_value))


def sinusoid_fits(envelope: Array, sample_rate: float, rates_hz: Array) -> tuple[ComplexArray, Array]:
    """R fits of K rates `[R, K]` in `[T]`: coefficients `[R, 1+2K]` of 1, exp(iwn), exp(-iwn), and depths `[R, K]`.

    The normal equations need no design matrix: their entries are geometric series in closed form. Errors as
    `joint_depths`.
    """
    if envelope.ndim != 1 or envelope.size == 0 or not envelope.mean() > 0.0:
        raise CtxAudioError("can't measure the modulation of silence: the envelope is empty, zero or not mono")
    length, fits, duration_s = len(envelope), len(rates_hz), len(envelope) / sample_rate
    for rate_hz in rates_hz.ravel():
        if not 1.0 / duration_s <= rate_hz < sample_rate / 2:
            allowed = f"choose {1 / duration_s:.2g} Hz (one cycle) to {sample_rate / 2:g} Hz"
            raise CtxAudioError(f"rate {rate_hz:g} Hz can't be measured on {duration_s:.2f} s: {allowed}")
    for low_hz, high_hz in itertools.chain.from_iterable(map(itertools.pairwise, np.sort(rates_hz))):
        if (high_hz - low_hz) * duration_s < 0.5:
            raise CtxAudioError(f"{duration_s:.2f} s can't tell {low_hz:g} Hz from {high_hz:g} Hz: use a longer clip")
    signed_hz = np.concatenate([np.zeros((fits, 1)), rates_hz, -rates_hz], axis=1)
    gram = _geometric_series(2.0 * np.pi * (signed_hz[:, None, :] - signed_hz[:, :, None]) / sample_rate, length)
    waves = _fourier_sums(envelope, sample_rate, rates_hz.ravel()).reshape(rates_hz.shape)
    right = np.concatenate([np.full((fits, 1), envelope.sum()), waves, waves.conj()], axis=1)
    coefficients = np.asarray(np.linalg.solve(gram / length, right[..., None] / length)[..., 0], np.complex128)
    return coefficients, 2 * np.abs(coefficients[:, 1 : 1 + rates_hz.shape[1]]) / coefficients[:, :1].real


def _fourier_sums(signal: npt.NDArray[np.floating], sample_rate: float, frequencies_hz: Array) -> ComplexArray:
    """Sum of `signal[n] exp(-iwn)` over n, `[F]`, of `signal` `[T]` at `frequencies_hz` `[F]`.

    With n = block * row + column, exp(-iwn) splits into a factor per row and one per column: F * sqrt(T)
    exponentials instead of F * T, and the rest is a matrix product.
    """
    angle = 2.0 * np.pi * frequencies_hz / sample_rate
    block = int(np.ceil(np.sqrt(len(signal))))
    rows = np.pad(signal, (0, -len(signal) % block)).reshape(-1, block)
    columns = np.arange(block)[:, None] * angle
    inside = rows @ np.cos(columns) - 1j * (rows @ np.sin(columns))
    turns = np.exp(-1j * block * np.arange(len(rows))[:, None] * angle)
    return np.asarray((inside * turns).sum(axis=0))


def _geometric_series(angle: Array, length: int) -> ComplexArray:
    """Sum of `exp(i angle n)` over n = 0 .. length-1, for `angle` of any shape."""
    still = np.abs(angle) < 1e-12
    turning = np.where(still, 1.0, angle)
    return np.where(still, length, np.expm1(1j * turning * length) / np.expm1(1j * turning))


def _check_mono(samples: npt.NDArray[np.floating]) -> None:
    if samples.ndim != 1 or samples.size == 0:
        raise CtxAudioError(f"an envelope needs mono samples [T] with T >= 1, not shape {samples.shape}")
