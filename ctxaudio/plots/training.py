"""Pictures of training: its losses and the number of clips."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.ticker import MaxNLocator

from ctxaudio.errors import CtxAudioError
from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, Picture, label_axis


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
    label_axis(axis, "Training", "epoch", "loss")
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
