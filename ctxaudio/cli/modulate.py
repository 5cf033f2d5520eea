"""Apply a modulation profile to any audio file, of any length: envelope rates, pulses, beats, carriers."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import ToneKind
from ctxaudio.options import add_dataclass, from_options, option

if TYPE_CHECKING:
    from ctxaudio.modulation.profile import ModulationProfile
    from ctxaudio.modulation.stream import Modulation
    from ctxaudio.render.finish import Finish


@dataclass(frozen=True)
class Modulate:
    """From which file into which."""

    input: Path = option(..., "any format that libsndfile reads, mono or stereo", metavar="IN", flag="input")
    output: Path = option(..., "a .wav, .flac, .ogg, .opus or .mp3 file", metavar="OUT", flag="output")


@dataclass(frozen=True)
class Asked:
    """What to modulate, and how."""

    context: str | None = option(None, "sleep, focus, relaxation, energy or meditation, for its default profile")
    profile: str | None = option(None, "a band, a target, a context, or sham")
    method: ToneKind | None = option(None, "instead of a profile: one rate by this method")
    rate_hz: float | None = option(None, "with --method: envelope rate, above 0 to 100 Hz")
    depth: float | None = option(None, "modulation index m, 0..1 (am, isochronic 0.5; beats 1; bands and targets 0.3)")
    carrier_hz: float | None = option(None, "carrier of a tone laid over the sound (beats: 250)")
    tone_db: float = option(-10.0, "loudness of that tone beside the sound's")
    duty: float | None = option(None, "isochronic: share of the cycle that is on (0.5)")
    ramp_s: float | None = option(None, "isochronic: raised-cosine ramps in seconds (0.01)")
    audio_band_hz: tuple[float, float] | None = option(
        None, "modulate this part of the spectrum only", metavar=("LOW", "HIGH")
    )
    control: Literal["sham", "jittered"] | None = option(
        None, "same sound and loudness, no modulation or unstable rates"
    )
    schedule: str | None = option(
        None, 'rates over time, "0:alpha 10, 20:theta 6, 40:delta 2.5" (minutes), or a YAML file'
    )
    beyond_comfort: bool = option(False, "allow depths that are rough or conspicuous")


@dataclass(frozen=True)
class Level:
    """At what level, and with which ends."""

    lufs: str = option("-27", "integrated loudness (BS.1770), or off to keep the level")
    true_peak: float = option(-6.0, "ceiling in dBTP")
    fade_s: float = option(0.0, "raised-cosine fades at both ends, in seconds")


def add_to(parser: argparse.ArgumentParser) -> None:
    add_dataclass(parser, Modulate)
    add_modulation(parser)


def add_modulation(parser: argparse.ArgumentParser, fade_s: float = 0.0) -> None:
    """The arguments that `modulate` and `session` share."""
    add_dataclass(parser, Asked, title="modulation (default: the profile of the context)")
    add_dataclass(parser, Level, title="level", fade_s=fade_s)


def run(options: argparse.Namespace) -> int:
    from ctxaudio.provenance import evidence_line
    from ctxaudio.render.modulate import modulate_file

    files = from_options(Modulate, options)
    modulation, finish = modulation_of(options, options.context), finish_of(options)
    made = modulate_file(files.input, files.output, modulation, finish, options.context, on_a_terminal())
    print(made.summary(files.output))
    print(evidence_line(made.claims))
    return 0


def finish_of(options: argparse.Namespace, limit_db: float = 0.0) -> Finish:
    from ctxaudio.render.finish import Finish

    level = from_options(Level, options)
    try:
        lufs = None if level.lufs == "off" else float(level.lufs)
    except ValueError:
        raise CtxAudioError(f"--lufs {level.lufs!r} is neither a number nor off") from None
    return Finish(lufs, level.true_peak, level.fade_s, limit_db)


def modulation_of(options: argparse.Namespace, context: str | None) -> Modulation:
    """What the arguments ask for; `CtxAudioError` where they contradict each other or are beyond comfort."""
    from ctxaudio.modulation.named import check_comfort
    from ctxaudio.modulation.schedule import parse_schedule, read_schedule
    from ctxaudio.modulation.stream import Modulation

    asked, schedule = from_options(Asked, options), None
    if asked.schedule is not None:
        as_file = Path(asked.schedule)
        named_file = as_file.suffix in (".yaml", ".yml")
        depth = {} if asked.depth is None else {"depth": asked.depth}
        schedule = read_schedule(as_file) if named_file else parse_schedule(asked.schedule, **depth)
        first_hz = schedule.steps[0].rate_hz
        asked = replace(asked, method=asked.method or "am", rate_hz=asked.rate_hz or first_hz)
    profile = _profile_of(asked, context)
    if asked.audio_band_hz:
        profile = replace(profile, audio_band_hz=asked.audio_band_hz)
    if not asked.beyond_comfort:
        check_comfort((rate.rate_hz, rate.depth) for rate in profile.rates)
        for step in schedule.steps if schedule and profile.rates else ():
            check_comfort([(step.rate_hz, step.depth)])
    if asked.control:
        profile = profile.sham() if asked.control == "sham" else profile.jittered()
    return Modulation(profile, schedule)


def _profile_of(asked: Asked, context: str | None) -> ModulationProfile:
    from ctxaudio.modulation.named import method_profile, named_profile
    from ctxaudio.modulation.profile import Pulse

    if asked.method is None:
        for name in ("rate_hz", "carrier_hz", "duty", "ramp_s"):
            if getattr(asked, name) is not None:
                raise CtxAudioError(f"--{name} goes with --method: am, isochronic, monaural or binaural")
        if context is None and asked.profile is None:
            raise CtxAudioError("say what to modulate: --context, --profile, or --method with --rate_hz")
        return named_profile(asked.profile or str(context), asked.depth)
    if asked.profile is not None:
        raise CtxAudioError("give --profile or --method (or a schedule), not both")
    if asked.rate_hz is None:
        raise CtxAudioError(f"--method {asked.method} needs --rate_hz, such as --rate_hz 6.0")
    pulse = None
    if asked.duty is not None or asked.ramp_s is not None:
        given = {"duty": asked.duty, "ramp_s": asked.ramp_s}
        pulse = Pulse(**{name: value for name, value in given.items() if value is not None})
    return method_profile(asked.method, asked.rate_hz, asked.depth, asked.carrier_hz, asked.tone_db, pulse)
