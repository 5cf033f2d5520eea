"""Pictures of listening tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ctxaudio.plots.style import BLUE, INK, ORANGE, SKY, Picture, label_axis


def abx_scores(chances: Sequence[float], needed: int, scores: Mapping[str, int]) -> Picture:
    """What guessing gives in an ABX test, and where listeners stand.

    `chances` of 0, 1, ... right answers by guessing; `needed` are what it takes for p < 0.05; `scores` are right
    answers by listener.
    """
    trials = len(chances) - 1
    told = ", ".join(f"{name} {correct} right" for name, correct in scores.items())
    picture = Picture(f"ABX test of {trials} trials, {needed} right answers needed: {told}", 3.0)
    axis = picture.subplots()
    right = np.arange(trials + 1)
    passes = right >= needed
    axis.bar(right[~passes], np.asarray(chances)[~passes], color=SKY, label="by guessing")
    axis.bar(right[passes], np.asarray(chances)[passes], color=ORANGE, label="by guessing, taken for hearing")
    axis.axvline(needed - 0.5, color=INK, linewidth=1.0, linestyle="--", label="p < 0.05 from here on")
    top = 1.2 * max(chances)
    for name, correct in scores.items():
        side = "left" if correct < trials / 4 else "right" if correct > trials * 3 / 4 else "center"
        height = 0.98 if correct < needed else 0.55
        axis.annotate(
            name, (correct, chances[correct]), (correct, top * height), ha=side, va="top", color=BLUE,
            arrowprops={"arrowstyle": "->", "color": BLUE},
        )  # fmt: skip
    axis.set(ylim=(0.0, top), xlim=(-0.7, trials + 0.7), xticks=right[:: max(1, trials // 20)])
    label_axis(axis, f"Right answers in {trials} trials", "right answers", "chance by guessing")
    picture.legend(loc="outside lower center", ncols=3, frameon=False)
    return picture
