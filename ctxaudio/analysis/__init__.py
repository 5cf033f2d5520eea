"""Measuring clips: one row of numbers each, and tables and a figure for a folder of them."""

from ctxaudio.analysis.batch import batch_analyze_frequencies
from ctxaudio.analysis.measures import analyse_clip

__all__ = ["analyse_clip", "batch_analyze_frequencies"]
