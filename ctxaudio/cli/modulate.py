"""Apply a modulation profile to any audio file, of any length: envelope rates, pulses, beats, carriers."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import TONE_KINDS

if TYPE_CHECKING:
    from ctxaudio.modulation.profile import ModulationProfile
    from ctxaudio.modulation.stream import Modulation
    from ctxaudio.render.finish import Finish


def add_to(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="IN", help="any format that libsndfile reads, mono or stereo")
    parser.add_argument("output", type=Path, metavar="OUT", help="a .wav, .flac, .ogg, .opus or .mp3 file")
    add_modulation(parser)
    add_finish(parser, fade_s=0.0)


def run(options: argparse.Namespace) -> int:
    from ctxaudio.provenance import evidence_line
    from ctxaudio.render.modulate import modulate_file

    modulation = modulation_of(options, options.context)
    made = modulate_file(
        options.input, options.output, modulation, finish_of(options), options.context, on_a_terminal()
    )
    print(made.summary(options.output))
    print(evidence_line(made.claims))
    return 0


def add_modulation(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("modulation (default: the profile of the context)").add_argument
    add("--context", help="sleep, focus, relaxation, energy or meditation, for its default profile")
    add("--profile", help="a band, a target, a context, or sham")
    add("--method", choices=TONE_KINDS, help="instead of a profile: one rate by this method")
    add("--rate_hz", type=float, help="with --method: envelope rate, above 0 to 100 Hz")
    add("--depth", type=float, help="modulation index m, 0..1 (am, isochronic 0.5; beats 1; bands and targets 0.3)")
    add("--carrier_hz", type=float, help="carrier of a tone laid over the sound (beats: 250)")
    add("--tone_db", type=float, default=-10.0, help="loudness of that tone beside the sound's")
    add("--duty", type=float, help="isochronic: share of the cycle that is on (0.5)")
    add("--ramp_s", type=float, help="isochronic: raised-cosine ramps in seconds (0.01)")
    add("--audio_band_hz", type=float, nargs=2, metavar=("LOW", "HIGH"), help="modulate this part of the spectrum only")
    add("--control", choices=("sham", "jittered"), help="same sound and loudness, no modulation or unstable rates")
    add("--schedule", help='rates over time, "0:alpha 10, 20:theta 6, 40:delta 2.5" (minutes), or a YAML file')
    add("--beyond_comfort", action="store_true", help="allow depths that are rough or conspicuous")


def add_finish(parser: argparse.ArgumentParser, fade_s: float) -> None:
    add = parser.add_argument_group("level").add_argument
    add("--lufs", default="-27", help="integrated loudness (BS.1770), or off to keep the level")
    add("--true_peak", type=float, default=-6.0, help="ceiling in dBTP")
    add("--fade_s", type=float, default=fade_s, help="raised-cosine fades at both ends, in seconds")


def finish_of(options: argparse.Namespace, limit_db: float = 0.0) -> Finish:
    from ctxaudio.render.finish import Finish

    try:
        lufs = None if options.lufs == "off" else float(options.lufs)
    except ValueError:
        raise CtxAudioError(f"--lufs {options.lufs!r} is neither a number nor off") from None
    return Finish(lufs, options.true_peak, options.fade_s, limit_db)


def modulation_of(options: argparse.Namespace, context: str | None) -> Modulation:
    """What the arguments ask for; `CtxAudioError` where they contradict each other or are beyond comfort."""
    from ctxaudio.modulation.named import check_comfort
    from ctxaudio.modulation.schedule import parse_schedule, read_schedule
    from ctxaudio.modulation.stream import Modulation

    schedule = None
    if options.schedule is not None:
        as_file = Path(options.schedule)
        named_file = as_file.suffix in (".yaml", ".yml")
        depth = {} if options.depth is None else {"depth": options.depth}
        schedule = read_schedule(as_file) if named_file else parse_schedule(options.schedule, **depth)
        options.method = options.method or "am"
        options.rate_hz = options.rate_hz or schedule.steps[0].rate_hz
    profile = _profile_of(options, context)
    if options.audio_band_hz:
        profile = replace(profile, audio_band_hz=tuple(options.audio_band_hz))
    if not options.beyond_comfort:
        check_comfort((rate.rate_hz, rate.depth) for rate in profile.rates)
        for step in schedule.steps if schedule and profile.rates else ():
            check_comfort([(step.rate_hz, step.depth)])
    if options.control:
        profile = profile.sham() if options.control == "sham" else profile.jittered()
    return Modulation(profile, schedule)


def _profile_of(options: argparse.Namespace, context: str | None) -> ModulationProfile:
    from ctxaudio.modulation.named import method_profile, named_profile
    from ctxaudio.modulation.profile import Pulse

    if options.method is None:
        for name in ("rate_hz", "carrier_hz", "duty", "ramp_s"):
            if getattr(options, name) is not None:
                raise CtxAudioError(f"--{name} goes with --method: am, isochronic, monaural or binaural")
        if context is None and options.profile is None:
            raise CtxAudioError("say what to modulate: --context, --profile, or --method with --rate_hz")
        return named_profile(options.profile or str(context), options.depth)
    if options.profile is not None:
        raise CtxAudioError("give --profile or --method (or a schedule), not both")
    if options.rate_hz is None:
        raise CtxAudioError(f"--method {options.method} needs --rate_hz, such as --rate_hz 6.0")
    pulse = None
    if options.duty is not None or options.ramp_s is not None:
        given = {"duty": options.duty, "ramp_s": options.ramp_s}
        pulse = Pulse(**{name: value for name, value in given.items() if value is not None})
    return method_profile(options.method, options.rate_hz, options.depth, options.carrier_hz, options.tone_db, pulse)
