"""Stored results of longer runs: what is stored is whole, and variants are compared condition by condition."""

from __future__ import annotations

import pandas as pd

from ctxaudio.contexts import CONTEXTS
from ctxaudio.course.course import STORED, VARIANTS, compared


def rows(**kad: list[float]) -> pd.DataFrame:
    conditions = ("Rain", "Wind", "Cricket")
    return pd.DataFrame(
        [
            {"context": "sleep", "condition": condition, "variant": variant, "split": "eval", "kad": value}
            for variant, values in kad.items()
            for condition, value in zip(conditions, values, strict=True)
        ]
    )


def test_every_stored_row_is_of_a_condition_of_its_context_and_in_range() -> None:
    stored = pd.read_csv(STORED)
    names = ["context", "condition", "variant", "split", "clips", "kad", "hit5", "hit5_real", "minutes", "steps"]
    assert list(stored.columns) == names
    assert stored[names[4:]].dtypes.map(pd.api.types.is_numeric_dtype).all()
    for row in stored.itertuples():
        assert row.condition in CONTEXTS[row.context].conditions
        assert 0.0 <= row.hit5 <= 1.0 and 0.0 <= row.hit5_real <= 1.0 and row.clips > 0
    assert not stored.duplicated(["context", "condition", "variant"]).any()
    shown = {variant for variant in stored["variant"] if variant != "tuned" and "_seed" not in variant}
    assert shown <= set(VARIANTS), "each variant of the figure is named in words"


def test_variants_are_compared_condition_by_condition_not_in_the_mean() -> None:
    table = compared(rows(tuned=[10.0, 20.0, 40.0], off=[20.0, 40.0, 400.0])).set_index("variant")
    assert table.loc["off", ["conditions", "ratio"]].tolist() == [3, 2.0]  # a mean of distances would give 6.6
    assert table.loc["off", "low"] == 2.0 and 2.0 < table.loc["off", "high"] <= 10.0


def test_the_same_distances_have_the_ratio_one_with_no_interval_and_a_perfect_condition_has_none() -> None:
    table = compared(rows(tuned=[10.0, 20.0, 0.0], base=[10.0, 20.0, 5.0]))
    assert table[["variant", "conditions", "ratio", "low", "high"]].values.tolist() == [["base", 2, 1.0, 1.0, 1.0]]


def test_nothing_stored_or_nothing_to_compare_with_gives_an_empty_table() -> None:
    assert compared(pd.read_csv(STORED).iloc[:0]).empty
    assert compared(rows(off=[1.0, 2.0, 3.0])).empty
