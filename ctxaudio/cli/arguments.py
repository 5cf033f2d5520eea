"""What several commands share: the common arguments, and a parser whose errors are one line."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

import ctxaudio
from ctxaudio.contexts import CONTEXTS

# A command imports what it needs when it runs, so that `ctxaudio contexts` answers at once.


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and exit with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def add_common(parser: argparse.ArgumentParser) -> None:
    """The arguments of a `Run`."""
    add = parser.add_argument_group("common arguments").add_argument
    add(
        "--data_dir",
        type=Path,
        default=Path("./data"),
        help="FSD50K folder or your own sound; the embedded corpus if ./data holds none",
    )
    add("--output_dir", type=Path, default=Path("./output"), help="folder for everything that is written")
    add("--context", default="sleep", help=f"one of {', '.join(CONTEXTS)}, or all")
    add("--sample_rate", type=int, default=22050, help="in hertz")
    add("--duration", type=float, default=4.0, help="length of a generated clip in seconds")
    add("--latent_dim", type=int, default=100, help="size of the generator's latent")
    add("--seed", type=int, default=0, help="the same seed gives the same run on the same machine")


def run_of(options: argparse.Namespace) -> ctxaudio.Run:
    return ctxaudio.Run(**{field.name: getattr(options, field.name) for field in fields(ctxaudio.Run)})


def on_a_terminal() -> bool:
    """Whether a progress bar has somebody to look at it; a log file gets plain lines instead."""
    return sys.stderr.isatty()
