"""A modulation over time, "0:alpha 10, 20:theta 6, 40:delta 2.5" (`render.night` has the same as YAML); its comfort.

A step holds until the next; the change takes `glide_s` from the step's minute on (or the time to the next step, if
that is shorter), along straight lines of rate and depth, so the phase never jumps.
"""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass, replace
from typing import Any

from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import ModulationProfile, Rate, Tone
from ctxaudio.options import Options, option

DEFAULT_DEPTH = 0.2
DEFAULT_GLIDE_S = 60.0
#: How deep a rate may be before it is unpleasant: (from hertz, to, greatest depth, what it sounds like beyond).
#: Fluctuation strength is greatest at 4 Hz, roughness begins at 15 Hz and is greatest at 70 Hz (Fastl & Zwicker 2007,
#: Psychoacoustics, chapters 10 and 11); deep gamma rates sound like an alarm (Arnal et al. 2015,
#: doi:10.1016/j.cub.2015.06.043).
COMFORT_LIMITS = (
    (0.0, 2.0, 0.7, "swells that draw attention"),
    (2.0, 15.0, 0.5, "conspicuous pumping"),
    (15.0, 30.0, 0.5, "flutter"),
    (30.0, math.inf, 0.3, "roughness"),
)


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
        """Raise `CtxAudioError` where depths of rates, summed over each range of `COMFORT_LIMITS`, pass its limit.

        Tones lie under the sound at a level of their own and are not limited.
        """
        at_once: list[tuple[Rate, ...]] = [self.profile.rates]
        if self.schedule and self.profile.rates:
            at_once = [self._at(step).rates for step in self.schedule.steps]
        for rates in at_once:
            for low_hz, high_hz, limit, beyond in COMFORT_LIMITS:
                total = sum(rate.depth for rate in rates if low_hz <= rate.rate_hz < high_hz)
                if total > limit + 1e-9:
                    where = f"{low_hz:g} Hz and above" if high_hz == math.inf else f"{low_hz:g}-{high_hz:g} Hz"
                    over = f"depth {total:g} at {where} is over {limit:g} ({beyond})"
                    raise CtxAudioError(f"{over}: less, or --beyond_comfort")

    def text(self) -> str:
        """The modulation in a few words (m is the depth); with a schedule, that of each step and what stays the same.

        "10 Hz m 0.2 from 0 min, 6 Hz m 0.3 from 20 min, none from 40 min, carrier 432 Hz m 0.5"
        """
        if self.schedule is None or not any(step.depth for step in self.schedule.steps):
            return _text(self.at_start)
        steps = [(step.minute, replace(self._at(step), carriers=())) for step in self.schedule.steps]
        told = [f"{'none' if at == at.sham() else _text(at)} from {minute:g} min" for minute, at in steps]
        carriers = ModulationProfile(carriers=self.profile.carriers)
        return ", ".join([*told, *([_text(carriers)] if carriers.carriers else [])])


def _text(profile: ModulationProfile) -> str:
    everything = [
        *((f"{r.rate_hz:.4g} Hz{' pulses' if r.pulse else ''}", r.depth, r.jitter) for r in profile.rates),
        *((f"{t.kind} {t.rate_hz:.4g} Hz on {t.carrier_hz:g} Hz", t.depth, t.jitter) for t in profile.tones),
        *((f"carrier {c.frequency_hz:g} Hz", c.depth, 0.0) for c in profile.carriers),
    ]
    heard = [
        f"{text} m {depth:.2g}" + (f" jittered by {jitter:g}" if jitter else "")
        for text, depth, jitter in everything
        if depth
    ]
    sham = f" (sham of {', '.join(text for text, *_ in everything)})" if everything else ""
    return ", ".join(heard) or f"none{sham}"


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
