"""How near generated sound comes to real sound, between the floor and noise."""

from __future__ import annotations

from collections.abc import Mapping

from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, RED, Picture, label_axis

_MARKS = {
    "real_floor": ("o", GREEN, "other real clips"),
    "generated": ("D", RED, "generated"),
    "matched_noise": ("s", ORANGE, "noise of the same spectrum"),
    "white_noise": ("^", BLUE, "white noise"),
}


def distances_beside_floors(distances: Mapping[str, Mapping[str, float | None]]) -> Picture:
    """A line a condition: kernel distance x1000 to real clips, of `{condition: {mark: distance}}`; None is left out.

    The marks are `generated`, `real_floor`, `matched_noise`, `white_noise`; those with `_low` and `_high` in the
    mapping are drawn with that interval.
    """
    said = ", ".join(f"{name} {found['generated']:.0f}" for name, found in distances.items())
    picture = Picture(f"kernel distances to real clips: {said}", 1.6 + 0.4 * len(distances))
    axis = picture.subplots()
    for place, found in enumerate(distances.values()):
        known = [value for value in found.values() if value is not None]
        axis.hlines(place, min(known), max(known), color="#EEEEEE", linewidth=3, zorder=1)
        for name, (mark, colour, label) in _MARKS.items():
            distance, low, high = (found.get(f"{name}{end}") for end in ("", "_low", "_high"))
            if distance is not None:
                text = label if place == 0 else None
                axis.plot(distance, place, mark, color=colour, markersize=8, label=text, markeredgecolor="white")
                if low is not None and high is not None:
                    axis.hlines(place, low, high, color=colour, linewidth=1.5)
    axis.axvline(0.0, color=INK, linewidth=0.9, linestyle=":")
    label_axis(axis, "", "kernel distance to real clips, x1000: left is nearer", "")
    axis.set_yticks(range(len(distances)), list(distances))
    axis.invert_yaxis()
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture
