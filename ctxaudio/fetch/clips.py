"""Bringing the clips that a context needs, and no others, into the FSD50K layout, with their licences.

Which ones: balanced over the conditions, from many uploaders, the same for the same seed. They come from the Hugging
Face hub, where the data set Fhrozen/FSD50k has them one by one. `manifest.json` and `ATTRIBUTION.md` name a clip before
it takes its place, in one step. So whatever ends a fetch, each clip in its place is whole and its licence is on record,
and the next fetch goes on from there.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from multiprocessing.pool import ThreadPool  # its threads don't hold up a Ctrl-C
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ctxaudio.contexts import Context
from ctxaudio.data import fsd50k
from ctxaudio.data.fsd50k import Clip, Index, LeftOut, Subset, licence_name
from ctxaudio.data.selection import SelectionOptions, left_out_lines, select_clips, text_table
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.network import Network, bytes_bar
from ctxaudio.fetch.zenodo import check_space, fetch_tables
from ctxaudio.files import only_one, read_json, writable_folder, write_json
from ctxaudio.provenance import ATTRIBUTION, Credit, write_attribution

REPOSITORY = "Fhrozen/FSD50k"
FETCH_OPTIONS = SelectionOptions(licences=fsd50k.DEFAULT_LICENCES)
MANIFEST = "manifest.json"
RECORD_DOI = "https://doi.org/10.5281/zenodo.4060432"
ROOM_FOR_TABLES = 10_000_000
WORKERS = 4  # more would meet the hub's rate limits
_FILES_A_REQUEST = 500


@dataclass(frozen=True)
class FetchRequest:
    """What is to be fetched where: at most `max_clips` clips of `context` from `subset`."""

    data_dir: Path
    context: Context
    options: SelectionOptions = FETCH_OPTIONS
    subset: Subset = "dev"
    max_clips: int = 200
    seed: int = 0


class Candidate(NamedTuple):
    """A clip that could be fetched: its condition (an index), and url, bytes and sha256 (hex) of the file."""

    clip: Clip
    condition: int
    url: str
    size: int
    sha256: str


@dataclass
class Fetched:
    """What is fetched: the clips `chosen` of `context`, and `plan`, which says why these, as a table.

    `commit` is the hub's. Of the clips, so many are `brought` now or were `there_before`; so many bytes came.
    """

    context: Context
    chosen: tuple[Candidate, ...]
    plan: str
    commit: str
    brought: int = 0
    there_before: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        there = f", {self.there_before} were there already" if self.there_before else ""
        return f"fetched {self.brought} clips, {self.bytes / 1e6:.1f} MB in {self.seconds:.0f} s{there}"


def seconds_of(size: int) -> float:
    """Duration in seconds of an FSD50K clip of `size` bytes: 16-bit mono at 44.1 kHz with a header of 44 bytes.

    >>> seconds_of(44 + 2 * 44100 * 3)
    3.0
    """
    return max(0, size - 44) / 88_200


def plan_fetch(request: FetchRequest, index: Index, network: Network) -> Fetched:
    """Choose the clips: those of `index` that the request selects and that the hub has; `CtxAudioError` for none."""
    # Durations are known from the hub's sizes only; and the split to record is FSD50K's own.
    selection = select_clips(index, request.context, replace(request.options, min_seconds=0.0))
    context, left_out = selection.context, list(selection.left_out)
    own_split = {clip.clip_id: clip for clip in reversed(index.clips)}
    paths = [f"clips/{request.subset}/{clip.clip_id}.wav" for clip in selection.clips]
    commit, files = look_up(paths, network)
    queues: dict[int, list[Candidate]] = {i: [] for i in range(len(context.conditions))}
    for path, clip, condition in zip(paths, selection.clips, selection.conditions, strict=True):
        if path not in files:
            left_out.append(LeftOut(clip.clip_id, "not in the hub's copy"))
        elif seconds_of(files[path][0]) < request.options.min_seconds:
            left_out.append(LeftOut(clip.clip_id, f"shorter than {request.options.min_seconds:g} s"))
        else:
            url = f"{network.hub}/datasets/{REPOSITORY}/resolve/{commit}/{quote(path)}"
            queues[condition].append(Candidate(own_split[clip.clip_id], condition, url, *files[path]))
    queues = {i: in_order_of_preference(queue, request.seed) for i, queue in queues.items()}
    chosen = tuple(balanced(queues, request.max_clips))
    # moved and not_apart speak of the whole selection, not of what will be fetched
    why = left_out_lines(replace(selection, left_out=tuple(left_out), moved=0, not_apart=0))
    if not chosen:
        raise CtxAudioError(f"no clip of context {request.context.name!r} can be fetched: {'; '.join(why[1:])}")
    available = {name: len(queues[i]) for i, name in enumerate(context.conditions)}
    head = f"context {context.name}, {request.subset}: {len(chosen)} of {sum(available.values())} clips"
    return Fetched(context, chosen, "\n".join([head, *_table(chosen, available), *why]), commit)


def _table(chosen: Sequence[Candidate], available: Mapping[str, int]) -> list[str]:
    """Counts, hours, bytes and licences per condition, and of how many."""
    licence_of = {candidate: licence_name(candidate.clip.licence) for candidate in chosen}
    licences = [name for name in fsd50k.LICENCES if name in licence_of.values()]
    rows: list[list[object]] = [["condition", "clips", "of", "hours", "MB", *licences]]
    for i, (name, of) in enumerate([*available.items(), ("all", sum(available.values()))]):
        those = [candidate for candidate in chosen if i in (candidate.condition, len(available))]
        hours, megabytes = sum(seconds_of(c.size) for c in those) / 3600, sum(c.size for c in those) / 1e6
        counted = Counter(licence_of[candidate] for candidate in those)
        rows.append([name, len(those), of, f"{hours:.2f}", f"{megabytes:.1f}", *(counted[name] for name in licences)])
    return text_table(rows)


def look_up(paths: Sequence[str], network: Network) -> tuple[str, dict[str, tuple[int, str]]]:
    """The repository's latest commit, and bytes and sha256 there of those of `paths` that it has."""
    api, found = f"{network.hub}/api/datasets/{REPOSITORY}", dict[str, tuple[int, str]]()
    commit = network.ask("GET", api, lambda answer: str(answer["sha"]))
    for start in range(0, len(paths), _FILES_A_REQUEST):
        found |= network.ask(
            "POST",
            f"{api}/paths-info/{commit}",
            lambda answer: {file["path"]: (file["size"], file["lfs"]["oid"]) for file in answer},
            data={"paths": paths[start : start + _FILES_A_REQUEST]},
        )
    return commit, found


