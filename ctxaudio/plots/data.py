"""Pictures of a data set: counts in parts, labels that go together, durations, what cleaning does, a map of sounds.

Notebook: 01_data_exploration.ipynb
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, Picture, label_axis

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, INK)
MARKERS = "os^Dv"
LEAST_SHARE = 1e-9  # so that nothing at all has a place on a logarithmic axis
_SPREAD = 0.28  # dots of a row are drawn this far above and below it, so that equal ones are seen


def stacked_counts(numbers: Mapping[str, Mapping[str, int]], title: str = "", unit: str = "clips") -> Picture:
    """One bar for each row of `{row: {part: number}}`, in parts; every row names the same parts."""
    parts = list(next(iter(numbers.values())))
    listed = "; ".join(f"{row} " + ", ".join(f"{part} {n}" for part, n in of.items()) for row, of in numbers.items())
    picture = Picture(f"{title or unit}: {listed}", 1.3 + 0.34 * len(numbers))
    axis = picture.subplots()
    rows = [_spaced(row) for row in numbers]
    left = np.zeros(len(rows))
    for part, colour in zip(parts, COLOURS * len(parts), strict=False):
        widths = np.array([of[part] for of in numbers.values()])
        axis.barh(rows, widths, left=left, color=colour, height=0.65, label=part)
        left += widths
    for row, total in zip(rows, left, strict=True):
        axis.annotate(f"{total:g}", (total, row), (4, 0), textcoords="offset points", va="center", color=INK)
    axis.invert_yaxis()
    label_axis(axis, title, unit, "")
    axis.grid(False)
    axis.margins(x=0.08)
    picture.legend(loc="outside lower center", ncols=min(6, len(parts)), frameon=False)
    return picture


def label_shares(
    shares: npt.NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], title: str = ""
) -> Picture:
    """`shares` `[R, C]`, 0 to 1: of the clips with the label of a row, how many bear the label of a column too."""
    picture = Picture(f"{title or 'labels that go together'}: {len(rows)} by {len(columns)}", 2.4 + 0.36 * len(rows))
    axis = picture.subplots()
    image = axis.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share > 0.0:
            colour = "white" if share > 0.6 else INK
            # 99.6 % is not all, and what is all is what the figure is about.
            text = "100" if share == 1.0 else f"{min(99, max(1, round(100 * share)))}"
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    label_axis(axis, title, "is labelled this too", "a clip labelled")
    axis.grid(False)
    axis.set_xticks(range(len(columns)), [_shortened(name) for name in columns], rotation=40, ha="right")
    axis.set_yticks(range(len(rows)), [_shortened(name) for name in rows])
    picture.colorbar(image, ax=axis, label="share of the clips", format=lambda share, _: f"{share:.0%}", pad=0.01)
    return picture


def durations(lengths_s: Mapping[str, Sequence[float]], title: str = "") -> Picture:
    """A dot a clip and a bar at the median, one row for each of `{name: durations in seconds}`; logarithmic."""
    medians = ", ".join(f"{name} {np.median(lengths):.1f} s" for name, lengths in lengths_s.items() if len(lengths))
    picture = Picture(f"{title or 'durations'}, medians: {medians}", 1.2 + 0.42 * len(lengths_s))
    axis = picture.subplots()
    for row, lengths in enumerate(lengths_s.values()):
        if len(lengths):
            axis.plot(lengths, row + _apart(len(lengths)), "o", color=BLUE, alpha=0.5, markersize=4)
            axis.plot([np.median(lengths)] * 2, [row - 0.36, row + 0.36], color=RED, linewidth=2.5)
    label_axis(axis, title, "duration of a clip (s); bar: the median", "")
    _rows_named(axis, list(lengths_s))
    axis.set(xscale="log", xlim=(0.25, 35.0))
    ticks = (0.3, 1, 2, 5, 10, 20, 30)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    return picture


def cleaned(
    conditions: npt.NDArray[np.integer],
    names: Sequence[str],
    share_below_20_hz: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    level_db: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> Picture:
    """Clips (as recorded, cleaned): share of energy below 20 Hz, 0 to 1, and level in dBFS, all `[N]`.

    `conditions` `[N]` are indices into `names`, the rows.
    """
    picture = Picture("energy below 20 Hz and level of clips, as recorded and cleaned", 1.6 + 0.42 * len(names))
    rumble, level = picture.subplots(1, 2, sharey=True)
    for axis, pair in ((rumble, [np.maximum(share, LEAST_SHARE) for share in share_below_20_hz]), (level, level_db)):
        for values, colour, label, above in zip(
            pair, (RED, BLUE), ("as recorded", "cleaned"), (-0.14, 0.14), strict=True
        ):
            axis.plot(values, conditions + above, "o", color=colour, alpha=0.5, markersize=5, label=label)
    label_axis(rumble, "", "share of the energy below 20 Hz", "")
    label_axis(level, "", "level (dBFS RMS)", "")
    rumble.set_xscale("log")
    _rows_named(rumble, names)
    picture.legend(*level.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return picture


def sound_map(
    places: npt.NDArray[np.float64],
    conditions: Sequence[int],
    names: Sequence[str],
    ringed: Collection[int] = (),
    title: str = "",
) -> Picture:
    """Clips as dots at `places` `[N, 2]`, a colour and shape a condition (indices into `names`); some `ringed`."""
    of = np.asarray(conditions)
    present = [i for i in range(len(names)) if (of == i).any()]
    listed = ", ".join(f"{names[i]} {(of == i).sum()}" for i in present)
    picture = Picture(f"{title or 'map of clips'}: {listed}; {len(ringed)} ringed", 4.2)
    axis = picture.subplots()
    for i in present:
        shape = MARKERS[(i // len(COLOURS) + i) % len(MARKERS)]
        axis.plot(*places[of == i].T, shape, color=COLOURS[i % len(COLOURS)], alpha=0.6, label=_spaced(names[i]))
    for number, i in enumerate(ringed, start=1):
        axis.plot(*places[i], "o", markersize=15, markerfacecolor="none", markeredgecolor=INK)
        axis.annotate(str(number), places[i], (9, 7), textcoords="offset points", color=INK, fontweight="bold")
    label_axis(axis, title, "first direction", "second direction")
    axis.set(xticks=[], yticks=[])  # directions have no unit
    picture.legend(loc="outside right upper", frameon=False)
    return picture


def _apart(count: int) -> npt.NDArray[np.floating]:
    """Steps up and down that look strewn, yet are the same every time: multiples of the golden ratio."""
    return _SPREAD * (2.0 * (np.arange(count) * 0.6180339887 % 1.0) - 1.0)


def _rows_named(axis: Axes, names: Sequence[str]) -> None:
    axis.set_yticks(range(len(names)), [_spaced(name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _shortened(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:22]}..."
