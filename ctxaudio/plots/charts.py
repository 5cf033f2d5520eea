"""`Picture`, the look that all figures share, and general charts: lines, bars, points, intervals.

A `Picture` is a matplotlib `Figure` made without pyplot: no global state, safe in threads, nothing to close.
Colours are those of Okabe & Ito 2008, told apart by people with any colour vision.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from PIL import Image

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import written_whole

INK, BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#333333", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, INK)
BAND_COLOURS = dict(zip(BANDS, (BLUE, SKY, GREEN, ORANGE, PURPLE), strict=True))
RATE_TARGETS = tuple(target for target in TARGETS.values() if target.kind == "rate")
WIDTH_IN = 9.0
PNG_TYPE = "image/png"
RATE_TICKS_HZ = (1, 2, 5, 10, 20, 50, 100)
MARKERS = "oD^sv"
#: A value with the ends of its interval; None where there is no interval.
Estimate = tuple[float, float | None, float | None]


class Picture(Figure):
    """A figure that shows itself in a notebook as PNG, with `alt` for those who can't see it and as its text line."""

    def __init__(self, alt: str, height_in: float, width_in: float = WIDTH_IN) -> None:
        super().__init__(figsize=(width_in, height_in), dpi=100, layout="constrained")
        self.alt = alt

    def png(self) -> bytes:
        """The picture as the bytes of a PNG file."""
        stream, small = io.BytesIO(), io.BytesIO()
        self.savefig(stream, format="png")
        # 128 colours look the same, and take less than half the room in stored notebooks and reports.
        Image.open(stream).convert("RGB").quantize(128).save(small, format="png", optimize=True)
        return small.getvalue()

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


def verbatim(name: str) -> str:
    """`name` as Matplotlib shows it as it is: a dollar sign in a file name begins no formula."""
    return name.replace("$", r"\$")


def label_axis(axis: Axes, title: str, across: str, upwards: str) -> None:
    """Title, labels and the common look; set here and not through rcParams, which threads would share."""
    axis.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axis.set(xlabel=across, ylabel=upwards)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(True, color="#DDDDDD", linewidth=0.6)
    axis.set_axisbelow(True)


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


