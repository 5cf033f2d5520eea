"""Fetch the FSD50K clips that a context needs (or with --all the whole record), checked, with their licences."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.cli.selection_arguments import listed
from ctxaudio.contexts import CONTEXTS, context_named
from ctxaudio.errors import CtxAudioError

# What says which clips, and its default.
_SELECTION = {
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
    add(
        "--split", choices=("dev", "eval"), default=None, help="dev (train and val), eval; with --all both if not given"
    )
    add("--seed", type=int, default=0, help="another seed chooses other clips")
    add("--dry_run", action="store_true", help="say what would be fetched, and change nothing")
    clips = parser.add_argument_group("which clips").add_argument
    clips("--max_clips", type=int, help="at most so many, balanced over the conditions")
    clips("--labels", metavar="A,B", help="FSD50K labels in place of the context's conditions")
    clips("--licenses", metavar="A,B", help="any of cc0, cc-by, cc-by-nc, sampling+, unknown")
    clips("--min_seconds", type=float, help="shortest duration")
    clips("--rating", choices=("present",), help="present: only where every annotator found the sound predominant")
    clips("--exclude", metavar="ID,ID", help="clips not to fetch, besides those known to be wrong")
    parser.set_defaults(**_SELECTION)
    whole = parser.add_argument_group("the whole record").add_argument
    whole("--all", action="store_true", help="25 GB to fetch, 34 GB in the end; no selection")
    whole("--keep_archives", action="store_true", help="keep the record's zip files in DATA_DIR/.archives")


def run(options: argparse.Namespace) -> int:
    return _fetch_whole(options) if options.all else _fetch_selection(options)


def _fetch_selection(options: argparse.Namespace) -> int:
    from ctxaudio.data.options import KNOWN_WRONG, SelectionOptions
    from ctxaudio.fetch.clips import dry_run, fetch_clips
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.plan import FetchRequest

    if options.keep_archives:
        raise CtxAudioError("--keep_archives goes with --all: single clips come without archives")
    selection = SelectionOptions(
        labels=None if options.labels is None else listed(options.labels),
        licences=listed(options.licenses),
        min_seconds=options.min_seconds,
        rating=options.rating,
        exclude=(*KNOWN_WRONG, *listed(options.exclude or "")),
    )
    request = FetchRequest(
        data_dir=options.data_dir,
        context=context_named(options.context),
        options=selection,
        subset=options.split or "dev",
        max_clips=options.max_clips,
        seed=options.seed,
    )
    network = Network(progress=on_a_terminal())
    if options.dry_run:
        print(dry_run(request, network))
        print("dry run: nothing was changed")
        return 0
    fetched = fetch_clips(request, network)
    print(fetched.plan)
    print(fetched)
    print(f"licences and credits: {options.data_dir / 'ATTRIBUTION.md'}, {options.data_dir / 'manifest.json'}")
    return 0


def _fetch_whole(options: argparse.Namespace) -> int:
    from ctxaudio.data.fsd50k import Subset
    from ctxaudio.fetch.credits import credit_whole
    from ctxaudio.fetch.network import Network
    from ctxaudio.fetch.zenodo import estimate_whole, fetch_whole

    given = [f"--{name}" for name, default in _SELECTION.items() if getattr(options, name) != default]
    if given:
        raise CtxAudioError(f"--all brings every clip: leave out {', '.join(given)}")
    subsets: tuple[Subset, ...] = ("dev", "eval") if options.split is None else (options.split,)
    estimate = estimate_whole(options.data_dir, subsets, options.keep_archives)
    print(
        f"whole record, {' and '.join(subsets)}: {estimate.download_bytes / 1e9:.2f} GB to fetch, "
        f"{estimate.peak_bytes / 1e9:.1f} GB of room needed, {estimate.kept_bytes / 1e9:.1f} GB in the end",
        flush=True,
    )
    if options.dry_run:
        print("dry run: nothing was changed")
        return 0
    for brought in fetch_whole(options.data_dir, Network(progress=on_a_terminal()), subsets, options.keep_archives):
        print(f"{brought.archive}: {brought.unpacked} files unpacked, {brought.whole_before} were there already")
        for name in brought.left_packed:
            print(f"  left packed, not a name of FSD50K: {name!r}")
    credit_whole(options.data_dir, subsets)
    print(f"licences and credits: {options.data_dir / 'ATTRIBUTION.md'}, {options.data_dir / 'manifest.json'}")
    return 0
