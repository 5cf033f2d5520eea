"""Train the base that ships with ctxaudio; Ctrl-C leaves a usable one and a checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal


def add_to(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--output_dir", type=Path, required=True, help="folder for corpora, checkpoints and the finished base")
    add("--data_dir", type=Path, help="FSD50K; only its CC0 and CC-BY clips are used. Without it: synthesised sound")
    add("--corpora", type=int, default=8, help="synthesised corpora, each of a seed of its own")
    add("--max_minutes", type=float, default=240.0, help="stop after this time; hours are what it takes")
    add("--batch_size", type=int, default=16, help="crops a step")
    add("--lr", type=float, default=0.0003, help="learning rate, of which Adam takes twice")
    add("--seed", type=int, default=0)
    add("--num_workers", type=int, default=4, help="processes that decode clips before training")
    add("--resume", action="store_true", help="go on from the checkpoint in output_dir")
    add("--from_scratch", action="store_true", help="start from fresh weights, not from the base that ships")


def run(options: argparse.Namespace) -> int:
    from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS, TrainingConfig
    from ctxaudio.training.pretrain import Pretraining, pretrain

    config = TrainingConfig(
        batch_size=options.batch_size,
        num_epochs=NO_LIMIT_OF_EPOCHS,
        lr=options.lr,
        save_interval=1,
        max_minutes=options.max_minutes,
        seed=options.seed,
    )
    what = Pretraining(options.output_dir, options.data_dir, options.corpora)
    training = pretrain(what, config, options.resume, options.from_scratch, options.num_workers, on_a_terminal())
    return 130 if training.interrupted else 0
