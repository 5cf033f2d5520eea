"""The figures of merit of a trained generator: texture distance to real clips, and modulation as asked for.

Notebook: 06_spectral_analysis.ipynb
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import Any

import numpy as np

from ctxaudio.analysis.set_distances import texture_distances
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.files import FloatArray
from ctxaudio.generate import GeneratedClip, generate_clips, trained_conditions
from ctxaudio.model.generator import Generator
from ctxaudio.signal.carriers import carrier_prominence_db
from ctxaudio.signal.envelope import hilbert_envelope, joint_depths
from ctxaudio.signal.profile import ModulationProfile

LONGEST_S = 4.0
CLIPS_PER_CONDITION = 10
REAL_CLIPS_PER_CONDITION = 20


def figures_of_merit(generator: Generator, clips: PreparedClips, seed: int = 0) -> dict[str, Any]:
    """Texture distances (all conditions together and each alone) and measured modulation, ready for JSON.

    `clips` are the prepared clips that the generator was trained on. The floor compares their split "val", which
    training never sees, with "train"; a condition with fewer than two clips in either gets no entry of its own.
    Generates `CLIPS_PER_CONDITION` clips of 4 s a condition, with and without modulation.
    """
    sample_rate = generator.config.sample_rate
    conditions = trained_conditions(generator)
    sham = {c: _generate(generator, c, ModulationProfile(), seed) for c in conditions}
    generated = {c: [clip.samples for clip in sham[c]] for c in conditions}
    real = {c: real_clips(clips, "train", c) for c in conditions}
    held_out = {c: real_clips(clips, "val", c) for c in conditions}
    by_condition = {
        generator.config.conditions[c]: asdict(texture_distances(real[c], held_out[c], generated[c], sample_rate, seed))
        for c in conditions
        if min(len(real[c]), len(held_out[c])) >= 2
    }
    together = [list(chain.from_iterable(sets.values())) for sets in (real, held_out, generated)]
    overall = None
    if min(map(len, together)) >= 2:
        overall = asdict(texture_distances(together[0], together[1], together[2], sample_rate, seed))
    return {
        "texture_distance": {"all_conditions": overall, "by_condition": by_condition},
        "modulation": modulation_figures(generator, sham, seed),
    }


def modulation_figures(generator: Generator, sham: dict[int, list[GeneratedClip]], seed: int) -> list[dict[str, Any]]:
    """Per rate of the generator's profile: the depth asked for, measured (median), and of the same clips without it.

    Measured by Hilbert envelope and least squares, which share no code with the modulation layer. Carriers: their
    prominence over the neighbourhood in decibels, with and without.
    """
    profile = generator.modulation.profile
    sample_rate = generator.config.sample_rate
    modulated = [clip.samples for c in sham for clip in _generate(generator, c, profile, seed)]
    plain = [clip.samples for clips in sham.values() for clip in clips]
    rates_hz = [rate.rate_hz for rate in profile.rates]
    rows: list[dict[str, Any]] = []
    if rates_hz:
        depths = np.median(
            [joint_depths(hilbert_envelope(s, sample_rate), sample_rate, rates_hz) for s in modulated], 0
        )
        floor = np.median([joint_depths(hilbert_envelope(s, sample_rate), sample_rate, rates_hz) for s in plain], 0)
        rows += [
            {"rate_hz": rate.rate_hz, "asked": rate.depth, "measured": float(depth), "without": float(without)}
            for rate, depth, without in zip(profile.rates, depths, floor, strict=True)
        ]
    for carrier in profile.carriers:
        with_it, without = (
            float(np.median([carrier_prominence_db(s, sample_rate, carrier.frequency_hz) for s in group]))
            for group in (modulated, plain)
        )
        rows.append(
            {
                "carrier_hz": carrier.frequency_hz,
                "asked": carrier.depth,
                "prominence_db": with_it,
                "without_db": without,
            }
        )
    return rows


def real_clips(clips: PreparedClips, split: str, condition: int) -> list[FloatArray]:
    """Up to 20 real clips `[T]` of a split, 4 s at most: the middle of longer ones, short ones as they are."""
    longest = round(LONGEST_S * clips.sample_rate)
    found = []
    for i in clips.of(split, condition)[:REAL_CLIPS_PER_CONDITION]:
        samples = clips.audio(i)
        start = max(0, (len(samples) - longest) // 2)
        found.append(samples[start : start + longest])
    return found


def _generate(generator: Generator, condition: int, profile: ModulationProfile, seed: int) -> list[GeneratedClip]:
    return list(generate_clips(generator, CLIPS_PER_CONDITION, LONGEST_S, condition, seed, profile))
