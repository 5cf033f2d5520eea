"""Real clips to compare with: read from a folder, or taken from those that a run has prepared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ctxaudio.contexts import context_named
from ctxaudio.data.folder import select_folder
from ctxaudio.data.fsd50k import Clip, audio_folder, is_fsd50k, read_index
from ctxaudio.data.prepare import PreparedClips, decode_clip
from ctxaudio.data.selection import select_clips
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray

#: Clips by condition and name, each `[T]`.
Sounds = dict[str, dict[str, FloatArray]]
LONGEST_S = 4.0
CAUTION = "the reference is the val split, some of it by uploaders of training clips: distances may flatter a model"


@dataclass(frozen=True)
class RealSound:
    """Real clips: those compared with (`reference`), and those of the training split.

    `notes` say which figures the choice of clips flatters, and what was left out.
    """

    reference: Sounds
    training: Sounds
    description: str
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def real_sound(
    data_dir: Path, conditions: Sequence[str], sample_rate: int, context: str | None = None, most: int = 200
) -> RealSound:
    """The real clips of `conditions` in FSD50K (the eval split, else val), or in a folder with a sub-folder for each
    (val, as training divides it): of more than `most` a random choice, always the same.

    The rules of selection of `context` apply to FSD50K where `conditions` are all of its own; none otherwise. Raises
    `CtxAudioError` where no clip of any of `conditions` can be used.
    """
    about = context_named(context or "sleep")
    if tuple(conditions) != about.conditions:  # of one's own sound: no rules go with these
        about = replace(about, conditions=tuple(conditions), vetoes=(), parts=())
    split = "val"
    if is_fsd50k(data_dir):
        held = dev = select_clips(read_index(data_dir), about)
        if audio_folder(data_dir, "eval").is_dir():
            split, held = "eval", select_clips(read_index(data_dir, "eval"), about)
    else:
        held = dev = select_folder(data_dir, about)
    real = RealSound({}, {}, f"the {split} split of {data_dir}", notes=[CAUTION] if split == "val" else [])
    both = ("real", held, split, real.reference), ("training", dev, "train", real.training)
    for kind, selection, wanted, sounds in both:
        clips_of: dict[str, list[Clip]] = {name: [] for name in conditions}
        for clip, condition in zip(selection.clips, selection.conditions, strict=True):
            name = selection.context.conditions[condition]
            if clip.split == wanted and name in clips_of:
                clips_of[name].append(clip)
        for name, clips in clips_of.items():
            if len(clips) > most:
                real.notes.append(f"{name}: {most} of {len(clips)} {kind} clips taken, by chance")
                chosen = np.random.default_rng(0).choice(len(clips), most, replace=False)
                clips = [clips[i] for i in sorted(chosen)]
            sounds[name] = _decoded(clips, sample_rate, real.skipped)
    if not any(real.reference.values()):
        because = f" ({real.skipped[0]})" if real.skipped else ""
        none = f"no real clip of {', '.join(conditions)} in {real.description}{because}"
        raise CtxAudioError(f"{none}: name another --data_dir")
    return real


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
    notes = [CAUTION]
    if is_fsd50k(data_dir) and audio_folder(data_dir, "eval").is_dir():
        try:
            real = real_sound(data_dir, clips.condition_names, clips.sample_rate, clips.context, most)
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
