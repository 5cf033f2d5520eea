"""What a download can meet on its way; `LoopbackServer.fail` takes them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CutAfter:
    """The connection breaks after `count` bytes of this answer's body."""

    count: int


@dataclass(frozen=True)
class Status:
    """The answer is this status with an empty body, and with `Retry-After` (seconds) where given."""

    code: int
    retry_after: int | str | None = None


@dataclass(frozen=True)
class WrongByte:
    """The byte at offset `at` of the file is sent with all its bits turned, if this answer covers it."""

    at: int


@dataclass(frozen=True)
class Stall:
    """Nothing more comes for `seconds` once `after` bytes of the body are out; ends early when the server closes."""

    seconds: float
    after: int = 0


@dataclass(frozen=True)
class IgnoreRange:
    """The whole file is sent with status 200 although a range was asked for."""


Fault = CutAfter | Status | WrongByte | Stall | IgnoreRange
