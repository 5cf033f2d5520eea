"""Files: nothing half-written, nothing outside its folder, and one line for whatever goes wrong."""

from __future__ import annotations

import functools
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from ctxaudio.errors import ClipError, CtxAudioError

try:
    import fcntl
except ImportError:  # Windows: there, what a killed writer leaves stays
    fcntl = None  # type: ignore[assignment]

FloatArray = npt.NDArray[np.float32]

UNFINISHED = ".writing-"
LONGEST_NAME_BYTES = 255


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` only if the block succeeds.

    Raises `CtxAudioError` where `path` can't be written to (before the block) or the disk is full.
    """
    aside = path.parent / f"{UNFINISHED}{secrets.token_hex(8)}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise OSError("there is something that is not a file")
        _clear_unfinished(path.parent)
        with aside.open("xb") as held:  # locked until its writer ends, however
            if fcntl is None:
                held.close()  # Windows replaces no file that is open
            else:
                with suppress(OSError):  # some network file systems know no locks
                    fcntl.flock(held, fcntl.LOCK_EX)
            yield aside
            aside.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CtxAudioError(f"can't write {path}: {reason}; free space or choose another output folder") from error
    finally:
        with suppress(OSError):
            aside.unlink()


@functools.lru_cache(maxsize=1024)
def _clear_unfinished(folder: Path) -> None:
    """Once a process and folder, remove what killed writers left there: what nobody holds a lock on."""
    if fcntl is not None:
        for left in folder.glob(f"{UNFINISHED}*"):
            with suppress(OSError), left.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()


def writable_folder(path: Path) -> Path:
    """Create `path` if needed and prove that a file can be written there, before hours of work depend on it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise CtxAudioError(f"can't write into {path}: {error.strerror}; choose another output folder") from error
    return path


def child_path(folder: Path, name: str) -> Path:
    """`folder / name`; raises `ClipError` for a name (from a CSV, say) that is no plain file name inside `folder`."""
    if name in ("", ".", "..") or any(mark in name for mark in "/\\\0:"):
        raise ClipError(f"file name {name!r} points outside {folder}")
    try:
        if len(os.fsencode(name)) > LONGEST_NAME_BYTES:
            raise ClipError(f"file name {name[:20]!r}... is longer than {LONGEST_NAME_BYTES} bytes")
    except UnicodeEncodeError as error:
        raise ClipError(f"file name {name!r} is not valid text") from error
    return folder / name


def why_unreadable(path: Path) -> str | None:
    """Why `path` can't be read as a file, or None if it can: to open a pipe or a device may take for ever."""
    try:
        return None if stat.S_ISREG(path.stat().st_mode) else "not a file"
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, a lone surrogate (which JSON may hold) as a question mark; errors as `written_whole`."""
    with written_whole(path) as aside:
        aside.write_text(text, encoding="utf-8", errors="replace")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` as indented JSON; errors as `written_whole`."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; raises `CtxAudioError` where there is none."""
    if reason := why_unreadable(path):
        raise CtxAudioError(f"can't read {path}: {reason}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CtxAudioError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise CtxAudioError(f"{path} holds {type(content).__name__}, not a JSON object")
    return content


@contextmanager
def only_one(lock: Path, busy: str, wait: bool = False) -> Iterator[None]:
    """Hold the file `lock`, which the system frees when a process dies; `CtxAudioError(busy)` if another holds it.

    `wait`: print `busy` instead, and go on once the other is done.
    """
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout as error:
        if not wait:
            raise CtxAudioError(busy) from error
        print(busy, flush=True)
        held.acquire()
    try:
        yield
    finally:
        held.release()
