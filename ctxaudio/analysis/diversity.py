"""Do the clips of a set differ from each other, as real clips do, or are they one clip many times?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ctxaudio.analysis.distance import squared_distances
from ctxaudio.signal.sinusoids import Array


def median_pairwise_distance(rows_of_clips: Sequence[Array]) -> float:
    """Median Euclidean distance between the mean features of any two clips, of which each brings its rows `[n, K]`.

    NaN for fewer than two clips.

    >>> median_pairwise_distance([np.zeros((3, 2)), np.ones((1, 2))]).__round__(3)
    1.414
    """
    means = np.stack([rows.mean(axis=0) for rows in rows_of_clips])
    distances = np.sqrt(squared_distances(means, means))
    apart = distances[np.triu_indices(len(means), 1)]
    return float(np.median(apart)) if len(apart) else float("nan")


def nearest_distances(rows_of_clips: Sequence[Array], to: Sequence[Array]) -> Array:
    """Distance of each clip to the nearest clip of another set, `[clips]`, both by their mean features."""
    means, others = (np.stack([rows.mean(axis=0) for rows in clips]) for clips in (rows_of_clips, to))
    return np.asarray(np.sqrt(squared_distances(means, others)).min(axis=1))
