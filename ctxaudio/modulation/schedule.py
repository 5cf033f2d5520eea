"""Rates and depths over time: "0:alpha 10, 20:theta 6, 40:delta 2.5"; `render.night` has the same as YAML.

A step holds until the next; the change takes `glide_s` from the step's minute on (or the time to the next step, if
that is shorter), along straight lines of rate and depth, so the phase never jumps.
"""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass

from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Options, option

DEFAULT_DEPTH = 0.2
DEFAULT_GLIDE_S = 60.0


@dataclass(frozen=True)
class Step(Options):
    """From `minute` on: `rate_hz` at `depth`, the sound at `level_db` beside its own level.

    `condition` is what a session's generator crosses over to; None stays with the one before.
    """

    minute: float = option(..., "", least=0, most=24 * 60)
    rate_hz: float = option(..., "", above=0, most=100)
    depth: float = option(DEFAULT_DEPTH, "", least=0, most=1)
    level_db: float = option(0.0, "", least=-60, most=20)
    condition: str | None = None


@dataclass(frozen=True)
class Schedule(Options):
    """Steps in order of time, the first at minute 0. Raises `CtxAudioError` for anything else."""

    steps: tuple[Step, ...]
    glide_s: float = option(DEFAULT_GLIDE_S, "", above=0, most=3600)

    def __post_init__(self) -> None:
        super().__post_init__()
        minutes = [step.minute for step in self.steps]
        if not minutes or minutes[0] != 0.0:
            raise CtxAudioError("schedule: the first step must be at minute 0")
        if minutes != sorted(set(minutes)):
            raise CtxAudioError(f"schedule: minutes {', '.join(map('{:g}'.format, minutes))}: put them in order")

    def knots(self) -> list[tuple[float, float, float]]:
        """(seconds, rate in hertz, depth), joined by straight lines, constant before the first and after the last."""
        return [(second, step.rate_hz, step.depth) for second, step in self._corners()]

    def levels(self) -> list[tuple[float, float]]:
        """(seconds, level in decibels), at the same corners as `knots`."""
        return [(second, step.level_db) for second, step in self._corners()]

    def conditions(self) -> list[tuple[float, str]]:
        """(seconds, condition) of every step that names one."""
        return [(60.0 * step.minute, step.condition) for step in self.steps if step.condition is not None]

    def _corners(self) -> list[tuple[float, Step]]:
        corners = [(0.0, self.steps[0])]
        for i, step in enumerate(self.steps[1:], 1):
            begins = 60.0 * step.minute
            until = 60.0 * self.steps[i + 1].minute if i + 1 < len(self.steps) else math.inf
            if begins > corners[-1][0]:
                corners.append((begins, corners[-1][1]))
            corners.append((min(begins + self.glide_s, until), step))
        return corners


def parse_schedule(text: str, depth: float = DEFAULT_DEPTH, glide_s: float = DEFAULT_GLIDE_S) -> Schedule:
    """A schedule from "MINUTE:[BAND] RATE [DEPTH], ..."; a band alone means its middle rate, `off` means depth 0.

    >>> [(step.minute, step.rate_hz, step.depth) for step in parse_schedule("0:alpha 10, 20:theta 6 0.3, 40:off").steps]
    [(0.0, 10.0, 0.2), (20.0, 6.0, 0.3), (40.0, 6.0, 0.0)]
    """
    steps: list[Step] = []
    for entry in text.split(","):
        minute, _, what = entry.partition(":")
        words = what.split()
        try:
            if words == ["off"]:
                steps.append(Step(float(minute), steps[-1].rate_hz if steps else 10.0, 0.0))
                continue
            band = words.pop(0) if words and words[0] in BANDS else None
            rate_hz, own_depth = [*words, None, None][:2] if len(words) <= 2 else (None, None)
            steps.append(step_of(minute, band, rate_hz, depth if own_depth is None else own_depth))
        except ValueError:
            raise CtxAudioError(
                f"schedule: {reprlib.repr(entry.strip())} is not MINUTE:[BAND] RATE [DEPTH], such as 20:theta 6 or "
                "20:theta 6 0.3"
            ) from None
    return Schedule(tuple(steps), glide_s)


def step_of(
    minute: str, band: str | None, rate_hz: str | None, depth: str | float, condition: str | None = None, **more: str
) -> Step:
    """A step from texts; without a rate it is the band's middle on a logarithmic axis. `ValueError` for no numbers."""
    rest = {name: float(value) for name, value in more.items()}
    if band is None:
        if rate_hz is None:
            raise ValueError("a step needs rate_hz or band")
        return Step(float(minute), float(rate_hz), float(depth), condition=condition, **rest)
    low_hz, high_hz = BANDS[band].low_hz, BANDS[band].high_hz
    hz = BANDS[band].middle_hz if rate_hz is None else float(rate_hz)
    if not low_hz <= hz <= high_hz:
        raise CtxAudioError(f"schedule: {hz:g} Hz is not in the band {band} ({low_hz:g}-{high_hz:g} Hz)")
    return Step(float(minute), hz, float(depth), condition=condition, **rest)
