"""Profiles by name or by method: what `--profile` and `--method` mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ctxaudio.contexts import ALL, BANDS, CONTEXTS, TARGETS, context_named
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
