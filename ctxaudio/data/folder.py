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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from ctxaudio.contexts import Context
from ctxaudio.data.fsd50k import Clip, LeftOut
from ctxaudio.data.selection import Selection
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.signal.audio import AudioReader

LONGEST_CLIP_S = 30.0  # as in FSD50K
VALIDATION_SHARE = 5  # one file in so many
# A condition names files (sleep_01_CONDITION.wav) on every system, and stands between semicolons in their metadata.
_SAFE_NAME, _LONGEST_NAME_BYTES = re.compile(r"(?=.{1,80}$)[\w(][\w &()'+,.-]*(?<![ .])"), 160


def holds_sound(folder: Path) -> bool:
    """Whether there is an audio file that libsndfile reads in `folder` or below it."""
    return folder.is_dir() and any(isinstance(found, AudioReader) for _, found in _look_at_files(folder))


def select_folder(folder: Path, context: Context, apart_from: Path | None = None) -> Selection:
    """The sounds of `folder` as clips of `context` with conditions of their own.

    A file longer than 30 s is cut into pieces of equal length, at most 30 s each (so that none is a short rest); a
    piece's id is the file's with `#1`, `#2` ... Training and validation are divided by file, see `held_out`. Hidden
    files, and all in `apart_from` (the run's output may lie inside), are passed over; files that are no audio are
    listed in `left_out`.

    Raises `CtxAudioError` for a folder that is missing, can't be read or holds no audio, for audio both in the folder
    itself and in sub-folders, and for the name of a sub-folder that can't name files.
    """
    if not folder.is_dir():
        raise CtxAudioError(f"{folder}: no such folder")
    left_out, by_place = [], dict[str, dict[str, AudioReader]]()  # sub-folder -> name of the file -> file
    for name, found in _look_at_files(folder, apart_from):
        if isinstance(found, AudioReader):
            by_place.setdefault(name.partition("/")[0] if "/" in name else "", {})[name] = found
        else:
            left_out.append(LeftOut(name, found))
    if not by_place and not left_out:
        raise CtxAudioError(f"{folder} is empty: it takes FSD50K, audio files, or one sub-folder of them a condition")
    if not by_place:
        formats = "WAV, FLAC, Ogg, MP3 and AIFF are read"
        raise CtxAudioError(f"{folder} holds no readable audio ({len(left_out)} other files): {formats}")
    if "" in by_place and len(by_place) > 1:
        loose, nested = (next(iter(by_place[place])) for place in ("", min(by_place.keys() - {""})))
        where = f"both itself ({loose}) and in sub-folders ({nested})"
        mend = "move all into sub-folders, one a condition, or all out of them"
        raise CtxAudioError(f"{folder} holds audio {where}: {mend}")
    conditions = {place or folder.resolve().name: by_place[place] for place in sorted(by_place)}
    _check_names(folder, conditions)
    clips = []
    for i, (label, sounds) in enumerate(conditions.items()):
        validation = held_out({name: sound.duration_s for name, sound in sounds.items()})
        for name, sound in sounds.items():
            about = sound.path, (label,), "val" if name in validation else "train", sound.path.name, "", "own"
            pieces = cut(sound.frames, sound.sample_rate)
            for n, piece in enumerate(pieces, 1):
                clips.append(Clip(f"{name}#{n}" if len(pieces) > 1 else name, *about, *piece, condition=i))
    return Selection(replace(context, conditions=tuple(conditions), vetoes=()), tuple(clips), tuple(left_out))


def held_out(durations_s: Mapping[str, float]) -> frozenset[str]:
    """Of the files of one condition, by name, those kept for validation: whole, so that no recording is on both sides.

    One file in five and at least one, chosen by a hash of the name, but never more than a third of the sound: where
    that leaves none (a single file, two of the same length), all is for training and nothing is held out.
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


def _look_at_files(folder: Path, apart_from: Path | None = None) -> Iterator[tuple[str, AudioReader | str]]:
    """The path inside `folder` of each file but hidden ones, and the file, or why it can't be used.

    They come in order of their names; links are followed, in circles only once.
    """

    def unreadable(error: OSError) -> None:
        raise CtxAudioError(f"can't read the folder {error.filename}: {error.strerror}") from error

    seen = {apart_from.resolve()} if apart_from else set()
    for parent, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        again = Path(parent).resolve() in seen
        seen.add(Path(parent).resolve())
        folders[:] = [] if again else sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(names) if not again and not name.startswith(".")):
            name = path.relative_to(folder).as_posix()
            # Names go into tables, JSON and metadata: bytes that are no text, or a line break, would spoil these.
            if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
                yield ascii(name)[1:-1], f"{name!a}: rename it, its name is no plain text"
                continue
            try:
                yield name, AudioReader(path)
            except ClipError as error:
                yield name, str(error).replace(str(path), name, 1)


def _check_names(folder: Path, names: Iterable[str]) -> None:
    """Refuse names that can't be those of conditions and their files."""
    alike: dict[str, str] = {}
    for name in names:
        if not _SAFE_NAME.fullmatch(name) or len(name.encode()) > _LONGEST_NAME_BYTES:
            mend = "rename it with at most 80 letters, digits, spaces and _ - + , . & ( ) '"
            raise CtxAudioError(f"the folder {name!r} of {folder} can't name a condition and its files: {mend}")
        if (other := alike.setdefault(name.casefold(), name)) != name:
            raise CtxAudioError(f"{folder} has the sub-folders {other!r} and {name!r}: rename one")
