"""Render hours of seamless sound from a trained generator or a recording into one file; an interrupted call goes on."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.cli.modulate import add_modulation, finish_of, modulation_of
from ctxaudio.errors import CtxAudioError
from ctxaudio.options import add_dataclass, check_ranges, from_options, option

#: Rare peaks of a long night may be limited by this much.
LIMIT_DB = 6.0


@dataclass(frozen=True)
class SessionAsked:
    """What is rendered, beside modulation and level."""

    output_path: Path = option(..., "a .flac, .wav, .ogg, .opus or .mp3 file")
    model_path: Path | None = option(None, "the generator that makes the bed; without it the base that ships")
    input: Path | None = option(None, "instead: a recording as the bed, in excerpts if it is shorter")
    minutes: float = option(60.0, "length of the session")
    seed: int = option(0, "the same seed gives the same session", least=0, most=2**31 - 1)
    focus_condition: str = option("-1", "name or index of the condition; -1: one by the seed", metavar="CONDITION")
    channels: int = option(2, "2: decorrelated stereo", least=1, most=2)
    mix: tuple[str, ...] = option((), "recordings to mix in, at DB beside the bed", metavar="FILE=DB")
    restart: bool = option(False, "throw an unfinished session of this name away")

    def __post_init__(self) -> None:
        check_ranges(self)


def add_to(parser: argparse.ArgumentParser) -> None:
    add_dataclass(parser, SessionAsked)
    add_modulation(parser, fade_s=10.0)


def run(options: argparse.Namespace) -> int:
    from ctxaudio.provenance import evidence_line, json_beside
    from ctxaudio.render.session import generated_source, plan_session, recorded_source, render_session
    from ctxaudio.signal.audio import audio_format

    asked = from_options(SessionAsked, options)
    if asked.model_path is not None and asked.input is not None:
        raise CtxAudioError("give --model_path or --input (a recording), not both: one of them is the bed")
    path = asked.output_path
    audio_format(path)
    json_beside(path)
    mix = [parse_mix(text) for text in asked.mix]
    channels, seed, minutes = asked.channels, asked.seed, asked.minutes
    if asked.input is None:
        source = generated_source(asked.model_path, asked.focus_condition, channels, seed, options.context)
    else:
        source = recorded_source(asked.input, channels, seed, minutes, options.context)
    modulation = modulation_of(options, source.context)
    session = plan_session(source, modulation, minutes, finish_of(options, LIMIT_DB), mix, seed)
    print(f"{minutes:g} minutes of {', '.join(source.conditions) or asked.input} into {path}", flush=True)
    made = render_session(session, path, asked.restart, on_a_terminal())
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
