"""Are generated clips copies of training clips? Asked of their statistics, and of their course in time.

Statistics: how near each clip is to its nearest training clip, beside how near real clips are that training never saw.
Course in time: pieces of each clip laid over every training clip (`signal.time_course`). A clip that follows one more
closely than nearly all held-out real clips do, is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ctxaudio.evaluation.distances import Rows, squared_distances
from ctxaudio.evaluation.time_course import best_correlation, time_course
from ctxaudio.files import FloatArray
from ctxaudio.signal.envelope import Array

PIECE_S = 2.0
SHORTEST_PIECE_S = 1.0
#: A copy correlates by at least this much, and by more than this share of the held-out real clips does.
COPY_CORRELATION = 0.8
OF_HELD_OUT = 0.95


@dataclass(frozen=True)
class Copy:
    """A generated clip that follows a training clip in time, with their correlation (up to 1)."""

    clip: str
    training_clip: str
    correlation: float


def nearest_training_distance(clips: Rows, training: Rows) -> float:
    """Median distance of clips to their nearest training clip, by mean features.

    Far smaller for generated than for held-out real clips means that the training clips were learnt by heart.
    """
    means, others = (np.stack([rows.mean(axis=0) for rows in of]) for of in (clips, training))
    return float(np.median(np.sqrt(squared_distances(means, others)).min(axis=1)))


def find_copies(
    generated: Mapping[str, FloatArray],
    held_out: Mapping[str, FloatArray],
    training: Mapping[str, FloatArray],
    sample_rate: int,
) -> list[Copy]:
    """The generated clips `[T]` that follow a training clip in time, most alike first; clips under 1 s are passed over.

    Without held-out clips only the fixed limit counts: steady rhythms may then be named without being copies.
    """
    courses = {name: time_course(clip, sample_rate) for name, clip in training.items()}
    courses = {name: course for name, course in courses.items() if course[0].shape[1] >= SHORTEST_PIECE_S * course[1]}
    if not courses:
        return []
    usual = [_most_alike(clip, courses, sample_rate)[1] for clip in held_out.values()]
    limit = max(COPY_CORRELATION, float(np.quantile(usual, OF_HELD_OUT)) if usual else 0.0)
    found = [Copy(name, *_most_alike(clip, courses, sample_rate)) for name, clip in generated.items()]
    return sorted((copy for copy in found if copy.correlation > limit), key=lambda copy: -copy.correlation)


def _most_alike(clip: FloatArray, training: Mapping[str, tuple[Array, float]], sample_rate: int) -> tuple[str, float]:
    """The training clip that a piece of 2 s of `clip` `[T]` follows most closely, and their correlation."""
    course, rate_hz = time_course(clip, sample_rate)
    if course.shape[1] < SHORTEST_PIECE_S * rate_hz:
        return "", 0.0
    width = min(course.shape[1], round(PIECE_S * rate_hz))
    starts = range(0, course.shape[1] - width + 1, max(1, width // 2))
    pieces = [course[:, start : start + width] for start in starts]
    best = {name: max(best_correlation(piece, other) for piece in pieces) for name, (other, _) in training.items()}
    name = max(best, key=lambda name: best[name])
    return name, best[name]
