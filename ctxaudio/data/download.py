"""Fetching one large file over a poor network: resumed, retried, verified, and never whole-looking when it isn't."""

from __future__ import annotations

import hashlib
import os
import random
import re
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import requests
from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.version import __version__

_CHUNK = 1 << 16  # as much as a break of the connection can lose
_WORTH_GOING_ON = 1 << 20
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How long to put up with a poor network. Times in seconds.

    `attempts` in a row that bring less than 1 MiB end the download. Between them comes a wait that doubles from
    `first_wait_s` to at most `longest_wait_s`, drawn between half and the whole of it so that many clients
    spread, or what the server asks for (`Retry-After`), at most `longest_asked_s`. `silence_s` without a byte is
    a broken connection.
    """

    attempts: int = 8
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    longest_asked_s: float = 300.0
    connect_s: float = 15.0
    silence_s: float = 60.0


PATIENCE = Patience()


class _TryAgain(Exception):
    """This attempt failed in a way that another may not; `wait_s` is what the server asks for."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def part_path(path: Path) -> Path:
    """Where a download lies until it is whole.

    >>> part_path(Path("FSD50K.doc.zip")).name
    'FSD50K.doc.zip.part'
    """
    return path.with_name(path.name + ".part")


def download(
    url: str, path: Path, size: int, md5: str, *, progress: bool = True, patience: Patience = PATIENCE
) -> None:
    """Bring `url` to `path`: `size` bytes whose md5 (hex) is `md5`.

    What arrives goes to `part_path(path)`, which takes its final name only once the md5 is right: a file of the
    right size under `path` is whole and isn't fetched again. An interrupted download goes on where its part
    ends, in this process or a later one. A part with a wrong md5 is thrown away and fetched once more.

    Raises `CtxAudioError` where the network stays away, the server refuses or offers another file, the md5 is
    wrong twice, or the disk is full (the part is kept).
    """
    if path.is_file() and path.stat().st_size == size:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for last_chance in (False, True):
            with _Part(part_path(path), size) as part, _bar(path.name, part, progress) as bar, _session() as session:
                _fill(part, session, url, patience, bar)
                if part.md5 == md5:
                    part.keep_as(path)
                    return
                _say(bar, f"{path.name}: md5 {part.md5} is not {md5}" + ("" if last_chance else ", fetching it again"))
            part_path(path).unlink()
    except OSError as error:  # of the disk: those of the network are _TryAgain by now
        reason = error.strerror or str(error)
        raise CtxAudioError(f"can't write {path}: {reason}; mend that and start again, the part is kept") from error
    raise CtxAudioError(f"{url}: md5 is not {md5} in two downloads; try again later or from another network")


