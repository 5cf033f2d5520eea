"""A question with choices that is answered before the result is seen, and what turned out to be true.

The answer may be changed until the truth is shown; the truth is shown only where there is an answer, so that
"run all cells" gives nothing away.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence

import ipywidgets

from ctxaudio.errors import CtxAudioError


class Prediction:
    """One question: its `choices`, the reader's `answer` and the `truth`, each None until it is known.

    Raises `CtxAudioError` for fewer than two choices or one that comes twice.
    """

    def __init__(self, question: str, choices: Sequence[str]) -> None:
        if len(choices) < 2 or len(set(choices)) < len(choices):
            raise CtxAudioError(f"{question!r} needs two different choices or more, not {list(choices)}")
        self.question = question
        self.choices = tuple(choices)
        self.answer: str | None = None
        self.truth: str | None = None
        self.detail = ""
        self.changed: list[Callable[[], None]] = []

    @property
    def is_right(self) -> bool:
        return self.truth is not None and self.answer == self.truth

    def decide(self, truth: str | Mapping[str, bool], detail: str = "") -> None:
        """Set the truth: one of the choices, or `{choice: whether it holds}` for all of them.

        Raises `CtxAudioError` for what is no choice, and where other than one choice holds.
        """
        if isinstance(truth, Mapping):
            if set(truth) != set(self.choices):
                raise CtxAudioError(f"{self.question!r} has the choices {self.choices}, not {tuple(truth)}")
            held = [choice for choice, holds in truth.items() if holds]
            if len(held) != 1:
                raise CtxAudioError(f"{self.question!r}: {len(held)} choices hold, {held}, where one has to")
            truth = held[0]
        if truth not in self.choices:
            raise CtxAudioError(f"{self.question!r} can't be {truth!r}: its choices are {self.choices}")
        self.truth, self.detail = truth, detail
        self._tell()

    def choose(self, answer: str | None) -> None:
        """Record the reader's answer, unless the truth has been shown to them already."""
        if self.truth is None or self.answer is None:
            self.answer = answer
            self._tell()

    def _tell(self) -> None:
        for listener in self.changed:
            listener()

    def asked(self) -> str:
        """The question and its choices, as text."""
        return "\n".join([f"Predict: {self.question}", *(f"  ( ) {choice}" for choice in self.choices)])

    def resolved(self) -> str:
        """The question, the reader's answer if there is one, and the truth."""
        said = "" if self.answer is None else f" You said: {self.answer}."
        detail = f" {self.detail}" if self.detail else ""
        return f"{self.question}{said} It is: {self.truth}.{detail}"


def question_panel(prediction: Prediction) -> ipywidgets.VBox:
    """The question with a button for each choice; locked once answer and truth are both known."""
    buttons = ipywidgets.RadioButtons(options=prediction.choices, value=None, layout={"width": "max-content"})
    asked = ipywidgets.HTML(f"<b>Predict:</b> {html.escape(prediction.question)}")

    def lock() -> None:
        buttons.disabled = prediction.answer is not None and prediction.truth is not None

    buttons.observe(lambda change: prediction.choose(change["new"]), names="value")
    prediction.changed.append(lock)
    return ipywidgets.VBox([asked, buttons])


def live_text(text: Callable[[], str], predictions: Sequence[Prediction]) -> ipywidgets.HTML:
    """Text that is written again whenever one of `predictions` changes."""
    shown = ipywidgets.HTML()

    def write() -> None:
        shown.value = f'<div role="status">{html.escape(text())}</div>'.replace("\n", "<br>")

    for prediction in predictions:
        prediction.changed.append(write)
    write()
    return shown
