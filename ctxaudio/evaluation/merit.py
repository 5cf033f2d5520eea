"""The figures of merit of a trained generator: distances to real clips, and modulation as asked for.

Notebook: 05_spectral_analysis.ipynb
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ctxaudio.evaluation.clips import LONGEST_S, RealSound, Sounds
from ctxaudio.evaluation.distances import both_noises
from ctxaudio.evaluation.evaluate import Features, compare_features, distance_columns, features_of
from ctxaudio.evaluation.features import texture_features
from ctxaudio.files import FloatArray
from ctxaudio.generate import generate_clips, trained_conditions
from ctxaudio.model.generator import Generator
from ctxaudio.signal.carriers import carrier_prominence_db
from ctxaudio.signal.envelope import hilbert_envelope, joint_depths
from ctxaudio.signal.profile import ModulationProfile

CLIPS_PER_CONDITION = 10


def figures_of_merit(generator: Generator, real: RealSound, seed: int = 0) -> dict[str, Any]:
    """Kernel distances of texture (each condition alone, and all in one set) and measured modulation, ready for JSON.

    `reference` and `notes` say what the clips are compared with; the floor is the distance of training clips. A
    condition with fewer than two real clips gets no entry of its own. Generates `CLIPS_PER_CONDITION` clips of 4 s a
    condition, with and without modulation.
    """
    sample_rate = generator.config.sample_rate
    plain, modulated = (_generated(generator, profile, seed) for profile in (ModulationProfile(), None))
    sets: dict[str, list[Features]] = {}
    for name, own in plain.items():
        clips = real.reference.get(name, {})
        noises = [dict(zip(clips, noise, strict=True)) for noise in both_noises(list(clips.values()), seed)]
        of_name = (clips, real.training.get(name, {}), own, *noises)
        sets[name] = [features_of(clips, texture_features, sample_rate) for clips in of_name]
    together = [{clip: rows for of in sets.values() for clip, rows in of[kind].items()} for kind in range(5)]
    found = {name: compare_features(of, seed) for name, of in {**sets, "": together}.items() if len(of[0]) >= 2}
    figures = {name: distance_columns("", compared.kernel) for name, compared in found.items()}
    return {
        "reference": real.description,
        "notes": real.notes,
        "texture_distance": {"all_conditions": figures.pop("", None), "by_condition": figures},
        "verdicts": {name: found[name].verdict for name in figures},
        "modulation": modulation_figures(generator.modulation.profile, modulated, plain, sample_rate),
    }


def modulation_figures(
    profile: ModulationProfile, modulated: Sounds, plain: Sounds, sample_rate: int
) -> list[dict[str, float]]:
    """Per rate of the profile: the depth asked for, measured (median), and of the same clips without it.

    Measured by Hilbert envelope and least squares, which share no code with the modulation layer. Carriers: their
    prominence over the neighbourhood in decibels, with and without.
    """
    rates_hz = [rate.rate_hz for rate in profile.rates]

    def depths(clip: FloatArray) -> Sequence[float]:
        return joint_depths(hilbert_envelope(clip, sample_rate), sample_rate, rates_hz) if rates_hz else ()

    def medians(measure: Callable[[FloatArray], Any]) -> tuple[Any, Any]:
        return tuple(
            np.median([measure(clip) for own in sounds.values() for clip in own.values()], axis=0)
            for sounds in (modulated, plain)
        )

    measured, without = medians(depths)
    rows = [
        {"rate_hz": rate.rate_hz, "asked": rate.depth, "measured": float(measured[i]), "without": float(without[i])}
        for i, rate in enumerate(profile.rates)
    ]
    for carrier in profile.carriers:
        prominence, without = medians(
            partial(carrier_prominence_db, sample_rate=sample_rate, frequency_hz=carrier.frequency_hz)
        )
        row = {"carrier_hz": carrier.frequency_hz, "asked": carrier.depth}
        rows.append(row | {"prominence_db": float(prominence), "without_db": float(without)})
    return rows


def _generated(generator: Generator, profile: ModulationProfile | None, seed: int) -> Sounds:
    found: Sounds = {}
    for condition in trained_conditions(generator):
        name = generator.config.conditions[condition]
        made = generate_clips(generator, CLIPS_PER_CONDITION, LONGEST_S, condition, seed, profile)
        found[name] = {f"{name} {number}": clip.samples for number, clip in enumerate(made, 1)}
    return found
