"""Fetching over a poor network: retried, resumed, verified, and no file under its name before it is whole."""

from __future__ import annotations

import hashlib
import os
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import requests
from tqdm import tqdm

from ctxaudio import __version__
from ctxaudio.errors import CtxAudioError

_CHUNK = 1 << 16  # as much as a broken connection can lose
_PROGRESS = 1 << 20
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_RETRY_AFTER = re.compile(r"(?:.*\br=0;t=)?(\d+)")  # seconds; the hub's RateLimit header has r(emaining) and t(ime)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Network:
    """The two servers, and how long to put up with a poor network. Times in seconds.

    After `attempts` in a row that bring less than 1 MiB it gives up. Between them it waits, twice as long each time,
    from `first_wait_s` to `longest_wait_s`, with a random part so that many clients spread; or as long as the server
    asks, at most `longest_asked_s`. `silence_s` without a byte is a broken connection. All methods raise
    `CtxAudioError` where the network stays away or the server refuses.
    """

    zenodo: str = field(default_factory=lambda: (os.environ.get("ZENODO_ENDPOINT") or "https://zenodo.org").rstrip("/"))
    hub: str = field(default_factory=lambda: (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/"))
    progress: bool = True
    attempts: int = 8
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    longest_asked_s: float = 300.0
    silence_s: float = 60.0

    def ask(self, method: str, url: str, understand: Callable[[Any], Answer], **named: Any) -> Answer:
        """What `understand` makes of the server's JSON; `named` are arguments of `requests.request`."""
        failures = 0
        while True:
            try:
                with self._session.request(method, url, timeout=self.silence_s, **named) as answer:
                    answer.raise_for_status()
                    return understand(answer.json())
            except requests.RequestException as error:
                failures += 1
                self._wait(url, error, failures)
            except (KeyError, TypeError, RecursionError) as error:
                raise CtxAudioError(f"{url}: the answer is unclear; is that the right server?") from error

    def download(self, url: str, path: Path, size: int, digest: str) -> bool:
        """Bring `url` to `path`, by way of `part_path(path)`, unless it is there: whether it came. As `append`."""
        if path.is_file() and path.stat().st_size == size and _has_digest(path, digest):
            return False
        self.append(url, path, size, digest)
        part_path(path).replace(path)
        return True

    def append(self, url: str, path: Path, size: int, digest: str, start: int = 0, shown_as: str = "") -> None:
        """Bring `url`, `size` bytes whose `digest` is "md5:..." or "sha256:..." (hex), to `part_path(path)`.

        They begin at its byte `start`; what it has after that, an earlier call brought, in whichever process, and this
        one goes on. `shown_as` names a progress bar. Raises `CtxAudioError` also where the digest is wrong in two
        downloads, the server offers another file or the disk is full (what has come is kept).
        """
        part = part_path(path)
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            for _ in range(2):
                with part.open("ab") as file, bytes_bar(shown_as, size, bool(shown_as) and self.progress) as bar:
                    bar.update(file.tell() - start)
                    self._fill(file, url, start, size, bar)
                    file.flush()
                    os.fsync(file.fileno())
                if _has_digest(part, digest, start):
                    return
                os.truncate(part, start)
        except OSError as error:  # of the disk: _fill answers those of the network
            reason = f"{error.strerror or error}; free space or mend that and start again, what has come is kept"
            raise CtxAudioError(f"can't write {path}: {reason}") from error
        raise CtxAudioError(f"{url}: {digest.replace(':', ' is not ')} in two downloads; try again later")

    def _fill(self, file: BinaryIO, url: str, start: int, size: int, bar: tqdm[None]) -> None:
        """Fetch what `file` lacks from `start` on, going on after every broken connection."""
        failures = 0
        while (have := file.tell() - start) < size:
            headers = {"Range": f"bytes={have}-"} if have else {}
            try:
                with self._session.get(url, headers=headers, stream=True, timeout=self.silence_s) as answer:
                    answer.raise_for_status()
                    goes_on = answer.status_code == 206
                    told = answer.headers.get("Content-Range" if goes_on else "Content-Length", "")
                    if told != (f"bytes {have}-{size - 1}/{size}" if goes_on else str(size)):
                        wanted = f"not the file's {size} bytes from {have} on"
                        raise CtxAudioError(f"{url}: the server offers {told or 'an unknown length'}, {wanted}")
                    if not goes_on:
                        file.seek(start)
                        file.truncate()
                        bar.reset()
                    for piece in answer.iter_content(_CHUNK):
                        file.write(piece)
                        bar.update(len(piece))
            except requests.RequestException as error:
                failures = 1 if file.tell() - start - have >= _PROGRESS else failures + 1
                self._wait(url, error, failures)

    def _wait(self, url: str, error: requests.RequestException, failures: int) -> None:
        """Sleep until the next attempt; raises `CtxAudioError` where another makes no sense."""
        answer, reason = error.response, _reason(error) + (f", {failures} times in a row" if failures > 1 else "")
        refused = isinstance(error, ValueError) or (answer is not None and answer.status_code not in _BUSY)
        if refused or failures >= self.attempts:
            raise CtxAudioError(f"{url}: {reason}; start again later, what has come is kept") from error
        longest = min(self.first_wait_s * 2 ** (failures - 1), self.longest_wait_s)
        wait_s = random.uniform(longest / 2, longest)
        told = "" if answer is None else answer.headers.get("Retry-After") or answer.headers.get("RateLimit", "")
        if asked := _RETRY_AFTER.fullmatch(told):
            wait_s = min(float(asked[1]), self.longest_asked_s)
        if self.progress:
            tqdm.write(f"{url}: {reason}; trying again in {wait_s:.0f} s", file=sys.stderr)
        time.sleep(wait_s)

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.auth = lambda request: request  # no account, not even one that stands in .netrc
        # Identity: with a compressed transfer a byte range would count other bytes than the file's.
        session.headers.update({"User-Agent": f"ctxaudio/{__version__}", "Accept-Encoding": "identity"})
        return session


def part_path(path: Path) -> Path:
    """Where a download lies until it is whole."""
    return path.with_name(path.name + ".part")


def bytes_bar(name: str, size: int, shown: bool) -> tqdm[None]:
    """A progress bar that counts bytes."""
    return tqdm(desc=name, total=size, unit="B", unit_scale=True, unit_divisor=1000, leave=False, disable=not shown)


def _has_digest(path: Path, digest: str, start: int = 0) -> bool:
    algorithm, _, wanted = digest.partition(":")
    with path.open("rb") as file:
        file.seek(start)
        return hashlib.file_digest(file, algorithm).hexdigest() == wanted


def _reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "the server is silent"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke"
    broken = isinstance(error, requests.ConnectionError) and not isinstance(error, requests.exceptions.SSLError)
    return "no connection" if broken else str(error)
