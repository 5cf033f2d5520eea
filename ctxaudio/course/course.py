"""The whole course in one call: the notebooks executed for one context or each, and a report that opens anywhere.

Nothing in a report is fetched from elsewhere, and nothing foreign (titles of clips, say) reaches it unescaped. The
executed notebooks lie beside it, as HTML to read and as notebooks to run.
"""

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

from ctxaudio import __version__, pipeline, plots
from ctxaudio.contexts import CONTEXTS
from ctxaudio.course import template
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import child_path, read_json, writable_folder, write_json, write_text
from ctxaudio.modulation.schedule import night_of
from ctxaudio.options import Run
from ctxaudio.plots import spaced
from ctxaudio.signal.audio import read_audio
from ctxaudio.signal.loudness import set_loudness
from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS
from ctxaudio.workers import check_device

try:
    import nbformat
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from nbconvert import HTMLExporter
    from papermill.exceptions import PapermillExecutionError

    from ctxaudio.course.teaching import NOTEBOOKS, NUMBERED
    from ctxaudio.widgets import Playlist, Sound
    from ctxaudio.widgets.timeline import picture_of_night
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


def run_contexts(run: Run, preset: str, device: str = "cpu") -> None:
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


def settings(run: Run, preset: str) -> dict[str, Any]:
    """What was asked for, as the summary keeps it."""
    parameters = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(run).items()}
    return {"preset": {"name": preset, "max_minutes": PRESETS[preset]}, "parameters": parameters}


def run_course(run: Run, preset: str, *, notebooks: Path = NOTEBOOKS, device: str = "cpu") -> None:
    """Execute the notebooks for `run`, a line for each, and write `summary.json` and `report.html`.

    What can go wrong at once does so before the first notebook: the folder, the data, a model of another context.
    Raises `CtxAudioError` for these, and for a notebook that fails; then neither summary nor report is left.
    """
    check_device(device)
    if not (sources := sorted(notebooks.glob(NUMBERED))):
        raise CtxAudioError(f"no notebooks in {notebooks}: clone the repository and run the course from the clone")
    if (run.output_dir / "notebooks").resolve() == notebooks.resolve():
        raise CtxAudioError(f"output_dir {run.output_dir} holds the course's own notebooks: choose another output_dir")
    pipeline.check_context_of_model(run)
    started = time.monotonic()
    clips = pipeline.prepare(run, progress=sys.stderr.isatty())
    source = pipeline.find_data(run)
    for earlier in (path for pattern in RESULTS for path in run.output_dir.glob(pattern.format(run.context))):
        shutil.rmtree(earlier) if earlier.is_dir() else earlier.unlink()
    folder = writable_folder(run.output_dir / "notebooks")
    parameters = course_parameters(run, source, preset, device)
    for number, notebook in enumerate(sources, 1):
        end = "\n" if sys.stderr.isatty() else ""  # where the progress bar has a line of its own
        print(f"notebook {number} of {len(sources)}: {notebook.stem} ", end=end, flush=True)
        began = time.monotonic()
        own = {"max_minutes"} if notebook.stem[:2] == CAPSTONE else set()
        known = papermill.inspect_notebook(str(notebook)).keys() - own
        chosen = {name: value for name, value in parameters.items() if name in known}
        try:  # a cell may take the minutes of training and ten more before the run is given up
            execute_notebook(notebook, folder / notebook.name, chosen, round(60 * (PRESETS[preset] + 10)))
        finally:
            print(f"{time.monotonic() - began:.0f} s", flush=True)
    summary = run.output_dir / "summary.json"
    write_json(summary, summarise(run, preset, source, clips, round(time.monotonic() - started, 1)))
    write_report(run, clips)
    print(f"report:  {run.output_dir / 'report.html'}\nsummary: {summary}\nsounds:  {run.generated_dir}")


def course_parameters(run: Run, source: pipeline.DataSource, preset: str, device: str) -> dict[str, Any]:
    """Parameters of the run and the training, of which each notebook takes the ones it has."""
    # The default folder means "the embedded corpus if there is none", which a path in full would not.
    data_dir = "./data" if source.embedded else str(source.folder.resolve())
    folders = {"data_dir": data_dir, "output_dir": str(run.output_dir.resolve())}
    training = {"max_minutes": PRESETS[preset], "num_epochs": NO_LIMIT_OF_EPOCHS, "device": device}
    return asdict(run) | folders | training | {"interactive": False}