class _Part:
    """The bytes that are there so far and their md5, kept in step."""

    def __init__(self, path: Path, whole_size: int) -> None:
        self.path = path
        self.name = path.stem
        self.whole_size = whole_size
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._file: BinaryIO = path.open("a+b")

    def __enter__(self) -> Self:
        self._file.seek(0)
        while piece := self._file.read(_CHUNK):
            self._md5.update(piece)
            self.size += len(piece)
        if self.size > self.whole_size:
            self.start_anew()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    def append(self, piece: bytes) -> None:
        self._file.write(piece)
        self._md5.update(piece)
        self.size += len(piece)

    def start_anew(self) -> None:
        self._file.truncate(0)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def keep_as(self, path: Path) -> None:
        """Give the file its final name, once its bytes are safe from a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.path.replace(path)


def _bar(name: str, part: _Part, progress: bool) -> tqdm[None]:
    return tqdm(
        total=part.whole_size,
        initial=part.size,
        desc=name,
        unit="B",
        unit_scale=True,
        unit_divisor=1000,
        disable=not progress,
    )


def _session() -> requests.Session:
    session = requests.Session()
    # Identity: with a compressed transfer a byte range would count other bytes than the file's.
    session.headers.update({"User-Agent": f"ctxaudio/{__version__}", "Accept-Encoding": "identity"})
    return session


def _fill(part: _Part, session: requests.Session, url: str, patience: Patience, bar: tqdm[None]) -> None:
    """Fetch until `part` has its whole size, with waits between the attempts."""
    failures = 0
    while part.size < part.whole_size:
        before = part.size
        try:
            _attempt(part, session, url, patience, bar)
        except _TryAgain as error:
            failures = 1 if part.size - before >= _WORTH_GOING_ON else failures + 1
            if failures >= patience.attempts:
                kept = f"; {part.size} of {part.whole_size} bytes are kept, start again to go on from there"
                raise CtxAudioError(f"{url}: {error}, {failures} times in a row{kept}") from error
            wait_s = _wait_s(failures, error.wait_s, patience)
            _say(bar, f"{part.name}: {error}; trying again in {wait_s:.0f} s")
            time.sleep(wait_s)


def _wait_s(failures: int, asked_s: float | None, patience: Patience) -> float:
    if asked_s is not None:
        return min(max(asked_s, 0.0), patience.longest_asked_s)
    longest = min(patience.first_wait_s * 2 ** (failures - 1), patience.longest_wait_s)
    return random.uniform(longest / 2, longest)


def _attempt(part: _Part, session: requests.Session, url: str, patience: Patience, bar: tqdm[None]) -> None:
    headers = {"Range": f"bytes={part.size}-"} if part.size else {}
    try:
        with session.get(url, headers=headers, stream=True, timeout=(patience.connect_s, patience.silence_s)) as answer:
            _check_answer(answer, part, bar)
            for piece in answer.iter_content(_CHUNK):
                if part.size + len(piece) > part.whole_size:
                    raise CtxAudioError(f"{url}: sends more than the {part.whole_size} bytes of the file")
                part.append(piece)
                bar.update(len(piece))
    except requests.RequestException as error:
        if isinstance(error, ValueError):  # no address, no scheme, a scheme that requests doesn't speak
            raise CtxAudioError(f"{url} can't be fetched: {error}") from error
        raise _TryAgain(_reason(error)) from error
    if part.size < part.whole_size:
        raise _TryAgain("the connection ended early")


def _check_answer(answer: requests.Response, part: _Part, bar: tqdm[None]) -> None:
    """Make sure that the body goes on where `part` ends, emptying it where the server begins from the start."""
    if answer.status_code in _RETRIED:
        raise _TryAgain(f"the server answers {answer.status_code} {answer.reason}", _asked_s(answer))
    if answer.status_code == 416:
        part.start_anew()
        _show_size(bar, part)
        raise _TryAgain("the server has no bytes where the part ends, starting anew", 0.0)
    if answer.status_code not in (200, 206):
        raise CtxAudioError(f"{answer.url}: the server answers {answer.status_code} {answer.reason}")
    length = answer.headers.get("Content-Length", "")
    start, whole_size = 0, int(length) if length.isdecimal() else part.whole_size
    if answer.status_code == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
        if match is None:
            raise _TryAgain("the server answers with an unclear byte range")
        start, whole_size = int(match[1]), int(match[2])
    if whole_size != part.whole_size:
        raise CtxAudioError(f"{answer.url}: the server offers {whole_size} bytes, not the file's {part.whole_size}")
    if start == 0 and part.size:
        _say(bar, f"{part.name}: the server can't go on from byte {part.size}, starting anew")
        part.start_anew()
        _show_size(bar, part)
    elif start != part.size:
        raise _TryAgain(f"the server goes on from byte {start}, not {part.size}")


def _say(bar: tqdm[None], text: str) -> None:
    if not bar.disable:
        bar.write(text, file=sys.stderr)


def _show_size(bar: tqdm[None], part: _Part) -> None:
    bar.n = bar.initial = part.size
    bar.refresh()


def _asked_s(answer: requests.Response) -> float | None:
    """`Retry-After` in seconds: a number or a date (RFC 9110, 10.2.3)."""
    asked = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+", asked):
        return float(asked)
    try:
        date = parsedate_to_datetime(asked)
    except ValueError:
        return None
    return (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server is silent"
    if isinstance(error, requests.exceptions.SSLError):
        return f"no safe connection ({error})"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return str(error)
