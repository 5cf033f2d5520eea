"""A night as it is planned in YAML: a schedule, its length and fades, and what is mixed in."""

from __future__ import annotations

import reprlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ctxaudio.contexts import BANDS, context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import why_unreadable
from ctxaudio.modulation.profile import check_comfort, method_profile
from ctxaudio.modulation.schedule import DEFAULT_DEPTH, DEFAULT_GLIDE_S, Schedule, Step, step_of
from ctxaudio.modulation.stream import Modulation
from ctxaudio.render.session import Mixed

ENTRIES = ("minutes", "fade_s", "glide_s", "steps", "mix")
MOST_BYTES = 20_000  # a longer file is no night


@dataclass(frozen=True)
class Night:
    """What `ctxaudio session --schedule FILE` reads; None leaves `minutes` and `fade_s` to its arguments."""

    schedule: Schedule
    minutes: float | None = None
    fade_s: float | None = None
    mix: tuple[Mixed, ...] = ()

    def length_and_fade(self, minutes: float, fade_s: float) -> tuple[float, float]:
        """Its length in minutes and its fades in seconds: what is given, where it does not say."""
        return (minutes if self.minutes is None else self.minutes, fade_s if self.fade_s is None else self.fade_s)

    @property
    def modulation(self) -> Modulation:
        """Amplitude modulation along the schedule; raises `CtxAudioError` for depths beyond comfort."""
        profile = method_profile("am", self.schedule.steps[0].rate_hz)
        check_comfort(profile.rates, self.schedule)
        return Modulation(profile, self.schedule)


def night_text(path: Path) -> str:
    """What a file that may hold a night says; `CtxAudioError` for one that can't be read or is too long."""
    if reason := why_unreadable(path):
        raise CtxAudioError(f"can't read {path}: {reason}")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise CtxAudioError(f"{path} is over {MOST_BYTES} bytes: give a schedule in YAML")
    return content.decode("utf-8-sig", errors="replace")


def read_night(path: Path) -> Night:
    """The night of a YAML file; errors as `night_text` and `parse_night`."""
    return parse_night(night_text(path), path)


def parse_night(text: str, path: Path) -> Night:
    """A night from YAML, see `night_of`; raises `CtxAudioError` naming the file for anything else.

    All scalars are read as text, so that no tag, date or long number means anything.
    """
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)
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
    """A night from what YAML or JSON holds: `ENTRIES`, of which only `steps` must be there.

    A step has `minute`, `rate_hz` and/or `band`, and any other field of `Step`; an entry of `mix` has `file` (from the
    folder of `path`), `level_db` and `gap_s`. Raises `CtxAudioError`, which begins with `path`, for anything else.
    """
    try:
        if not isinstance(found.get("steps"), list):
            raise CtxAudioError("needs `steps:`, a list of entries with minute and rate_hz")
        if unknown := found.keys() - set(ENTRIES):
            raise CtxAudioError(f"unknown entry {reprlib.repr(min(unknown))}; known are {', '.join(ENTRIES)}")
        schedule = Schedule(tuple(map(_step_of, found["steps"])), float(found.get("glide_s", DEFAULT_GLIDE_S)))
        minutes, fade_s = (None if found.get(name) is None else float(found[name]) for name in ("minutes", "fade_s"))
        mix = tuple(
            Mixed(path.parent / entry["file"], float(entry["level_db"]), float(entry.get("gap_s", 0.0)))
            for entry in found.get("mix", ())
        )
    except (KeyError, TypeError, ValueError) as error:
        wanted = "give times, rates, depths and levels as numbers, mix as file, level_db, gap_s"
        raise CtxAudioError(f"{path}: {str(error)[:200]}: {wanted}") from error
    except CtxAudioError as error:
        raise CtxAudioError(f"{path}: {error}") from error
    return Night(schedule, minutes, fade_s, mix)


def _step_of(entry: Any) -> Step:
    if not isinstance(entry, dict) or "minute" not in entry or entry.keys() - {"band", *Step.__dataclass_fields__}:
        raise ValueError(f"{reprlib.repr(entry)} is not a step")
    if entry.get("band") not in (None, *BANDS):
        raise ValueError(f"unknown band {reprlib.repr(entry['band'])}, not one of {', '.join(BANDS)}")
    if not isinstance(entry.get("condition"), str | None):
        raise ValueError(f"{reprlib.repr(entry['condition'])} is no condition")
    given: dict[str, Any] = {"band": None, "rate_hz": None, "depth": DEFAULT_DEPTH} | entry
    return step_of(**given)


def example_nights(context: str, known: Sequence[str]) -> dict[str, str]:
    """The sessions by name that come with the package for a context, as YAML; of conditions, those that are `known`."""
    found = tomllib.loads(Path(__file__).with_name("nights.toml").read_text(encoding="utf-8"))
    examples = found[context_named(context).name]
    for step in (step for night in examples.values() for step in night["steps"]):
        if step.get("condition") not in known:
            step.pop("condition", None)
    return {
        name: yaml.safe_dump(night, sort_keys=False, default_flow_style=None, width=110)
        for name, night in examples.items()
    }
