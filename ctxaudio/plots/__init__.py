"""Figures of the course: each function takes samples or numbers and gives back one `Picture`."""

from ctxaudio.plots.analysis import analysis_summary, comparison_summary
from ctxaudio.plots.clips import clip_grid, envelope, spectrogram
from ctxaudio.plots.modulation import band_chart, modulation_spectra, modulation_spectrogram
from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, Picture, save_figure
from ctxaudio.plots.training import counts, losses

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "Picture",
    "analysis_summary",
    "band_chart",
    "clip_grid",
    "comparison_summary",
    "counts",
    "envelope",
    "losses",
    "modulation_spectra",
    "modulation_spectrogram",
    "save_figure",
    "spectrogram",
]
