"""Which clips to fetch: balanced over the conditions, from many uploaders, the same for the same seed.

Single clips come from the Hugging Face hub, where the data set Fhrozen/FSD50k has them one by one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ctxaudio.contexts import Context
from ctxaudio.data.fsd50k import DEFAULT_LICENCES, LICENCES, Clip, Index, LeftOut, Subset, licence_name
from ctxaudio.data.selection import Selection, SelectionOptions, left_out_lines, select_clips
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.network import Network

REPOSITORY = "Fhrozen/FSD50k"
FETCH_OPTIONS = SelectionOptions(licences=DEFAULT_LICENCES)
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

    def __post_init__(self) -> None:
        if self.max_clips < 1:
            raise CtxAudioError(f"max_clips {self.max_clips} must be at least 1")


@dataclass(frozen=True)
class Candidate:
    """A clip that could be fetched: its condition (an index), and url, bytes and sha256 (hex) of the file."""

    clip: Clip
    condition: int
    url: str
    size: int
    sha256: str


@dataclass(frozen=True)
class FetchPlan:
    """The clips `chosen`; `available` counts, by condition, those that could be.

    `selection` says what was left out before; its conditions are those of the request's labels. `commit` is the hub's.
    """

    request: FetchRequest
    selection: Selection
    chosen: tuple[Candidate, ...]
    available: Mapping[int, int]
    commit: str

    def __str__(self) -> str:
        """Counts, hours, bytes and licences per condition, and what was left out, as a table."""
        context = self.selection.context
        licences = [name for name in LICENCES if any(licence_name(c.clip.licence) == name for c in self.chosen)]
        rows = [["condition", "clips", "of", "hours", "MB", *licences]]
        for i, name in enumerate([*context.conditions, "all"]):
            clips = [c for c in self.chosen if name == "all" or c.condition == i]
            available = sum(self.available.values()) if name == "all" else self.available[i]
            hours, megabytes = sum(seconds_of(c.size) for c in clips) / 3600, sum(c.size for c in clips) / 1e6
            count = Counter(licence_name(c.clip.licence) for c in clips)
            figures = [len(clips), available, f"{hours:.2f}", f"{megabytes:.1f}", *(count[name] for name in licences)]
            rows.append([name, *map(str, figures)])
        first = max(len(name) for name, *_ in rows)
        table = ["  ".join([f"{name:<{first}}", *(f"{cell:>6}" for cell in cells)]) for name, *cells in rows]
        head = f"context {context.name}, {self.request.subset}: {len(self.chosen)} of {rows[-1][2]} clips"
        return "\n".join([head, *table, *left_out_lines(self.selection)])


def seconds_of(size: int) -> float:
    """Duration in seconds of an FSD50K clip of `size` bytes: 16-bit mono at 44.1 kHz with a header of 44 bytes.

    >>> seconds_of(44 + 2 * 44100 * 3)
    3.0
    """
    return max(0, size - 44) / 88_200


def plan_fetch(request: FetchRequest, index: Index, network: Network) -> FetchPlan:
    """Choose the clips: those of `index` that the request selects and that the hub has.

    Raises `CtxAudioError` where no clip is left or the hub can't be reached.
    """
    # Durations are known from the hub's sizes only; and the split to record is FSD50K's own.
    selection = select_clips(index, request.context, replace(request.options, min_seconds=0.0))
    own_split = {clip.clip_id: clip for clip in reversed(index.clips)}
    paths = [f"clips/{request.subset}/{clip.clip_id}.wav" for clip in selection.clips]
    commit, files = look_up(paths, network)
    left_out = list(selection.left_out)
    queues: dict[int, list[Candidate]] = {i: [] for i in range(len(selection.context.conditions))}
    for path, clip, condition in zip(paths, selection.clips, selection.conditions, strict=True):
        if path not in files:
            left_out.append(LeftOut(clip.clip_id, "not in the hub's copy"))
        elif seconds_of(files[path][0]) < request.options.min_seconds:
            left_out.append(LeftOut(clip.clip_id, f"shorter than {request.options.min_seconds:g} s"))
        else:
            url = f"{network.hub}/datasets/{REPOSITORY}/resolve/{commit}/{quote(path)}"
            queues[condition].append(Candidate(own_split[clip.clip_id], condition, url, *files[path]))
    queues = {i: in_order_of_preference(queue, request.seed) for i, queue in queues.items()}
    chosen = balanced(queues, request.max_clips)
    # moved and not_apart speak of the whole selection, not of what will be fetched
    selection = replace(selection, left_out=tuple(left_out), moved=0, not_apart=0)
    if not chosen:
        reasons = "; ".join(left_out_lines(selection)[1:])
        raise CtxAudioError(f"no clip of context {request.context.name!r} can be fetched: {reasons}")
    return FetchPlan(request, selection, tuple(chosen), {i: len(queue) for i, queue in queues.items()}, commit)


def look_up(paths: Sequence[str], network: Network) -> tuple[str, dict[str, tuple[int, str]]]:
    """The repository's latest commit, and bytes and sha256 there of those of `paths` that it has."""

    def about(answer: Any) -> dict[str, tuple[int, str]]:
        return {file["path"]: (file["size"], file["lfs"]["oid"]) for file in answer}

    api = f"{network.hub}/api/datasets/{REPOSITORY}"
    commit = network.ask("GET", api, lambda answer: str(answer["sha"]))
    found: dict[str, tuple[int, str]] = {}
    for start in range(0, len(paths), _FILES_A_REQUEST):
        asked = {"paths": paths[start : start + _FILES_A_REQUEST]}
        found |= network.ask("POST", f"{api}/paths-info/{commit}", about, data=asked)
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
