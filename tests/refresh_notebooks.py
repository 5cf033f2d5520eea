"""For maintainers, `make notebooks`: the notebooks executed and stored with their outputs.

A stored notebook holds no large players, times or paths of the machine that ran it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from ctxaudio.course.course import execute_notebook
from ctxaudio.course.teaching import NUMBERED
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import write_text
from ctxaudio.plots import PNG_TYPE

LARGEST_NOTEBOOK_MB = 1.4
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def refresh_notebooks(path: Path) -> None:
    """Execute the notebooks of a folder (or the one at `path`), and store them with their outputs.

    They run without widgets in a temporary folder, hence on the embedded corpus. Large players, widgets, stderr and
    times are left out. Nothing is stored unless all succeed; raises `CtxAudioError` if one fails or is over 1.4 MB.
    """
    refreshed = {}
    with tempfile.TemporaryDirectory() as name:
        aside = Path(name).resolve()
        for source in [path] if path.is_file() else sorted(path.glob(NUMBERED)):
            print(f"{source.name} ", end="", flush=True)
            notebook = execute_notebook(source, aside / source.name, {"interactive": False}, 1800, aside)
            strip(notebook, aside)
            refreshed[source] = nbformat.writes(notebook) + "\n"
            size_mb = len(refreshed[source].encode()) / 1e6
            print(f"{size_mb:.2f} MB", flush=True)
            if size_mb > LARGEST_NOTEBOOK_MB:
                raise CtxAudioError(f"{source} would have {size_mb:.2f} MB: show fewer or smaller figures")
    for source, text in refreshed.items():
        write_text(source, text)


def strip(notebook: Any, folder: Path) -> None:
    """Take out what differs from run to run or is too large to store.

    That is: players (but for small ones), widgets, stderr, times, the injected cell, the name of `folder` in paths.
    """
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        dropped = ("papermill", "execution") if cell.metadata.get("tags") else ("papermill", "execution", "tags")
        cell.metadata = {name: value for name, value in cell.metadata.items() if name not in dropped}
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
        cell.outputs = [output for output in cell.outputs if _worth_storing(output, folder, count)]


def _worth_storing(output: Any, folder: Path, count: int) -> bool:
    """Strip one output in place; False if nothing is left of it."""
    if output.output_type == "stream":
        output.text = output.text.replace(str(folder), ".")
        return output.name != "stderr"
    if output.output_type == "execute_result":
        output.execution_count = count
    page = output.data.get("text/html", "")
    large = {WIDGET_VIEW, "text/html"} if PNG_TYPE in output.data or "data:audio/wav" in page else {WIDGET_VIEW}
    output.data = {
        kind: shown.replace(str(folder), ".") if isinstance(shown, str) else shown
        for kind, shown in output.data.items()
        if kind not in large
    }
    return bool(output.data)


if __name__ == "__main__":
    refresh_notebooks(Path(sys.argv[1]))
