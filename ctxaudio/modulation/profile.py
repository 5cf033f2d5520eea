"""What can be asked of a modulation, as plain data: rates, carriers and tones, by name or by method.

- A `Rate` moves the envelope of the sound up and down, as a sine or in pulses.
- A `Carrier` emphasises an audible frequency of the sound.
- A `Tone` is laid over the sound and carries a rate as AM, pulses, or a monaural or binaural beat.

Depth is the modulation index m = (max - min) / (max + min) of the envelope, 0..1; in decibels 20 log10 m. Values out of
range raise `CtxAudioError`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

from ctxaudio.contexts import ALL, BANDS, CONTEXTS, TARGETS, Context, context_named
from ctxaudio.errors import CtxAudioError, unknown
from ctxaudio.options import Options, option

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

ToneKind = Literal["am", "isochronic", "monaural", "binaural"]


@dataclass(frozen=True)
class Rate(Options):
    """One envelope rate in hertz, its depth, and its phase in radians.

    With `pulse` it is on for half of each cycle instead of a sine. `jitter` is how unstable the rate is: the standard
    deviation of the momentary rate relative to `rate_hz` (0 exact; a control has 0.3).
    """

    rate_hz: float = option(..., "", above=0, most=100)
    depth: float = option(..., "", least=0, most=1)
    phase: float = 0.0
    pulse: bool = False
    jitter: float = option(0.0, "", least=0, most=0.5)


@dataclass(frozen=True)
class Carrier(Options):
    """One emphasised audible frequency in hertz; `depth` 1 is 12 dB."""

    frequency_hz: float = option(..., "", least=20, most=20_000)
    depth: float = option(..., "", least=0, most=1)


@dataclass(frozen=True)
class Tone(Options):
    """A tone at `carrier_hz` that carries `rate_hz`, laid `level_db` above (below: negative) the loudness of the sound.

    `am` and `isochronic` modulate the tone; a `monaural` beat is two tones `rate_hz` apart, the higher one `depth`
    times as strong (the envelope then has index `depth`); a `binaural` beat gives each ear one of them, steady, and
    has no depth to choose. It is heard up to 35 Hz on 200-500 Hz (Oster 1973, doi:10.1038/scientificamerican1073-94).
    """

    kind: ToneKind = option(..., "", choices=get_args(ToneKind))
    rate_hz: float = option(..., "", above=0, most=100)
    carrier_hz: float = option(250.0, "", least=100, most=5000)
    depth: float = option(1.0, "", least=0, most=1)
    level_db: float = option(-10.0, "", least=-60, most=20)
    jitter: float = option(0.0, "", least=0, most=0.5)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "binaural" and not (200.0 <= self.carrier_hz <= 500.0 and self.rate_hz <= 35.0):
            beat = f"a binaural beat of {self.rate_hz:g} Hz on {self.carrier_hz:g} Hz"
            raise CtxAudioError(f"{beat} is not heard: give up to 35 Hz on 200-500 Hz, or --method am")
        if self.kind == "binaural" and self.depth not in (0.0, 1.0):
            raise CtxAudioError("a binaural beat has no depth (each ear hears a steady tone): set its level instead")


@dataclass(frozen=True)
class ModulationProfile:
    """What to do to a sound; `CtxAudioError` for depths of rates that sum above 1: the envelope would turn over."""

    rates: tuple[Rate, ...] = ()
    carriers: tuple[Carrier, ...] = ()
    tones: tuple[Tone, ...] = ()

    def __post_init__(self) -> None:
        total = sum(rate.depth for rate in self.rates)
        if total > 1.0 + 1e-9:
            raise CtxAudioError(f"the depths of all rates sum to {total:g}: lower them, it turns over above 1")

    @property
    def parts(self) -> tuple[Rate | Tone, ...]:
        return (*self.rates, *self.tones)

    def sham(self) -> Self:
        """The control without modulation: the same rates, carriers and tones at depth 0, so nothing moves."""
        return replace(self.moved(depth=0.0), carriers=tuple(replace(carrier, depth=0.0) for carrier in self.carriers))

    def jittered(self, jitter: float = 0.3) -> Self:
        """The control with the same depths at unstable rates."""
        return self.moved(jitter=jitter)

    def moved(self, **changes: Any) -> Self:
        """The same with these fields of all rates and tones."""
        rates = tuple(replace(rate, **changes) for rate in self.rates)
        return replace(self, rates=rates, tones=tuple(replace(tone, **changes) for tone in self.tones))

    def text(self) -> str:
        """The profile in a few words, such as "2.5 Hz m 0.2, carrier 432 Hz m 0.5" (m is the depth)."""
        everything = [
            *((f"{r.rate_hz:.4g} Hz{' pulses' if r.pulse else ''}", r.depth, r.jitter) for r in self.rates),
            *((f"{t.kind} {t.rate_hz:.4g} Hz on {t.carrier_hz:g} Hz", t.depth, t.jitter) for t in self.tones),
            *((f"carrier {c.frequency_hz:g} Hz", c.depth, 0.0) for c in self.carriers),
        ]
        heard = [(f"{text} m {depth:.2g}", jitter) for text, depth, jitter in everything if depth]
        if everything and not heard:
            return f"none (sham of {', '.join(text for text, *_ in everything)})"
        return ", ".join(text + (f" jittered by {jitter:g}" if jitter else "") for text, jitter in heard) or "none"

    def check_comfort(self) -> None:
        """Raise `CtxAudioError` where depths of rates, summed over each range of `COMFORT_LIMITS`, pass its limit.

        Tones lie under the sound at a level of their own and are not limited.
        """
        for low_hz, high_hz, limit, beyond in COMFORT_LIMITS:
            total = sum(rate.depth for rate in self.rates if low_hz <= rate.rate_hz < high_hz)
            if total > limit + 1e-9:
                where = f"{low_hz:g} Hz and above" if high_hz == math.inf else f"{low_hz:g}-{high_hz:g} Hz"
                over = f"depth {total:g} at {where} is over {limit:g} ({beyond})"
                raise CtxAudioError(f"{over}: less, or --beyond_comfort")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The profile that `dataclasses.asdict` turned into `content`; `KeyError` or `TypeError` for anything else."""
        # in older models no tones, and `pulse` None or a shape
        rates = [rate | {"pulse": bool(rate.get("pulse"))} for rate in content["rates"]]
        parts = {"tones": (), **content, "rates": rates}
        kinds = {"rates": Rate, "carriers": Carrier, "tones": Tone}
        return cls(**{name: tuple(kind(**part) for part in parts[name]) for name, kind in kinds.items()})


