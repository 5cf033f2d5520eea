"""What a notebook of the course is made of: predictions, exercises with checks, claims, and a score at the end.

A run without a reader (papermill with `interactive=False`, nbval) is *headless*: nothing is drawn as a widget,
questions and truths are printed, and whatever is wrong raises, so that no notebook stays wrong unnoticed.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np
import torch
from IPython.display import Markdown, display

from ctxaudio.errors import CtxAudioError
from ctxaudio.widgets.controls import Prediction, live_text, question_panel

FEWEST_MISTAKES = 3


def is_headless(interactive: bool) -> bool:
    """Whether nobody is there to answer: widgets are switched off, or a test (nbval among them) runs the notebook."""
    return not interactive or "PYTEST_CURRENT_TEST" in os.environ


@dataclass(eq=False)
class Exercise:
    """A task with its right answer and the mistakes that are usually made; made by `Lesson.exercise`.

    `right` and the mistakes are of the kind asked for: values, or functions that are called with each tuple of
    arguments in `on`, or whatever `measure` turns into values.
    """

    title: str
    right: Any
    mistakes: Mapping[str, Any]
    on: Sequence[tuple[Any, ...]] = ()
    measure: Callable[[Any], Any] | None = None
    tolerance: float = 1e-6
    headless: bool = False
    solved: bool = field(default=False, init=False)

    def answers(self, candidate: Any) -> Any:
        """The values that `candidate` gives; it gets copies of the arguments, which it may spoil."""
        if self.measure is not None:
            return self.measure(candidate)
        if callable(candidate) and self.on:
            return [candidate(*copy.deepcopy(arguments)) for arguments in self.on]
        return candidate

    def verdict(self, mine: Any) -> str | None:
        """What is wrong with `mine`: empty where it is right, None where nothing has been written yet."""
        if is_unsolved(mine):
            return None
        try:
            given = self.answers(mine)
        except Exception as error:
            return None if has_blank(mine) else f"It raises {type(error).__name__}: {error}."
        if is_unsolved(given):
            return None
        wrong = difference(given, self.answers(self.right), self.tolerance)
        if not wrong:
            return ""
        for says, mistake in self.mistakes.items():
            if not difference(given, self.answers(mistake), self.tolerance):
                return says
        return wrong

    def check(self, mine: Any) -> None:
        """Print whether `mine` is right, or what is wrong. Headless, a wrong answer raises and an empty one doesn't."""
        verdict = self.verdict(mine)
        self.solved = verdict == ""
        self._report(verdict)

    def solution(self, ours: Any) -> None:
        """Check the solution of the course itself: headless, it has to be there and to be right."""
        verdict = self.verdict(ours)
        if verdict is None and self.headless:
            raise CtxAudioError(f"{self.title}: the solution is empty")
        self._report(verdict, "the solution is right")

    def _report(self, verdict: str | None, right: str = "right") -> None:
        if verdict and self.headless:
            raise CtxAudioError(f"{self.title}: {verdict}")
        said = "not attempted yet" if verdict is None else f"not yet. {verdict}" if verdict else right
        print(f"{self.title}: {said}")

    def test_itself(self) -> None:
        """Raise `CtxAudioError` where the right answer fails, or a mistake passes or is taken for another."""
        if len(self.mistakes) < FEWEST_MISTAKES:
            raise CtxAudioError(f"{self.title}: name {FEWEST_MISTAKES} mistakes or more, not {len(self.mistakes)}")
        for expected, candidate in {"": self.right, **self.mistakes}.items():
            verdict = self.verdict(candidate)
            if verdict != expected:
                raise CtxAudioError(f"{self.title}: the check says {verdict!r} where it should say {expected!r}")


