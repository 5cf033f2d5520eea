"""Contexts, brainwave bands and target frequencies: plain data, with the evidence grade of each claim.

Two axes, never mixed: a *rate* (1-100 Hz) is how fast the envelope of a sound goes up and down;
a *carrier* (432, 528 Hz) is an audible frequency. Grades: A replicated human data, B limited but
real support, C contested or mixed, D unsupported or pilot data only, X wrong as physics.
Nothing here is a health claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from ctxaudio.errors import CtxAudioError

Grade = Literal["A", "B", "C", "D", "X"]


@dataclass(frozen=True)
class Evidence:
    """What is known about a claim: its grade, one sentence, and where to read it."""

    grade: Grade
    says: str
    source: str


@dataclass(frozen=True)
class Band:
    """A brainwave band, used here as a range of envelope *rates* from `low_hz` to `high_hz`."""

    name: str
    low_hz: float
    high_hz: float
    association: str
    evidence: Evidence

    def rates_hz(self, count: int = 3) -> tuple[float, ...]:
        """`count` rates inside the band, evenly spaced on a logarithmic axis, in hertz.

        >>> [round(rate, 2) for rate in BANDS["alpha"].rates_hz()]
        [8.67, 10.2, 11.99]
        """
        steps = (np.arange(count) + 0.5) / count
        return tuple(float(self.low_hz * (self.high_hz / self.low_hz) ** step) for step in steps)


@dataclass(frozen=True)
class Target:
    """A named frequency: a `rate` is carried by the envelope, a `carrier` is heard as a tone."""

    name: str
    frequency_hz: float
    kind: Literal["rate", "carrier"]
    title: str
    evidence: Evidence


@dataclass(frozen=True)
class Context:
    """What a sound is for: its FSD50K labels in a fixed order, what to keep out, how to modulate.

    `conditions` is the order of `--focus_condition` and of the model's label embedding. `band_depths` and
    `target_depths` are the default modulation (modulation index, 0..1). A context of several has them as `parts`.
    """

    name: str
    conditions: tuple[str, ...]
    vetoes: tuple[str, ...]
    band_depths: Mapping[str, float]
    target_depths: Mapping[str, float]
    evidence: Evidence
    parts: tuple[Context, ...] = ()


_ASSOCIATION = Evidence(
    "B",
    "EEG power in this band goes with such states on average; it is a correlation, band limits are conventions, "
    "and sound at the rate is not shown to bring the state.",
    "Obleser & Kayser 2019, doi:10.1016/j.tics.2019.08.004",
)

BANDS: Mapping[str, Band] = MappingProxyType(
    {
        band.name: band
        for band in (
            Band("delta", 1.0, 4.0, "deep sleep", _ASSOCIATION),
            Band("theta", 4.0, 8.0, "drowsiness, meditation", _ASSOCIATION),
            Band("alpha", 8.0, 13.0, "relaxed wakefulness", _ASSOCIATION),
            Band("beta", 13.0, 30.0, "active thinking, alertness", _ASSOCIATION),
            Band("gamma", 30.0, 100.0, "perception, attention", _ASSOCIATION),
        )
    }
)

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        target.name: target
        for target in (
            Target(
                "schumann",
                7.83,
                "rate",
                "Schumann resonance",
                Evidence(
                    "X",
                    "An electromagnetic resonance of the Earth-ionosphere cavity; nothing about sound. "
                    "As an envelope rate it is one at the theta/alpha border.",
                    "Saroka, Vares & Persinger 2016, doi:10.1371/journal.pone.0146595",
                ),
            ),
            Target(
                "solfeggio",
                528.0,
                "carrier",
                "Solfeggio frequency",
                Evidence(
                    "D",
                    "One study with nine people and barely controlled music; 'DNA repair' is grade X.",
                    "Akimoto et al. 2018, doi:10.4236/health.2018.109088",
                ),
            ),
            Target(
                "earth",
                432.0,
                "carrier",
                "Earth frequency",
                Evidence(
                    "D",
                    "Pilot data only: music tuned to 432 Hz, 33 people, heart rate 4.8 beats lower (p = .05).",
                    "Calamassi & Pomponi 2019, doi:10.1016/j.explore.2019.04.001",
                ),
            ),
            Target(
                "focus",
                14.1,
                "rate",
                "Focus frequency",
                Evidence(
                    "D",
                    "No study at 14.1 Hz. Nearest: 16 Hz amplitude-modulated music helped sustained attention "
                    "in some listeners (grade B; the first author works for a vendor).",
                    "Woods et al. 2024, doi:10.1038/s42003-024-07026-3",
                ),
            ),
            Target(
                "deep_sleep",
                2.5,
                "rate",
                "Deep sleep frequency",
                Evidence(
                    "D",
                    "No open-loop study at 2.5 Hz. What helps slow oscillations is sound locked to the "
                    "sleeper's own EEG phase, which a file can't do.",
                    "Ngo et al. 2013, doi:10.1016/j.neuron.2013.03.006",
                ),
            ),
            Target(
                "meditation",
                6.0,
                "rate",
                "Meditation frequency",
                Evidence(
                    "D",
                    "A single laboratory: 6 Hz binaural beat, 28 people, more theta power.",
                    "Jirakittayakorn & Wongsawat 2017, doi:10.3389/fnins.2017.00365",
                ),
            ),
        )
    }
)

# FSD50K smears labels upwards, so a parent such as Human_voice vetoes every voice below it.
VETOES_EVERYWHERE: tuple[str, ...] = (
    *("Human_voice", "Speech", "Speech_synthesizer", "Respiratory_sounds", "Screaming", "Shout", "Yell"),
    *("Crying_and_sobbing", "Burping_and_eructation", "Fart", "Toilet_flush", "Alarm", "Siren", "Ringtone"),
    *("Telephone", "Explosion", "Gunshot_and_gunfire", "Fireworks", "Engine", "Vehicle"),
    *("Motor_vehicle_(road)", "Traffic_noise_and_roadway_noise", "Rail_transport", "Aircraft", "Power_tool"),
    *("Tools", "Slam", "Shatter", "Screech", "Dog", "Growling", "Buzz"),
)

CONTEXTS: Mapping[str, Context] = MappingProxyType(
    {
        context.name: context
        for context in (
            Context(
                name="sleep",
                conditions=("Rain", "Waves_and_surf", "Wind", "Cricket", "Mechanical_fan"),
                vetoes=("Thunder", "Thunderstorm", "Gull_and_seagull", "Crow", "Music", "Drip", "Raindrop", "Bird"),
                # Slow rates pump most audibly (fluctuation strength peaks at 4 Hz): keep them shallow.
                band_depths={"delta": 0.1},
                target_depths={"deep_sleep": 0.2},
                evidence=Evidence(
                    "D",
                    "Nature sounds mark sleep playlists, but continuous noise is not shown to improve sleep, "
                    "and at 50 dB it cost sleepers REM.",
                    "Riedy et al. 2021, doi:10.1016/j.smrv.2020.101385; REM: Basner et al. 2026, Sleep, PMID 41627391",
                ),
            ),
            Context(
                name="focus",
                conditions=("Stream", "Mechanical_fan", "Trickle_and_dribble", "Computer_keyboard", "Tick-tock"),
                vetoes=("Thunder", "Thunderstorm", "Music", "Bird"),
                band_depths={"beta": 0.1},
                target_depths={"focus": 0.3},
                evidence=Evidence(
                    "C",
                    "Steady noise helped people with ADHD a little (g = .25) and hurt others (g = -.21).",
                    "Nigg et al. 2024, doi:10.1016/j.jaac.2023.12.014",
                ),
            ),
            Context(
                name="relaxation",
                conditions=("Stream", "Chirp_and_tweet", "Crackle", "Purr", "Harp"),
                vetoes=("Crow", "Gull_and_seagull", "Chicken_and_rooster", "Thunder", "Thunderstorm"),
                band_depths={"alpha": 0.1},
                target_depths={"schumann": 0.1, "earth": 0.3},
                evidence=Evidence(
                    "B",
                    "Natural sounds lower stress and annoyance in 18 pooled studies (g = -.60); that is the bed, "
                    "not the modulation.",
                    "Buxton et al. 2021, doi:10.1073/pnas.2013097118",
                ),
            ),
            Context(
                name="energy",
                conditions=("Drum_kit", "Snare_drum", "Bass_drum", "Tabla", "Hi-hat", "Clapping", "Electric_guitar"),
                vetoes=("Gong",),
                # Above a depth of 0.3 gamma rates are rough.
                band_depths={"beta": 0.2, "gamma": 0.1},
                target_depths={"focus": 0.1},
                evidence=Evidence(
                    "B",
                    "Music in exercise lifts mood and performance, fast tempo most (139 studies); that is rhythm, "
                    "not a beta or gamma rate.",
                    "Terry et al. 2020, doi:10.1037/bul0000216",
                ),
            ),
            Context(
                name="meditation",
                conditions=("Gong", "Bell", "Church_bell", "Wind_chime", "Organ", "Bowed_string_instrument"),
                vetoes=("Bicycle_bell", "Cowbell", "Doorbell", "Drum_kit", "Electric_guitar"),
                band_depths={"theta": 0.1},
                target_depths={"meditation": 0.2, "solfeggio": 0.3},
                evidence=Evidence(
                    "D",
                    "Singing-bowl beats show up in the EEG of 17 people without a control group.",
                    "Kim & Choi 2023, doi:10.3390/ijerph20126180",
                ),
            ),
        )
    }
)


#: One model for every context: the conditions of all, each once. It modulates nothing: each would ask for other rates.
ALL = Context(
    "all",
    tuple(dict.fromkeys(label for context in CONTEXTS.values() for label in context.conditions)),
    vetoes=(),
    band_depths={},
    target_depths={},
    evidence=Evidence("D", "No claim of its own: every context whose sounds it holds has one.", "ctxaudio contexts"),
    parts=tuple(CONTEXTS.values()),
)


def context_named(name: str) -> Context:
    """The context of that name, or `ALL`; raises `CtxAudioError` naming the choices for any other."""
    if name not in CONTEXTS and name != ALL.name:
        raise CtxAudioError(f"unknown context {name!r}: choose one of {', '.join(CONTEXTS)}, or {ALL.name}")
    return CONTEXTS.get(name, ALL)


def condition_index(context: Context, condition: int) -> int:
    """Check a `--focus_condition` (index into `context.conditions`, or -1 for random) and give it back."""
    if not -1 <= condition < len(context.conditions):
        choices = ", ".join(f"{i} {label}" for i, label in enumerate(context.conditions))
        raise CtxAudioError(f"focus_condition {condition} is not in context {context.name!r}: -1 random, {choices}")
    return condition


def catalogue() -> dict[str, Any]:
    """Contexts, bands and targets as plain dictionaries, ready for JSON; `all` is the one model for every context."""
    return {
        "contexts": {name: _described(context) for name, context in CONTEXTS.items()},
        "all": _described(ALL),
        "bands": {name: asdict(band) for name, band in BANDS.items()},
        "targets": {name: asdict(target) for name, target in TARGETS.items()},
        "vetoes_everywhere": VETOES_EVERYWHERE,
    }


def _described(context: Context) -> dict[str, Any]:
    return {name: value for name, value in asdict(context).items() if name not in ("name", "parts")}
