"""How far one set of clips is from another, in any features, with intervals over clips.

A set is a list of clips, a clip the features `[n, K]` of its `n` windows. Clips are independent, windows of one clip
are not: every clip counts alike, no pair of windows of one clip is used, and it is clips that are resampled.

*Kernel distance*: the unbiased squared maximum mean discrepancy (MMD; Gretton et al. 2012, JMLR 13:723) x1000 with a
Gaussian kernel, as the kernel audio distance has it (Chung et al. 2025, arXiv:2502.15602). Its mean is 0 between sets
of one distribution, so it may come out below 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.features import texture_features
from ctxaudio.files import FloatArray
from ctxaudio.signal.envelope import Array

#: The features `[n, K]` of each clip of a set.
Rows = Sequence[Array]
DRAWS = 400
CONFIDENCE = 0.9
#: A verdict needs this many clips: the interval of a distance between fewer is too narrow.
CLIPS_FOR_VERDICT = 3
UNDECIDED = "undecided: too few clips"
NEAR = "near: within the spread of real clips"
#: At most so many windows of the reference decide the kernel's bandwidth.
BANDWIDTH_ROWS = 1500


class Estimate(NamedTuple):
    """A value and its bootstrap interval of 90 % over clips."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SetDistances:
    """Kernel distances to the real clips (`real_floor`: of other real clips, None where there are too few), and what
    they tell in plain words: see `verdict_of`."""

    generated: Estimate
    real_floor: Estimate | None
    matched_noise: Estimate
    white_noise: Estimate
    verdict: str

    def columns(self) -> dict[str, float | None]:
        """`generated`, `generated_low`, `generated_high` and so on; None for what is missing."""
        found = {name: one for name, one in vars(self).items() if name != "verdict"}
        return {column: value for name, one in found.items() for column, value in columns_of(name, one).items()}


def columns_of(name: str, one: Estimate | None) -> dict[str, float | None]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), one or (None, None, None), strict=True))


def compare_sets(real: Rows, other_real: Rows, generated: Rows, noises: Sequence[Rows], seed: int = 0) -> SetDistances:
    """Kernel distances to `real` of the other sets; `noises` are those of `both_noises`.

    The floor is the distance of `other_real`; with fewer than two of these, that between random halves of `real` (of
    four clips or more), whose interval is how far the halves may be apart.

    Raises `CtxAudioError` where `real` or `generated` holds fewer than two clips, or all of `real` are the same.
    """
    for name, clips in (("real", real), ("generated", generated)):
        if len(clips) < 2:
            raise CtxAudioError(f"a distance needs two {name} clips, got {len(clips)}")
    if np.ptp(np.concatenate(real), axis=0).max() == 0.0:
        raise CtxAudioError("a distance needs real clips that differ: these all have the same features")
    with threadpool_limits(1, "blas"):
        random = np.random.default_rng(seed)
        kernel, weights = Kernel(real), bootstrap_weights(len(real), random)
        others = [generated, *noises, other_real] if len(other_real) >= 2 else [generated, *noises]
        made, matched, white, *floors = (
            kernel.distances(clips, weights, bootstrap_weights(len(clips), random)) for clips in others
        )
        floor = floors[0] if floors else draws_of_halves(kernel, random)
    few = min(len(real), len(generated)) < CLIPS_FOR_VERDICT
    verdict = UNDECIDED if few else verdict_of(made, floor, (matched, white))
    real_floor = None if floor is None else estimate(floor)
    return SetDistances(estimate(made), real_floor, estimate(matched), estimate(white), verdict)


def verdict_of(generated: Array, floor: Array | None, noises: Sequence[Array]) -> str:
    """What distances tell, given by their draws `[1 + DRAWS]` with the same weights of the real clips.

    Distinguishable: farther than other real clips (without these, than 0). Near: not that, and less than half way
    from them to noise, of the same spectrum, or else white where that can't be told from real clips. Both as far as
    the intervals of the differences tell.
    """
    floor = np.zeros_like(generated) if floor is None else floor
    lead = estimate(noises[0] - generated)
    if estimate(generated - floor).low > 0.0:
        than = "but nearer than" if lead.low > 0.0 else "farther than" if lead.high < 0.0 else "no nearer than"
        return f"distinguishable, {than} noise of the same spectrum"
    unlike = next((noise for noise in noises if estimate(noise - floor).low > 0.0), None)
    if unlike is not None and estimate((floor + unlike) / 2 - generated).low > 0.0:
        return NEAR
    return UNDECIDED


def kernel_distance(real: Rows | Array, other: Rows | Array) -> float:
    """Unbiased squared MMD x1000 between two sets of two clips or more, given as `Rows`, or by one row a clip `[n, K]`.

    The bandwidth is the median distance between windows of different real clips.

    >>> points = np.random.default_rng(0).normal(size=(40, 3))
    >>> kernel_distance(points, points + 5.0) > kernel_distance(points, points + 1.0) > 0
    True
    """
    real, other = ([np.atleast_2d(rows) for rows in clips] for clips in (real, other))
    return float(Kernel(real).distances(other, equal_weights(len(real)), equal_weights(len(other)))[0])


def sound_distance(real: Sequence[FloatArray], other: Sequence[FloatArray], sample_rate: int) -> float:
    """`kernel_distance` of the texture features of two sets of two sounds `[T]` or more."""
    with threadpool_limits(1, "blas"):
        rows = [[texture_features(sound, sample_rate) for sound in sounds] for sounds in (real, other)]
        return kernel_distance(*rows)


