"""Rates of the envelope in a clip: in the whole sound, in each band of hearing, and in each ear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from ctxaudio.contexts import TARGETS
from ctxaudio.evaluation.carriers import carrier_prominence_db
from ctxaudio.files import FloatArray
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.signal.cochlea import band_envelopes, centre_frequencies_hz, slow_envelope
from ctxaudio.signal.envelope import (
    Array,
    RateDetection,
    detect_rates,
    detect_rates_in_bands,
    hilbert_envelope,
    joint_depths,
)

LOWEST_DB = -200.0
#: Quieter bands than this against the loudest one hold the noise of 16 bits, or another band's skirt.
QUIETEST_BAND_DB = -60.0
#: A rate given by hand is the target itself when it is as near as this: a profile written to two decimals.
SAME_RATE_HZ = 0.005
EARS = ("left", "right")
RATE_TARGETS: Mapping[str, float] = {t.name: t.frequency_hz for t in TARGETS.values() if t.kind == "rate"}


def named_rates(rates_hz: Sequence[float] = ()) -> dict[str, float]:
    """The rate targets by name, and each of `rates_hz` that is none of them as `rate_<number>_hz`.

    >>> list(named_rates([10.0, 6.0]))
    ['schumann', 'focus', 'deep_sleep', 'meditation', 'rate_10_hz']
    """
    others = [r for r in rates_hz if all(abs(r - known) > SAME_RATE_HZ for known in RATE_TARGETS.values())]
    return {**RATE_TARGETS, **{f"rate_{rate_hz:g}_hz": float(rate_hz) for rate_hz in others}}


def rate_measures(
    mono: FloatArray, envelope: Array, envelope_rate_hz: float, sample_rate: int, rates: Mapping[str, float]
) -> dict[str, float]:
    """The measures of each of `rates` (name to hertz) for `mono` `[T]` and its slow `envelope` `[T']`.

    Keys as `analyse_clip` lists them.
    """
    centres_hz = centre_frequencies_hz(sample_rate)
    bands, bands_rate_hz = band_envelopes(mono, sample_rate, centres_hz)
    level = bands.mean(axis=1)
    heard = level > level.max() * 10.0 ** (QUIETEST_BAND_DB / 20.0)
    measures: dict[str, dict[str, float]] = {}
    for group in _groups_apart(rates, len(mono) / sample_rate):
        whole = detect_rates(envelope, envelope_rate_hz, list(group.values()))
        by_band = detect_rates_in_bands(bands[heard], bands_rate_hz, list(group.values()))
        for name, found, in_bands in zip(group, whole, by_band, strict=True):
            measures.setdefault(name, {**_whole_sound(name, found), **_bands(name, in_bands, centres_hz[heard])})
    return {key: value for name in rates for key, value in measures[name].items()}


def ear_measures(samples: FloatArray, sample_rate: int, rates: Mapping[str, float]) -> dict[str, float]:
    """Depth of each of `rates` in each channel alone of `samples` `[channels, T]`; nothing for channels that are alike.

    A binaural beat is in neither ear and only in their sum.
    """
    if samples.ndim == 1 or len(samples) < 2 or not (samples != samples[0]).any():
        return {}
    row: dict[str, float] = {}
    names = EARS if len(samples) == 2 else [f"channel_{number}" for number in range(1, len(samples) + 1)]
    for ear, channel in zip(names, samples, strict=True):
        if channel.any():
            envelope, envelope_rate_hz = slow_envelope(channel, sample_rate)
        for group in _groups_apart(rates, samples.shape[1] / sample_rate):
            depths = [0.0] * len(group)
            if channel.any():
                depths = [found.depth for found in detect_rates(envelope, envelope_rate_hz, list(group.values()))]
            for name, depth in zip(group, depths, strict=True):
                row.setdefault(f"{name}_depth_{ear}", depth)
    return row


def combined_p(p_values: Sequence[float]) -> float:
    """One p-value for several that need not be independent, such as those of overlapping bands.

    The Cauchy combination test (Liu & Xie 2020, doi:10.1080/01621459.2018.1554485); a single small value among
    many suffices. Values above 0.99 count as 0.99, so that one of them can't outweigh the rest.

    >>> round(combined_p([0.3, 0.3, 0.3]), 9), round(combined_p([1e-6, 0.5, 0.9]), 8)
    (0.3, 3e-06)
    """
    capped = np.clip(np.asarray(p_values, dtype=np.float64), 1e-300, 0.99)
    # The cotangent keeps its digits where the tangent of nearly a right angle loses them.
    statistic = float(np.mean(1.0 / np.tan(np.pi * capped)))
    return float(np.arctan2(1.0, statistic) / np.pi)


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


def _groups_apart(rates: Mapping[str, float], duration_s: float) -> list[dict[str, float]]:
    """Rates that a clip of `duration_s` can tell apart are fitted together; one too close to those, in a further group.

    A further group holds the others again as far as they are apart from it, so that none leaks into it.
    """
    groups: list[dict[str, float]] = []
    waiting = dict(rates)
    while waiting:
        group: dict[str, float] = {}
        for name, rate_hz in {**waiting, **rates}.items():
            if all(abs(rate_hz - other) * duration_s >= 1.0 for other in group.values()):
                group[name] = rate_hz
        groups.append(group)
        waiting = {name: rate_hz for name, rate_hz in waiting.items() if name not in group}
    return groups


def _whole_sound(name: str, found: RateDetection) -> dict[str, float]:
    return {
        f"{name}_depth": found.depth,
        f"{name}_floor": found.floor,
        f"{name}_depth_db": float(20.0 * np.log10(max(found.depth, 10.0 ** (LOWEST_DB / 20.0)))),
        f"{name}_p": found.p_value,
    }


def _bands(name: str, found: Sequence[RateDetection], centres_hz: Array) -> dict[str, float]:
    depths = np.array([band.depth for band in found])
    return {
        f"{name}_median_band_depth": float(np.median(depths)),
        f"{name}_largest_band_depth": float(depths.max()),
        f"{name}_largest_band_hz": float(centres_hz[depths.argmax()]),
        f"{name}_bands_p": combined_p([band.p_value for band in found]),
    }
