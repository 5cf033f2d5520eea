"""Figures: general charts, and pictures of sounds and of what is measured of them; each function gives a `Picture`.

A `Picture` is a matplotlib `Figure` made without pyplot: no global state, safe in threads, nothing to close. Its
colours are those of Okabe & Ito 2008, for any colour vision. `CtxAudioError` is raised where there is nothing to draw.
"""

from __future__ import annotations

import base64
import html
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, written_whole
from ctxaudio.modulation.schedule import Schedule
from ctxaudio.signal.audio import fade_gain
from ctxaudio.signal.envelope import Array

INK, BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#333333", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, INK)
DOTTED: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": ":"}
BEHIND_TEXT = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.0}
MARKERS = "oD^sv"
PNG_TYPE = "image/png"
RATE_TICKS_HZ = (1, 2, 5, 10, 20, 50, 100)
RATE_TARGETS_HZ = [target.frequency_hz for target in TARGETS.values() if target.kind == "rate"]
HOP, QUIETEST_DB = 256, -80.0
#: What kernel distances are called, by the name of their column.
DISTANCES = {
    "real_floor": "other real clips (floor)",
    "generated": "generated",
    "matched_noise": "noise of the same spectrum (ceiling)",
    "white_noise": "white noise",
}


class Picture(Figure):
    """A figure that shows itself in a notebook as PNG, with `alt` for those who can't see it and as its text line."""

    def __init__(self, alt: str, height_in: float) -> None:
        super().__init__(figsize=(9.0, height_in), dpi=100, layout="constrained")
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
        alt, onload = html.escape(self.alt), html.escape(onload)
        return f'<img alt="{alt}" style="{style}" onload="{onload}" src="data:{PNG_TYPE};base64,{data}">'

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
    # a dollar sign in the name of a file begins no formula
    axis.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK, parse_math=False)
    axis.set(xlabel=across, ylabel=upwards, axisbelow=True)
    axis.set_prop_cycle(color=COLOURS)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(True, color="#DDDDDD", linewidth=0.6)


