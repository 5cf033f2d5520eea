"""The whole course in one call: the notebooks executed for one context or all, a summary and a report of them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ctxaudio import __version__, pipeline
from ctxaudio.contexts import CONTEXTS
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, writable_folder, write_json
from ctxaudio.pipeline import DataSource
from ctxaudio.run import Run
from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS, TrainingConfig
from ctxaudio.training.start import check_device

try:
    import papermill

    from ctxaudio.course.execution import NUMBERED, execute_notebook, find_notebooks
    from ctxaudio.course.report import write_index, write_report
    from ctxaudio.course.teaching import NOTEBOOKS, check_one_context
except ImportError as error:
    raise CtxAudioError(f"the course needs {error.name}: pip install 'ctxaudio[notebooks]'") from error

COMMON = ("context", "data_dir", "output_dir", "sample_rate", "duration", "latent_dim", "seed", "interactive")
#: Trains a model of its own, beside the run's: as briefly as it does by itself.
CAPSTONE = "08"
REPORTED_PACKAGES = ("torch", "numpy", "scipy", "librosa")
#: What a run leaves in its folder, so that no result of an earlier one is older than it looks; `{}` is the context.
RESULTS = (
    *("summary.json", "report.html", f"notebooks/{NUMBERED}", "notebooks/*.html", "logs/losses.csv"),
    *("generated/generated.json", "generated/{}_[0-9][0-9]_*.*", "sham/generated.json", "sham/{}_[0-9][0-9]_*.*"),
    *("analysis/analysis.*", "analysis/comparison.*", "analysis/session_modulation.*", "sham/analysis.*"),
    *("analysis/figures_of_merit.json", "comparison/*.*", "session/session.*", "samples/epoch_[0-9]*"),
)


@dataclass(frozen=True)
class Preset:
    """How much a course run does: minutes of training, clips a step, steps between sample sounds, clips at the end.

    A cell may take `max_minutes` and ten minutes more before the run is given up.
    """

    name: str
    max_minutes: float
    batch_size: int = 16
    steps_between_samples: int = 100
    num_samples: int = 5

    @property
    def cell_timeout_s(self) -> int:
        return round(60 * (self.max_minutes + 10))


PRESETS = {
    "quick": Preset("quick", max_minutes=3.0),
    "full": Preset("full", max_minutes=60.0, steps_between_samples=500),
}


def run_contexts(run: Run, preset: Preset, device: str = "cpu") -> Path:
    """Run the course for all contexts, each in its folder below `run.output_dir`, and write `index.html` there.

    What has been finished with the same settings is not run again, so an interrupted call goes on.
    """
    runs = [replace(run, context=name, output_dir=run.output_dir / name) for name in CONTEXTS]
    for number, one in enumerate(runs, 1):
        there = finished(one, preset)
        print(f"context {number} of {len(runs)}: {one.context}{' is there already' if there else ''}", flush=True)
        if not there:
            run_course(one, preset, device=device)
    index = run.output_dir / "index.html"
    write_index(runs, index)
    print(f"contexts: {index.resolve().as_uri()}")
    return index


def finished(run: Run, preset: Preset) -> bool:
    """Whether the folder holds the report of such a run."""
    path = run.output_dir / "summary.json"
    if not path.exists() or not (run.output_dir / "report.html").exists():
        return False
    summary = read_json(path)
    return bool(summary["preset"] == asdict(preset) and summary["parameters"] == parameters_of_run(run))


def parameters_of_run(run: Run) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(run).items()}


def run_course(run: Run, preset: Preset, *, notebooks: Path = NOTEBOOKS, device: str = "cpu") -> Path:
    """Execute the notebooks for `run`, write `summary.json` and `report.html`, and give back the report's path.

    What can go wrong at once does so before the first notebook: the folder, the data, a model of another context.
    Raises `CtxAudioError` for these, and for a notebook that fails; then neither summary nor report is left.
    """
    check_one_context(run)
    check_device(device)
    sources = find_notebooks(notebooks)
    if (run.output_dir / "notebooks").resolve() == notebooks.resolve():
        raise CtxAudioError(f"output_dir {run.output_dir} holds the course's own notebooks: choose another output_dir")
    pipeline.check_context_of_model(run)
    started = time.monotonic()
    clips = pipeline.prepare(run, progress=sys.stderr.isatty())
    source = pipeline.find_data(run)
    remove_earlier_results(run)
    seconds = execute_notebooks(sources, run, preset, course_parameters(run, source, preset, clips, device))
    timings = {"notebooks_s": seconds, "total_s": round(time.monotonic() - started, 1)}
    write_json(run.output_dir / "summary.json", summarise(run, preset, source, clips, timings))
    report = run.output_dir / "report.html"
    write_report(run, clips, report)
    print(f"report:  {report}\nsummary: {run.output_dir / 'summary.json'}\nsounds:  {run.generated_dir}")
    return report


def remove_earlier_results(run: Run) -> None:
    """Remove what an earlier run left and this one might not replace."""
    for pattern in RESULTS:
        for path in run.output_dir.glob(pattern.format(run.context)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def course_parameters(
    run: Run, source: DataSource, preset: Preset, clips: PreparedClips, device: str = "cpu"
) -> dict[str, Any]:
    """Parameters of the run, the preset and the training, of which each notebook takes the ones it has."""
    trained_s = sum(clips.clips[i].length for i in clips.of("train")) / clips.sample_rate
    steps_per_epoch = max(1.0, trained_s / TrainingConfig.crop_s / preset.batch_size)
    return {
        **asdict(run),
        **asdict(preset),
        # The default folder means "the embedded corpus if there is none", which a path in full would not.
        "data_dir": "./data" if source.embedded else str(source.folder.resolve()),
        "output_dir": str(run.output_dir.resolve()),
        "interactive": False,
        "num_epochs": NO_LIMIT_OF_EPOCHS,
        "sample_interval": max(1, round(preset.steps_between_samples / steps_per_epoch)),
        "device": device,
    }


def execute_notebooks(sources: list[Path], run: Run, preset: Preset, parameters: dict[str, Any]) -> dict[str, float]:
    """Execute the notebooks into the run's folder, a line for each; gives back `{name: seconds}`."""
    folder = writable_folder(run.output_dir / "notebooks")
    bar = sys.stderr.isatty()
    seconds = {}
    for number, source in enumerate(sources, 1):
        print(f"notebook {number} of {len(sources)}: {source.stem} ", end="\n" if bar else "", flush=True)
        started = time.monotonic()
        known = {*COMMON, *papermill.inspect_notebook(str(source))}
        chosen = {name: value for name, value in parameters.items() if name in known}
        if source.stem.startswith(CAPSTONE):
            chosen.pop("max_minutes", None)
        try:
            execute_notebook(source, folder / source.name, chosen, preset.cell_timeout_s, bar)
        finally:
            seconds[source.stem] = round(time.monotonic() - started, 1)
            print(f"{seconds[source.stem]:.0f} s", flush=True)
    return seconds


def summarise(
    run: Run, preset: Preset, source: DataSource, clips: PreparedClips, timings: dict[str, Any]
) -> dict[str, Any]:
    """What `summary.json` holds. Raises `CtxAudioError` if a notebook did not leave what it is there to make."""
    training = read_json(run.model_path.with_suffix(".json"))["training"]
    data = {"description": source.description, "embedded": source.embedded, "clips": clips.counts()}
    versions = {name: importlib.metadata.version(name) for name in REPORTED_PACKAGES}
    machine = {"python": platform.python_version(), "platform": platform.platform(), "cpu_count": os.cpu_count()}
    return {
        "context": {"name": run.context, "conditions": clips.condition_names, "evidence": asdict(run.about.evidence)},
        "preset": asdict(preset),
        "parameters": parameters_of_run(run),
        "data": {**data, "skipped": [asdict(skipped) for skipped in clips.skipped]},
        "versions": {**versions, "ctxaudio": __version__, **machine},
        "timings": {**timings, "training": {name: value for name, value in training.items() if name != "config"}},
        "figures_of_merit": read_json(run.analysis_dir / "figures_of_merit.json"),
    }
