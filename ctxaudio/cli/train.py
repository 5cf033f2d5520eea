"""Train a generator on the clips of a context; Ctrl-C leaves a usable generator and a checkpoint."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from ctxaudio.cli.arguments import add_common, on_a_terminal, run_of
from ctxaudio.cli.selection_arguments import add_selection, selection_of


def add_to(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    add_selection(parser)
    add = parser.add_argument
    add("--batch_size", type=int, default=16, help="crops a step")
    add("--num_epochs", type=int, default=100, help="times through the clips; 100 is no limit with max_minutes")
    add("--lr", type=float, default=0.0002, help="learning rate, of which Adam takes twice")
    add("--lambda_aux", type=float, default=1.0, help="weight of the condition loss")
    add("--num_workers", type=int, default=4, help="processes that decode clips before training")
    add("--log_interval", type=int, default=10, help="steps between rows of the loss log")
    add("--sample_interval", type=int, default=1, help="epochs between sample sounds and pictures")
    add("--save_interval", type=int, default=10, help="epochs between checkpoints")
    add("--max_minutes", type=float, default=None, help="stop after this time")
    add("--resume", action="store_true", help="go on from the checkpoint in output_dir")
    add("--init_from", type=Path, metavar="MODEL", help="start from this generator's weights, not from the base's")
    add("--from_scratch", action="store_true", help="start from fresh weights, not from the base's")
    add("--score_interval_s", type=float, default=60.0, help="seconds between scores, with max_minutes")
    add("--score_interval", type=int, default=100, help="steps between scores, without max_minutes")
    add("--device", default="cpu", help="cpu, cuda, cuda:1 ...")
    add("--keep_going", action="store_true", help="say what is wrong with the training, but don't stop for it")


def run(options: argparse.Namespace) -> int:
    from ctxaudio import pipeline
    from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS, TrainingConfig

    if options.max_minutes is not None and options.num_epochs == TrainingConfig.num_epochs:
        options.num_epochs = NO_LIMIT_OF_EPOCHS  # nobody asked for these epochs, somebody did for the minutes
    names = {field.name for field in fields(TrainingConfig)} & vars(options).keys()
    config = TrainingConfig(**{name: getattr(options, name) for name in names})
    training = pipeline.train(
        run_of(options),
        config,
        options.num_workers,
        options.resume,
        on_a_terminal(),
        options.init_from,
        selection_of(options),
        options.from_scratch,
    )
    return 130 if training.interrupted else 0