def modulation_profile(band_depths: Mapping[str, float], target_depths: Mapping[str, float]) -> ModulationProfile:
    """A profile from named bands and targets; a band's depth is shared equally by its three rates."""
    for kind, given, known in (("band", band_depths, BANDS), ("target", target_depths, TARGETS)):
        for name in given.keys() - known.keys():
            raise unknown(kind, name, known)
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


def named_profile(name: str, depth: float | None = None) -> ModulationProfile:
    """The profile of a band, a target or a context (its default), or `sham` and `all` (nothing modulated).

    `depth` (default 0.3) is for bands and targets; a context has depths of its own. Raises `CtxAudioError` for an
    unknown name, and for a depth given for a context or sham.
    """
    m = 0.3 if depth is None else depth
    if name in BANDS:
        return modulation_profile({name: m}, {})
    # `focus` and `meditation` are contexts and targets: a depth means the target
    if name in TARGETS and (name not in CONTEXTS or depth is not None):
        return modulation_profile({}, {name: m})
    if name not in (*CONTEXTS, ALL.name, "sham"):
        raise unknown("profile", name, dict.fromkeys([*BANDS, *TARGETS, *CONTEXTS, "sham"]))
    if depth is not None:
        raise CtxAudioError(f"profile {name!r} has depths of its own: leave out --depth, or choose a band or target")
    return ModulationProfile() if name == "sham" else context_profile(context_named(name))


def method_profile(
    kind: ToneKind, rate_hz: float, depth: float | None = None, carrier_hz: float | None = None, tone_db: float = -10.0
) -> ModulationProfile:
    """One rate by one method.

    `am` and `isochronic` modulate the sound itself, or with `carrier_hz` a tone laid over it; `monaural` and
    `binaural` beats are always tones (250 Hz unless `carrier_hz` says otherwise). `tone_db` is the tone's loudness
    beside the sound's. Depth: 0.5, for beats 1.
    """
    beats = kind in ("monaural", "binaural")
    m = (1.0 if beats else 0.5) if depth is None else depth
    if carrier_hz is None and not beats:
        return ModulationProfile((Rate(rate_hz, m, pulse=kind == "isochronic"),))
    return ModulationProfile(tones=(Tone(kind, rate_hz, 250.0 if carrier_hz is None else carrier_hz, m, tone_db),))


def chosen_profile(context: Context, bands: Sequence[str] | None, targets: Sequence[str] | None) -> ModulationProfile:
    """A profile from texts, `NAME=DEPTH`; None keeps the context's default for that axis, an empty list means none."""
    band_depths = context.band_depths if bands is None else dict(map(_named_depth, bands))
    target_depths = context.target_depths if targets is None else dict(map(_named_depth, targets))
    return modulation_profile(band_depths, target_depths)


def _named_depth(text: str) -> tuple[str, float]:
    name, _, depth = text.partition("=")
    try:
        return name, float(depth)
    except ValueError:
        raise CtxAudioError(f"{text!r} is not NAME=DEPTH, such as alpha=0.3") from None
