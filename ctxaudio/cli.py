"""The command line: `ctxaudio COMMAND` or `python -m ctxaudio COMMAND`, over the functions the notebooks call."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

import ctxaudio
from ctxaudio.contexts import CONTEXTS, catalogue
from ctxaudio.errors import CtxAudioError


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and exit with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def common_arguments() -> OneLineParser:
    common = OneLineParser(add_help=False)
    add = common.add_argument_group("common arguments").add_argument
    add("--data_dir", type=Path, default=Path("./data"), help="FSD50K folder; the embedded corpus if ./data holds none")
    add("--output_dir", type=Path, default=Path("./output"), help="folder for everything that is written")
    add("--context", default="sleep", help=f"one of {', '.join(CONTEXTS)}")
    add("--sample_rate", type=int, default=22050, help="in hertz")
    add("--duration", type=float, default=4.0, help="length of a generated clip in seconds")
    add("--latent_dim", type=int, default=100, help="size of the generator's latent")
    add("--seed", type=int, default=0, help="the same seed gives the same run on the same machine")
    return common


def build_parser() -> OneLineParser:
    parser = OneLineParser(prog="ctxaudio", description=ctxaudio.__doc__)
    parser.add_argument("--version", action="version", version=ctxaudio.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=OneLineParser)
    common = common_arguments()
    shape = argparse.ArgumentDefaultsHelpFormatter

    add = commands.add_parser("prepare", parents=[common], help="decode a context's clips once", formatter_class=shape)
    add.add_argument("--num_workers", type=int, default=4, help="processes that decode clips")

    add = commands.add_parser("train", parents=[common], help="train a generator", formatter_class=shape)
    add.add_argument("--batch_size", type=int, default=16)
    add.add_argument("--num_epochs", type=int, default=100)
    add.add_argument("--lr", type=float, default=0.0002, help="learning rate")
    add.add_argument("--lambda_aux", type=float, default=1.0, help="weight of the condition loss")
    add.add_argument("--num_workers", type=int, default=4, help="processes that decode clips before training")
    add.add_argument("--log_interval", type=int, default=10, help="steps between rows of the loss log")
    add.add_argument("--sample_interval", type=int, default=1, help="epochs between sample sounds and pictures")
    add.add_argument("--save_interval", type=int, default=10, help="epochs between checkpoints")
    add.add_argument("--max_minutes", type=float, default=None, help="stop after this time, whatever num_epochs says")
    add.add_argument("--resume", action="store_true", help="go on from the checkpoint in output_dir")
    add.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ...")

    add = commands.add_parser("generate", parents=[common], help="generate WAV files", formatter_class=shape)
    add.add_argument("--model_path", type=Path, required=True, help="generator_final.safetensors")
    add.add_argument("--num_samples", type=int, default=5)
    add.add_argument("--focus_condition", type=int, default=-1, help="index of the condition; -1 random")
    emphasis = "replaces the context's default; nothing after it switches that off"
    add.add_argument("--bands", nargs="*", metavar="NAME=DEPTH", help=f"such as alpha=0.3; {emphasis}")
    add.add_argument("--targets", nargs="*", metavar="NAME=DEPTH", help=f"such as earth=0.5; {emphasis}")

    add = commands.add_parser("analyze", help="measure a folder of sound", formatter_class=shape)
    add.add_argument("directory", type=Path, metavar="DIR")
    add.add_argument("--output_dir", type=Path, default=None, help="for the CSV, JSON and PNG; DIR itself if not given")
    add.add_argument("--num_workers", type=int, default=1, help="processes that analyse")

    add = commands.add_parser("contexts", help="print contexts, bands and targets with their evidence grades")
    add.add_argument("--json", action="store_true", help="as JSON")

    add = commands.add_parser("course", parents=[common], help="run the five notebooks", formatter_class=shape)
    add.add_argument("--preset", default="quick", help="quick (12 minutes on two cores) or full")
    add.add_argument(
        "--refresh", type=Path, metavar="DIR", help="instead: run the notebooks in DIR in place, as stored"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when done, 2 for a user's mistake (one line on stderr), 130 for Ctrl-C."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = build_parser().parse_args(with_command(given))
        return COMMANDS[options.command](options)
    except CtxAudioError as error:
        print(f"ctxaudio: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `ctxaudio contexts | head`: nobody reads on, and Python would say so again on leaving
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("ctxaudio: interrupted", file=sys.stderr)
        return 130


def with_command(arguments: list[str]) -> list[str]:
    """The reference's form, `--mode generate --context focus ...`, as `generate --context focus ...`."""
    if "--mode" not in arguments:
        return arguments
    at = arguments.index("--mode")
    mode = arguments[at + 1] if at + 1 < len(arguments) else ""
    if mode not in ("train", "generate"):
        raise CtxAudioError(f"--mode {mode!r} is neither train nor generate")
    return [mode, *arguments[:at], *arguments[at + 2 :]]


