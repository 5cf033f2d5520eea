"""A run as one HTML file that opens anywhere, and a page of several runs side by side.

Nothing in them is fetched from elsewhere, and nothing foreign (titles of clips, say) reaches them unescaped. The
executed notebooks lie beside the report, as HTML to read and as notebooks to run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import scipy.stats
from markupsafe import Markup
from nbconvert import HTMLExporter

from ctxaudio import plots
from ctxaudio.course import template
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, child_path, read_json, write_text
from ctxaudio.render.night import night_of
from ctxaudio.run import Run
from ctxaudio.signal.audio import read_audio
from ctxaudio.signal.loudness import set_loudness
from ctxaudio.widgets.players import play
from ctxaudio.widgets.timeline import picture_of_night

SMALL_IN = (9.0, 2.4)
TITLE = re.compile(r"^# +(.+)", re.MULTILINE)
#: A measure needs as many clips of a context as this to be compared.
FEWEST_CLIPS = 3


def write_report(run: Run, clips: PreparedClips, path: Path) -> None:
    """Write the report of a finished course run to `path`, and its notebooks as HTML beside themselves.

    Reads `summary.json`, the model's JSON, `generated/`, `sham/` and `notebooks/` of the run's folder; `clips` are the
    real ones. Raises `CtxAudioError` if one that every run has is missing, or if `path` can't be written.
    """
    summary = read_json(run.output_dir / "summary.json")
    distances = summary["figures_of_merit"]["texture_distance"]["by_condition"]
    page = template("report.html.j2").render(
        summary=summary,
        headline=headline(run, summary),
        triplets={condition: triplet(run, clips, condition, file) for condition, file in first_clips(run).items()},
        night=night_of_run(run),
        distances=Markup(plots.distances(distances).html("")) if distances else None,
        model=read_json(run.model_path.with_suffix(".json")),
        notebooks={path.stem: readable(path) for path in sorted((run.output_dir / "notebooks").glob("*.ipynb"))},
    )
    write_text(path, page)


def headline(run: Run, summary: Mapping[str, Any]) -> list[str]:
    """Three sentences: what was made, how near to real it is, what was asked for and measured."""
    training, figures = summary["timings"]["training"], summary["figures_of_merit"]
    counts = summary["data"]["clips"]
    trained = sum(of.get("train", 0) for of in counts.values())
    made = (
        f"Sounds of {run.duration:g} s for {run.context} ({', '.join(counts).replace('_', ' ')}) were generated after "
        f"{training['steps']} steps of training ({training['seconds'] / 60:.1f} minutes) on {trained} clips."
    )
    near = "There were too few real clips to say how near to real they are."
    if overall := figures["texture_distance"]["all_conditions"]:
        within = [verdict.startswith("near") for verdict in figures["verdicts"].values()]
        near = (
            f"Their distance to real clips is {overall['generated']:.0f} (90 % interval {overall['generated_low']:.0f} "
            f"to {overall['generated_high']:.0f}), where other real clips have {overall['real_floor']:.0f} and noise "
            f"of the same spectrum {overall['matched_noise']:.0f}: {sum(within)} of {len(within)} conditions are near "
            "to real."
        )
    asked = "No modulation was asked for."
    if rates := [row for row in figures["modulation"] if "rate_hz" in row]:
        row = max(rates, key=lambda row: float(row["asked"]))
        asked = (
            f"At {row['rate_hz']:.4g} Hz a modulation depth of {row['asked']:.2f} was asked for and "
            f"{row['measured']:.2f} is measured ({row['without']:.2f} without modulation)."
        )
    return [made, near, asked]


def first_clips(run: Run) -> dict[str, str]:
    """The file of the first generated clip of each condition; its sham is of the same name."""
    first: dict[str, str] = {}
    for entry in read_json(run.generated_dir / "generated.json")["clips"]:
        first.setdefault(str(entry["condition"]), entry["file"])
    return first


def triplet(run: Run, clips: PreparedClips, condition: str, file: str) -> dict[str, Any]:
    """Players of a generated clip, its sham and a real clip, held out if there is one; and the three as a picture."""
    number = clips.condition_names.index(condition)
    real = clips.audio([*clips.of("val", number), *clips.of("train", number)][0])
    sounds = {"real": set_loudness(real[: round(run.duration * clips.sample_rate)], clips.sample_rate)[0]}
    for kind, folder in (("sham", run.output_dir / "sham"), ("modulated", run.generated_dir)):
        sounds[kind] = read_audio(child_path(folder, file))[0].mean(axis=0)
    titled = {kind: f"{condition.replace('_', ' ')}, {kind}" for kind in sounds}
    picture = plots.spectrograms({titled[kind]: samples for kind, samples in sounds.items()}, run.sample_rate)
    picture.set_size_inches(SMALL_IN)
    players = {kind: compressed(samples, run.sample_rate, titled[kind]) for kind, samples in sounds.items()}
    return {"players": players, "picture": Markup(picture.html(""))}


def compressed(samples: FloatArray, sample_rate: int, title: str) -> Markup:
    """A player that loads when it is played."""
    return Markup(play(samples, sample_rate, title, small=True).player(preload="none"))


def night_of_run(run: Run) -> dict[str, Any] | None:
    """The session that notebook 07 rendered: in words, its plan as a picture, and a compressed player."""
    path = run.output_dir / "session" / "session.json"
    if not path.exists():
        return None
    made = read_json(path)
    settings = made["settings"]
    plan = {**made["schedule"], "minutes": settings["minutes"], "fade_s": settings["finish"]["fade_s"]}
    conditions = ", ".join(made["conditions"]).replace("_", " ")
    sound, sample_rate = read_audio(path.with_suffix(".flac"))
    return {
        "said": f"{settings['minutes']:g} minutes of {conditions}, {made['lufs']:.1f} LUFS",
        "picture": Markup(picture_of_night(night_of(plan, path)).html("")),
        "player": compressed(sound[0], sample_rate, f"session of {conditions}"),
    }


def readable(path: Path) -> str:
    """Write an executed notebook as HTML beside itself; gives back its title."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise CtxAudioError(f"{path} is not a readable notebook: run the course again") from error
    notebook.metadata.pop("widgets", None)
    write_text(path.with_suffix(".html"), HTMLExporter().from_notebook_node(notebook)[0])
    title = TITLE.search("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown"))
    return title[1] if title else path.stem


