"""Your own sound: a plain folder of audio files in place of FSD50K.

Either one sub-folder a condition, which gives it its name, or all files in the folder itself, which then is the only
condition. What lies deeper belongs to the sub-folder at the top. The context gives modulation and evidence only.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from ctxaudio.contexts import Context
from ctxaudio.data.fsd50k import Clip, LeftOut
from ctxaudio.data.selection import Selection
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.signal.audio import AudioReader

LONGEST_CLIP_S = 30.0  # as in FSD50K
LONGEST_CONDITION_BYTES = 160  # a file name has at most 255, with context, number and suffix
VALIDATION_SHARE = 5  # one file in so many
LICENCE = "own"

# A condition names files (sleep_01_CONDITION.wav) on every system, and stands between semicolons in their metadata.
_SAFE_NAME = re.compile(r"(?=.{1,80}$)[\w(][\w &()'+,.-]*(?<![ .])")


@dataclass(frozen=True)
class Recording:
    """A readable audio file: `name` is its path inside the folder; `condition` is empty in the folder itself."""

    name: str
    path: Path
    condition: str
    frames: int
    sample_rate: int

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate


def holds_sound(folder: Path) -> bool:
    """Whether there is an audio file that libsndfile reads in `folder` or below it."""
    return folder.is_dir() and any(isinstance(found, Recording) for found in _look_at_files(folder, None))


def select_folder(folder: Path, context: Context, apart_from: Path | None = None) -> Selection:
    """The sounds of `folder` as clips of `context` with conditions of their own.

    A file longer than 30 s is cut into pieces of equal length, at most 30 s each (so that none is a short rest); a
    piece's id is the file's with `#1`, `#2` ... Training and validation are divided by file, see `held_out`. Hidden
    files, and all in `apart_from` (the run's output may lie inside), are passed over; files that are no audio and
    sub-folders without any are listed in `left_out`.

    Raises `CtxAudioError` for a folder that is missing, can't be read or holds no audio, for audio both in the folder
    itself and in sub-folders, and for the name of a sub-folder that can't name files.
    """
    if not folder.is_dir():
        raise CtxAudioError(f"{folder}: no such folder")
    found = list(_look_at_files(folder, apart_from))
    recordings = [one for one in found if isinstance(one, Recording)]
    left_out = [one for one in found if isinstance(one, LeftOut)]
    conditions = sorted({recording.condition for recording in recordings})
    _check_layout(folder, recordings, len(found))
    silent = {one.clip_id.partition("/")[0] for one in left_out if "/" in one.clip_id} - set(conditions)
    left_out += [LeftOut(name, f"{name}: a sub-folder without readable audio") for name in sorted(silent)]
    names = [condition or folder.resolve().name for condition in conditions]
    _check_names(folder, names)
    clips, indices = [], []
    for i, condition in enumerate(conditions):
        own = [recording for recording in recordings if recording.condition == condition]
        validation = held_out(own)
        for recording in own:
            pieces = cut(recording, names[i], "val" if recording.name in validation else "train")
            clips += pieces
            indices += [i] * len(pieces)
    context = replace(context, conditions=tuple(names), vetoes=())
    return Selection(context, tuple(clips), tuple(indices), tuple(left_out))


def held_out(recordings: Sequence[Recording]) -> frozenset[str]:
    """Names of the files of one condition kept for validation: whole files, so that no recording is on both sides.

    One file in five and at least one, chosen by a hash of the name, but never more than a third of the sound: where
    that leaves none (a single file, two of the same length), all is for training and nothing is held out.
    """
    wanted = max(1, len(recordings) // VALIDATION_SHARE)
    most_s = sum(recording.duration_s for recording in recordings) / 3 + 1e-6
    chosen: set[str] = set()
    for recording in sorted(recordings, key=lambda one: hashlib.sha256(one.name.encode()).digest()):
        if len(chosen) < wanted and recording.duration_s <= most_s:
            chosen.add(recording.name)
            most_s -= recording.duration_s
    return frozenset(chosen)


def cut(recording: Recording, label: str, split: str) -> list[Clip]:
    """The recording as clips of at most 30 s, all of the same length.

    >>> minute = Recording("rain.wav", Path("rain.wav"), "", frames=61 * 8000, sample_rate=8000)
    >>> [(clip.clip_id, clip.start, clip.stop) for clip in cut(minute, "rain", "train")]
    [('rain.wav#1', 0, 162666), ('rain.wav#2', 162666, 325333), ('rain.wav#3', 325333, 488000)]
    """
    count = math.ceil(recording.duration_s / LONGEST_CLIP_S)
    edges = [recording.frames * i // count for i in range(count + 1)]
    name, path = recording.name, recording.path
    return [
        Clip(f"{name}#{i}" if count > 1 else name, path, (label,), split, path.name, "", LICENCE, start, stop)
        for i, (start, stop) in enumerate(pairwise(edges), 1)
    ]


def _look_at_files(folder: Path, apart_from: Path | None) -> Iterator[Recording | LeftOut]:
    for path in _files(folder, apart_from):
        parts, name = path.relative_to(folder).parts, path.relative_to(folder).as_posix()
        # Names go into tables, JSON and metadata: bytes that are no text, or a line break, would spoil these.
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
            yield LeftOut(ascii(name)[1:-1], f"{name!a}: rename it, its name is no plain text")
            continue
        try:
            sound = AudioReader(path)
            yield Recording(name, path, parts[0] if len(parts) > 1 else "", sound.frames, sound.sample_rate)
        except ClipError as error:
            yield LeftOut(name, str(error).replace(str(path), name, 1))


def _files(folder: Path, apart_from: Path | None) -> Iterator[Path]:
    """Files under `folder` in order of their names, without hidden ones; links are followed, in circles only once."""

    def unreadable(error: OSError) -> None:
        raise CtxAudioError(f"can't read the folder {error.filename}: {error.strerror}") from error

    seen = {apart_from.resolve()} if apart_from else set()
    for parent, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        if Path(parent).resolve() in seen:
            folders.clear()
            continue
        seen.add(Path(parent).resolve())
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _check_layout(folder: Path, recordings: Sequence[Recording], looked_at: int) -> None:
    by_place = {bool(recording.condition): recording.name for recording in reversed(recordings)}
    if not looked_at:
        raise CtxAudioError(f"{folder} is empty: it takes FSD50K, audio files, or one sub-folder of them a condition")
    if not recordings:
        raise CtxAudioError(
            f"{folder} holds no readable audio ({looked_at} other files): WAV, FLAC, Ogg, MP3 and AIFF are read"
        )
    if len(by_place) > 1:
        raise CtxAudioError(
            f"{folder} holds audio both itself ({by_place[False]}) and in sub-folders ({by_place[True]}): "
            "move all into sub-folders, one a condition, or all out of them"
        )


def _check_names(folder: Path, names: Sequence[str]) -> None:
    alike: dict[str, str] = {}
    for name in names:
        if not _SAFE_NAME.fullmatch(name) or len(name.encode()) > LONGEST_CONDITION_BYTES:
            raise CtxAudioError(
                f"the folder {name!r} of {folder} can't name a condition and its files: "
                "rename it with at most 80 letters, digits, spaces and _ - + , . & ( ) '"
            )
        if (other := alike.setdefault(name.casefold(), name)) != name:
            raise CtxAudioError(f"{folder} has the sub-folders {other!r} and {name!r}: rename one")
