"""Figures of the course: each function takes samples or numbers and gives back one `Picture`.

A `Picture` is a matplotlib `Figure` made without pyplot: no global state, safe in threads, nothing to close.
Colours are those of Okabe & Ito 2008, told apart by people with any colour vision.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from ctxaudio.contexts import BANDS, TARGETS, Target
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, written_whole
from ctxaudio.signal.envelope import Array, fit_envelope, hilbert_envelope, modulation_spectrum

INK, BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#333333", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
BAND_COLOURS = dict(zip(BANDS, (BLUE, SKY, GREEN, ORANGE, PURPLE), strict=True))
_RISING = sorted(TARGETS.values(), key=lambda target: target.frequency_hz)
RATE_TARGETS = tuple(target for target in _RISING if target.kind == "rate")
CARRIERS = tuple(target for target in _RISING if target.kind == "carrier")
WIDTH_IN = 9.0
DYNAMIC_RANGE_DB = 80.0
HOP = 256
RATE_TICKS_HZ = (1, 2, 5, 10, 20, 50, 100)
_PLAIN = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
ENVELOPE_LOW_PASS_HZ = 40.0


class Picture(Figure):
    """A figure that shows itself in a notebook as PNG, with `alt` for those who can't see it and as its text line."""

    def __init__(self, alt: str, height_in: float, width_in: float = WIDTH_IN) -> None:
        super().__init__(figsize=(width_in, height_in), dpi=100, layout="constrained")
        self.alt = alt

    def png(self) -> bytes:
        """The picture as the bytes of a PNG file."""
        stream = io.BytesIO()
        self.savefig(stream, format="png")
        return stream.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"image/png": self.png(), "text/plain": f"<figure: {self.alt}>"}, {"image/png": {"alt": self.alt}}


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path` (format by its suffix), whole or not at all; `CtxAudioError` where it can't be."""
    with written_whole(path) as aside:
        figure.savefig(aside, dpi=150)


def spectrogram(samples: FloatArray, sample_rate: int, title: str = "") -> Picture:
    """Mel spectrogram of `samples` `[T]`: decibels below its loudest point, time in seconds, frequency in hertz."""
    return clip_grid({title: samples}, sample_rate)


def clip_grid(clips: Mapping[str, FloatArray], sample_rate: int) -> Picture:
    """Mel spectrograms of `{title: samples [T]}` side by side, three to a row, on one common scale of decibels."""
    if not clips:
        raise CtxAudioError("no clips to draw: give at least one title and its samples")
    columns = min(3, len(clips))
    rows = -(-len(clips) // columns)
    names = ", ".join(title for title in clips if title)
    picture = Picture(f"spectrogram of {names}" if names else "spectrogram", max(3.2, 2.3 * rows))
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
        _label(axis, title.replace("_", " "), "time (s)", "frequency (Hz)")
        axis.grid(False)
        axis.set_yticks(librosa.hz_to_mel(ticks_hz), [str(tick) for tick in ticks_hz])
        axis.label_outer()
    for axis in axes[len(clips) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(clips) - columns) : len(clips)]:
        axis.xaxis.set_tick_params(labelbottom=True)
    picture.colorbar(image, ax=axes.tolist(), label="level (dB re loudest)", aspect=30, pad=0.01)
    return picture


def envelope(samples: FloatArray, sample_rate: int, rates_hz: Sequence[float] = (), title: str = "") -> Picture:
    """Waveform and envelope of `samples` `[T]`; below them the envelope over its mean with a fit at each of `rates_hz`.

    The envelope is drawn without what is faster than 40 Hz; the fits are to all of it.
    """
    picture = Picture(f"envelope of {title}" if title else "envelope", 4.6)
    above, below = picture.subplots(2, 1, sharex=True)
    time_s = np.arange(len(samples)) / sample_rate
    raw = hilbert_envelope(samples, sample_rate)
    smooth = hilbert_envelope(samples, sample_rate, ENVELOPE_LOW_PASS_HZ)
    above.plot(time_s, samples, color="#C8C8C8", linewidth=0.4, rasterized=True)
    above.plot(time_s, smooth, color=INK, linewidth=1.4)
    _label(above, title, "", "amplitude\n(1 = full scale)")
    below.plot(time_s, smooth / raw.mean(), color=INK, linewidth=1.0, label="envelope")
    for rate_hz, colour in zip(rates_hz, (RED, BLUE, GREEN, ORANGE, PURPLE) * len(rates_hz), strict=False):
        fit = fit_envelope(raw, sample_rate, [rate_hz])
        curve = fit.curve(len(samples), sample_rate) / fit.mean
        below.plot(time_s, curve, color=colour, linewidth=2, label=f"fit at {rate_hz:g} Hz: depth {fit.depths[0]:.2f}")
    below.set_xlim(0.0, len(samples) / sample_rate)
    below.set_ylim(0.0, None)
    _label(below, "", "time (s)", "envelope\n(1 = its mean)")
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def modulation_spectra(clips: Mapping[str, FloatArray], sample_rate: int, title: str = "") -> Picture:
    """Modulation depth against rate, 1-100 Hz, one line for each of `{name: samples [T]}`; bands and targets marked."""
    grid_hz = np.union1d(np.arange(1.0, 100.25, 0.25), [target.frequency_hz for target in RATE_TARGETS])
    picture = Picture(f"modulation spectrum of {', '.join(clips)}", 3.8)
    axis = picture.subplots()
    for (name, samples), colour in zip(clips.items(), (BLUE, RED, GREEN, ORANGE, PURPLE, INK), strict=False):
        depths = modulation_spectrum(hilbert_envelope(samples, sample_rate), sample_rate, grid_hz)
        axis.plot(grid_hz, depths, color=colour, linewidth=1.2, label=name)
    axis.set_ylim(0.0, None)
    _rate_axis(axis, title, "modulation depth (0 to 1)")
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def losses(history: pd.DataFrame) -> Picture:
    """Training losses: `history` has `epoch` (or its index) and a numeric column for each loss."""
    steps = history["epoch"] if "epoch" in history else pd.Series(history.index)
    names = [name for name in history.select_dtypes("number").columns if name not in ("epoch", "iteration", "seconds")]
    if not names:
        raise CtxAudioError(f"no losses to draw among the columns {', '.join(map(str, history.columns))}")
    picture = Picture(f"training losses: {', '.join(names)}", 3.4)
    axis = picture.subplots()
    for name, colour in zip(names, (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, INK) * len(names), strict=False):
        axis.plot(steps, history[name], color=colour, label=name.replace("_", " "), marker="o", markersize=3)
    _label(axis, "Training", "epoch", "loss")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    picture.legend(loc="outside right upper", frameon=False)
    return picture


def counts(numbers: Mapping[str, int], title: str = "", unit: str = "clips") -> Picture:
    """One bar per name, the number written beside it: clips per condition, for instance."""
    listed = ", ".join(f"{name} {number}" for name, number in numbers.items())
    picture = Picture(f"{title or unit}: {listed}", 0.9 + 0.34 * len(numbers))
    axis = picture.subplots()
    bars = axis.barh([name.replace("_", " ") for name in numbers], list(numbers.values()), color=BLUE, height=0.65)
    axis.bar_label(bars, padding=4, color=INK)
    axis.invert_yaxis()
    _label(axis, title, unit, "")
    axis.grid(False)
    axis.margins(x=0.08)
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
        rates.text(target.frequency_hz, 0.68, f"{_name(target)}\n{target.frequency_hz:g} Hz", ha=side, va="bottom")
    for target, side in zip(CARRIERS, ("right", "left"), strict=True):
        pitches.vlines(target.frequency_hz, 0.0, 0.64, color=RED, linewidth=2)
        pitches.text(target.frequency_hz, 0.7, f"{_name(target)}\n{target.frequency_hz:g} Hz", ha=side, va="bottom")
    _label(rates, "Rate: how fast the envelope goes up and down", "rate of the envelope (Hz)", "")
    _label(pitches, "Carrier: an audible frequency, heard as pitch", "frequency of the sound (Hz)", "")
    _log_axis(rates, RATE_TICKS_HZ)
    _log_axis(pitches, (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000))
    for axis in (rates, pitches):
        axis.set(ylim=(0.0, 1.1), yticks=[])
        axis.spines["left"].set_visible(False)
    return picture


def analysis_summary(table: pd.DataFrame, rates_hz: Array, spectra: Array, title: str = "") -> Picture:
    """What `batch_analyze_frequencies` found: `table` a row per clip, `spectra` `[clips, R]` depths at `rates_hz`."""
    picture = Picture(f"analysis of {len(table)} clips: depths at rate targets and bands, carriers", 7.0, 11.0)
    picture.suptitle(f"{title}: {len(table)} clips" if title else f"{len(table)} clips", weight="bold")
    (targets, bands), (carriers, spectrum) = picture.subplots(2, 2, width_ratios=(1.0, 1.2))
    _dots(targets, table, [f"{target.name}_depth" for target in RATE_TARGETS])
    floors = [table[f"{target.name}_floor"].median() for target in RATE_TARGETS]
    places = np.arange(len(RATE_TARGETS))
    targets.hlines(floors, places - 0.32, places + 0.32, color=RED, linewidth=2, label="median floor (rates beside it)")
    targets.set_xticks(places, [f"{_name(target)}\n{target.frequency_hz:g} Hz" for target in RATE_TARGETS])
    _label(targets, "Envelope at the rate targets", "", "modulation depth (0 to 1)")
    bar_heights = [table[f"{name}_envelope_depth"].median() for name in BANDS]
    bands.bar(list(BANDS), bar_heights, color=list(BAND_COLOURS.values()), width=0.6, label="median")
    _dots(bands, table, [f"{name}_envelope_depth" for name in BANDS])
    _label(bands, "Envelope by band (bar: median)", "", "rms modulation depth (0 to 1)")
    _dots(carriers, table, [f"{target.name}_prominence_db" for target in CARRIERS])
    carriers.axhline(0.0, color=RED, linewidth=2, label="no more than beside it")
    carriers.set_xticks(range(len(CARRIERS)), [f"{_name(target)}\n{target.frequency_hz:g} Hz" for target in CARRIERS])
    carriers.set_xlim(-0.6, len(CARRIERS) - 0.4)
    _label(carriers, "Carriers against 10-60 Hz away", "", "prominence (dB)")
    low, middle, high = np.percentile(spectra, (10, 50, 90), axis=0)
    spectrum.fill_between(rates_hz, low, high, color=SKY, alpha=0.4, linewidth=0, label="80 % of clips")
    spectrum.plot(rates_hz, middle, color=BLUE, linewidth=1.2, label="median")
    spectrum.legend(loc="upper right", bbox_to_anchor=(1.0, 0.93), frameon=False)
    for axis in (targets, bands, spectrum):
        axis.set_ylim(0.0, None)
    for axis in (targets, carriers):
        axis.legend(frameon=False)
    _rate_axis(spectrum, "Modulation spectrum", "modulation depth (0 to 1)")
    return picture


def _name(target: Target) -> str:
    return target.name.replace("_", " ")


def _label(axis: Axes, title: str, across: str, upwards: str) -> None:
    """Title, labels and the common look; set here and not through rcParams, which threads would share."""
    axis.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axis.set(xlabel=across, ylabel=upwards)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(True, color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)


def _dots(axis: Axes, table: pd.DataFrame, columns: Sequence[str]) -> None:
    """One dot per clip, spread sideways in an even pattern so that equal values stay visible."""
    spread = 0.22 * (2.0 * ((np.arange(len(table)) * 0.618) % 1.0) - 1.0)
    for place, column in enumerate(columns):
        label = "one clip" if place == 0 else None
        axis.plot(place + spread, table[column], "o", color=INK, markersize=4, alpha=0.55, mew=0, label=label)


def _rate_axis(axis: Axes, title: str, upwards: str) -> None:
    _label(axis, title, "rate of the envelope (Hz); dotted: the rate targets", upwards)
    _log_axis(axis, RATE_TICKS_HZ)
    for band in BANDS.values():
        axis.axvspan(band.low_hz, band.high_hz, color=BAND_COLOURS[band.name], alpha=0.1, linewidth=0)
        centre = np.sqrt(band.low_hz * band.high_hz)
        axis.text(
            centre,
            0.985,
            band.name,
            transform=axis.get_xaxis_transform(),
            ha="center",
            va="top",
            color=INK,
            bbox=_PLAIN,
        )
    for target in RATE_TARGETS:
        axis.axvline(target.frequency_hz, color=INK, linewidth=0.9, linestyle=":")


def _log_axis(axis: Axes, ticks: Sequence[float]) -> None:
    axis.set(xscale="log", xlim=(ticks[0], ticks[-1]), xticks=ticks)
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
