"""What a notebook of the course is made of: its run, predictions, exercises that check themselves, claims, a score.

A run without a reader (papermill with `interactive=False`, nbval) is *headless*: nothing is drawn as a widget,
questions and truths are printed, and whatever is wrong raises, so that no notebook stays wrong unnoticed.
"""

from __future__ import annotations

import copy
import html
import itertools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import Markdown, display

from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Run
from ctxaudio.widgets import said

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NUMBERED = "[0-9][0-9]_*.ipynb"


def notebook_run(cells: Sequence[str], *, context: str, data_dir: str, output_dir: str, **others: Any) -> Run:
    """The `Run` of a notebook's parameters; an empty `output_dir` means `runs/<context>`, where `make course` writes.

    A notebook opened in its own folder, or in the copy that `make lab` makes, goes on from the repository's, as
    `make course` does; but for a test, which leaves your runs alone. `cells` is IPython's `In`: a parameter that the
    notebook does not have, of which papermill only warns, raises `CtxAudioError`, as do "all" and what `Run` refuses.
    """
    if unknown := unknown_parameters(cells):
        raise CtxAudioError(f"unknown parameter {', '.join(unknown)}: papermill --help-notebook lists the known ones")
    if Path.cwd() in (NOTEBOOKS, NOTEBOOKS.with_name("my_notebooks")) and "PYTEST_CURRENT_TEST" not in os.environ:
        os.chdir(NOTEBOOKS.parent)
    run = Run(context, Path(data_dir), Path(output_dir) if output_dir else Path("runs") / context, **others)
    if run.about.parts:  # several contexts together modulate nothing, which is what the notebooks follow
        choices = ", ".join(part.name for part in run.about.parts)
        raise CtxAudioError(f"context {run.context!r} has no modulation for the notebooks to follow: take {choices}")
    print(f"context {run.context}: files of this run go to {run.output_dir}")
    return run


def unknown_parameters(cells: Sequence[str]) -> list[str]:
    """Names that papermill's injected cell sets and the cell before it does not.

    >>> unknown_parameters(["", "context: str = 'sleep'", "# Parameters\\ncontxt = 'focus'"])
    ['contxt']
    """
    for before, cell in itertools.pairwise(cells):
        if cell.startswith("# Parameters\n"):
            return [name for name in assigned_names(cell) if name not in assigned_names(before)]
    return []


def assigned_names(source: str) -> list[str]:
    """Names assigned at the start of a line of `source`, in order."""
    return re.findall(r"^(\w+)(?:: [^=]+)? = ", source, re.MULTILINE)


@dataclass(eq=False)
class Prediction:
    """A question of a `Lesson`. The answer is the value of `buttons`; it and the `truth` are None until known."""

    question: str
    buttons: ipywidgets.RadioButtons
    truth: str | None = None
    detail: str = ""

    def resolved(self) -> str:
        """The question, the reader's answer if there is one, and the truth."""
        given = f" You said: {self.buttons.value}." if self.buttons.value else ""
        return f"{self.question}{given} It is: {self.truth}. {self.detail}".rstrip()


