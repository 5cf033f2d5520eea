"""The commands from recordings to a generator: fetch, prepare, train, pretrain.

What takes long to import is imported when a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from ctxaudio.cli.arguments import Common, on_a_terminal
from ctxaudio.contexts import CONTEXTS, context_named
from ctxaudio.data.fsd50k import DEFAULT_LICENCES, Subset
from ctxaudio.data.selection import SelectionOptions
from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Options, option, taking
from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS, Pretraining, Start, TrainingConfig

_CLIPS = "which clips of FSD50K"

Clips = Annotated[SelectionOptions, taking(title=_CLIPS)]


@dataclass(frozen=True)
class Fetch(Options):
    """What is fetched, beside what `SelectionOptions` asks of a clip."""

    context: str = option("sleep", f"one of {', '.join(CONTEXTS)}, or all")
    data_dir: Path = option(Path("./data"), "where FSD50K lies, or will lie")
    split: Literal["dev", "eval"] | None = option(None, "dev (train and val), eval; with --all both if not given")
    seed: int = option(0, "another seed chooses other clips")
    max_clips: int = option(200, "at most so many, balanced over the conditions", least=1)
    dry_run: bool = option(False, "say what would be fetched; brings the tables only (7 MB)")
    all: bool = option(False, "the whole record: 25 GB to fetch, 34 GB in the end; no selection")


def fetch(asked: Fetch, clips: Annotated[SelectionOptions, taking(title=_CLIPS, licences=DEFAULT_LICENCES)]) -> int:
    """Fetch the FSD50K clips that a context needs (or with --all the whole record), checked, with their licences."""
    (_fetch_whole if asked.all else _fetch_selection)(asked, clips)
    credits = f"licences and credits: {asked.data_dir / 'ATTRIBUTION.md'}, {asked.data_dir / 'manifest.json'}"
    print("dry run: no clip was fetched" if asked.dry_run else credits)
    return 0


def _fetch_selection(asked: Fetch, clips: SelectionOptions) -> None:
    from ctxaudio.fetch.clips import FetchRequest, fetch_clips
    from ctxaudio.fetch.network import Network

    context, subset = context_named(asked.context), asked.split or "dev"
    request = FetchRequest(asked.data_dir, context, clips, subset, asked.max_clips, asked.seed)
    fetched = fetch_clips(request, Network(progress=on_a_terminal()), asked.dry_run)
    print(fetched.plan)
    if not asked.dry_run:
        print(fetched)


def _fetch_whole(asked: Fetch, clips: SelectionOptions) -> None:
    from ctxaudio.fetch.clips import credit_whole
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.zenodo import archives_of, bytes_needed, fetch_archives

    if asked.max_clips != Fetch.max_clips or clips != SelectionOptions(licences=DEFAULT_LICENCES):
        raise CtxAudioError("--all brings every clip: leave out --max_clips and what chooses clips")
    subsets: list[Subset] = [asked.split] if asked.split else ["dev", "eval"]
    archives = archives_of(subsets)
    download, room = (size / 1e9 for size in bytes_needed(archives, asked.data_dir))
    whole = f"whole record, {' and '.join(subsets)}"
    print(f"{whole}: {download:.2f} GB to fetch, {room:.1f} GB of room needed", flush=True)
    if not asked.dry_run:
        fetch_archives(archives, asked.data_dir, Network(progress=on_a_terminal()))
        credit_whole(asked.data_dir, subsets)


def prepare(run: Common, clips: Clips, config: Annotated[TrainingConfig, taking("num_workers")]) -> int:
    """Decode, clean and level the clips of a context once, into one memory map."""
    from ctxaudio import pipeline

    made = pipeline.prepare(run, config.num_workers, on_a_terminal(), clips)
    print(f"prepared {len(made.clips)} clips, {len(made.samples) / made.sample_rate:.0f} s in {run.output_dir}")
    return 0


def train(run: Common, clips: Clips, config: TrainingConfig, start: Start) -> int:
    """Train a generator on the clips of a context; Ctrl-C leaves a usable generator and a checkpoint."""
    from ctxaudio import pipeline

    if config.max_minutes is not None and config.num_epochs == TrainingConfig.num_epochs:
        config = replace(config, num_epochs=NO_LIMIT_OF_EPOCHS)  # nobody asked for these epochs, but for the minutes
    training = pipeline.train(run, config, start, clips, on_a_terminal())
    return 130 if training.interrupted else 0


_FOR_THE_BASE = taking("max_minutes", "batch_size", "lr", "seed", "num_workers", max_minutes=240.0, lr=0.0003)


def pretrain(
    asked: Pretraining,
    config: Annotated[TrainingConfig, _FOR_THE_BASE],
    start: Annotated[Start, taking("resume", "from_scratch")],
) -> int:
    """Train the base that ships with ctxaudio; Ctrl-C leaves a usable one and a checkpoint."""
    from ctxaudio.pipeline import only_one_training
    from ctxaudio.training.pretrain import pretrain as train_base

    config = replace(config, num_epochs=NO_LIMIT_OF_EPOCHS, save_interval=1)
    with only_one_training(asked.output_dir):
        training = train_base(asked, config, start, on_a_terminal())
    return 130 if training.interrupted else 0
