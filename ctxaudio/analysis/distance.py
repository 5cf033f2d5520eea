"""How far one set of sounds is from another, in any features: the kernel form and the Frechet form.

Kernel: the squared maximum mean discrepancy (Gretton et al. 2012, JMLR 13:723) x1000 with the bandwidth at the median
distance within the real set, as the kernel audio distance has it (Chung et al. 2025, arXiv:2502.15602). Unbiased: two
sets of the same kind come out about 0, and a little below it as often as above. Frechet: as the Frechet audio distance
(Kilgour et al. 2019, doi:10.21437/Interspeech.2019-2219), but along a few principal axes and with shrunk covariances,
because tens of clips can't fill more.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from ctxaudio.files import FloatArray
from ctxaudio.signal.sinusoids import Array

SHRINKAGE = 0.1


def kernel_distance(real: Array, other: Array) -> float:
    """Unbiased squared MMD x1000 of `[n, K]` and `[m, K]`, Gaussian kernel; needs two rows of each.

    >>> points = np.random.default_rng(0).normal(size=(40, 3))
    >>> kernel_distance(points, points + 5.0) > kernel_distance(points, points + 1.0) > 0
    True
    """
    within = squared_distances(real, real)
    width = max(float(np.median(within[np.triu_indices(len(real), 1)])), 1e-12)
    rr, oo, ro = (np.exp(-d / width) for d in (within, squared_distances(other, other), squared_distances(real, other)))
    n, m = len(real), len(other)
    return float((rr.sum() - n) / (n * (n - 1)) + (oo.sum() - m) / (m * (m - 1)) - 2 * ro.mean()) * 1000


def frechet_distance(real: Array, other: Array) -> float:
    """Squared Frechet distance of Gaussians fitted to `[n, K]` and `[m, K]`; needs two rows of each.

    The covariances are shrunk by a tenth towards their diagonal, so that they can be had from few rows.

    >>> points = np.random.default_rng(0).normal(size=(40, 3))
    >>> round(frechet_distance(points, points + 2.0), 6)
    12.0
    """
    (mean, covariance), (other_mean, other_covariance) = _gaussian(real), _gaussian(other)
    root = scipy.linalg.eigvals(covariance @ other_covariance).real
    middle = 2.0 * np.sqrt(np.maximum(root, 0.0)).sum()
    return float(np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other_covariance) - middle)


def principal_axes(rows: Array, count: int) -> Array:
    """The `count` directions (fewer where there are fewer rows) in which `rows` `[n, K]` differ most, `[K, count]`.

    Not whitened: `rows @ axes` keeps the sizes of what it keeps.
    """
    _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    return np.asarray(axes[:count].T)


def squared_distances(x: Array, y: Array) -> Array:
    """Squared Euclidean distances `[n, m]` of the rows of `x` `[n, K]` and `y` `[m, K]`."""
    return np.asarray(np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T, 0.0))


def matched_noise(samples: FloatArray, random: np.random.Generator) -> FloatArray:
    """Stationary noise `[T]` with exactly the magnitude spectrum of `samples` `[T]` and random phases."""
    spectrum = np.abs(np.fft.rfft(samples))
    phases = np.exp(2j * np.pi * random.random(len(spectrum)))
    phases[[0, -1]] = 1.0  # a real signal has no phase at 0 Hz, nor at half an even length's sample rate
    return np.fft.irfft(spectrum * phases, len(samples)).astype(np.float32)


def _gaussian(rows: Array) -> tuple[Array, Array]:
    covariance = np.atleast_2d(np.cov(rows, rowvar=False))
    diagonal = np.diag(np.diag(covariance))
    return rows.mean(axis=0), np.asarray((1 - SHRINKAGE) * covariance + SHRINKAGE * diagonal)
