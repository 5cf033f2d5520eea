"""Render hours of seamless sound from a trained generator or a recording into one file; an interrupted call goes on."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.cli.modulation_arguments import add_finish, add_modulation, finish_of, modulation_of
from ctxaudio.errors import CtxAudioError

#: Rare peaks of a long night may be limited by this much.
LIMIT_DB = 6.0


def add_to(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--output_path", type=Path, required=True, help="a .flac, .wav, .ogg, .opus or .mp3 file")
    add("--model_path", type=Path, help="the generator that makes the bed; without it the base that ships")
    add("--input", type=Path, help="instead: a recording as the bed, in excerpts if it is shorter")
    add("--minutes", type=float, default=60.0)
    add("--seed", type=int, default=0, help="the same seed gives the same session")
    add("--focus_condition", type=int, default=-1, help="index of the condition; -1: one by the seed")
    add("--channels", type=int, default=2, choices=(1, 2), help="2: decorrelated stereo")
    add("--mix", nargs="*", default=[], metavar="FILE=DB", help="recordings to mix in, at DB beside the bed")
    add("--restart", action="store_true", help="throw an unfinished session of this name away")
    add_modulation(parser)
    add_finish(parser, fade_s=10.0)


def run(options: argparse.Namespace) -> int:
    from ctxaudio.provenance import evidence_line, json_beside
    from ctxaudio.render import plan
    from ctxaudio.render.session import render_session
    from ctxaudio.signal.audio import audio_format

    if options.model_path is not None and options.input is not None:
        raise CtxAudioError("give --model_path or --input (a recording), not both: one of them is the bed")
    if options.model_path is None and options.input is None:
        print("model: the base that ships with ctxaudio (train fine-tunes it)", flush=True)
    path: Path = options.output_path
    audio_format(path)
    json_beside(path)
    mix = [plan.parse_mix(text) for text in options.mix]
    channels, seed, minutes = options.channels, options.seed, options.minutes
    if options.input is None:
        source = plan.generated_source(options.model_path, options.focus_condition, channels, seed, options.context)
    else:
        source = plan.recorded_source(options.input, channels, seed, minutes, options.context)
    modulation = modulation_of(options, source.context)
    session, made = plan.plan_session(source, modulation, minutes, finish_of(options, LIMIT_DB), mix, seed)
    what = ", ".join(source.conditions) or options.input
    print(f"{minutes:g} minutes of {what} into {path}", flush=True)
    made = made.reaching(
        render_session(session, path, lambda gain: made.reaching(gain).comment(), options.restart, on_a_terminal())
    )
    made.write_beside(path)
    print(made.summary(path))
    print(evidence_line(made.claims))
    return 0
