"""Choosing the command, and turning errors into one line and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import ctxaudio
from ctxaudio.cli.arguments import OneLineParser
from ctxaudio.errors import CtxAudioError, unknown

#: Each is a module of `ctxaudio.cli`, imported when it is asked for.
COMMANDS = {
    "demo": "make every context's sound within seconds, and a page to listen to it",
    "fetch": "fetch the FSD50K clips that a context needs",
    "prepare": "decode a context's clips once",
    "train": "train a generator",
    "pretrain": "train the base that ships with ctxaudio",
    "generate": "generate WAV files",
    "modulate": "apply a modulation to an audio file of any length",
    "session": "render hours of sound into one file",
    "analyze": "measure a folder of sound",
    "evaluate": "compare a model or a folder of clips with real clips",
    "contexts": "print contexts, bands and targets with their evidence grades",
    "course": "run the notebooks",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0 when done, 2 for a user's mistake (one line on stderr), 130 for Ctrl-C.

    Without arguments the help is printed, and the exit code is 2: a script that forgot the command should notice.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name need not be text in any encoding, and is to be named
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return run_command(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except CtxAudioError as error:
        print(f"ctxaudio: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `ctxaudio contexts | head`: nobody reads on
        close_stdout()
        return 0
    except OSError as error:
        if error.filename is not None:
            raise
        print(f"ctxaudio: can't write the output: {error.strerror}", file=sys.stderr)
        close_stdout()
        return 2
    except KeyboardInterrupt:
        print("ctxaudio: interrupted", file=sys.stderr)
        return 130


def run_command(arguments: list[str]) -> int:
    given = with_command(arguments)
    if not given or given[0].startswith("-"):
        parser = all_commands()
        parser.parse(given)  # --help, --version, or what is neither
        parser.print_help()
        return 2
    command, *rest = given
    if command not in COMMANDS:
        raise unknown("command", command, COMMANDS)
    code: int = import_module(f"ctxaudio.cli.{command}").run(command_parser(command).parse(rest))
    return code


def command_parser(command: str) -> OneLineParser:
    """The parser of one command's arguments."""
    module = import_module(f"ctxaudio.cli.{command}")
    parser = OneLineParser(f"ctxaudio {command}", module.__doc__)
    module.add_to(parser)
    return parser


def all_commands() -> OneLineParser:
    """What `ctxaudio --help` prints: the commands, whose arguments `command_parser` knows."""
    parser = OneLineParser("ctxaudio", ctxaudio.__doc__)
    parser.formatter_class = argparse.HelpFormatter
    parser.add_argument("--version", action="version", version=ctxaudio.__version__)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=argparse.ArgumentParser)
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose)
    return parser


def with_command(arguments: list[str]) -> list[str]:
    """The reference's form, `--mode generate --context focus ...`, as `generate --context focus ...`."""
    if "--mode" not in arguments:
        return arguments
    at = arguments.index("--mode")
    mode = arguments[at + 1] if at + 1 < len(arguments) else ""
    if mode not in ("train", "generate"):
        raise CtxAudioError(f"--mode {mode!r} is neither train nor generate")
    return [mode, *arguments[:at], *arguments[at + 2 :]]


def close_stdout() -> None:
    """Let what is still to be written go nowhere: Python would say on leaving that it can't be."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