class Lesson:
    """The predictions, exercises and claims of one notebook. `interactive` is the notebook's parameter."""

    def __init__(self, interactive: bool) -> None:
        self.headless = is_headless(interactive)
        self.predictions: dict[str, Prediction] = {}
        self.exercises: list[Exercise] = []

    def predict(self, key: str, question: str, choices: Sequence[str]) -> None:
        """Ask `question`; the answer is kept under `key` for `reveal`."""
        prediction = self.predictions[key] = Prediction(question, choices)
        if self.headless:
            print(prediction.asked())
        else:
            display(question_panel(prediction))

    def reveal(self, key: str, truth: str | Mapping[str, bool], detail: str = "") -> None:
        """Show the truth beside the answer, as soon as there is one; `truth` as `Prediction.decide` takes it."""
        if key not in self.predictions:
            raise CtxAudioError(f"no prediction {key!r}: run the cell with its question first")
        prediction = self.predictions[key]
        prediction.decide(truth, detail)
        if self.headless:
            print(prediction.resolved())
            return
        waiting = f"{prediction.question} Choose an answer above, and the truth is shown here."
        display(live_text(lambda: waiting if prediction.answer is None else prediction.resolved(), [prediction]))

    def exercise(
        self,
        title: str,
        right: Any,
        mistakes: Mapping[str, Any],
        on: Sequence[tuple[Any, ...]] = (),
        measure: Callable[[Any], Any] | None = None,
        tolerance: float = 1e-6,
    ) -> Exercise:
        """An exercise as `Exercise` describes it, with `{what to say: a wrong answer}`; headless it tests itself."""
        made = Exercise(title, right, mistakes, on, measure, tolerance, self.headless)
        if self.headless:
            made.test_itself()
        self.exercises = [one for one in self.exercises if one.title != title] + [made]
        return made

    def check(self, name: str, mine: Any, reference: Any, tolerance: float = 1e-6) -> None:
        """Print whether two results agree; headless, a difference raises `CtxAudioError`."""
        wrong = difference(mine, reference, tolerance)
        if wrong and self.headless:
            raise CtxAudioError(f"{name}: {wrong}")
        print(f"{name}: {wrong or f'the same (within {tolerance:g})'}")

    def claims(self, claims: Mapping[str, bool]) -> None:
        """Test the statements of the text above, `{statement: whether it holds}`; headless, a false one raises."""
        false = [says for says, holds in claims.items() if not holds]
        if false and self.headless:
            raise CtxAudioError(f"not true in this run: {'; '.join(false)}")
        for says in false:
            print(f"In this run it is not so: {says}")
        print(f"{len(claims) - len(false)} of {len(claims)} statements of the text above tested and true")

    def tell(self, text: str) -> None:
        """Show `text` as Markdown: prose with numbers that were computed."""
        display(Markdown(text))

    def score(self) -> None:
        """Show how many predictions were right and which exercises are solved; headless, the truths.

        Headless, a prediction that was never revealed raises `CtxAudioError`.
        """
        if not self.headless:
            display(live_text(self._score_of_reader, list(self.predictions.values())))
            return
        open_ones = [one.question for one in self.predictions.values() if one.truth is None]
        if open_ones:
            raise CtxAudioError(f"never revealed: {'; '.join(open_ones)}")
        print("\n".join(f"{number}. {one.resolved()}" for number, one in enumerate(self.predictions.values(), 1)))

    def _score_of_reader(self) -> str:
        asked = list(self.predictions.values())
        answered = sum(one.answer is not None for one in asked)
        right = sum(one.is_right for one in asked)
        solved = sum(one.solved for one in self.exercises)
        return (
            f"Predictions: {right} right of {answered} answered, {len(asked)} asked.\n"
            f"Exercises solved: {solved} of {len(self.exercises)} (run this cell again after you solve one)."
        )


def is_unsolved(answer: Any) -> bool:
    """Whether `answer` is that of a stub: None, `...`, or a list with one of these inside."""
    if isinstance(answer, (list, tuple)):
        return any(is_unsolved(part) for part in answer)
    return answer is None or answer is ...


def has_blank(written: Any) -> bool:
    """Whether a function or class that failed has a `...` in its code, so that it is unfinished rather than wrong.

    >>> has_blank(lambda x: x + ...), has_blank(lambda x: x + 1)
    (True, False)
    """
    parts = vars(written).values() if isinstance(written, type) else [written]
    return any(_has_ellipsis(part.__code__) for part in parts if hasattr(part, "__code__"))


def _has_ellipsis(code: CodeType) -> bool:
    inside = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return ... in code.co_consts or any(_has_ellipsis(part) for part in inside)


def difference(given: Any, wanted: Any, tolerance: float = 1e-6) -> str:
    """In one sentence, how `given` differs from `wanted`: empty where it doesn't by more than `tolerance`.

    The tolerance is relative for numbers above 1 and absolute below.

    >>> difference([0.5, 0.25], [0.5, 0.5])
    'It differs by up to 0.25.'
    >>> difference(["a"], ["a"])
    ''
    """
    if isinstance(wanted, list) and wanted and not _is_number(wanted[0]):
        if not isinstance(given, (list, tuple)) or len(given) != len(wanted):
            return f"It should have {len(wanted)} entries, but has {_count(given)}."
        return next((d for d in map(difference, given, wanted, [tolerance] * len(wanted)) if d), "")
    if not _is_numeric(wanted):
        return "" if isinstance(given, type(wanted)) and given == wanted else f"It gives {given!r:.80}."
    if not _is_numeric(given):
        return f"It gives {given!r:.80}, which is no number or array of numbers."
    mine, reference = as_array(given), as_array(wanted)
    if mine.shape != reference.shape:
        return f"It has the shape {mine.shape}, not {reference.shape}."
    if mine.size and not np.isfinite(mine).all() and np.isfinite(reference).all():
        return "It is not finite everywhere."
    away = np.abs(mine - reference)
    if np.all(away <= tolerance * np.maximum(1.0, np.abs(reference))):
        return ""
    return f"It differs by up to {away.max():.3g}."


def as_array(values: Any) -> np.ndarray[Any, Any]:
    """`values`, an array or tensor among them, as an array of float64 or complex128."""
    array = np.asarray(values.detach() if isinstance(values, torch.Tensor) else values)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, complex, np.number))


def _is_numeric(values: Any) -> bool:
    try:
        as_array(values)
    except (TypeError, ValueError):
        return False
    return not isinstance(values, str)


def _count(given: Any) -> str:
    return str(len(given)) if hasattr(given, "__len__") else "none"
