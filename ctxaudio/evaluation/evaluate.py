"""Generated beside real clips, condition by condition: distances, diversity, copies of training clips.

Real clips are read from a folder, or taken from those that a run has prepared. Every figure stands beside the same
figure of real clips, or of noise. Where a set is too small for a figure, the notes say so, and the figure is missing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from ctxaudio import plots
from ctxaudio.contexts import context_named
from ctxaudio.data.fsd50k import Clip, audio_folder, is_fsd50k, read_index
from ctxaudio.data.prepare import PreparedClips, decode_clip
from ctxaudio.data.selection import select_clips, select_folder
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.evaluation import distances
from ctxaudio.evaluation.analysis import carrier_prominence_db, finite, write_results
from ctxaudio.files import FloatArray
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.signal.envelope import Array, hilbert_envelope, joint_depths

#: Clips by condition and name, each `[T]`.
Sounds = dict[str, dict[str, FloatArray]]
#: What is compared of a clip: its middle, for long clips differ less from each other than short ones do.
MIDDLE_S = 4.0
CAUTION = "the reference is the val split, some of it by uploaders of training clips: distances may flatter a model"
CLIPS_PER_CONDITION = 10
OVERALL = "mean"
COUNTS = ["real_clips", "training_clips", "generated_clips", "copies"]
KERNELS = [f"kernel_{name}" for name in ("generated", "real_floor", "matched_noise", "white_noise")]
WITH_INTERVAL = [f"{name}{end}" for name in (*KERNELS, "diversity", "real_diversity") for end in ("", "_low", "_high")]
COLUMNS = ["condition", *COUNTS[:3], "verdict", *WITH_INTERVAL, "memorisation_ratio", "copies"]
#: What a verdict on several conditions says of those whose own verdict begins with a word.
OF_CONDITIONS = {
    "near": "as near to real clips as these are to each other",
    "distinguishable": "can be told from real clips",
    "undecided": "undecided for want of clips",
}
_PIECE = re.compile(r"#\d+$")


@dataclass(frozen=True)
class RealSound:
    """Real clips: those compared with (`reference`) and those of the training split, and `notes` on their choice."""

    reference: Sounds
    training: Sounds
    description: str
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
        names = selection.context.conditions
        for name in conditions:
            clips = [c for c in selection.clips if (names[c.condition], c.split) == (name, wanted)]
            if len(clips) > most:
                real.notes.append(f"{name}: {most} of {len(clips)} {kind} clips taken, by chance")
                chosen = np.random.default_rng(0).choice(len(clips), most, replace=False)
                clips = [clips[i] for i in sorted(chosen)]
            sounds[name] = _decoded(clips, sample_rate, real.notes)
    if not any(real.reference.values()):
        none = f"no real clip of {', '.join(conditions)} in {real.description}"
        because = next((f" ({note})" for note in real.notes if note.startswith("skipped")), "")
        raise CtxAudioError(f"{none}{because}: name another --data_dir")
    return real


def _decoded(clips: Sequence[Clip], sample_rate: int, notes: list[str]) -> dict[str, FloatArray]:
    """The clips as training hears them, by id; what can't be used is noted with its reason."""
    found = {}
    for clip in clips:
        try:
            found[clip.clip_id] = decode_clip(clip.path, sample_rate, clip.start, clip.stop)
        except ClipError as error:
            notes.append(f"skipped {error}")
    return found


def held_out_sound(clips: PreparedClips, data_dir: Path, most: int) -> RealSound:
    """What a generator trained on `clips` is judged by, at most `most` clips of a condition: the eval split of
    `data_dir` where there is one, else, with a note, the validation clips."""
    notes = [CAUTION]
    if is_fsd50k(data_dir) and audio_folder(data_dir, "eval").is_dir():
        try:
            return real_sound(data_dir, clips.condition_names, clips.sample_rate, clips.context, most)
        except CtxAudioError as error:
            notes.append(str(error))
    reference, training = (prepared_sound(clips, split, most) for split in ("val", "train"))
    return RealSound(reference, training, f"val split of {data_dir}", notes)


def prepared_sound(clips: PreparedClips, split: str, most: int) -> Sounds:
    """At most `most` prepared clips of each condition of a split, the middle 4 s of each."""
    return {
        name: {clips.clips[i].clip_id: middle(clips.audio(i), clips.sample_rate) for i in clips.of(split, c)[:most]}
        for c, name in enumerate(clips.condition_names)
    }


