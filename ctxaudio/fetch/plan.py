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
from ctxaudio.data.licences import DEFAULT_LICENCES, LICENCES, licence_name
from ctxaudio.data.options import SelectionOptions
from ctxaudio.data.selection import Selection, left_out_lines, select_clips
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.credits import Manifest, seconds_of
from ctxaudio.fetch.hub import Hub, hub_path

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
        context, available = self.selection.context, sum(map(len, self.queues.values()))
        head = f"context {context.name}, {self.request.subset}: {len(self.chosen)} of {available} clips"
        return "\n".join([head, *self._table(), *left_out_lines(self.selection)])

    def _table(self) -> list[str]:
        conditions = self.selection.context.conditions
        taken = Counter(licence_name(c.clip.licence) for c in self.chosen)
        licences = [name for name in LICENCES if taken[name]]
        rows = [["condition", "clips", "of", "hours", "MB", *licences]]
        for i, name in enumerate([*conditions, "all"]):
            clips = [c for c in self.chosen if c.condition == i or name == "all"]
            available = sum(len(queue) for condition, queue in self.queues.items() if condition == i or name == "all")
            hours, megabytes = sum(seconds_of(c.size) for c in clips) / 3600, sum(c.size for c in clips) / 1e6
            count = Counter(licence_name(c.clip.licence) for c in clips)
            figures = [str(len(clips)), str(available), f"{hours:.2f}", f"{megabytes:.1f}"]
            rows.append([name, *figures, *(str(count[licence]) for licence in licences)])
        widths = [max(6, len(title)) for title in rows[0][1:]]
        first = max(len(row[0]) for row in rows)
        return [
            "  ".join([f"{name:<{first}}", *(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))])
            for name, *cells in rows
        ]


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
        aside = manifest.set_aside.get((request.subset, clip.clip_id), {})
        if file is None:
            left_out.append(LeftOut(clip.clip_id, "not in the hub's copy"))
        elif aside.get("sha256") == file.sha256:
            left_out.append(LeftOut(clip.clip_id, "set aside by an earlier fetch"))
        elif seconds_of(file.size) < request.options.min_seconds:
            left_out.append(LeftOut(clip.clip_id, f"shorter than {request.options.min_seconds:g} s"))
        else:
            queues[condition].append(Candidate(own_split[clip.clip_id], condition, file.size, file.sha256))
    ordered = {i: tuple(in_order_of_preference(queue, request.seed)) for i, queue in queues.items()}
    chosen = tuple(balanced(ordered, request.max_clips))
    # moved and not_apart speak of the whole selection, not of what will be fetched
    selection = replace(selection, left_out=tuple(left_out), moved=0, not_apart=0)
    if not chosen:
        reasons = "; ".join(left_out_lines(selection)[1:])
        raise CtxAudioError(f"no clip of context {request.context.name!r} can be fetched: {reasons}")
    return FetchPlan(request, selection, ordered, chosen)


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
