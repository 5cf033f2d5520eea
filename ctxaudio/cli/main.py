"""Choosing the command, and turning errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import ctxaudio
from ctxaudio.cli import (
    analyze,
    contexts,
    course,
    evaluate,
    fetch,
    generate,
    modulate,
    prepare,
    pretrain,
    session,
    train,
)
from ctxaudio.cli.arguments import OneLineParser
from ctxaudio.errors import CtxAudioError

COMMANDS = {
    "fetch": (fetch, "fetch the FSD50K clips that a context needs"),
    "prepare": (prepare, "decode a context's clips once"),
    "train": (train, "train a generator"),
    "pretrain": (pretrain, "train the base that ships with ctxaudio"),
    "generate": (generate, "generate WAV files"),
    "modulate": (modulate, "apply a modulation to an audio file of any length"),
    "session": (session, "render hours of sound into one file"),
    "analyze": (analyze, "measure a folder of sound"),
    "evaluate": (evaluate, "compare a model or a folder of clips with real clips"),
    "contexts": (contexts, "print contexts, bands and targets with their evidence grades"),
    "course": (course, "run the five notebooks"),
}


def build_parser() -> OneLineParser:
    parser = OneLineParser(prog="ctxaudio", description=ctxaudio.__doc__)
    parser.add_argument("--version", action="version", version=ctxaudio.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=OneLineParser)
    for name, (module, purpose) in COMMANDS.items():
        module.add_to(
            commands.add_parser(
                name, help=purpose, description=module.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
            )
        )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when done, 2 for a user's mistake (one line on stderr), 130 for Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = build_parser().parse_args(with_command(given))
        module, _ = COMMANDS[options.command]
        return module.run(options)
    except CtxAudioError as error:
        print(f"ctxaudio: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `ctxaudio contexts | head`: nobody reads on, and Python would say so again on leaving
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("ctxaudio: interrupted", file=sys.stderr)
        return 130


def with_command(arguments: list[str]) -> list[str]:
    """The reference's form, `--mode generate --context focus ...`, as `generate --context focus ...`."""
    if "--mode" not in arguments:
        return arguments
    at = arguments.index("--mode")
    mode = arguments[at + 1] if at + 1 < len(arguments) else ""
    if mode not in ("train", "generate"):
        raise CtxAudioError(f"--mode {mode!r} is neither train nor generate")
    return [mode, *arguments[:at], *arguments[at + 2 :]]
