"""Rates and depths over time: "0:alpha 10, 20:theta 6, 40:delta 2.5", or the same as YAML.

A step holds until the next; the change takes `glide_s` from the step's minute on (or the time to the next step, if
that is shorter), along straight lines of rate and depth, so the phase never jumps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import check_rate

DEFAULT_DEPTH = 0.2
DEFAULT_GLIDE_S = 60.0


@dataclass(frozen=True)
class Step:
    """From `minute` on: `rate_hz` (above 0 to 100) at `depth` (0..1)."""

    minute: float
    rate_hz: float
    depth: float = DEFAULT_DEPTH

    def __post_init__(self) -> None:
        if not 0.0 <= self.minute < math.inf:
            raise CtxAudioError(f"schedule: minute {self.minute:g} must be 0 or more")
        check_rate(self.rate_hz, self.depth)


@dataclass(frozen=True)
class Schedule:
    """Steps in order of time, the first at minute 0. Raises `CtxAudioError` for anything else."""

    steps: tuple[Step, ...]
    glide_s: float = DEFAULT_GLIDE_S

    def __post_init__(self) -> None:
        if not self.steps or self.steps[0].minute != 0.0:
            raise CtxAudioError("schedule: the first step must be at minute 0")
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            if after.minute <= before.minute:
                raise CtxAudioError(
                    f"schedule: minute {after.minute:g} comes after {before.minute:g}: put them in order"
                )
        if not 0.0 < self.glide_s <= 3600.0:
            raise CtxAudioError(f"schedule: a glide of {self.glide_s:g} s is outside 0-3600 s")

    def knots(self) -> list[tuple[float, float, float]]:
        """(seconds, rate in hertz, depth), joined by straight lines and constant before the first and after the last.

        >>> Schedule((Step(0, 10.0), Step(1, 6.0)), glide_s=30).knots()
        [(0.0, 10.0, 0.2), (60.0, 10.0, 0.2), (90.0, 6.0, 0.2)]
        """
        knots = [(0.0, self.steps[0].rate_hz, self.steps[0].depth)]
        for i, step in enumerate(self.steps[1:], 1):
            begins = 60.0 * step.minute
            until = 60.0 * self.steps[i + 1].minute if i + 1 < len(self.steps) else math.inf
            _, rate_hz, depth = knots[-1]
            if begins > knots[-1][0]:
                knots.append((begins, rate_hz, depth))
            knots.append((min(begins + self.glide_s, until), step.rate_hz, step.depth))
        return knots


def parse_schedule(text: str, depth: float = DEFAULT_DEPTH, glide_s: float = DEFAULT_GLIDE_S) -> Schedule:
    """A schedule from "MINUTE:[BAND] RATE [DEPTH], ..."; a band alone means its middle rate, `off` means depth 0.

    >>> [(step.minute, step.rate_hz, step.depth) for step in parse_schedule("0:alpha 10, 20:theta 6 0.3, 40:off").steps]
    [(0.0, 10.0, 0.2), (20.0, 6.0, 0.3), (40.0, 6.0, 0.0)]
    """
    steps: list[Step] = []
    for entry in (part.strip() for part in text.split(",")):
        minute, _, what = entry.partition(":")
        words = what.split()
        before = steps[-1] if steps else None
        try:
            steps.append(_step(float(minute), words, depth, before))
        except ValueError:
            raise CtxAudioError(
                f"schedule: {entry!r} is not MINUTE:[BAND] RATE [DEPTH], such as 20:theta 6 or 20:theta 6 0.3"
            ) from None
    return Schedule(tuple(steps), glide_s)


def _step(minute: float, words: list[str], depth: float, before: Step | None) -> Step:
    if words == ["off"]:
        return Step(minute, before.rate_hz if before else 10.0, 0.0)
    band = words.pop(0) if words and words[0] in BANDS else None
    if len(words) > 2 or not (words or band):
        raise ValueError
    rate_hz = float(words[0]) if words else middle_rate_hz(str(band))
    return Step(minute, _inside(band, rate_hz), float(words[1]) if len(words) == 2 else depth)


def middle_rate_hz(band: str) -> float:
    """The middle of a band on a logarithmic axis.

    >>> middle_rate_hz("delta")
    2.0
    """
    return math.sqrt(BANDS[band].low_hz * BANDS[band].high_hz)


def _inside(band: str | None, rate_hz: float) -> float:
    if band is not None and not BANDS[band].low_hz <= rate_hz <= BANDS[band].high_hz:
        raise CtxAudioError(
            f"schedule: {rate_hz:g} Hz is not in the band {band} ({BANDS[band].low_hz:g}-{BANDS[band].high_hz:g} Hz)"
        )
    return rate_hz


def read_schedule(path: Path) -> Schedule:
    """A schedule from YAML: `glide_s` and `steps`, each with `minute`, `rate_hz` and/or `band`, and `depth`.

    Raises `CtxAudioError` naming the file for anything else; the file can't run code (`yaml.safe_load`).
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CtxAudioError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not isinstance(content.get("steps"), list):
        raise CtxAudioError(f"{path} needs `steps:`, a list of entries with minute and rate_hz")
    unknown = content.keys() - {"glide_s", "steps"}
    if unknown:
        raise CtxAudioError(f"{path}: unknown entry {', '.join(map(str, unknown))}; known are glide_s, steps")
    try:
        steps = tuple(_step_of(entry) for entry in content["steps"])
        return Schedule(steps, float(content.get("glide_s", DEFAULT_GLIDE_S)))
    except (TypeError, ValueError, KeyError) as error:
        raise CtxAudioError(f"{path}: {error}: give minute, rate_hz and/or band, and depth as numbers") from error
    except CtxAudioError as error:
        raise CtxAudioError(f"{path}: {error}") from error


def _step_of(entry: Mapping[str, Any]) -> Step:
    if not isinstance(entry, dict) or entry.keys() - {"minute", "rate_hz", "band", "depth"}:
        raise ValueError(f"{entry!r} is not a step")
    band = entry.get("band")
    if band is not None and band not in BANDS:
        raise ValueError(f"unknown band {band!r}")
    rate_hz = float(entry["rate_hz"]) if "rate_hz" in entry else middle_rate_hz(entry["band"])
    return Step(float(entry["minute"]), _inside(band, rate_hz), float(entry.get("depth", DEFAULT_DEPTH)))
