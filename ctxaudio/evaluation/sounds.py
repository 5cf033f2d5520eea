"""Real and generated clips to compare: read from folders, or taken from those that a run has prepared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ctxaudio.contexts import context_named
from ctxaudio.data.fsd50k import Clip, audio_folder, is_fsd50k, read_index
from ctxaudio.data.prepare import PreparedClips, decode_clip
from ctxaudio.data.selection import Selection, select_clips, select_folder
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, child_path, read_json

Split = Literal["val", "eval", "train"]
#: Clips by condition and name, each `[T]`.
Sounds = dict[str, dict[str, FloatArray]]
LONGEST_S = 4.0
#: What must be said of a reference that is not the eval split; None is all clips of a folder.
CAUTION: dict[Split | None, str] = {
    "train": "the reference is the train split: distances flatter a model whose styles are from these very clips",
    "val": "the reference is the val split, some of it by uploaders of training clips: distances may flatter a model",
    None: "the reference is every clip of the folder: distances flatter a model that was trained on it (--split val)",
}


@dataclass(frozen=True)
class RealSound:
    """Real clips: those compared with (`reference`), and those of the training split where these are others.

    `notes` say which figures the choice of clips flatters, and what was left out.
    """

    reference: Sounds
    training: Sounds
    description: str
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def real_sound(
    data_dir: Path,
    conditions: Sequence[str],
    sample_rate: int,
    split: Split | None = None,
    context: str | None = None,
    most: int = 200,
) -> RealSound:
    """The real clips of `conditions` in an FSD50K folder or in a plain one (sub-folders, or all of one condition).

    Args:
        split: of FSD50K, `eval` if not given and there, else `val`; of a plain folder, all clips if not given, else
            the split that training makes of it.
        context: its rules of selection apply to FSD50K where `conditions` are all of its own; none otherwise.
        most: clips of a condition and split; of more, a random choice, always the same.

    Raises `CtxAudioError` where no clip of any of `conditions` is found.
    """
    about = context_named(context or "sleep")
    if tuple(conditions) != about.conditions:  # of one's own sound, or of a folder: no rules go with these
        about = replace(about, conditions=tuple(conditions), vetoes=(), parts=())
    if is_fsd50k(data_dir):
        split = split or ("eval" if audio_folder(data_dir, "eval").is_dir() else "val")
        dev = select_clips(read_index(data_dir), about)
        held = select_clips(read_index(data_dir, "eval"), about) if split == "eval" else dev
    elif split == "eval":
        raise CtxAudioError(f"{data_dir} is no FSD50K folder and has no eval split: leave out --split, or give val")
    else:
        held = dev = select_folder(data_dir, about)
        if len(about.conditions) == 1 and len(dev.context.conditions) == 1:  # a flat folder is named after itself
            held = dev = replace(dev, context=replace(dev.context, conditions=about.conditions))
    description = f"the {split} split of {data_dir}" if split else f"{data_dir}"
    real = RealSound({}, {}, description, notes=[CAUTION[split]] if split in CAUTION else [])
    of_splits = [("real", held, split, real.reference)]
    if split in ("val", "eval"):
        of_splits.append(("training", dev, "train", real.training))
    for kind, selection, wanted, sounds in of_splits:
        for name, clips in _by_condition(selection, conditions, wanted).items():
            if len(clips) > most:
                real.notes.append(f"{name}: {most} of {len(clips)} {kind} clips taken, by chance")
                chosen = np.random.default_rng(0).choice(len(clips), most, replace=False)
                clips = [clips[i] for i in sorted(chosen)]
            sounds[name] = _decoded(clips, sample_rate, real.skipped)
    if not any(real.reference.values()) and not real.skipped:
        names = ", ".join(conditions)
        raise CtxAudioError(f"no real clip of {names} in {description}: name another --data_dir or --split")
    return real


def _by_condition(selection: Selection, conditions: Sequence[str], split: Split | None) -> dict[str, list[Clip]]:
    found: dict[str, list[Clip]] = {name: [] for name in conditions}
    for clip in selection.clips:
        name = selection.context.conditions[clip.condition]
        if name in found and split in (None, clip.split):
            found[name].append(clip)
    return found


def _decoded(clips: Iterable[Clip], sample_rate: int, skipped: list[str]) -> dict[str, FloatArray]:
    """The clips as training hears them, by id; what can't be used is added to `skipped` with its reason."""
    found = {}
    for clip in clips:
        try:
            found[clip.clip_id] = decode_clip(clip.path, sample_rate, clip.start, clip.stop)
        except ClipError as error:
            skipped.append(str(error))
    return found


def held_out_sound(clips: PreparedClips, data_dir: Path, most: int) -> RealSound:
    """What a generator trained on `clips` is judged by, the middle 4 s of at most `most` clips of a condition: the eval
    split of `data_dir` where there is one, else, with a note, the validation clips."""
    notes = [CAUTION["val"]]
    if is_fsd50k(data_dir) and audio_folder(data_dir, "eval").is_dir():
        try:
            real = real_sound(data_dir, clips.condition_names, clips.sample_rate, "eval", clips.context, most)
            for clips_of in (*real.reference.values(), *real.training.values()):
                clips_of.update({clip: middle(samples, clips.sample_rate) for clip, samples in clips_of.items()})
            return real
        except CtxAudioError as error:
            notes.append(str(error))
    reference, training = (prepared_sound(clips, split, most) for split in ("val", "train"))
    return RealSound(reference, training, f"val split of {data_dir}", notes=notes)


def prepared_sound(clips: PreparedClips, split: str, most: int) -> Sounds:
    """At most `most` prepared clips of each condition of a split, the middle 4 s of each."""
    return {
        name: {clips.clips[i].clip_id: middle(clips.audio(i), clips.sample_rate) for i in clips.of(split, c)[:most]}
        for c, name in enumerate(clips.condition_names)
    }


def middle(clip: FloatArray, sample_rate: int) -> FloatArray:
    """The middle 4 s of a clip `[T]`; a shorter one as it is."""
    start = max(0, (len(clip) - round(LONGEST_S * sample_rate)) // 2)
    return clip[start : start + round(LONGEST_S * sample_rate)]


def generated_sound(folder: Path, sample_rate: int) -> tuple[Sounds, list[str]]:
    """Generated clips by condition, and what could not be used.

    Conditions are what `generated.json` says of each file, or the names of sub-folders, or that of a flat folder.
    Raises `CtxAudioError` for a folder that is missing or holds no audio, and for such a JSON without conditions.
    """
    skipped: list[str] = []
    sounds: Sounds = {}
    listed = folder / "generated.json"
    if listed.is_file():
        for entry in read_json(listed).get("clips", []):
            try:
                condition, path = str(entry["condition"]), child_path(folder, str(entry["file"]))
                sounds.setdefault(condition, {})[path.name] = decode_clip(path, sample_rate)
            except (KeyError, TypeError) as error:
                raise CtxAudioError(
                    f"{listed} does not list clips with their conditions: generate them again"
                ) from error
            except ClipError as error:
                skipped.append(str(error))
        return sounds, skipped
    selection = select_folder(folder, context_named("sleep"))
    by_name = _by_condition(selection, selection.context.conditions, None)
    return {name: _decoded(clips, sample_rate, skipped) for name, clips in by_name.items()}, skipped
