"""Stored results of longer runs: every row whole, every figure in its range, every condition one we have."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from ctxaudio import plots
from ctxaudio.contexts import CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json
from ctxaudio.stored_results import (
    NAMES,
    NUMBERS,
    OURS,
    REFERENCE,
    STORED,
    ablation_results,
    cost_results,
    how_measured,
    rank_correlations,
    ranking_results,
    training_results,
)

CONDITIONS = {condition for context in CONTEXTS.values() for condition in context.conditions}
TABLES = {
    "training": training_results,
    "ablations": ablation_results,
    "costs": cost_results,
    "rankings": ranking_results,
}


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return read_json(STORED)


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_every_column_and_no_other(content, name):
    assert set(content) == {"about", *TABLES}
    assert content[name]
    wanted = {*NAMES[name], *NUMBERS[name]}
    assert [row for row in content[name] if set(row) != wanted] == []


@pytest.mark.parametrize("name", TABLES)
def test_a_figure_is_a_finite_number_or_null(content, name):
    for row in content[name]:
        for column in NUMBERS[name]:
            value = row[column]
            assert value is None or (type(value) in (int, float) and math.isfinite(value)), (row, column)
        assert all(isinstance(row[column], str) and row[column] for column in NAMES[name]), row
    assert "NaN" not in STORED.read_text(encoding="utf-8")


def test_every_condition_is_one_of_its_context(content):
    for row in content["training"]:
        known = CONDITIONS if row["context"] == "all" else CONTEXTS[row["context"]].conditions
        assert row["condition"] in known
        assert row["architecture"] in (OURS, REFERENCE)
    assert {row["condition"] for name in ("ablations", "rankings") for row in content[name]} <= CONDITIONS


def test_no_row_is_there_twice(content):
    for name, key in (
        ("training", ("context", "condition", "architecture", "minutes")),
        ("ablations", NAMES["ablations"]),
    ):
        keys = [tuple(row[column] for column in key) for row in content[name]]
        assert len(set(keys)) == len(keys)


def test_figures_are_in_their_ranges():
    training, ablations, costs = training_results(), ablation_results(), cost_results()
    shares = [training[["hit5", "hit5_real"]], ablations[["hit5_with", "hit5_without"]]]
    for table in shares:
        assert table.stack().dropna().between(0, 1).all()
    assert (training[["minutes", "steps", "seconds_per_step"]].stack().dropna() > 0).all()
    assert (training[["diversity", "memorisation"]].stack().dropna() >= 0).all()
    distances = [training[["kad", "kad_floor", "kad_matched_noise"]], ablations[["kad_with", "kad_without"]]]
    for table in distances:
        assert table.stack().dropna().between(-200, 5000).all()
    assert (costs[list(NUMBERS["costs"])].stack().dropna() > 0).all()


def test_steps_fit_the_minutes_they_took():
    for _, row in training_results().dropna(subset=["steps", "seconds_per_step"]).iterrows():
        assert 0.5 * row["minutes"] <= row["steps"] * row["seconds_per_step"] / 60 <= 1.2 * row["minutes"]


def test_what_was_not_measured_is_missing_in_a_column_of_numbers(tmp_path: Path):
    path = tmp_path / "results.json"
    rows = {name: [dict.fromkeys((*NAMES[name], *NUMBERS[name]))] for name in TABLES}
    path.write_text(json.dumps({"about": "nothing", **rows}))
    for name, table in TABLES.items():
        assert {str(kind) for kind in table(path)[list(NUMBERS[name])].dtypes} == {"float64"}
        assert table(path)[list(NUMBERS[name])].isna().all(axis=None)
    assert how_measured(path) == "nothing"


def test_a_column_or_a_table_that_is_not_there_is_said(tmp_path: Path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"about": "", **{name: [] for name in TABLES}, "training": [{"context": "sleep"}]}))
    with pytest.raises(CtxAudioError, match="a row of training has no condition, architecture, minutes"):
        training_results(path)
    path.write_text(json.dumps({"about": "", "training": []}))
    with pytest.raises(CtxAudioError, match="has no ablations, costs, rankings"):
        training_results(path)


def test_the_picture_puts_each_figure_at_its_condition():
    row = {"condition": "Rain", "hit5_real": 1.0, "kad_floor": -3.0, "kad_matched_noise": 400.0}
    two = {**row, "condition": "Tick-tock", "hit5_real": 0.5, "kad_floor": None, "kad_matched_noise": None}
    results = pd.DataFrame(
        [
            {**row, "architecture": OURS, "hit5": 0.6, "kad": 150.0},
            {**row, "architecture": REFERENCE, "hit5": 0.0, "kad": 850.0},
            {**two, "architecture": OURS, "hit5": 0.9, "kad": 130.0},
        ]
    )
    left, right = plots.longer_runs(results).axes
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in left.lines}
    assert drawn[OURS] == ([0.6, 0.9], [0, 1])
    assert drawn[REFERENCE] == ([0.0], [0])
    assert drawn["real clips"] == ([1.0, 1.0, 0.5], [0, 0, 1])
    assert {line.get_label(): list(line.get_xdata()) for line in right.lines}[REFERENCE] == [850.0]
    assert right.get_xlim()[0] < -3.0
    assert [text.get_text() for text in left.get_yticklabels()] == ["Rain", "Tick-tock"]


def test_a_picture_of_nothing_is_refused():
    with pytest.raises(CtxAudioError, match="no results to draw"):
        plots.longer_runs(training_results().head(0))


def test_the_yardstick_puts_sets_of_sound_in_the_judge_s_order():
    correlations = rank_correlations(ranking_results())
    assert (correlations["sets"] >= 9).all()
    spoilt, models = correlations.groupby("kind", sort=False)["correlation"].median()
    assert spoilt > 0.8
    assert models > 0.2, "they lie close together: a rough guide"


def test_correlations_of_ranks_are_scipy_s_and_missing_for_two():
    random = np.random.default_rng(0)
    judge, yardstick = random.normal(size=(2, 12))
    rankings = pd.DataFrame({"kind": "models", "condition": ["Rain"] * 10 + ["Wind"] * 2})
    found = rank_correlations(rankings.assign(judge=judge, yardstick=yardstick)).set_index("condition")
    assert found["sets"].to_dict() == {"Rain": 10, "Wind": 2}
    assert found["correlation"]["Rain"] == pytest.approx(scipy.stats.spearmanr(judge[:10], yardstick[:10]).statistic)
    assert math.isnan(found["correlation"]["Wind"])


def test_the_picture_of_rankings_has_a_panel_a_kind_and_a_colour_a_condition():
    rows = [("spoilt", "Rain", -3.0, 1.0), ("spoilt", "Wind", 40.0, 2.0), ("models", "Wind", 90.0, 8.0)]
    results = pd.DataFrame(rows, columns=["kind", "condition", "judge", "yardstick"])
    spoilt, models = plots.rankings(results).axes
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in spoilt.lines}
    assert drawn == {"Rain": ([-3.0], [1.0]), "Wind": ([40.0], [2.0])}
    assert spoilt.lines[1].get_color() == models.lines[0].get_color() != spoilt.lines[0].get_color()
    with pytest.raises(CtxAudioError, match="no rankings to draw"):
        plots.rankings(results.head(0))
