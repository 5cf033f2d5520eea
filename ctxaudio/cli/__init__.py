"""The command line: `ctxaudio COMMAND` or `python -m ctxaudio COMMAND`, over the functions the notebooks call.

A command is a function of dataclasses: its arguments are their options, its help its docstring. What `add_dataclass` is
to be told of one stands in its `Annotated`. It returns its exit code where that is not 0.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn, get_args, get_type_hints

import ctxaudio
from ctxaudio.errors import CtxAudioError, did_you_mean, unknown
from ctxaudio.options import add_dataclass, from_options

#: In which module of `ctxaudio.cli`, imported when it is asked for, a function of that name is, and what it is for.
COMMANDS = {
    "demo": ("course", "make every context's sound within seconds, and a page to listen to it"),
    "fetch": ("training", "fetch the FSD50K clips that a context needs"),
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
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        return run_command(list(sys.argv[1:] if arguments is None else arguments))
    except CtxAudioError as error:
        told = str(error)
    except BrokenPipeError:  # `ctxaudio contexts | head`: nobody reads on
        close_stdout()
        return 0
    except OSError as error:
        told = f"can't use {error.filename}: {error.strerror}"  # a name that no file can have, wherever first looked at
        if error.filename is None:
            told = f"can't write the output: {error.strerror}"
            close_stdout()
    except KeyboardInterrupt:
        print("ctxaudio: interrupted", file=sys.stderr)
        return 130
    print("ctxaudio:", one_line(told), file=sys.stderr)
    return 2


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
        parser = CommandParser("ctxaudio", description=ctxaudio.__doc__)
        parser.add_argument("--version", action="version", version=ctxaudio.__version__)
        commands = parser.add_subparsers(metavar="COMMAND")
        for name, (_, purpose) in COMMANDS.items():
            commands.add_parser(name, help=purpose)
        parser.parse(arguments)  # --help, --version, or what is neither
        parser.print_help()
        return 2
    options = command_parser(arguments[0]).parse(arguments[1:])
    return options.run(options) or 0


def command_parser(name: str) -> CommandParser:
    """The parser of one command's arguments; `run` of what it parses is the command with them."""
    if name not in COMMANDS:
        raise unknown("command", name, COMMANDS)
    command = getattr(import_module(f"ctxaudio.cli.{COMMANDS[name][0]}"), name)
    hints = get_type_hints(command, include_extras=True)
    taken = [get_args(hint) or (hint, {}) for parameter, hint in hints.items() if parameter != "return"]
    shown = argparse.ArgumentDefaultsHelpFormatter
    parser = CommandParser(f"ctxaudio {name}", description=command.__doc__, formatter_class=shown)
    for cls, told in taken:
        add_dataclass(parser, cls, **told)
    parser.set_defaults(run=lambda options: command(*(from_options(cls, options) for cls, _ in taken)))
    return parser


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are one line, and exit with 2."""

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options, and in `given` the names of those that were not left at their default."""
        if empty := next((argument for argument in arguments if argument.endswith("=--")), None):
            self.error(f"{empty} gives no value")  # argparse takes it for an empty list
        self.allow_abbrev = False  # no argument by half its name
        options, left = self.parse_known_args(arguments)
        if left:
            given = left[0].partition("=")[0]
            self.error(f"unknown argument {given}{did_you_mean(given, self._option_string_actions)}")
        named = {argument.partition("=")[0] for argument in arguments}
        options.given = frozenset(action.dest for action in self._actions if named & set(action.option_strings))
        return options

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        stream = file or sys.stderr
        if message and stream is not None:
            stream.write(message)  # argparse's own passes over a full device


def one_line(text: str) -> str:
    r"""`text` with what would break or hide the line written out, as `\n`: a name may hold anything."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def close_stdout() -> None:
    """Let what is still to be written go nowhere: Python would say on leaving that it can't be."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