def run_of(options: argparse.Namespace) -> ctxaudio.Run:
    return ctxaudio.Run(**{field.name: getattr(options, field.name) for field in fields(ctxaudio.Run)})


def on_a_terminal() -> bool:
    """Whether a progress bar has somebody to look at it; a log file gets plain lines instead."""
    return sys.stderr.isatty()


# Each command imports what it needs when it runs, so that `ctxaudio contexts` answers at once.


def prepare(options: argparse.Namespace) -> int:
    from ctxaudio import pipeline

    clips = pipeline.prepare(run_of(options), options.num_workers, on_a_terminal())
    print(f"prepared {len(clips.clips)} clips, {len(clips.samples) / clips.sample_rate:.0f} s in {options.output_dir}")
    return 0


def train(options: argparse.Namespace) -> int:
    from ctxaudio import pipeline
    from ctxaudio.model.training import TrainingConfig

    names = {field.name for field in fields(TrainingConfig)} & vars(options).keys()
    config = TrainingConfig(**{name: getattr(options, name) for name in names})
    training = pipeline.train(run_of(options), config, options.num_workers, options.resume, on_a_terminal())
    return 130 if training.interrupted else 0


def generate(options: argparse.Namespace) -> int:
    from ctxaudio import pipeline
    from ctxaudio.run import chosen_profile

    run = run_of(options)
    profile = None
    if options.bands is not None or options.targets is not None:
        profile = chosen_profile(run.about, options.bands, options.targets)
    paths = pipeline.generate(
        run, options.num_samples, options.focus_condition, options.model_path, profile, options.output_dir
    )
    for path in paths:
        print(path)
    print(f"evidence for context {run.context}: grade {run.about.evidence.grade}. {run.about.evidence.says}")
    return 0


def analyze(options: argparse.Namespace) -> int:
    table = ctxaudio.batch_analyze_frequencies(
        options.directory, options.output_dir, options.num_workers, on_a_terminal()
    )
    print(table.set_index("file").filter(regex="lufs|_depth$|prominence").round(3).to_string())
    print(f"analysis.csv, .json and .png are in {options.output_dir or options.directory}")
    return 0


def contexts(options: argparse.Namespace) -> int:
    content = catalogue()
    if options.json:
        print(json.dumps(content, indent=2))
        return 0
    for name, about in content["contexts"].items():
        depths = {**about["band_depths"], **about["target_depths"]}
        print(f"{name} (evidence {about['evidence']['grade']}: {about['evidence']['says']})")
        print(f"  conditions: {', '.join(f'{i} {label}' for i, label in enumerate(about['conditions']))}")
        print(f"  modulation: {', '.join(f'{name} {depth:g}' for name, depth in depths.items())}")
    print("\nbands (envelope rates)")
    for name, band in content["bands"].items():
        print(f"  {name:<10} {band['low_hz']:g}-{band['high_hz']:g} Hz, associated with {band['association']}")
    print("targets")
    for name, target in content["targets"].items():
        evidence = target["evidence"]
        print(f"  {name:<10} {target['frequency_hz']:g} Hz {target['kind']}, {evidence['grade']}: {evidence['says']}")
    return 0


def course(options: argparse.Namespace) -> int:
    from ctxaudio.course import preset_named, refresh_notebooks, run_course

    if options.refresh:
        refresh_notebooks(options.refresh)
        return 0
    run_course(run_of(options), preset_named(options.preset))
    return 0


COMMANDS = {
    "prepare": prepare,
    "train": train,
    "generate": generate,
    "analyze": analyze,
    "contexts": contexts,
    "course": course,
}
