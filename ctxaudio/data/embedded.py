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
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np

from ctxaudio.data import notes, textures
from ctxaudio.data.fsd50k import RATINGS, audio_folder
from ctxaudio.data.synthesis import SAMPLE_RATE, Samples, Sound
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, only_one, read_json, writable_folder, write_json, write_text
from ctxaudio.signal.audio import write_audio

VERSION, MANIFEST = 3, "embedded_corpus.json"

with Path(__file__).with_name("embedded_labels.csv").open(encoding="utf-8", newline="") as _table:
    _LABELS = {row["label"]: row for row in csv.DictReader(_table)}
_FUNCTIONS = vars(textures) | vars(notes)
#: How each label sounds: the function that is called as it is; labels that are only parents of others have none.
RECIPES: Mapping[str, Callable[[Sound], Samples]] = {
    label: _FUNCTIONS[name] for label in _LABELS if (name := label.lower().replace("-", "_")) in _FUNCTIONS
}
#: Clips a label from which there is room to mislead. Smaller corpora, which tests like, are what they look like.
PLANTED_FROM = 8
_TERMS = ("publicdomain/zero/1.0", "licenses/by/3.0", "licenses/by-nc/3.0", "licenses/sampling+/1.0")
LICENCES = [f"http://creativecommons.org/{terms}/" for terms in _TERMS]
_SHARES = np.array((0.365, 0.489, 0.113, 0.033))  # of FSD50K's dev set (Fonseca et al. 2022)
#: A second sound, under the label's own, that some context keeps out.
_COMPANIONS = {"Drum_kit": "Gong", "Gong": "Drum_kit", "Rain": "Thunder", "Stream": "Thunder"}
_NAMES = ("ada", "ben", "cleo", "dov", "eva", "finn", "gus", "hana", "ivo", "jun", "kai", "lea", "mo", "nia", "oki")
_VOTES = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 0.5), (0.5, 0.5))
OTHER_TAKE, LATER_S = 900, 0.4  # index of the clips that only the planted rows have; what a copy is cut by


class Row(NamedTuple):
    """A clip: the `labels` that the table gives it, and the `sounds` it has (a second softly under the first), each a
    label and index of a recipe. `later_s` is cut off the start; `rumble` is the energy below 20 Hz over the sounds'."""

    name: str
    labels: tuple[str, ...]
    sounds: tuple[tuple[str, int], ...]
    split: str = "train"
    uploader: str = "ctxaudio"
    licence: str = LICENCES[0]
    title: str = ""
    votes: tuple[float, ...] = (1.0, 1.0)
    later_s: float = 0.0
    rumble: float = 0.0


def synthetic_clip(label: str, seed: int, index: int) -> FloatArray:
    """Clip number `index` of `label`: mono float32 `[T]` in -1..1 at 44.1 kHz, 4 to 6 s, always the same."""
    rng = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(label.encode()).digest()[:8]), index])
    sound = Sound(rng, round(rng.uniform(4.0, 6.0) * SAMPLE_RATE))
    samples = RECIPES[label](sound)
    samples = (samples - samples.mean()) * sound.fade(0.01, 0.01)
    return (samples * (rng.uniform(0.5, 0.9) / np.abs(samples).max())).astype(np.float32)


def write_embedded_corpus(folder: Path, labels: Sequence[str], seed: int = 0, clips_per_label: int = 8) -> Path:
    """Write synthetic clips of `labels` into `folder` in the layout of FSD50K and give the folder back.

    A folder that already holds this very corpus is left as it is. Raises `CtxAudioError` for a label without a recipe
    and for a folder that holds something else.
    """
    if unknown := [label for label in labels if label not in RECIPES]:
        raise CtxAudioError(f"no recipe for label {unknown[0]!r}: the embedded corpus has {', '.join(RECIPES)}")
    rows, path = corpus_rows(sorted(set(labels)), clips_per_label, seed), folder / MANIFEST
    files = {row.name: audio_folder(folder, "dev") / f"{row.name}.wav" for row in rows}
    manifest = {"version": VERSION, "seed": seed, "clips_per_label": clips_per_label, "planted": planted(rows)}
    manifest |= {"clips": list(files), "whole": True}
    busy = f"waiting for another run that writes the embedded corpus in {folder}"
    with only_one(writable_folder(folder.parent) / f".{folder.name}.lock", busy, wait=True):
        if not path.is_file() and folder.is_dir() and any(folder.iterdir()):
            raise CtxAudioError(f"{folder} holds files but no embedded corpus: choose an empty or new folder for it")
        if path.is_file() and read_json(path) == manifest and all(file.is_file() for file in files.values()):
            return folder
        # Said before the first clip is written: should the writing stop half-way, the next run starts afresh.
        write_json(path, {**manifest, "whole": False})
        for row in rows:
            write_audio(files[row.name], _heard(row, seed), SAMPLE_RATE)
        _write_tables(folder, rows)
        write_json(path, manifest)
    return folder


