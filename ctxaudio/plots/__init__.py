"""Figures: general charts, and those of sounds and of measures; each function gives back one `Picture`."""

from ctxaudio.plots.charts import bars, intervals, lines, points, strips
from ctxaudio.plots.measures import abx_scores, analysis_summary, band_chart, distances, timeline
from ctxaudio.plots.sound import modulation_spectra, modulation_spectrogram, spectrograms
from ctxaudio.plots.style import BLUE, COLOURS, INK, RED, Picture, save_figure

__all__ = [
    "BLUE",
    "COLOURS",
    "INK",
    "RED",
    "Picture",
    "abx_scores",
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