@dataclass(eq=False)
class Exercise:
    """A task with its right answer and `{what to say: a typical mistake}`; headless, it tests itself.

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

    def __post_init__(self) -> None:
        for expected, candidate in {"": self.right, **self.mistakes}.items() if self.headless else ():
            if (verdict := self.verdict(candidate)) != expected:
                raise CtxAudioError(f"{self.title}: the check says {verdict!r} where it should say {expected!r}")

    def answers(self, candidate: Any) -> Any:
        """The values that `candidate` gives; it gets copies of the arguments, which it may spoil."""
        if self.measure is not None:
            return self.measure(candidate)
        if callable(candidate) and self.on:
            return [candidate(*copy.deepcopy(arguments)) for arguments in self.on]
        return candidate

    def verdict(self, mine: Any) -> str | None:
        """What is wrong with `mine`: empty where it is right, None where nothing has been written yet."""
        try:
            given = mine if is_unsolved(mine) else self.answers(mine)
        except Exception as error:  # a `...` still in its code makes it unfinished rather than wrong
            return None if "ellipsis" in str(error) else f"It raises {type(error).__name__}: {error}."
        if is_unsolved(given):
            return None
        wrong = difference(given, self.answers(self.right), self.tolerance)
        for says, mistake in self.mistakes.items() if wrong else ():
            if not difference(given, self.answers(mistake), self.tolerance):
                return says
        return wrong

    def check(self, mine: Any) -> None:
        """Print whether `mine` is right, or what is wrong. Headless, a wrong answer raises and an empty one doesn't."""
        verdict = self.verdict(mine)
        self.solved = verdict == ""
        wrong = f"not yet. {verdict}" if verdict else ""
        tell_result(self.title, wrong, "right" if self.solved else "not attempted yet", self.headless)

    def solution(self, ours: Any) -> None:
        """Check the solution of the course itself: headless, it has to be there and to be right."""
        verdict = self.verdict(ours)
        wrong = "the solution is empty" if verdict is None else verdict
        tell_result(self.title, wrong, "the solution is right", self.headless)


def tell_result(title: str, wrong: str, right: str, headless: bool) -> None:
    """Print what is `wrong`, else what is `right`; headless, what is wrong raises `CtxAudioError`."""
    if wrong and headless:
        raise CtxAudioError(f"{title}: {wrong}")
    print(f"{title}: {wrong or right}")


def is_unsolved(answer: Any) -> bool:
    """Whether `answer` is that of a stub: None, `...`, or a list with one of these inside."""
    if isinstance(answer, (list, tuple)):
        return any(is_unsolved(part) for part in answer)
    return answer is None or answer is ...


def difference(given: Any, wanted: Any, tolerance: float = 1e-6) -> str:
    """In one sentence, how `given` differs from `wanted`: empty where it doesn't by more than `tolerance`.

    The tolerance is relative for numbers above 1 and absolute below.
    """
    if isinstance(wanted, list) and wanted and not isinstance(wanted[0], (complex, float, int, np.number)):
        if not isinstance(given, (list, tuple)) or len(given) != len(wanted):
            return f"It should be {len(wanted)} entries, but is {given!r:.80}."
        return next(filter(None, (difference(*pair, tolerance) for pair in zip(given, wanted, strict=True))), "")
    mine, reference = as_array(given), as_array(wanted)
    if reference is None:
        return "" if isinstance(given, type(wanted)) and given == wanted else f"It gives {given!r:.80}."
    if mine is None:
        return f"It gives {given!r:.80}, which is no number or array of numbers."
    if mine.shape != reference.shape:
        return f"It has the shape {mine.shape}, not {reference.shape}."
    if not np.isfinite(mine).all() and np.isfinite(reference).all():
        return "It is not finite everywhere."
    away = np.abs(mine - reference)
    right = np.all(away <= tolerance * np.maximum(1.0, np.abs(reference)))
    return "" if right else f"It differs by up to {away.max():.3g}."


def as_array(values: Any) -> np.ndarray[Any, Any] | None:
    """`values` (numbers, an array, a tensor) as an array of complex128; None for what is no numbers."""
    try:
        array = np.asarray(values.detach() if hasattr(values, "detach") else values)
    except ValueError:
        return None
    return array.astype(np.complex128) if array.dtype.kind in "biufc" else None


