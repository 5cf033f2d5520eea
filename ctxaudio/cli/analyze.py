"""Measure every sound in a folder: a table, its JSON and a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

import ctxaudio
from ctxaudio.cli.arguments import on_a_terminal


def add_to(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("directory", type=Path, metavar="DIR")
    add("--output_dir", type=Path, default=None, help="for the CSV, JSON and PNG; DIR itself if not given")
    add("--num_workers", type=int, default=1, help="processes that analyse")


def run(options: argparse.Namespace) -> int:
    table = ctxaudio.batch_analyze_frequencies(
        options.directory, options.output_dir, options.num_workers, on_a_terminal()
    )
    print(table.set_index("file").filter(regex="lufs|_depth$|prominence").round(3).to_string())
    print(f"analysis.csv, .json and .png are in {options.output_dir or options.directory}")
    return 0
