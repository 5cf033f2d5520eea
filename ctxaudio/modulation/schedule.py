"""A modulation over time, "0:alpha 10, 20:theta 6, 40:delta 2.5", or as a night in YAML; and how deep is comfortable.

A step holds until the next; the change takes `glide_s` from the step's minute on (or the time to the next step, if
that is shorter), along straight lines of rate and depth, so the phase never jumps.
"""

from __future__ import annotations

import math
import os
import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ctxaudio.contexts import BANDS, context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import ModulationProfile, Tone, method_profile
from ctxaudio.options import Options, option

DEFAULT_DEPTH = 0.2
DEFAULT_GLIDE_S = 60.0
ENTRIES = ("minutes", "fade_s", "glide_s", "steps", "mix")
MOST_BYTES = 20_000  # a longer file is no night


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

    def corners(self) -> list[tuple[float, Step]]:
        """(seconds, step): rate, depth and level are joined by straight lines, and constant after the last."""
        begins = [*(60.0 * step.minute for step in self.steps), math.inf]
        corners = [(0.0, self.steps[0])]
        for i, step in enumerate(self.steps[1:], 1):
            if begins[i] > corners[-1][0]:
                corners.append((begins[i], self.steps[i - 1]))
            corners.append((min(begins[i] + self.glide_s, begins[i + 1]), step))
        return corners

    def knots(self) -> list[tuple[float, float, float]]:
        """(seconds, rate in hertz, depth) of the corners."""
        return [(second, step.rate_hz, step.depth) for second, step in self.corners()]

    def levels(self) -> list[tuple[float, float]]:
        """(seconds, level in decibels) of the corners."""
        return [(second, step.level_db) for second, step in self.corners()]

    def conditions(self) -> list[tuple[float, str]]:
        """(seconds, condition) of every step that names one."""
        return [(60.0 * step.minute, step.condition) for step in self.steps if step.condition is not None]


@dataclass(frozen=True)
class Modulation:
    """A profile, and a schedule where its one rate (of the envelope, or of its one tone) changes over time.

    The schedule of a sham (all depths of the profile 0) becomes one too. Raises `CtxAudioError` for a schedule without
    exactly one rate or tone to move.
    """

    profile: ModulationProfile
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        if self.schedule is None:
            return
        if len(parts := self.profile.parts) != 1:
            raise CtxAudioError("a schedule moves one rate: give a profile with one rate or one tone")
        if parts[0].depth == 0.0:
            still = tuple(replace(step, depth=0.0) for step in self.schedule.steps)
            object.__setattr__(self, "schedule", replace(self.schedule, steps=still))

    @property
    def at_start(self) -> ModulationProfile:
        """The profile to record: with a schedule, rate and depth are those of minute 0."""
        return self._at(self.schedule.steps[0]) if self.schedule else self.profile

    def _at(self, step: Step) -> ModulationProfile:
        (part,) = self.profile.parts
        binaural = isinstance(part, Tone) and part.kind == "binaural"  # which has no depth to choose
        return self.profile.moved(rate_hz=step.rate_hz, depth=part.depth if binaural else step.depth)

    def channels(self, of_sound: int) -> int:
        """Channels that come out: two for a binaural tone, else those of the sound."""
        return 2 if any(tone.kind == "binaural" for tone in self.profile.tones) else of_sound

    def check_comfort(self) -> None:
        """Raise `CtxAudioError` where the rates are beyond comfort at any time."""
        for profile in [self._at(step) for step in self.schedule.steps] if self.schedule else [self.profile]:
            profile.check_comfort()

    def text(self) -> str:
        """As `ModulationProfile.text`; with a schedule such as "10 Hz m 0.2 from 0 min, none from 40 min"."""
        if self.schedule is None or not any(step.depth for step in self.schedule.steps):
            return self.at_start.text()
        steps = [(step.minute, self._at(step)) for step in self.schedule.steps]
        return ", ".join(f"{'none' if at == at.sham() else at.text()} from {minute:g} min" for minute, at in steps)


