"""A run as one HTML file that opens anywhere, a page of several runs side by side, and the stored results of others.

Nothing in them is fetched from elsewhere, and nothing foreign (titles of clips, say) reaches them unescaped. The
executed notebooks lie beside the report, as HTML to read and as notebooks to run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
from nbconvert import HTMLExporter

from ctxaudio import plots
from ctxaudio.course import template
from ctxaudio.course.teaching import NUMBERED
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.files import child_path, read_json, write_text
from ctxaudio.plots.charts import spaced
from ctxaudio.render.night import night_of
from ctxaudio.run import Run
from ctxaudio.signal.audio import read_audio
from ctxaudio.signal.loudness import set_loudness
from ctxaudio.widgets import play
from ctxaudio.widgets.timeline import picture_of_night

#: Results of longer runs by an independent judge, a row a condition and variant (`tests/benchmarks/proof.py`).
STORED = Path(__file__).parents[1] / "stored_results.csv"
#: Its variants in words.
VARIANTS = {"base": "base, not tuned", "base_off": "base, network off", "off": "network off", "real": "real clips"}
VARIANTS |= {"no_adversarial": "without the adversarial loss", "no_texture": "without the texture loss"}
VARIANTS |= {"off_at_rates": "noise at its rates", "scratch": "from scratch"}
VARIANTS |= {"tuned_seed1": "another seed", "tuned_seed2": "a third seed"}


def write_report(run: Run, clips: PreparedClips, path: Path) -> None:
    """Write the report of a finished course run to `path`, and its notebooks as HTML beside themselves.

    Reads `summary.json`, the model's JSON, `generated/`, `sham/` and `notebooks/` of the run's folder; `clips` are the
    real ones. Raises `CtxAudioError` if one that every run has is missing, or if `path` can't be written.
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
    write_text(path, page)


def first_clips(run: Run) -> dict[str, str]:
    """The file of the first generated clip of each condition; its sham is of the same name."""
    clips = pd.DataFrame(read_json(run.generated_dir / "generated.json")["clips"])
    return dict(clips.drop_duplicates("condition")[["condition", "file"]].to_numpy())


def triplet(run: Run, clips: PreparedClips, condition: str, file: str) -> dict[str, Any]:
    """Players of a generated clip, its sham and a real clip, held out if there is one; and the three as a picture."""
    number = clips.condition_names.index(condition)
    real = clips.audio([*clips.of("val", number), *clips.of("train", number)][0])
    sounds = {"real": set_loudness(real[: round(run.duration * clips.sample_rate)], clips.sample_rate)[0]}
    for kind, folder in (("sham", run.output_dir / "sham"), ("modulated", run.generated_dir)):
        sounds[kind] = read_audio(child_path(folder, file))[0].mean(axis=0)
    titles = {kind: f"{spaced(condition)}, {kind}" for kind in sounds}
    picture = plots.spectrograms({titles[kind]: samples for kind, samples in sounds.items()}, run.sample_rate)
    picture.set_size_inches(9.0, 2.4)
    players = {kind: play(sounds[kind], run.sample_rate, title, small=True) for kind, title in titles.items()}
    return {"players": players, "picture": picture}


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
        "player": play(sound[0], sample_rate, f"session of {conditions}", small=True),
    }


def readable(path: Path) -> str:
    """Write an executed notebook as HTML beside itself; gives back its title."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)
    write_text(path.with_suffix(".html"), HTMLExporter().from_notebook_node(notebook)[0])
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return (re.findall(r"^# +(.+)", prose, re.MULTILINE) or [path.stem])[0]


def write_index(runs: list[Run], path: Path) -> None:
    """Write the page of finished runs; sounds are those in their folders, named from that of `path`."""
    contexts = [
        {"run": run, "summary": read_json(run.output_dir / "summary.json"), "files": first_clips(run)} for run in runs
    ]
    write_text(path, template("contexts.html.j2").render(contexts=contexts))


def compared(rows: pd.DataFrame, beside: str = "tuned", seed: int = 0) -> pd.DataFrame:
    """How far each variant of `STORED` is from recordings beside `beside`, in the median over conditions with both.

    Columns `variant`, `conditions`, `ratio` of the distances, `low` and `high` (95 %, over resampled conditions).
    Conditions in which `beside` is at 0 or below are left out.
    """
    kad = rows.pivot_table(index=["context", "condition"], columns="variant", values="kad")
    found, random = [], np.random.default_rng(seed)
    for variant in kad.columns.drop(beside) if beside in kad else ():
        ratios = (kad[variant] / kad[beside])[kad[beside] > 0.0].dropna().to_numpy()
        if len(ratios):
            drawn = np.median(random.choice(ratios, (2000, len(ratios))), axis=1)
            found.append((variant, len(ratios), np.median(ratios), *np.quantile(drawn, (0.025, 0.975))))
    return pd.DataFrame(found, columns=["variant", "conditions", "ratio", "low", "high"])
