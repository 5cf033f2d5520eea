"""The plan of a session on a timeline, and beside it what was measured in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ctxaudio.plots.style import BLUE, RED, Picture, label_axis
from ctxaudio.signal.filters import fade_gain

QUIETEST_DB = -40.0
_STEPS = 2000
_UPWARDS = {"rate": "rate (Hz)", "depth": "depth (0 to 1)", "level": "level (dB)"}


def timeline(
    knots: Sequence[tuple[float, float, float]],
    minutes: float,
    fade_s: float,
    measured: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]] | None = None,
) -> Picture:
    """Rate, depth and level over `minutes` of a session: lines as planned, dots as `measured`.

    `knots` (seconds, hertz, depth) are those of a `Schedule`, `fade_s` the fades of its `Finish`. `measured` has
    (seconds, values) for `rate`, `depth` or `level`; levels are in dB beside the middle of the session.
    """
    picture = Picture("rate, depth and level of a session over time" + (", as measured" if measured else ""), 5.2)
    axes = picture.subplots(3, 1, sharex=True)
    time_s = np.linspace(0.0, 60.0 * minutes, _STEPS)
    seconds, rates_hz, depths = np.array(knots).T
    fade = round(min(fade_s / (60.0 * minutes), 0.5) * _STEPS)
    level_db = 20.0 * np.log10(np.maximum(fade_gain(0, _STEPS, _STEPS, fade, fade), 1e-6))
    planned = (np.interp(time_s, seconds, rates_hz), np.interp(time_s, seconds, depths), level_db)
    for axis, (name, upwards), line in zip(axes, _UPWARDS.items(), planned, strict=True):
        axis.plot(time_s / 60.0, line, color=BLUE, linewidth=1.8, label="planned")
        if measured and name in measured:
            at_s, values = measured[name]
            axis.plot(np.asarray(at_s) / 60.0, values, ".", color=RED, markersize=7, label="measured")
        label_axis(axis, "", "time (minutes)" if axis is axes[-1] else "", upwards)
    axes[0].set_ylim(0.0, None)
    axes[1].set_ylim(0.0, None)
    axes[2].set_ylim(QUIETEST_DB, 6.0)
    axes[0].set_xlim(0.0, minutes)
    picture.legend(*axes[2].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return picture
