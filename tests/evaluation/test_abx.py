"""The ABX test: chances that agree with scipy and with counting, an order by lot, and no result before its time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.abx import AbxScore, AbxTest, chance_to_pass, correct_needed, simulated_score


@given(st.integers(1, 60).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_p_is_the_share_of_all_series_of_guesses_that_do_as_well(score: tuple[int, int]) -> None:
    correct, trials = score
    as_well = sum(math.comb(trials, right) for right in range(correct, trials + 1))
    assert AbxScore(correct, trials).p_value == pytest.approx(as_well / 2**trials, rel=1e-9)


def test_p_agrees_with_every_series_of_six_answers_counted_out() -> None:
    right = [sum(series) for series in itertools.product((0, 1), repeat=6)]
    for correct in range(7):
        counted = sum(number >= correct for number in right) / len(right)
        assert AbxScore(correct, 6).p_value == pytest.approx(counted)


@given(st.integers(5, 100))
def test_the_needed_number_passes_and_one_fewer_does_not(trials: int) -> None:
    needed = correct_needed(trials)
    assert AbxScore(needed, trials).p_value < 0.05 <= AbxScore(needed - 1, trials).p_value
    assert chance_to_pass(trials, 0.5) == pytest.approx(AbxScore(needed, trials).p_value)
    assert chance_to_pass(trials, 1.0) == 1.0


def test_four_trials_can_show_nothing() -> None:
    assert AbxScore(4, 4).p_value == 1 / 16
    with pytest.raises(CtxAudioError, match="4 trials are too few"):
        correct_needed(4)
    for trials in (4, 101):
        with pytest.raises(CtxAudioError, match=f"{trials} trials of an ABX test"):
            AbxTest(trials)


def test_the_line_says_what_follows_and_no_more() -> None:
    assert AbxScore(12, 16).line() == "12 of 16 right, p = 0.0384; 12 are needed for p < 0.05: a difference was heard"
    assert "no difference shown (nor is it shown that there is none)" in AbxScore(11, 16).line()


def order_of(test: AbxTest) -> list[str]:
    order = []
    while not test.finished:
        order.append(test.x("A", "B"))
        test.answer("A")
    return order


def test_the_order_is_of_the_seed_and_differs_without_one() -> None:
    assert order_of(AbxTest(40, seed=3)) == order_of(AbxTest(40, seed=3))
    assert order_of(AbxTest(40, seed=3)) != order_of(AbxTest(40, seed=4))
    assert order_of(AbxTest(40)) != order_of(AbxTest(40))


def test_each_trial_is_a_coin_of_its_own() -> None:
    """Not half of each (then the last could be worked out), and none depends on the one before."""
    heads = np.array([[letter == "A" for letter in order_of(AbxTest(16, seed=s))] for s in range(600)])
    assert heads.mean() == pytest.approx(0.5, abs=0.02)
    assert (heads[:, 1:] == heads[:, :-1]).mean() == pytest.approx(0.5, abs=0.02)
    assert heads.sum(axis=1).std() == pytest.approx(2.0, abs=0.2)  # that of a binomial; 0 if balanced


def test_nothing_is_told_before_the_last_answer() -> None:
    test = AbxTest(5, seed=0)
    for answered in range(5):
        for peek in (test.score, test.log):
            with pytest.raises(CtxAudioError, match=f"{answered} of 5 trials answered"):
                peek()
        assert repr(test) == f"<ABX test: {answered} of 5 trials answered>"
        test.answer("A")
    table = test.log()
    assert test.score() == AbxScore(int((table["x"] == "A").sum()), 5)
    assert table["right"].sum() == test.score().correct
    for late in (lambda: test.answer("B"), lambda: test.x(1, 2)):
        with pytest.raises(CtxAudioError, match="all 5 trials are answered"):
            late()
    assert (test.log()["answer"] == "A").all()


def test_an_answer_is_a_or_b_and_another_leaves_the_trial_open() -> None:
    test = AbxTest(5, seed=0)
    with pytest.raises(CtxAudioError, match="'X' must be A or B"):
        test.answer("X")  # type: ignore[arg-type]
    assert test.answered == 0


def test_simulated_listeners_score_what_their_ears_give() -> None:
    for hears in (0.0, 0.5, 1.0):
        scores = [simulated_score(20, hears, seed) for seed in range(200)]
        rate = np.mean([score.correct / score.trials for score in scores])
        assert rate == pytest.approx(hears + (1.0 - hears) / 2.0, abs=0.03)
    passed = np.mean([simulated_score(20, 0.0, seed).p_value < 0.05 for seed in range(400)])
    assert passed == pytest.approx(chance_to_pass(20, 0.5), abs=0.02)
