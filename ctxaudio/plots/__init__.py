"""Figures: general charts, and those of sounds and of measures; each function gives back one `Picture`."""

from ctxaudio.plots.charts import BLUE, RED, Picture, bars, intervals, lines, points, save_figure
from ctxaudio.plots.pictures import distances, modulation_spectra, spectrograms, timeline
from ctxaudio.plots.pictures import modulation_spectrogram as modulation_spectrogram
