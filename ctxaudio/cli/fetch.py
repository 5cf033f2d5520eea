"""Fetch the FSD50K clips that a context needs (or with --all the whole record), checked, with their licences."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.cli.selection_arguments import add_selection, selection_of
from ctxaudio.contexts import CONTEXTS, context_named
from ctxaudio.errors import CtxAudioError

_MAX_CLIPS = 200
_LICENCES = ("cc0", "cc-by")


def add_to(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--context", default="sleep", help=f"one of {', '.join(CONTEXTS)}, or all")
    add("--data_dir", type=Path, default=Path("./data"), help="where FSD50K lies, or will lie")
    add("--split", choices=("dev", "eval"), help="dev (train and val), eval; with --all both if not given")
    add("--seed", type=int, default=0, help="another seed chooses other clips")
    add("--max_clips", type=int, default=_MAX_CLIPS, help="at most so many, balanced over the conditions")
    add("--dry_run", action="store_true", help="say what would be fetched; brings the tables only (7 MB)")
    add("--all", action="store_true", help="the whole record: 25 GB to fetch, 34 GB in the end; no selection")
    add_selection(parser, licences=_LICENCES)


def run(options: argparse.Namespace) -> int:
    (_fetch_whole if options.all else _fetch_selection)(options)
    credits = f"licences and credits: {options.data_dir / 'ATTRIBUTION.md'}, {options.data_dir / 'manifest.json'}"
    print("dry run: no clip was fetched" if options.dry_run else credits)
    return 0


def _fetch_selection(options: argparse.Namespace) -> None:
    from ctxaudio.data.selection import SelectionOptions
    from ctxaudio.fetch.clips import fetch_clips
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.plan import FetchRequest

    request = FetchRequest(
        options.data_dir,
        context_named(options.context),
        selection_of(options) or SelectionOptions(),
        options.split or "dev",
        options.max_clips,
        options.seed,
    )
    fetched = fetch_clips(request, Network(progress=on_a_terminal()), options.dry_run)
    print(fetched.plan)
    if not options.dry_run:
        print(fetched)


def _fetch_whole(options: argparse.Namespace) -> None:
    from ctxaudio.data.fsd50k import Subset
    from ctxaudio.data.selection import SelectionOptions
    from ctxaudio.fetch.clips import credit_whole
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.zenodo import archives_of, bytes_needed, fetch_archives

    if options.max_clips != _MAX_CLIPS or selection_of(options) != SelectionOptions(licences=_LICENCES):
        raise CtxAudioError("--all brings every clip: leave out --max_clips and what chooses clips")
    subsets: list[Subset] = [options.split] if options.split else ["dev", "eval"]
    archives = archives_of(subsets)
    download, room = (size / 1e9 for size in bytes_needed(archives, options.data_dir))
    print(
        f"whole record, {' and '.join(subsets)}: {download:.2f} GB to fetch, {room:.1f} GB of room needed", flush=True
    )
    if not options.dry_run:
        fetch_archives(archives, options.data_dir, Network(progress=on_a_terminal()))
        credit_whole(options.data_dir, subsets)
