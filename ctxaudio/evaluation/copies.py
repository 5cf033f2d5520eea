"""Are generated clips copies of training clips?

A copy's course in time follows that of a training clip; statistics can't tell, for two takes of one rain have
the same. So envelopes in bands of hearing are laid over each other at every lag, and correlated: level, colour and the
phase of the waveform don't matter. A clip that follows one more closely than nearly all held-out clips do, is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.fft

from ctxaudio.evaluation.distances import Rows, means_of, squared_distances
from ctxaudio.files import FloatArray
from ctxaudio.signal.envelope import Array, band_envelopes, centre_frequencies_hz

PIECE_S = 2.0
SHORTEST_PIECE_S = 1.0
#: A copy correlates by at least this much, and by more than this share of the held-out real clips does.
COPY_CORRELATION = 0.8
OF_HELD_OUT = 0.95
#: A time course is the envelope in every third band, raised to this power, at this rate or a little more.
BAND_STEP = 3
COMPRESSION = 0.3
COURSE_HZ = 40.0


class Copy(NamedTuple):
    """A generated clip that follows a training clip in time, with their correlation (up to 1)."""

    clip: str
    training_clip: str
    correlation: float


def find_copies(
    generated: Mapping[str, FloatArray],
    held_out: Mapping[str, FloatArray],
    training: Mapping[str, FloatArray],
    sample_rate: int,
) -> list[Copy]:
    """The generated clips `[T]` that follow a training clip in time, most alike first; clips under 1 s are passed over.

    Without held-out clips only the fixed limit counts: steady rhythms may then be named without being copies.
    """

    def courses(clips: Mapping[str, FloatArray]) -> dict[str, tuple[Array, float]]:
        heard = {name: clip for name, clip in clips.items() if len(clip) >= SHORTEST_PIECE_S * sample_rate}
        return {name: time_course(clip, sample_rate) for name, clip in heard.items()}

    def most_alike(name: str, course: Array, course_hz: float) -> Copy:
        width = min(course.shape[1], round(PIECE_S * course_hz))
        pieces = [course[:, at : at + width] for at in range(0, course.shape[1] - width + 1, max(1, width // 2))]
        best = {of: max(best_correlation(piece, other) for piece in pieces) for of, (other, _) in learnt.items()}
        found = max(best, key=lambda of: best[of])
        return Copy(name, found, best[found])

    learnt = courses(training)
    if not learnt:
        return []
    usual = [most_alike(name, *course).correlation for name, course in courses(held_out).items()]
    limit = max(COPY_CORRELATION, float(np.quantile(usual, OF_HELD_OUT)) if usual else 0.0)
    found = [most_alike(name, *course) for name, course in courses(generated).items()]
    return sorted((copy for copy in found if copy.correlation > limit), key=lambda copy: -copy.correlation)


def time_course(samples: FloatArray, sample_rate: int) -> tuple[Array, float]:
    """Compressed envelopes `[K, T']` in every third band of hearing, at some 40 Hz, and that rate."""
    envelopes, rate_hz = band_envelopes(samples, sample_rate, centre_frequencies_hz(sample_rate)[::BAND_STEP])
    step = max(1, int(rate_hz // COURSE_HZ))
    count = max(1, envelopes.shape[1] // step)
    blocks = envelopes[:, : count * step].reshape(len(envelopes), count, -1).mean(axis=2)
    return np.maximum(blocks, 1e-9) ** COMPRESSION, rate_hz / step


def best_correlation(course: Array, other: Array) -> float:
    """Highest correlation (-1..1) over all lags at which the shorter of two courses `[K, T']` lies within the longer.

    >>> random = np.random.default_rng(0)
    >>> long = random.random((4, 300))
    >>> round(best_correlation(3.0 * long[:, 70:150] + 1.0, long), 6)
    1.0
    """
    short, long = sorted((course, other), key=lambda one: one.shape[1])
    length, total = short.shape[1], long.shape[1]
    template = short - short.mean(axis=1, keepdims=True)
    size = int(scipy.fft.next_fast_len(total, real=True))
    products = scipy.fft.irfft(scipy.fft.rfft(long, size) * scipy.fft.rfft(template, size).conj(), size)
    together = products[:, : total - length + 1].sum(axis=0)
    sums, squares = (np.cumsum(np.pad(x, ((0, 0), (1, 0))), axis=1) for x in (long, long**2))
    moving = squares[:, length:] - squares[:, :-length] - (sums[:, length:] - sums[:, :-length]) ** 2 / length
    energy = np.maximum(moving, 0.0).sum(axis=0) * np.square(template).sum()
    return float((together / np.sqrt(np.maximum(energy, 1e-20))).max())


def nearest_training_distance(clips: Rows, training: Rows) -> float:
    """Median distance of clips to their nearest training clip, by mean features.

    Far smaller for generated than for held-out real clips means that the training clips were learnt by heart.
    """
    return float(np.median(np.sqrt(squared_distances(means_of(clips), means_of(training))).min(axis=1)))
