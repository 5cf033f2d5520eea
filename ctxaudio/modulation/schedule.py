"""Rates and depths over time: "0:alpha 10, 20:theta 6, 40:delta 2.5", or the same as YAML.

A step holds until the next; the change takes `glide_s` from the step's minute on (or the time to the next step, if
that is shorter), along straight lines of rate and depth, so the phase never jumps.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import why_unreadable
from ctxaudio.options import Options, option

DEFAULT_DEPTH = 0.2
DEFAULT_GLIDE_S = 60.0
#: A file of more bytes or nested deeper is no schedule.
MOST_BYTES = 20_000
MOST_DEPTH = 5


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
        """(seconds, rate in hertz, depth), joined by straight lines and constant before the first and after the last.

        >>> Schedule((Step(0, 10.0), Step(1, 6.0)), glide_s=30).knots()
        [(0.0, 10.0, 0.2), (60.0, 10.0, 0.2), (90.0, 6.0, 0.2)]
        """
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
            steps.append(_step(minute, band, rate_hz, depth if own_depth is None else own_depth))
        except ValueError:
            raise CtxAudioError(
                f"schedule: {reprlib.repr(entry.strip())} is not MINUTE:[BAND] RATE [DEPTH], such as 20:theta 6 or "
                "20:theta 6 0.3"
            ) from None
    return Schedule(tuple(steps), glide_s)


def read_schedule(path: Path) -> Schedule:
    """A schedule from YAML: `glide_s` and `steps`, as `schedule_of` takes them; no conditions, which need a session.

    Raises `CtxAudioError` naming the file for anything else.
    """
    schedule = schedule_of(read_yaml(path), path)
    if schedule.conditions():
        raise CtxAudioError(f"{path} names a condition: only a generated session has one")
    return schedule


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping from YAML. All scalars are read as text, so that no tag, date or long number means anything.

    Raises `CtxAudioError` naming the file for anything else; aliases, which can make a few bytes endless, are refused.
    """
    try:
        if reason := why_unreadable(path):
            raise CtxAudioError(f"can't read {path}: {reason}")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise CtxAudioError(f"{path} is over {MOST_BYTES} bytes: give a schedule in YAML")
        text = content.decode("utf-8-sig")
        depth = 0
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > MOST_DEPTH:
                raise CtxAudioError(f"{path} has YAML aliases (*name) or deep nesting: write each step out")
        found = yaml.load(text, Loader=yaml.BaseLoader)
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise CtxAudioError(f"{path} is not valid YAML: {' '.join(str(error).split())[:200]}") from error
    return found if isinstance(found, dict) else {}


def schedule_of(found: Mapping[str, Any], path: str | Path, known: tuple[str, ...] = ("glide_s", "steps")) -> Schedule:
    """A schedule from `glide_s` and `steps`: each has `minute`, `rate_hz` and/or `band`, and any other field of `Step`.

    Raises `CtxAudioError`, which begins with `path`, for what is none and for entries that are not `known`.
    """
    if not isinstance(found.get("steps"), list):
        raise CtxAudioError(f"{path} needs `steps:`, a list of entries with minute and rate_hz")
    if unknown := found.keys() - set(known):
        raise CtxAudioError(f"{path}: unknown entry {reprlib.repr(min(unknown))}; known are {', '.join(known)}")
    try:
        steps = tuple(_step_of(entry) for entry in found["steps"])
        return Schedule(steps, float(found.get("glide_s", DEFAULT_GLIDE_S)))
    except (TypeError, ValueError) as error:
        raise CtxAudioError(
            f"{path}: {str(error)[:200]}: give minute, rate_hz or band, and depth as numbers"
        ) from error
    except CtxAudioError as error:
        raise CtxAudioError(f"{path}: {error}") from error


def _step_of(entry: Any) -> Step:
    if not isinstance(entry, dict) or "minute" not in entry or entry.keys() - {"band", *Step.__dataclass_fields__}:
        raise ValueError(f"{reprlib.repr(entry)} is not a step")
    if entry.get("band") not in (None, *BANDS):
        raise ValueError(f"unknown band {reprlib.repr(entry['band'])}, not one of {', '.join(BANDS)}")
    step = _step(entry["minute"], entry.get("band"), entry.get("rate_hz"), entry.get("depth", DEFAULT_DEPTH))
    condition = entry.get("condition")
    if not isinstance(condition, str | None):
        raise ValueError(f"{reprlib.repr(condition)} is no condition")
    return replace(step, level_db=float(entry.get("level_db", 0.0)), condition=condition)


def _step(minute: str, band: str | None, rate_hz: str | None, depth: str | float) -> Step:
    """A step from texts; without a rate it is the band's middle on a logarithmic axis. `ValueError` for no numbers."""
    if band is None:
        if rate_hz is None:
            raise ValueError("a step needs rate_hz or band")
        return Step(float(minute), float(rate_hz), float(depth))
    low_hz, high_hz = BANDS[band].low_hz, BANDS[band].high_hz
    hz = BANDS[band].middle_hz if rate_hz is None else float(rate_hz)
    if not low_hz <= hz <= high_hz:
        raise CtxAudioError(f"schedule: {hz:g} Hz is not in the band {band} ({low_hz:g}-{high_hz:g} Hz)")
    return Step(float(minute), hz, float(depth))