def parse_schedule(text: str, depth: float = DEFAULT_DEPTH, glide_s: float = DEFAULT_GLIDE_S) -> Schedule:
    """A schedule from "MINUTE:[BAND] RATE [DEPTH], ..."; a band alone means its middle rate, `off` means depth 0.

    >>> [(step.minute, step.rate_hz, step.depth) for step in parse_schedule("0:alpha 10, 20:theta 6 0.3, 40:off").steps]
    [(0.0, 10.0, 0.2), (20.0, 6.0, 0.3), (40.0, 6.0, 0.0)]
    """
    steps: list[Step] = []
    for entry in text.split(","):
        minute, _, what = entry.partition(":")
        words, given = what.split(), {"minute": minute, "depth": depth}
        if words == ["off"]:
            words = [str(steps[-1].rate_hz if steps else 10.0), "0"]
        if words and words[0] in BANDS:
            given["band"] = words.pop(0)
        try:
            given |= zip(("rate_hz", "depth")[: len(words)], words, strict=True)
            steps.append(step_of(given))
        except ValueError:
            wanted = "MINUTE:[BAND] RATE [DEPTH], such as 20:theta 6 or 20:theta 6 0.3"
            raise CtxAudioError(f"schedule: {reprlib.repr(entry.strip())} is not {wanted}") from None
    return Schedule(tuple(steps), glide_s)


def step_of(entry: Any) -> Step:
    """A step from `minute`, `rate_hz` and/or `band` (whose middle it is then), and any other field of `Step`, as texts
    or numbers. Raises `ValueError` for anything else, and `CtxAudioError` for numbers out of range.
    """
    if not isinstance(entry, dict) or "minute" not in entry or entry.keys() - {"band", *Step.__dataclass_fields__}:
        raise ValueError(f"{reprlib.repr(entry)} is not a step")
    band, rate_hz, condition = (entry.get(name) for name in ("band", "rate_hz", "condition"))
    if band not in (None, *BANDS):
        raise ValueError(f"unknown band {reprlib.repr(band)}, not one of {', '.join(BANDS)}")
    if not isinstance(condition, str | None):
        raise ValueError(f"{reprlib.repr(condition)} is no condition")
    if band is None and rate_hz is None:
        raise ValueError("a step needs rate_hz or band")
    hz = BANDS[str(band)].middle_hz if rate_hz is None else float(rate_hz)
    if band and not BANDS[band].low_hz <= hz <= BANDS[band].high_hz:
        limits = f"{BANDS[band].low_hz:g}-{BANDS[band].high_hz:g} Hz"
        raise CtxAudioError(f"schedule: {hz:g} Hz is not in the band {band} ({limits})")
    numbers = {name: float(entry[name]) for name in ("minute", "depth", "level_db") if name in entry}
    return Step(rate_hz=hz, condition=condition, **numbers)


@dataclass(frozen=True)
class Mixed(Options):
    """A recording beside the bed: `level_db` to it, and if `gap_s` is not 0, now and then (`RecordingBed`)."""

    path: Path
    level_db: float = option(..., "", least=-60, most=20)
    gap_s: float = option(0.0, "", least=0, most=3600)


