"""Choosing the clips of a context, and saying what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ctxaudio.contexts import VETOES_EVERYWHERE, Context
from ctxaudio.data.fsd50k import Clip, Index, LeftOut
from ctxaudio.errors import CtxAudioError

__all__ = ["LeftOut", "Selection", "count_by_condition", "count_selected", "select_clips", "selection_table"]

SPLITS = ("train", "val", "eval")
_REASONS_SHOWN = 12


@dataclass(frozen=True)
class Selection:
    """The clips of a context: `conditions[i]` is the index into `context.conditions` that `clips[i]` belongs to.

    `left_out` lists clips that were refused though they carry a label of the context, clips listed twice and
    unsafe file names; the many clips with no label of the context are only counted, in `without_condition`.
    """

    context: Context
    clips: tuple[Clip, ...]
    conditions: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    without_condition: int = 0


def select_clips(index: Index, context: Context) -> Selection:
    """The clips of `index` that belong to `context`.

    A clip belongs to the first of its labels (leaves come first) that is a condition of the context. It is
    refused where any of its labels is vetoed by the context or everywhere. A condition may end up without clips.

    Raises `CtxAudioError` where no clip is left, or none to train on (an index of the eval set needs none).
    """
    condition_of = {label: i for i, label in enumerate(context.conditions)}
    vetoes = frozenset((*context.vetoes, *VETOES_EVERYWHERE))
    clips, conditions, left_out, without_condition = [], [], list(index.left_out), 0
    seen: set[str] = set()
    for clip in index.clips:
        condition = next((condition_of[label] for label in clip.labels if label in condition_of), None)
        veto = next((label for label in clip.labels if label in vetoes), None)
        if clip.clip_id in seen:
            left_out.append(LeftOut(clip.clip_id, "listed twice: the first row counts"))
        elif condition is None:
            without_condition += 1
        elif veto is not None:
            left_out.append(LeftOut(clip.clip_id, f"vetoed by its label {veto}"))
        else:
            clips.append(clip)
            conditions.append(condition)
        seen.add(clip.clip_id)
    _check_enough(clips, context, len(index.clips))
    return Selection(context, tuple(clips), tuple(conditions), tuple(left_out), without_condition)


def _check_enough(clips: list[Clip], context: Context, looked_at: int) -> None:
    labels = ", ".join(context.conditions)
    if not clips:
        raise CtxAudioError(
            f"none of {looked_at} clips is usable for context {context.name!r}: looked for the labels {labels}"
        )
    if all(clip.split == "val" for clip in clips):
        raise CtxAudioError(
            f"context {context.name!r} has no clip in the split 'train' (all {len(clips)} are 'val'): "
            f"add train clips labelled {labels}"
        )


def count_by_condition(names: Iterable[str], pairs: Iterable[tuple[int, str]]) -> dict[str, dict[str, int]]:
    """Count (condition, split) `pairs` as {condition name: {split: count}}, with zeros for conditions without clips.

    >>> count_by_condition(["Rain", "Wind"], [(0, "train"), (0, "train"), (0, "val")])
    {'Rain': {'train': 2, 'val': 1}, 'Wind': {'train': 0, 'val': 0}}
    """
    counted = Counter(pairs)
    present = [split for split in SPLITS if any(split == found for _, found in counted)]
    return {name: {split: counted[i, split] for split in present} for i, name in enumerate(names)}


def count_selected(selection: Selection) -> dict[str, dict[str, int]]:
    """Selected clips as {condition name: {split: count}}, in the order of the context's conditions."""
    splits = (clip.split for clip in selection.clips)
    return count_by_condition(selection.context.conditions, zip(selection.conditions, splits, strict=True))


def selection_table(selection: Selection) -> str:
    """A text table of what was found per condition and split, and of what was left out and why."""
    counts = count_selected(selection)
    splits = list(next(iter(counts.values())))
    width = max(len(name) for name in counts)
    lines = [f"context {selection.context.name}: {len(selection.clips)} clips"]
    lines.append("  ".join([f"{'condition':<{width}}", *(f"{split:>6}" for split in splits)]))
    for name, by_split in counts.items():
        note = "" if any(by_split.values()) else "  (no clips)"
        lines.append("  ".join([f"{name:<{width}}", *(f"{by_split[split]:>6}" for split in splits)]) + note)
    lines.append(f"left out: {selection.without_condition} clips with none of these labels")
    reasons = Counter(left_out.reason for left_out in selection.left_out).most_common()
    lines += [f"left out: {count} {reason}" for reason, count in reasons[:_REASONS_SHOWN]]
    if len(reasons) > _REASONS_SHOWN:
        lines.append(f"left out: {sum(count for _, count in reasons[_REASONS_SHOWN:])} for other reasons")
    return "\n".join(lines)
