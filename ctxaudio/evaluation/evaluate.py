"""Generated beside real clips, condition by condition: distances, diversity, copies of training clips.

Every figure stands beside the same figure of real clips, or of noise. Where a set is too small for a figure, the notes
say so, and the figure is missing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from ctxaudio.evaluation import distances
from ctxaudio.evaluation.analysis import carrier_prominence_db, finite, write_results
from ctxaudio.evaluation.features import texture_features
from ctxaudio.evaluation.sounds import LONGEST_S, RealSound, Sounds
from ctxaudio.files import FloatArray
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.plots import distances as picture_of_distances
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.signal.envelope import Array, hilbert_envelope, joint_depths

#: Windows in the middle of a clip that it is compared with other clips by: those of 4 s.
MIDDLE_WINDOWS = 3
CLIPS_PER_CONDITION = 10
OVERALL = "mean"
COUNTS = ["real_clips", "training_clips", "generated_clips", "copies"]
KERNELS = [f"kernel_{name}" for name in ("generated", "real_floor", "matched_noise", "white_noise")]
WITH_INTERVAL = [f"{name}{end}" for name in (*KERNELS, "diversity", "real_diversity") for end in ("", "_low", "_high")]
COLUMNS = ["condition", *COUNTS[:3], "verdict", *WITH_INTERVAL, "copies"]
#: What a verdict on several conditions says of those whose own verdict begins with a word.
OF_CONDITIONS = {
    "near": "as near to real clips as these are to each other",
    "distinguishable": "can be told from real clips",
    "undecided": "undecided for want of clips",
}
_PIECE = re.compile(r"#\d+$")


@dataclass(frozen=True)
class Evaluation:
    """`table` has a row a condition, and one of their means; what is missing is NaN, and `notes` say why.

    `COLUMNS`: `kernel_*` are distances to real clips, each, as each `diversity`, with `_low` and `_high` (90 %).
    """

    table: pd.DataFrame
    copies: list[dict[str, Any]]
    notes: list[str]

    @property
    def verdict(self) -> str:
        """All conditions and copies in one line of plain words."""
        kinds = Counter(re.split(r"\W", verdict)[0] for verdict in self.table["verdict"][:-1])
        counts = ", ".join(f"{kinds[kind]} {said}" for kind, said in OF_CONDITIONS.items() if kinds[kind])
        copied = f"{len(self.copies)} clips may be copies of training clips" if self.copies else "no copies found"
        return f"of {len(self.table) - 1} conditions {counts}; {copied}"

    @property
    def kernel_distances(self) -> dict[str, dict[str, Any]]:
        """By condition, the means under `OVERALL`, as `plots.distances` takes them; only those that there are."""
        kernels = self.table.set_index("condition").filter(like="kernel_").dropna(subset="kernel_generated")
        kernels.columns = kernels.columns.str.removeprefix("kernel_")
        return {str(name): finite(row) for name, row in kernels.to_dict("index").items()}

    def write(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write `evaluation.csv`, `evaluation.json` (with `about`: what was compared) and `evaluation.png`."""
        *conditions, overall = self.table.to_dict("records")
        found = {"verdict": self.verdict, "overall": overall, "conditions": conditions, "notes": self.notes}
        content = {**about, **found, "copies": self.copies}
        drawn = {name: row for name, row in self.kernel_distances.items() if name != OVERALL}
        write_results(folder, "evaluation", self.table, content, picture_of_distances(drawn) if drawn else None)


def evaluate(real: RealSound, generated: Sounds, sample_rate: int, seed: int = 0) -> Evaluation:
    """Compare generated with real clips of the same conditions, each alone; those that lack one are noted."""
    shared = [name for name in generated if generated[name] and real.reference.get(name)]
    notes = [*real.notes]
    for name in sorted({*generated, *real.reference} - set(shared)):
        notes.append(f"{name}: left out, there is no {'real' if generated.get(name) else 'generated'} clip")
    rows, copies = [], []
    for name in shared:
        reference, training, made = sets = real.reference[name], real.training.get(name, {}), generated[name]
        texture = [features_of(clips, sample_rate) for clips in sets]
        middles = [[_middle(rows) for rows in clips.values()] for clips in texture]
        row: dict[str, Any] = {"condition": name, "real_clips": len(reference), "training_clips": len(training)}
        row["generated_clips"] = len(made)
        if few := [f"{len(of)} {kind}" for kind, of in (("real", reference), ("generated", made)) if len(of) < 2]:
            notes.append(f"{name}: {' and '.join(few)} clip: a distance and a diversity need two")
            row["verdict"] = distances.UNDECIDED
        else:
            noises = [features_of(clips, sample_rate) for clips in distances.both_noises(reference, seed)]
            recordings, others, clips, *noises_of = (by_recording(of) for of in (*texture, *noises))
            found, row["verdict"] = distances.compare_sets(recordings, others, clips, noises_of, seed)
            found = {f"kernel_{kind}": one for kind, one in found.items()}
            found |= {"diversity": distances.diversity(middles[2], seed)}
            found |= {"real_diversity": distances.diversity(middles[0], seed)}
            for column, (value, low, high) in found.items():
                row |= {column: value, f"{column}_low": low, f"{column}_high": high}
            if "kernel_real_floor" not in found:
                notes.append(f"{name}: no real-to-real floor: it needs two training clips")
            if len({_PIECE.sub("", clip) for clip in reference}) == 1:
                notes.append(f"{name}: its real clips are pieces of one recording: the intervals are too narrow")
        copied = distances.find_copies(made, reference, training, sample_rate)
        if not training:
            notes.append(f"{name}: no training clips beside the real ones, so nothing is said of copies")
        rows.append(row | {"copies": len(copied)})
        copies += copied
    table = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(WITH_INTERVAL, float))
    overall = {**mean_row(table), **table[COUNTS].sum(), "condition": OVERALL, "verdict": ""}
    return Evaluation(pd.DataFrame([*rows, overall], columns=COLUMNS), copies, notes)


