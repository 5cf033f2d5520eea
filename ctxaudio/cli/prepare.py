"""Decode, clean and level the clips of a context once, into one memory map."""

from __future__ import annotations

import argparse

from ctxaudio.cli.arguments import add_common, on_a_terminal, run_of
from ctxaudio.cli.selection_arguments import add_selection, selection_of
from ctxaudio.options import add_dataclass, from_options
from ctxaudio.training.config import TrainingConfig


def add_to(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    add_selection(parser)
    add_dataclass(parser, TrainingConfig, "num_workers")


def run(options: argparse.Namespace) -> int:
    from ctxaudio import pipeline

    workers = from_options(TrainingConfig, options).num_workers
    clips = pipeline.prepare(run_of(options), workers, on_a_terminal(), selection_of(options))
    print(f"prepared {len(clips.clips)} clips, {len(clips.samples) / clips.sample_rate:.0f} s in {options.output_dir}")
    return 0
