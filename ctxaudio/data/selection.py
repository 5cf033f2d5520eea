"""Choosing the clips of a context, and saying what was left out and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import soundfile

from ctxaudio.contexts import VETOES_EVERYWHERE, Context
from ctxaudio.data.fsd50k import Clip, Index, LeftOut, check_licences, licence_name, read_ratings
from ctxaudio.errors import CtxAudioError

SPLITS = ("train", "val", "eval")
PREDOMINANT = 1.0
_REASONS_SHOWN = 12


#: Clips that are not what their labels say, and how that is known.
KNOWN_WRONG: Mapping[str, str] = MappingProxyType(
    {"121351": "beeps, though labelled Stream (MTG/freesound-datasets issue 200)"}
)


@dataclass(frozen=True)
class SelectionOptions:
    """What a clip must be, beyond bearing a label of the context and none that is vetoed.

    labels: the conditions, in place of the context's own (None: those); any labels of the vocabulary.
    licences: short names as in `LICENCES` (None: all). `fetch` asks for cc0 and cc-by; clips that are on disk
        already are all used unless you ask, for whoever put them there has chosen.
    min_seconds: shortest duration in seconds.
    rating: "present" keeps a clip only if every vote on its label said present and predominant.
    exclude: ids of clips not to use; known wrong ones by default.

    Raises `CtxAudioError` for a value that is none of these.
    """

    labels: tuple[str, ...] | None = None
    licences: tuple[str, ...] | None = None
    min_seconds: float = 0.0
    rating: Literal["present"] | None = None
    exclude: tuple[str, ...] = tuple(KNOWN_WRONG)

    def __post_init__(self) -> None:
        if self.licences is not None:
            object.__setattr__(self, "licences", check_licences(self.licences))
        if self.labels is not None:
            object.__setattr__(self, "labels", tuple(dict.fromkeys(self.labels)))
            if not self.labels:
                raise CtxAudioError("labels is empty: name one at least, or leave it out for the context's own")
        if not (0.0 <= self.min_seconds < math.inf):
            raise CtxAudioError(f"min_seconds {self.min_seconds:g} must not be negative")
        if self.rating not in (None, "present"):
            raise CtxAudioError(f"rating {self.rating!r} is not 'present', the only one there is")


def wanted_context(context: Context, labels: tuple[str, ...] | None, vocabulary: Mapping[str, str]) -> Context:
    """`context` with `labels` as its conditions (None: as it is).

    In a context of several a label stays with the parts that have it; one that none has goes to all that don't veto it.

    Raises `CtxAudioError` for a label that is not in `vocabulary` (empty: not checked) or that the context vetoes.
    """
    if labels is None:
        return context
    unknown = [label for label in labels if vocabulary and label not in vocabulary]
    if unknown:
        raise CtxAudioError(f"label {', '.join(unknown)} is not in FSD50K's vocabulary.csv; labels are like Rain")
    parts = tuple(
        replace(part, conditions=tuple(label for label in labels if _takes(part, label, context)))
        for part in context.parts or (context,)
    )
    taken = {label for part in parts for label in part.conditions} - set(VETOES_EVERYWHERE)
    if vetoed := [label for label in labels if label not in taken]:
        raise CtxAudioError(f"label {', '.join(vetoed)} is kept out of context {context.name!r}: choose another")
    return replace(context, conditions=labels, parts=parts if context.parts else ())


def _takes(part: Context, label: str, whole: Context) -> bool:
    return label in part.conditions if label in whole.conditions else label not in part.vetoes


def excluded_because(clip_id: str) -> str:
    """Why a clip in `SelectionOptions.exclude` is not used."""
    return f"known wrong: {KNOWN_WRONG[clip_id]}" if clip_id in KNOWN_WRONG else "excluded by --exclude"


@dataclass(frozen=True)
class Selection:
    """The clips of a context: `conditions[i]` is the index into `context.conditions` that `clips[i]` belongs to.

    `left_out` lists clips that were refused though they carry a label of the context, clips listed twice and
    unsafe file names; the many clips with no label of the context are only counted, in `without_condition`, and so
    are those that lie in the ground truth but not on disk, in `not_fetched`. `moved` clips changed between train and
    val to keep uploaders apart; `not_apart` val clips share an uploader with train clips all the same.
    """

    context: Context
    clips: tuple[Clip, ...]
    conditions: tuple[int, ...]
    left_out: tuple[LeftOut, ...]
    without_condition: int = 0
    not_fetched: int = 0
    moved: int = 0
    not_apart: int = 0


def select_clips(index: Index, context: Context, options: SelectionOptions | None = None) -> Selection:
    """The clips of `index` that belong to `context` and are as `options` say (None: the defaults, no licence refused).

    A clip belongs to the first of its labels (leaves come first) that is a condition of the context. It is
    refused where any of its labels is vetoed by the context or everywhere. A condition may end up without clips.
    A context of several takes every clip that one of its parts would take, for the condition it has there; of
    several, for the one that comes first among the clip's labels.
    An uploader with clips in both train and val has them moved to one side, see `keep_uploaders_apart`.
    Where `index.on_disk` is known, only clips on disk are taken.

    Raises `CtxAudioError` where no clip is left, or none to train on (an index of the eval set needs none).
    """
    options = options or SelectionOptions()
    context = wanted_context(context, options.labels, index.vocabulary)
    condition_of = {label: i for i, label in enumerate(context.conditions)}
    ratings = _ratings(index) if options.rating is not None else {}
    parts = [_Part(part, options, index.vocabulary, ratings) for part in context.parts or (context,)]
    clips, conditions, left_out = [], [], list(index.left_out)
    without_condition = not_fetched = 0
    seen: set[str] = set()
    for clip in index.clips:
        label, refused = _placed(clip, parts)
        if clip.clip_id in seen:
            left_out.append(LeftOut(clip.clip_id, "listed twice: the first row counts"))
        elif not label:
            without_condition += 1
        elif refused:
            left_out.append(LeftOut(clip.clip_id, refused))
        elif index.on_disk is not None and clip.clip_id not in index.on_disk:
            not_fetched += 1
        elif reason := _too_short(clip, options.min_seconds):
            left_out.append(LeftOut(clip.clip_id, reason))
        else:
            clips.append(clip)
            conditions.append(condition_of[label])
        seen.add(clip.clip_id)
    _check_enough(clips, context, index, not_fetched)
    apart = keep_uploaders_apart(clips, conditions)
    return Selection(
        context=context,
        clips=apart.clips,
        conditions=tuple(conditions),
        left_out=tuple(left_out),
        without_condition=without_condition,
        not_fetched=not_fetched,
        moved=apart.moved,
        not_apart=apart.not_apart,
    )


Ratings = Mapping[str, Mapping[str, Sequence[float]]]


def _ratings(index: Index) -> Ratings:
    if index.folder is None or not index.vocabulary:
        raise CtxAudioError("ratings go by AudioSet ids: FSD50K.ground_truth/vocabulary.csv is needed for them")
    return read_ratings(index.folder)


def _placed(clip: Clip, parts: Sequence[_Part]) -> tuple[str, str]:
    """The condition of the clip (empty: none), and why it is refused (empty: it is not)."""
    verdicts = [(label, part.refusal(clip, label)) for part in parts if (label := part.condition_of(clip))]
    return min(verdicts, key=lambda one: (bool(one[1]), clip.labels.index(one[0])), default=("", ""))


def _too_short(clip: Clip, min_seconds: float) -> str:
    if min_seconds <= 0.0:
        return ""
    try:
        seconds = float(soundfile.info(clip.path).duration)
    except (OSError, soundfile.SoundFileError):
        return ""  # preparing says what is wrong with it
    return f"shorter than {min_seconds:g} s" if seconds < min_seconds else ""


class _Part:
    """Which condition of one context a clip has, and why it is not taken all the same."""

    def __init__(
        self, context: Context, options: SelectionOptions, vocabulary: Mapping[str, str], ratings: Ratings
    ) -> None:
        self.conditions = frozenset(context.conditions)
        self.vetoes = frozenset((*context.vetoes, *VETOES_EVERYWHERE))
        self.options = options
        self.excluded = frozenset(options.exclude)
        self.vocabulary = vocabulary
        self.ratings = ratings

    def condition_of(self, clip: Clip) -> str:
        return next((label for label in clip.labels if label in self.conditions), "")

    def refusal(self, clip: Clip, label: str) -> str:
        veto = next((label for label in clip.labels if label in self.vetoes), None)
        if veto is not None:
            return f"vetoed by its label {veto}"
        if clip.clip_id in self.excluded:
            return excluded_because(clip.clip_id)
        if self.options.licences is not None and (licence := licence_name(clip.licence)) not in self.options.licences:
            return f"licence {licence}"
        if self.options.rating is not None and not self._is_predominant(clip, label):
            return "not rated as present and predominant by all"
        return ""

    def _is_predominant(self, clip: Clip, label: str) -> bool:
        """Whether all votes on `label` are 1; a parent has votes only on its children, which stand before it."""
        given = self.ratings.get(clip.clip_id, {})
        votes = given.get(self.vocabulary[label], [])
        if not votes:
            children = clip.labels[: clip.labels.index(label)]
            votes = [vote for child in children for vote in given.get(self.vocabulary[child], [])]
        return bool(votes) and all(vote == PREDOMINANT for vote in votes)


def _check_enough(clips: Sequence[Clip], context: Context, index: Index, not_fetched: int) -> None:
    labels = ", ".join(context.conditions)
    if not clips and not_fetched:
        raise CtxAudioError(
            f"none of the {not_fetched} clips of context {context.name!r} is in {index.folder}: "
            f"`ctxaudio fetch --context {context.name}` brings some"
        )
    if not clips:
        raise CtxAudioError(
            f"none of {len(index.clips)} clips is usable for context {context.name!r}: looked for the labels {labels}"
        )
    if all(clip.split == "val" for clip in clips):
        raise CtxAudioError(
            f"context {context.name!r} has no clip in the split 'train' (all {len(clips)} are 'val'): "
            f"add train clips labelled {labels}"
        )


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
    return "\n".join([*lines, *left_out_lines(selection)])


def left_out_lines(selection: Selection) -> list[str]:
    """What was moved, left out and not found, counted by reason, a line each."""
    lines = []
    if selection.moved:
        lines.append(f"moved between train and val: {selection.moved}, so that no uploader is on both sides")
    if selection.not_apart:
        lines.append(f"not independent of train: {selection.not_apart} val clips by uploaders of train clips")
    lines.append(f"left out: {selection.without_condition} clips with none of these labels")
    if selection.not_fetched:
        lines.append(f"not on disk: {selection.not_fetched} more clips (ctxaudio fetch brings them)")
    reasons = Counter(left_out.reason for left_out in selection.left_out).most_common()
    lines += [f"left out: {count} {reason}" for reason, count in reasons[:_REASONS_SHOWN]]
    if len(reasons) > _REASONS_SHOWN:
        lines.append(f"left out: {sum(count for _, count in reasons[_REASONS_SHOWN:])} for other reasons")
    return lines