def mean_row(table: pd.DataFrame) -> dict[str, float]:
    """The means of the columns that are numbers; intervals of independent rows grow as the root of their squares."""
    means = table.mean(numeric_only=True)
    for bound in (name for name in table if name.endswith(("_low", "_high"))):
        value = bound.rpartition("_")[0]
        away = (table[bound] - table[value]).dropna()
        means[bound] = means[value] + np.sign(away.sum()) * np.sqrt((away**2).sum()) / max(1, len(away))
    return {str(name): float(value) for name, value in means.items()}


def figures_of_merit(generator: Generator, real: RealSound, seed: int = 0) -> dict[str, Any]:
    """Kernel distances of texture (of each condition, and their means) and measured modulation, ready for JSON.

    `reference` and `notes` say what the clips are compared with, `verdict` and `verdicts` what follows. Generates
    `CLIPS_PER_CONDITION` clips of 4 s a condition, with and without modulation.
    """
    sample_rate, profile = generator.config.sample_rate, generator.modulation.profile
    plain, modulated = (
        generated_clips(generator, CLIPS_PER_CONDITION, LONGEST_S, seed, one) for one in (ModulationProfile(), profile)
    )
    with_it, without = ([clip for clips in of.values() for clip in clips.values()] for of in (modulated, plain))
    found = evaluate(real, plain, sample_rate, seed)
    kernels = found.kernel_distances
    return {
        "reference": real.description,
        "notes": found.notes,
        "texture_distance": {"all_conditions": kernels.pop(OVERALL, None), "by_condition": kernels},
        "verdict": found.verdict,
        "verdicts": found.table.set_index("condition")["verdict"].drop(OVERALL).to_dict(),
        "modulation": modulation_figures(profile, with_it, without, sample_rate),
    }


def generated_clips(
    generator: Generator, count: int, duration_s: float, seed: int, profile: ModulationProfile
) -> Sounds:
    """`count` clips of each trained condition, modulated by `profile`."""
    found: Sounds = {}
    for condition in trained_conditions(generator):
        name = generator.config.conditions[condition]
        made = generate_clips(generator, count, duration_s, condition, seed, profile)
        found[name] = {f"{name} {number}": clip.samples for number, clip in enumerate(made, 1)}
    return found


def modulation_figures(
    profile: ModulationProfile, modulated: Sequence[FloatArray], plain: Sequence[FloatArray], sample_rate: int
) -> list[dict[str, float]]:
    """Per rate of the profile: the depth asked for, measured (median), and of the same clips `[T]` without it.

    Carriers: their prominence over the neighbourhood in decibels, with and without.
    """
    rows, both = [], (modulated, plain)
    if rates_hz := [rate.rate_hz for rate in profile.rates]:
        depths = (
            [joint_depths(hilbert_envelope(clip, sample_rate), sample_rate, rates_hz) for clip in clips]
            for clips in both
        )
        columns = zip(profile.rates, *(np.median(of, axis=0).tolist() for of in depths), strict=True)
        rows += [{"rate_hz": r.rate_hz, "asked": r.depth, "measured": m, "without": w} for r, m, w in columns]
    for carrier in profile.carriers:
        hertz = carrier.frequency_hz
        heard_db, without_db = (median(carrier_prominence_db(c, sample_rate, hertz) for c in clips) for clips in both)
        row = {"carrier_hz": hertz, "asked": carrier.depth, "prominence_db": heard_db, "without_db": without_db}
        rows.append(row)
    return rows


def features_of(clips: Mapping[str, FloatArray], sample_rate: int) -> dict[str, Array]:
    return {name: texture_features(clip, sample_rate) for name, clip in clips.items()}


def by_recording(clips: Mapping[str, Array]) -> list[Array]:
    """The features of each clip, pieces of one recording (`name#1`, `name#2`) together, unless there is but one."""
    recordings: dict[str, list[Array]] = {}
    for name, rows in clips.items():
        recordings.setdefault(_PIECE.sub("", name), []).append(rows)
    return [np.concatenate(pieces) for pieces in recordings.values()] if len(recordings) > 1 else list(clips.values())


def _middle(rows: Array) -> Array:
    """The windows in the middle: long clips would differ less from each other than short ones do."""
    start = max(0, (len(rows) - MIDDLE_WINDOWS) // 2)
    return rows[start : start + MIDDLE_WINDOWS]
