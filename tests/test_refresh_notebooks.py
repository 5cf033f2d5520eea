"""Notebooks stored with their outputs, with small ones made here in place of the course's own."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import nbformat.v4 as nb
import pytest
import refresh_notebooks as refreshing
from PIL import Image
from refresh_notebooks import WIDGET_VIEW, refresh_notebooks, strip
from test_course import PARAMETERS, write_notebook

from ctxaudio.errors import CtxAudioError

SHOW = """\
import sys, os, numpy
from ctxaudio.plots import bars
from ctxaudio.widgets import Sound, explore
print("in", os.getcwd(), output_dir == "", file=sys.stdout)
print("noise", file=sys.stderr)
assert interactive is False"""


def test_refresh_stores_figures_text_and_small_players_but_no_large_ones_times_or_paths(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    sounds = [f"Sound(0.1 * numpy.ones(8000), 8000, 'Tone', small={small})" for small in (False, True)]
    path = write_notebook(folder, "01_look", SHOW, sounds[0], "bars({'row': {'one': 1}})", sounds[1])
    refresh_notebooks(folder)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    _, parameters, shown, played, drawn, small = notebook.cells
    assert "data:audio/mpeg;base64," in small.outputs[0].data["text/html"]
    assert parameters.metadata == {"tags": ["parameters"]} and parameters.source == PARAMETERS
    assert [output.text for output in shown.outputs] == ["in . True\n"]
    assert set(played.outputs[0].data) == {"text/plain"}
    assert played.outputs[0].data["text/plain"].startswith("<Tone: 1.00 s at 8000 Hz")
    stored = Image.open(io.BytesIO(base64.b64decode(drawn.outputs[0].data["image/png"])))
    assert stored.width == 900 and stored.mode == "P"
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3, 4, 5]
    assert [cell.outputs[0].execution_count for cell in (played, drawn)] == [3, 4]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert "papermill" not in path.read_text() and str(tmp_path) not in path.read_text()


def test_refresh_stores_nothing_if_one_fails_or_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "notebooks"
    first = write_notebook(folder, "01_fine", "print('x' * 3000)")
    before = first.read_bytes()
    monkeypatch.setattr(refreshing, "LARGEST_NOTEBOOK_MB", 0.003)
    with pytest.raises(CtxAudioError, match=r"01_fine.ipynb would have 0.0. MB"):
        refresh_notebooks(folder)
    monkeypatch.undo()
    write_notebook(folder, "02_bad", "raise ValueError('no')")
    with pytest.raises(CtxAudioError, match=r"02_bad.ipynb failed: ValueError: no"):
        refresh_notebooks(folder)
    assert first.read_bytes() == before


def test_strip_drops_widget_views() -> None:
    view = nb.new_output("display_data", {WIDGET_VIEW: {"model_id": "a"}, "text/plain": "VBox()"})
    bare = nb.new_output("display_data", {WIDGET_VIEW: {"model_id": "b"}})
    cell = nb.new_code_cell("x", outputs=[view, bare], metadata={"tags": [], "execution": {}, "collapsed": True})
    notebook = nb.new_notebook(cells=[cell], metadata={"widgets": {}, "papermill": {}})
    strip(notebook, Path("/nowhere"))
    assert [dict(output.data) for output in cell.outputs] == [{"text/plain": "VBox()"}]
    assert cell.metadata == {"collapsed": True}
