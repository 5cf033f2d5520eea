"""Which clips of FSD50K `prepare` and `train` use, beyond those that the context selects."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctxaudio.data.selection import SelectionOptions


def add_selection(parser: argparse.ArgumentParser, **defaults: object) -> None:
    from ctxaudio.data.selection import SelectionOptions
    from ctxaudio.options import add_dataclass

    add_dataclass(parser, SelectionOptions, title="which clips of FSD50K", **defaults)


def selection_of(options: argparse.Namespace) -> SelectionOptions | None:
    """What was asked for, or None where nothing was."""
    from ctxaudio.data.selection import SelectionOptions
    from ctxaudio.options import from_options

    asked = from_options(SelectionOptions, options)
    return None if asked == SelectionOptions() else asked
