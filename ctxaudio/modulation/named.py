"""Profiles by name, by depths or by method, as the command line gives them, and a profile in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from ctxaudio.contexts import ALL, BANDS, CONTEXTS, TARGETS, Context, context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import (
    TONE_KINDS,
    ModulationProfile,
    Pulse,
    Rate,
    Tone,
    ToneKind,
    context_profile,
    modulation_profile,
)
from ctxaudio.modulation.schedule import Schedule

NAMED_DEPTH = 0.3
METHOD_DEPTH = 0.5
BEAT_CARRIER_HZ = 250.0

Control = Literal["sham", "jittered"]
CONTROLS: tuple[Control, ...] = ("sham", "jittered")


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
        known = ", ".join(dict.fromkeys([*BANDS, *TARGETS, *CONTEXTS, "sham", "jittered"]))
        raise CtxAudioError(f"unknown profile {name!r}: choose one of {known}")
    if depth is not None:
        raise CtxAudioError(f"profile {name!r} has depths of its own: leave out --depth, or choose a band or target")
    return ModulationProfile() if name == "sham" else context_profile(context_named(name))


def method_profile(
    method: str,
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

    Raises `CtxAudioError` for an unknown method and values out of range.
    """
    if method not in TONE_KINDS:
        raise CtxAudioError(f"unknown method {method!r}: choose one of {', '.join(TONE_KINDS)}")
    kind: ToneKind = next(known for known in TONE_KINDS if known == method)
    if pulse is not None and kind != "isochronic":
        raise CtxAudioError(f"duty and ramp are of isochronic pulses, not of {kind}")
    pulse = pulse or Pulse()
    if kind in ("monaural", "binaural"):
        chosen = BEAT_CARRIER_HZ if carrier_hz is None else carrier_hz
        return ModulationProfile(tones=(Tone(kind, rate_hz, chosen, 1.0 if depth is None else depth, tone_db),))
    m = METHOD_DEPTH if depth is None else depth
    if carrier_hz is not None:
        return ModulationProfile(tones=(Tone(kind, rate_hz, carrier_hz, m, tone_db, pulse),))
    return ModulationProfile((Rate(rate_hz, m, 0.0, pulse if kind == "isochronic" else None),))


def control_of(profile: ModulationProfile, control: str | None) -> ModulationProfile:
    """The profile itself, its sham or its jittered control; raises `CtxAudioError` for another word."""
    if control is None:
        return profile
    if control not in CONTROLS:
        raise CtxAudioError(f"unknown control {control!r}: choose sham or jittered")
    return profile.sham() if control == "sham" else profile.jittered()


def in_audio_band(profile: ModulationProfile, band_hz: tuple[float, float] | None) -> ModulationProfile:
    """The profile with its rates moving only that part of the spectrum."""
    if band_hz is None:
        return profile
    if not profile.rates:
        raise CtxAudioError("an audio band limits rates of the sound itself, and this profile has none")
    return replace(profile, audio_band_hz=band_hz)


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
