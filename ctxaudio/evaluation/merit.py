"""The figures of merit of a trained generator: distances to real clips, and modulation as asked for.

Notebook: 06_spectral_analysis.ipynb
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from ctxaudio.evaluation.clips import LONGEST_S, RealSound, Sounds, middle
from ctxaudio.evaluation.distances import both_noises
from ctxaudio.evaluation.evaluate import compare_features, features_of, mean_row
from ctxaudio.evaluation.features import texture_features
from ctxaudio.evaluation.measures import carrier_prominence_db
from ctxaudio.files import FloatArray
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.signal.envelope import hilbert_envelope, joint_depths

CLIPS_PER_CONDITION = 10


def figures_of_merit(generator: Generator, real: RealSound, seed: int = 0) -> dict[str, Any]:
    """Kernel distances of texture (of each condition, and their means) and measured modulation, ready for JSON.

    `reference` and `notes` say what the clips are compared with; the floor is the distance of training clips. Of
    longer clips the middle 4 s count. A condition with fewer than two real clips has no distances. Generates
    `CLIPS_PER_CONDITION` clips of 4 s a condition, with and without modulation.
    """
    sample_rate = generator.config.sample_rate
    plain, modulated = (_generated(generator, profile, seed) for profile in (ModulationProfile(), None))
    found = {}
    for name, clips in plain.items():
        reference = {clip: middle(samples, sample_rate) for clip, samples in real.reference.get(name, {}).items()}
        if len(reference) >= 2:
            training = {clip: middle(samples, sample_rate) for clip, samples in real.training.get(name, {}).items()}
            sets = [reference, training, clips, *both_noises(reference, seed)]
            found[name] = compare_features(features_of(sets, texture_features, sample_rate), seed)
    kernel = {
        name: {column.removeprefix("kernel_"): value for column, value in one.columns().items() if "kernel" in column}
        for name, one in found.items()
    }
    flat = [[clip for clips in sounds.values() for clip in clips.values()] for sounds in (modulated, plain)]
    means = mean_row(pd.DataFrame(list(kernel.values()), dtype=float))
    return {
        "reference": real.description,
        "notes": [*real.notes, *(f"{name}: too few real clips" for name in plain if name not in found)],
        "texture_distance": {
            "all_conditions": {name: None if np.isnan(value) else value for name, value in means.items()} or None,
            "by_condition": kernel,
        },
        "verdicts": {name: one.verdict for name, one in found.items()},
        "modulation": modulation_figures(generator.modulation.profile, flat[0], flat[1], sample_rate),
    }


def modulation_figures(
    profile: ModulationProfile, modulated: Sequence[FloatArray], plain: Sequence[FloatArray], sample_rate: int
) -> list[dict[str, float]]:
    """Per rate of the profile: the depth asked for, measured (median), and of the same clips `[T]` without it.

    Measured by Hilbert envelope and least squares, which share no code with the modulation layer. Carriers: their
    prominence over the neighbourhood in decibels, with and without.
    """
    groups, rates_hz = (modulated, plain), [rate.rate_hz for rate in profile.rates]
    rows = []
    if rates_hz:
        measured, without = (
            np.median([joint_depths(hilbert_envelope(c, sample_rate), sample_rate, rates_hz) for c in clips], axis=0)
            for clips in groups
        )
        rows = [
            {"rate_hz": rate.rate_hz, "asked": rate.depth, "measured": float(measured[i]), "without": float(without[i])}
            for i, rate in enumerate(profile.rates)
        ]
    for carrier in profile.carriers:
        found, none = (
            median(carrier_prominence_db(clip, sample_rate, carrier.frequency_hz) for clip in clips) for clips in groups
        )
        row = {"carrier_hz": carrier.frequency_hz, "asked": carrier.depth}
        rows.append({**row, "prominence_db": found, "without_db": none})
    return rows


def _generated(generator: Generator, profile: ModulationProfile | None, seed: int) -> Sounds:
    found: Sounds = {}
    for condition in trained_conditions(generator):
        name = generator.config.conditions[condition]
        made = generate_clips(generator, CLIPS_PER_CONDITION, LONGEST_S, condition, seed, profile)
        found[name] = {f"{name} {number}": clip.samples for number, clip in enumerate(made, 1)}
    return found