def write_index(runs: list[Run], path: Path) -> None:
    """Write the page of finished runs; sounds are those in their folders, named from that of `path`."""
    contexts = []
    for run in runs:
        summary = read_json(run.output_dir / "summary.json")
        sounds = {
            condition: {"sham": f"{run.context}/sham/{file}", "modulated": f"{run.context}/generated/{file}"}
            for condition, file in first_clips(run).items()
        }
        contexts.append({"name": run.context, "summary": summary, "headline": headline(run, summary), "sounds": sounds})
    tests = between_contexts({run.context: pd.read_csv(run.analysis_dir / "analysis.csv") for run in runs})
    shown = {"contexts": contexts, "tests": tests.to_dict("records"), "fewest": FEWEST_CLIPS}
    write_text(path, template("contexts.html.j2").render(shown))


def between_contexts(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Each measure of clips tested between contexts, a row a measure, the clearest difference first.

    Columns: `measure`; `p` of Kruskal and Wallis 1952 (clips are the units; contexts with `FEWEST_CLIPS`), corrected
    for all measures at once as Benjamini and Yekutieli 2001, which holds for measures that depend on each other;
    `share` of the ranks' variance that lies between contexts (epsilon squared); the median of each context.
    """
    numbers = next(iter(tables.values())).select_dtypes("number")
    rows: list[dict[str, Any]] = []
    for name in numbers.columns[~numbers.columns.str.contains("^duration_s$|_p$|_floor$")]:
        values = {context: table[name].dropna() for context, table in tables.items() if name in table}
        enough = {context: of for context, of in values.items() if len(of) >= FEWEST_CLIPS}
        if len(enough) < 2 or np.ptp(np.concatenate(list(enough.values()))) == 0.0:
            continue
        found = scipy.stats.kruskal(*enough.values())
        share = found.statistic / (sum(map(len, enough.values())) - 1)
        rows.append({"measure": name, "p": found.pvalue, "share": share} | {c: of.median() for c, of in enough.items()})
    found = pd.DataFrame(rows, columns=["measure", "p", "share", *tables])
    if rows:
        found["p"] = scipy.stats.false_discovery_control(found["p"], method="by")
    return found.sort_values("p", ignore_index=True)
