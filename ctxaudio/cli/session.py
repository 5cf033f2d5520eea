"""Render hours of seamless sound from a trained generator or a recording into one file; an interrupted call goes on."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.cli.modulate import add_finish, add_modulation, finish_of, modulation_of
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
    add(
        "--focus_condition", default=-1, metavar="CONDITION", help="name or index of the condition; -1: one by the seed"
    )
    add("--channels", type=int, default=2, choices=(1, 2), help="2: decorrelated stereo")
    add("--mix", nargs="*", default=[], metavar="FILE=DB", help="recordings to mix in, at DB beside the bed")
    add("--restart", action="store_true", help="throw an unfinished session of this name away")
    add_modulation(parser)
    add_finish(parser, fade_s=10.0)


def run(options: argparse.Namespace) -> int:
    from ctxaudio.provenance import evidence_line, json_beside
    from ctxaudio.render.session import generated_source, plan_session, recorded_source, render_session
    from ctxaudio.signal.audio import audio_format

    if options.model_path is not None and options.input is not None:
        raise CtxAudioError("give --model_path or --input (a recording), not both: one of them is the bed")
    path: Path = options.output_path
    audio_format(path)
    json_beside(path)
    mix = [parse_mix(text) for text in options.mix]
    channels, seed, minutes = options.channels, options.seed, options.minutes
    if options.input is None:
        source = generated_source(options.model_path, options.focus_condition, channels, seed, options.context)
    else:
        source = recorded_source(options.input, channels, seed, minutes, options.context)
    modulation = modulation_of(options, source.context)
    session = plan_session(source, modulation, minutes, finish_of(options, LIMIT_DB), mix, seed)
    print(f"{minutes:g} minutes of {', '.join(source.conditions) or options.input} into {path}", flush=True)
    made = render_session(session, path, options.restart, on_a_terminal())
    print(made.summary(path))
    print(evidence_line(made.claims))
    return 0


def parse_mix(text: str) -> tuple[Path, float]:
    """`FILE=-6`: a recording and its level in dB beside the bed.

    >>> parse_mix("birds.wav=-6")[1]
    -6.0
    """
    name, _, level = text.rpartition("=")
    try:
        level_db = float(level)
    except ValueError:
        name, level_db = "", 0.0
    if not name or not -60.0 <= level_db <= 20.0:
        raise CtxAudioError(f"{text!r} is not FILE=DB with DB in -60..20, such as birds.wav=-6")
    return Path(name), level_db
