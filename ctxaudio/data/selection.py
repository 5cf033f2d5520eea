"""Choosing the clips of a context from the index of FSD50K, and saying what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ctxaudio.contexts import VETOES_EVERYWHERE, Context
from ctxaudio.data.fsd50k import LICENCES, Clip, Index, LeftOut, licence_name, read_ratings
from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Options, option

_REASONS_SHOWN = 12
#: Clips that are not what their labels say, and how that is known.
KNOWN_WRONG = {"121351": "beeps, though labelled Stream (MTG/freesound-datasets issue 200)"}


@dataclass(frozen=True)
class SelectionOptions(Options):
    """What a clip must be, beyond bearing a label of the context and none that is vetoed, and not being known wrong.

    By default clips on disk are used whatever their licence, for whoever put them there has chosen. A rating "present"
    keeps a clip only if every vote on its label said present and predominant.

    Raises `CtxAudioError` for a value that is none of these.
    """

    labels: tuple[str, ...] | None = option(None, "labels in place of the context's conditions", metavar="A,B")
    licences: tuple[str, ...] | None = option(
        None, f"only these of {', '.join(LICENCES)}", choices=LICENCES, metavar="A,B", flag="--licenses"
    )
    rating: Literal["present"] | None = option(
        None, "present: only where every annotator found the sound predominant", choices=("present",)
    )
    exclude: tuple[str, ...] = option((), "clips not to use, besides those known to be wrong", metavar="ID,ID")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("labels", "licences"):
            if getattr(self, name) == ():
                raise CtxAudioError(f"{name} is empty: name one at least, or leave it out")


@dataclass(frozen=True)
class Selection:
    """The clips of a context, each with its `condition`, an index into `context.conditions`.

    `left_out` lists clips that were refused though they carry a label of the context, clips listed twice and
    unsafe file names; the many clips with no label of the context are only counted, in `without_condition`, and so
    are those that lie in the ground truth but not on disk, in `not_fetched`. `moved` clips changed between train and
    val to keep uploaders apart; `not_apart` val clips share an uploader with train clips all the same.
    """

    context: Context
    clips: tuple[Clip, ...]
    left_out: tuple[LeftOut, ...] = ()
    without_condition: int = 0
    not_fetched: int = 0
    moved: int = 0
    not_apart: int = 0


def select_clips(index: Index, context: Context, options: SelectionOptions | None = None) -> Selection:
    """The clips of `index` that belong to `context` and are as `options` say.

    A clip belongs to the first of its labels (leaves come first) that is a condition of the context. It is refused
    where any of its labels is vetoed by the context or everywhere. A condition may end up without clips. A context of
    several takes every clip that one of its parts would take, for the condition it has there; of several, for the one
    that comes first among the clip's labels.

    Raises `CtxAudioError` where no clip is left, or none to train on (an index of the eval set needs none), and for a
    label of the options that the vocabulary lacks (an empty one lacks nothing) or the context vetoes.
    """
    options = options or SelectionOptions()
    if options.labels is not None:
        context = _with_labels(context, options.labels, index)
    ratings = read_ratings(index) if options.rating is not None else None
    chosen, left_out, seen = list[Clip](), list(index.left_out), set[str]()
    without_condition = not_fetched = 0
    for clip in index.clips:
        label, reason = _placed(clip, context.parts or (context,))
        if clip.clip_id in seen:
            left_out.append(LeftOut(clip.clip_id, "listed twice: the first row counts"))
        elif not label:
            without_condition += 1
        elif reason := reason or _refusal(clip, label, options, index, ratings):
            left_out.append(LeftOut(clip.clip_id, reason))
        elif index.on_disk and not clip.path.is_file():
            not_fetched += 1
        else:
            chosen.append(replace(clip, condition=context.conditions.index(label)))
        seen.add(clip.clip_id)
    about, labels = f"context {context.name!r}", ", ".join(context.conditions)
    if not chosen and not_fetched:
        brings = f"`ctxaudio fetch --context {context.name}` brings some"
        raise CtxAudioError(f"none of the {not_fetched} clips of {about} is in {index.folder}: {brings}")
    if not chosen:
        raise CtxAudioError(f"none of {len(index.clips)} clips is usable for {about}: looked for the labels {labels}")
    if all(clip.split == "val" for clip in chosen):
        mend = f"add train clips labelled {labels}"
        raise CtxAudioError(f"{about} has no clip in the split 'train' (all {len(chosen)} are 'val'): {mend}")
    clips = keep_uploaders_apart(chosen)
    trained_on = {clip.uploader for clip in clips if clip.uploader and clip.split == "train"}
    moved = sum(after.split != before.split for after, before in zip(clips, chosen, strict=True))
    not_apart = sum(clip.split == "val" and clip.uploader in trained_on for clip in clips)
    return Selection(context, clips, tuple(left_out), without_condition, not_fetched, moved, not_apart)


def _with_labels(context: Context, labels: Sequence[str], index: Index) -> Context:
    if unknown := [label for label in labels if index.vocabulary and label not in index.vocabulary]:
        raise CtxAudioError(f"label {', '.join(unknown)} is not in FSD50K's vocabulary.csv; labels are like Rain")
    if vetoed := [label for label in labels if label in (*context.vetoes, *VETOES_EVERYWHERE)]:
        raise CtxAudioError(f"label {', '.join(vetoed)} is kept out of context {context.name!r}: choose another")
    return replace(context, conditions=tuple(dict.fromkeys(labels)), parts=())


def _placed(clip: Clip, parts: Sequence[Context]) -> tuple[str, str]:
    """The condition of the clip (empty: none), and why it is refused (empty: it is not)."""
    verdicts = []
    for part in parts:
        veto = next((label for label in clip.labels if label in (*part.vetoes, *VETOES_EVERYWHERE)), None)
        if label := next((label for label in clip.labels if label in part.conditions), None):
            verdicts.append((label, f"vetoed by its label {veto}" if veto else ""))
    return min(verdicts, key=lambda one: (bool(one[1]), clip.labels.index(one[0])), default=("", ""))


def _refusal(
    clip: Clip, label: str, options: SelectionOptions, index: Index, ratings: dict[str, dict[str, list[float]]] | None
) -> str:
    """Why the clip is refused though its labels are fine (empty: it is not)."""
    if clip.clip_id in KNOWN_WRONG:
        return f"known wrong: {KNOWN_WRONG[clip.clip_id]}"
    if clip.clip_id in options.exclude:
        return "excluded by --exclude"
    if options.licences is not None and (licence := licence_name(clip.licence)) not in options.licences:
        return f"licence {licence}"
    if ratings is not None:
        # A parent has votes only on its children, which stand before it.
        given, children = ratings.get(clip.clip_id, {}), clip.labels[: clip.labels.index(label)]
        of_children = [vote for child in children for vote in given.get(index.vocabulary[child], [])]
        votes = given.get(index.vocabulary[label]) or of_children
        if not votes or any(vote != 1.0 for vote in votes):
            return "not rated as present and predominant by all"
    return ""


def keep_uploaders_apart(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Move all clips of an uploader with clips in both train and val to the side where more of them lie (ties: train).

    Clips of one uploader often come from one place, day and microphone, so a model that knows one knows the other;
    FSD50K keeps uploaders apart between dev and eval (Fonseca et al. 2022, arXiv:2010.00475). Where it would leave a
    condition with no clip on one side, the uploader's clips of that condition stay as they are. Clips without an
    uploader, and of eval, stay.
    """
    count = Counter((clip.uploader, clip.split) for clip in clips if clip.uploader)
    on_both = {name for name, split in count if split == "train" and (name, "val") in count}
    side = {name: "train" if count[name, "train"] >= count[name, "val"] else "val" for name in on_both}
    moved = [replace(clip, split=side.get(clip.uploader, clip.split)) for clip in clips]
    before, after = ({(clip.condition, clip.split) for clip in those} for those in (clips, moved))
    emptied = {condition for condition, _ in before - after}
    return tuple(old if old.condition in emptied else new for old, new in zip(clips, moved, strict=True))