def planted_in(folder: Path) -> dict[str, Any] | None:
    """What misleads in the embedded corpus in `folder`; None for any other folder: nobody has written that down."""
    path = folder / MANIFEST
    return read_json(path)["planted"] if path.is_file() else None


def planted(rows: Sequence[Row]) -> dict[str, Any]:
    """What a reader may find: wrong clips with the sound they have, pairs of the same recording, clips with rumble."""
    first_with = {row.sounds: row.name for row in rows if not row.later_s}
    return {
        "wrong": {row.name: row.sounds[0][0] for row in rows if row.sounds[0][0] not in row.labels},
        "same_recording": [[first_with[row.sounds], row.name] for row in rows if row.later_s],
        "rumble": [row.name for row in rows if row.rumble],
    }


def _heard(row: Row, seed: int) -> FloatArray:
    """The samples of a clip: its sounds, the second softly under the first, with what was planted in them."""
    samples, *under = (synthetic_clip(label, seed, index) for label, index in row.sounds)
    for second in under:
        length = min(samples.size, second.size)
        samples = np.asarray(0.7 * samples[:length] + 0.2 * second[:length], dtype=np.float32)
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
    """dev_clips_info, the votes, vocabulary.csv and dev.csv, as FSD50K writes them."""
    metadata, truth = folder / "FSD50K.metadata", folder / "FSD50K.ground_truth"
    mids, info, votes = {label: row["mid"] for label, row in _LABELS.items()}, {}, {}
    table = ["fname,labels,mids,split\n"]
    for row in rows:
        info[row.name] = {
            "title": row.title or f"{' and '.join(row.labels)} {row.name.rsplit('-', 1)[1]}",
            "description": "Synthetic sound of the embedded corpus; made by a recipe, not recorded.",
            "license": row.licence,
            "uploader": row.uploader,
        }
        votes[row.name] = {mids[label]: list(row.votes) for label in row.labels}
        # FSD50K smears labels upwards: after each come its parents. No label comes twice.
        labels = dict.fromkeys(name for label in row.labels for name in (label, *_LABELS[label]["parents"].split()))
        table.append(f'"{row.name}","{",".join(labels)}","{",".join(mids[label] for label in labels)}","{row.split}"\n')
    write_json(metadata / "dev_clips_info_FSD50K.json", info)
    write_json(metadata / RATINGS, votes)
    write_text(truth / "vocabulary.csv", "".join(f"{i},{label},{mid}\n" for i, (label, mid) in enumerate(mids.items())))
    write_text(truth / "dev.csv", "".join(table))


