"""Train the base that ships with ctxaudio; Ctrl-C leaves a usable one and a checkpoint."""

from __future__ import annotations

import argparse
from dataclasses import replace

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.options import add_dataclass, from_options
from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS, Pretraining, Start, TrainingConfig


def add_to(parser: argparse.ArgumentParser) -> None:
    add_dataclass(parser, Pretraining)
    names = ("max_minutes", "batch_size", "lr", "seed", "num_workers")
    add_dataclass(parser, TrainingConfig, *names, max_minutes=240.0, lr=0.0003)
    add_dataclass(parser, Start, "resume", "from_scratch")


def run(options: argparse.Namespace) -> int:
    from ctxaudio.pipeline import only_one_training
    from ctxaudio.training.pretrain import pretrain

    config = replace(from_options(TrainingConfig, options), num_epochs=NO_LIMIT_OF_EPOCHS, save_interval=1)
    with only_one_training(options.output_dir):
        training = pretrain(from_options(Pretraining, options), config, from_options(Start, options), on_a_terminal())
    return 130 if training.interrupted else 0
