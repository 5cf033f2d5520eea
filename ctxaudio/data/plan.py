"""Which clips to fetch: balanced over the conditions, from many uploaders, the same for the same seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from ctxaudio.contexts import Context
from ctxaudio.data.fsd50k import Clip, Index, LeftOut, Subset
from ctxaudio.data.hub import Hub, hub_path
from ctxaudio.data.licences import DEFAULT_LICENCES, LICENCES, licence_name
from ctxaudio.data.manifest import Manifest
from ctxaudio.data.options import SelectionOptions
from ctxaudio.data.selection import Selection, left_out_lines, select_clips
from ctxaudio.errors import CtxAudioError

HEADER_BYTES = 44
BYTES_PER_SECOND = 88_200  # 16-bit mono at 44.1 kHz
FETCH_OPTIONS = SelectionOptions(licences=DEFAULT_LICENCES)


@dataclass(frozen=True)
class FetchRequest:
    """What is to be fetched where: at most `max_clips` (None: all) clips of `context` from `subset`."""

    data_dir: Path
    context: Context
    options: SelectionOptions = FETCH_OPTIONS
    subset: Subset = "dev"
    max_clips: int | None = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_clips is not None and self.max_clips < 1:
            raise CtxAudioError(f"max_clips {self.max_clips} must be at least 1")


@dataclass(frozen=True)
class Candidate:
    """A clip that could be fetched: its condition (an index), and bytes and sha256 (hex) of the file."""

    clip: Clip
    condition: int
    size: int
    sha256: str

    @property
    def seconds(self) -> float:
        """Duration in seconds, from the size."""
        return seconds_of(self.size)


def seconds_of(size: int) -> float:
    """Duration in seconds of an FSD50K clip of `size` bytes: 16-bit mono at 44.1 kHz with a header of 44 bytes.

    >>> seconds_of(44 + 2 * 44100 * 3)
    3.0
    """
    return max(0, size - HEADER_BYTES) / BYTES_PER_SECOND


@dataclass(frozen=True)
class FetchPlan:
    """The clips `chosen`, and by condition all that could be (`queues`, best first) should one of them be bad.

    `selection` says what was left out before; its conditions are those of the request's labels.
    """

    request: FetchRequest
    selection: Selection
    queues: Mapping[int, tuple[Candidate, ...]]
    chosen: tuple[Candidate, ...]

    def __str__(self) -> str:
        """Counts, hours, bytes and licences per condition, and what was left out, as a table."""
        context, available = self.selection.context, [c for queue in self.queues.values() for c in queue]
        head = f"context {context.name}, {self.request.subset}: {len(self.chosen)} of {len(available)} clips"
        table = plan_table(self.chosen, available, context.conditions)
        return "\n".join([head, table, *left_out_lines(self.selection)])


def plan_fetch(request: FetchRequest, index: Index, hub: Hub, manifest: Manifest) -> FetchPlan:
    """Choose the clips: those of `index` that the request selects, that `hub` has and that were not set aside before.

    Raises `CtxAudioError` where no clip is left or the hub can't be reached.
    """
    # Durations are known from the hub's sizes only; and the split to record is FSD50K's own.
    selection = select_clips(index, request.context, replace(request.options, min_seconds=0.0))
    own_split = {clip.clip_id: clip for clip in reversed(index.clips)}
    files = hub.look_up([hub_path(clip.clip_id, request.subset) for clip in selection.clips])
    queues: dict[int, list[Candidate]] = {i: [] for i in range(len(selection.context.conditions))}
    left_out = list(selection.left_out)
    for clip, condition in zip(selection.clips, selection.conditions, strict=True):
        file = files.get(hub_path(clip.clip_id, request.subset))
        aside = manifest.set_aside.get((request.subset, clip.clip_id))
        if file is None:
            left_out.append(LeftOut(clip.clip_id, "not in the hub's copy"))
            continue
        candidate = Candidate(own_split[clip.clip_id], condition, file.size, file.sha256)
        if aside is not None and aside.sha256 == file.sha256:
            left_out.append(LeftOut(clip.clip_id, "set aside by an earlier fetch"))
        elif candidate.seconds < request.options.min_seconds:
            left_out.append(LeftOut(clip.clip_id, f"shorter than {request.options.min_seconds:g} s"))
        else:
            queues[condition].append(candidate)
    ordered = {i: tuple(in_order_of_preference(queue, request.seed)) for i, queue in queues.items()}
    chosen = tuple(balanced(ordered, request.max_clips))
    if not chosen:
        reasons = "; ".join(left_out_lines(replace(selection, left_out=tuple(left_out)))[1:])
        raise CtxAudioError(f"no clip of context {request.context.name!r} can be fetched: {reasons}")
    # moved and not_apart speak of the whole selection, not of what will be fetched
    selection = replace(selection, left_out=tuple(left_out), moved=0, not_apart=0)
    return FetchPlan(request, selection, ordered, chosen)


def in_order_of_preference(candidates: Sequence[Candidate], seed: int) -> list[Candidate]:
    """The candidates of one condition, best first: one of each uploader before the second of any.

    Equals are in an order drawn by `seed` from the clip's id alone, so that a longer list begins with the shorter
    one. Train and val clips alternate such that every beginning holds val's share of the whole, rounded down.
    """
    drawn = sorted(candidates, key=lambda c: hashlib.sha256(f"{seed} {c.clip.clip_id}".encode()).digest())
    seen: Counter[str] = Counter()
    turn = []
    for candidate in drawn:
        uploader = candidate.clip.uploader or candidate.clip.clip_id
        turn.append(seen[uploader])
        seen[uploader] += 1
    ranked = [candidate for _, candidate in sorted(zip(turn, drawn, strict=True), key=lambda pair: pair[0])]
    val = [candidate for candidate in ranked if candidate.clip.split == "val"]
    rest = iter([candidate for candidate in ranked if candidate.clip.split != "val"])
    ordered: list[Candidate] = []
    taken = 0
    for place in range(1, len(ranked) + 1):
        if place * len(val) // len(ranked) > taken:
            ordered.append(val[taken])
            taken += 1
        else:
            ordered.append(next(rest))
    return ordered


def balanced(queues: Mapping[int, Sequence[Candidate]], max_clips: int | None) -> list[Candidate]:
    """Up to `max_clips` (None: all) candidates, one of each condition in turn, from the fronts of the queues.

    No condition that has more to give gets fewer than another.
    """
    turns = zip_longest(*(queues[condition] for condition in sorted(queues)))
    return [candidate for turn in turns for candidate in turn if candidate is not None][:max_clips]


def plan_table(plan: Sequence[Candidate], available: Sequence[Candidate], condition_names: Sequence[str]) -> str:
    """Clips, hours, bytes and licences of a plan per condition, and how many there would be, as text."""
    names = [licence_name(candidate.clip.licence) for candidate in plan]
    licences = [name for name in LICENCES if name in names]
    width = max(map(len, (*condition_names, "condition")))
    head = ["clips", "of", "hours", "MB", *licences]
    lines = ["  ".join([f"{'condition':<{width}}", *(f"{title:>{max(6, len(title))}}" for title in head)])]
    for i, name in enumerate([*condition_names, "all"]):
        mine = [c for c in plan if c.condition == i or i == len(condition_names)]
        total = sum(c.condition == i or i == len(condition_names) for c in available)
        by_licence = Counter(licence_name(c.clip.licence) for c in mine)
        cells = [
            str(len(mine)),
            str(total),
            f"{sum(c.seconds for c in mine) / 3600:.2f}",
            f"{sum(c.size for c in mine) / 1e6:.1f}",
            *(str(by_licence[licence]) for licence in licences),
        ]
        columns = zip(cells, head, strict=True)
        lines.append("  ".join([f"{name:<{width}}", *(f"{cell:>{max(6, len(title))}}" for cell, title in columns)]))
    return "\n".join(lines)