def count_by_condition(names: Sequence[str], clips: Sequence[Clip]) -> dict[str, dict[str, int]]:
    """Clips as {condition name: {split: count}}, with zeros for conditions without clips."""
    counted = Counter((clip.condition, clip.split) for clip in clips)
    splits = [split for split in ("train", "val", "eval") if any(clip.split == split for clip in clips)]
    return {name: {split: counted[i, split] for split in splits} for i, name in enumerate(names)}


def selection_table(selection: Selection) -> str:
    """A text table of what was found per condition and split, and of what was left out and why."""
    counts = count_by_condition(selection.context.conditions, selection.clips)
    rows = [("condition", *next(iter(counts.values()))), *((name, *found.values()) for name, found in counts.items())]
    head = f"context {selection.context.name}: {len(selection.clips)} clips"
    return "\n".join([head, *text_table(rows), *left_out_lines(selection)])


def text_table(rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a table whose first column stands left and whose others stand right."""
    width = max(len(str(name)) for name, *_ in rows)
    return ["  ".join([f"{name!s:<{width}}", *(f"{cell!s:>6}" for cell in cells)]) for name, *cells in rows]


def left_out_lines(selection: Selection) -> list[str]:
    """What was moved, left out and not found, counted by reason, a line each."""
    reasons = Counter(left_out.reason for left_out in selection.left_out).most_common()
    others = sum(count for _, count in reasons[_REASONS_SHOWN:])
    lines = {
        f"moved between train and val: {selection.moved}, so that no uploader is on both sides": selection.moved,
        f"not independent of train: {selection.not_apart} val clips by uploaders of train clips": selection.not_apart,
        f"left out: {selection.without_condition} clips with none of these labels": True,
        f"not on disk: {selection.not_fetched} more clips (ctxaudio fetch brings them)": selection.not_fetched,
        **{f"left out: {count} {reason}": count for reason, count in reasons[:_REASONS_SHOWN]},
        f"left out: {others} for other reasons": others,
    }
    return [line for line, said in lines.items() if said]
