"""Sounds made one by one, in order, the next ones already under way on the other cores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

import torch

Made = TypeVar("Made")

WORKERS = 2
AHEAD = 3


def made_in_order(make: Callable[[int], Made], numbers: Iterable[int], workers: int = WORKERS) -> Iterator[Made]:
    """`make(number)` for each of `numbers` (which may go on for ever), by threads of which each has one torch thread.

    At most three are made ahead, so memory does not grow; what is under way when the caller stops is finished.

    >>> list(islice(made_in_order(lambda number: number**2, range(10)), 4))
    [0, 1, 4, 9]
    """
    left = iter(numbers)
    waiting: list[Future[Made]] = []
    with ThreadPoolExecutor(workers) as pool, one_torch_thread_each():
        try:
            waiting += [pool.submit(make, number) for number in islice(left, AHEAD)]
            while waiting:
                made = waiting.pop(0).result()
                waiting += [pool.submit(make, number) for number in islice(left, 1)]
                yield made
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def one_torch_thread_each() -> Iterator[None]:
    """Several Python threads with several torch threads each would fight for the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
