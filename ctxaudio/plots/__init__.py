"""Figures of the course: each function takes samples or numbers and gives back one `Picture`."""

from ctxaudio.plots.analysis import analysis_summary, comparison_summary
from ctxaudio.plots.clips import clip_grid, envelope, spectrogram
from ctxaudio.plots.data import cleaned, durations, label_shares, sound_map, stacked_counts
from ctxaudio.plots.evaluation import distances_beside_floors
from ctxaudio.plots.listening import abx_scores
from ctxaudio.plots.modulation import band_chart, modulation_spectra, modulation_spectrogram
from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, Picture, save_figure
from ctxaudio.plots.teaching import (
    clouds,
    courses,
    curves,
    depth_against_rate,
    depth_by_auditory_band,
    learning,
    modulation_thresholds,
    side_by_side,
)
from ctxaudio.plots.timeline import timeline
from ctxaudio.plots.training import counts, losses, stored_distances

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
    "clouds",
    "comparison_summary",
    "counts",
    "courses",
    "curves",
    "depth_against_rate",
    "depth_by_auditory_band",
    "distances_beside_floors",
    "durations",
    "envelope",
    "label_shares",
    "learning",
    "losses",
    "modulation_spectra",
    "modulation_spectrogram",
    "modulation_thresholds",
    "save_figure",
    "side_by_side",
    "sound_map",
    "spectrogram",
    "stacked_counts",
    "stored_distances",
    "timeline",
]
