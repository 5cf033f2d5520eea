"""The data and the words behind the figures of a data set."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from ctxaudio import plots
from ctxaudio.plots.data import LEAST_SHARE


def row_names(axis: Axes) -> list[str]:
    return [tick.get_text() for tick in axis.get_yticklabels()]


def test_stacked_counts_put_the_parts_end_to_end_and_write_the_sum() -> None:
    numbers = {"Rain": {"train": 4, "val": 2}, "Church_bell": {"train": 0, "val": 3}}
    figure = plots.stacked_counts(numbers, "Clips")
    train, val = figure.axes[0].containers
    assert [bar.get_width() for bar in train] == [4, 0]
    assert [(bar.get_x(), bar.get_width()) for bar in val] == [(4, 2), (0, 3)]
    assert [text.get_text() for text in figure.axes[0].texts] == ["6", "3"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "val"]
    assert row_names(figure.axes[0]) == ["Rain", "Church bell"]
    assert figure.alt == "Clips: Rain train 4, val 2; Church_bell train 0, val 3"


def test_label_shares_write_what_is_not_nothing_and_call_only_all_of_them_100() -> None:
    shares = np.array([[1.0, 0.999, 0.0], [0.001, 1.0, 0.25]])
    figure = plots.label_shares(shares, ["Rain", "Wind"], ["Rain", "Water", "Bird_vocalization_and_bird_call"])
    axis = figure.axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array(), shares)
    written = {text.get_position(): text.get_text() for text in axis.texts}
    assert written == {(0, 0): "100", (1, 0): "99", (0, 1): "1", (1, 1): "100", (2, 1): "25"}
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["Rain", "Water", "Bird_vocalization_and_..."]


def test_durations_have_a_dot_a_clip_and_a_bar_at_the_median() -> None:
    figure = plots.durations({"Rain": [1.0, 2.0, 9.0], "Wind": [], "Gong": [5.0]}, "Durations")
    axis = figure.axes[0]
    dots, bars = axis.lines[::2], axis.lines[1::2]
    assert [list(line.get_xdata()) for line in dots] == [[1.0, 2.0, 9.0], [5.0]]
    assert [list(line.get_xdata()) for line in bars] == [[2.0, 2.0], [5.0, 5.0]]
    for line, row in zip(dots, (0, 2), strict=True):
        assert np.abs(np.asarray(line.get_ydata()) - row).max() < 0.3
    assert row_names(axis) == ["Rain", "Wind", "Gong"]
    assert axis.get_xscale() == "log"
    assert figure.alt == "Durations, medians: Rain 2.0 s, Gong 5.0 s"


def test_cleaned_shows_before_and_after_and_has_a_place_for_no_rumble_at_all() -> None:
    conditions = np.array([0, 1])
    before, after = (np.array([0.5, 1e-3]), np.array([-40.0, -10.0])), (np.array([1e-4, 0.0]), np.array([-26.0, -26.0]))
    figure = plots.cleaned(conditions, ["Rain", "Wind"], (before[0], after[0]), (before[1], after[1]))
    rumble, level = figure.axes
    assert [list(line.get_xdata()) for line in rumble.lines] == [[0.5, 1e-3], [1e-4, LEAST_SHARE]]
    assert [list(line.get_xdata()) for line in level.lines] == [[-40.0, -10.0], [-26.0, -26.0]]
    recorded, clean = rumble.lines
    assert (np.asarray(recorded.get_ydata()) < np.asarray(clean.get_ydata())).all()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["as recorded", "cleaned"]
    assert row_names(rumble) == ["Rain", "Wind"]


def test_sound_map_tells_conditions_apart_and_numbers_the_ringed() -> None:
    places = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0], [0.5, 3.0]])
    figure = plots.sound_map(places, [0, 2, 0, 2], ["Rain", "Wind", "Cricket"], ringed=[3, 0])
    axis = figure.axes[0]
    rain, cricket, *rings = axis.lines
    np.testing.assert_array_equal(rain.get_xydata(), places[[0, 2]])
    np.testing.assert_array_equal(cricket.get_xydata(), places[[1, 3]])
    assert [tuple(ring.get_xydata()[0]) for ring in rings] == [(0.5, 3.0), (0.0, 0.0)]
    assert [text.get_text() for text in axis.texts] == ["1", "2"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Rain", "Cricket"]


@pytest.mark.parametrize("count", [7, 12, 30])
def test_many_conditions_are_still_told_apart_by_colour_or_shape(count: int) -> None:
    places = np.random.default_rng(0).normal(size=(count, 2))
    figure = plots.sound_map(places, range(count), [f"sound {i}" for i in range(count)])
    looks = {(line.get_color(), line.get_marker()) for line in figure.axes[0].lines}
    assert len(looks) == count
