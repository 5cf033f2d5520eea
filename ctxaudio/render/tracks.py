"""One rate over time as the renderer needs it: how many turns it has made by any sample, exactly, and how deep it is.

Turns are the integral of the rate, which is linear between knots, so they have a closed form: no state, no drift, the
same at hour eight whether the sound was rendered in one go or taken up again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from ctxaudio.modulation.profile import Pulse, Rate
from ctxaudio.modulation.schedule import Schedule
from ctxaudio.modulation.waves import wander

Array = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Track:
    """A rate whose hertz and depth follow straight lines between `knots` (seconds, hertz, depth)."""

    knots: tuple[tuple[float, float, float], ...]
    phase: float = 0.0
    pulse: Pulse | None = None
    jitter: float = 0.0

    @classmethod
    def steady(cls, rate: Rate) -> Track:
        return cls(((0.0, rate.rate_hz, rate.depth),), rate.phase, rate.pulse, rate.jitter)

    @classmethod
    def scheduled(cls, schedule: Schedule, pulse: Pulse | None = None, jitter: float = 0.0) -> Track:
        return cls(tuple(schedule.knots()), 0.0, pulse, jitter)

    @cached_property
    def _segments(self) -> list[tuple[float, float, float, float, float, float, float]]:
        """(from, until, turns by then, rate, rate's slope, depth, depth's slope), in seconds."""
        segments, turns = [], 0.0
        for (begins, rate, depth), (until, next_rate, next_depth) in zip(self.knots, self.knots[1:], strict=False):
            span = until - begins
            segments.append((begins, until, turns, rate, (next_rate - rate) / span, depth, (next_depth - depth) / span))
            turns += 0.5 * (rate + next_rate) * span
        begins, rate, depth = self.knots[-1]
        return [*segments, (begins, math.inf, turns, rate, 0.0, depth, 0.0)]

    def pieces(self, start: int, length: int, sample_rate: int) -> list[Piece]:
        """The samples `start` .. `start + length` cut where a segment ends."""
        pieces, at, end = [], start, start + length
        for begins, until, turns, rate, slope, depth, depth_slope in self._segments:
            last = end if until == math.inf else min(end, math.ceil(until * sample_rate))
            if last > at:
                since = at / sample_rate - begins
                turns_here = turns + since * (rate + 0.5 * slope * since)
                pieces.append(
                    Piece(
                        at,
                        last - at,
                        turns_here % 2.0,  # two, because a beat is half a turn to either side of its carrier
                        rate + slope * since,
                        slope,
                        depth + depth_slope * since,
                        depth_slope,
                        self.jitter * self.knots[0][1],
                    )
                )
                at = last
        return pieces


@dataclass(frozen=True)
class Piece:
    """`length` samples from `start` in which rate and depth change steadily; values are those at its first sample."""

    start: int
    length: int
    turns: float
    rate_hz: float
    rate_slope: float
    depth: float
    depth_slope: float
    wander_hz: float

    def turns_at(self, sample_rate: int) -> Array:
        """Turns `[length]`, up to an even number."""
        since = np.arange(self.length) / sample_rate
        turns = self.turns + since * (self.rate_hz + 0.5 * self.rate_slope * since)
        if self.wander_hz:
            time_s = torch.from_numpy((self.start + np.arange(self.length)) / sample_rate)
            turns += wander(1.0, self.wander_hz, time_s).numpy()
        return np.asarray(turns, dtype=np.float64)

    def depth_at(self, sample_rate: int) -> Array | float:
        """Depth, one number where it doesn't change."""
        if not self.depth_slope:
            return self.depth
        return self.depth + self.depth_slope * np.arange(self.length) / sample_rate

    @property
    def is_steady(self) -> bool:
        return not self.rate_slope and not self.wander_hz


def rotation(turns: float, turns_per_sample: float, length: int) -> ComplexArray:
    """exp(2 pi i (turns + n * turns_per_sample)) for n in 0..`length`-1, from 2 sqrt(length) exponentials.

    >>> rotation(0.25, 0.25, 3).round(3) + 0
    array([ 0.+1.j, -1.+0.j,  0.-1.j], dtype=complex64)
    """
    columns = math.isqrt(max(length - 1, 0)) + 1
    rows = -(-length // columns)
    down = np.exp(2j * np.pi * ((turns + turns_per_sample * columns * np.arange(rows)) % 1.0)).astype(np.complex64)
    along = np.exp(2j * np.pi * (turns_per_sample * np.arange(columns))).astype(np.complex64)
    return np.asarray((down[:, None] * along).ravel()[:length], dtype=np.complex64)