class Lesson:
    """The predictions, exercises and claims of one notebook, whose parameter `interactive` is."""

    def __init__(self, interactive: bool) -> None:
        self.headless = not interactive or "PYTEST_CURRENT_TEST" in os.environ
        self.predictions: dict[str, Prediction] = {}
        self.exercises: dict[str, Exercise] = {}

    def predict(self, key: str, question: str, choices: Sequence[str]) -> None:
        """Ask `question`, whose answer may be changed until `reveal` has shown the truth."""
        if len(set(choices)) < max(2, len(choices)):
            raise CtxAudioError(f"{question!r} needs two different choices or more, not {list(choices)}")
        look = {"width": "max-content"}
        buttons = ipywidgets.RadioButtons(options=choices, value=None, layout=look, tooltip=question)
        self.predictions[key] = Prediction(question, buttons)
        if self.headless:
            print("\n".join([f"Predict: {question}", *(f"  ( ) {choice}" for choice in choices)]))
        else:
            display(ipywidgets.VBox([ipywidgets.HTML(f"<b>Predict:</b> {html.escape(question)}"), buttons]))

    def reveal(self, key: str, truth: str | Mapping[str, bool], detail: str = "") -> None:
        """Show the truth beside the answer, as soon as there is one, so that "run all cells" gives nothing away.

        `truth` is one of the choices, or `{choice: whether it holds}` for all of them. Raises `CtxAudioError` for
        what is no choice, where other than one choice holds, and for a `key` that was not asked.
        """
        if not (prediction := self.predictions.get(key)):
            raise CtxAudioError(f"no prediction {key!r}: run the cell with its question first")
        question, choices = prediction.question, prediction.buttons.options
        truths = truth if isinstance(truth, Mapping) else {**dict.fromkeys(choices, False), truth: True}
        held = [choice for choice, holds in truths.items() if holds]
        if set(truths) != set(choices) or len(held) != 1:
            raise CtxAudioError(f"{question!r}: one of {choices} has to hold, not {held} of {(*truths,)}")
        prediction.truth, prediction.detail = held[0], detail

        def told() -> str:
            prediction.buttons.disabled = prediction.buttons.value is not None
            waiting = f"{question} Choose an answer above, and the truth is shown here."
            return prediction.resolved() if self.headless or prediction.buttons.disabled else waiting

        self._show(told, [prediction])

    def exercise(self, title: str, right: Any, mistakes: Mapping[str, Any], **how: Any) -> Exercise:
        """An `Exercise` that counts for the score; `how` are its other fields."""
        self.exercises[title] = Exercise(title, right, mistakes, headless=self.headless, **how)
        return self.exercises[title]

    def check(self, name: str, mine: Any, reference: Any, tolerance: float = 1e-6) -> None:
        """Print whether two results agree; headless, a difference raises `CtxAudioError`."""
        tell_result(name, difference(mine, reference, tolerance), f"the same (within {tolerance:g})", self.headless)

    def claims(self, claims: Mapping[str, bool]) -> None:
        """Test the statements of the text above, `{statement: whether it holds}`; headless, a false one raises."""
        false = "; ".join(says for says, holds in claims.items() if not holds)
        wrong, right = f"not true in this run: {false}" if false else "", f"{len(claims)} tested and true"
        tell_result("statements of the text above", wrong, right, self.headless)

    def tell(self, text: str) -> None:
        """Show `text` as Markdown: prose with numbers that were computed."""
        display(Markdown(text))

    def score(self) -> None:
        """Show what was right and solved; headless, print the truths, and raise `CtxAudioError` if one is missing."""
        asked = list(self.predictions.values())
        if self.headless and (never := [one.question for one in asked if one.truth is None]):
            raise CtxAudioError(f"never revealed: {'; '.join(never)}")

        def told() -> str:
            if self.headless:
                return "\n".join(f"{number}. {one.resolved()}" for number, one in enumerate(asked, 1))
            answered = [one for one in asked if one.buttons.value is not None]
            right = sum(one.buttons.value == one.truth for one in answered)
            solved = f"{sum(one.solved for one in self.exercises.values())} of {len(self.exercises)}"
            return (
                f"Predictions: {right} right of {len(answered)} answered, {len(asked)} asked.\n"
                f"Exercises solved: {solved} (run this cell again after you solve one)."
            )

        self._show(told, asked)

    def _show(self, text: Callable[[], str], predictions: Sequence[Prediction]) -> None:
        """Display text that is written again whenever an answer changes; headless, print it."""
        if self.headless:
            print(text())
            return
        shown = ipywidgets.HTML()

        def write(_change: Any = None) -> None:
            shown.value = said(text()).replace("\n", "<br>")

        for prediction in predictions:
            prediction.buttons.observe(write, names="value")
        write()
        display(shown)
