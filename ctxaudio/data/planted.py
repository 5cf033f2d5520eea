"""How the embedded corpus misleads, in the ways of FSD50K: drawn from its seed, and written down for the checks.

Several uploaders with clips that belong together, some in train and val alike; four licences; votes on the labels;
two recordings that come twice, one of them under another name; two wrong labels; rumble below 20 Hz; a clip that a
veto drops, and clips of no use to the context. Uploaders and licences are invented: nobody recorded anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from ctxaudio.data.notes import NOTES
from ctxaudio.data.textures import TEXTURES

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
_COMPANIONS = MappingProxyType({"Rain": "Thunder", "Stream": "Thunder", "Drum_kit": "Gong", "Gong": "Drum_kit"})
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

    wrong: Mapping[str, str]
    same_recording: Sequence[tuple[str, str]]
    rumble: Sequence[str]


def corpus_rows(labels: Sequence[str], clips_per_label: int, seed: int) -> tuple[list[Row], Planted]:
    """The clips of a corpus of `labels`: a quarter of each label's are `val`. Under eight of each nothing misleads."""
    first_val = clips_per_label - (max(1, clips_per_label // 4) if clips_per_label > 1 else 0)
    rows = [
        Row(f"{label}-{index:03d}", (label,), ((label, index),), "train" if index < first_val else "val")
        for label in labels
        for index in range(clips_per_label)
    ]
    misleading = clips_per_label >= PLANTED_FROM
    seconds = {
        label: _COMPANIONS[label] for label in labels if label == "Rain" or (misleading and label in _COMPANIONS)
    }
    vetoed = [_of_two(second, label) for label, second in seconds.items()]
    if not misleading:
        return [*rows, *vetoed], Planted({}, [], [])
    rng = np.random.default_rng([seed, PLANTED_FROM])
    people = _People(rng)
    rows = [row for number, label in enumerate(labels) for row in _recorded(rows, label, number, people, rng)]
    extra, planted = _extra(rows, labels, clips_per_label, people, rng)
    others = [label for label in (*TEXTURES, *NOTES) if label not in (*labels, "Thunder")]
    useless = [Row(f"{label}-000", (label,), ((label, 0),), "train") for label in others[:: max(1, len(others) // 3)]]
    rows += [people.credit(row, *people.new()) for row in (*vetoed, *extra, *useless) if not row.title]
    rows += [row for row in extra if row.title]
    return [row if row.votes else replace(row, votes=(1.0, 1.0)) for row in rows], planted


def _of_two(second: str, label: str) -> Row:
    return Row(f"{second}-{label}-000", (second, label), ((second, 0), (label, 0)), "train")


class _People:
    """Invented uploaders, each with the one licence they give."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._names = list(rng.permutation(_NAMES))
        self._first = list(rng.permutation(list(LICENCES)))  # so that all four are there
        self._rng = rng
        self._count = 0

    def new(self) -> tuple[str, str]:
        """Name and licence of the next one."""
        lap, place = divmod(self._count, len(self._names))
        self._count += 1
        shares = np.array(list(LICENCES.values()))
        licence = self._first.pop() if self._first else self._rng.choice(list(LICENCES), p=shares / shares.sum())
        return f"invented_{self._names[place]}{lap + 1 if lap else ''}", str(licence)

    @staticmethod
    def credit(row: Row, uploader: str, licence: str, title: str = "") -> Row:
        title = title or f"{' and '.join(row.labels)}, by {uploader}".replace("_", " ")
        return replace(row, uploader=uploader, licence=licence, title=title)


def _recorded(rows: Sequence[Row], label: str, number: int, people: _People, rng: np.random.Generator) -> list[Row]:
    """The clips of a label with uploaders of one to three clips, one of whom is in train and val alike."""
    own = [row for row in rows if row.labels == (label,)]
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
        uploader, licence = people.new()
        for part, row in enumerate(session, 1):
            title = f"{label.replace('_', ' ')} {letter}, part {part} of {len(session)}"
            rumble = float(rng.uniform(0.5, 8.0)) if own.index(row) in loud else 0.0
            votes = _VOTES[int(rng.integers(len(_VOTES)))]
            made.append(replace(people.credit(row, uploader, licence, title), rumble=rumble, votes=votes))
    return made


def _extra(
    rows: Sequence[Row], labels: Sequence[str], index: int, people: _People, rng: np.random.Generator
) -> tuple[list[Row], Planted]:
    """Two recordings once more, and two clips with a wrong label, numbered from `index`."""
    twice, reuploaded, *rest = np.resize(rng.permutation(labels), max(4, len(labels))).tolist()
    train = {label: [row for row in rows if row.labels == (label,) and row.split == "train"] for label in labels}
    first = train[twice][int(rng.integers(2))]
    second = train[reuploaded][2 + int(rng.integers(2))]
    again = replace(first, name=f"{twice}-{index:03d}", title=f"{first.title}, cut", later_s=_LATER_S, rumble=0.0)
    stolen = replace(second, name=f"{reuploaded}-{index + 1:03d}", split="val", later_s=2 * _LATER_S, rumble=0.0)
    stolen = people.credit(stolen, *people.new())
    wrong = [_wrong(label, index + 2 + number, rng) for number, label in enumerate(rest[:2])]
    planted = Planted(
        {row.name: row.sounds[0][0] for row in wrong},
        [(first.name, again.name), (second.name, stolen.name)],
        [row.name for row in rows if row.rumble],
    )
    # Of one wrong label a vote tells; the other went unnoticed.
    wrong = [replace(row, votes=votes) for row, votes in zip(wrong, ((0.5, 0.0), (1.0, 1.0)), strict=True)]
    return [again, stolen, *wrong], planted


def _wrong(label: str, index: int, rng: np.random.Generator) -> Row:
    """A clip of tones that is labelled a texture, or the other way round."""
    heard = ("Bell", "Organ", "Harp") if label in TEXTURES else ("Rain", "Wind", "Stream")
    return Row(f"{label}-{index:03d}", (label,), ((str(rng.choice(heard)), _OTHER_TAKE),), "train")
