"""What a reader sets in a notebook: knobs that draw and sound again, and answers to a question before its result."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
from IPython.display import display

from ctxaudio.errors import CtxAudioError
from ctxaudio.plots import Picture
from ctxaudio.widgets.players import Sound

STEPS = 100
_UNITS = {"hz": "Hz", "db": "dB", "s": "s", "lufs": "LUFS"}
#: ipywidgets gives the handle of a slider no name for a screen reader; the label beside it is one.
_NAME_SLIDERS = (
    "for (const slider of this.closest('.widget-hbox').querySelectorAll('.widget-slider')) "
    "slider.querySelector('[role=slider]').setAttribute('aria-label', slider.querySelector('label').textContent)"
)
Render = Callable[..., tuple[Picture, Sound]]


def explore(render: Render, /, interactive: bool, **controls: tuple[float, float, float]) -> None:
    """Show the figure and the sound that `render(**values)` gives back, and again whenever a control moves.

    Controls and player stand beside the figure, so that all are seen at once. The sound starts by itself after a change
    only where "play on change" is ticked.

    Args:
        render: takes one keyword per control; returns `(figure, sound)`.
        interactive: False draws once, with the initial values and no widget: for runs without a browser.
        controls: `(value, lowest, highest)` for each argument; a rate (`..._hz`) moves on a logarithm.

    An error in `render` is shown in red and raised as well, so that no run hides it. Raises `CtxAudioError` for a
    control that is not three numbers in order.
    """
    sliders = {name: _slider(name, given) for name, given in controls.items()}

    def rendered() -> tuple[Picture, Sound]:
        return render(**{name: slider.value for name, slider in sliders.items()})

    figure, sound = rendered()
    if not interactive:
        display(figure, sound)
        return
    drawn, played = ipywidgets.HTML(layout={"flex": "1 1 24em"}), ipywidgets.HTML()

    at_once = ipywidgets.Checkbox(description="play on change", indent=False)

    def show(figure: Picture, sound: Sound) -> None:
        drawn.value, played.value = image(figure, onload=_NAME_SLIDERS), sound.captioned(at_once.value)

    def update(_change: Any) -> None:
        try:
            show(*rendered())
        except Exception as error:
            played.value = failure(f"{type(error).__name__}: {error}")
            raise

    show(figure, sound)
    for slider in sliders.values():
        slider.observe(update, names="value")
    beside = ipywidgets.VBox([*sliders.values(), at_once, played], layout={"flex": "0 0 26em"})
    display(ipywidgets.HBox([beside, drawn], layout={"flex_flow": "row wrap"}))


def said(text: str) -> str:
    """Text as HTML that a screen reader tells when it changes."""
    return f'<div role="status">{html.escape(text)}</div>'


def failure(text: str) -> str:
    """The same, in the red of JupyterLab's theme."""
    return f'<div role="alert" style="color:var(--jp-error-color1, #B00020)">{html.escape(text)}</div>'


def image(figure: Picture, highest: str = "50vh", onload: str = "") -> str:
    """The figure as an HTML image with its text, no wider than the page and no higher than half the window."""
    return figure.html(f"max-width:100%;max-height:{highest}", onload)


def _slider(name: str, given: tuple[float, float, float]) -> ipywidgets.FloatSlider | ipywidgets.FloatLogSlider:
    numbers = isinstance(given, tuple) and len(given) == 3 and all(isinstance(one, (int, float)) for one in given)
    if not numbers or not given[1] <= given[0] <= given[2] or given[1] == given[2]:
        raise CtxAudioError(f"control {name!r} must be (value, lowest, highest) in order, not {given!r}")
    value, low, high = given
    *words, last = name.split("_")
    said = f"{' '.join(words)} ({_UNITS[last]})" if words and last in _UNITS else " ".join([*words, last])
    about: dict[str, Any] = {"description": said, "tooltip": said, "continuous_update": False, "value": value}
    about["style"] = {"description_width": "initial"}
    if last == "hz" and low > 0:
        low, high = math.log10(low), math.log10(high)
        return ipywidgets.FloatLogSlider(min=low, max=high, step=(high - low) / STEPS, readout_format=".3g", **about)
    return ipywidgets.FloatSlider(min=low, max=high, step=(high - low) / STEPS, **about)


class Prediction:
    """One question: its `choices`, the reader's `answer` and the `truth`, each None until it is known.

    The answer may be changed until the truth is shown; the truth is shown only where there is an answer, so that
    "run all cells" gives nothing away. Raises `CtxAudioError` for fewer than two choices or one that comes twice.
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
            held = [choice for choice, holds in truth.items() if holds]
            if set(truth) != set(self.choices) or len(held) != 1:
                raise CtxAudioError(f"{self.question!r}: one of {self.choices} has to hold, not {held} of {(*truth,)}")
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
        return f"{self.question}{said} It is: {self.truth}. {self.detail}".rstrip()


def question_panel(prediction: Prediction) -> ipywidgets.VBox:
    """The question with a button for each choice; locked once answer and truth are both known."""
    buttons = ipywidgets.RadioButtons(options=prediction.choices, value=None, layout={"width": "max-content"})
    buttons.tooltip = prediction.question

    def lock() -> None:
        buttons.disabled = prediction.answer is not None and prediction.truth is not None

    buttons.observe(lambda change: prediction.choose(change["new"]), names="value")
    prediction.changed.append(lock)
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>Predict:</b> {html.escape(prediction.question)}"), buttons])


def live_text(text: Callable[[], str], predictions: Sequence[Prediction]) -> ipywidgets.HTML:
    """Text that is written again whenever one of `predictions` changes."""
    shown = ipywidgets.HTML()

    def write() -> None:
        shown.value = said(text()).replace("\n", "<br>")

    for prediction in predictions:
        prediction.changed.append(write)
    write()
    return shown
