"""What an evaluation compares: real clips by condition, those a model may have been trained on, and generated ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ctxaudio.contexts import Context, context_named
from ctxaudio.data.folder import select_folder
from ctxaudio.data.fsd50k import Clip, audio_folder, is_fsd50k, read_index
from ctxaudio.data.prepare import decode_clip
from ctxaudio.data.selection import select_clips
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, child_path, read_json

Split = Literal["val", "eval", "train"]
SPLITS: tuple[Split, ...] = ("val", "eval", "train")
#: Clips by condition and name, each `[T]`.
Sounds = dict[str, dict[str, FloatArray]]


@dataclass(frozen=True)
class RealSound:
    """Real clips: those compared with (`reference`), and those of the training split where these are others."""

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
    seed: int = 0,
) -> RealSound:
    """The real clips of `conditions` in an FSD50K folder or in a plain one (sub-folders, or all of one condition).

    Args:
        split: of FSD50K, `eval` if not given and there; of a plain folder, all clips if not given, else the split that
            training makes of it.
        context: its rules of selection apply to FSD50K where `conditions` are all of its own; none otherwise.
        most: clips of a condition and split; of more, a random choice.

    Raises `CtxAudioError` where no clip of any of `conditions` is found.
    """
    about = context_named(context or "sleep")
    if tuple(conditions) != about.conditions:  # of one's own sound, or of a folder: no rules go with these
        about = replace(about, conditions=tuple(conditions), vetoes=(), parts=())
    if is_fsd50k(data_dir):
        chosen: Split = split or ("eval" if audio_folder(data_dir, "eval").is_dir() else "val")
        reference, training = _of_fsd50k(data_dir, about, chosen)
        description = f"{chosen} split of {data_dir}"
    else:
        reference, training = _of_folder(data_dir, about, split)
        description = f"{split} split of {data_dir}" if split else f"{data_dir}"
    if not any(reference.values()):
        wanted = ", ".join(conditions)
        raise CtxAudioError(
            f"no real clip of {wanted} in the {description}: name another --data_dir, --split or --label"
        )
    skipped: list[str] = []
    notes = [
        f"{name}: {most} of {len(clips)} {kind} clips taken, by chance (--max_clips)"
        for kind, found in (("real", reference), ("training", training))
        for name, clips in found.items()
        if len(clips) > most
    ]
    decoded = [
        {name: decoded_clips(some(clips, most, seed), sample_rate, skipped) for name, clips in found.items()}
        for found in (reference, training)
    ]
    return RealSound(decoded[0], decoded[1], description, skipped, notes)


def some(clips: Sequence[Clip], most: int, seed: int) -> list[Clip]:
    """At most `most` of the clips, chosen by chance, in their order."""
    if len(clips) <= most:
        return list(clips)
    return [clips[i] for i in sorted(np.random.default_rng(seed).choice(len(clips), most, replace=False))]


def decoded_clips(clips: Iterable[Clip], sample_rate: int, skipped: list[str]) -> dict[str, FloatArray]:
    """The clips as training hears them, by id; what can't be used is added to `skipped` with its reason."""
    found = {}
    for clip in clips:
        try:
            found[clip.clip_id] = decode_clip(clip.path, sample_rate, clip.start, clip.stop)
        except ClipError as error:
            skipped.append(str(error))
    return found


def _of_fsd50k(data_dir: Path, about: Context, split: Split) -> tuple[dict[str, list[Clip]], dict[str, list[Clip]]]:
    dev = select_clips(read_index(data_dir), about)
    held = select_clips(read_index(data_dir, "eval"), about) if split == "eval" else dev
    reference: dict[str, list[Clip]] = {name: [] for name in about.conditions}
    training: dict[str, list[Clip]] = {name: [] for name in about.conditions}
    for clip, condition in zip(held.clips, held.conditions, strict=True):
        if clip.split == split:
            reference[about.conditions[condition]].append(clip)
    for clip, condition in zip(dev.clips, dev.conditions, strict=True):
        if clip.split == "train" and split != "train":
            training[about.conditions[condition]].append(clip)
    return reference, training


def _of_folder(
    data_dir: Path, about: Context, split: Split | None
) -> tuple[dict[str, list[Clip]], dict[str, list[Clip]]]:
    if split == "eval":
        raise CtxAudioError(f"{data_dir} is no FSD50K folder and has no eval split: leave out --split, or give val")
    selection = select_folder(data_dir, about)
    names = selection.context.conditions
    if len(about.conditions) == 1 and len(names) == 1:
        names = about.conditions  # a flat folder is named after itself
    reference: dict[str, list[Clip]] = {name: [] for name in about.conditions}
    training: dict[str, list[Clip]] = {name: [] for name in about.conditions}
    for clip, condition in zip(selection.clips, selection.conditions, strict=True):
        name = names[condition]
        if name in reference:
            if split in (None, clip.split):
                reference[name].append(clip)
            elif clip.split == "train":
                training[name].append(clip)
    return reference, training


def generated_sound(folder: Path, sample_rate: int, label: str = "") -> tuple[Sounds, list[str]]:
    """Generated clips by condition, and what could not be used.

    Conditions are the names of sub-folders, or what `generated.json` says of each file, or `label` for a flat folder.

    Raises `CtxAudioError` for a folder that is missing, holds no audio, or does not say of which condition it is.
    """
    skipped: list[str] = []
    listed = folder / "generated.json"
    if not label and listed.is_file():
        found: Sounds = {}
        for entry in read_json(listed).get("clips", []):
            try:
                condition, path = str(entry["condition"]), child_path(folder, str(entry["file"]))
                found.setdefault(condition, {})[path.name] = decode_clip(path, sample_rate)
            except (KeyError, TypeError) as error:
                raise CtxAudioError(f"{listed} does not list clips with their conditions: give --label") from error
            except ClipError as error:
                skipped.append(str(error))
        return found, skipped
    selection = select_folder(folder, context_named("sleep"))
    names = list(selection.context.conditions)
    flat = all("/" not in clip.clip_id for clip in selection.clips)
    if flat and not label:
        raise CtxAudioError(f"{folder} has no sub-folders named by condition: say what its clips are with --label")
    if label and not flat:
        raise CtxAudioError(f"{folder} has sub-folders, which name the conditions: leave out --label")
    sounds: Sounds = {label or name: {} for name in names}
    for clip, number in zip(selection.clips, selection.conditions, strict=True):
        sounds[label or names[number]] |= decoded_clips([clip], sample_rate, skipped)
    return sounds, skipped
