"""`--all` runs every case and every kill, and prints their tables; `--case` runs one case again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest
from forks import Forks
from inputs import Pool, write_inputs

Row = tuple[object, ...]
#: What the summary prints: rows by header.
TABLES: dict[Row, list[Row]] = {}


@pytest.fixture
def table() -> Callable[[Row, Row], None]:
    """Add a row to the table of a header."""
    return lambda header, row: TABLES.setdefault(header, []).append(row)


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Pool]:
    count = (os.cpu_count() or 1) if request.config.getoption("--all", default=False) else 1
    homes = [tmp_path_factory.mktemp("home") for _ in range(count)]
    forks = [Forks(home) for home in homes]
    waiting: SimpleQueue[Forks] = SimpleQueue()
    inputs = write_inputs(tmp_path_factory.mktemp("inputs"), forks[0])
    for one in forks:
        waiting.put(one)
    yield Pool(inputs, homes, waiting)
    for one in forks:
        one.__exit__()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="all cases of tests/fuzz, not a few of each kind")
    parser.addoption("--case", help="one case of tests/fuzz: its kind and number")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--all", default=False):
        for header, rows in TABLES.items():
            terminalreporter.write_line("")
            for row in [header, ["---"] * len(header), *rows]:
                terminalreporter.write_line(f"| {' | '.join(str(cell) for cell in row)} |")
