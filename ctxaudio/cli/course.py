"""Run the five notebooks for a context, and write a summary and a report of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import add_common, run_of


def add_to(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    parser.add_argument("--preset", default="quick", help="quick (12 minutes on two cores) or full")
    parser.add_argument("--device", default="cpu", help="to train on: cpu, or cuda (with `full`: a larger generator)")
    parser.add_argument(
        "--refresh", type=Path, metavar="DIR", help="instead: run the notebooks in DIR in place, as stored"
    )


def run(options: argparse.Namespace) -> int:
    from ctxaudio.course.course import preset_named, run_course
    from ctxaudio.course.execution import refresh_notebooks

    if options.refresh:
        refresh_notebooks(options.refresh)
        return 0
    run_course(run_of(options), preset_named(options.preset), device=options.device)
    return 0
