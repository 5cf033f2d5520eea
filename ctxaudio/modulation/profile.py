"""What can be asked of a modulation, as plain data: rates, carriers and tones.

- A `Rate` moves the envelope of the sound up and down, as a sine or in pulses.
- A `Carrier` emphasises an audible frequency of the sound.
- A `Tone` is laid over the sound and carries a rate as AM, pulses, or a monaural or binaural beat.

Depth is the modulation index m = (max - min) / (max + min) of the envelope, 0..1; in decibels 20 log10 m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from ctxaudio.contexts import BANDS, TARGETS, Context
from ctxaudio.errors import CtxAudioError

MAX_RATE_HZ = 100.0
CARRIER_BOOST_DB = 12.0
JITTER = 0.3

ToneKind = Literal["am", "isochronic", "monaural", "binaural"]
TONE_KINDS: tuple[ToneKind, ...] = ("am", "isochronic", "monaural", "binaural")


@dataclass(frozen=True)
class Pulse:
    """On for `duty` of each cycle (0.05..0.95 at half height), with raised-cosine ramps of `ramp_s` seconds.

    The ramps keep pulses from clicking. Where a cycle is too short for them they shrink.
    """

    duty: float = 0.5
    ramp_s: float = 0.01

    def __post_init__(self) -> None:
        if not 0.05 <= self.duty <= 0.95:
            raise CtxAudioError(f"duty {self.duty:g} is outside 0.05-0.95")
        if not 0.001 <= self.ramp_s <= 1.0:
            raise CtxAudioError(f"ramp {self.ramp_s:g} s is outside 0.001-1 s: a shorter one clicks")


@dataclass(frozen=True)
class Rate:
    """One envelope rate: `rate_hz` above 0 to 100, `depth` m in 0..1, `phase` in radians.

    `pulse` None is a sine. `jitter` is how unstable the rate is: the standard deviation of the momentary rate
    relative to `rate_hz` (0 exact; a control has 0.3).
    """

    rate_hz: float
    depth: float
    phase: float = 0.0
    pulse: Pulse | None = None
    jitter: float = 0.0

    def __post_init__(self) -> None:
        check_rate(self.rate_hz, self.depth, self.jitter)


@dataclass(frozen=True)
class Carrier:
    """One emphasised audible frequency: `frequency_hz` 20-20000, `depth` in 0..1 of `CARRIER_BOOST_DB`."""

    frequency_hz: float
    depth: float

    def __post_init__(self) -> None:
        if not 20.0 <= self.frequency_hz <= 20000.0:
            raise CtxAudioError(f"carrier {self.frequency_hz:g} Hz is not audible: give 20-20000 Hz")
        check_depth(self.depth)


@dataclass(frozen=True)
class Tone:
    """A tone at `carrier_hz` that carries `rate_hz`, laid `level_db` above (below: negative) the loudness of the sound.

    `am` and `isochronic` modulate the tone; a `monaural` beat is two tones `rate_hz` apart, the higher one `depth`
    times as strong (the envelope then has index `depth`); a `binaural` beat gives each ear one of them, steady,
    and has no depth to choose. Binaural carriers lie in 200-500 Hz, where the beat is heard at all
    (Oster 1973, doi:10.1038/scientificamerican1073-94), rates up to 35 Hz.
    """

    kind: ToneKind
    rate_hz: float
    carrier_hz: float = 250.0
    depth: float = 1.0
    level_db: float = -10.0
    pulse: Pulse = Pulse()
    jitter: float = 0.0

    def __post_init__(self) -> None:
        check_rate(self.rate_hz, self.depth, self.jitter)
        if self.kind not in TONE_KINDS:
            raise CtxAudioError(f"unknown method {self.kind!r}: choose one of {', '.join(TONE_KINDS)}")
        low_hz, high_hz = (200.0, 500.0) if self.kind == "binaural" else (100.0, 5000.0)
        if not low_hz <= self.carrier_hz <= high_hz:
            raise CtxAudioError(
                f"carrier {self.carrier_hz:g} Hz of a {self.kind} tone is outside {low_hz:g}-{high_hz:g} Hz"
            )
        if self.kind == "binaural" and self.rate_hz > 35.0:
            raise CtxAudioError(
                f"a binaural beat of {self.rate_hz:g} Hz is not heard: give up to 35 Hz, or --method am"
            )
        if self.kind == "binaural" and self.depth not in (0.0, 1.0):
            raise CtxAudioError("a binaural beat has no depth (each ear hears a steady tone): set its level instead")
        if not -60.0 <= self.level_db <= 20.0:
            raise CtxAudioError(f"level {self.level_db:g} dB of a tone is outside -60..20 dB")

    @property
    def channels(self) -> int:
        return 2 if self.kind == "binaural" else 1


@dataclass(frozen=True)
class ModulationProfile:
    """What to do to a sound. With `audio_band_hz` (low, high) only that part of the spectrum goes up and down.

    Raises `CtxAudioError` for depths of rates that sum above 1 (the envelope would turn over) and a band that is none.
    """

    rates: tuple[Rate, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    tones: tuple[Tone, ...] = ()
    audio_band_hz: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        total = sum(rate.depth for rate in self.rates)
        if total > 1.0 + 1e-9:
            raise CtxAudioError(f"the depths of all rates sum to {total:g}; above 1 the envelope turns over")
        if self.audio_band_hz is not None:
            low_hz, high_hz = self.audio_band_hz
            if not 20.0 <= low_hz < high_hz <= 20000.0 or high_hz < 1.2 * low_hz:
                raise CtxAudioError(f"audio band {low_hz:g}-{high_hz:g} Hz: give 20-20000 Hz, at least a minor third")
            if not self.rates:
                raise CtxAudioError("an audio band limits rates of the sound itself, and this profile has none")

    def sham(self) -> Self:
        """The control without modulation: the same rates, carriers and tones at depth 0, so nothing moves."""
        return replace(
            self,
            rates=tuple(replace(rate, depth=0.0) for rate in self.rates),
            carriers=tuple(replace(carrier, depth=0.0) for carrier in self.carriers),
            tones=tuple(replace(tone, depth=0.0) for tone in self.tones),
        )

    def jittered(self, jitter: float = JITTER) -> Self:
        """The control with the same depths at unstable rates."""
        return replace(
            self,
            rates=tuple(replace(rate, jitter=jitter) for rate in self.rates),
            tones=tuple(replace(tone, jitter=jitter) for tone in self.tones),
        )

    def at(self, rate_hz: float, depth: float) -> Self:
        """The same with every rate and tone at `rate_hz` and `depth`, as a schedule has it at one time."""
        return replace(
            self,
            rates=tuple(replace(rate, rate_hz=rate_hz, depth=depth) for rate in self.rates),
            tones=tuple(
                replace(tone, rate_hz=rate_hz, depth=tone.depth if tone.kind == "binaural" else depth)
                for tone in self.tones
            ),
        )

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The profile that `dataclasses.asdict` turned into `content`; `KeyError` or `TypeError` for anything else."""
        band = content.get("audio_band_hz")
        return cls(
            tuple(Rate(**{**rate, "pulse": rate.get("pulse") and Pulse(**rate["pulse"])}) for rate in content["rates"]),
            tuple(Carrier(**carrier) for carrier in content["carriers"]),
            tuple(Tone(**{**tone, "pulse": Pulse(**tone["pulse"])}) for tone in content.get("tones", ())),
            None if band is None else (band[0], band[1]),
        )


