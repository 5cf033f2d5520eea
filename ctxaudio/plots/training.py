"""Pictures of training: its losses, the number of clips, and what longer runs came to.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ctxaudio.errors import CtxAudioError
from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, Picture, label_axis


def losses(history: pd.DataFrame) -> Picture:
    """Training losses: `history` has `step` or `epoch` (or its index) and a numeric column for each loss."""
    unit = next((name for name in ("step", "epoch") if name in history), "epoch")
    steps = history[unit] if unit in history else pd.Series(history.index)
    names = [name for name in history.select_dtypes("number").columns if name not in ("epoch", "step", "seconds")]
    if not names:
        raise CtxAudioError(f"no losses to draw among the columns {', '.join(map(str, history.columns))}")
    picture = Picture(f"training losses: {', '.join(names)}", 3.4)
    axis = picture.subplots()
    for name, colour in zip(names, (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, INK) * len(names), strict=False):
        axis.plot(steps, history[name], color=colour, label=name.replace("_", " "), marker="o", markersize=3)
    label_axis(axis, "Training", unit, "loss")
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
    label_axis(axis, title, unit, "")
    axis.grid(False)
    axis.margins(x=0.08)
    return picture


def stored_distances(ratios: pd.DataFrame) -> Picture:
    """A line a variant of `stored_results.compared`: its ratio of distances, with the interval; 1 is dotted.

    Raises `CtxAudioError` for no rows.
    """
    if ratios.empty:
        raise CtxAudioError("no stored results to draw")
    said = ", ".join(f"{row.variant} {row.ratio:.2f}" for row in ratios.itertuples())
    picture = Picture(f"distance to recordings beside the tuned generator: {said}", 1.4 + 0.34 * len(ratios))
    axis = picture.subplots()
    places = range(len(ratios))
    axis.hlines(places, ratios["low"], ratios["high"], color=SKY, linewidth=4)
    axis.plot(ratios["ratio"], places, "o", color=BLUE, markersize=8)
    axis.axvline(1.0, color=INK, linewidth=0.9, linestyle=":")
    label_axis(axis, "", "kernel distance beside that of the tuned generator: left is nearer to recordings", "")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_yticks(places, [str(name).replace("_", " ") for name in ratios["variant"]])
    axis.invert_yaxis()
    return picture
