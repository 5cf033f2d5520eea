"""Pictures of sounds: spectrograms, modulation spectra, modulation over time."""

from __future__ import annotations

from collections.abc import Mapping

import librosa
import numpy as np

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.plots.style import (
    COLOURS,
    RATE_TARGETS,
    RATE_TICKS_HZ,
    Picture,
    label_axis,
    rate_axis,
    spaced,
)
from ctxaudio.signal.envelope import Array, hilbert_envelope, modulation_spectrum

DYNAMIC_RANGE_DB = 80.0
HOP = 256
QUIETEST_DEPTH_DB = -50.0
#: Name, seconds, and the shortest span shown in it.
_TIME_UNITS = (("hours", 3600.0, 7200.0), ("minutes", 60.0, 120.0), ("seconds", 1.0, 0.0))


def spectrograms(clips: Mapping[str, FloatArray], sample_rate: int) -> Picture:
    """Mel spectrograms of `{title: samples [T]}` side by side, three to a row.

    Levels are decibels below the loudest point of all clips: no clip is normalised by itself.
    """
    if not clips:
        raise CtxAudioError("no clips to draw: give at least one title and its samples")
    columns = min(3, len(clips))
    rows = -(-len(clips) // columns)
    names = ", ".join(title for title in clips if title)
    picture = Picture(f"spectrogram of {names}" if names else "spectrogram", max(3.2, 2.0 * rows))
    axes = picture.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    powers = [librosa.feature.melspectrogram(y=clip, sr=sample_rate, hop_length=HOP) for clip in clips.values()]
    loudest = max(max(float(power.max()) for power in powers), 1e-10)
    ticks_hz = [tick for tick in (0, 500, 1000, 2000, 4000, 8000, 16000) if tick <= sample_rate / 2]
    for axis, title, power in zip(axes, clips, powers, strict=False):
        levels_db = librosa.power_to_db(power, ref=loudest, top_db=None)
        # Mel bands are even on the mel axis, so an image with ticks at the mel of each frequency is exact.
        extent = (0.0, power.shape[1] * HOP / sample_rate, 0.0, librosa.hz_to_mel(sample_rate / 2))
        image = axis.imshow(levels_db, origin="lower", aspect="auto", extent=extent, cmap="magma")
        image.set_clim(-DYNAMIC_RANGE_DB, 0.0)
        label_axis(axis, spaced(title), "time (s)", "frequency (Hz)")
        axis.grid(False)
        axis.set_yticks(librosa.hz_to_mel(ticks_hz), [str(tick) for tick in ticks_hz])
        axis.label_outer()
    for axis in axes[len(clips) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(clips) - columns) : len(clips)]:
        axis.xaxis.set_tick_params(labelbottom=True)
    picture.colorbar(image, ax=axes.tolist(), label="level (dB re loudest)", aspect=30, pad=0.01)
    return picture


def modulation_spectra(clips: Mapping[str, FloatArray], sample_rate: int, title: str = "") -> Picture:
    """Modulation depth against rate, 1-100 Hz, one line for each of `{name: samples [T]}`; bands and targets marked."""
    grid_hz = np.union1d(np.arange(1.0, 100.25, 0.25), [target.frequency_hz for target in RATE_TARGETS])
    picture = Picture(f"modulation spectrum of {', '.join(clips)}", 3.8)
    axis = picture.subplots()
    for (name, samples), colour in zip(clips.items(), COLOURS, strict=False):
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
    picture = Picture(f"modulation spectrogram of {title or ', '.join(depths)}", 1.0 + 3.0 * len(depths))
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