def modulation_profile(band_depths: Mapping[str, float], target_depths: Mapping[str, float]) -> ModulationProfile:
    """A profile from named bands and targets; a band's depth is shared equally by its three rates.

    >>> profile = modulation_profile({"alpha": 0.3}, {"deep_sleep": 0.2, "earth": 0.5})
    >>> [(round(rate.rate_hz, 2), round(rate.depth, 2)) for rate in profile.rates]
    [(8.67, 0.1), (10.2, 0.1), (11.99, 0.1), (2.5, 0.2)]
    >>> profile.carriers
    (Carrier(frequency_hz=432.0, depth=0.5),)
    """
    for kind, given, known in (("band", band_depths, BANDS), ("target", target_depths, TARGETS)):
        for name in given:
            if name not in known:
                raise CtxAudioError(f"unknown {kind} {name!r}: choose from {', '.join(known)}")
    rates: list[Rate] = []
    for name, depth in band_depths.items():
        inside = BANDS[name].rates_hz()
        rates += [Rate(rate_hz, depth / len(inside)) for rate_hz in inside]
    targets = [(TARGETS[name], depth) for name, depth in target_depths.items()]
    rates += [Rate(target.frequency_hz, depth) for target, depth in targets if target.kind == "rate"]
    carriers = [Carrier(target.frequency_hz, depth) for target, depth in targets if target.kind == "carrier"]
    return ModulationProfile(tuple(rates), tuple(carriers))


def context_profile(context: Context) -> ModulationProfile:
    """The default profile of a context."""
    return modulation_profile(context.band_depths, context.target_depths)


def check_rate(rate_hz: float, depth: float, jitter: float = 0.0) -> None:
    if not 0.0 < rate_hz <= MAX_RATE_HZ:
        raise CtxAudioError(f"rate {rate_hz:g} Hz is outside 0-{MAX_RATE_HZ:g} Hz: give an envelope rate")
    check_depth(depth)
    if not 0.0 <= jitter <= 0.5:
        raise CtxAudioError(f"jitter {jitter:g} is outside 0..0.5")


def check_depth(depth: float) -> None:
    if not 0.0 <= depth <= 1.0:
        raise CtxAudioError(f"depth {depth:g} is outside 0..1")
