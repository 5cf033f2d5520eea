"""The command that brings recordings: fetch."""

from __future__ import annotations

from typing import Annotated

from ctxaudio.data.fsd50k import DEFAULT_LICENCES
from ctxaudio.data.selection import SelectionOptions
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch import zenodo
from ctxaudio.fetch.clips import Fetch, fetch_clips, write_credits
from ctxaudio.fetch.network import Network
from ctxaudio.options import on_a_terminal, taking


def fetch(
    asked: Fetch, clips: Annotated[SelectionOptions, taking(title="which clips of FSD50K", licences=DEFAULT_LICENCES)]
) -> int:
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
    return 0
