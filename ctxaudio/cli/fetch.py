"""Fetch the FSD50K clips that a context needs (or with --all the whole record), checked, with their licences."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.cli.selection_arguments import add_selection, selection_of
from ctxaudio.contexts import CONTEXTS, context_named
from ctxaudio.data.selection import SelectionOptions
from ctxaudio.errors import CtxAudioError
from ctxaudio.options import add_dataclass, check_ranges, from_options, option

_LICENCES = ("cc0", "cc-by")


@dataclass(frozen=True)
class Fetch:
    """What is fetched, beside what `SelectionOptions` asks of a clip."""

    context: str = option("sleep", f"one of {', '.join(CONTEXTS)}, or all")
    data_dir: Path = option(Path("./data"), "where FSD50K lies, or will lie")
    split: Literal["dev", "eval"] | None = option(None, "dev (train and val), eval; with --all both if not given")
    seed: int = option(0, "another seed chooses other clips")
    max_clips: int = option(200, "at most so many, balanced over the conditions", least=1)
    dry_run: bool = option(False, "say what would be fetched; brings the tables only (7 MB)")
    all: bool = option(False, "the whole record: 25 GB to fetch, 34 GB in the end; no selection")

    def __post_init__(self) -> None:
        check_ranges(self)


def add_to(parser: argparse.ArgumentParser) -> None:
    add_dataclass(parser, Fetch)
    add_selection(parser, licences=_LICENCES)


def run(options: argparse.Namespace) -> int:
    asked = from_options(Fetch, options)
    (_fetch_whole if asked.all else _fetch_selection)(asked, selection_of(options))
    credits = f"licences and credits: {asked.data_dir / 'ATTRIBUTION.md'}, {asked.data_dir / 'manifest.json'}"
    print("dry run: no clip was fetched" if asked.dry_run else credits)
    return 0


def _fetch_selection(asked: Fetch, clips: SelectionOptions | None) -> None:
    from ctxaudio.fetch.clips import fetch_clips
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.plan import FetchRequest

    request = FetchRequest(
        asked.data_dir,
        context_named(asked.context),
        clips or SelectionOptions(),
        asked.split or "dev",
        asked.max_clips,
        asked.seed,
    )
    fetched = fetch_clips(request, Network(progress=on_a_terminal()), asked.dry_run)
    print(fetched.plan)
    if not asked.dry_run:
        print(fetched)


def _fetch_whole(asked: Fetch, clips: SelectionOptions | None) -> None:
    from ctxaudio.data.fsd50k import Subset
    from ctxaudio.fetch.clips import credit_whole
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.zenodo import archives_of, bytes_needed, fetch_archives

    if asked.max_clips != Fetch.max_clips or clips != SelectionOptions(licences=_LICENCES):
        raise CtxAudioError("--all brings every clip: leave out --max_clips and what chooses clips")
    subsets: list[Subset] = [asked.split] if asked.split else ["dev", "eval"]
    archives = archives_of(subsets)
    download, room = (size / 1e9 for size in bytes_needed(archives, asked.data_dir))
    print(
        f"whole record, {' and '.join(subsets)}: {download:.2f} GB to fetch, {room:.1f} GB of room needed", flush=True
    )
    if not asked.dry_run:
        fetch_archives(archives, asked.data_dir, Network(progress=on_a_terminal()))
        credit_whole(asked.data_dir, subsets)
