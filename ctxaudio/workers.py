"""Threads, devices and Ctrl-C: sounds made in order with the next ones already under way."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import torch

from ctxaudio.errors import CtxAudioError

Made = TypeVar("Made")

WORKERS = 2
AHEAD = 3
#: `man mallopt`: from how many bytes on memory is mapped, how many are kept at the end of a heap, how many heaps.
MALLOC = {-3: 2**25, -1: 2**29, -8: 1}


def made_in_order(make: Callable[[int], Made], numbers: Iterable[int]) -> Iterator[Made]:
    """`make(number)` for each of `numbers` (which may go on for ever), by threads of which each has one torch thread:
    several would fight for the cores.

    At most three are made ahead, so memory does not grow; what is under way when the caller stops is finished.

    >>> list(islice(made_in_order(lambda number: number**2, range(10)), 4))
    [0, 1, 4, 9]
    """
    keep_freed_memory()
    left, torch_threads = iter(numbers), torch.get_num_threads()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(WORKERS)
    try:
        waiting = [pool.submit(make, number) for number in islice(left, AHEAD)]
        while waiting:
            made = waiting.pop(0).result()
            waiting += [pool.submit(make, number) for number in islice(left, 1)]
            yield made
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(torch_threads)


def made_ahead(items: Iterator[Made]) -> Iterator[Made]:
    """`items` in order, the next one already under way in a thread; none of them may be None.

    >>> list(made_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, None)
        while (made := waiting.result()) is not None:
            waiting = pool.submit(next, items, None)
            yield made


def keep_freed_memory() -> None:
    """Keep what tensors free for the next ones, where the C library is glibc.

    To fetch it from the system again, page by page, takes .025 of the .156 s of processor that 10 s of a session take.
    """
    if os.name == "posix" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        for parameter, value in MALLOC.items():
            library.mallopt(parameter, value)


@contextmanager
def finishing_on_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Inside, Ctrl-C only sets a flag (the yielded function); a second Ctrl-C stops at once."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    try:
        before = signal.signal(signal.SIGINT, ask)
    except ValueError:  # not the main thread: Ctrl-C does not come here
        yield lambda: False
        return
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def check_device(name: str) -> None:
    """Refuse a device that is not there, or that can't hold a number."""
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise CtxAudioError(f"device {name!r} is not to be had here: use --device cpu") from error
