"""The one exception a user's mistake raises: the command line prints it in a line and exits with 2."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CtxAudioError(Exception):
    """Something the user can mend. The message names what, where and the mend, in one line."""


class ClipError(CtxAudioError):
    """One clip among many can't be used: skipped and listed in the report, not fatal."""


def unknown(kind: str, given: str, known: Iterable[str]) -> CtxAudioError:
    """The error for a name that is none of `known`."""
    choices = list(known)
    return CtxAudioError(f"unknown {kind} {given!r}{did_you_mean(given, choices)}: choose one of {', '.join(choices)}")


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """` (did you mean NAME?)` where one of `known` is spelled much like `given`, else nothing."""
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(given.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[close[0]]}?)" if close else ""
