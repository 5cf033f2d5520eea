"""Choosing the clips of a context, from the index of FSD50K or a folder of your own, and saying what was left out.

A folder of your own has either one sub-folder a condition, which gives it its name, or all files in itself: then it is
the only condition. What lies deeper belongs to the sub-folder at the top.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from ctxaudio.contexts import VETOES_EVERYWHERE, Context
from ctxaudio.data.fsd50k import LICENCES, Clip, Index, Ratings, licence_name, read_ratings
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.options import Options, option
from ctxaudio.signal.audio import AudioReader

_REASONS_SHOWN = 12
#: Clips that are not what their labels say, and how that is known.
KNOWN_WRONG = {"121351": "known wrong: beeps, though labelled Stream (MTG/freesound-datasets issue 200)"}
LONGEST_CLIP_S, VALIDATION_SHARE = 30.0, 5  # of your own sound: as in FSD50K; one file in so many
# A condition names files (sleep_01_CONDITION.wav) on every system, and stands between semicolons in their metadata.
_SAFE_NAME, _LONGEST_NAME_BYTES = re.compile(r"(?=.{1,80}$)[\w(][\w &()'+,.-]*(?<![ .])"), 160


@dataclass(frozen=True)
class SelectionOptions(Options):
    """What a clip must be, beyond bearing a label of the context and none that is vetoed, and not being known wrong. By
    default clips on disk are used whatever their licence, for whoever put them there has chosen."""

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

    `left_out` lists clips that were refused though they carry a label of the context, clips listed twice, unsafe file
    names and files that are no audio; clips with no label of the context, and clips that are not on disk, are only
    counted. `moved` clips changed between train and val, `not_apart` val clips share an uploader with train clips.
    """

    context: Context
    clips: tuple[Clip, ...]
    left_out: tuple[Clip, ...] = ()
    without_condition: int = 0
    not_fetched: int = 0
    moved: int = 0
    not_apart: int = 0


def select_clips(index: Index, context: Context, options: SelectionOptions | None = None) -> Selection:
    """The clips of `index` that belong to `context` and are as `options` say.

    A clip belongs to the first of its labels (leaves come first) that is a condition of the context, and is refused
    where any of its labels is vetoed by the context or everywhere. A context of several takes every clip that one of
    its parts would take, for the condition that comes first among the clip's labels. Raises `CtxAudioError` where no
    clip is left, or none to train on, and for a label of the options that the vocabulary lacks or the context vetoes.
    """
    options = options or SelectionOptions()
    if options.labels is not None:
        if unknown := [label for label in options.labels if index.vocabulary and label not in index.vocabulary]:
            raise CtxAudioError(f"label {', '.join(unknown)} is not in FSD50K's vocabulary.csv; labels are like Rain")
        if vetoed := [label for label in options.labels if label in (*context.vetoes, *VETOES_EVERYWHERE)]:
            raise CtxAudioError(f"label {', '.join(vetoed)} is kept out of context {context.name!r}: choose another")
        context = replace(context, conditions=tuple(dict.fromkeys(options.labels)), parts=())
    ratings = read_ratings(index) if options.rating is not None else None
    chosen, left_out = list[Clip](), list[Clip]()
    without_condition = not_fetched = 0
    unwanted = dict.fromkeys(options.exclude, "excluded by --exclude") | KNOWN_WRONG
    for clip in index.clips:
        label, veto = _placed(clip, context.parts or (context,))
        reason = clip.reason or (f"vetoed by its label {veto}" if veto else unwanted.get(clip.clip_id, ""))
        if not reason and options.licences and (licence := licence_name(clip.licence)) not in options.licences:
            reason = f"licence {licence}"
        if label and not reason and ratings is not None and not _predominant(clip, label, ratings, index):
            reason = "not rated as present and predominant by all"
        if not label and not clip.reason:
            without_condition += 1
        elif reason:
            left_out.append(replace(clip, reason=reason))
        elif index.on_disk and not clip.path.is_file():
            not_fetched += 1
        else:
            chosen.append(replace(clip, condition=context.conditions.index(label)))
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


def _placed(clip: Clip, parts: Sequence[Context]) -> tuple[str, str]:
    """The label that is the condition of the clip, and the one that vetoes it; empty for none."""
    verdicts = []
    for part in parts:
        veto = next((label for label in clip.labels if label in (*part.vetoes, *VETOES_EVERYWHERE)), "")
        if label := next((label for label in clip.labels if label in part.conditions), ""):
            verdicts.append((label, veto))
    return min(verdicts, key=lambda one: (bool(one[1]), clip.labels.index(one[0])), default=("", ""))


def _predominant(clip: Clip, label: str, ratings: Ratings, index: Index) -> bool:
    """Whether every vote on the clip's label said present and predominant; a parent has votes only on its children,
    which stand before it."""
    given, children = ratings.get(clip.clip_id, {}), clip.labels[: clip.labels.index(label)]
    of_children = [vote for child in children for vote in given.get(index.vocabulary[child], [])]
    votes = given.get(index.vocabulary[label]) or of_children
    return bool(votes) and all(vote == 1.0 for vote in votes)


