"""What the notebooks share: checking their parameters, finding what an earlier one left, checking answers."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ctxaudio import pipeline
from ctxaudio.course.teaching import as_array
from ctxaudio.errors import CtxAudioError
from ctxaudio.model.generator import Generator
from ctxaudio.run import Run

INJECTED_MARK = "# Parameters"


def notebook_run(
    cells: Sequence[str],
    *,
    context: str,
    data_dir: str,
    output_dir: str,
    sample_rate: int,
    duration: float,
    latent_dim: int,
    seed: int,
) -> Run:
    """The `Run` of a notebook's parameters; an empty `output_dir` means `./output/<context>`.

    `cells` is IPython's `In`. Papermill only warns of a parameter that the notebook does not have, and goes on
    with the default: here it raises `CtxAudioError`.
    """
    unknown = unknown_parameters(cells)
    if unknown:
        raise CtxAudioError(f"unknown parameter {', '.join(unknown)}: papermill --help-notebook lists the known ones")
    folder = Path(output_dir) if output_dir else Path("output") / context
    run = Run(context, Path(data_dir), folder, sample_rate, duration, latent_dim, seed)
    check_one_context(run)
    print(f"context {run.context}: files of this run go to {run.output_dir}")
    return run


def check_one_context(run: Run) -> None:
    """Raise `CtxAudioError` for the context of several: it modulates nothing, which is what the notebooks follow."""
    if run.about.parts:
        choices = ", ".join(part.name for part in run.about.parts)
        raise CtxAudioError(f"context {run.context!r} has no modulation for the notebooks to follow: take {choices}")


def unknown_parameters(cells: Sequence[str]) -> list[str]:
    """Names that papermill's injected cell sets and the cell before it does not.

    >>> unknown_parameters(["", "context: str = 'sleep'", "# Parameters\\ncontxt = 'focus'"])
    ['contxt']
    """
    for before, cell in itertools.pairwise(cells):
        if cell.startswith(INJECTED_MARK):
            known = assigned_names(before)
            return [name for name in assigned_names(cell) if name not in known]
    return []


def assigned_names(source: str) -> list[str]:
    """Names assigned at the top level of `source`, in order."""
    names = []
    for statement in ast.parse(source).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def ensure_model(run: Run) -> Generator:
    """The run's generator, or the base that ships with the package where there is none; prints which."""
    return pipeline.load_model(run)[0]


def check(name: str, mine: npt.ArrayLike | None, reference: npt.ArrayLike, tolerance: float = 1e-6) -> None:
    """Print how an answer compares with the reference: exact, close, differs (and by how much), or not attempted.

    For notebooks that have no `Lesson` yet, whose checks raise in a headless run.

    >>> check("depth", [0.5, 0.25], [0.5, 0.5])
    depth: differs by up to 0.25
    >>> check("rate", None, 6.0)
    rate: not attempted
    """
    if mine is None:
        print(f"{name}: not attempted")
        return
    given, wanted = as_array(mine), as_array(reference)
    if given.shape != wanted.shape:
        print(f"{name}: has shape {given.shape}, expected {wanted.shape}")
        return
    difference = float(np.max(np.abs(given - wanted), initial=0.0))
    if difference == 0.0:
        print(f"{name}: exact")
    elif difference <= tolerance:
        print(f"{name}: close (within {tolerance:g})")
    else:
        print(f"{name}: differs by up to {difference:.3g}")