def middle(clip: FloatArray, sample_rate: int) -> FloatArray:
    """The middle 4 s of a clip `[T]`; a shorter one as it is."""
    start = max(0, (len(clip) - round(MIDDLE_S * sample_rate)) // 2)
    return clip[start : start + round(MIDDLE_S * sample_rate)]


@dataclass(frozen=True)
class Evaluation:
    """`table` has a row a condition, and one of their means; what is missing is NaN, and `notes` say why.

    `COLUMNS`: `kernel_*` are distances to real clips, each, as each `diversity`, with `_low` and `_high` (90 %);
    `memorisation_ratio` is the median distance to the nearest training clip over that of the real clips: about 1 is as
    new as these are, far below is learnt by heart.
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
        write_results(folder, "evaluation", self.table, content, plots.distances(drawn) if drawn else None)


def evaluate(real: RealSound, generated: Sounds, sample_rate: int, seed: int = 0) -> Evaluation:
    """Compare the middle 4 s of the generated clips of each condition with that of its real clips."""
    notes, rows, copies = [*real.notes], [], []
    for name, made in generated.items():
        reference, training, _ = sets = real.reference.get(name, {}), real.training.get(name, {}), made
        found = distances.find_copies(made, reference, training, sample_rate)
        row: dict[str, Any] = dict(zip(COUNTS, map(len, (*sets, found)), strict=True))
        middles = [{clip: middle(samples, sample_rate) for clip, samples in of.items()} for of in sets]
        middles += distances.both_noises(middles[0], seed)
        texture = [{clip: distances.texture_features(of[clip], sample_rate) for clip in of} for of in middles]
        of_real, of_training, of_made = (list(of.values()) for of in texture[:3])
        if of_real and of_training and of_made:
            usual = distances.nearest_training_distance(of_real, of_training)
            row["memorisation_ratio"] = distances.nearest_training_distance(of_made, of_training) / max(usual, 1e-9)
        sizes = {"real": len(reference), "generated": len(made)}
        if few := [f"{size or 'no'} {kind}" for kind, size in sizes.items() if size < 2]:
            notes.append(f"{name}: {' and '.join(few)} clip: a distance and a diversity need two")
            row["verdict"] = distances.UNDECIDED
        else:
            recordings, others, clips, *noises = (by_recording(of) for of in texture)
            kernels, row["verdict"] = distances.compare_sets(recordings, others, clips, noises, seed)
            estimates = {f"kernel_{kind}": one for kind, one in kernels.items()}
            estimates |= {"diversity": distances.diversity(of_made, seed)}
            estimates |= {"real_diversity": distances.diversity(of_real, seed)}
            for column, (value, low, high) in estimates.items():
                row |= {column: value, f"{column}_low": low, f"{column}_high": high}
            if "real_floor" not in kernels:
                notes.append(f"{name}: no real-to-real floor: it needs two training clips")
            if len({_PIECE.sub("", clip) for clip in reference}) == 1:
                notes.append(f"{name}: its real clips are pieces of one recording: the intervals are too narrow")
        if not training:
            notes.append(f"{name}: no training clips beside the real ones, so nothing is said of copies")
        rows.append({"condition": name, **row})
        copies += found
    table = pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys([*WITH_INTERVAL, "memorisation_ratio"], float))
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
    """Kernel distances of texture (of each condition, and their means) and measured modulation, ready for JSON, of
    `CLIPS_PER_CONDITION` clips of 4 s a condition, with and without modulation.

    `reference` and `notes` say what the clips are compared with, `verdict` and `verdicts` what follows.
    """
    sample_rate, profile = generator.config.sample_rate, generator.modulation.profile
    plain, modulated = (generated_clips(generator, CLIPS_PER_CONDITION, seed, of) for of in (False, True))
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


def generated_clips(generator: Generator, count: int, seed: int, modulated: bool = False) -> Sounds:
    """`count` clips of 4 s of each trained condition, with or without the generator's modulation."""
    found: Sounds = {}
    profile = None if modulated else ModulationProfile()
    for condition in trained_conditions(generator):
        name = generator.config.conditions[condition]
        made = generate_clips(generator, count, MIDDLE_S, condition, seed, profile)
        found[name] = {f"{name} {number}": clip.samples for number, clip in enumerate(made, 1)}
    return found


def modulation_figures(
    profile: ModulationProfile, modulated: Sequence[FloatArray], plain: Sequence[FloatArray], sample_rate: int
) -> list[dict[str, float]]:
    """Per rate of the profile: the depth asked for, measured (median), and of the same clips `[T]` without it. Per
    carrier: its prominence over the neighbourhood in decibels, with and without."""
    rows, both = [], (modulated, plain)
    if rates_hz := [rate.rate_hz for rate in profile.rates]:
        envelopes = ([hilbert_envelope(clip, sample_rate) for clip in clips] for clips in both)
        depths = (np.median([joint_depths(e, sample_rate, rates_hz) for e in of], axis=0).tolist() for of in envelopes)
        columns = zip(profile.rates, *depths, strict=True)
        rows += [{"rate_hz": r.rate_hz, "asked": r.depth, "measured": m, "without": w} for r, m, w in columns]
    for carrier in profile.carriers:
        hertz = carrier.frequency_hz
        with_db, without_db = (median(carrier_prominence_db(c, sample_rate, hertz) for c in clips) for clips in both)
        rows.append({"carrier_hz": hertz, "asked": carrier.depth, "prominence_db": with_db, "without_db": without_db})
    return rows


def by_recording(clips: Mapping[str, Array]) -> list[Array]:
    """The features of each clip, pieces of one recording (`name#1`, `name#2`) together, unless there is but one."""
    recordings: dict[str, list[Array]] = {}
    for name, rows in clips.items():
        recordings.setdefault(_PIECE.sub("", name), []).append(rows)
    return [np.concatenate(pieces) for pieces in recordings.values()] if len(recordings) > 1 else list(clips.values())
