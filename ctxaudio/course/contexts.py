"""The course for every context, and one page of them side by side: sounds, and each measure tested between contexts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ctxaudio.contexts import CONTEXTS
from ctxaudio.course.course import Preset, run_course
from ctxaudio.course.report import first_clips, headline, template
from ctxaudio.files import read_json, write_text
from ctxaudio.run import Run
from ctxaudio.widgets.players import STOP_OTHERS

#: A measure needs as many clips of a context as this to be compared.
FEWEST_CLIPS = 3


def run_contexts(run: Run, preset: Preset, device: str = "cpu") -> Path:
    """Run the course for all contexts, each in its folder below `run.output_dir`, and write `index.html` there.

    What has been finished with the same settings is not run again, so an interrupted call goes on.
    """
    runs = [replace(run, context=name, output_dir=run.output_dir / name) for name in CONTEXTS]
    for number, one in enumerate(runs, 1):
        if finished(one, preset):
            print(f"context {number} of {len(runs)}: {one.context} is there already", flush=True)
            continue
        print(f"context {number} of {len(runs)}: {one.context}", flush=True)
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
    summary, parameters = read_json(path), {name: str(value) for name, value in asdict(run).items()}
    made = {name: str(value) for name, value in summary["parameters"].items()}
    return summary["preset"] == asdict(preset) and made == parameters


def write_index(runs: list[Run], path: Path) -> None:
    """Write the page of finished runs; sounds are those in their folders, named from that of `path`."""
    tables = {run.context: pd.read_csv(run.analysis_dir / "analysis.csv") for run in runs}
    contexts = []
    for run in runs:
        summary = read_json(run.output_dir / "summary.json")
        sounds = {
            name: {"sham": f"{run.context}/sham/{file}", "modulated": f"{run.context}/generated/{file}"}
            for name, file in first_clips(run).items()
        }
        contexts.append({"run": run, "summary": summary, "headline": headline(run, summary), "sounds": sounds})
    tests = between_contexts(tables).to_dict("records")
    write_text(
        path, template("contexts.html.j2").render(contexts=contexts, tests=tests, fewest=FEWEST_CLIPS, stop=STOP_OTHERS)
    )


def between_contexts(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Each measure of clips tested between contexts, a row a measure, the clearest difference first.

    Columns: `measure`; `p` of Kruskal and Wallis 1952 (clips are the units; contexts with `FEWEST_CLIPS`), corrected
    for all measures at once as Benjamini and Yekutieli 2001, which holds for measures that depend on each other;
    `share` of the ranks' variance that lies between contexts (epsilon squared); the median of each context.
    """
    numbers = next(iter(tables.values())).select_dtypes("number")
    names = [name for name in numbers if name != "duration_s" and not name.endswith(("_p", "_floor"))]
    rows: list[dict[str, Any]] = []
    for name in names:
        values = {context: table[name].dropna() for context, table in tables.items() if name in table}
        enough = {context: of for context, of in values.items() if len(of) >= FEWEST_CLIPS}
        if len(enough) < 2 or np.ptp(np.concatenate(list(enough.values()))) == 0.0:
            continue
        found = stats.kruskal(*enough.values())
        share = found.statistic / (sum(map(len, enough.values())) - 1)
        rows.append({"measure": name, "p": found.pvalue, "share": share} | {c: of.median() for c, of in enough.items()})
    if rows:
        corrected = stats.false_discovery_control([row["p"] for row in rows], method="by")
        rows = [row | {"p": float(p)} for row, p in zip(rows, corrected, strict=True)]
    return pd.DataFrame(rows, columns=["measure", "p", "share", *tables]).sort_values("p", ignore_index=True)
