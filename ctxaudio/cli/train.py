"""Train a generator on the clips of a context; Ctrl-C leaves a usable generator and a checkpoint."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ctxaudio.cli.arguments import add_common, on_a_terminal, run_of
from ctxaudio.cli.selection_arguments import add_selection, selection_of
from ctxaudio.options import add_dataclass, from_options
from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS, Start, TrainingConfig


def add_to(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    add_selection(parser)
    add_dataclass(parser, TrainingConfig)
    add_dataclass(parser, Start)


def run(options: argparse.Namespace) -> int:
    from ctxaudio import pipeline

    config, start = from_options(TrainingConfig, options), from_options(Start, options)
    if config.max_minutes is not None and config.num_epochs == TrainingConfig.num_epochs:
        config = replace(config, num_epochs=NO_LIMIT_OF_EPOCHS)  # nobody asked for these epochs, but for the minutes
    training = pipeline.train(run_of(options), config, start, selection_of(options), on_a_terminal())
    return 130 if training.interrupted else 0
