"""The data behind the pictures that the notebooks explain with."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from ctxaudio import plots
from ctxaudio.modulation.comfort import comfort_limit
from ctxaudio.modulation.named import method_profile
from ctxaudio.render.tones import tone_block, tone_track

RATE = 8000
TIME_S = np.arange(4 * RATE) / RATE


def line(figure: Figure, label: str) -> tuple[np.ndarray, np.ndarray]:
    found = next(drawn for axis in figure.axes for drawn in axis.lines if drawn.get_label() == label)
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def pumped(rate_hz: float, depth: float) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(len(TIME_S))
    return (0.05 * noise * (1 + depth * np.sin(2 * np.pi * rate_hz * TIME_S))).astype(np.float32)


def test_thresholds_limits_and_what_is_asked_share_one_axis_of_decibels() -> None:
    figure = plots.modulation_thresholds({"gentle": (2.5, 0.1), "rough": (40.0, 0.5)})
    axis = figure.axes[0]
    np.testing.assert_allclose(np.ravel(line(figure, "gentle")), [2.5, -20.0])
    np.testing.assert_allclose(np.ravel(line(figure, "rough")), [40.0, -6.02], atol=0.01)
    (limits,) = axis.patches
    values, edges_hz, _ = limits.get_data()
    for value_db, low_hz, high_hz in zip(values, edges_hz, edges_hz[1:], strict=False):
        assert value_db == pytest.approx(20 * np.log10(comfort_limit((low_hz + high_hz) / 2)))
    (band,) = axis.collections[:1]
    noticed = band.get_paths()[0].vertices
    assert (noticed[:, 1].min(), noticed[:, 1].max()) == (-26.0, -23.0)


@pytest.mark.parametrize(
    ("method", "depth", "said"),
    [("am", 0.5, ["0.50"] * 3), ("monaural", 1.0, ["0.67"] * 3), ("binaural", 1.0, ["0.00", "0.00", "0.67"])],
)
def test_side_by_side_says_what_each_ear_and_the_mono_sum_have(method: str, depth: float, said: list[str]) -> None:
    (tone,) = method_profile(method, 6.0, depth, carrier_hz=250.0).tones
    samples = np.squeeze(0.1 * tone_block(tone, tone_track(tone), 0, 4 * RATE, RATE))
    figure = plots.side_by_side({method: samples}, RATE, 6.0, 1.0, 2.0)
    assert [axis.texts[0].get_text() for axis in figure.axes] == [f"depth {depth}" for depth in said]
    assert [axis.get_title("left") for axis in figure.axes] == [f"{method}: left ear", "right ear", "mono sum"]
    assert figure.axes[0].get_xlim() == (1.0, 2.0)


def test_depth_by_auditory_band_finds_the_depth_in_every_band() -> None:
    figure = plots.depth_by_auditory_band({"moved": pumped(6.0, 0.5), "plain": pumped(6.0, 0.0)}, RATE, 6.0)
    centres_hz, depths = line(figure, "moved")
    assert centres_hz[0] == pytest.approx(125.0) and centres_hz[-1] < RATE / 2
    assert np.median(depths) == pytest.approx(0.5, abs=0.03)
    assert line(figure, "plain")[1].max() < 0.2


def test_depth_against_rate_draws_what_it_is_given_and_marks_rates() -> None:
    rates_hz = np.linspace(5.0, 7.0, 5)
    figure = plots.depth_against_rate({"4 s": rates_hz / 10}, rates_hz, (6.0,), "Title")
    np.testing.assert_array_equal(line(figure, "4 s"), [rates_hz, rates_hz / 10])
    assert [list(drawn.get_xdata()) for drawn in figure.axes[0].lines[1:]] == [[6.0, 6.0]]


def test_learning_draws_paths_and_aim_and_says_where_they_end() -> None:
    figure = plots.learning({"6 Hz": [0.1, 0.3, 0.4], "7 Hz": [0.1, 0.0, 0.0]}, 0.4)
    np.testing.assert_array_equal(line(figure, "6 Hz")[1], [0.1, 0.3, 0.4])
    assert set(line(figure, "hidden depth")[1]) == {0.4}
    assert "6 Hz ends at 0.40, 7 Hz ends at 0.00" in figure.alt


def test_curves_draw_what_they_are_given_and_dash_every_other_one() -> None:
    figure = plots.curves({"p": [1.0, 2.0], "q": [3.0, 4.0]}, [0.0, 1.0], "x", "density")
    np.testing.assert_array_equal(line(figure, "q"), [[0.0, 1.0], [3.0, 4.0]])
    assert [drawn.get_linestyle() for drawn in figure.axes[0].lines] == ["-", "--"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x", "density")


def test_clouds_share_the_scale_of_the_first() -> None:
    figure = plots.clouds({"real": np.array([[1.0, -2.0]]), "made": np.array([[0.1, 0.2], [9.0, 9.0]])})
    assert [axis.get_xlim() for axis in figure.axes] == [(-2.5, 2.5)] * 2
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), [0.2, 9.0])


def test_courses_are_drawn_over_seconds_a_row_each() -> None:
    values = np.arange(12.0).reshape(4, 3)
    figure = plots.courses({"Rain": values, "Wind": -values}, frame_rate=2.0, shown=2)
    assert [len(axis.lines) for axis in figure.axes] == [2, 2]
    np.testing.assert_array_equal(figure.axes[1].lines[1].get_xydata().T, [[0.0, 0.5, 1.0], -values[1]])
