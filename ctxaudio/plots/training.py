"""Pictures of training: its losses, the number of clips, what longer runs came to, and how the yardstick ranks."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.ticker import MaxNLocator

from ctxaudio.errors import CtxAudioError
from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, Picture, label_axis

_BESIDE = {
    "hit5": {"hit5_real": ("o", GREEN, "real clips")},
    "kad": {
        "kad_floor": ("o", GREEN, "real clips"),
        "kad_matched_noise": ("s", ORANGE, "noise of the same spectrum"),
    },
}


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


def longer_runs(results: pd.DataFrame) -> Picture:
    """A line a condition of stored results (`stored_results.training_results`) of trainings of one length.

    Left the share whose label a tagger hears, right the kernel distance x1000 to real clips, with what it lies between
    where that was measured. Raises `CtxAudioError` for no rows.
    """
    if results.empty:
        raise CtxAudioError("no results to draw: choose minutes that were measured")
    conditions = list(dict.fromkeys(results["condition"]))
    architectures = sorted(results["architecture"].unique())
    picture = Picture(
        f"{', '.join(architectures)} and real clips: {', '.join(conditions)}", 1.8 + 0.3 * len(conditions)
    )
    left, right = picture.subplots(1, 2, sharey=True)
    place = results["condition"].map(conditions.index)
    for axis, figure in ((left, "hit5"), (right, "kad")):
        for name, (mark, colour, label) in _BESIDE[figure].items():
            axis.plot(results[name], place, mark, color=colour, markersize=8, label=label, linestyle="none")
        for architecture, (mark, colour) in zip(architectures, (("D", RED), ("X", PURPLE), ("v", SKY)), strict=False):
            of_it = results["architecture"] == architecture
            axis.plot(results[figure][of_it], place[of_it], mark, color=colour, markersize=8, label=architecture)
            axis.lines[-1].set(linestyle="none", alpha=0.85, markeredgecolor="white")
    label_axis(left, "Heard as its label", "share of clips: right is better", "")
    label_axis(right, "Distance to real clips", "kernel distance, x1000: left is nearer", "")
    left.set_xlim(-0.05, 1.05)
    right.set_xlim(left=min(0.0, results[["kad", "kad_floor"]].min().min()) - 20)
    left.set_yticks(range(len(conditions)), [name.replace("_", " ") for name in conditions])
    left.invert_yaxis()
    handles = {line.get_label(): line for axis in (left, right) for line in axis.lines}
    picture.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False)
    return picture


def rankings(results: pd.DataFrame) -> Picture:
    """A point a set of sounds of stored results (`stored_results.ranking_results`), a panel a kind.

    Across the judge's distance to real clips, upwards the yardstick's, a colour a condition. Raises `CtxAudioError` for
    no rows.
    """
    if results.empty:
        raise CtxAudioError("no rankings to draw")
    kinds = list(dict.fromkeys(results["kind"]))
    conditions = list(dict.fromkeys(results["condition"]))
    picture = Picture(f"the yardstick's distance over the judge's: {', '.join(kinds)}", 3.9)
    axes = picture.subplots(1, len(kinds), squeeze=False, sharex=True, sharey=True)[0]
    for axis, kind in zip(axes, kinds, strict=True):
        for condition, part in results[results["kind"] == kind].groupby("condition", sort=False):
            number = conditions.index(condition)
            colour = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, INK)[number % 7]
            axis.plot(part["judge"], part["yardstick"], "o^s"[number // 7 % 3], color=colour, markersize=4, alpha=0.8)
            axis.lines[-1].set(linestyle="none", label=str(condition).replace("_", " "))
        label_axis(
            axis, kind, "the judge's kernel distance, x1000", "the yardstick's, x1000" if axis is axes[0] else ""
        )
        axis.set_xscale("symlog", linthresh=20)  # the nearest are at 0 or just below
        axis.set_yscale("symlog", linthresh=20)
    handles = {line.get_label(): line for axis in axes for line in axis.lines}
    picture.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return picture
