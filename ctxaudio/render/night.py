"""A session as it is planned: its bed, schedule, length and fades, and what is mixed in; nights from YAML and back."""

from __future__ import annotations

import os
import reprlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ctxaudio.contexts import BANDS, context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import why_unreadable, write_text
from ctxaudio.modulation.profile import method_profile
from ctxaudio.modulation.schedule import DEFAULT_DEPTH, DEFAULT_GLIDE_S, Modulation, Schedule, Step, step_of
from ctxaudio.options import Options, option
from ctxaudio.provenance import Provenance, source_file
from ctxaudio.render.beds import Bed, GeneratedBed, Layer, RecordingBed
from ctxaudio.render.generate import model_for
from ctxaudio.render.session import Finish, Session

ENTRIES = ("minutes", "fade_s", "glide_s", "steps", "mix")
MOST_BYTES = 20_000  # a longer file is no night


class Source(NamedTuple):
    """The bed of a session: a trained generator, or a recording."""

    bed: Bed
    context: str | None
    conditions: tuple[str, ...] = ()
    model: Mapping[str, Any] | None = None
    recording: Path | None = None


def generated_source(
    model_path: Path | None,
    condition: int | str,
    channels: int,
    seed: int,
    context: str | None = None,
    schedule: Schedule | None = None,
) -> Source:
    """A generator's endless sound of a condition, by name or index (-1: one of those it knows, by the seed).

    Conditions of the `schedule` are crossed over to. Without a path it is the base, for `context` (None: sleep).
    Raises `CtxAudioError` as `model_for` and for a condition that the model has not learned.
    """
    generator, about = model_for(model_path, context)
    crossings = (schedule.conditions(), schedule.glide_s) if schedule else ()
    bed = GeneratedBed(generator, condition, channels, seed, *crossings)
    names = dict.fromkeys(generator.config.conditions[index] for _, index in bed.crossings)
    return Source(bed, about["context"], tuple(names), about)


@dataclass(frozen=True)
class Mixed(Options):
    """A recording beside the bed: `level_db` to it, and if `gap_s` is not 0, now and then (`RecordingBed`)."""

    path: Path
    level_db: float = option(..., "", least=-60, most=20)
    gap_s: float = option(0.0, "", least=0, most=3600)


def plan_session(
    source: Source, modulation: Modulation, minutes: float, finish: Finish, mix: Sequence[Mixed] = (), seed: int = 0
) -> Session:
    """A session of `source`, with recordings mixed in.

    Raises `CtxAudioError` for conditions that a recording would have to cross over to.
    """
    if source.recording and modulation.schedule and modulation.schedule.conditions():
        raise CtxAudioError(f"the schedule names a condition, which {source.recording} does not have: leave out one")
    bed = source.bed
    layers = [Layer(bed)]
    for number, mixed in enumerate(mix, 1):
        more = RecordingBed(mixed.path, bed.channels, seed + number, 60.0 * minutes, bed.sample_rate, mixed.gap_s)
        layers.append(Layer(more, mixed.level_db))
    recordings = [*([source.recording] if source.recording else []), *(mixed.path for mixed in mix)]
    settings: dict[str, Any] = {"minutes": minutes, "channels": bed.channels, "sample_rate": bed.sample_rate}
    settings |= {"mix_db": [mixed.level_db for mixed in mix], "mix_gap_s": [mixed.gap_s for mixed in mix]}
    facts: dict[str, Any] = {"conditions": source.conditions, "seed": seed, "model": source.model}
    facts |= {"sources": tuple(map(source_file, recordings)), "settings": settings | {"finish": asdict(finish)}}
    made = Provenance("session", modulation, source.context, **facts)
    return Session(layers, modulation, minutes, finish, made)


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
        modulation = Modulation(method_profile("am", self.schedule.steps[0].rate_hz), self.schedule)
        modulation.check_comfort()
        return modulation

    def write(self, path: Path) -> None:
        """Write it as YAML, whole or not at all; recordings are named from the file's folder."""
        mix = [
            {"file": _named_from(path.parent, mixed.path), "level_db": mixed.level_db, "gap_s": mixed.gap_s}
            for mixed in self.mix
        ]
        content = {
            "minutes": self.minutes,
            "fade_s": self.fade_s,
            "glide_s": self.schedule.glide_s,
            "steps": [_entry(step) for step in self.schedule.steps],
            "mix": mix,
        }
        given = {name: value for name, value in content.items() if value not in (None, [])}
        write_text(path, yaml.safe_dump(given, sort_keys=False, default_flow_style=None, width=110))


def read_night(path: Path) -> Night:
    """A night from YAML, see `night_of`; raises `CtxAudioError` naming the file for anything else.

    All scalars are read as text, so that no tag, date or long number means anything.
    """
    if reason := why_unreadable(path):
        raise CtxAudioError(f"can't read {path}: {reason}")
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise CtxAudioError(f"{path} is over {MOST_BYTES} bytes: give a schedule in YAML")
        found = yaml.load(content.decode("utf-8-sig"), Loader=yaml.BaseLoader)
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


def example_nights(context: str) -> dict[str, Night]:
    """The sessions by name that come with the package for a context."""
    path = Path(__file__).with_name("nights.toml")
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: night_of(entry, path) for name, entry in found[context_named(context).name].items()}


def band_of(rate_hz: float) -> str:
    """The band that a rate lies in, the lower one at a limit; empty for none."""
    return next((band.name for band in BANDS.values() if band.low_hz <= rate_hz <= band.high_hz), "")


def with_conditions(night: Night, known: list[str]) -> Night:
    """The night without the conditions that a model does not know."""
    steps = (step if step.condition in known else replace(step, condition=None) for step in night.schedule.steps)
    return replace(night, schedule=replace(night.schedule, steps=tuple(steps)))


def _entry(step: Step) -> dict[str, Any]:
    band = band_of(step.rate_hz)
    entry = {"minute": step.minute, "band": band or None, "rate_hz": step.rate_hz, "depth": step.depth}
    entry |= {"level_db": step.level_db or None, "condition": step.condition}
    return {name: value for name, value in entry.items() if value is not None}


def _named_from(folder: Path, path: Path) -> str:
    return path.as_posix() if path.is_absolute() else Path(os.path.relpath(path, folder)).as_posix()
