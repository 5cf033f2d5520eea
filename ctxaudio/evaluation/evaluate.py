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

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.analysis import carrier_prominence_db, finite, write_results
from ctxaudio.evaluation.copies import Copy, find_copies, nearest_training_distance
from ctxaudio.evaluation.distances import NEAR, UNDECIDED, both_noises, columns_of, compare_sets, diversity
from ctxaudio.evaluation.features import texture_features
from ctxaudio.evaluation.sounds import LONGEST_S, RealSound, Sounds
from ctxaudio.files import FloatArray
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.plots import distances
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.signal.envelope import Array, hilbert_envelope, joint_depths

#: Windows in the middle of a clip that it is compared with other clips by: those of 4 s.
MIDDLE_WINDOWS = 3
CLIPS_PER_CONDITION = 10
OVERALL = "mean"
#: The features `[n, K]` of each clip of a set, by its id.
Features = dict[str, Array]
_PIECE = re.compile(r"#\d+$")


@dataclass(frozen=True)
class Evaluation:
    """`table` has a row a condition, and one of their means; what is missing is NaN, and `notes` say why.

    Columns: `condition`, `verdict`, `real_clips`, `training_clips`, `generated_clips`, `floor_of`; `kernel_*` of
    `generated`, `real_floor`, `matched_noise`, `white_noise`, each with `_low` and `_high` (90 %); `diversity`,
    `real_diversity`, with intervals; `nearest` and `held_out_nearest`, median distances to the nearest training clip,
    and `memorisation_ratio`, the first over the second: about 1 is as new as held-out clips are, far below is learnt
    by heart; `copies`, how many.
    """

    table: pd.DataFrame
    copies: list[Copy]
    notes: list[str]

    @property
    def verdict(self) -> str:
        """All conditions and copies in one line of plain words."""
        kinds = Counter(verdict.partition(":")[0].partition(",")[0] for verdict in self.table["verdict"][:-1])
        said = {
            NEAR.partition(":")[0]: "as near to real clips as these are to each other",
            "distinguishable": "can be told from real clips",
            UNDECIDED.partition(":")[0]: "undecided for want of clips",
        }
        counts = [f"{kinds[kind]} {text}" for kind, text in said.items() if kinds[kind]]
        copied = f"{len(self.copies)} clips may be copies of training clips" if self.copies else "no copies found"
        return f"of {len(self.table) - 1} conditions {', '.join(counts)}; {copied}"

    @property
    def kernel_distances(self) -> dict[str, dict[str, Any]]:
        """By condition, the means under `OVERALL`, as `plots.distances` takes them; only those that there are."""
        if "kernel_generated" not in self.table:
            return {}
        kernels = self.table.set_index("condition").filter(like="kernel_").dropna(subset="kernel_generated")
        kernels = kernels.rename(columns=lambda column: column.removeprefix("kernel_"))
        return {str(name): finite(row) for name, row in kernels.to_dict("index").items()}

    def write(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write `evaluation.csv`, `evaluation.json` (with `about`: what was compared) and `evaluation.png`."""
        *conditions, overall = self.table.to_dict("records")
        found = {"verdict": self.verdict, "overall": overall, "conditions": conditions, "notes": self.notes}
        content = {**about, **found, "copies": [copy._asdict() for copy in self.copies]}
        drawn = {name: row for name, row in self.kernel_distances.items() if name != OVERALL}
        write_results(folder, "evaluation", self.table, content, distances(drawn) if drawn else None)


def evaluate(real: RealSound, generated: Sounds, sample_rate: int, seed: int = 0) -> Evaluation:
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
    texture = {name: features_of(sets[name], sample_rate) for name in shared}
    middles = {name: [[_middle(rows) for rows in clips.values()] for clips in texture[name]] for name in shared}
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
            noises = features_of(both_noises(reference, seed), sample_rate)
            recordings, others, clips, *noises_of = (by_recording(of) for of in (*texture[name], *noises))
            compared = compare_sets(recordings, others, clips, noises_of, seed)
            row["verdict"] = compared.verdict
            row |= {f"kernel_{column}": value for column, value in compared.columns().items()}
            for column, of in (("diversity", middles[name][2]), ("real_diversity", middles[name][0])):
                row |= columns_of(column, diversity(of, seed))
            if compared.real_floor is None:
                notes.append(f"{name}: no real-to-real floor: it needs two training clips or four real ones")
            if len({_PIECE.sub("", clip) for clip in reference}) == 1:
                notes.append(f"{name}: its real clips are pieces of one recording: the intervals are too narrow")
        found = find_copies(made, reference, training, sample_rate) if training else []
        if training:
            near, usual = (nearest_training_distance(middles[name][i], middles[name][1]) for i in (2, 0))
            row |= {"nearest": near, "held_out_nearest": usual, "memorisation_ratio": near / usual if usual else None}
        else:
            notes.append(f"{name}: no training clips beside the real ones, so nothing is said of memorisation")
        rows.append(row | {"copies": len(found)})
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


def figures_of_merit(generator: Generator, real: RealSound, seed: int = 0) -> dict[str, Any]:
    """Kernel distances of texture (of each condition, and their means) and measured modulation, ready for JSON.

    `reference` and `notes` say what the clips are compared with, `verdict` and `verdicts` what follows. Generates
    `CLIPS_PER_CONDITION` clips of 4 s a condition, with and without modulation.
    """
    sample_rate, profile = generator.config.sample_rate, generator.modulation.profile
    plain, modulated = (
        generated_clips(generator, CLIPS_PER_CONDITION, LONGEST_S, seed, one) for one in (ModulationProfile(), profile)
    )
    flat = [[clip for clips in sounds.values() for clip in clips.values()] for sounds in (modulated, plain)]
    modulation = modulation_figures(profile, flat[0], flat[1], sample_rate)
    if not any(real.reference.get(name) for name in plain):
        found = Evaluation(pd.DataFrame({"condition": [OVERALL], "verdict": ""}), [], [*real.notes, "no real clips"])
    else:
        found = evaluate(real, plain, sample_rate, seed)
    kernels = found.kernel_distances
    overall = kernels.pop(OVERALL, None)
    return {
        "reference": real.description,
        "notes": found.notes,
        "texture_distance": {"all_conditions": overall, "by_condition": kernels},
        "verdict": found.verdict,
        "verdicts": found.table.set_index("condition")["verdict"].drop(OVERALL).to_dict(),
        "modulation": modulation,
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
    rates_hz = [rate.rate_hz for rate in profile.rates]
    rows: list[dict[str, float]] = []
    if rates_hz:
        measured, without = (
            np.median([joint_depths(hilbert_envelope(c, sample_rate), sample_rate, rates_hz) for c in clips], axis=0)
            for clips in (modulated, plain)
        )
        found = zip(profile.rates, measured.tolist(), without.tolist(), strict=True)
        rows += [{"rate_hz": r.rate_hz, "asked": r.depth, "measured": m, "without": w} for r, m, w in found]
    for carrier in profile.carriers:
        with_db, without_db = (
            median(carrier_prominence_db(clip, sample_rate, carrier.frequency_hz) for clip in clips)
            for clips in (modulated, plain)
        )
        of_carrier = {"carrier_hz": carrier.frequency_hz, "asked": carrier.depth}
        rows.append({**of_carrier, "prominence_db": with_db, "without_db": without_db})
    return rows


def features_of(sets: Sequence[Mapping[str, FloatArray]], sample_rate: int) -> list[Features]:
    """The features of each clip of each set."""
    return [{name: texture_features(clip, sample_rate) for name, clip in clips.items()} for clips in sets]


def by_recording(clips: Features) -> list[Array]:
    """The features of each clip, pieces of one recording (`name#1`, `name#2`) together, unless there is but one."""
    recordings: dict[str, list[Array]] = {}
    for name, rows in clips.items():
        recordings.setdefault(_PIECE.sub("", name), []).append(rows)
    return [np.concatenate(pieces) for pieces in recordings.values()] if len(recordings) > 1 else list(clips.values())


def _middle(rows: Array) -> Array:
    """The windows in the middle: long clips would differ less from each other than short ones do."""
    start = max(0, (len(rows) - MIDDLE_WINDOWS) // 2)
    return rows[start : start + MIDDLE_WINDOWS]
