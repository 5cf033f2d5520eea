"""Executing notebooks so that whatever can go wrong ends in one line, and storing them with their outputs.

Papermill alone is not enough: it calls a run completed though a widget's output holds an error, and a stored
notebook should not hold large players, times or the paths of the machine that ran it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import write_text
from ctxaudio.plots.charts import PNG_TYPE
from ctxaudio.widgets.players import WAV_TYPE

NUMBERED = "[0-9][0-9]_*.ipynb"
LARGEST_NOTEBOOK_MB = 1.4
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# Below the level of errors a kernel only says, on the terminal, that it talks over the loopback in plain text.
KERNEL_ARGUMENTS = ["--log-level=40"]


def find_notebooks(folder: Path) -> list[Path]:
    """The numbered notebooks of `folder` in order; raises `CtxAudioError` if there are none."""
    found = sorted(folder.glob(NUMBERED))
    if not found:
        raise CtxAudioError(f"no notebooks in {folder}: clone the repository and run the course from the clone")
    return found


def refresh_notebooks(path: Path) -> None:
    """For maintainers: execute the notebooks of a folder (or the one at `path`), and store them with their outputs.

    They run without widgets in a temporary folder, hence on the embedded corpus. Large players, widgets, stderr and
    times are left out. Nothing is stored unless all succeed; raises `CtxAudioError` if one fails or is over 1.4 MB.
    """
    refreshed = {}
    with tempfile.TemporaryDirectory() as name:
        aside = Path(name).resolve()
        for source in [path] if path.is_file() else find_notebooks(path):
            print(f"{source.name} ", end="", flush=True)
            notebook = execute_notebook(source, aside / source.name, {"interactive": False}, 1800, False, aside)
            strip(notebook, aside)
            refreshed[source] = nbformat.writes(notebook) + "\n"
            size_mb = len(refreshed[source].encode()) / 1e6
            print(f"{size_mb:.2f} MB", flush=True)
            if size_mb > LARGEST_NOTEBOOK_MB:
                raise CtxAudioError(f"{source} would have {size_mb:.2f} MB: show fewer or smaller figures")
    for source, text in refreshed.items():
        write_text(source, text)


def execute_notebook(
    source: Path, executed: Path, parameters: dict[str, Any], cell_timeout_s: int, bar: bool, cwd: Path | None = None
) -> Any:
    """Execute `source` into `executed`; raises `CtxAudioError` in one line for any way in which it can fail."""
    # Papermill takes {name} in a path for a parameter: braces that are part of the path have to be doubled.
    paths = [str(path).replace("{", "{{").replace("}", "}}") for path in (source, executed)]
    try:
        notebook = papermill.execute_notebook(
            *paths,
            parameters,
            kernel_name="python3",
            progress_bar=bar,
            execution_timeout=cell_timeout_s,
            cwd=cwd,
            extra_arguments=KERNEL_ARGUMENTS,
        )
    except PapermillExecutionError as error:
        ours = error.ename in ("CtxAudioError", "ClipError")
        reason = error.evalue if ours else f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        reason = f"a cell took longer than {cell_timeout_s} s"
    except DeadKernelError:
        reason = "its Python process died, often for want of memory"
    except NoSuchKernel:
        reason = "no Jupyter kernel named python3: pip install ipykernel"
    else:
        reason = fault_of(notebook)
    if reason:
        raise CtxAudioError(f"{source.name} failed: {' '.join(reason.split())} (as far as it came: {executed})")
    return notebook


def fault_of(notebook: Any) -> str:
    """What went wrong although papermill raised nothing; empty if nothing did.

    An error inside a widget's output ends up in the widget state alone, and papermill calls that completed.
    """
    models = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {}).values()
    for output in (output for model in models for output in model.get("state", {}).get("outputs", ())):
        if output.get("output_type") == "error":
            return f"{output.get('ename')} in a widget: {output.get('evalue')}"
    for number, cell in enumerate(notebook.cells, 1):
        status = cell.metadata.get("papermill", {}).get("status", "completed")
        if cell.cell_type == "code" and status != "completed":
            return f"cell {number} is {status}, not completed"
    return ""


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
    large = {WIDGET_VIEW, "text/html"} if PNG_TYPE in output.data or f"data:{WAV_TYPE}" in page else {WIDGET_VIEW}
    output.data = {
        kind: shown.replace(str(folder), ".") if isinstance(shown, str) else shown
        for kind, shown in output.data.items()
        if kind not in large
    }
    return bool(output.data)
