"""The embedded corpus: synthetic clips in the FSD50K layout, so that everything runs with no download at all.

The sounds are made, not recorded: good for a first run, a test or a lesson; real FSD50K clips are better. From eight
clips a label it misleads in the ways of FSD50K, drawn from its seed and written down for the checks: several uploaders
with clips that belong together, some in train and val alike; four licences; votes on the labels; two recordings that
come twice, one of them under another name; two wrong labels; rumble below 20 Hz; a clip that a veto drops, and clips
of no use to the context. Uploaders and licences are invented: nobody recorded anything.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ctxaudio.data import notes, textures
from ctxaudio.data.fsd50k import RATINGS, audio_folder
from ctxaudio.data.synthesis import SAMPLE_RATE, Samples, Sound, fade
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, only_one, read_json, writable_folder, write_json, write_text
from ctxaudio.signal.audio import write_audio

VERSION = 3
MANIFEST = "embedded_corpus.json"

with Path(__file__).with_name("embedded_labels.csv").open(encoding="utf-8", newline="") as _table:
    _LABELS = {row["label"]: row for row in csv.DictReader(_table)}
_CALLED = {label.lower().replace("-", "_"): label for label in _LABELS}

#: How each label sounds: the functions that are called as it is.
TEXTURES, NOTES = (
    {_CALLED[name]: recipe for name, recipe in vars(module).items() if name in _CALLED} for module in (textures, notes)
)
RECIPES: Mapping[str, Callable[[Sound], Samples]] = MappingProxyType(TEXTURES | NOTES)

#: Clips a label from which there is room to mislead. Smaller corpora, which tests like, are what they look like.
PLANTED_FROM = 8
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"
#: With their shares of FSD50K's dev set (14,959, 20,017, 4,616 and 1,374 of 40,966 clips, Fonseca et al. 2022).
LICENCES: Mapping[str, float] = MappingProxyType(
    {
        CC0: 0.365,
        "http://creativecommons.org/licenses/by/3.0/": 0.489,
        "http://creativecommons.org/licenses/by-nc/3.0/": 0.113,
        "http://creativecommons.org/licenses/sampling+/1.0/": 0.033,
    }
)
#: A second sound, under the label's own, that some context keeps out.
_COMPANIONS = MappingProxyType({"Drum_kit": "Gong", "Gong": "Drum_kit", "Rain": "Thunder", "Stream": "Thunder"})
_NAMES = ("ada", "ben", "cleo", "dov", "eva", "finn", "gus", "hana", "ivo", "jun", "kai", "lea", "mo", "nia", "oki")
_VOTES = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 0.5), (0.5, 0.5))
_OTHER_TAKE = 900  # index of the clips that only the planted rows have
_LATER_S = 0.4


@dataclass(frozen=True)
class Row:
    """A clip: the `labels` that the table gives it, and the `sounds` it has, each a label and index of a recipe.

    A second sound lies softly under the first. `later_s` is cut off the start; `rumble` is the energy of what lies
    below 20 Hz, over the energy of the sounds.
    """

    name: str
    labels: tuple[str, ...]
    sounds: tuple[tuple[str, int], ...]
    split: str
    uploader: str = "ctxaudio"
    licence: str = CC0
    title: str = ""
    votes: tuple[float, ...] = ()
    later_s: float = 0.0
    rumble: float = 0.0


@dataclass(frozen=True)
class Planted:
    """What a reader may find: wrong clips with the sound they have, pairs of the same recording, clips with rumble."""

    wrong: dict[str, str]
    same_recording: list[list[str]]
    rumble: list[str]


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
    which a veto on thunder drops. A folder that already holds this very corpus is left as it is.

    Raises `CtxAudioError` for a label without a recipe and for a folder that holds something else.
    """
    if unknown := [label for label in labels if label not in RECIPES]:
        raise CtxAudioError(f"no recipe for label {unknown[0]!r}: the embedded corpus has {', '.join(RECIPES)}")
    busy = f"waiting for another run that writes the embedded corpus in {folder}"
    with only_one(writable_folder(folder.parent) / f".{folder.name}.lock", busy, wait=True):
        _write_corpus(folder, labels, seed, clips_per_label)
    return folder


