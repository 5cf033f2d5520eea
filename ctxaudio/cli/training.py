"""The commands from recordings to a generator: fetch, prepare, train, pretrain. What loads torch they import when they
run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from ctxaudio.data.fsd50k import DEFAULT_LICENCES, read_index
from ctxaudio.data.selection import SelectionOptions
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch import zenodo
from ctxaudio.fetch.clips import Fetch, fetch_clips, write_credits
from ctxaudio.fetch.network import Network
from ctxaudio.options import Common, on_a_terminal, option
from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS, Pretraining, Start, TrainingConfig

_CLIPS = {"title": "which clips of FSD50K"}
Clips = Annotated[SelectionOptions, _CLIPS]
_FOR_BASE = {"names": ("max_minutes", "batch_size", "lr", "seed", "num_workers"), "max_minutes": 240.0, "lr": 0.0003}


@dataclass(frozen=True)
class Anew:
    overwrite: bool = option(False, "begin anew in place of an earlier training")


def fetch(asked: Fetch, clips: Annotated[SelectionOptions, _CLIPS | {"licences": ",".join(DEFAULT_LICENCES)}]) -> None:
    """Fetch the FSD50K clips that a context needs (or with --all the whole record), checked, with their licences."""
    network = Network(progress=on_a_terminal())
    if asked.all:
        if asked.max_clips != Fetch.max_clips or clips != SelectionOptions(licences=DEFAULT_LICENCES):
            raise CtxAudioError("--all brings every clip: leave out --max_clips and what chooses clips")
        subsets = [asked.split] if asked.split else ["dev", "eval"]
        names = (*zenodo.TABLES, "doc", *(f"{subset}_audio" for subset in subsets))
        archives = [zenodo.FSD50K_RECORD[name] for name in names]
        download, room = (size / 1e9 for size in zenodo.bytes_needed(archives, asked.data_dir))
        print(f"whole record: {download:.2f} GB to fetch, {room:.1f} GB of room needed", flush=True)
        if not asked.dry_run:
            zenodo.fetch_archives(archives, asked.data_dir, network)
            write_credits(asked.data_dir)
    else:
        fetched = fetch_clips(asked, clips, network)
        print(fetched.plan if asked.dry_run else f"{fetched.plan}\n{fetched}")
    print("dry run: no clip was fetched" if asked.dry_run else f"credits: {asked.data_dir / 'ATTRIBUTION.md'}")


def prepare(run: Common, clips: Clips, config: Annotated[TrainingConfig, {"names": ("num_workers",)}]) -> None:
    """Decode, clean and level the clips of a context once, into one memory map."""
    from ctxaudio import pipeline

    made = pipeline.prepare(run, config.num_workers, on_a_terminal(), clips)
    print(f"prepared {len(made.clips)} clips, {len(made.samples) / made.sample_rate:.0f} s in {run.output_dir}")


def check_no_training(folder: Path, start: Start, anew: Anew) -> None:
    """Raise `CtxAudioError` where hours of an earlier training would be replaced that nobody gave up."""
    from ctxaudio.training.state import LATEST

    if (folder / LATEST).exists() and not (start.resume or anew.overwrite):
        told = f"{folder} holds a training: --resume goes on with it, --overwrite begins anew in its place"
        raise CtxAudioError(f"{told}; or choose another --output_dir")


def train(run: Common, clips: Clips, config: TrainingConfig, start: Start, anew: Anew) -> int:
    """Train a generator on the clips of a context; Ctrl-C leaves a usable generator and a checkpoint."""
    from ctxaudio import pipeline

    check_no_training(run.output_dir, start, anew)
    if config.max_minutes is not None and config.num_epochs == TrainingConfig.num_epochs:
        config = replace(config, num_epochs=NO_LIMIT_OF_EPOCHS)  # nobody asked for these epochs, but for the minutes
    return 130 if pipeline.train(run, config, start, clips, on_a_terminal()).interrupted else 0


def pretrain(
    asked: Pretraining,
    config: Annotated[TrainingConfig, _FOR_BASE],
    start: Annotated[Start, {"names": ("resume", "from_scratch")}],
    anew: Anew,
) -> int:
    """Train the base that ships with ctxaudio; Ctrl-C leaves a usable one and a checkpoint."""
    from ctxaudio.pipeline import only_one_training
    from ctxaudio.training.base import pretrain as train_base

    check_no_training(asked.output_dir, start, anew)
    if asked.data_dir is not None:
        read_index(asked.data_dir)  # a wrong folder is told before minutes of synthesis
    config = replace(config, num_epochs=NO_LIMIT_OF_EPOCHS, save_interval=1)
    with only_one_training(asked.output_dir):
        return 130 if train_base(asked, config, start, on_a_terminal()).interrupted else 0
