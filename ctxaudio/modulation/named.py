"""Profiles by name, by depths or by method, as the command line gives them, and a profile in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ctxaudio.contexts import ALL, BANDS, CONTEXTS, TARGETS, Context, context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import (
    ModulationProfile,
    Pulse,
    Rate,
    Tone,
    ToneKind,
    context_profile,
    modulation_profile,
)
from ctxaudio.modulation.schedule import Schedule

#: Where nothing else is asked for: the depth of a band or target by name, of a method, the carrier of a beat.
NAMED_DEPTH = 0.3
METHOD_DEPTH = 0.5
BEAT_CARRIER_HZ = 250.0

#: How deep a rate may be before it is unpleasant: (from hertz, greatest depth, what it sounds like beyond).
#: Fluctuation strength is greatest at 4 Hz, roughness begins at 15 Hz and is greatest at 70 Hz (Fastl & Zwicker 2007,
#: Psychoacoustics, chapters 10 and 11); deep gamma rates sound like an alarm (Arnal et al. 2015,
#: doi:10.1016/j.cub.2015.06.043).
COMFORT_LIMITS = (
    (0.0, 0.7, "swells that draw attention"),
    (2.0, 0.5, "conspicuous pumping"),
    (15.0, 0.5, "flutter"),
    (30.0, 0.3, "roughness"),
)


def named_profile(name: str, depth: float | None = None) -> ModulationProfile:
    """The profile of a band, a target or a context (its default), or `sham` and `all` (nothing modulated).

    `depth` (default 0.3) is for bands and targets; a context has depths of its own.

    >>> [rate.rate_hz for rate in named_profile("meditation").rates][-1]
    6.0

    Raises `CtxAudioError` for an unknown name, and a depth given for a context or sham.
    """
    if name in BANDS:
        return modulation_profile({name: NAMED_DEPTH if depth is None else depth}, {})
    # `focus` and `meditation` are contexts and targets: a depth means the target
    if name in TARGETS and (name not in CONTEXTS or depth is not None):
        return modulation_profile({}, {name: NAMED_DEPTH if depth is None else depth})
    if name not in (*CONTEXTS, ALL.name, "sham"):
        known = ", ".join(dict.fromkeys([*BANDS, *TARGETS, *CONTEXTS, "sham"]))
        raise CtxAudioError(f"unknown profile {name!r}: choose one of {known}")
    if depth is not None:
        raise CtxAudioError(f"profile {name!r} has depths of its own: leave out --depth, or choose a band or target")
    return ModulationProfile() if name == "sham" else context_profile(context_named(name))


def method_profile(
    method: ToneKind,
    rate_hz: float,
    depth: float | None = None,
    carrier_hz: float | None = None,
    tone_db: float = -10.0,
    pulse: Pulse | None = None,
) -> ModulationProfile:
    """One rate by one method.

    `am` and `isochronic` modulate the sound itself, or with `carrier_hz` a tone laid over it; `monaural` and
    `binaural` beats are always tones (250 Hz unless `carrier_hz` says otherwise). `tone_db` is the tone's loudness
    beside the sound's. Depth: 0.5, for beats 1.

    >>> method_profile("am", 6.0).rates
    (Rate(rate_hz=6.0, depth=0.5, phase=0.0, pulse=None, jitter=0.0),)

    Raises `CtxAudioError` for values out of range.
    """
    if pulse is not None and method != "isochronic":
        raise CtxAudioError(f"duty and ramp are of isochronic pulses, not of {method}")
    beats = method in ("monaural", "binaural")
    m = (1.0 if beats else METHOD_DEPTH) if depth is None else depth
    if carrier_hz is None and not beats:
        return ModulationProfile((Rate(rate_hz, m, 0.0, pulse or Pulse() if method == "isochronic" else None),))
    carrier_hz = BEAT_CARRIER_HZ if carrier_hz is None else carrier_hz
    return ModulationProfile(tones=(Tone(method, rate_hz, carrier_hz, m, tone_db, pulse or Pulse()),))


def check_comfort(rates: Iterable[tuple[float, float]]) -> None:
    """Raise `CtxAudioError` where (hertz, depth) of rates, summed over each range of `COMFORT_LIMITS`, pass its limit.

    Tones lie under the sound at a level of their own and are not limited.

    >>> check_comfort([(40.0, 0.2), (60.0, 0.2)])
    Traceback (most recent call last):
    ...
    ctxaudio.errors.CtxAudioError: depth 0.4 at 30 Hz and above is over 0.3 (roughness): less, or --beyond_comfort
    """
    pairs = list(rates)
    highs = [*(low_hz for low_hz, _, _ in COMFORT_LIMITS[1:]), float("inf")]
    for (low_hz, limit, beyond), high_hz in zip(COMFORT_LIMITS, highs, strict=True):
        total = sum(depth for rate_hz, depth in pairs if low_hz <= rate_hz < high_hz)
        if total > limit + 1e-9:
            where = f"{low_hz:g} Hz and above" if high_hz == float("inf") else f"{low_hz:g}-{high_hz:g} Hz"
            raise CtxAudioError(f"depth {total:g} at {where} is over {limit:g} ({beyond}): less, or --beyond_comfort")


def chosen_profile(context: Context, bands: Sequence[str] | None, targets: Sequence[str] | None) -> ModulationProfile:
    """A profile from `NAME=DEPTH` texts; None keeps the context's default for that axis, an empty list switches it off.

    >>> chosen_profile(CONTEXTS["sleep"], [], ["earth=0.5"]).rates
    ()
    """
    band_depths = context.band_depths if bands is None else parse_depths("band", bands, BANDS)
    target_depths = context.target_depths if targets is None else parse_depths("target", targets, TARGETS)
    return modulation_profile(band_depths, target_depths)


def parse_depths(kind: str, texts: Sequence[str], known: Mapping[str, object]) -> dict[str, float]:
    """`["alpha=0.3"]` to `{"alpha": 0.3}`; raises `CtxAudioError` for anything else."""
    depths = {}
    for text in texts:
        name, _, depth = text.partition("=")
        try:
            depths[name] = float(depth)
        except ValueError:
            raise CtxAudioError(f"{kind} {text!r} is not NAME=DEPTH, such as {next(iter(known))}=0.3") from None
    return depths


def profile_text(profile: ModulationProfile) -> str:
    """The modulation in a few words; m is the depth.

    >>> from ctxaudio.modulation.profile import modulation_profile
    >>> profile_text(modulation_profile({}, {"deep_sleep": 0.2, "earth": 0.5}))
    '2.5 Hz m 0.2, carrier 432 Hz m 0.5'
    >>> profile_text(modulation_profile({}, {"deep_sleep": 0.2}).sham())
    'none (sham of 2.5 Hz)'
    """
    everything = [
        *((f"{r.rate_hz:.4g} Hz{' pulses' if r.pulse else ''}", r.depth, r.jitter) for r in profile.rates),
        *((f"{t.kind} {t.rate_hz:.4g} Hz on {t.carrier_hz:g} Hz", t.depth, t.jitter) for t in profile.tones),
        *((f"carrier {c.frequency_hz:g} Hz", c.depth, 0.0) for c in profile.carriers),
    ]
    if not any(depth > 0.0 for _, depth, _ in everything):
        return f"none (sham of {', '.join(text for text, *_ in everything)})" if everything else "none"
    said = [
        f"{text} m {depth:.2g}" + (f" jittered by {jitter:g}" if jitter else "")
        for text, depth, jitter in everything
        if depth > 0.0
    ]
    band = profile.audio_band_hz
    return ", ".join(said) + (f" (rates in {band[0]:g}-{band[1]:g} Hz only)" if band else "")


def modulation_text(profile: ModulationProfile, schedule: Schedule | None = None) -> str:
    """`profile_text`, or with a schedule the rate and depth of each of its steps, and what stays the same.

    >>> from ctxaudio.modulation.profile import Rate
    >>> from ctxaudio.modulation.schedule import parse_schedule
    >>> modulation_text(ModulationProfile((Rate(10.0, 0.2),)), parse_schedule("0:alpha 10, 20:theta 6 0.3, 40:off"))
    '10 Hz m 0.2 from 0 min, 6 Hz m 0.3 from 20 min, none from 40 min'
    """
    if schedule is None or not any(step.depth > 0.0 for step in schedule.steps):
        return profile_text(profile)
    moving, steady = replace(profile, carriers=()), replace(profile, rates=(), tones=(), audio_band_hz=None)
    steps = [(step.minute, moving.at(step.rate_hz, step.depth)) for step in schedule.steps]
    said = [f"{'none' if at == at.sham() else profile_text(at)} from {minute:g} min" for minute, at in steps]
    return ", ".join([*said, *([profile_text(steady)] if steady.carriers else [])])
