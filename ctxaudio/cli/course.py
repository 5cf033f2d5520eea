"""Run the notebooks for a context, and write a summary and a report of them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ctxaudio.cli.arguments import add_common, run_of
from ctxaudio.options import add_dataclass, from_options, option


@dataclass(frozen=True)
class Course:
    """How the notebooks are run."""

    preset: str = option("quick", "quick (8 minutes on two cores) or full")
    device: str = option("cpu", "to train on: cpu, or cuda (with `full`: a larger generator)")
    refresh: Path | None = option(None, "instead: run the notebooks in DIR in place, as stored", metavar="DIR")


def add_to(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    add_dataclass(parser, Course)


def run(options: argparse.Namespace) -> int:
    from ctxaudio.course.course import preset_named, run_course
    from ctxaudio.course.execution import refresh_notebooks

    asked = from_options(Course, options)
    if asked.refresh:
        refresh_notebooks(asked.refresh)
    else:
        run_course(run_of(options), preset_named(asked.preset), device=asked.device)
    return 0
