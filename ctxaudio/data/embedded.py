"""The embedded corpus: synthetic clips in the FSD50K layout, so that everything runs with no download at all.

The sounds are made, not recorded: good for a first run, a test or a lesson; real FSD50K clips are better.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ctxaudio.data.fsd50k import RATINGS, audio_folder
from ctxaudio.data.notes import NOTES
from ctxaudio.data.planted import Planted, Row, corpus_rows
from ctxaudio.data.synthesis import SAMPLE_RATE, Samples, Sound, fade
from ctxaudio.data.textures import TEXTURES
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, read_json, writable_folder, write_json, write_text
from ctxaudio.signal.audio import write_audio

VERSION = 3
MANIFEST = "embedded_corpus.json"

#: How each label sounds.
RECIPES: Mapping[str, Callable[[Sound], Samples]] = MappingProxyType(TEXTURES | NOTES)

with Path(__file__).with_name("embedded_labels.csv").open(encoding="utf-8", newline="") as _table:
    _LABELS = {row["label"]: row for row in csv.DictReader(_table)}


def synthetic_clip(label: str, seed: int, index: int) -> FloatArray:
    """Clip number `index` of `label`: mono float32 `[T]` in -1..1 at 44.1 kHz, 4 to 6 s.

    The same arguments give the same samples, whatever else is asked for.

    >>> clip = synthetic_clip("Bell", seed=0, index=0)
    >>> 4 * 44100 <= clip.size <= 6 * 44100
    True
    """
    rng = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(label.encode()).digest()[:8]), index])
    length = round(rng.uniform(4.0, 6.0) * SAMPLE_RATE)
    samples = RECIPES[label](Sound(rng, length))
    samples = (samples - samples.mean()) * fade(length, 0.01, 0.01)
    return (samples * (rng.uniform(0.5, 0.9) / np.abs(samples).max())).astype(np.float32)


def write_embedded_corpus(folder: Path, labels: Sequence[str], seed: int = 0, clips_per_label: int = 8) -> Path:
    """Write synthetic clips of `labels` into `folder` in the layout of FSD50K and give the folder back.

    A quarter of each label's clips are `val`, the rest `train`. With Rain comes one clip of rain and thunder,
    which a veto on thunder drops. From eight clips a label the corpus misleads as FSD50K does, see `data.planted`.
    A folder that already holds this very corpus is left as it is.

    Raises `CtxAudioError` for a label without a recipe, for no labels or fewer than one clip, and for a folder
    that holds something else.
    """
    unknown = [label for label in labels if label not in RECIPES]
    if unknown:
        raise CtxAudioError(f"no recipe for label {unknown[0]!r}: the embedded corpus has {', '.join(RECIPES)}")
    if not labels or clips_per_label < 1:
        raise CtxAudioError(
            f"{len(labels)} labels of {clips_per_label} clips make no corpus: ask for one or more of each"
        )
    rows, planted = corpus_rows(sorted(set(labels)), clips_per_label, seed)
    names = [row.name for row in rows]
    pairs = [list(pair) for pair in planted.same_recording]
    found = {"wrong": dict(planted.wrong), "same_recording": pairs, "rumble": list(planted.rumble)}
    manifest = {"version": VERSION, "seed": seed, "clips_per_label": clips_per_label, "planted": found}
    manifest |= {"clips": names, "whole": True}
    path, audio = folder / MANIFEST, audio_folder(folder, "dev")
    if not path.is_file() and folder.is_dir() and any(folder.iterdir()):
        raise CtxAudioError(f"{folder} holds files but no embedded corpus: choose an empty or new folder for it")
    before = read_json(path) if path.is_file() else {}
    if before == manifest and all((audio / f"{name}.wav").is_file() for name in names):
        return folder
    # Said before the first clip is written: should the writing stop half-way, the next run starts afresh.
    write_json(writable_folder(folder) / MANIFEST, {**manifest, "whole": False})
    for row in rows:
        write_audio(audio / f"{row.name}.wav", _heard(row, seed), SAMPLE_RATE)
    _write_tables(folder, rows)
    write_json(path, manifest)
    return folder


def planted_in(folder: Path) -> Planted | None:
    """What misleads in the embedded corpus in `folder`; None for any other folder: nobody has written that down."""
    if not (folder / MANIFEST).is_file():
        return None
    planted = read_json(folder / MANIFEST)["planted"]
    pairs = [(first, second) for first, second in planted["same_recording"]]
    return Planted(planted["wrong"], pairs, planted["rumble"])


def _heard(row: Row, seed: int) -> FloatArray:
    """The samples of a clip: its sounds, the second softly under the first, with what was planted in them."""
    clips = [synthetic_clip(label, seed, index) for label, index in row.sounds]
    samples = clips[0]
    if len(clips) > 1:
        length = min(clip.size for clip in clips)
        samples = np.asarray(0.7 * clips[0][:length] + 0.2 * clips[1][:length], dtype=np.float32)
    samples = samples[round(row.later_s * SAMPLE_RATE) :]
    if not row.rumble:
        return samples
    noise = rumble(np.random.default_rng([seed, samples.size]), samples.size)
    both = samples + noise * np.sqrt(row.rumble * np.mean(samples.astype(np.float64) ** 2))
    return np.asarray(both * min(1.0, 0.9 / np.abs(both).max()), dtype=np.float32)


def rumble(rng: np.random.Generator, length: int) -> Samples:
    """Noise from 2 to 15 Hz, `[length]`, with a mean square of 1: wind on a microphone, or its handling."""
    frequencies_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    inside = (frequencies_hz >= 2.0) & (frequencies_hz <= 15.0)
    spectrum = np.where(inside, rng.standard_normal(inside.size) + 1j * rng.standard_normal(inside.size), 0.0)
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def _write_tables(folder: Path, rows: Sequence[Row]) -> None:
    """dev_clips_info, the votes where there are any, vocabulary.csv and dev.csv, as FSD50K writes them."""
    info = {
        row.name: {
            "title": row.title or f"{' and '.join(row.labels)} {row.name.rsplit('-', 1)[1]}",
            "description": "Synthetic sound of the embedded corpus; made by a recipe, not recorded.",
            "tags": ["synthetic", *(label.lower() for label in row.labels)],
            "license": row.licence,
            "uploader": row.uploader,
        }
        for row in rows
    }
    metadata, truth = folder / "FSD50K.metadata", folder / "FSD50K.ground_truth"
    write_json(metadata / "dev_clips_info_FSD50K.json", info)
    votes = {row.name: {_mid(label): list(row.votes) for label in row.labels} for row in rows if row.votes}
    (metadata / RATINGS).unlink(missing_ok=True)
    if votes:
        write_json(metadata / RATINGS, votes)
    # FSD50K smears labels upwards: after each come its parents. No label comes twice.
    smeared = [
        list(dict.fromkeys(name for label in row.labels for name in (label, *_LABELS[label]["parents"].split())))
        for row in rows
    ]
    used = sorted({label for labels in smeared for label in labels})
    write_text(truth / "vocabulary.csv", "".join(f"{i},{label},{_mid(label)}\n" for i, label in enumerate(used)))
    lines = [
        f'"{row.name}","{",".join(labels)}","{",".join(map(_mid, labels))}","{row.split}"\n'
        for row, labels in zip(rows, smeared, strict=True)
    ]
    write_text(truth / "dev.csv", "fname,labels,mids,split\n" + "".join(lines))


def _mid(label: str) -> str:
    """The label's AudioSet identifier."""
    return _LABELS[label]["mid"]
