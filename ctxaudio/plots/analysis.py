"""Pictures of measures: what the analysis of a folder found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ctxaudio.contexts import BANDS
from ctxaudio.plots.style import (
    BAND_COLOURS,
    BLUE,
    CARRIERS,
    INK,
    ORANGE,
    RATE_TARGETS,
    RED,
    SKY,
    Picture,
    label_axis,
    rate_axis,
    spaced_name,
)
from ctxaudio.signal.envelope import Array


def analysis_summary(table: pd.DataFrame, rates_hz: Array, spectra: Array, title: str = "") -> Picture:
    """What `batch_analyze_frequencies` found: `table` a row per clip, `spectra` `[clips, R]` depths at `rates_hz`."""
    picture = Picture(f"analysis of {len(table)} clips: depths at rate targets and bands, carriers", 7.0, 11.0)
    picture.suptitle(f"{title}: {len(table)} clips" if title else f"{len(table)} clips", weight="bold")
    (targets, bands), (carriers, spectrum) = picture.subplots(2, 2, width_ratios=(1.0, 1.2))
    _dots(targets, table, [f"{target.name}_depth" for target in RATE_TARGETS])
    floors = [table[f"{target.name}_floor"].median() for target in RATE_TARGETS]
    places = np.arange(len(RATE_TARGETS))
    targets.hlines(floors, places - 0.32, places + 0.32, color=RED, linewidth=2, label="median floor (rates beside it)")
    targets.set_xticks(places, [f"{spaced_name(target)}\n{target.frequency_hz:g} Hz" for target in RATE_TARGETS])
    label_axis(targets, "Envelope at the rate targets", "", "modulation depth (0 to 1)")
    bar_heights = [table[f"{name}_envelope_depth"].median() for name in BANDS]
    bands.bar(list(BANDS), bar_heights, color=list(BAND_COLOURS.values()), width=0.6, label="median")
    _dots(bands, table, [f"{name}_envelope_depth" for name in BANDS])
    label_axis(bands, "Envelope by band (bar: median)", "", "rms modulation depth (0 to 1)")
    _dots(carriers, table, [f"{target.name}_prominence_db" for target in CARRIERS])
    carriers.axhline(0.0, color=RED, linewidth=2, label="no more than beside it")
    carriers.set_xticks(
        range(len(CARRIERS)), [f"{spaced_name(target)}\n{target.frequency_hz:g} Hz" for target in CARRIERS]
    )
    carriers.set_xlim(-0.6, len(CARRIERS) - 0.4)
    label_axis(carriers, "Carriers against 10-60 Hz away", "", "prominence (dB)")
    low, middle, high = np.percentile(spectra, (10, 50, 90), axis=0)
    spectrum.fill_between(rates_hz, low, high, color=SKY, alpha=0.4, linewidth=0, label="80 % of clips")
    spectrum.plot(rates_hz, middle, color=BLUE, linewidth=1.2, label="median")
    spectrum.legend(loc="upper right", bbox_to_anchor=(1.0, 0.93), frameon=False)
    for axis in (targets, bands, spectrum):
        axis.set_ylim(0.0, None)
    for axis in (targets, carriers):
        axis.legend(frameon=False)
    rate_axis(spectrum, "Modulation spectrum", "modulation depth (0 to 1)")
    return picture


def _dots(axis: Axes, table: pd.DataFrame, columns: Sequence[str]) -> None:
    """One dot per clip, spread sideways in an even pattern so that equal values stay visible."""
    spread = 0.22 * (2.0 * ((np.arange(len(table)) * 0.618) % 1.0) - 1.0)
    for place, column in enumerate(columns):
        label = "one clip" if place == 0 else None
        axis.plot(place + spread, table[column], "o", color=INK, markersize=4, alpha=0.55, mew=0, label=label)


def comparison_summary(
    comparison: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    rates: Mapping[str, float],
    rates_hz: Array,
    spectra: Mapping[str, Array],
) -> Picture:
    """What `compare_folders` found: `tables` of measures and `spectra` `[clips, R]` by folder.

    Depths are shown at `rates` (name to hertz). `comparison` has a row per measure; a star marks what differs after
    Holm's correction.
    """
    picture = Picture(f"{' against '.join(tables)}: depths at {len(rates)} rates, modulation spectra", 4.2, 11.0)
    depths, spectrum = picture.subplots(1, 2, width_ratios=(1.0, 1.2))
    found = comparison.set_index("measure")
    rising = sorted(rates, key=lambda name: rates[name])
    for (name, table), colour, side in zip(tables.items(), (BLUE, ORANGE), (-0.15, 0.15), strict=True):
        spread = 0.1 * (2.0 * ((np.arange(len(table)) * 0.618) % 1.0) - 1.0)
        for place, rate in enumerate(rising):
            label = name if place == 0 else None
            values = table[f"{rate}_depth"]
            depths.plot(place + side + spread, values, "o", color=colour, markersize=4, alpha=0.6, mew=0, label=label)
        low, middle, high = np.percentile(spectra[name], (10, 50, 90), axis=0)
        spectrum.fill_between(rates_hz, low, high, color=colour, alpha=0.2, linewidth=0)
        spectrum.plot(rates_hz, middle, color=colour, linewidth=1.2, label=f"{name}: median, 80 % of clips")
    asked = [found.loc[f"{rate}_depth", "asked"] for rate in rising]
    places = np.arange(len(rising))
    depths.hlines(asked, places - 0.32, places + 0.32, color=RED, linewidth=2, label="asked for")
    stars = ["*" if found.loc[f"{rate}_depth", "p_holm"] < 0.05 else "" for rate in rising]
    depths.set_xticks(places, [f"{rates[rate]:.4g}{star}" for rate, star in zip(rising, stars, strict=True)])
    label_axis(depths, "Depth at each rate (* differs)", "rate of the envelope (Hz)", "modulation depth (0 to 1)")
    rate_axis(spectrum, "Modulation spectrum", "modulation depth (0 to 1)")
    for axis in (depths, spectrum):
        axis.set_ylim(0.0, None)
    depths.legend(frameon=False)
    spectrum.legend(loc="upper right", bbox_to_anchor=(1.0, 0.93), frameon=False)
    return picture
