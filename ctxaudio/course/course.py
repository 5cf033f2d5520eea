"""The whole course in one call: the notebooks executed for one context or all, a summary and a report of them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ctxaudio import __version__, pipeline
from ctxaudio.contexts import CONTEXTS
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, writable_folder, write_json
from ctxaudio.options import Run
from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS
from ctxaudio.workers import check_device

try:
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from ctxaudio.course.report import write_index, write_report
    from ctxaudio.course.teaching import NOTEBOOKS, NUMBERED
except ImportError as error:
    raise CtxAudioError(f"the course needs {error.name}: pip install 'ctxaudio[notebooks]'") from error

#: Minutes of training.
PRESETS = {"quick": 3.0, "full": 60.0}
#: Trains a model of its own, beside the run's: as briefly as it does by itself.
CAPSTONE = "08"
#: What a run leaves in its folder, so that no result of an earlier one is older than it looks; `{}` is the context.
RESULTS = (
    *("summary.json", "report.html", f"notebooks/{NUMBERED}", "notebooks/*.html", "logs/losses.csv"),
    *("generated/generated.json", "generated/{}_[0-9][0-9]_*.*", "sham/generated.json", "sham/{}_[0-9][0-9]_*.*"),
    *("analysis/analysis.*", "analysis/comparison.*", "analysis/session_modulation.*", "sham/analysis.*"),
    *("analysis/figures_of_merit.json", "comparison/*.*", "session/session.*", "samples/epoch_[0-9]*"),
)


def run_contexts(run: Run, preset: str, device: str = "cpu") -> Path:
    """Run the course for all contexts, each in its folder below `run.output_dir`, and write `index.html` there.

    What has been finished with the same settings is not run again, so an interrupted call goes on.
    """
    runs = [replace(run, context=name, output_dir=run.output_dir / name) for name in CONTEXTS]
    for number, one in enumerate(runs, 1):
        summary, report = one.output_dir / "summary.json", one.output_dir / "report.html"
        there = summary.exists() and report.exists() and settings(one, preset).items() <= read_json(summary).items()
        print(f"context {number} of {len(runs)}: {one.context}{' is there already' if there else ''}", flush=True)
        if not there:
            run_course(one, preset, device=device)
    index = run.output_dir / "index.html"
    write_index(runs, index)
    print(f"contexts: {index.resolve().as_uri()}")
    return index


def settings(run: Run, preset: str) -> dict[str, Any]:
    """What was asked for, as the summary keeps it."""
    parameters = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(run).items()}
    return {"preset": {"name": preset, "max_minutes": PRESETS[preset]}, "parameters": parameters}


def run_course(run: Run, preset: str, *, notebooks: Path = NOTEBOOKS, device: str = "cpu") -> Path:
    """Execute the notebooks for `run`, write `summary.json` and `report.html`, and give back the report's path.

    What can go wrong at once does so before the first notebook: the folder, the data, a model of another context.
    Raises `CtxAudioError` for these, and for a notebook that fails; then neither summary nor report is left.
    """
    check_device(device)
    sources = find_notebooks(notebooks)
    if (run.output_dir / "notebooks").resolve() == notebooks.resolve():
        raise CtxAudioError(f"output_dir {run.output_dir} holds the course's own notebooks: choose another output_dir")
    pipeline.check_context_of_model(run)
    started = time.monotonic()
    clips = pipeline.prepare(run, progress=sys.stderr.isatty())
    source = pipeline.find_data(run)
    remove_earlier_results(run)
    seconds = execute_notebooks(sources, run, course_parameters(run, source, preset, device))
    timings = {"notebooks_s": seconds, "total_s": round(time.monotonic() - started, 1)}
    write_json(run.output_dir / "summary.json", summarise(run, preset, source, clips, timings))
    report = run.output_dir / "report.html"
    write_report(run, clips, report)
    print(f"report:  {report}\nsummary: {run.output_dir / 'summary.json'}\nsounds:  {run.generated_dir}")
    return report


def find_notebooks(folder: Path) -> list[Path]:
    """The numbered notebooks of `folder` in order; raises `CtxAudioError` if there are none."""
    if not (found := sorted(folder.glob(NUMBERED))):
        raise CtxAudioError(f"no notebooks in {folder}: clone the repository and run the course from the clone")
    return found


def remove_earlier_results(run: Run) -> None:
    """Remove what an earlier run left and this one might not replace."""
    for pattern in RESULTS:
        for path in run.output_dir.glob(pattern.format(run.context)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def course_parameters(run: Run, source: pipeline.DataSource, preset: str, device: str = "cpu") -> dict[str, Any]:
    """Parameters of the run and the training, of which each notebook takes the ones it has."""
    return asdict(run) | {
        # The default folder means "the embedded corpus if there is none", which a path in full would not.
        "data_dir": "./data" if source.embedded else str(source.folder.resolve()),
        "output_dir": str(run.output_dir.resolve()),
        "interactive": False,
        "max_minutes": PRESETS[preset],
        "num_epochs": NO_LIMIT_OF_EPOCHS,
        "device": device,
    }


def execute_notebooks(sources: list[Path], run: Run, parameters: dict[str, Any]) -> dict[str, float]:
    """Execute the notebooks into the run's folder, a line for each; gives back `{name: seconds}`.

    A cell may take the minutes of training and ten more before the run is given up.
    """
    folder = writable_folder(run.output_dir / "notebooks")
    bar, cell_timeout_s, seconds = sys.stderr.isatty(), round(60 * (parameters["max_minutes"] + 10)), {}
    for number, source in enumerate(sources, 1):
        print(f"notebook {number} of {len(sources)}: {source.stem} ", end="\n" if bar else "", flush=True)
        started = time.monotonic()
        known = papermill.inspect_notebook(str(source)).keys() - {"max_minutes" if source.stem[:2] == CAPSTONE else ""}
        chosen = {name: value for name, value in parameters.items() if name in known}
        try:
            execute_notebook(source, folder / source.name, chosen, cell_timeout_s, bar)
        finally:
            seconds[source.stem] = round(time.monotonic() - started, 1)
            print(f"{seconds[source.stem]:.0f} s", flush=True)
    return seconds


def execute_notebook(
    source: Path, executed: Path, parameters: dict[str, Any], cell_timeout_s: int, bar: bool, cwd: Path | None = None
) -> Any:
    """Execute `source` into `executed`; raises `CtxAudioError` in one line for any way in which it can fail."""
    # Papermill takes {name} in a path for a parameter: braces that are part of the path have to be doubled.
    paths = [str(path).replace("{", "{{").replace("}", "}}") for path in (source, executed)]
    how = {"kernel_name": "python3", "progress_bar": bar, "execution_timeout": cell_timeout_s, "cwd": cwd}
    # Below the level of errors a kernel only says, on the terminal, that it talks over the loopback in plain text.
    how["extra_arguments"] = ["--log-level=40"]
    try:
        return papermill.execute_notebook(*paths, parameters, **how)
    except PapermillExecutionError as error:
        ours = error.ename in ("CtxAudioError", "ClipError")
        reason = error.evalue if ours else f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        reason = f"a cell took longer than {cell_timeout_s} s"
    except DeadKernelError:
        reason = "its Python process died, often for want of memory"
    except NoSuchKernel:
        reason = "no Jupyter kernel named python3: pip install ipykernel"
    raise CtxAudioError(f"{source.name} failed: {' '.join(reason.split())} (as far as it came: {executed})")


def summarise(
    run: Run, preset: str, source: pipeline.DataSource, clips: PreparedClips, timings: dict[str, Any]
) -> dict[str, Any]:
    """What `summary.json` holds. Raises `CtxAudioError` if a notebook did not leave what it is there to make."""
    training = read_json(run.model_path.with_suffix(".json"))["training"]
    data = {"description": source.description, "embedded": source.embedded, "clips": clips.counts()}
    machine = {"python": platform.python_version(), "platform": platform.platform(), "cpu_count": os.cpu_count()}
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "scipy", "librosa")}
    return {
        "context": {"name": run.context, "conditions": clips.condition_names, "evidence": asdict(run.about.evidence)},
        **settings(run, preset),
        "data": {**data, "skipped": [{"clip_id": clip.clip_id, "reason": clip.reason} for clip in clips.skipped]},
        "versions": {**versions, "ctxaudio": __version__, **machine},
        "timings": {**timings, "training": {name: value for name, value in training.items() if name != "config"}},
        "figures_of_merit": read_json(run.analysis_dir / "figures_of_merit.json"),
    }
