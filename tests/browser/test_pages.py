"""The pages that commands write, wide and narrow, light and dark: nothing cut off, nothing that a reader can't hear."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from looking import durations, playing_at_once, serious_faults
from test_report import finished_run, real_clips  # a run that took no training

from ctxaudio.cli import main
from ctxaudio.contexts import CONTEXTS
from ctxaudio.course.course import write_index, write_report

WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages by name: of the demo, and the report of a finished run that is written by hand."""
    folder = tmp_path_factory.mktemp("pages")
    assert main(["demo", "--output_dir", str(folder / "demo"), "--duration", "1"]) == 0
    runs = [replace(finished_run(folder / name), context=name) for name in CONTEXTS]
    for run in runs:
        write_report(run, real_clips())
    write_index(runs, folder / "index.html")
    report = runs[0].output_dir / "report.html"
    return {"demo": folder / "demo" / "index.html", "report": report, "index": folder / "index.html"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("name", ["demo", "report", "index"])
def test_a_page_can_be_read_and_heard(
    name: str, width: int, scheme: str, pages: dict[str, Path], browser: Any, shots: Path
) -> None:
    page, errors = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme), []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(pages[name].as_uri())
    page.screenshot(path=shots / f"{name}_{width}_{scheme}.png", full_page=False)
    assert page.evaluate(WIDER) <= 0, "the page is wider than the window"
    lengths = durations(page)
    assert lengths and min(lengths) > 0.0, lengths
    assert playing_at_once(page) == 1
    faults = serious_faults(page)
    assert not faults, "\n".join(faults)
    assert errors == []
    page.close()
