"""Bringing the clips that a context needs, and no others, into the FSD50K layout, with their licences.

Which ones: balanced over the conditions, from many uploaders, the same for the same seed. They come from the Hugging
Face hub, where the data set Fhrozen/FSD50k has them one by one. `ATTRIBUTION.md` names a clip before it takes its
place, in one step. So whatever ends a fetch, each clip in its place is whole and credited, and the next goes on there.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from multiprocessing.pool import ThreadPool  # its threads don't hold up a Ctrl-C
from pathlib import Path
from typing import Any, NamedTuple, get_args
from urllib.parse import quote

from ctxaudio.contexts import ALL, CONTEXTS, context_named
from ctxaudio.data.fsd50k import Clip, Index, Subset, licence_name, read_index
from ctxaudio.data.selection import SelectionOptions, left_out_lines, select_clips, text_table
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch import zenodo
from ctxaudio.fetch.network import Network, bytes_bar
from ctxaudio.files import only_one, writable_folder
from ctxaudio.options import Options, option
from ctxaudio.provenance import ATTRIBUTION, Credit, write_attribution

REPOSITORY = "Fhrozen/FSD50k"
ROOM_FOR_TABLES = 10_000_000
WORKERS = 4  # more would meet the hub's rate limits
_FILES_A_REQUEST = 500
WAV_HEADER, BYTES_A_SECOND = 44, 88_200  # of 16-bit mono at 44.1 kHz, as all of FSD50K


@dataclass(frozen=True)
class Fetch(Options):
    """What is fetched, beside what `SelectionOptions` asks of a clip."""

    context: str = option("sleep", f"one of {', '.join(CONTEXTS)}, or all", choices=(*CONTEXTS, ALL.name))
    data_dir: Path = option(Path("./data"), "where FSD50K lies, or will lie")
    split: Subset | None = option(None, "dev (train and val), eval; with --all both if not given")
    seed: int = option(0, "another seed chooses other clips")
    max_clips: int = option(200, "at most so many, balanced over the conditions", least=1)
    dry_run: bool = option(False, "say what would be fetched; brings the tables only (7 MB)")
    all: bool = option(False, "the whole record: 25 GB to fetch, 34 GB in the end; no selection")


class Candidate(NamedTuple):
    """A clip that could be fetched: its condition (an index), and url, bytes and sha256 (hex) of the file."""

    clip: Clip
    condition: int
    url: str
    size: int
    sha256: str


class Fetched(NamedTuple):
    """What was fetched: `plan` says what and why, as a table; so many clips were brought, with so many bytes."""

    plan: str
    brought: int = 0
    there_before: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        there = f", {self.there_before} were there already" if self.there_before else ""
        return f"fetched {self.brought} clips, {self.bytes / 1e6:.1f} MB{there}"


def fetch_clips(asked: Fetch, options: SelectionOptions, network: Network) -> Fetched:
    """Bring ground truth and metadata from the Zenodo record and clips from the hub under the data_dir.

    A clip in its place with the right sha256 is not fetched again. A `dry_run` brings the tables only.
    Raises `CtxAudioError` for faults of the network, the hub or the disk, where another fetch is at work in
    data_dir, and where no clip can be fetched; what has come by then stays.
    """
    data_dir = writable_folder(asked.data_dir)
    came = []

    def bring(one: Candidate) -> tuple[int, bool]:
        return one.size, network.download(one.url, one.clip.path, one.size, f"sha256:{one.sha256}")

    try:
        with only_one(data_dir / ".fetch.lock", f"another fetch is at work in {data_dir}: wait for it to end"):
            zenodo.fetch_archives([zenodo.FSD50K_RECORD[name] for name in zenodo.TABLES], data_dir, network)
            index = read_index(data_dir, asked.split or "dev", on_disk=False)
            chosen, plan = plan_fetch(asked, options, index, network)
            if asked.dry_run:
                return Fetched(plan)
            absent = [one.size for one in chosen if not one.clip.path.is_file()]
            zenodo.check_space(data_dir, sum(absent) + ROOM_FOR_TABLES)
            write_credits(data_dir, [one.clip for one in chosen])
            bar = bytes_bar("fetching clips", sum(one.size for one in chosen), network.progress)
            with bar, ThreadPool(WORKERS) as pool:
                for size, is_new in pool.imap_unordered(bring, chosen):
                    came += [size] if is_new else []
                    bar.update(size)
    except OSError as error:
        raise CtxAudioError(f"{error.filename or data_dir}: {error.strerror}; mend that and start again") from error
    return Fetched(plan, len(came), len(chosen) - len(came), sum(came))


def plan_fetch(asked: Fetch, options: SelectionOptions, index: Index, network: Network) -> tuple[list[Candidate], str]:
    """The clips of `index` that are asked for and that the hub has, and which and why, in words; errors for none."""
    selection = select_clips(index, context_named(asked.context), options)
    paths = [f"clips/{asked.split or 'dev'}/{clip.clip_id}.wav" for clip in selection.clips]
    files = look_up(paths, network)
    placed = list(zip(paths, selection.clips, strict=True))
    candidates = [Candidate(clip, clip.condition, *files[path]) for path, clip in placed if path in files]
    chosen = in_order_of_preference(candidates, asked.seed)[: asked.max_clips]
    lacking = [replace(clip, reason="not in the hub's copy") for path, clip in placed if path not in files]
    # moved and not_apart speak of the whole selection, not of what will be fetched
    why = left_out_lines(replace(selection, left_out=(*selection.left_out, *lacking), moved=0, not_apart=0))
    if not chosen:
        raise CtxAudioError(f"no clip of context {asked.context!r} can be fetched: {'; '.join(why)}")
    rows: list[list[object]] = [["condition", "clips", "of", "hours", "MB"]]
    for number, name in enumerate([*selection.context.conditions, "all"]):
        of = [one for one in candidates if name == "all" or one.condition == number]
        sizes = [one.size for one in chosen if name == "all" or one.condition == number]
        hours = (sum(sizes) - WAV_HEADER * len(sizes)) / BYTES_A_SECOND / 3600
        rows.append([name, len(sizes), len(of), f"{hours:.2f}", f"{sum(sizes) / 1e6:.1f}"])
    licences = Counter(licence_name(one.clip.licence) for one in chosen).most_common()
    under = ", ".join(f"{count} {name}" for name, count in licences)
    head = f"context {asked.context}: {len(chosen)} clips ({under})"
    return chosen, "\n".join([head, *text_table(rows), *why])


def look_up(paths: Sequence[str], network: Network) -> dict[str, tuple[str, int, str]]:
    """Url, bytes and sha256 of those of `paths` that the repository has, in its latest commit."""
    api, found = f"{network.hub}/api/datasets/{REPOSITORY}", dict[str, tuple[str, int, str]]()
    commit = network.ask("GET", api, lambda answer: str(answer["sha"]))
    source = f"{network.hub}/datasets/{REPOSITORY}/resolve/{commit}"

    def understand(answer: Any) -> dict[str, tuple[str, int, str]]:
        return {f["path"]: (f"{source}/{quote(f['path'])}", f["size"], f["lfs"]["oid"]) for f in answer}

    for start in range(0, len(paths), _FILES_A_REQUEST):
        asked = {"paths": paths[start : start + _FILES_A_REQUEST]}
        found |= network.ask("POST", f"{api}/paths-info/{commit}", understand, data=asked)
    return found


def in_order_of_preference(candidates: Sequence[Candidate], seed: int) -> list[Candidate]:
    """The candidates, best first: one of each condition in turn, and of each uploader before the second of any.

    Equals are in an order drawn by `seed` from the clip's id alone, so that a longer list begins with the shorter
    one. Train and val clips alternate such that every beginning holds val's share of the whole, rounded down.
    """
    seen: Counter[tuple[int, str]] = Counter()
    turns = []
    for one in sorted(candidates, key=lambda one: hashlib.sha256(f"{seed} {one.clip.clip_id}".encode()).digest()):
        uploader = one.condition, one.clip.uploader or one.clip.clip_id
        turns.append((seen[uploader], one))
        seen[uploader] += 1
    ranked = [one for _, one in sorted(turns, key=lambda turn: turn[0])]
    queues = []
    for condition in sorted({one.condition for one in ranked}):
        those = [one for one in ranked if one.condition == condition]
        val = [one for one in those if one.clip.split == "val"]
        others = iter([one for one in those if one.clip.split != "val"])
        due = [place * len(val) // len(those) for place in range(len(those) + 1)]
        queues.append([val[before] if after > before else next(others) for before, after in pairwise(due)])
    return [one for turn in zip_longest(*queues) for one in turn if one is not None]


def write_credits(data_dir: Path, coming: Sequence[Clip] = ()) -> None:
    """Write `ATTRIBUTION.md` of the clips that lie in `data_dir`, and of those that are `coming`."""
    clips: list[Clip] = [*coming]
    for subset in get_args(Subset):
        clips += [clip for clip in read_index(data_dir, subset, on_disk=False).clips if clip.path.is_file()]
    credits = (Credit(clip.clip_id, clip.title, clip.uploader, clip.licence) for clip in clips)
    write_attribution(data_dir / ATTRIBUTION, credits, "The recordings in this folder.")