def lines(
    drawn: Mapping[str, Any],
    across: npt.ArrayLike,
    across_label: str,
    upwards: str,
    title: str = "",
    marked: Sequence[float] = (),
) -> Picture:
    """Values `[N]` over `across` `[N]`: a line for each of `{name: values}`.

    `{title: {name: values}}` makes a panel for each title. Every other line is dashed, so that two that lie on each
    other are both seen; `marked` are dotted verticals. Raises `CtxAudioError` where there is nothing to draw.
    """
    panels = drawn if any(isinstance(values, Mapping) for values in drawn.values()) else {title: drawn}
    if not drawn or not all(panels.values()):
        raise CtxAudioError(f"no lines to draw over {across_label}")
    picture = Picture(f"{title or upwards} over {across_label}: {', '.join(drawn)}", 1.4 + 1.8 * len(panels) ** 0.8)
    axes = picture.subplots(len(panels), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axis, (panel, values) in zip(axes, panels.items(), strict=True):
        for number, (name, line) in enumerate(values.items()):
            look = {"linestyle": "--" if number % 2 else "-", "color": COLOURS[number % len(COLOURS)]}
            axis.plot(np.asarray(across), np.asarray(line), linewidth=1.6, label=spaced(name), **look)
        for place in marked:
            axis.axvline(place, color=INK, linewidth=0.9, linestyle=":")
        label_axis(axis, spaced(panel), across_label if axis is axes[-1] else "", upwards)
        axis.margins(x=0.0)
    picture.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return picture


def bars(numbers: Mapping[str, Mapping[str, float]], title: str = "", unit: str = "clips") -> Picture:
    """A bar for each row of `{row: {part: number}}`, in its parts, with the sum beside it; rows have the same parts."""
    listed = "; ".join(f"{row} " + ", ".join(f"{part} {n}" for part, n in of.items()) for row, of in numbers.items())
    picture, axis = _rows(f"{title or unit}: {listed}", list(numbers), unit, title)
    left = np.zeros(len(numbers))
    for number, part in enumerate(next(iter(numbers.values()))):
        widths = np.array([of[part] for of in numbers.values()])
        axis.barh(range(len(numbers)), widths, left=left, color=COLOURS[number % len(COLOURS)], height=0.65, label=part)
        left += widths
    for row, total in enumerate(left):
        axis.annotate(f"{total:g}", (total, row), (4, 0), textcoords="offset points", va="center", color=INK)
    axis.grid(False)
    axis.margins(x=0.08)
    picture.legend(loc="outside lower center", ncols=6, frameon=False)
    return picture


def points(
    groups: Mapping[str, npt.ArrayLike],
    title: str = "",
    ringed: Sequence[npt.ArrayLike] = (),
    panels: bool = False,
    labels: tuple[str, str] = ("first direction", "second direction"),
) -> Picture:
    """Points in a plane, a colour and shape for each of `{name: places [N, 2]}`; `ringed` places are numbered.

    With `panels` each group has its own, all on the scale of the first.
    """
    listed = (name if panels else f"{name} {len(np.asarray(places))}" for name, places in groups.items())
    picture = Picture(f"{title or 'points in a plane'}: {', '.join(listed)}", 3.4 if panels else 4.2)
    axes = picture.subplots(1, len(groups) if panels else 1, squeeze=False, sharex=True, sharey=True)[0]
    for number, (name, places) in enumerate(groups.items()):
        axis = axes[number if panels else 0]
        shape = "." if panels else MARKERS[(number // len(COLOURS) + number) % len(MARKERS)]
        axis.plot(*np.asarray(places).T, shape, color=COLOURS[number % len(COLOURS)], alpha=0.6, label=spaced(name))
        label_axis(axis, name if panels else title, labels[0], labels[1] if axis is axes[0] else "")
    _number_rings(axes[0], ringed)
    if panels:
        reach = 1.25 * float(np.abs(np.asarray(next(iter(groups.values())))).max())
        for axis in axes:
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    else:
        picture.legend(loc="outside right upper", frameon=False)
    return picture


def _number_rings(axis: Axes, ringed: Sequence[npt.ArrayLike]) -> None:
    """A ring and a number at each place, the number on the side that is farthest from all dots and other numbers."""
    axis.autoscale_view()
    points_a_pixel = 72.0 / axis.figure.dpi
    taken = np.concatenate([line.get_xydata() for line in axis.lines])
    taken = points_a_pixel * axis.transData.transform(taken)  # [N, 2], in points
    angles = np.pi / 4 * np.arange(8)
    sides = 17.0 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for number, place in enumerate(ringed, start=1):
        x, y = np.asarray(place, dtype=np.float64)
        axis.plot(x, y, "o", markersize=15, markerfacecolor="none", markeredgecolor=INK)
        tried = points_a_pixel * axis.transData.transform((x, y)) + sides
        clear = np.linalg.norm(tried[:, None] - taken, axis=2).min(axis=1).argmax()
        taken = np.vstack([taken, tried[clear]])
        side, middle = (float(sides[clear, 0]), float(sides[clear, 1])), "center"
        label = axis.annotate(str(number), (x, y), side, textcoords="offset points", ha=middle, va=middle)
        label.set(color=INK, fontweight="bold")


def intervals(
    rows: Mapping[str, Mapping[str, Estimate]], across: str, title: str = "", at: float = 0.0, log: bool = False
) -> Picture:
    """Values with their intervals, `{row: {mark: (value, low, high)}}`: a row each, dotted at `at`.

    Raises `CtxAudioError` where there is nothing to draw.
    """
    if not rows:
        raise CtxAudioError(f"nothing to draw of {across}")
    listed = (f"{row} " + ", ".join(f"{mark} {one[0]:.3g}" for mark, one in of.items()) for row, of in rows.items())
    picture, axis = _rows(f"{title or across}: {'; '.join(listed)}", list(rows), across, title, log)
    marks = dict.fromkeys(mark for of in rows.values() for mark in of)
    for number, mark in enumerate(marks):
        colour, shape = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        known = np.array([(place, *of[mark]) for place, of in enumerate(rows.values()) if mark in of], dtype=np.float64)
        axis.plot(known[:, 1], known[:, 0], shape, color=colour, markersize=8, mec="white", label=mark)
        known = known[np.isfinite(known).all(axis=1)]
        if len(known):
            axis.hlines(known[:, 0], known[:, 2], known[:, 3], color=colour, linewidth=1.8, zorder=1)
    axis.axvline(at, color=INK, linewidth=0.9, linestyle=":")
    if len(marks) > 1:
        picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def _rows(alt: str, names: Sequence[str], across: str, title: str, log: bool = False) -> tuple[Picture, Axes]:
    """A chart with a row for each of `names`, 0, 1, ... from above."""
    picture = Picture(alt, 1.5 + 0.4 * len(names))
    axis = picture.subplots()
    label_axis(axis, title, across, "")
    axis.set_yticks(range(len(names)), [spaced(name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    if log:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: _between_decades(axis, value)))
    return picture, axis


def _between_decades(axis: Axes, value: float) -> str:
    """The number at a small tick of a logarithmic axis: at 2 and 5 of each decade where the axis has few."""
    low, high = axis.get_xlim()
    return f"{value:g}" if high < 100.0 * low and f"{value:.0e}"[0] in "25" else ""
