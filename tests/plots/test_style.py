"""A picture shows itself, can be drawn in any thread, and is saved whole."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from ctxaudio import plots
from ctxaudio.errors import CtxAudioError


def test_a_picture_shows_itself_with_its_alternative_text() -> None:
    figure = plots.spectrograms({"Rain": np.zeros(8000, np.float32)}, 8000)
    data, metadata = DisplayFormatter().format(figure)
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "<figure: spectrogram of Rain>"
    assert metadata["image/png"]["alt"] == "spectrogram of Rain"
    assert '<img alt="spectrogram of Rain" ' in data["text/html"], "JupyterLab shows this: it gives a PNG no text"


def test_figures_are_saved_whole_and_by_suffix(tmp_path: Path) -> None:
    plots.save_figure(plots.band_chart(), tmp_path / "new" / "bands.png")
    plots.save_figure(plots.band_chart(), tmp_path / "bands.svg")
    assert (tmp_path / "new" / "bands.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "bands.svg").read_text()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CtxAudioError, match="can't write"):
        plots.save_figure(plots.band_chart(), tmp_path / "file" / "bands.png")


def test_threads_draw_the_same_picture() -> None:
    alone = plots.band_chart().png()
    with ThreadPoolExecutor(3) as pool:
        assert all(png == alone for png in pool.map(lambda _: plots.band_chart().png(), range(6)))


def test_pyplot_is_never_imported() -> None:
    code = "import sys, ctxaudio.plots as p; p.band_chart().png(); sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
