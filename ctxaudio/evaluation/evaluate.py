"""Generated beside real clips, condition by condition: distances, diversity, copies of training clips, recall.

Every figure stands beside the same figure of real clips, or of noise. Where a set is too small for a figure, the notes
say so, and the figure is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.clips import RealSound, Sounds
from ctxaudio.evaluation.copies import Copy, find_copies, nearest_training_distance
from ctxaudio.evaluation.distances import UNDECIDED, Comparison, both_noises, columns_of, compare_sets, diversity
from ctxaudio.evaluation.embeddings import Embedding
from ctxaudio.evaluation.features import texture_features
from ctxaudio.evaluation.recall import fit_classifier, recall, recall_across_folds
from ctxaudio.files import FloatArray
from ctxaudio.signal.envelope import Array

#: Windows in the middle of a clip that it is compared with other clips by: those of 4 s.
MIDDLE_WINDOWS = 3
OVERALL = "mean"
#: The features `[n, K]` of each clip of a set, by its id.
Features = dict[str, Array]
_PIECE = re.compile(r"#\d+$")


@dataclass(frozen=True)
class Evaluation:
    """`table` has a row a condition, and one of their means; what is missing is NaN, and `notes` say why.

    Columns: `condition`, `verdict`, `real_clips`, `training_clips`, `generated_clips`, `floor_of`; `kernel_*` and
    `frechet_*` of `generated`, `real_floor`, `matched_noise`, `white_noise`, each with `_low` and `_high` (90 %), of
    embeddings with their name in front; `diversity`, `real_diversity`, with intervals; `nearest` and
    `held_out_nearest`, median distances to the nearest training clip, and `memorisation_ratio`, the first over the
    second: about 1 is as new as held-out clips are, far below is learnt by heart; `copies`, how many; `recall`,
    `real_recall`, the shares of clips whose condition a classifier fitted to real ones predicts.
    """

    table: pd.DataFrame
    copies: list[Copy]
    notes: list[str]


def evaluate(
    real: RealSound,
    generated: Sounds,
    sample_rate: int,
    embeddings: Mapping[str, Embedding] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Compare generated with real clips of the same conditions, each alone.

    Raises `CtxAudioError` where no condition has both real and generated clips; those that lack one are noted.
    """
    shared = [name for name in generated if generated[name] and real.reference.get(name)]
    notes = [
        f"{name}: left out, there is no {'real' if generated.get(name) else 'generated'} clip"
        for name in sorted({*generated, *real.reference} - set(shared))
    ]
    if not shared:
        raise CtxAudioError(f"nothing to compare: {'; '.join(notes) or 'no clips'}")
    notes = [*real.notes, *notes]
    sets = {name: [real.reference[name], real.training.get(name, {}), generated[name]] for name in shared}
    texture = {name: features_of(sets[name], texture_features, sample_rate) for name in shared}
    middles = {name: [[_middle(rows) for rows in clips.values()] for clips in texture[name]] for name in shared}
    recalls = _recalls(middles, notes)
    rows, copies = [], []
    for name in shared:
        reference, training, made = sets[name]
        halves = "halves of the real clips" if len(reference) >= 4 else ""
        row: dict[str, Any] = {"condition": name, "floor_of": "training clips" if len(training) >= 2 else halves}
        row |= {"real_clips": len(reference), "training_clips": len(training), "generated_clips": len(made)}
        if few := [f"{len(of)} {kind}" for kind, of in (("real", reference), ("generated", made)) if len(of) < 2]:
            notes.append(f"{name}: {' and '.join(few)} clip: a distance and a diversity need two")
            row["verdict"] = UNDECIDED
        else:
            noises = both_noises(reference, seed)
            compared = compare_features([*texture[name], *features_of(noises, texture_features, sample_rate)], seed)
            row |= {"verdict": compared.verdict} | compared.columns()
            for kind, embed in (embeddings or {}).items():
                embedded = compare_features(features_of([*sets[name], *noises], embed, sample_rate), seed)
                row |= {f"{kind}_{column}": value for column, value in embedded.columns().items()}
            for column, of in (("diversity", middles[name][2]), ("real_diversity", middles[name][0])):
                row |= columns_of(column, diversity(of, seed))
            if row["kernel_real_floor"] is None:
                notes.append(f"{name}: no real-to-real floor: it needs two training clips or four real ones")
            if len({_PIECE.sub("", clip) for clip in reference}) == 1:
                notes.append(f"{name}: its real clips are pieces of one recording: the intervals are too narrow")
        found = find_copies(made, reference, training, sample_rate) if training else []
        if training:
            near, usual = (nearest_training_distance(middles[name][i], middles[name][1]) for i in (2, 0))
            row |= {"nearest": near, "held_out_nearest": usual, "memorisation_ratio": near / usual if usual else None}
        else:
            notes.append(f"{name}: no training clips beside the real ones, so nothing is said of memorisation")
        row |= {"copies": len(found), "recall": recalls[1].get(name), "real_recall": recalls[0].get(name)}
        rows.append(row)
        copies += found
    table = pd.DataFrame(rows)
    counts = [name for name in table if name.endswith("_clips") or name == "copies"]
    table = table.astype({name: float for name in table if name not in (*counts, "condition", "verdict", "floor_of")})
    overall = {**mean_row(table), **table[counts].sum(), "condition": OVERALL, "verdict": "", "floor_of": ""}
    return Evaluation(pd.DataFrame([*table.to_dict("records"), overall])[list(table)], copies, notes)