def lines(
    drawn: Mapping[str, Any], x: npt.ArrayLike, across: str, upwards: str, title: str = "", marked: Sequence[float] = ()
) -> Picture:
    """Values `[N]` over `x` `[N]`: a line for each of `{name: values}`, dotted verticals where `marked`.

    `{title: {name: values}}` makes a panel for each title. Every other line is dashed: one on another is still seen.
    """
    panels = drawn if any(isinstance(values, Mapping) for values in drawn.values()) else {title: drawn}
    if not all(panels.values()):
        raise CtxAudioError(f"no lines to draw over {across}")
    picture = Picture(f"{title or upwards} over {across}: {', '.join(drawn)}", 1.4 + 1.8 * len(panels) ** 0.8)
    axes = picture.subplots(len(panels), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axis, (panel, values) in zip(axes, panels.items(), strict=True):
        label_axis(axis, spaced(panel), across if axis is axes[-1] else "", upwards)
        for (name, line), style in zip(values.items(), itertools.cycle(("-", "--"))):
            axis.plot(np.asarray(x), np.asarray(line), style, linewidth=1.6, label=spaced(name))
        for place in marked:
            axis.axvline(place, **DOTTED)
        axis.margins(x=0.0)
    picture.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return picture


def bars(numbers: Mapping[str, Mapping[str, float]], title: str = "", unit: str = "clips") -> Picture:
    """A bar for each row of `{row: {part: number}}`, in its parts, with the sum beside it; rows have the same parts."""
    listed = "; ".join(f"{row} " + ", ".join(f"{part} {n}" for part, n in of.items()) for row, of in numbers.items())
    picture, axis = _rows(f"{title or unit}: {listed}", list(numbers), unit, title)
    left = np.zeros(len(numbers))
    for part in next(iter(numbers.values())):
        widths = np.array([of[part] for of in numbers.values()])
        drawn = axis.barh(range(len(numbers)), widths, left=left, height=0.65, label=part)
        left += widths
    axis.bar_label(drawn, [f"{total:g}" for total in left], padding=4, color=INK)
    axis.margins(x=0.08)
    picture.legend(loc="outside lower center", ncols=6, frameon=False)
    return picture


def intervals(
    rows: Mapping[str, Mapping[str, Sequence[Any]]], across: str, title: str = "", at: float = 0.0, log: bool = False
) -> Picture:
    """Values with their intervals (None for none), `{row: {mark: (value, low, high)}}`: a row each, dotted at `at`."""
    if not rows:
        raise CtxAudioError(f"nothing to draw of {across}")
    listed = (f"{row} " + ", ".join(f"{mark} {one[0]:.3g}" for mark, one in of.items()) for row, of in rows.items())
    picture, axis = _rows(f"{title or across}: {'; '.join(listed)}", list(rows), across, title)
    marks = dict.fromkeys(mark for of in rows.values() for mark in of)
    for mark, shape in zip(marks, itertools.cycle(MARKERS)):
        known = np.array([(place, *of[mark]) for place, of in enumerate(rows.values()) if mark in of], dtype=np.float64)
        (drawn,) = axis.plot(known[:, 1], known[:, 0], shape, markersize=8, mec="white", label=mark)
        known = known[np.isfinite(known).all(axis=1)]
        axis.hlines(known[:, 0], known[:, 2], known[:, 3], color=drawn.get_color(), linewidth=1.8, zorder=1)
    axis.axvline(at, **DOTTED)
    if log:
        axis.set_xscale("log")
        low, high = axis.get_xlim()
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100.0 * low else (1,)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
    if len(marks) > 1:
        picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def _rows(alt: str, names: Sequence[str], across: str, title: str) -> tuple[Picture, Axes]:
    """A chart with a row for each of `names`, 0, 1, ... from above."""
    picture = Picture(alt, 1.5 + 0.4 * len(names))
    axis = picture.subplots()
    label_axis(axis, title, across, "")
    axis.set_yticks(range(len(names)), [spaced(name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    return picture, axis


def points(
    groups: Mapping[str, npt.ArrayLike], title: str = "", ringed: Sequence[npt.ArrayLike] = (), panels: bool = False
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
        label_axis(axis, name if panels else title, "first coordinate", "second coordinate" if axis is axes[0] else "")
        axis.set_aspect("equal" if panels else "auto")
    for number, (x, y) in enumerate(np.asarray(ringed), start=1):
        axes[0].plot(x, y, "o", markersize=15, markerfacecolor="none", markeredgecolor=INK)
        axes[0].annotate(str(number), (x, y), (8, 6), textcoords="offset points", fontweight="bold", bbox=BEHIND_TEXT)
    if panels:
        reach = 1.25 * float(np.abs(np.asarray(next(iter(groups.values())))).max())
        axes[0].set(xlim=(-reach, reach), ylim=(-reach, reach))
    else:
        picture.legend(loc="outside right upper", frameon=False)
    return picture


def spectrograms(clips: Mapping[str, FloatArray], sample_rate: int) -> Picture:
    """Mel spectrograms of `{title: samples [T]}`, three to a row, in decibels below the loudest point of all clips."""
    if not clips:
        raise CtxAudioError("no clips to draw: give at least one title and its samples")
    columns, rows = min(3, len(clips)), -(-len(clips) // 3)
    picture = Picture(f"spectrogram of {', '.join(clips)}", max(3.2, 2.0 * rows))
    powers = [librosa.feature.melspectrogram(y=clip, sr=sample_rate, hop_length=HOP) for clip in clips.values()]
    loudest = max(max(float(power.max()) for power in powers), 1e-10)
    ticks_hz = [tick for tick in (0, 500, 1000, 2000, 4000, 8000, 16000) if tick <= sample_rate / 2]
    axes: list[Axes] = []
    for place, (title, power) in enumerate(zip(clips, powers, strict=True)):
        shared = axes[0] if axes else None
        axes.append(axis := picture.add_subplot(rows, columns, place + 1, sharex=shared, sharey=shared))
        levels_db = librosa.power_to_db(power, ref=loudest, top_db=None)
        # Mel bands are even on the mel axis, so an image with ticks at the mel of each frequency is exact.
        extent = (0.0, power.shape[1] * HOP / sample_rate, 0.0, float(librosa.hz_to_mel(sample_rate / 2)))
        image = axis.imshow(levels_db, origin="lower", aspect="auto", extent=extent, cmap="magma")
        image.set_clim(QUIETEST_DB, 0.0)
        leftmost, lowest = place % columns == 0, place >= len(clips) - columns
        label_axis(axis, spaced(title), "time (s)" if lowest else "", "frequency (Hz)" if leftmost else "")
        axis.set_yticks(librosa.hz_to_mel(ticks_hz), [str(tick) for tick in ticks_hz])
        axis.tick_params(labelbottom=lowest, labelleft=leftmost)
        axis.grid(False)
    picture.colorbar(image, ax=axes, label="level (dB re loudest)", aspect=30, pad=0.01)
    return picture


def modulation_spectra(
    spectra: Mapping[str, Array], rates_hz: Array, title: str = "", asked: Mapping[float, float] | None = None
) -> Picture:
    """Modulation depth against rate, 1-100 Hz, with bands and rate targets marked.

    A line for each of `{name: depths [R]}` at `rates_hz` `[R]`; of `[clips, R]` their median, and shaded where 80 % of
    them are. `asked` are depths asked for, by hertz: a cross each.
    """
    picture = Picture(f"modulation spectrum of {', '.join(spectra)}", 3.8)
    axis = picture.subplots()
    label_axis(axis, title, "rate of the envelope (Hz); dotted: the rate targets", "modulation depth (0 to 1)")
    for name, depths in spectra.items():
        low, middle, high = np.percentile(np.atleast_2d(depths), (10, 50, 90), axis=0)
        several = f": median, 80 % of {len(depths)} clips" if np.ndim(depths) == 2 else ""
        axis.fill_between(rates_hz, low, high, alpha=0.2, linewidth=0)
        axis.plot(rates_hz, middle, linewidth=1.2, label=name.replace("$", r"\$") + several)
    if asked:
        axis.plot(list(asked), list(asked.values()), "x", color=INK, label="asked for")
    axis.set(ylim=(0.0, None), xscale="log", xlim=(1, 100), xticks=RATE_TICKS_HZ)
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter("{x:g}")
    for band, colour in zip(BANDS.values(), (BLUE, SKY, GREEN, ORANGE, PURPLE), strict=True):
        axis.axvspan(band.low_hz, band.high_hz, color=colour, alpha=0.1, linewidth=0)
        place, above = (np.sqrt(band.low_hz * band.high_hz), 0.985), axis.get_xaxis_transform()
        axis.annotate(band.name, place, xycoords=above, ha="center", va="top", color=INK, bbox=BEHIND_TEXT)
    for rate_hz in RATE_TARGETS_HZ:
        axis.axvline(rate_hz, **DOTTED)
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def distances(by_condition: Mapping[str, Mapping[str, float | None]]) -> Picture:
    """Kernel distance x1000 to real clips, `{condition: {column: distance}}`, from the floor to noise.

    Columns are those of `DISTANCES`, with `_low` and `_high` after them for intervals; None is left out.
    """
    rows: dict[str, dict[str, Sequence[Any]]] = {condition: {} for condition in by_condition}
    for (condition, found), (name, said) in itertools.product(by_condition.items(), DISTANCES.items()):
        if (value := found.get(name)) is not None:
            rows[condition][said] = value, found.get(f"{name}_low"), found.get(f"{name}_high")
    return intervals(rows, "kernel distance to real clips, x1000: left is nearer")


def timeline(schedule: Schedule, minutes: float, fade_s: float, measured: Mapping[str, Any] | None = None) -> Picture:
    """Rate, depth, level (dB beside the middle) and conditions over `minutes` of a session with fades of `fade_s`.

    Lines are as planned, dots as `measured`, which has (seconds, values) for `rate`, `depth` or `level`.
    """
    measured, conditions = measured or {}, schedule.conditions()
    heard = "".join(f", {spaced(name)} from minute {second / 60:g}" for second, name in conditions)
    picture = Picture(f"rate, depth and level of a session over time{', as measured' if measured else ''}{heard}", 5.2)
    time_s, (seconds, rates_hz, depths) = np.linspace(0.0, 60.0 * minutes, 2000), np.array(schedule.knots()).T
    fade = round(min(fade_s / (60.0 * minutes), 0.5) * len(time_s))
    level_db = 20.0 * np.log10(np.maximum(fade_gain(0, len(time_s), len(time_s), fade, fade), 1e-6))
    planned = {
        "rate": (np.interp(time_s, seconds, rates_hz), "rate (Hz)", (0.0, None)),
        "depth": (np.interp(time_s, seconds, depths), "depth (0 to 1)", (0.0, None)),
        "level": (level_db + np.interp(time_s, *np.array(schedule.levels()).T), "level (dB)", (-40.0, 6.0)),
    }
    axes = picture.subplots(3, 1, sharex=True)
    for axis, (name, (line, upwards, limits)) in zip(axes, planned.items(), strict=True):
        label_axis(axis, "", "time (minutes)" if axis is axes[-1] else "", upwards)
        axis.plot(time_s / 60.0, line, linewidth=1.8, label="planned")
        if name in measured:
            axis.plot(np.asarray(measured[name][0]) / 60.0, measured[name][1], ".", markersize=7, label="measured")
        for second, name in conditions:
            axis.axvline(second / 60.0, **DOTTED)
            if axis is axes[0]:
                axis.annotate(spaced(name), (second / 60.0, 1.0), xycoords=("data", "axes fraction"), color=INK)
        axis.set(xlim=(0.0, minutes), ylim=limits)
    if measured:
        picture.legend(*axes[2].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return picture
