"""Which clips of FSD50K `prepare` and `train` use, beyond those that the context selects."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctxaudio.data.selection import SelectionOptions


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The arguments of `SelectionOptions`; the defaults take every clip on disk that the context selects."""
    add = parser.add_argument_group("which clips of FSD50K").add_argument
    add("--labels", metavar="A,B", help="labels in place of the context's conditions")
    add("--licenses", metavar="A,B", help="only these of cc0, cc-by, cc-by-nc, sampling+, unknown")
    add("--min_seconds", type=float, default=0.0, help="shortest duration of a clip")
    add("--rating", choices=("present",), help="present: only where every annotator found the sound predominant")
    add("--exclude", metavar="ID,ID", help="clips not to use, besides those known to be wrong")


def selection_of(options: argparse.Namespace) -> SelectionOptions | None:
    """What was asked for, or None where nothing was."""
    from ctxaudio.data.selection import KNOWN_WRONG, SelectionOptions

    asked = SelectionOptions(
        labels=None if options.labels is None else listed(options.labels),
        licences=None if options.licenses is None else listed(options.licenses),
        min_seconds=options.min_seconds,
        rating=options.rating,
        exclude=(*KNOWN_WRONG, *listed(options.exclude or "")),
    )
    return None if asked == SelectionOptions() else asked


def listed(text: str) -> tuple[str, ...]:
    """`"a, b"` as `("a", "b")`.

    >>> listed("Rain, Wind,")
    ('Rain', 'Wind')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())
