"""Options stated once, as fields of frozen dataclasses: name, type, default, range and help; `Run` has the common ones.

The command line is built from them (`ctxaudio.cli`); notebook parameters and the README's table are checked against
them by tests.
"""

from __future__ import annotations

import argparse
import dataclasses
import operator
import sys
from collections.abc import Collection
from dataclasses import MISSING
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ctxaudio.contexts import ALL, CONTEXTS, Context, context_named
from ctxaudio.errors import CtxAudioError, unknown

Settings = TypeVar("Settings")
DEFAULT_DATA = Path("./data")
_LIMITS = {"above": (operator.gt, "above"), "least": (operator.ge, "at least"), "most": (operator.le, "at most")}


def option(
    default: Any,
    help: str,
    *,
    choices: Collection[str] = (),
    metavar: str | None = None,
    flag: str = "",
    **limits: float,
) -> Any:
    """A field that is an option of the command line; with an empty `help` it is a setting that is not on it.

    A `default` of `...` must be given. `choices` are let through besides None, of several values each; a value is to be
    within `limits`: `above`, `least`, `most`. A `metavar` such as `A,B` takes several values in one argument, parted by
    commas. `flag` is the name on the command line if not the field's; without dashes it is a positional argument.
    """
    about = {"help": help, "choices": tuple(choices), "limits": limits, "metavar": metavar, "flag": flag}
    return dataclasses.field(default=MISSING if default is ... else default, metadata=about)


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
            if not all(_LIMITS[name][0](value, limit) for name, limit in about["limits"].items()):
                said = " and ".join(f"{_LIMITS[name][1]} {limit}" for name, limit in about["limits"].items())
                raise CtxAudioError(f"{field.name} {value} must be {said}")


@dataclasses.dataclass(frozen=True)
class Run(Options):
    """The common arguments, with the names and defaults of the command line; strings are taken for the paths.

    Raises `CtxAudioError` for an unknown context or a value out of range.
    """

    context: str = option("sleep", f"one of {', '.join(CONTEXTS)}, or all", choices=(*CONTEXTS, ALL.name))
    data_dir: Path = option(DEFAULT_DATA, "FSD50K folder or your own sound; the embedded corpus if ./data holds none")
    output_dir: Path = option(Path("./output"), "folder for everything that is written")
    sample_rate: int = option(22050, "in hertz", least=8000, most=48000)
    duration: float = option(4.0, "length of a generated clip in seconds", least=0.4, most=600.0)
    latent_dim: int = option(100, "size of the generator's latent", least=1, most=4096)
    #: What every generator of random numbers takes, also multiplied as in `generate_clips`.
    seed: int = option(0, "the same seed gives the same run on the same machine", least=0, most=2**31 - 1)

    @property
    def about(self) -> Context:
        return context_named(self.context)

    @property
    def model_path(self) -> Path:
        return self.output_dir / "models" / "generator_final.safetensors"

    @property
    def generated_dir(self) -> Path:
        return self.output_dir / "generated"

    @property
    def analysis_dir(self) -> Path:
        return self.output_dir / "analysis"


Common = Annotated[Run, {"title": "common arguments"}]


def add_dataclass(
    parser: argparse.ArgumentParser, cls: type[Any], names: Collection[str] = (), title: str = "", **defaults: Any
) -> None:
    """Add the options of a dataclass, or those of `names` only, with other `defaults` where given.

    What the parser has already stays as it is: two dataclasses may share an option. A bool is a switch, a tuple takes
    as many values as follow.
    """
    add = parser.add_argument_group(title).add_argument if title else parser.add_argument
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        about, flag = field.metadata, field.metadata.get("flag") or f"--{field.name}"
        wanted = about.get("help") and (not names or field.name in names)
        if not wanted or flag in parser._option_string_actions:
            continue
        default = defaults.get(field.name, field.default)
        arguments = {"help": about["help"], **_how_to_read(hints[field.name], about["metavar"])}
        if flag.startswith("--"):
            arguments |= {"dest": field.name, "required": default is MISSING}
        if default is not MISSING:
            arguments["default"] = argparse.SUPPRESS if default == () else default  # the help would say (default: ())
        add(flag, **arguments)


def _how_to_read(hint: Any, metavar: str | None) -> dict[str, Any]:
    """What argparse is told of values of that type."""
    if hint is bool:
        return {"action": "store_true"}
    kind = get_args(hint)[0] if NoneType in get_args(hint) else hint
    if get_origin(kind) is Literal:
        return {"metavar": metavar, "choices": get_args(kind)}
    if get_origin(kind) is not tuple:
        return {"metavar": metavar, "type": kind}
    if "," in (metavar or ""):
        return {"metavar": metavar, "type": listed}
    return {"metavar": metavar, "type": get_args(kind)[0], "nargs": "*"}


def from_options(cls: type[Settings], options: argparse.Namespace) -> Settings:
    """An instance of a dataclass from parsed options; what they don't hold keeps its default."""
    known = {name: value for name, value in vars(options).items() if name in get_type_hints(cls)}
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in known.items()})


def listed(text: str) -> tuple[str, ...]:
    """`"a, b,"` as `("a", "b")`."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def on_a_terminal() -> bool:
    """Whether a progress bar has somebody to look at it; a log file gets plain lines instead."""
    return sys.stderr is not None and sys.stderr.isatty()


def check_free(path: Path, overwrite: bool) -> None:
    """Raise `CtxAudioError` where a result of an earlier call would be replaced that nobody gave up."""
    if path.exists() and not overwrite:
        raise CtxAudioError(f"{path} is there already: pass --overwrite to replace it, or choose another name")
