"""Fetch the FSD50K clips that a context needs (or with --all the whole record), checked, with their licences."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.cli.selection_arguments import selection_of
from ctxaudio.contexts import CONTEXTS, context_named
from ctxaudio.errors import CtxAudioError

_CHOICE = {
    "max_clips": 200,
    "labels": None,
    "licenses": "cc0,cc-by",
    "min_seconds": 0.0,
    "rating": None,
    "exclude": None,
}


def add_to(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--context", default="sleep", help=f"one of {', '.join(CONTEXTS)}, or all")
    add("--data_dir", type=Path, default=Path("./data"), help="where FSD50K lies, or will lie")
    add("--split", choices=("dev", "eval"), help="dev (train and val), eval; with --all both if not given")
    add("--seed", type=int, default=0, help="another seed chooses other clips")
    add("--dry_run", action="store_true", help="say what would be fetched, and change nothing")
    clips = parser.add_argument_group("which clips").add_argument
    clips("--max_clips", type=int, help="at most so many, balanced over the conditions")
    clips("--labels", metavar="A,B", help="FSD50K labels in place of the context's conditions")
    clips("--licenses", metavar="A,B", help="any of cc0, cc-by, cc-by-nc, sampling+, unknown")
    clips("--min_seconds", type=float, help="shortest duration")
    clips("--rating", choices=("present",), help="present: only where every annotator found the sound predominant")
    clips("--exclude", metavar="ID,ID", help="clips not to fetch, besides those known to be wrong")
    parser.set_defaults(**_CHOICE)
    whole = parser.add_argument_group("the whole record").add_argument
    whole("--all", action="store_true", help="25 GB to fetch, 34 GB in the end; no selection")
    whole("--keep_archives", action="store_true", help="keep the record's zip files in DATA_DIR/.archives")


def run(options: argparse.Namespace) -> int:
    (_fetch_whole if options.all else _fetch_selection)(options)
    credits = f"licences and credits: {options.data_dir / 'ATTRIBUTION.md'}, {options.data_dir / 'manifest.json'}"
    print("dry run: nothing was changed" if options.dry_run else credits)
    return 0


def _fetch_selection(options: argparse.Namespace) -> None:
    from ctxaudio.data.options import SelectionOptions
    from ctxaudio.fetch.clips import dry_run, fetch_clips
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.plan import FetchRequest

    if options.keep_archives:
        raise CtxAudioError("--keep_archives goes with --all: single clips come without archives")
    request = FetchRequest(
        data_dir=options.data_dir,
        context=context_named(options.context),
        options=selection_of(options) or SelectionOptions(),
        subset=options.split or "dev",
        max_clips=options.max_clips,
        seed=options.seed,
    )
    network = Network(progress=on_a_terminal())
    if options.dry_run:
        print(dry_run(request, network))
    else:
        fetched = fetch_clips(request, network)
        print(fetched.plan, fetched, sep="\n")


def _fetch_whole(options: argparse.Namespace) -> None:
    from ctxaudio.data.fsd50k import Subset
    from ctxaudio.fetch.credits import credit_whole
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.zenodo import archives_of, estimate, fetch_archives

    given = [f"--{name}" for name, default in _CHOICE.items() if getattr(options, name) != default]
    if given:
        raise CtxAudioError(f"--all brings every clip: leave out {', '.join(given)}")
    subsets: list[Subset] = [options.split] if options.split else ["dev", "eval"]
    archives = archives_of(subsets)
    needed = estimate(archives, options.data_dir, options.keep_archives)
    print(
        f"whole record, {' and '.join(subsets)}: {needed.download_bytes / 1e9:.2f} GB to fetch, "
        f"{needed.peak_bytes / 1e9:.1f} GB of room needed, {needed.kept_bytes / 1e9:.1f} GB in the end",
        flush=True,
    )
    if options.dry_run:
        return
    network = Network(progress=on_a_terminal())
    for brought in fetch_archives(archives, options.data_dir, network, options.keep_archives):
        print(f"{brought.archive}: {brought.unpacked} files unpacked, {brought.whole_before} were there already")
        for name in brought.left_packed:
            print(f"  left packed, not a name of FSD50K: {name!r}")
    credit_whole(options.data_dir, subsets)