def keep_uploaders_apart(clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """Move all clips of an uploader with clips in both train and val to the side where more of them lie (ties: train).

    Clips of one uploader often come from one place, day and microphone, so a model that knows one knows the other;
    FSD50K keeps uploaders apart between dev and eval. Where it would leave a condition with no clip on one side, the
    uploader's clips of that condition stay as they are, and so do clips without an uploader.
    """
    count = Counter((clip.uploader, clip.split) for clip in clips if clip.uploader)
    on_both = {name for name, split in count if split == "train" and (name, "val") in count}
    side = {name: "train" if count[name, "train"] >= count[name, "val"] else "val" for name in on_both}
    moved = [replace(clip, split=side.get(clip.uploader, clip.split)) for clip in clips]
    before, after = ({(clip.condition, clip.split) for clip in those} for those in (clips, moved))
    emptied = {condition for condition, _ in before - after}
    return tuple(old if old.condition in emptied else new for old, new in zip(clips, moved, strict=True))


def select_folder(folder: Path, context: Context, apart_from: Path | None = None) -> Selection:
    """The sounds of a folder of your own as clips of `context` with conditions of their own.

    A file longer than 30 s is cut into pieces of equal length, at most 30 s each (so that none is a short rest); a
    piece's id is the file's with `#1`, `#2` ... Training and validation are divided by file, see `held_out`. Hidden
    files, and all in `apart_from` (the run's output may lie inside), are passed over. Raises `CtxAudioError` for a
    folder that is missing, can't be read, holds no audio, or holds it both itself and in sub-folders, and for the name
    of a sub-folder that can't name files.
    """
    if not folder.is_dir():
        raise CtxAudioError(f"{folder}: no such folder")
    left_out, by_place = [], dict[str, dict[str, AudioReader]]()  # sub-folder -> name of the file -> file
    for name, found in _look_at_files(folder, apart_from):
        if isinstance(found, AudioReader):
            by_place.setdefault(name.partition("/")[0] if "/" in name else "", {})[name] = found
        else:
            left_out.append(Clip(name, folder / name, reason=found))
    if not by_place and not left_out:
        raise CtxAudioError(f"{folder} is empty: it takes FSD50K, audio files, or one sub-folder of them a condition")
    if not by_place:
        formats = "WAV, FLAC, Ogg, MP3 and AIFF are read"
        raise CtxAudioError(f"{folder} holds no readable audio ({len(left_out)} other files): {formats}")
    if "" in by_place and len(by_place) > 1:
        loose, nested = (next(iter(by_place[place])) for place in sorted(by_place)[:2])
        where = f"both itself ({loose}) and in sub-folders ({nested})"
        mend = "move all into sub-folders, one a condition, or all out of them"
        raise CtxAudioError(f"{folder} holds audio {where}: {mend}")
    conditions = {place or folder.resolve().name: by_place[place] for place in sorted(by_place)}
    clips = list[Clip]()
    for i, (label, sounds) in enumerate(conditions.items()):
        if not _SAFE_NAME.fullmatch(label) or len(label.encode()) > _LONGEST_NAME_BYTES:
            mend = "rename it with at most 80 letters, digits, spaces and _ - + , . & ( ) '"
            raise CtxAudioError(f"the folder {label!r} of {folder} can't name a condition and its files: {mend}")
        validation = held_out({name: sound.duration_s for name, sound in sounds.items()})
        for name, sound in sounds.items():
            about = sound.path, (label,), "val" if name in validation else "train", sound.path.name, "", "own"
            pieces = cut(sound.frames, sound.sample_rate)
            for n, piece in enumerate(pieces, 1):
                clips.append(Clip(f"{name}#{n}" if len(pieces) > 1 else name, *about, *piece, condition=i))
    return Selection(replace(context, conditions=tuple(conditions), vetoes=()), tuple(clips), tuple(left_out))


def held_out(durations_s: Mapping[str, float]) -> frozenset[str]:
    """Of the files of one condition, by name, those kept for validation: whole, so that no recording is on both sides.

    One file in five and at least one, chosen by a hash of the name, but never more than a third of the sound: of a
    single file, or two of the same length, none is held out.
    """
    wanted, most_s = max(1, len(durations_s) // VALIDATION_SHARE), sum(durations_s.values()) / 3 + 1e-6
    chosen: set[str] = set()
    for name in sorted(durations_s, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if len(chosen) < wanted and durations_s[name] <= most_s:
            chosen.add(name)
            most_s -= durations_s[name]
    return frozenset(chosen)


def cut(frames: int, sample_rate: int) -> list[tuple[int, int]]:
    """Where pieces of at most 30 s, all of the same length, begin and end in a file of so many frames."""
    count = math.ceil(frames / sample_rate / LONGEST_CLIP_S)
    return list(pairwise(frames * i // count for i in range(count + 1)))


def has_sound(folder: Path) -> bool:
    """Whether there is an audio file that libsndfile reads in `folder` or below it."""
    return folder.is_dir() and any(isinstance(found, AudioReader) for _, found in _look_at_files(folder))


def _look_at_files(folder: Path, apart_from: Path | None = None) -> Iterator[tuple[str, AudioReader | str]]:
    """The path inside `folder` of each file but hidden ones, in order, and the file, or why it can't be used."""

    def unreadable(error: OSError) -> None:
        raise CtxAudioError(f"can't read the folder {error.filename}: {error.strerror}") from error

    seen = {apart_from.resolve()} if apart_from else set()
    for parent, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        if (place := Path(parent).resolve()) in seen:  # or links in a circle would never end
            folders.clear()
            continue
        seen.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(names) if not name.startswith(".")):
            name = path.relative_to(folder).as_posix()
            # Names go into tables, JSON and metadata: bytes that are no text, or a line break, would spoil these.
            if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
                yield ascii(name)[1:-1], f"{name!a}: rename it, its name is no plain text"
                continue
            try:
                yield name, AudioReader(path)
            except ClipError as error:
                yield name, str(error).replace(str(path), name, 1)


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
