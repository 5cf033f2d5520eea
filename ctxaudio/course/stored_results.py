"""Results of longer runs, measured once by an independent judge and stored: what a notebook of minutes can't show.

Written by `tests/benchmarks/proof.py`; a row a condition and variant, `kad` being the judge's kernel distance x1000.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ctxaudio.errors import CtxAudioError

STORED = Path(__file__).parents[1] / "stored_results.csv"
NAMES = ("context", "condition", "variant", "split")
NUMBERS = ("clips", "kad", "hit5", "hit5_real", "minutes", "steps")
DRAWS = 2000


def stored_results(path: Path = STORED) -> pd.DataFrame:
    """All rows. Raises `CtxAudioError` where a column is missing or holds what is no number."""
    try:
        rows = pd.read_csv(path)
        if missing := [name for name in (*NAMES, *NUMBERS) if name not in rows]:
            raise CtxAudioError(f"{path} has no column {', '.join(missing)}: write it again with proof.py")
        return rows.astype(dict.fromkeys(NUMBERS, float))
    except (OSError, ValueError) as error:
        raise CtxAudioError(f"can't read {path}: {error}") from error


def compared(rows: pd.DataFrame, beside: str = "tuned", seed: int = 0) -> pd.DataFrame:
    """How far each variant is from recordings beside `beside`, in the median over the conditions that both have.

    Columns `variant`, `conditions`, `ratio` of the distances and, over resampled conditions, `low` and `high` of 95 %.
    Conditions in which `beside` is at 0 or below have no ratio and are left out.
    """
    kad = rows.pivot_table(index=["context", "condition"], columns="variant", values="kad")
    found = []
    random = np.random.default_rng(seed)
    for variant in kad.columns.drop(beside, errors="ignore") if beside in kad else ():
        both = kad.loc[kad[beside] > 0.0, [variant, beside]].dropna()
        ratios = (both[variant] / both[beside]).to_numpy()
        if len(ratios):
            drawn = np.median(random.choice(ratios, (DRAWS, len(ratios))), axis=1)
            found.append((variant, len(ratios), np.median(ratios), *np.quantile(drawn, (0.025, 0.975))))
    return pd.DataFrame(found, columns=["variant", "conditions", "ratio", "low", "high"])