def _write_corpus(folder: Path, labels: Sequence[str], seed: int, clips_per_label: int) -> None:
    rows, planted = corpus_rows(sorted(set(labels)), clips_per_label, seed)
    path, files = folder / MANIFEST, {row.name: audio_folder(folder, "dev") / f"{row.name}.wav" for row in rows}
    if not path.is_file() and folder.is_dir() and any(folder.iterdir()):
        raise CtxAudioError(f"{folder} holds files but no embedded corpus: choose an empty or new folder for it")
    manifest = {"version": VERSION, "seed": seed, "clips_per_label": clips_per_label, "planted": asdict(planted)}
    manifest |= {"clips": list(files), "whole": True}
    if path.is_file() and read_json(path) == manifest and all(file.is_file() for file in files.values()):
        return
    # Said before the first clip is written: should the writing stop half-way, the next run starts afresh.
    write_json(writable_folder(folder) / MANIFEST, {**manifest, "whole": False})
    for row in rows:
        write_audio(files[row.name], _heard(row, seed), SAMPLE_RATE)
    _write_tables(folder, rows)
    write_json(path, manifest)


def planted_in(folder: Path) -> Planted | None:
    """What misleads in the embedded corpus in `folder`; None for any other folder: nobody has written that down."""
    path = folder / MANIFEST
    return Planted(**read_json(path)["planted"]) if path.is_file() else None


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
    # Noise from 2 to 15 Hz: wind on a microphone, or its handling.
    rng, frequencies_hz = np.random.default_rng([seed, samples.size]), np.fft.rfftfreq(samples.size, 1 / SAMPLE_RATE)
    spectrum = rng.standard_normal(frequencies_hz.size) + 1j * rng.standard_normal(frequencies_hz.size)
    noise = np.fft.irfft(np.where((frequencies_hz >= 2.0) & (frequencies_hz <= 15.0), spectrum, 0.0), samples.size)
    noise *= np.sqrt(row.rumble * np.mean(samples.astype(np.float64) ** 2)) / np.sqrt(np.mean(noise**2))
    return np.asarray((samples + noise) * min(1.0, 0.9 / np.abs(samples + noise).max()), dtype=np.float32)


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
    mids = {label: row["mid"] for label, row in _LABELS.items()}
    votes = {row.name: {mids[label]: list(row.votes) for label in row.labels} for row in rows if row.votes}
    (metadata / RATINGS).unlink(missing_ok=True)
    if votes:
        write_json(metadata / RATINGS, votes)
    lines, used = list[str](), set[str]()
    for row in rows:
        # FSD50K smears labels upwards: after each come its parents. No label comes twice.
        labels = dict.fromkeys(name for label in row.labels for name in (label, *_LABELS[label]["parents"].split()))
        used |= labels.keys()
        lines.append(f'"{row.name}","{",".join(labels)}","{",".join(mids[label] for label in labels)}","{row.split}"\n')
    vocabulary = (f"{i},{label},{mids[label]}\n" for i, label in enumerate(sorted(used)))
    write_text(truth / "vocabulary.csv", "".join(vocabulary))
    write_text(truth / "dev.csv", "fname,labels,mids,split\n" + "".join(lines))


