"""Sinusoids of any frequency in a sampled signal: Fourier sums and least-squares fits off the grid of an FFT."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]


def fourier_sums(signals: npt.NDArray[np.floating], sample_rate: float, frequencies_hz: Array) -> ComplexArray:
    """Sum of `signals[..., n] exp(-iwn)` over n, `[..., F]`, of `signals` `[..., T]` at `frequencies_hz` `[F]`.

    With n = block * row + column, exp(-iwn) splits into a factor per row and one per column: F * sqrt(T)
    exponentials instead of F * T, and the rest is a matrix product.

    >>> fourier_sums(np.array([1.0, 1.0]), 4.0, np.array([1.0])).round(9)  # 1 + exp(-i pi/2)
    array([1.-1.j])
    """
    angle = 2.0 * np.pi * frequencies_hz / sample_rate
    length = signals.shape[-1]
    block = int(np.ceil(np.sqrt(length)))
    padded = np.zeros((*signals.shape[:-1], -(-length // block) * block))
    padded[..., :length] = signals
    rows = padded.reshape(*signals.shape[:-1], -1, block)
    columns = np.arange(block)[:, None] * angle
    inside = rows @ np.cos(columns) - 1j * (rows @ np.sin(columns))
    turns = np.exp(-1j * block * np.arange(rows.shape[-2])[:, None] * angle)
    return np.asarray(np.einsum("...rf,rf->...f", inside, turns))


def sinusoid_fits(signals: npt.NDArray[np.floating], sample_rate: float, frequencies_hz: Array) -> ComplexArray:
    """Least-squares coefficients `[..., R, 1+2K]` of 1, exp(iwn), exp(-iwn): R fits of K frequencies, `[R, K]`, each.

    The normal equations need no design matrix: their entries are geometric series in closed form.
    """
    length = signals.shape[-1]
    zero = np.zeros((len(frequencies_hz), 1))
    signed_hz = np.concatenate([zero, frequencies_hz, -frequencies_hz], axis=1)
    gram = geometric_series(2.0 * np.pi * (signed_hz[:, None, :] - signed_hz[:, :, None]) / sample_rate, length)
    waves = fourier_sums(signals, sample_rate, frequencies_hz.ravel())
    waves = waves.reshape(*signals.shape[:-1], *frequencies_hz.shape)
    total = np.broadcast_to(signals.sum(axis=-1)[..., None, None], (*waves.shape[:-1], 1))
    right = np.concatenate([total, waves, waves.conj()], axis=-1)
    return np.asarray(np.linalg.solve(gram / length, right[..., None] / length)[..., 0])


def geometric_series(angle: Array, length: int) -> ComplexArray:
    """Sum of `exp(i angle n)` over n = 0 .. length-1, for `angle` of any shape."""
    still = np.abs(angle) < 1e-12
    turning = np.where(still, 1.0, angle)
    return np.where(still, length, np.expm1(1j * turning * length) / np.expm1(1j * turning))
