"""Pictures of rates: modulation spectra, and the bands and targets themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ctxaudio.contexts import BANDS
from ctxaudio.files import FloatArray
from ctxaudio.plots.style import (
    BAND_COLOURS,
    BLUE,
    CARRIERS,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    RATE_TARGETS,
    RATE_TICKS_HZ,
    RED,
    Picture,
    label_axis,
    log_axis,
    rate_axis,
    spaced_name,
)
from ctxaudio.signal.envelope import Array, hilbert_envelope, modulation_spectrum

QUIETEST_DEPTH_DB = -50.0
#: Name, seconds, and the shortest span shown in it.
_TIME_UNITS = (("hours", 3600.0, 7200.0), ("minutes", 60.0, 120.0), ("seconds", 1.0, 0.0))


def modulation_spectra(clips: Mapping[str, FloatArray], sample_rate: int, title: str = "") -> Picture:
    """Modulation depth against rate, 1-100 Hz, one line for each of `{name: samples [T]}`; bands and targets marked."""
    grid_hz = np.union1d(np.arange(1.0, 100.25, 0.25), [target.frequency_hz for target in RATE_TARGETS])
    picture = Picture(f"modulation spectrum of {', '.join(clips)}", 3.8)
    axis = picture.subplots()
    for (name, samples), colour in zip(clips.items(), (BLUE, RED, GREEN, ORANGE, PURPLE, INK), strict=False):
        depths = modulation_spectrum(hilbert_envelope(samples, sample_rate), sample_rate, grid_hz)
        axis.plot(grid_hz, depths, color=colour, linewidth=1.2, label=name)
    axis.set_ylim(0.0, None)
    rate_axis(axis, title, "modulation depth (0 to 1)")
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def modulation_spectrogram(times_s: Array, rates_hz: Array, depths: Mapping[str, Array], title: str = "") -> Picture:
    """Depth at each rate over time: a panel for each of `{name: depths [W, R]}`, at `times_s` `[W]`, `rates_hz` `[R]`.

    `rates_hz` are evenly spaced on a logarithm; depth is shown in decibels, 20 log10 m, from -50 to 0; NaN is white.
    """
    listed = ", ".join(depths)
    picture = Picture(f"modulation spectrogram of {title or listed}", 1.0 + 3.0 * len(depths))
    axes = picture.subplots(len(depths), 1, squeeze=False, sharex=True).ravel()
    span_s = float(times_s[-1] - times_s[0])
    unit, seconds = next((u, s) for u, s, least in _TIME_UNITS if span_s >= least)
    half_step = (times_s[1] - times_s[0]) / 2 if len(times_s) > 1 else 0.5
    edges = (times_s[0] - half_step) / seconds, (times_s[-1] + half_step) / seconds
    log_hz = np.log2(rates_hz)
    half_rate = (log_hz[1] - log_hz[0]) / 2
    extent = (*edges, log_hz[0] - half_rate, log_hz[-1] + half_rate)
    for axis, (name, depth) in zip(axes, depths.items(), strict=True):
        levels_db = 20.0 * np.log10(np.maximum(depth, 1e-6)).T
        image = axis.imshow(levels_db, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="none")
        image.set_clim(QUIETEST_DEPTH_DB, 0.0)
        label_axis(axis, f"{title}: {name}" if title else name, "", "rate of the envelope (Hz)")
        axis.grid(False)
        axis.set_yticks(np.log2(RATE_TICKS_HZ), [str(tick) for tick in RATE_TICKS_HZ])
        for target in RATE_TARGETS:
            axis.axhline(np.log2(target.frequency_hz), color="white", linewidth=0.5, linestyle=":", alpha=0.6)
    axes[-1].set_xlabel(f"time ({unit}); dotted: the rate targets")
    picture.colorbar(image, ax=axes.tolist(), label="modulation depth (dB, 20 log m)", aspect=30, pad=0.01)
    return picture


def band_chart() -> Picture:
    """The two axes: bands and rate targets on the rate of the envelope, carriers on audible frequency."""
    picture = Picture(
        "five bands and four targets on the axis of envelope rate, two carriers on the axis of pitch", 4.4
    )
    rates, pitches = picture.subplots(2, 1, height_ratios=(3, 2))
    for band in BANDS.values():
        rates.axvspan(band.low_hz, band.high_hz, ymax=0.5, color=BAND_COLOURS[band.name], alpha=0.35, linewidth=0)
        limits = f"{band.name}\n{band.low_hz:g}-{band.high_hz:g} Hz"
        rates.text(np.sqrt(band.low_hz * band.high_hz), 0.22, limits, ha="center", va="center", color=INK)
    # The names lean away from their neighbours, which lie too close for names above each other.
    for target, side in zip(RATE_TARGETS, ("center", "right", "left", "left"), strict=True):
        rates.vlines(target.frequency_hz, 0.42, 0.64, color=RED, linewidth=2)
        rates.text(
            target.frequency_hz, 0.68, f"{spaced_name(target)}\n{target.frequency_hz:g} Hz", ha=side, va="bottom"
        )
    for target, side in zip(CARRIERS, ("right", "left"), strict=True):
        pitches.vlines(target.frequency_hz, 0.0, 0.64, color=RED, linewidth=2)
        pitches.text(
            target.frequency_hz, 0.7, f"{spaced_name(target)}\n{target.frequency_hz:g} Hz", ha=side, va="bottom"
        )
    label_axis(rates, "Rate: how fast the envelope goes up and down", "rate of the envelope (Hz)", "")
    label_axis(pitches, "Carrier: an audible frequency, heard as pitch", "frequency of the sound (Hz)", "")
    log_axis(rates, RATE_TICKS_HZ)
    log_axis(pitches, (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000))
    for axis in (rates, pitches):
        axis.set(ylim=(0.0, 1.1), yticks=[])
        axis.spines["left"].set_visible(False)
    return picture
