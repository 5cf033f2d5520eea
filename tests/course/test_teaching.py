"""Predictions, exercises, claims and the score: for a reader, and headless, where whatever is wrong raises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ctxaudio.course import teaching
from ctxaudio.course.teaching import Exercise, Lesson, difference
from ctxaudio.errors import CtxAudioError

CHOICES = ("none", "some", "all")
MISTAKES = {
    "You forgot the square root.": lambda m: 1 + m**2 / 2,
    "You took m, not its square.": lambda m: np.sqrt(1 + m / 2),
    "The mean of the squared sine is a half.": lambda m: np.sqrt(1 + m**2),
}


def rms(m):
    return np.sqrt(1 + m**2 / 2)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Lesson:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    return Lesson(interactive=True)


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    shown: list[Any] = []
    monkeypatch.setattr(teaching, "display", shown.append)
    return shown


@pytest.fixture
def headless() -> Lesson:
    return Lesson(interactive=False)


def exercise(lesson: Lesson) -> Exercise:
    return lesson.exercise("1. The rms of a gain", rms, MISTAKES, on=[(0.5,), (1.0,)])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.strip()


def test_a_run_is_headless_without_widgets_and_under_a_test(monkeypatch):
    assert Lesson(False).headless and Lesson(True).headless, "nbval sets no parameter: the test itself is seen"
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    assert Lesson(False).headless and not Lesson(True).headless


# Exercises.


def blank(m):
    mean_square = 1 + ...
    return np.sqrt(mean_square)


@pytest.mark.parametrize("stub", [None, ..., lambda m: None, lambda m: ..., blank])
def test_an_unsolved_stub_fails_nobody(stub, reader, headless, capsys):
    for lesson in (reader, headless):
        exercise(lesson).check(stub)
        assert said(capsys) == "1. The rms of a gain: not attempted yet"


def test_a_right_answer_is_said_to_be_right_whatever_way_it_is_written(reader, capsys):
    task = exercise(reader)
    task.check(lambda m: np.sqrt(np.mean((1 + m * np.sin(np.arange(1000) * 2 * np.pi / 100)) ** 2)))
    assert said(capsys) == "1. The rms of a gain: right" and task.solved


@pytest.mark.parametrize(("says", "mistake"), MISTAKES.items())
def test_each_typical_mistake_is_recognised(says, mistake, reader, capsys):
    task = exercise(reader)
    task.check(mistake)
    assert said(capsys) == f"1. The rms of a gain: not yet. {says}" and not task.solved


@pytest.mark.parametrize(
    ("mine", "says"),
    [
        (lambda m: 7.0, "It differs by up to 5.94."),
        (lambda m: [m, m], "It has the shape (2, 2), not (2,)."),
        (lambda m: "much", "It gives ['much', 'much'], which is no number or array of numbers."),
        (lambda m: np.nan, "It is not finite everywhere."),
        (lambda m: m.missing, "It raises AttributeError: 'float' object has no attribute 'missing'."),
    ],
)
def test_another_mistake_is_described(mine, says, reader, capsys):
    exercise(reader).check(mine)
    assert said(capsys) == f"1. The rms of a gain: not yet. {says}"


def test_headless_a_wrong_answer_raises_and_so_do_a_wrong_and_a_missing_solution(headless):
    task = exercise(headless)
    with pytest.raises(CtxAudioError, match=r"1. The rms of a gain: not yet. You forgot the square root\."):
        task.check(MISTAKES["You forgot the square root."])
    with pytest.raises(CtxAudioError, match="It differs by"):
        task.solution(lambda m: 0.0)
    with pytest.raises(CtxAudioError, match="the solution is empty"):
        task.solution(None)


def test_a_solution_does_not_count_for_the_reader(reader, capsys):
    task = exercise(reader)
    task.solution(rms)
    assert "the solution is right" in said(capsys) and not task.solved


def test_an_answer_may_spoil_its_arguments(reader, capsys):
    def negated(samples):
        samples *= -1
        return samples

    mistakes = {"a": lambda x: x, "b": lambda x: 2 * x, "c": lambda x: 3 * x}
    task = reader.exercise("2. Turn over", lambda x: -x, mistakes, on=[(np.ones(3),)])
    task.check(negated)
    task.check(negated)
    assert said(capsys).count("right") == 2


def test_a_class_is_measured(reader, capsys):
    class Unfinished(nn.Module):
        def forward(self, samples):
            return samples * ...

    class Twice(nn.Module):
        def forward(self, samples):
            return samples[..., :2] * 2

    mistakes = {"a": lambda: torch.zeros_like, "b": lambda: torch.ones_like, "c": lambda: torch.neg}
    task = reader.exercise(
        "3. Twice", lambda: lambda x: 2 * x, mistakes, measure=lambda made: made()(torch.ones(2) * 4)
    )
    task.check(Unfinished)
    task.check(Twice)
    assert said(capsys).splitlines() == ["3. Twice: not attempted yet", "3. Twice: right"]


@pytest.mark.parametrize(
    ("right", "mistakes", "says"),
    [
        (1.0, {"a": 2.0, "b": 3.0, "c": 1.0}, "the check says '' where it should say 'c'"),
        (1.0, {"a": 2.0, "b": 3.0, "c": 3.0}, "the check says 'b' where it should say 'c'"),
    ],
)
def test_headless_an_exercise_tests_its_own_check(right, mistakes, says, headless):
    with pytest.raises(CtxAudioError, match=says):
        headless.exercise("4. One", right, mistakes)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.floats(1e-3, 10))
def test_a_difference_is_seen_and_its_absence_too(values, away):
    assert difference(values, values) == "" and difference(np.array(values), values) == ""
    assert difference([*values[:-1], values[-1] + away * max(1.0, abs(values[-1]))], values).startswith("It differs")
    assert difference([*values, 0.0], values).startswith("It has the shape")


def test_texts_lists_and_tables_are_compared_too():
    assert difference([0.5, 0.25], [0.5, 0.5]) == "It differs by up to 0.25."
    assert difference({"a", "b"}, {"b", "a"}) == "" and difference({"a"}, {"b"}) == "It gives {'a'}."
    assert difference(["a", "c"], ["a", "b"]) == "It gives 'c'."
    assert difference(["a"], ["a", "b"]) == "It should be 2 entries, but is ['a']."
    assert difference([np.ones(2), np.ones(3)], [np.ones(2), np.zeros(3)]) == "It differs by up to 1."
    assert difference(1 + 1e-9j, 1 + 0j) == "" and difference(1j, 1 + 0j) != ""


def test_two_results_are_compared_with_a_tolerance(reader, headless, capsys):
    reader.check("layers", [1.0, 2.0], [1.0, 2.5])
    headless.check("layers", [1.0, 2.0 + 1e-9], [1.0, 2.0])
    assert said(capsys).splitlines() == ["layers: It differs by up to 0.5.", "layers: the same (within 1e-06)"]
    with pytest.raises(CtxAudioError, match=r"layers: It differs by up to 0\.5"):
        headless.check("layers", [1.0, 2.0], [1.0, 2.5])


# Predictions.


def test_headless_question_truth_and_score_are_printed(headless, capsys):
    headless.predict("rain", "How much rain?", CHOICES)
    assert said(capsys).splitlines() == ["Predict: How much rain?", "  ( ) none", "  ( ) some", "  ( ) all"]
    headless.reveal("rain", {"none": False, "some": True, "all": False}, "3 of 8 clips.")
    assert said(capsys) == "How much rain? It is: some. 3 of 8 clips."
    headless.score()
    assert said(capsys) == "1. How much rain? It is: some. 3 of 8 clips."


def test_headless_a_prediction_left_open_raises(headless):
    headless.predict("rain", "How much rain?", CHOICES)
    with pytest.raises(CtxAudioError, match=r"never revealed: How much rain\?"):
        headless.score()


def ask(reader: Lesson, displayed: list[Any]) -> Any:
    """The buttons of a question."""
    reader.predict("rain", "How much rain?", CHOICES)
    return displayed[-1].children[1]


def test_the_truth_waits_for_an_answer_and_then_locks_it(reader, displayed):
    buttons = ask(reader, displayed)
    reader.reveal("rain", "all")
    shown = displayed[-1]
    assert "It is" not in shown.value and "Choose an answer above" in shown.value and not buttons.disabled
    buttons.value = "some"
    assert "You said: some. It is: all." in shown.value and buttons.disabled


def test_an_answer_may_be_changed_before_the_truth_is_known(reader, displayed):
    buttons = ask(reader, displayed)
    buttons.value, buttons.value = "some", "all"
    assert reader.predictions["rain"].buttons.value == "all" and not buttons.disabled
    reader.reveal("rain", "all")
    assert "You said: all. It is: all." in displayed[-1].value and buttons.disabled


def test_the_score_counts_what_was_right_and_what_was_solved(reader, displayed):
    for key in ("a", "b", "c"):
        reader.predict(key, f"How much {key}?", CHOICES)
    exercise(reader).check(rms)
    a, b, c = (panel.children[1] for panel in displayed)
    a.value, b.value = "all", "none"
    for key in ("a", "b", "c"):
        reader.reveal(key, "all")
    reader.score()
    score = displayed[-1]
    assert "Predictions: 1 right of 2 answered, 3 asked." in score.value
    assert "Exercises solved: 1 of 1" in score.value
    c.value = "all"
    assert "2 right of 3 answered" in score.value


@pytest.mark.parametrize(
    ("truth", "says"),
    [
        ("much", r"one of .* has to hold, not \['much'\] of \('none', 'some', 'all', 'much'\)"),
        ({"none": True, "some": True, "all": False}, r"one of .* has to hold, not \['none', 'some'\]"),
        ({"none": False, "some": False, "all": False}, r"has to hold, not \[\]"),
        ({"none": True}, r"of \('none',\)"),
    ],
)
def test_a_truth_has_to_be_one_of_the_choices(truth, says, headless):
    headless.predict("rain", "How much rain?", CHOICES)
    with pytest.raises(CtxAudioError, match=says):
        headless.reveal("rain", truth)


def test_a_question_has_choices_and_is_asked_before_it_is_answered(headless):
    with pytest.raises(CtxAudioError, match="two different choices"):
        headless.predict("a", "How much?", ["one", "one"])
    with pytest.raises(CtxAudioError, match="no prediction 'b'"):
        headless.reveal("b", "all")


# Claims.


def test_a_false_claim_raises_headless_and_is_owned_up_to_otherwise(reader, headless, capsys):
    headless.claims({"two is even": True, "three is odd": True})
    assert said(capsys) == "statements of the text above: 2 tested and true"
    with pytest.raises(CtxAudioError, match="not true in this run: four is odd"):
        headless.claims({"two is even": True, "four is odd": False})
    reader.claims({"two is even": True, "four is odd": False})
    assert said(capsys).splitlines()[0] == "statements of the text above: not true in this run: four is odd"
