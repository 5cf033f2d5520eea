"""What commands share: a parser whose errors are one line, and the arguments of a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NoReturn

from ctxaudio.errors import did_you_mean
from ctxaudio.options import add_dataclass, parameters_of, taking
from ctxaudio.run import Run

Common = Annotated[Run, taking(title="common arguments")]


class CommandParser(argparse.ArgumentParser):
    """Parses the options of the dataclasses that `command` takes; its errors are one line, and exit with 2.

    It takes no argument by half its name.
    """

    def __init__(self, prog: str, description: str | None, command: Callable[..., int] | None = None) -> None:
        shown = argparse.HelpFormatter if command is None else argparse.ArgumentDefaultsHelpFormatter
        super().__init__(prog, description=description, formatter_class=shown, allow_abbrev=False)
        for cls, names, settings in parameters_of(command) if command else ():
            add_dataclass(self, cls, *names, **settings)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options, and in `given` the names of those that were not left at their default."""
        if empty := next((argument for argument in arguments if argument.endswith("=--")), None):
            self.error(f"{empty} gives no value")  # argparse takes it for an empty list
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
    """`text` with what would break or hide the line written out: a name may hold anything.

    >>> print(one_line("no such file: " + chr(10)))
    no such file: \\n
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def on_a_terminal() -> bool:
    """Whether a progress bar has somebody to look at it; a log file gets plain lines instead."""
    return sys.stderr is not None and sys.stderr.isatty()
