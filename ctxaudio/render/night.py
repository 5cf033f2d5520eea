"""A session as YAML: its schedule, length and fades, and what is mixed in; the examples that come with the package."""

from __future__ import annotations

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
from ctxaudio.files import why_unreadable, write_text
from ctxaudio.modulation.profile import method_profile
from ctxaudio.modulation.schedule import DEFAULT_GLIDE_S, Modulation, Schedule, step_of
from ctxaudio.options import Options, option

ENTRIES = ("minutes", "fade_s", "glide_s", "steps", "mix")
MOST_BYTES = 20_000  # a longer file is no night


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
