"""Figures of the course: each function takes samples or numbers and gives back one `Picture`."""

from ctxaudio.plots.analysis import analysis_summary, comparison_summary
from ctxaudio.plots.clips import clip_grid, envelope, spectrogram
from ctxaudio.plots.data import cleaned, durations, label_shares, sound_map, stacked_counts
from ctxaudio.plots.listening import abx_scores
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
    "abx_scores",
    "analysis_summary",
    "band_chart",
    "cleaned",
    "clip_grid",
    "comparison_summary",
    "counts",
    "durations",
    "envelope",
    "label_shares",
    "losses",
    "modulation_spectra",
    "modulation_spectrogram",
    "save_figure",
    "sound_map",
    "spectrogram",
    "stacked_counts",
]
