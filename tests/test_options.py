from __future__ import annotations

import argparse
import math
from dataclasses import FrozenInstanceError, dataclass
from pathlib import Path
from typing import Literal

import pytest

from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Options, add_dataclass, from_options, option


@dataclass(frozen=True)
class Tea(Options):
    """One option of each kind."""

    pot: Path = option(..., "where the tea goes", flag="pot", metavar="POT")
    leaves: tuple[str, ...] | None = option(None, "kinds of tea", metavar="A,B", flag="--teas")
    minutes: float = option(3.0, "how long", above=0, most=10)
    cups: int | None = option(None, "how many", least=1)
    spices: tuple[str, ...] = option((), "what else", metavar="SPICE")
    milk: bool = option(False, "with milk")
    size: str = option("small", "of the cups", choices=("small", "large"))
    sort: Literal["green", "black"] | None = option(None, "of tea")
    secret: float = option(1.0, "", least=0)


def parsed(*arguments: str, **defaults: object) -> Tea:
    parser = argparse.ArgumentParser()
    add_dataclass(parser, Tea, **defaults)
    return from_options(Tea, parser.parse_args(arguments))


def test_what_is_not_given_has_the_defaults_of_the_dataclass() -> None:
    assert parsed("here") == Tea(Path("here"))
    assert parsed("here", minutes=5.0) == Tea(Path("here"), minutes=5.0)


def test_every_kind_of_field_is_read_with_its_type() -> None:
    given = ["here", "--teas", "Assam, Oolong,", "--minutes", "4", "--cups", "2"]
    given += ["--spices", "mint", "anise", "--milk", "--size", "large", "--sort", "black"]
    wanted = Tea(Path("here"), ("Assam", "Oolong"), 4.0, 2, ("mint", "anise"), True, "large", "black")
    assert parsed(*given) == wanted


@pytest.mark.parametrize(
    "arguments", [[], ["here", "--secret", "2"], ["here", "--cups", "1.5"], ["here", "--sort", "x"]]
)
def test_what_is_no_option_or_of_another_type_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(*arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": 0.0}, "minutes 0.0 must be above 0 and at most 10"),
        ({"minutes": math.nan}, "minutes nan must be above 0 and at most 10"),
        ({"cups": 0}, "cups 0 must be at least 1"),
        ({"size": "lage"}, r"unknown size 'lage' \(did you mean large\?\): choose one of small, large"),
        ({"secret": -1.0}, "secret -1.0 must be at least 0"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_limits(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CtxAudioError, match=message):
        Tea(Path("here"), **changes)


def test_an_unknown_key_is_refused_and_a_setting_can_not_be_changed_later() -> None:
    with pytest.raises(TypeError, match="sugar"):
        Tea(Path("here"), sugar=2)
    with pytest.raises(FrozenInstanceError):
        Tea(Path("here")).cups = 3


def test_two_dataclasses_may_share_an_option() -> None:
    parser = argparse.ArgumentParser()
    add_dataclass(parser, Tea, ["cups"])
    add_dataclass(parser, Tea, ["cups", "minutes"])
    assert vars(parser.parse_args(["--cups", "3"])) == {"cups": 3, "minutes": 3.0}