def mean_row(table: pd.DataFrame) -> dict[str, float]:
    """The means of the columns that are numbers; intervals of independent rows grow as the root of their squares."""
    means = table.mean(numeric_only=True)
    for bound in (name for name in table if name.endswith(("_low", "_high"))):
        value = bound.removesuffix("_low").removesuffix("_high")
        away = (table[bound] - table[value]).dropna()
        means[bound] = means[value] + np.sign(away.sum()) * np.sqrt((away**2).sum()) / max(1, len(away))
    return {str(name): float(value) for name, value in means.items()}


def features_of(sets: Sequence[Mapping[str, FloatArray]], embed: Embedding, sample_rate: int) -> list[Features]:
    """The features of each clip of each set."""
    return [{name: embed(clip, sample_rate) for name, clip in clips.items()} for clips in sets]


def by_recording(clips: Features) -> list[Array]:
    """The features of each clip, pieces of one recording (`name#1`, `name#2`) together, unless there is but one."""
    recordings: dict[str, list[Array]] = {}
    for name, rows in clips.items():
        recordings.setdefault(_PIECE.sub("", name), []).append(rows)
    return [np.concatenate(pieces) for pieces in recordings.values()] if len(recordings) > 1 else list(clips.values())


def compare_features(sets: Sequence[Features], seed: int) -> Comparison:
    """`compare_sets` of real, other real and generated clips and the two noises, recording by recording."""
    real, other, generated, matched, white = (by_recording(clips) for clips in sets)
    return compare_sets(real, other, generated, (matched, white), seed)


def _recalls(middles: Mapping[str, list[list[Array]]], notes: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Recall of real clips that the classifier was not fitted to, and of generated ones, by condition."""
    real, training, made = ({name: sets[i] for name, sets in middles.items()} for i in range(3))
    learnt, told = ({name: clips for name, clips in of.items() if len(clips) >= 2} for of in (training, real))
    fitted = learnt if len(learnt) >= 2 else told
    if len(fitted) < 2:
        notes.append("recall needs two conditions with two real clips each")
        return {}, {}
    classifier = fit_classifier(fitted)
    of_made, of_real = (recall(classifier, {name: of[name] for name in fitted}) for of in (made, real))
    return recall_across_folds(told) if fitted is told else of_real, of_made


def _middle(rows: Array) -> Array:
    """The windows in the middle: long clips would differ less from each other than short ones do."""
    start = max(0, (len(rows) - MIDDLE_WINDOWS) // 2)
    return rows[start : start + MIDDLE_WINDOWS]
