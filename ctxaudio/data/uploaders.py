"""Keeping an uploader's clips on one side: who recorded a validation clip should not have recorded training clips.

Clips of one uploader often come from one place, day and microphone, so a model that knows one knows the other.
FSD50K itself keeps uploaders apart between dev and eval (Fonseca et al. 2022, arXiv:2010.00475).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ctxaudio.data.fsd50k import Clip


@dataclass(frozen=True)
class Separated:
    """Clips with their uploaders kept apart: how many were moved, and how many val clips could not be separated."""

    clips: tuple[Clip, ...]
    moved: int
    not_apart: int


def keep_uploaders_apart(clips: Sequence[Clip], conditions: Sequence[int]) -> Separated:
    """Move all clips of an uploader with clips in both train and val to the side where more of them lie (ties: train).

    Where that would leave a condition with no clip on one side, the uploader's clips of that condition stay as they
    are, and those of them in val are counted in `not_apart`. Clips without an uploader, and of eval, stay.
    `conditions[i]` is the condition of `clips[i]`.
    """
    count = Counter((clip.uploader, clip.split) for clip in clips if clip.uploader)
    on_both = {name for name, split in count if split == "train" and (name, "val") in count}
    side = {name: "train" if count[name, "train"] >= count[name, "val"] else "val" for name in on_both}
    wanted = [side.get(clip.uploader, clip.split) for clip in clips]
    before = {(condition, clip.split) for clip, condition in zip(clips, conditions, strict=True)}
    after = set(zip(conditions, wanted, strict=True))
    emptied = {condition for condition, _ in before - after}
    splits = [
        clip.split if condition in emptied else split
        for clip, condition, split in zip(clips, conditions, wanted, strict=True)
    ]
    kept = tuple(
        clip if clip.split == split else replace(clip, split=split) for clip, split in zip(clips, splits, strict=True)
    )
    moved = sum(clip.split != split for clip, split in zip(clips, splits, strict=True))
    trained_on = {clip.uploader for clip in kept if clip.uploader and clip.split == "train"}
    return Separated(kept, moved, sum(clip.split == "val" and clip.uploader in trained_on for clip in kept))
