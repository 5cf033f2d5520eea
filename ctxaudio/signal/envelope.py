"""How deep the envelope of a sound goes up and down, at any rate in hertz, and whether that is more than chance.

A rate such as 7.83 Hz falls between the bins of a 4 s spectrum (31.3 cycles), so depths come from a least-squares
fit of `a + b cos + c sin` at the exact rate. Numpy only and apart from the modulation layer on purpose: what
measures must not share code with what is measured.

Sources: Viemeister 1979 (doi:10.1121/1.383531) for depth; Picton et al. 2003 (doi:10.3109/14992020309101316) for
the F test of a rate against its neighbours, as used for steady-state responses.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from ctxaudio.errors import CtxAudioError

Array = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

NEIGHBOURS_FROM_HZ = 0.5
NEIGHBOURS_TO_HZ = 1.5


@dataclass(frozen=True)
class RateDetection:
    """A rate against its neighbours: `f_statistic` is (depth / floor)^2 and follows F(2, 2N) where there's only noise.

    `floor` is the rms depth of the N neighbours; `p_value` the chance of such a depth in noise.
    """

    rate_hz: float
    depth: float
    floor: float
    f_statistic: float
    p_value: float


def hilbert_envelope(samples: npt.NDArray[np.floating], sample_rate: float) -> Array:
    """Magnitude of the analytic signal of `samples` `[T]`, `[T]`.

    Raises `CtxAudioError` for samples that are empty or not mono.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise CtxAudioError(f"an envelope needs mono samples [T] with T >= 1, not shape {samples.shape}")
    # a prime length takes the FFT many times as long; the padding also keeps the end from the start
    padded = int(scipy.fft.next_fast_len(len(samples) + int(sample_rate) // 8))
    return np.asarray(np.abs(scipy.signal.hilbert(samples.astype(np.float64), padded))[: len(samples)])


def envelope_depth(envelope: Array, sample_rate: float, rate_hz: float) -> float:
    """Modulation depth m of `envelope` `[T]` at exactly `rate_hz` (1 is full modulation); errors as `joint_depths`."""
    return joint_depths(envelope, sample_rate, [rate_hz])[0]


def joint_depths(envelope: Array, sample_rate: float, rates_hz: Sequence[float]) -> tuple[float, ...]:
    """Modulation depth of `envelope` `[T]` at each of `rates_hz`, fitted at once, so that none leaks into another.

    Raises `CtxAudioError` for a silent envelope, a rate with less than one cycle in it or above half the sample
    rate, and rates too close to be told apart (nearer than half a cycle over the whole length).
    """
    duration_s = _check_envelope(envelope, sample_rate, rates_hz)
    for low_hz, high_hz in itertools.pairwise(sorted(rates_hz)):
        if (high_hz - low_hz) * duration_s < 0.5:
            raise CtxAudioError(f"{duration_s:.2f} s can't tell {low_hz:g} Hz from {high_hz:g} Hz: use a longer clip")
    coefficients = sinusoid_fits(envelope, sample_rate, np.asarray(rates_hz, dtype=np.float64)[None])[0]
    depths = 2 * np.abs(coefficients[1 : 1 + len(rates_hz)]) / float(coefficients[0].real)
    return tuple(depths.tolist())


def modulation_spectrum(envelope: Array, sample_rate: float, rates_hz: npt.ArrayLike) -> Array:
    """Modulation depth `[R]` of `envelope` `[T]` at `rates_hz` `[R]`, each fitted alone; errors as `joint_depths`."""
    grid = np.asarray(rates_hz, dtype=np.float64)
    _check_envelope(envelope, sample_rate, grid.tolist())
    coefficients = sinusoid_fits(envelope, sample_rate, grid[:, None])
    return np.asarray(2 * np.abs(coefficients[:, 1]) / coefficients[:, 0].real, dtype=np.float64)


def detect_rates(envelope: Array, sample_rate: float, rates_hz: Sequence[float]) -> tuple[RateDetection, ...]:
    """Depth, floor, F and p for each of `rates_hz` in `envelope` `[T]`.

    Neighbours lie 0.5 to 1.5 Hz away in steps of one cycle over the whole length, where the fitted rate itself has
    no leakage. All `rates_hz` are taken out first, and no neighbour is within one step of one.

    Raises `CtxAudioError` as `joint_depths` does and where the sound is too short for a neighbour.
    """
    joint_depths(envelope, sample_rate, rates_hz)  # which refuses what can't be measured
    rates, length = np.asarray(rates_hz, dtype=np.float64), len(envelope)
    fit = sinusoid_fits(envelope, sample_rate, rates[None])[0]
    mean, fitted_hz = fit[0].real, np.concatenate([[0.0], rates, -rates])
    found = []
    for rate_hz, depth in zip(rates, 2 * np.abs(fit[1 : 1 + len(rates)]) / mean, strict=True):
        beside_hz = _neighbours_hz(rate_hz, rates, length / sample_rate)
        if not (count := len(beside_hz)):
            seconds = length / sample_rate
            raise CtxAudioError(f"{seconds:.2f} s is too short for a floor around {rate_hz:g} Hz: use 2 s or more")
        # What the fit itself has at the neighbours is a sum of geometric series, so nothing need be subtracted in time.
        leak = _geometric_series(2.0 * np.pi * (fitted_hz[:, None] - beside_hz) / sample_rate, length)
        rest = _fourier_sums(envelope, sample_rate, beside_hz) - fit @ leak
        floor = np.sqrt(np.mean((2 * np.abs(rest) / length / mean) ** 2))
        with np.errstate(divide="ignore"):
            f_statistic = (depth / floor) ** 2
        p_value = (1.0 + f_statistic / count) ** -float(count)  # what F(2, 2N) leaves above it, in closed form
        found.append(RateDetection(*map(float, (rate_hz, depth, floor, f_statistic, p_value))))
    return tuple(found)


def sinusoid_fits(signal: npt.NDArray[np.floating], sample_rate: float, frequencies_hz: Array) -> ComplexArray:
    """Least-squares coefficients `[R, 1+2K]` of 1, exp(iwn), exp(-iwn) in `[T]`: R fits of K frequencies, `[R, K]`.

    The normal equations need no design matrix: their entries are geometric series in closed form.
    """
    length, fits = len(signal), len(frequencies_hz)
    signed_hz = np.concatenate([np.zeros((fits, 1)), frequencies_hz, -frequencies_hz], axis=1)
    gram = _geometric_series(2.0 * np.pi * (signed_hz[:, None, :] - signed_hz[:, :, None]) / sample_rate, length)
    waves = _fourier_sums(signal, sample_rate, frequencies_hz.ravel()).reshape(frequencies_hz.shape)
    right = np.concatenate([np.full((fits, 1), signal.sum()), waves, waves.conj()], axis=1)
    return np.asarray(np.linalg.solve(gram / length, right[..., None] / length)[..., 0])


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


def _check_envelope(envelope: Array, sample_rate: float, rates_hz: Sequence[float]) -> float:
    if envelope.ndim != 1 or envelope.size == 0 or not envelope.mean() > 0.0:
        raise CtxAudioError("can't measure the modulation of silence: the envelope is empty, zero or not mono")
    duration_s = len(envelope) / sample_rate
    for rate_hz in rates_hz:
        if not 1.0 / duration_s <= rate_hz < sample_rate / 2:
            raise CtxAudioError(
                f"rate {rate_hz:g} Hz can't be measured on {duration_s:.2f} s: choose {1 / duration_s:.2g} Hz "
                f"(one cycle) to {sample_rate / 2:g} Hz"
            )
    return duration_s


def _neighbours_hz(rate_hz: float, requested_hz: Array, duration_s: float) -> Array:
    first = int(np.ceil(NEIGHBOURS_FROM_HZ * duration_s - 1e-6))
    last = int(np.floor(NEIGHBOURS_TO_HZ * duration_s + 1e-6))
    steps = np.arange(max(first, 1), last + 1) / duration_s
    candidates = rate_hz + np.concatenate([-steps[::-1], steps])
    apart = np.abs(candidates[:, None] - requested_hz).min(axis=1, initial=np.inf)
    return np.asarray(candidates[(candidates >= 1.0 / duration_s) & (apart > 1.0 / duration_s - 1e-6)])
