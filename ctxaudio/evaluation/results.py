"""An evaluation as text, as files, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ctxaudio.evaluation.evaluate import Evaluation
from ctxaudio.files import write_json, written_whole
from ctxaudio.plots import distances, save_figure

SETS = ("generated", "real_floor", "matched_noise", "white_noise")


def printed_table(table: pd.DataFrame) -> str:
    """The table as text: generated / real-to-real floor / matched noise / white noise; intervals in brackets."""
    shown = {"condition": table["condition"], "clips": _joined(table, ["generated_clips", "real_clips"], 0)}
    for name in table:
        for form, digits in (("kernel", 0), ("frechet", 1)):
            if name.endswith(f"{form}_generated"):
                stem = name.removesuffix("_generated")
                shown[stem] = _joined(table, [f"{stem}_{of}" for of in SETS], digits)
    shown["diversity"] = _joined(table, ["diversity", "real_diversity"], 1)
    shown["recall"] = _joined(table, ["recall", "real_recall"], 2)
    shown["nearest training clip"] = _joined(table, ["memorisation_ratio"], 2)
    shown["copies"] = table["copies"].astype(str)
    return pd.DataFrame(shown).to_string(index=False)


def _joined(table: pd.DataFrame, columns: list[str], digits: int) -> list[str]:
    return [" / ".join(_figure(row, name, digits) for name in columns) for row in table.to_dict("records")]


def _figure(row: Mapping[str, Any], name: str, digits: int) -> str:
    value, low = row.get(name), row.get(f"{name}_low")
    if value is None or pd.isna(value):
        return "-"
    interval = "" if low is None or pd.isna(low) else f" [{low:.{digits}f} {row[f'{name}_high']:.{digits}f}]"
    return f"{value:.{digits}f}{interval}"


def write_evaluation(evaluation: Evaluation, folder: Path, about: Mapping[str, Any]) -> None:
    """Write `evaluation.json` (with `about`: what was compared), `evaluation.csv` and `evaluation.png`."""
    table = evaluation.table
    *conditions, overall = (
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in table.to_dict("records")
    )
    found = {"overall": overall, "conditions": conditions, "copies": [vars(copy) for copy in evaluation.copies]}
    write_json(folder / "evaluation.json", {**about, **found, "notes": evaluation.notes})
    with written_whole(folder / "evaluation.csv") as aside:
        table.to_csv(aside, index=False)
    texture = {
        str(row["condition"]): {name[7:]: value for name, value in row.items() if name.startswith("kernel_")}
        for row in conditions
        if row.get("kernel_generated") is not None
    }
    if texture:
        save_figure(distances(texture), folder / "evaluation.png")