def corpus_rows(labels: Sequence[str], clips_per_label: int, seed: int) -> list[Row]:
    """The clips of a corpus of `labels`: a quarter of each label's are `val`. Under eight of each nothing misleads."""
    first_val = clips_per_label - max(1, clips_per_label // 4) or 1
    splits = ["train" if i < first_val else "val" for i in range(clips_per_label)]
    own = {x: [Row(f"{x}-{i:03d}", (x,), ((x, i),), split) for i, split in enumerate(splits)] for x in labels}
    misleading = clips_per_label >= PLANTED_FROM
    vetoed = [
        Row(f"{second}-{label}-000", (second, label), ((second, 0), (label, 0)))
        for label, second in _COMPANIONS.items()
        if label in labels and (misleading or label == "Rain")
    ]
    if not misleading:
        return [*itertools.chain(*own.values()), *vetoed]
    rng = np.random.default_rng([seed, PLANTED_FROM])
    people = _people(rng, rng.permutation(_NAMES).tolist(), rng.permutation(LICENCES).tolist())
    recorded = {label: _recorded(clips, number, people, rng) for number, (label, clips) in enumerate(own.items())}
    # Two recordings come once more: one cut, one by somebody else and in the other split.
    twice, stolen, *rest = np.resize(rng.permutation(list(own)), max(4, len(own))).tolist()
    first, second = recorded[twice][int(rng.integers(2))], recorded[stolen][2 + int(rng.integers(2))]
    again = first._replace(name=f"{twice}-{len(splits):03d}", title=f"{first.title}, cut", later_s=LATER_S, rumble=0.0)
    other = second._replace(name=f"{stolen}-{len(splits) + 1:03d}", split="val", later_s=2 * LATER_S, rumble=0.0)
    copies, wrong = [again, _credited(other, people)], []
    # Two labels are wrong, a texture's for tones or the other way round: of one a vote tells, the other went unnoticed.
    for n, (label, votes) in enumerate(zip(rest, ((0.5, 0.0), (1.0, 1.0)), strict=False), len(splits) + 2):
        heard = ("Bell", "Organ", "Harp") if RECIPES[label] in vars(textures).values() else ("Rain", "Wind", "Stream")
        wrong.append(Row(f"{label}-{n:03d}", (label,), ((str(rng.choice(heard)), OTHER_TAKE),), votes=votes))
    others = [label for label in RECIPES if label not in (*labels, "Thunder")]
    useless = [Row(f"{label}-000", (label,), ((label, 0),)) for label in others[:: max(1, len(others) // 3)]]
    credited = [_credited(row, people) for row in (*vetoed, *wrong, *useless)]
    return [*itertools.chain(*recorded.values()), *credited, *copies]


def _people(rng: np.random.Generator, names: Sequence[str], licences: list[str]) -> Iterator[dict[str, Any]]:
    """Invented uploaders, each with the one licence they give: `licences` once each, then by their shares."""
    for lap in itertools.count(1):
        for name in names:
            licence = licences.pop() if licences else rng.choice(LICENCES, p=_SHARES / _SHARES.sum())
            yield {"uploader": f"invented_{name}{lap if lap > 1 else ''}", "licence": str(licence)}


def _credited(row: Row, people: Iterator[dict[str, Any]]) -> Row:
    by = next(people)
    return row._replace(**by, title=f"{' and '.join(row.labels)}, by {by['uploader']}".replace("_", " "))


def _recorded(own: Sequence[Row], number: int, people: Iterator[dict[str, Any]], rng: np.random.Generator) -> list[Row]:
    """The clips of a label with uploaders of one to three clips, one of whom is in train and val alike."""
    train, val = ([row for row in own if row.split == split] for split in ("train", "val"))
    # Of every second label the uploader on both sides has more clips in val, so that sides are changed both ways.
    joined, cuts = 1 if number % 2 == 0 else len(val), [0]
    while cuts[-1] < len(train) - 1:
        cuts.append(min(cuts[-1] + int(rng.integers(1, 4)), len(train) - 1))
    sessions = [train[start:stop] for start, stop in itertools.pairwise(cuts)]
    sessions += [[train[-1], *val[:joined]], *([row] for row in val[joined:])]
    loud = {own[i].name for i in rng.choice(len(own), 2, replace=False)}
    made = []
    for letter, session in zip(itertools.cycle(ascii_uppercase), sessions, strict=False):
        by = next(people)
        for part, row in enumerate(session, 1):
            title = f"{row.labels[0].replace('_', ' ')} {letter}, part {part} of {len(session)}"
            rumble = float(rng.uniform(0.5, 8.0)) if row.name in loud else 0.0
            made.append(row._replace(**by, title=title, rumble=rumble, votes=_VOTES[int(rng.integers(len(_VOTES)))]))
    return made
