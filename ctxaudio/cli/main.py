"""Choosing the command, and turning errors into one line and an exit code.

A command is a function of dataclasses: its arguments are their options, its help its docstring.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import ctxaudio
from ctxaudio.errors import CtxAudioError, unknown
from ctxaudio.options import CommandParser, from_options, one_line, parameters_of

#: In which module of `ctxaudio.cli`, imported when it is asked for, a function of that name is, and what it is for.
COMMANDS = {
    "demo": ("course", "make every context's sound within seconds, and a page to listen to it"),
    "fetch": ("fetch", "fetch the FSD50K clips that a context needs"),
    "prepare": ("training", "decode a context's clips once"),
    "train": ("training", "train a generator"),
    "pretrain": ("training", "train the base that ships with ctxaudio"),
    "generate": ("sound", "generate WAV files"),
    "modulate": ("sound", "apply a modulation to an audio file of any length"),
    "session": ("sound", "render hours of sound into one file"),
    "analyze": ("measure", "measure a folder of sound"),
    "evaluate": ("measure", "compare a model or a folder of clips with real clips"),
    "contexts": ("course", "print contexts, bands and targets with their evidence grades"),
    "course": ("course", "run the notebooks"),
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
        print("ctxaudio:", one_line(str(error)), file=sys.stderr)
        return 2
    except BrokenPipeError:  # `ctxaudio contexts | head`: nobody reads on
        close_stdout()
        return 0
    except OSError as error:
        if error.filename is not None:  # a name that no file can have, wherever it is first looked at
            print("ctxaudio:", one_line(f"can't use {error.filename}: {error.strerror}"), file=sys.stderr)
            return 2
        print(f"ctxaudio: can't write the output: {error.strerror}", file=sys.stderr)
        close_stdout()
        return 2
    except KeyboardInterrupt:
        print("ctxaudio: interrupted", file=sys.stderr)
        return 130


def run_command(arguments: list[str]) -> int:
    if "--mode" in arguments:  # the reference's form: --mode generate --context focus ...
        at = arguments.index("--mode")
        mode = "".join(arguments[at + 1 : at + 2])
        if mode not in ("train", "generate"):
            raise CtxAudioError(f"--mode {mode!r} is neither train nor generate")
        arguments = [mode, *arguments[:at], *arguments[at + 2 :]]
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:2], "--help"]
    if not arguments or arguments[0].startswith("-"):
        parser = all_commands()
        parser.parse(arguments)  # --help, --version, or what is neither
        parser.print_help()
        return 2
    options = command_parser(arguments[0]).parse(arguments[1:])
    command = command_named(arguments[0])
    return command(*(from_options(cls, options) for cls, *_ in parameters_of(command)))


def command_named(name: str) -> Callable[..., int]:
    if name not in COMMANDS:
        raise unknown("command", name, COMMANDS)
    command: Callable[..., int] = getattr(import_module(f"ctxaudio.cli.{COMMANDS[name][0]}"), name)
    return command


def command_parser(name: str) -> CommandParser:
    """The parser of one command's arguments."""
    command = command_named(name)
    return CommandParser(f"ctxaudio {name}", command.__doc__, command)


def all_commands() -> CommandParser:
    """What `ctxaudio --help` prints: the commands, whose arguments `command_parser` knows."""
    parser = CommandParser("ctxaudio", ctxaudio.__doc__)
    parser.add_argument("--version", action="version", version=ctxaudio.__version__)
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=argparse.ArgumentParser)
    for name, (_, purpose) in COMMANDS.items():
        commands.add_parser(name, help=purpose)
    return parser


def close_stdout() -> None:
    """Let what is still to be written go nowhere: Python would say on leaving that it can't be."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
