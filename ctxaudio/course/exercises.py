"""Exercises that check themselves (what is right, which mistake was made), and predictions that wait for the truth."""

from __future__ import annotations

import copy
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ipywidgets
import numpy as np
import torch
from traitlets import HasTraits, Unicode

from ctxaudio.errors import CtxAudioError
from ctxaudio.widgets.players import said

FEWEST_MISTAKES = 3


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
        except Exception as error:  # a `...` still in its code makes it unfinished rather than wrong
            return None if "ellipsis" in str(error) else f"It raises {type(error).__name__}: {error}."
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


def is_unsolved(answer: Any) -> bool:
    """Whether `answer` is that of a stub: None, `...`, or a list with one of these inside."""
    if isinstance(answer, (list, tuple)):
        return any(is_unsolved(part) for part in answer)
    return answer is None or answer is ...


def difference(given: Any, wanted: Any, tolerance: float = 1e-6) -> str:
    """In one sentence, how `given` differs from `wanted`: empty where it doesn't by more than `tolerance`.

    The tolerance is relative for numbers above 1 and absolute below.

    >>> difference([0.5, 0.25], [0.5, 0.5])
    'It differs by up to 0.25.'
    >>> difference(["a"], ["a"])
    ''
    """
    if isinstance(wanted, list) and wanted and not isinstance(wanted[0], (complex, float, int, np.number)):
        if not isinstance(given, (list, tuple)) or len(given) != len(wanted):
            count = len(given) if hasattr(given, "__len__") else "none"
            return f"It should have {len(wanted)} entries, but has {count}."
        return next((d for d in map(difference, given, wanted, [tolerance] * len(wanted)) if d), "")
    mine, reference = as_array(given), as_array(wanted)
    if reference is None:
        return "" if isinstance(given, type(wanted)) and given == wanted else f"It gives {given!r:.80}."
    if mine is None:
        return f"It gives {given!r:.80}, which is no number or array of numbers."
    if mine.shape != reference.shape:
        return f"It has the shape {mine.shape}, not {reference.shape}."
    if mine.size and not np.isfinite(mine).all() and np.isfinite(reference).all():
        return "It is not finite everywhere."
    away = np.abs(mine - reference)
    if np.all(away <= tolerance * np.maximum(1.0, np.abs(reference))):
        return ""
    return f"It differs by up to {away.max():.3g}."


def as_array(values: Any) -> np.ndarray[Any, Any] | None:
    """`values`, an array or tensor among them, as an array of float64 or complex128; None for what is no numbers."""
    try:
        array = np.asarray(values.detach() if isinstance(values, torch.Tensor) else values)
    except ValueError:
        return None
    kind = np.complex128 if np.iscomplexobj(array) else np.float64
    return array.astype(kind) if array.dtype.kind in "biufc" else None


class Prediction(HasTraits):
    """One question: its `choices`, the reader's `answer` and the `truth`, each None until it is known.

    The answer may be changed until the truth is shown; the truth is shown only where there is an answer, so that
    "run all cells" gives nothing away. Raises `CtxAudioError` for fewer than two choices or one that comes twice.
    """

    answer = Unicode(None, allow_none=True)
    truth = Unicode(None, allow_none=True)

    def __init__(self, question: str, choices: Sequence[str]) -> None:
        super().__init__()
        if len(choices) < 2 or len(set(choices)) < len(choices):
            raise CtxAudioError(f"{question!r} needs two different choices or more, not {list(choices)}")
        self.question, self.choices, self.detail = question, tuple(choices), ""

    @property
    def is_right(self) -> bool:
        return self.truth is not None and self.answer == self.truth

    def decide(self, truth: str | Mapping[str, bool], detail: str = "") -> None:
        """Set the truth: one of the choices, or `{choice: whether it holds}` for all of them.

        Raises `CtxAudioError` for what is no choice, and where other than one choice holds.
        """
        if isinstance(truth, Mapping):
            held = [choice for choice, holds in truth.items() if holds]
            if set(truth) != set(self.choices) or len(held) != 1:
                raise CtxAudioError(f"{self.question!r}: one of {self.choices} has to hold, not {held} of {(*truth,)}")
            truth = held[0]
        if truth not in self.choices:
            raise CtxAudioError(f"{self.question!r} can't be {truth!r}: its choices are {self.choices}")
        self.detail, self.truth = detail, truth

    def choose(self, answer: str | None) -> None:
        """Record the reader's answer, unless the truth has been shown to them already."""
        if self.truth is None or self.answer is None:
            self.answer = answer

    def asked(self) -> str:
        """The question and its choices, as text."""
        return "\n".join([f"Predict: {self.question}", *(f"  ( ) {choice}" for choice in self.choices)])

    def resolved(self) -> str:
        """The question, the reader's answer if there is one, and the truth."""
        said = "" if self.answer is None else f" You said: {self.answer}."
        return f"{self.question}{said} It is: {self.truth}. {self.detail}".rstrip()


def question_panel(prediction: Prediction) -> ipywidgets.VBox:
    """The question with a button for each choice; locked once answer and truth are both known."""
    buttons = ipywidgets.RadioButtons(options=prediction.choices, value=None, layout={"width": "max-content"})
    buttons.tooltip = prediction.question

    def lock(_change: Any) -> None:
        buttons.disabled = prediction.answer is not None and prediction.truth is not None

    buttons.observe(lambda change: prediction.choose(change["new"]), names="value")
    prediction.observe(lock)
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>Predict:</b> {html.escape(prediction.question)}"), buttons])


def live_text(text: Callable[[], str], predictions: Sequence[Prediction]) -> ipywidgets.HTML:
    """Text that is written again whenever one of `predictions` changes."""
    shown = ipywidgets.HTML()

    def write(_change: Any = None) -> None:
        shown.value = said(text()).replace("\n", "<br>")

    for prediction in predictions:
        prediction.observe(write)
    write()
    return shown
