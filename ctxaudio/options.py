"""Options stated once, as fields of frozen dataclasses: name, type, default, range and help.

The command line is built from them (`CommandParser`, `from_options`); notebook parameters and the README's table are
checked against them by tests.

>>> @dataclasses.dataclass(frozen=True)
... class Cooking(Options):
...     minutes: float = option(4.0, "time in the water", least=0.5, most=30.0)
>>> parser = argparse.ArgumentParser()
>>> add_dataclass(parser, Cooking)
>>> from_options(Cooking, parser.parse_args(["--minutes", "6"]))
Cooking(minutes=6.0)
>>> Cooking(minutes=0.0)
Traceback (most recent call last):
    ...
ctxaudio.errors.CtxAudioError: minutes 0.0 must be at least 0.5 and at most 30.0
"""

from __future__ import annotations

import argparse
import dataclasses
import operator
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import MISSING, Field
from pathlib import Path
from types import NoneType
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from ctxaudio.errors import CtxAudioError, did_you_mean, unknown

Settings = TypeVar("Settings")
_MEETS: dict[str, Callable[[Any, Any], bool]] = {"above": operator.gt, "least": operator.ge, "most": operator.le}
_SAID = {"above": "above", "least": "at least", "most": "at most"}


def option(
    default: Any,
    help: str,
    *,
    choices: Collection[str] = (),
    metavar: str | None = None,
    flag: str = "",
    **limits: float,
) -> Any:
    """A field that is an option of the command line.

    Args:
        default: `...` for an option that must be given.
        help: empty for a setting that is not on the command line.
        choices: what is let through, besides None; of several values each.
        metavar: as in argparse; such as `A,B` takes several in one argument, parted by commas.
        flag: the name on the command line where it is another than the field's; without dashes a positional argument.
        limits: `above`, `least` or `most`, between which a value has to be.
    """
    about = {"help": help, "choices": tuple(choices), "limits": limits, "metavar": metavar, "flag": flag}
    return dataclasses.field(default=MISSING if default is ... else default, metadata=about)


def options_of(cls: type[Any]) -> list[Field[Any]]:
    """The fields of a dataclass that are options."""
    return [field for field in dataclasses.fields(cls) if field.metadata.get("help")]


@dataclasses.dataclass(frozen=True)
class Options:
    """What a dataclass of options is: strings are taken for paths, and values are checked.

    Raises `CtxAudioError` for a value outside its limits; NaN is outside of all.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, about = getattr(self, field.name), field.metadata
            if field.type == "Path":
                object.__setattr__(self, field.name, Path(value))
            if value is None or not about:
                continue
            given = value if isinstance(value, tuple) else (value,)
            if wrong := [one for one in given if about["choices"] and one not in about["choices"]]:
                raise unknown(field.name, str(wrong[0]), about["choices"])
            if not all(_MEETS[name](value, limit) for name, limit in about["limits"].items()):
                said = " and ".join(f"{_SAID[name]} {limit}" for name, limit in about["limits"].items())
                raise CtxAudioError(f"{field.name} {value} must be {said}")


def add_dataclass(
    parser: argparse.ArgumentParser, cls: type[Any], *names: str, title: str = "", **defaults: Any
) -> None:
    """Add the options of a dataclass, or those of `names` only, with other `defaults` where given.

    What the parser has already stays as it is: two dataclasses may share an option. A bool is a switch, a tuple takes
    as many values as follow.
    """
    add = parser.add_argument_group(title).add_argument if title else parser.add_argument
    hints = get_type_hints(cls)
    for field in options_of(cls):
        about = field.metadata
        flag = about["flag"] or f"--{field.name}"
        if (names and field.name not in names) or flag in parser._option_string_actions:
            continue
        default = defaults.get(field.name, field.default)
        arguments: dict[str, Any] = {"help": about["help"], **_values_of(hints[field.name], about["metavar"])}
        if flag.startswith("--"):
            arguments |= {"dest": field.name, "required": default is MISSING}
        if default == ():
            arguments["default"] = argparse.SUPPRESS  # the help would say (default: ())
        elif default is not MISSING:
            arguments["default"] = ",".join(default) if arguments.get("type") is listed and default else default
        add(flag, **arguments)


def _values_of(hint: Any, metavar: str | None) -> dict[str, Any]:
    """How argparse reads values of that type."""
    if hint is bool:
        return {"action": "store_true"}
    kind = get_args(hint)[0] if NoneType in get_args(hint) else hint
    shown = {"metavar": metavar} if metavar else {}
    if get_origin(kind) is Literal:
        return shown | {"choices": get_args(kind)}
    if get_origin(kind) is not tuple:
        return shown | {"type": kind}
    if metavar and "," in metavar:
        return shown | {"type": listed}
    return shown | {"type": get_args(kind)[0], "nargs": "*"}


def from_options(cls: type[Settings], options: argparse.Namespace) -> Settings:
    """An instance of a dataclass from parsed options; what they don't hold keeps its default."""
    known = {name: value for name, value in vars(options).items() if name in get_type_hints(cls)}
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})


def taking(*names: str, **settings: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What `add_dataclass` is to be told of a parameter of a command, as the second part of an `Annotated`."""
    return names, settings


def parameters_of(command: Callable[..., Any]) -> list[tuple[type[Any], tuple[str, ...], dict[str, Any]]]:
    """The dataclasses that a function takes as its parameters, each with what `taking` says of it."""
    hints = get_type_hints(command, include_extras=True)
    parts = [get_args(hint) or (hint, taking()) for name, hint in hints.items() if name != "return"]
    return [(cls, *told) for cls, told in parts]


def listed(text: str) -> tuple[str, ...]:
    """`"a, b"` as `("a", "b")`.

    >>> listed("Rain, Wind,")
    ('Rain', 'Wind')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


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


def check_free(path: Path, overwrite: bool) -> None:
    """Raise `CtxAudioError` where a result of an earlier call would be replaced that nobody gave up."""
    if path.exists() and not overwrite:
        raise CtxAudioError(f"{path} is there already: pass --overwrite to replace it, or choose another name")
