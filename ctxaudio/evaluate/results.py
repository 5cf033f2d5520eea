"""An evaluation as a table, as files, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ctxaudio.evaluate.evaluation import TEXTURE, ConditionFigures, Evaluation
from ctxaudio.files import write_json, written_whole
from ctxaudio.plots import distances_beside_floors, save_figure

OVERALL = "mean"


def evaluation_table(evaluation: Evaluation) -> pd.DataFrame:
    """A row per condition and one of their means; missing figures are NaN, and the notes say why.

    Columns: `condition`, `real_clips`, `generated_clips`; `kernel_*` and `frechet_*` of `generated`, `real_floor`,
    `matched_noise` and `white_noise`, of embeddings with their name in front; `diversity`, `real_diversity`;
    `memorisation_ratio`, `copies`; `recall`, `real_recall`.
    """
    table = pd.DataFrame([_row(figures) for figures in evaluation.conditions])
    counts = ["real_clips", "generated_clips", "copies"]
    overall = {**table.mean(numeric_only=True).to_dict(), **table[counts].sum().to_dict(), "condition": OVERALL}
    return pd.concat([table, pd.DataFrame([overall])], ignore_index=True)[list(table.columns)].astype(
        dict.fromkeys(counts, int)
    )


def printed_table(evaluation: Evaluation) -> str:
    """The table as text: generated / real-to-real floor / matched noise / white noise."""
    table = evaluation_table(evaluation)
    shown = {"condition": table["condition"], "clips": _of(table, "generated_clips", "real_clips", digits=0)}
    names = ["generated", "real_floor", "matched_noise", "white_noise"]
    for prefix in dict.fromkeys(_prefix(kind) for figures in evaluation.conditions for kind in figures.kernel):
        for form, digits in (("kernel", 0), ("frechet", 1)):
            shown[f"{prefix}{form}"] = _of(table, *(f"{prefix}{form}_{name}" for name in names), digits=digits)
    shown["diversity"] = _of(table, "diversity", "real_diversity", digits=1)
    shown["recall"] = _of(table, "recall", "real_recall", digits=2)
    shown["nearest training clip"] = _of(table, "memorisation_ratio", digits=2)
    shown["copies"] = table["copies"].astype(str)
    return pd.DataFrame(shown).to_string(index=False)


def write_evaluation(evaluation: Evaluation, folder: Path, about: Mapping[str, Any]) -> None:
    """Write `evaluation.json` (with `about`: what was compared), `evaluation.csv` and `evaluation.png`."""
    table = evaluation_table(evaluation)
    overall = table.iloc[-1].drop("condition").to_dict()
    content = {
        **about,
        "overall": {name: None if pd.isna(value) else value for name, value in overall.items()},
        "conditions": [figures.as_json() for figures in evaluation.conditions],
        "notes": evaluation.notes,
    }
    write_json(folder / "evaluation.json", content)
    with written_whole(folder / "evaluation.csv") as aside:
        table.to_csv(aside, index=False)
    texture = {one.condition: vars(one.kernel[TEXTURE]) for one in evaluation.conditions if TEXTURE in one.kernel}
    if texture:
        save_figure(distances_beside_floors(texture), folder / "evaluation.png")


def _row(figures: ConditionFigures) -> dict[str, Any]:
    row: dict[str, Any] = {
        "condition": figures.condition,
        "real_clips": figures.real_clips,
        "generated_clips": figures.generated_clips,
    }
    for form, distances in (("kernel", figures.kernel), ("frechet", figures.frechet)):
        for kind, found in distances.items():
            row |= {f"{_prefix(kind)}{form}_{name}": _number(value) for name, value in vars(found).items()}
    numbers = {
        "diversity": figures.diversity,
        "real_diversity": figures.real_diversity,
        "memorisation_ratio": figures.memorisation_ratio,
        "recall": figures.recall,
        "real_recall": figures.real_recall,
    }
    row |= {name: _number(value) for name, value in numbers.items()}
    return row | {"copies": len(figures.copies)}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _prefix(kind: str) -> str:
    return "" if kind == TEXTURE else f"{kind}_"


def _of(table: pd.DataFrame, *columns: str, digits: int) -> pd.Series[str]:
    texts = [
        table[name].map(lambda value: "-" if pd.isna(value) else f"{value:.{digits}f}")
        if name in table
        else pd.Series("-", index=table.index)
        for name in columns
    ]
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + " / " + text
    return joined
