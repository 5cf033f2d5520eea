"""Figures: general charts, and those of sounds and of measures; each function gives back one `Picture`."""

from ctxaudio.plots.charts import (
    BLUE,
    COLOURS,
    INK,
    RED,
    Picture,
    bars,
    intervals,
    lines,
    points,
    save_figure,
    strips,
)
from ctxaudio.plots.pictures import (
    analysis_summary,
    band_chart,
    distances,
    modulation_spectra,
    modulation_spectrogram,
    spectrograms,
    timeline,
)

__all__ = [
    "BLUE",
    "COLOURS",
    "INK",
    "RED",
    "Picture",
    "analysis_summary",
    "band_chart",
    "bars",
    "distances",
    "intervals",
    "lines",
    "modulation_spectra",
    "modulation_spectrogram",
    "points",
    "save_figure",
    "spectrograms",
    "strips",
    "timeline",
]
