"""One distance is no answer: the distance of generated sound, beside the floor and the noises that it lies between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxaudio.analysis.distance import frechet_distance, kernel_distance, matched_noise, principal_axes
from ctxaudio.analysis.yardstick import texture_windows
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.sinusoids import Array

#: The features `[n, K]` of each clip of a set.
Rows = Sequence[Array]
#: A floor by halves is the mean over this many ways to halve.
HALVINGS = 10
#: Axes of the Frechet form: what the covariance of tens of clips can be estimated in.
MOST_AXES = 8
ROWS_PER_AXIS = 4


@dataclass(frozen=True)
class SetDistances:
    """Distances to the real clips; the floor is of other real clips, and may be a little below zero in kernel form.

    None where there were too few clips.
    """

    generated: float
    real_floor: float | None
    matched_noise: float
    white_noise: float


def texture_distances(
    real: Sequence[FloatArray],
    held_out: Sequence[FloatArray],
    generated: Sequence[FloatArray],
    sample_rate: int,
    seed: int = 0,
) -> SetDistances:
    """Kernel distances x1000 of `generated`, of other real clips and of two noises to the `real` clips.

    Raises `CtxAudioError` where a set holds fewer than two clips.
    """
    if len(held_out) < 2:
        raise CtxAudioError(f"a distance needs two held-out real clips, got {len(held_out)}")
    matched, white = both_noises(real, seed)
    sets = (real, held_out, generated, matched, white)
    rows = [[texture_windows(clip, sample_rate) for clip in clips] for clips in sets]
    return kernel_and_frechet(rows[0], rows[1], rows[2], rows[3], rows[4], seed)[0]


def both_noises(real: Sequence[FloatArray], seed: int = 0) -> tuple[list[FloatArray], list[FloatArray]]:
    """For each real clip `[T]` noise with its spectrum, and white noise, both as long as it is."""
    random = np.random.default_rng(seed)
    white = [random.standard_normal(len(clip)).astype(np.float32) for clip in real]
    return [matched_noise(clip, random) for clip in real], white


def kernel_and_frechet(
    real: Rows, other_real: Rows, generated: Rows, matched: Rows, white: Rows, seed: int = 0
) -> tuple[SetDistances, SetDistances]:
    """Both forms, each set given as the features `[n, K]` of each of its clips.

    Frechet: along the 8 principal axes of real clips and both noises together (fewer for under 32 real rows), so that
    the axes reach from the one to the others and do not depend on what is generated; in units of the real clips'
    total variance. Kernel: in all dimensions, x1000.

    The floor is the distance of `other_real`; with fewer than two of these, the mean distance between random halves
    of the real clips (of four or more), which is lower where several clips come from one recording.

    Raises `CtxAudioError` where `real` or `generated` holds fewer than two clips, or nothing moves in `real`.
    """
    for name, clips in (("real", real), ("generated", generated)):
        if len(clips) < 2:
            raise CtxAudioError(f"a distance needs two {name} clips, got {len(clips)}")
    reference = np.concatenate(real)
    variance = float(reference.var(axis=0).sum())
    if variance == 0.0:
        raise CtxAudioError("a distance needs real clips that differ: these all have the same features")
    count = max(1, min(MOST_AXES, len(reference) // ROWS_PER_AXIS))
    axes = principal_axes(np.concatenate([reference, *matched, *white]), count)

    def frechet(rows: Array, other: Array) -> float:
        return frechet_distance(rows @ axes, other @ axes) / variance

    others = [np.concatenate(clips) for clips in (generated, matched, white)]
    found = []
    for form in (kernel_distance, frechet):
        near, noise, far = (form(reference, rows) for rows in others)
        enough = len(other_real) >= 2
        floor = form(reference, np.concatenate(other_real)) if enough else floor_between_halves(form, real, seed)
        found.append(SetDistances(near, floor, noise, far))
    return found[0], found[1]


def floor_between_halves(form: Callable[[Array, Array], float], clips: Rows, seed: int = 0) -> float | None:
    """Mean distance between random halves of clips, each given by its rows `[n, K]`; None for under four clips."""
    if len(clips) < 4:
        return None
    random, found = np.random.default_rng(seed), []
    for _ in range(HALVINGS):
        halves = np.array_split(random.permutation(len(clips)), 2)
        first, second = (np.concatenate([clips[i] for i in half]) for half in halves)
        found.append(form(first, second))
    return float(np.mean(found))
