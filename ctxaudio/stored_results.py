"""Results of longer runs, measured once and stored: what a notebook of a few minutes can't show.

Notebook: 04_cgan_training.ipynb
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json

STORED = Path(__file__).with_suffix(".json")

#: Our generator, and the one that the design began with (`tests/benchmarks/waveform_gan.py`).
OURS, REFERENCE = "ctxaudio", "waveform GAN"
#: The columns of each table; the first of them are names, all others numbers.
NAMES = {
    "training": ("context", "condition", "architecture"),
    "ablations": ("change", "condition"),
    "costs": ("model",),
    "rankings": ("kind", "condition"),
}
NUMBERS = {
    "training": (
        *("minutes", "steps", "seconds_per_step", "hit5", "hit5_real", "kad", "kad_floor", "kad_matched_noise"),
        *("diversity", "memorisation"),
    ),
    "ablations": ("hit5_with", "hit5_without", "kad_with", "kad_without"),
    "costs": ("conditions", "clips", "parameters", "megabytes", "steps_per_minute", "peak_memory_mb"),
    "rankings": ("judge", "yardstick"),
}


def training_results(path: Path = STORED) -> pd.DataFrame:
    """A row for each condition, architecture and length of training; what was not measured is missing (NaN).

    Columns: `context`, `condition`, `architecture` (`OURS` or `REFERENCE`), `minutes`, `steps`, `seconds_per_step`;
    `hit5` and `hit5_real`, the shares 0..1 of generated and of held-out real clips whose label a tagger that neither
    was trained on has among its first five; `kad`, `kad_floor` (other real clips) and `kad_matched_noise`, kernel
    distances to real clips in that tagger's embedding, x1000; `diversity` of the clips of a condition over that of
    real ones; `memorisation`, the nearest training clip's distance over the nearest other real clip's.

    Raises `CtxAudioError` where the file lacks a table or a column.

    >>> sorted(training_results()["architecture"].unique())[-1]
    'waveform GAN'
    """
    return _table("training", path)


def ablation_results(path: Path = STORED) -> pd.DataFrame:
    """A row for each `change` and `condition`: `hit5_with`, `hit5_without`, `kad_with` and `kad_without` it.

    Raises as `training_results`.
    """
    return _table("ablations", path)


def cost_results(path: Path = STORED) -> pd.DataFrame:
    """A row for each `model`: `conditions`, `clips`, `parameters`, `megabytes`, `steps_per_minute`, `peak_memory_mb`.

    Raises as `training_results`.
    """
    return _table("costs", path)


def ranking_results(path: Path = STORED) -> pd.DataFrame:
    """A row for each set of twenty clips: its `kind` and `condition`, and how far it is from real ones by two measures.

    `judge` is a kernel distance in a trained tagger's embedding, `yardstick` that of `ctxaudio evaluate`, both x1000.

    Raises as `training_results`.
    """
    return _table("rankings", path)


def rank_correlations(rankings: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation of the two measures of `ranking_results`, for each `kind` and `condition`.

    Columns: `kind`, `condition`, `sets` (how many), `correlation` in -1..1, NaN for fewer than three sets.

    >>> same_order = pd.DataFrame({"judge": [1.0, 2.0, 9.0], "yardstick": [0.0, 5.0, 6.0]})
    >>> rank_correlations(same_order.assign(kind="models", condition="Rain"))
         kind condition  sets  correlation
    0  models      Rain     3          1.0
    """
    rows = [
        {
            "kind": kind,
            "condition": condition,
            "sets": len(part),
            "correlation": part["judge"].corr(part["yardstick"], method="spearman", min_periods=3),
        }
        for (kind, condition), part in rankings.groupby(["kind", "condition"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["kind", "condition", "sets", "correlation"])


def how_measured(path: Path = STORED) -> str:
    """On what machine, which clips and by which judge, in a few sentences."""
    return str(_content(path)["about"])


def _table(name: str, path: Path) -> pd.DataFrame:
    columns = [*NAMES[name], *NUMBERS[name]]
    rows = _content(path)[name]
    for row in rows:
        if missing := [column for column in columns if column not in row]:
            raise CtxAudioError(f"{path}: a row of {name} has no {', '.join(missing)}: null where it was not measured")
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(NUMBERS[name], float))


def _content(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if missing := [name for name in ("about", *NAMES) if name not in content]:
        raise CtxAudioError(f"{path} has no {', '.join(missing)}")
    return content
