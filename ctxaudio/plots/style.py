"""What all figures share: `Picture`, colours, the look of an axis, and saving.

A `Picture` is a matplotlib `Figure` made without pyplot: no global state, safe in threads, nothing to close.
Colours are those of Okabe & Ito 2008, told apart by people with any colour vision.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.files import written_whole

INK, BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#333333", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, INK)
BAND_COLOURS = dict(zip(BANDS, (BLUE, SKY, GREEN, ORANGE, PURPLE), strict=True))
_RISING = sorted(TARGETS.values(), key=lambda target: target.frequency_hz)
RATE_TARGETS = tuple(target for target in _RISING if target.kind == "rate")
CARRIERS = tuple(target for target in _RISING if target.kind == "carrier")
WIDTH_IN = 9.0
PNG_TYPE = "image/png"
RATE_TICKS_HZ = (1, 2, 5, 10, 20, 50, 100)


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

    def html(self, style: str = "max-width:100%", onload: str = "") -> str:
        """The picture as an HTML image with its text; `onload` is what a script does once it is there."""
        data = base64.b64encode(self.png()).decode("ascii")
        about = {"alt": self.alt, "style": style, "onload": onload}
        said = " ".join(f'{name}="{html.escape(value, quote=True)}"' for name, value in about.items() if value)
        return f'<img {said} src="data:{PNG_TYPE};base64,{data}">'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        shown = {"text/html": self.html(), "text/plain": f"<figure: {self.alt}>"}  # JupyterLab gives a PNG no text
        return {PNG_TYPE: self.png(), **shown}, {PNG_TYPE: {"alt": self.alt}}


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` to `path` (format by its suffix), whole or not at all; `CtxAudioError` where it can't be."""
    with written_whole(path) as aside:
        figure.savefig(aside, dpi=150)


def spaced(name: str) -> str:
    return name.replace("_", " ")


def label_axis(axis: Axes, title: str, across: str, upwards: str) -> None:
    """Title, labels and the common look; set here and not through rcParams, which threads would share."""
    axis.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axis.set(xlabel=across, ylabel=upwards)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(True, color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)


def label_rows(axis: Axes, names: Sequence[str]) -> None:
    """Name the rows of a chart, 0, 1, ... from above."""
    axis.set_yticks(range(len(names)), [spaced(name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)


def rate_axis(axis: Axes, title: str, upwards: str) -> None:
    """An axis of envelope rates, 1-100 Hz, with bands and rate targets marked."""
    label_axis(axis, title, "rate of the envelope (Hz); dotted: the rate targets", upwards)
    log_axis(axis, RATE_TICKS_HZ)
    plain = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
    placed: dict[str, Any] = {"transform": axis.get_xaxis_transform(), "ha": "center", "va": "top"}
    for band in BANDS.values():
        axis.axvspan(band.low_hz, band.high_hz, color=BAND_COLOURS[band.name], alpha=0.1, linewidth=0)
        axis.text(np.sqrt(band.low_hz * band.high_hz), 0.985, band.name, color=INK, bbox=plain, **placed)
    for target in RATE_TARGETS:
        axis.axvline(target.frequency_hz, color=INK, linewidth=0.9, linestyle=":")


def log_axis(axis: Axes, ticks: Sequence[float]) -> None:
    axis.set(xscale="log", xlim=(ticks[0], ticks[-1]), xticks=ticks)
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