def execute_notebook(
    source: Path, executed: Path, parameters: dict[str, Any], cell_timeout_s: int, cwd: Path | None = None
) -> Any:
    """Execute `source` into `executed`; raises `CtxAudioError` in one line for any way in which it can fail."""
    # Papermill takes {name} in a path for a parameter: braces that are part of the path have to be doubled.
    paths = [str(path).replace("{", "{{").replace("}", "}}") for path in (source, executed)]
    how: dict[str, Any] = {"kernel_name": "python3", "progress_bar": sys.stderr.isatty(), "cwd": cwd}
    # Below the level of errors a kernel only says, on the terminal, that it talks over the loopback in plain text.
    how |= {"execution_timeout": cell_timeout_s, "extra_arguments": ["--log-level=40"]}
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
    run: Run, preset: str, source: pipeline.DataSource, clips: PreparedClips, total_s: float
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
        "timings": {"total_s": total_s, "training": {n: value for n, value in training.items() if n != "config"}},
        "figures_of_merit": read_json(run.analysis_dir / "figures_of_merit.json"),
    }


def write_report(run: Run, clips: PreparedClips) -> None:
    """Write `report.html` of a finished course run, and its notebooks as HTML beside themselves.

    Reads `summary.json`, the model's JSON, `generated/`, `sham/` and `notebooks/` of the run's folder; `clips` are the
    real ones. Raises `CtxAudioError` if one that every run has is missing.
    """
    summary = read_json(run.output_dir / "summary.json")
    distances = summary["figures_of_merit"]["texture_distance"]["by_condition"]
    page = template("report.html.j2").render(
        summary=summary,
        duration_s=run.duration,
        triplets={condition: triplet(run, clips, condition, file) for condition, file in first_clips(run).items()},
        night=rendered_night(run.output_dir / "session" / "session.json"),
        distances=plots.distances(distances) if distances else None,
        model=read_json(run.model_path.with_suffix(".json")),
        notebooks={path.stem: readable(path) for path in sorted((run.output_dir / "notebooks").glob(NUMBERED))},
    )
    write_text(run.output_dir / "report.html", page)


def first_clips(run: Run) -> dict[str, str]:
    """The file of the first generated clip of each condition; its sham is of the same name."""
    files: dict[str, str] = {}
    for clip in read_json(run.generated_dir / "generated.json")["clips"]:
        files.setdefault(clip["condition"], clip["file"])
    return files


def triplet(run: Run, clips: PreparedClips, condition: str, file: str) -> dict[str, Any]:
    """Players of a generated clip, its sham and a real clip, held out if there is one; and the three as a picture."""
    number = clips.condition_names.index(condition)
    real = clips.audio([*clips.of("val", number), *clips.of("train", number)][0])
    sounds = {"real": set_loudness(real[: round(run.duration * clips.sample_rate)], clips.sample_rate)[0]}
    for kind, folder in (("sham", run.output_dir / "sham"), ("modulated", run.generated_dir)):
        sounds[kind] = read_audio(child_path(folder, file))[0].mean(axis=0)
    titled = {f"{spaced(condition)}, {kind}": samples for kind, samples in sounds.items()}
    picture = plots.spectrograms(titled, run.sample_rate)
    picture.set_size_inches(9.0, 2.4)
    players = Playlist(titled, run.sample_rate, small=True).sounds
    return {"players": dict(zip(sounds, players, strict=True)), "picture": picture}


def rendered_night(path: Path) -> dict[str, Any] | None:
    """The session of `path`, which notebook 07 rendered (else None): in words, its plan as a picture, a player."""
    if not path.exists():
        return None
    made = read_json(path)
    minutes, conditions = made["settings"]["minutes"], spaced(", ".join(made["conditions"]))
    plan = made["schedule"] | {"minutes": minutes, "fade_s": made["settings"]["finish"]["fade_s"]}
    sound, sample_rate = read_audio(path.with_suffix(".flac"))
    return {
        "said": f"{minutes:g} minutes of {conditions}, {made['lufs']:.1f} LUFS",
        "picture": picture_of_night(night_of(plan, path)),
        "player": Sound(sound[0], sample_rate, f"session of {conditions}", small=True),
    }


def readable(path: Path) -> str:
    """Write an executed notebook as HTML beside itself; gives back its title."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)
    write_text(path.with_suffix(".html"), HTMLExporter().from_notebook_node(notebook)[0])
    return str(notebook.cells[0].source.partition("\n")[0].lstrip("# "))


def write_index(runs: list[Run], path: Path) -> None:
    """Write the page of finished runs; sounds are those in their folders, named from that of `path`."""
    contexts = [
        {"run": run, "summary": read_json(run.output_dir / "summary.json"), "files": first_clips(run)} for run in runs
    ]
    write_text(path, template("contexts.html.j2").render(contexts=contexts))
