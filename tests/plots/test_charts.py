"""The data and the words in the general charts."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctxaudio import plots
from ctxaudio.errors import CtxAudioError


def a_chart() -> plots.Picture:
    return plots.bars({"Rain": {"train": 4, "val": 2}}, "Clips")


def row_names(axis: Axes) -> list[str]:
    return [tick.get_text() for tick in axis.get_yticklabels()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_lines_draw_what_they_are_given_dash_every_other_one_and_mark_places() -> None:
    figure = plots.lines({"p": [1.0, 2.0], "q": [3.0, 4.0]}, [0.0, 1.0], "x", "density", marked=[0.5])
    p, q, marked = figure.axes[0].lines
    np.testing.assert_array_equal(q.get_xydata().T, [[0.0, 1.0], [3.0, 4.0]])
    assert [drawn.get_linestyle() for drawn in (p, q, marked)] == ["-", "--", ":"]
    assert list(marked.get_xdata()) == [0.5, 0.5]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x", "density")
    assert legend(figure) == ["p", "q"] and figure.alt == "density over x: p, q"


def test_lines_have_a_panel_for_each_title_and_one_legend() -> None:
    rows = {"Rain": {"course 1": [0.0, 1.0], "course 2": [2.0, 3.0]}, "Cat_purr": {"course 1": [0.0, -1.0]}}
    figure = plots.lines(rows, [0.0, 0.5], "time (s)", "deviations")
    assert [len(axis.lines) for axis in figure.axes] == [2, 1]
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_xydata().T, [[0.0, 0.5], [0.0, -1.0]])
    assert [axis.get_title("left") for axis in figure.axes] == ["Rain", "Cat purr"]
    assert figure.alt == "deviations over time (s): Rain, Cat_purr"
    assert legend(figure) == ["course 1", "course 2"]


@pytest.mark.parametrize("nothing", [{}, {"Rain": {}}])
def test_no_lines_are_refused(nothing) -> None:
    with pytest.raises(CtxAudioError, match="no lines to draw over step"):
        plots.lines(nothing, [1.0], "step", "loss")


def test_bars_put_the_parts_end_to_end_and_write_the_sum() -> None:
    numbers = {"Rain": {"train": 4, "val": 2}, "Church_bell": {"train": 0, "val": 3}}
    figure = plots.bars(numbers, "Clips")
    train, val = figure.axes[0].containers
    assert [bar.get_width() for bar in train] == [4, 0]
    assert [(bar.get_x(), bar.get_width()) for bar in val] == [(4, 2), (0, 3)]
    assert [text.get_text() for text in figure.axes[0].texts] == ["6", "3"]
    assert legend(figure) == ["train", "val"]
    assert row_names(figure.axes[0]) == ["Rain", "Church bell"]
    assert figure.alt == "Clips: Rain train 4, val 2; Church_bell train 0, val 3"


def test_points_tell_groups_apart_and_number_the_ringed() -> None:
    groups = {"Rain": np.array([[0.0, 0.0], [2.0, 0.0]]), "Cat_purr": np.array([[1.0, 1.0], [0.5, 3.0]])}
    figure = plots.points(groups, "Map", ringed=[(0.5, 3.0), (0.0, 0.0)])
    rain, purr, *rings = figure.axes[0].lines
    np.testing.assert_array_equal(rain.get_xydata(), groups["Rain"])
    np.testing.assert_array_equal(purr.get_xydata(), groups["Cat_purr"])
    assert [tuple(ring.get_xydata()[0]) for ring in rings] == [(0.5, 3.0), (0.0, 0.0)]
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "2"]
    assert legend(figure) == ["Rain", "Cat purr"] and figure.alt == "Map: Rain 2, Cat_purr 2"


def test_ticks_of_a_logarithmic_axis_are_plain_numbers() -> None:
    few, wide = (
        plots.intervals({"Rain": {"ratio": (0.5, low, 3.0)}}, "ratio", at=1.0, log=True) for low in (0.2, 1e-4)
    )
    assert tick_names(few)[1:-1] == ["0.2", "0.5", "1", "2"]
    assert "0.2" not in tick_names(wide) and {"0.001", "0.01", "0.1", "1"} <= set(tick_names(wide))


def tick_names(figure: Figure) -> list[str]:
    figure.canvas.draw()
    return [text.get_text() for text in figure.axes[0].get_xticklabels(which="both") if text.get_text()]


def test_points_in_panels_share_the_scale_of_the_first() -> None:
    groups = {"real": np.array([[1.0, -2.0]]), "made": np.array([[0.1, 0.2], [9.0, 9.0]])}
    figure = plots.points(groups, panels=True)
    assert [axis.get_xlim() for axis in figure.axes] == [(-2.5, 2.5)] * 2
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), [0.2, 9.0])


@pytest.mark.parametrize("count", [7, 12, 30])
def test_many_groups_are_still_told_apart_by_colour_or_shape(count: int) -> None:
    places = np.random.default_rng(0).normal(size=(count, 1, 2))
    figure = plots.points({f"sound {i}": places[i] for i in range(count)})
    looks = {(line.get_color(), line.get_marker()) for line in figure.axes[0].lines}
    assert len(looks) == count


def test_intervals_have_a_mark_a_value_and_a_line_for_each_interval() -> None:
    rows = {"Rain": {"made": (3.0, 2.0, 5.0), "floor": (1.0, None, None)}, "Wind": {"made": (4.0, 4.0, 9.0)}}
    figure = plots.intervals(rows, "distance", at=1.0, log=True)
    axis = figure.axes[0]
    made, floor, at = axis.lines
    assert made.get_xydata().tolist() == [[3.0, 0.0], [4.0, 1.0]] and floor.get_xydata().tolist() == [[1.0, 0.0]]
    assert list(at.get_xdata()) == [1.0, 1.0]
    drawn = [segment[:, 0].tolist() for lines in axis.collections for segment in lines.get_segments()]
    assert drawn == [[2.0, 5.0], [4.0, 9.0]]
    assert figure.alt == "distance: Rain made 3, floor 1; Wind made 4" and legend(figure) == ["made", "floor"]
    with pytest.raises(CtxAudioError, match="nothing to draw of distance"):
        plots.intervals({}, "distance")


def test_a_picture_shows_itself_with_its_alternative_text() -> None:
    figure = plots.spectrograms({"Rain": np.zeros(8000, np.float32)}, 8000)
    data, metadata = DisplayFormatter().format(figure)
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "<figure: spectrogram of Rain>"
    assert metadata["image/png"]["alt"] == "spectrogram of Rain"
    assert '<img alt="spectrogram of Rain" ' in data["text/html"], "JupyterLab shows this: it gives a PNG no text"


def test_figures_are_saved_whole_and_by_suffix(tmp_path: Path) -> None:
    plots.save_figure(a_chart(), tmp_path / "new" / "bands.png")
    plots.save_figure(a_chart(), tmp_path / "bands.svg")
    assert (tmp_path / "new" / "bands.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "bands.svg").read_text()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CtxAudioError, match="can't write"):
        plots.save_figure(a_chart(), tmp_path / "file" / "bands.png")


def test_threads_draw_the_same_picture() -> None:
    alone = a_chart().png()
    with ThreadPoolExecutor(3) as pool:
        assert all(png == alone for png in pool.map(lambda _: a_chart().png(), range(6)))


def test_pyplot_is_never_imported() -> None:
    code = (
        "import sys, ctxaudio.plots as p; p.bars({'a': {'b': 1}}).png(); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