class Kernel:
    """The kernel of distances to `real` (two clips or more), whose own part is computed once."""

    def __init__(self, real: Rows) -> None:
        clip_of_row = np.repeat(np.arange(len(real)), [len(rows) for rows in real])
        step = -(-len(clip_of_row) // BANDWIDTH_ROWS)
        some, clip_of_row = np.concatenate(real)[::step], clip_of_row[::step]
        apart = clip_of_row[:, None] < clip_of_row[None]
        self.real = real
        self.width = max(float(np.median(squared_distances(some, some)[apart])), 1e-12)
        self._within = mean_kernels(real, real, self.width)

    def distances(self, other: Rows, real_weights: Array, weights: Array) -> Array:
        """Distances `[B]` of `other`, for `B` weightings `[B, clips]` of the real clips and of these."""
        between = ((real_weights @ mean_kernels(self.real, other, self.width)) * weights).sum(axis=1)
        within_other = _between_clips(mean_kernels(other, other, self.width), weights)
        return 1000.0 * (_between_clips(self._within, real_weights) + within_other - 2 * between)


def mean_kernels(clips: Rows, others: Rows, width: float) -> Array:
    """Mean of `exp(-d^2 / width)` over the pairs of windows of two clips, for each pair of clips, `[n, m]`."""
    counts = np.array([len(rows) for rows in others])
    starts, together = np.concatenate([[0], np.cumsum(counts)[:-1]]), np.concatenate(others)
    each = [np.exp(squared_distances(rows, together) / -width).mean(axis=0) for rows in clips]
    return np.asarray(np.add.reduceat(np.stack(each), starts, axis=1) / counts)


def _between_clips(kernels: Array, weights: Array) -> Array:
    """Weighted means `[B]` over pairs of different clips, of `[n, n]` with weights `[B, n]`."""
    apart = kernels * (1.0 - np.eye(len(kernels)))
    return np.asarray(((weights @ apart) * weights).sum(axis=1) / (1.0 - (weights**2).sum(axis=1)))


def equal_weights(clips: int) -> Array:
    """Weights `[1, clips]`."""
    return np.full((1, clips), 1.0 / clips)


def bootstrap_weights(clips: int, random: np.random.Generator) -> Array:
    """Weights `[1 + DRAWS, clips]`: first equal ones, then those of a Bayesian bootstrap (Rubin 1981).

    Dirichlet with the concentration (n - 2) / n, at which a mean of n clips varies as it does between samples: with
    the usual one, or by drawing clips anew, intervals of sets of two or three clips come out far too narrow.
    """
    drawn = random.dirichlet(np.full(clips, max((clips - 2) / clips, 0.1)), DRAWS) + 1e-6
    return np.concatenate([equal_weights(clips), drawn / drawn.sum(axis=1, keepdims=True)])


def estimate(draws: Array) -> Estimate:
    """The first of `draws` `[1 + DRAWS]`, and the interval of the others about it, freed from their bias."""
    tail = (1.0 - CONFIDENCE) / 2
    low, high = draws[0] - draws[1:].mean() + np.quantile(draws[1:], (tail, 1.0 - tail))
    return Estimate(float(draws[0]), float(low), float(high))


def draws_of_halves(kernel: Kernel, random: np.random.Generator) -> Array | None:
    """Distances between random halves of the real clips, their mean first, `[1 + DRAWS]`; None for under four clips."""
    clips = len(kernel.real)
    if clips < 4:
        return None
    first = np.argsort(random.random((DRAWS, clips)), axis=1) < (clips + 1) // 2
    halves = [half / half.sum(axis=1, keepdims=True) for half in (first, ~first)]
    draws = kernel.distances(kernel.real, *halves)
    return np.concatenate([[draws.mean()], draws])


def diversity(clips: Rows, seed: int = 0) -> Estimate | None:
    """Mean Euclidean distance between the mean features of two clips of a set; None for fewer than two clips.

    >>> diversity([np.zeros((3, 2)), np.ones((1, 2))]).value.__round__(3)
    1.414
    """
    if len(clips) < 2:
        return None
    means = means_of(clips)
    weights = bootstrap_weights(len(clips), np.random.default_rng(seed))
    return estimate(_between_clips(np.sqrt(squared_distances(means, means)), weights))


def squared_distances(x: Array, y: Array) -> Array:
    """Squared Euclidean distances `[n, m]` of the rows of `x` `[n, K]` and `y` `[m, K]`."""
    return np.asarray(np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T, 0.0))


def means_of(clips: Rows) -> Array:
    """Mean features `[clips, K]`."""
    return np.stack([rows.mean(axis=0) for rows in clips])


def both_noises(real: Mapping[str, FloatArray], seed: int = 0) -> list[dict[str, FloatArray]]:
    """For each real clip `[T]` noise with its spectrum, and white noise, both as long as it is."""
    random = np.random.default_rng(seed)
    white = {name: random.standard_normal(len(clip)).astype(np.float32) for name, clip in real.items()}
    return [{name: matched_noise(clip, random) for name, clip in real.items()}, white]


def matched_noise(samples: FloatArray, random: np.random.Generator) -> FloatArray:
    """Stationary noise `[T]` with exactly the magnitude spectrum of `samples` `[T]` and random phases."""
    spectrum = np.abs(np.fft.rfft(samples))
    phases = np.exp(2j * np.pi * random.random(len(spectrum)))
    phases[[0, -1]] = 1.0  # a real signal has no phase at 0 Hz, nor at half an even length's sample rate
    return np.fft.irfft(spectrum * phases, len(samples)).astype(np.float32)
