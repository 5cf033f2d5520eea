"""Stored results of longer runs, which notebook 05 draws, are whole."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pandas as pd

from ctxaudio.contexts import CONTEXTS


def test_every_stored_row_is_of_a_condition_of_its_context_and_in_range() -> None:
    stored = pd.read_csv(files("ctxaudio") / "stored_results.csv")
    names = ["context", "condition", "variant", "split", "clips", "kad", "hit5", "hit5_real", "minutes", "steps"]
    assert list(stored.columns) == names
    assert stored[names[4:]].dtypes.map(pd.api.types.is_numeric_dtype).all()
    for row in stored.itertuples():
        assert row.condition in CONTEXTS[row.context].conditions
        assert 0.0 <= row.hit5 <= 1.0 and 0.0 <= row.hit5_real <= 1.0 and row.clips > 0
    assert not stored.duplicated(["context", "condition", "variant"]).any()
    notebook = (Path(__file__).parents[2] / "notebooks" / "05_cgan_training.ipynb").read_text(encoding="utf-8")
    for variant in set(stored["variant"]) - {"tuned"}:
        assert f'\\"{variant}\\": \\"' in notebook, "each variant of the figure is named in words"
