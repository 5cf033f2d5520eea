"""Executing notebooks so that whatever can go wrong ends in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from ctxaudio.errors import CtxAudioError

NUMBERED = "[0-9][0-9]_*.ipynb"
# Below the level of errors a kernel only says, on the terminal, that it talks over the loopback in plain text.
KERNEL_ARGUMENTS = ["--log-level=40"]


def find_notebooks(folder: Path) -> list[Path]:
    """The numbered notebooks of `folder` in order; raises `CtxAudioError` if there are none."""
    found = sorted(folder.glob(NUMBERED))
    if not found:
        raise CtxAudioError(f"no notebooks in {folder}: clone the repository and run the course from the clone")
    return found


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
        return notebook
    raise CtxAudioError(f"{source.name} failed: {' '.join(reason.split())} (as far as it came: {executed})")
