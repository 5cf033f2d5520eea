"""Hostile inputs by the thousand: one line and exit code 2, or accepted; nothing else, nowhere else, never for long.

`python -m pytest tests/fuzz --all` runs all, and prints the table; `--case "audio files 17"` runs one again.
"""

from __future__ import annotations

import os
import random
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cases import KINDS, Case
from forks import Outcome
from inputs import Pool, check_sounds

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="cases are forks, with limits of POSIX")
WRONG = ("traceback", "outside", "over 10 s", "over 2 GB")
COLUMNS = ("one line", "accepted", "noisy", *WRONG)
#: Besides the folders that a command is given.
WRITABLE = ("/dev/null", "/dev/shm/")
TABLE = "class", "cases", *COLUMNS


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_inputs_are_answered_in_one_line_or_taken(
    kind: str, pool: Pool, tmp_path: Path, table: Callable[..., None], request: pytest.FixtureRequest
) -> None:
    _, cases, short = KINDS[kind]
    numbers = range(cases if request.config.getoption("--all", default=False) else short)
    if one := request.config.getoption("--case", default=None):
        named, _, number = one.rpartition(" ")
        numbers = range(int(number), int(number) + 1 if named == kind else 0)
    with ThreadPoolExecutor(len(pool.homes)) as threads:
        done = dict(zip(numbers, threads.map(lambda number: run(kind, number, pool, tmp_path), numbers), strict=True))
    found = Counter(what for what, _ in done.values())
    table(TABLE, (kind, len(done), *(found[column] for column in COLUMNS)))
    for number, (what, told) in done.items():
        if what == "noisy" or one:
            warnings.warn(f"{kind} {number}: {what}: {told}", stacklevel=1)
    wrong = [f"{kind} {number}: {what}: {told}" for number, (what, told) in done.items() if what in WRONG]
    if wrong:
        pytest.fail("\n".join([f"{len(wrong)} of {len(done)}", *wrong]), pytrace=False)


def run(kind: str, number: int, pool: Pool, folder: Path) -> tuple[str, str]:
    """Which column a case counts for, and the command with the end of what it said."""
    here = folder / f"{number}" / "here"
    here.mkdir(parents=True)
    case: Case = KINDS[kind][0](random.Random(f"{kind} {number}"), pool.inputs, here)
    done = pool.run(case.arguments, here, setup=case.setup, wall_s=300.0)
    what = done.kind
    allowed = [str(path) + os.sep for path in (here / "out", here / "data", here / "output", *pool.homes)]
    outside = [path for path in done.written if not f"{path}{os.sep}".startswith((*WRITABLE, *allowed))]
    if outside:
        what = "outside"
    else:
        check_sounds(here / "out", done)
    shutil.rmtree(here.parent, ignore_errors=True)
    return what, told_of(case, done, outside)


def told_of(case: Case, done: Outcome, outside: list[str]) -> str:
    command = " ".join(argument[:80] for argument in case.arguments)
    where = f", wrote {outside[:3]}" if outside else ""
    return f"{command}{where} ({done.code}, {done.cpu_s:.1f} s, {done.peak_bytes >> 20} MB)\n{done.err[-1500:]}"
