import csv
import io
import itertools
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from ctxaudio.cli import main
from ctxaudio.contexts import BANDS, CONTEXTS, TARGETS, VETOES_EVERYWHERE, catalogue, context_named
from ctxaudio.errors import CtxAudioError

VOCABULARY = Path(__file__).parents[2] / "shared" / "facts" / "fsd50k_vocabulary.csv"


def test_the_bands_are_those_of_the_design_and_touch_without_overlap():
    edges = {name: (band.low_hz, band.high_hz) for name, band in BANDS.items()}
    assert edges == {"delta": (1, 4), "theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "gamma": (30, 100)}


def test_the_targets_are_those_of_the_design_rates_below_100_hz_and_carriers_above():
    kinds = {(target.frequency_hz, target.kind) for target in TARGETS.values()}
    rates = {(7.83, "rate"), (14.1, "rate"), (2.5, "rate"), (6.0, "rate")}
    assert kinds == rates | {(528.0, "carrier"), (432.0, "carrier")}


@pytest.mark.parametrize("band", BANDS.values(), ids=str)
def test_the_rates_of_a_band_lie_inside_it_in_even_ratios(band):
    rates = band.rates_hz(4)
    assert band.low_hz < rates[0] and rates[-1] < band.high_hz
    ratios = [b / a for a, b in itertools.pairwise(rates)]
    assert ratios == pytest.approx([ratios[0]] * 3)


@pytest.mark.parametrize("name", CONTEXTS)
def test_every_context_has_three_conditions_that_no_other_has(name):
    others = {label for other, context in CONTEXTS.items() if other != name for label in context.conditions}
    assert len(set(CONTEXTS[name].conditions) - others) >= 3


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)
def test_a_context_never_vetoes_its_own_conditions_and_its_depths_can_be_added(context):
    assert not set(context.conditions) & {*context.vetoes, *VETOES_EVERYWHERE}
    rates = sum(context.band_depths.values()) + sum(
        depth for name, depth in context.target_depths.items() if TARGETS[name].kind == "rate"
    )
    assert 0 < rates <= 0.5


def test_contexts_differ_in_what_they_modulate():
    profiles = [(tuple(c.band_depths.items()), tuple(c.target_depths.items())) for c in CONTEXTS.values()]
    assert len(set(profiles)) == len(CONTEXTS)


@pytest.mark.skipif(not VOCABULARY.exists(), reason="the FSD50K vocabulary lies beside the project, not in it")
def test_every_label_is_in_the_vocabulary_of_fsd50k():
    with VOCABULARY.open() as file:
        known = {row[1] for row in csv.reader(file)}
    used = {label for c in CONTEXTS.values() for label in (*c.conditions, *c.vetoes)} | set(VETOES_EVERYWHERE)
    assert used <= known


def test_every_claim_has_a_grade_and_a_source():
    claims = [*BANDS.values(), *TARGETS.values(), *CONTEXTS.values()]
    assert all(claim.evidence.grade in "ABCDX" and "doi:" in claim.evidence.source for claim in claims)


def test_unknown_names_are_answered_with_the_choices():
    with pytest.raises(CtxAudioError, match=r"context 'slep' \(did you mean sleep\?\): choose one of sleep, focus"):
        context_named("slep")


def test_the_command_prints_the_catalogue_as_json_and_as_text():
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(["contexts", "--json"]) == 0
    assert json.loads(printed.getvalue()) == json.loads(json.dumps(catalogue()))
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(["contexts"]) == 0
    assert "0 Rain, 1 Waves_and_surf" in printed.getvalue()
    assert "earth      432 Hz carrier, D" in printed.getvalue()