def in_order_of_preference(candidates: Sequence[Candidate], seed: int) -> list[Candidate]:
    """The candidates of one condition, best first: one of each uploader before the second of any.

    Equals are in an order drawn by `seed` from the clip's id alone, so that a longer list begins with the shorter
    one. Train and val clips alternate such that every beginning holds val's share of the whole, rounded down.
    """
    drawn = sorted(candidates, key=lambda c: hashlib.sha256(f"{seed} {c.clip.clip_id}".encode()).digest())
    seen: Counter[str] = Counter()
    turn = {}
    for candidate in drawn:
        uploader = candidate.clip.uploader or candidate.clip.clip_id
        turn[candidate] = seen[uploader]
        seen[uploader] += 1
    ranked = sorted(drawn, key=turn.__getitem__)
    val = [candidate for candidate in ranked if candidate.clip.split == "val"]
    others = iter([candidate for candidate in ranked if candidate.clip.split != "val"])
    due = [place * len(val) // max(1, len(ranked)) for place in range(len(ranked) + 1)]
    return [val[before] if after > before else next(others) for before, after in pairwise(due)]


def balanced(queues: Mapping[int, Sequence[Candidate]], max_clips: int) -> list[Candidate]:
    """Up to `max_clips` candidates, one of each condition in turn, from the fronts of the queues.

    No condition that has more to give gets fewer than another.
    """
    turns = zip_longest(*queues.values())
    return [candidate for turn in turns for candidate in turn if candidate is not None][:max_clips]


class Manifest:
    """`manifest.json` of a folder: what was fetched, from where, why and under which licence, in rows as the JSON's.

    Raises `CtxAudioError` where it is damaged.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir, self.path = data_dir, data_dir / MANIFEST
        content: dict[str, Any] = read_json(self.path) if self.path.exists() else {"source": {}, "clips": []}
        try:
            self.clips = {(row["subset"], row["clip_id"]): row for row in content["clips"]}
            self.source = dict(content["source"])
            for row in self.clips.values():
                self._credit(row), dict(row["selected"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CtxAudioError(f"{self.path} is not a manifest ({error!r}): move it away") from error

    def add(self, clip: Clip, subset: Subset, sha256: str, size: int, selected: dict[str, str]) -> None:
        """Add a clip of `size` bytes, chosen for `selected` ({context: label}) besides what it was before."""
        earlier = self.clips.get((subset, clip.clip_id), {"selected": {}})["selected"]
        about = {name: getattr(clip, name) for name in ("split", "title", "uploader", "licence")}
        file = {"sha256": sha256, "bytes": size, "seconds": round(seconds_of(size), 3), "selected": earlier | selected}
        self.clips[subset, clip.clip_id] = {"clip_id": clip.clip_id, "subset": subset, **about, **file}

    def write(self) -> None:
        """Write `manifest.json` and `ATTRIBUTION.md`."""
        clips = [self.clips[key] for key in sorted(self.clips)]
        write_json(self.path, {"source": self.source, "clips": clips})
        write_attribution(self.data_dir / ATTRIBUTION, [self._credit(row) for row in clips], fsd50k.FSD50K_CREDIT)

    def forget_deleted(self) -> None:
        """Forget clips that are not in the folder: deleted, or named by a fetch that was interrupted."""
        there = {subset: fsd50k.clips_on_disk(fsd50k.audio_folder(self.data_dir, subset)) for subset in ("dev", "eval")}
        self.clips = {key: row for key, row in self.clips.items() if key[1] in there[key[0]]}

    @staticmethod
    def _credit(row: dict[str, Any]) -> Credit:
        return Credit(row["clip_id"], row["title"], row["uploader"], row["licence"])


def fetch_clips(request: FetchRequest, network: Network, dry_run: bool = False) -> Fetched:
    """Bring ground truth and metadata from the Zenodo record and the request's clips from the hub under its data_dir.

    A clip in its place with the right sha256 is not fetched again. `dry_run` brings the tables only.
    Raises `CtxAudioError` for faults of the network, the hub or the disk, where another fetch is at work in
    data_dir, and where no clip can be fetched; what has come by then stays.
    """
    began, data_dir = time.monotonic(), writable_folder(request.data_dir)
    try:
        with only_one(data_dir / ".fetch.lock", f"another fetch is at work in {data_dir}: wait for it to end"):
            fetch_tables(data_dir, network)
            manifest = Manifest(data_dir)
            manifest.forget_deleted()
            fetched = plan_fetch(request, fsd50k.read_index(data_dir, request.subset, look=False), network)
            if dry_run:
                return fetched
            absent = [candidate.size for candidate in fetched.chosen if not candidate.clip.path.is_file()]
            check_space(data_dir, sum(absent) + ROOM_FOR_TABLES)
            manifest.source = {"repository": REPOSITORY, "commit": fetched.commit, "record": RECORD_DOI}
            for chosen in fetched.chosen:
                selected = {fetched.context.name: fetched.context.conditions[chosen.condition]}
                manifest.add(chosen.clip, request.subset, chosen.sha256, chosen.size, selected)
            manifest.write()
            _bring_all(fetched, network)
    except OSError as error:
        raise CtxAudioError(f"{error.filename or data_dir}: {error.strerror}; mend that and start again") from error
    fetched.seconds = time.monotonic() - began
    return fetched


def _bring_all(fetched: Fetched, network: Network) -> None:
    def bring(candidate: Candidate) -> tuple[int, bool]:
        return candidate.size, network.download(candidate.url, candidate.clip.path, candidate.size, candidate.sha256)

    bar = bytes_bar("fetching clips", sum(candidate.size for candidate in fetched.chosen), network.progress)
    with bar, ThreadPool(WORKERS) as pool:
        for size, came in pool.imap_unordered(bring, fetched.chosen):
            fetched.brought += came
            fetched.there_before += not came
            fetched.bytes += size if came else 0
            bar.update(size)


def credit_whole(data_dir: Path, subsets: Sequence[Subset]) -> None:
    """Write manifest and attribution of every clip of `subsets` in `data_dir`, as `fetch_archives` brought them.

    Their sha256 stays empty: md5 of the archives and CRC of each file were checked when they came.
    """
    manifest = Manifest(data_dir)
    manifest.source["record"] = RECORD_DOI
    for subset in subsets:
        index = fsd50k.read_index(data_dir, subset)
        for clip in index.clips:
            if clip.clip_id in (index.on_disk or ()) and (subset, clip.clip_id) not in manifest.clips:
                manifest.add(clip, subset, "", clip.path.stat().st_size, {})
    manifest.write()