def corpus_rows(labels: Sequence[str], clips_per_label: int, seed: int) -> tuple[list[Row], Planted]:
    """The clips of a corpus of `labels`: a quarter of each label's are `val`. Under eight of each nothing misleads."""
    first_val = clips_per_label - (max(1, clips_per_label // 4) if clips_per_label > 1 else 0)
    splits = ["train" if i < first_val else "val" for i in range(clips_per_label)]
    own = {
        label: [Row(f"{label}-{i:03d}", (label,), ((label, i),), split) for i, split in enumerate(splits)]
        for label in labels
    }
    misleading = clips_per_label >= PLANTED_FROM
    vetoed = [
        Row(f"{second}-{label}-000", (second, label), ((second, 0), (label, 0)), "train")
        for label, second in _COMPANIONS.items()
        if label in labels and (misleading or label == "Rain")
    ]
    if not misleading:
        return [*itertools.chain(*own.values()), *vetoed], Planted({}, [], [])
    rng = np.random.default_rng([seed, PLANTED_FROM])
    people = _people(rng, rng.permutation(_NAMES).tolist(), rng.permutation(list(LICENCES)).tolist())
    recorded = {name: _recorded(clips, name, n, people, rng) for n, (name, clips) in enumerate(own.items())}
    extra, planted = _extra(recorded, clips_per_label, people, rng)
    others = [label for label in RECIPES if label not in (*labels, "Thunder")]
    useless = [Row(f"{label}-000", (label,), ((label, 0),), "train") for label in others[:: max(1, len(others) // 3)]]
    rows = list(itertools.chain(*recorded.values()))
    rows += [_credited(row, *next(people)) for row in (*vetoed, *extra, *useless) if not row.title]
    rows += [row for row in extra if row.title]
    return [row if row.votes else replace(row, votes=(1.0, 1.0)) for row in rows], planted


def _people(rng: np.random.Generator, names: Sequence[str], licences: list[str]) -> Iterator[tuple[str, str]]:
    """Invented uploaders, each with the one licence they give: `licences` once each, then by their shares."""
    shares = np.array(list(LICENCES.values()))
    for lap in itertools.count():
        for name in names:
            licence = licences.pop() if licences else rng.choice(list(LICENCES), p=shares / shares.sum())
            yield f"invented_{name}{lap + 1 if lap else ''}", str(licence)


def _credited(row: Row, uploader: str, licence: str, title: str = "") -> Row:
    title = title or f"{' and '.join(row.labels)}, by {uploader}".replace("_", " ")
    return replace(row, uploader=uploader, licence=licence, title=title)


def _recorded(
    own: Sequence[Row], label: str, number: int, people: Iterator[tuple[str, str]], rng: np.random.Generator
) -> list[Row]:
    """The clips of a label with uploaders of one to three clips, one of whom is in train and val alike."""
    train = [row for row in own if row.split == "train"]
    val = [row for row in own if row.split == "val"]
    # Of every second label the uploader on both sides has more clips in val, so that sides are changed both ways.
    joined = 1 if number % 2 == 0 else len(val)
    sessions, at = [], 0
    while at < len(train) - 1:
        size = min(int(rng.integers(1, 4)), len(train) - 1 - at)
        sessions.append(train[at : at + size])
        at += size
    sessions += [[train[-1], *val[:joined]], *([row] for row in val[joined:])]
    loud = set(rng.choice(len(own), 2, replace=False).tolist())
    made = []
    for letter, session in zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ" * len(own), sessions, strict=False):
        uploader, licence = next(people)
        for part, row in enumerate(session, 1):
            title = f"{label.replace('_', ' ')} {letter}, part {part} of {len(session)}"
            rumble = float(rng.uniform(0.5, 8.0)) if own.index(row) in loud else 0.0
            votes = _VOTES[int(rng.integers(len(_VOTES)))]
            made.append(replace(_credited(row, uploader, licence, title), rumble=rumble, votes=votes))
    return made


def _extra(
    recorded: Mapping[str, Sequence[Row]], index: int, people: Iterator[tuple[str, str]], rng: np.random.Generator
) -> tuple[list[Row], Planted]:
    """Two recordings once more, and two clips with a wrong label (tones as a texture or the other way round), numbered
    from `index`."""
    twice, stolen, *rest = np.resize(rng.permutation(list(recorded)), max(4, len(recorded))).tolist()
    train = {label: [row for row in rows if row.split == "train"] for label, rows in recorded.items()}
    first, second = train[twice][int(rng.integers(2))], train[stolen][2 + int(rng.integers(2))]
    cut = f"{first.title}, cut"
    again = replace(first, name=f"{twice}-{index:03d}", title=cut, later_s=_LATER_S, rumble=0.0)
    other = replace(second, name=f"{stolen}-{index + 1:03d}", split="val", later_s=2 * _LATER_S, rumble=0.0)
    extra, heard = [again, _credited(other, *next(people))], {}
    # Of one wrong label a vote tells; the other went unnoticed.
    for number, (label, votes) in enumerate(zip(rest, ((0.5, 0.0), (1.0, 1.0)), strict=False), index + 2):
        sound = str(rng.choice(("Bell", "Organ", "Harp") if label in TEXTURES else ("Rain", "Wind", "Stream")))
        extra.append(Row(f"{label}-{number:03d}", (label,), ((sound, _OTHER_TAKE),), "train", votes=votes))
        heard[extra[-1].name] = sound
    same = [[first.name, again.name], [second.name, other.name]]
    loud = [row.name for rows in recorded.values() for row in rows if row.rumble]
    return extra, Planted(heard, same, loud)
