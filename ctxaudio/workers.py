"""Threads: sounds made in order with the next ones already under way, and one thread for small matrix products."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

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
    import torch  # which takes its time, and measuring needs none of it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Within it NumPy's products are not shared out among threads, which would mostly wait for each other.

    >>> import numpy
    >>> from threadpoolctl import threadpool_info
    >>> with one_blas_thread():
    ...     {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    {1}
    """
    return _controller().limit(limits=1, user_api="blas")


_controller = functools.cache(ThreadpoolController)  # looks through all loaded libraries, which takes its time
