"""The whole course in one call: the notebooks executed for one context, a summary and a report of them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctxaudio import __version__, pipeline
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
    from ctxaudio.course.report import write_report
    from ctxaudio.course.teaching import NOTEBOOKS, check_one_context
except ImportError as error:
    raise CtxAudioError(f"the course needs {error.name}: pip install 'ctxaudio[notebooks]'") from error

COMMON = ("context", "data_dir", "output_dir", "sample_rate", "duration", "latent_dim", "seed", "interactive")
#: Trains a model of its own, beside the run's: as briefly as it does by itself.
CAPSTONE = "08"
RESULT_FOLDERS = ("notebooks", "models", "generated", "analysis", "logs", "samples")
REPORTED_PACKAGES = ("torch", "numpy", "scipy", "librosa")


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
    preset.name: preset
    for preset in (
        Preset("quick", max_minutes=3.0),
        Preset("full", max_minutes=60.0, steps_between_samples=500),
    )
}


def preset_named(name: str) -> Preset:
    """The preset of that name; raises `CtxAudioError` naming the choices for any other.

    >>> preset_named("quick").max_minutes
    3.0
    """
    if name not in PRESETS:
        raise CtxAudioError(f"unknown preset {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]


def run_course(run: Run, preset: Preset, *, notebooks: Path = NOTEBOOKS, device: str = "cpu") -> Path:
    """Execute the notebooks for `run`, write `summary.json` and `report.html`, and give back the report's path.

    What can go wrong at once does so before the first notebook: the folder, the data, a model of another context.
    Raises `CtxAudioError` for these, and for a notebook that fails; then neither summary nor report is left.
    """
    check_one_context(run)
    check_device(device)
    sources = find_notebooks(notebooks)
    check_apart(run, notebooks)
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


def check_apart(run: Run, notebooks: Path) -> None:
    """Refuse to write executed notebooks over the course's own."""
    if (run.output_dir / "notebooks").resolve() == notebooks.resolve():
        raise CtxAudioError(f"output_dir {run.output_dir} holds the course's own notebooks: choose another output_dir")


def remove_earlier_results(run: Run) -> None:
    """Remove what an earlier run left and this one might not replace, so that no result is older than it looks."""
    folder = run.output_dir
    patterns = (
        *("summary.json", "report.html", f"notebooks/{NUMBERED}", "notebooks/*.html", "logs/losses.csv"),
        *("generated/generated.json", f"generated/{run.context}_[0-9][0-9]_*.*"),
        *("analysis/analysis.*", "analysis/figures_of_merit.json", "sham/generated.json"),
        *("comparison/*.*", "session/session.*", "analysis/comparison.*", "analysis/session_modulation.*"),
        *("sham/analysis.*", f"sham/{run.context}_[0-9][0-9]_*.*"),
    )
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()
    for path in folder.glob("samples/epoch_[0-9]*"):
        shutil.rmtree(path)


def course_parameters(
    run: Run, source: DataSource, preset: Preset, clips: PreparedClips, device: str = "cpu"
) -> dict[str, Any]:
    """Parameters for the notebooks, with those of the preset, of which each notebook takes the ones it has."""
    crop_s = TrainingConfig.crop_s
    trained_s = sum(clips.clips[i].length for i in clips.of("train")) / clips.sample_rate
    steps_per_epoch = max(1.0, trained_s / crop_s / preset.batch_size)
    return {
        "context": run.context,
        # The default folder means "the embedded corpus if there is none", which a path in full would not.
        "data_dir": "./data" if source.embedded else str(source.folder.resolve()),
        "output_dir": str(run.output_dir.resolve()),
        "sample_rate": run.sample_rate,
        "duration": run.duration,
        "latent_dim": run.latent_dim,
        "seed": run.seed,
        "interactive": False,
        "max_minutes": preset.max_minutes,
        "num_epochs": NO_LIMIT_OF_EPOCHS,
        "batch_size": preset.batch_size,
        "sample_interval": max(1, round(preset.steps_between_samples / steps_per_epoch)),
        "num_samples": preset.num_samples,
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
    model = read_json(run.model_path.with_suffix(".json"))
    figures = read_json(run.analysis_dir / "figures_of_merit.json")
    made = [path for name in RESULT_FOLDERS for path in sorted((run.output_dir / name).rglob("*")) if path.is_file()]
    return {
        "context": {"name": run.context, "conditions": clips.condition_names, "evidence": asdict(run.about.evidence)},
        "preset": asdict(preset),
        "parameters": {name: str(value) if isinstance(value, Path) else value for name, value in asdict(run).items()},
        "data": {
            "description": source.description,
            "embedded": source.embedded,
            "clips": clips.counts(),
            "skipped": [asdict(skipped) for skipped in clips.skipped],
        },
        "versions": {
            "python": platform.python_version(),
            "ctxaudio": __version__,
            **{name: importlib.metadata.version(name) for name in REPORTED_PACKAGES},
            "platform": platform.platform(),
            "cpu_count": os.cpu_count(),
        },
        "timings": {
            **timings,
            "training": {name: value for name, value in model["training"].items() if name != "config"},
        },
        "figures_of_merit": figures,
        "outputs": [*(path.relative_to(run.output_dir).as_posix() for path in made), "summary.json", "report.html"],
    }