@dataclass(frozen=True)
class Night:
    """What `ctxaudio session --schedule FILE` reads: all of a session but its bed."""

    schedule: Schedule
    minutes: float = 60.0
    fade_s: float = 10.0
    mix: tuple[Mixed, ...] = ()

    @property
    def modulation(self) -> Modulation:
        """Amplitude modulation along the schedule; raises `CtxAudioError` for depths beyond comfort."""
        modulation = Modulation(method_profile("am", self.schedule.steps[0].rate_hz), self.schedule)
        modulation.check_comfort()
        return modulation

    def with_conditions(self, known: list[str]) -> Night:
        """The night without the conditions that a model does not know."""
        steps = (step if step.condition in known else replace(step, condition=None) for step in self.schedule.steps)
        return replace(self, schedule=replace(self.schedule, steps=tuple(steps)))

    def write(self, path: Path) -> None:
        """Write it as YAML, whole or not at all; recordings are named from the file's folder."""
        from ctxaudio.files import write_text

        steps = [{"minute": step.minute, "band": band_of(step.rate_hz)} | asdict(step) for step in self.schedule.steps]
        content: dict[str, Any] = {
            "minutes": self.minutes,
            "fade_s": self.fade_s,
            "glide_s": self.schedule.glide_s,
            "steps": [{name: value for name, value in step.items() if value not in (None, "")} for step in steps],
        }
        for mixed in self.mix:
            file = mixed.path if mixed.path.is_absolute() else Path(os.path.relpath(mixed.path, path.parent))
            entry = {"file": file.as_posix(), "level_db": mixed.level_db, "gap_s": mixed.gap_s}
            content.setdefault("mix", []).append(entry)
        write_text(path, yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110))


def read_night(path: Path) -> Night:
    """A night from YAML, see `night_of`; raises `CtxAudioError` naming the file for anything else.

    All scalars are read as text, so that no tag, date or long number means anything.
    """
    from ctxaudio.files import why_unreadable  # with NumPy, which `--help` does not need

    if reason := why_unreadable(path):
        raise CtxAudioError(f"can't read {path}: {reason}")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CtxAudioError(f"{path} is over {MOST_BYTES} bytes: give a schedule in YAML")
        found = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=yaml.BaseLoader)
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CtxAudioError(f"{path} is not valid YAML: {' '.join(str(error).split())[:200]}") from error
    return night_of(found if isinstance(found, dict) else {}, path)


def read_schedule(path: Path) -> Schedule:
    """The schedule of a YAML file that holds nothing else: the rest of a night is a session's."""
    night = read_night(path)
    if night != Night(night.schedule) or night.schedule.conditions():
        raise CtxAudioError(f"{path} names a condition, minutes, fade_s or mix: only a session has those")
    return night.schedule


def night_of(found: Mapping[str, Any], path: Path) -> Night:
    """A night from what YAML or TOML holds: `ENTRIES`, of which only `steps` must be there.

    Steps are as `step_of` takes them; an entry of `mix` has `file` (from the folder of `path`), `level_db` and `gap_s`.
    Raises `CtxAudioError`, which begins with `path`, for anything else.
    """
    try:
        if not isinstance(found.get("steps"), list):
            raise CtxAudioError("needs `steps:`, a list of entries with minute and rate_hz")
        if unknown := found.keys() - set(ENTRIES):
            raise CtxAudioError(f"unknown entry {reprlib.repr(min(unknown))}; known are {', '.join(ENTRIES)}")
        schedule = Schedule(tuple(map(step_of, found["steps"])), float(found.get("glide_s", DEFAULT_GLIDE_S)))
        mix = [
            Mixed(path.parent / entry["file"], float(entry["level_db"]), float(entry.get("gap_s", 0.0)))
            for entry in found.get("mix", ())
        ]
        given = {name: float(found[name]) for name in ("minutes", "fade_s") if name in found}
        return Night(schedule, mix=tuple(mix), **given)
    except (KeyError, TypeError, ValueError) as error:
        wanted = "give times, rates, depths and levels as numbers, mix as file, level_db, gap_s"
        raise CtxAudioError(f"{path}: {str(error)[:200]}: {wanted}") from error
    except CtxAudioError as error:
        raise CtxAudioError(f"{path}: {error}") from error


def example_nights(context: str) -> dict[str, Night]:
    """The sessions by name that come with the package for a context."""
    path = Path(__file__).with_name("nights.toml")
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: night_of(entry, path) for name, entry in found[context_named(context).name].items()}


def band_of(rate_hz: float) -> str:
    """The band that a rate lies in, the lower one at a limit; empty for none."""
    return next((band.name for band in BANDS.values() if band.low_hz <= rate_hz <= band.high_hz), "")
