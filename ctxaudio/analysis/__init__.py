"""Measuring sound: one row of numbers a clip; tables and figures of a folder, of two folders, of a night of sound."""

from ctxaudio.analysis.batch import batch_analyze_frequencies
from ctxaudio.analysis.comparison import compare_folders
from ctxaudio.analysis.long_file import analyse_file
from ctxaudio.analysis.measures import analyse_clip

__all__ = ["analyse_clip", "analyse_file", "batch_analyze_frequencies", "compare_folders"]
