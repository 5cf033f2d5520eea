"""The ABX test in a notebook: players for A, B and X, two buttons to answer, and the result after the last trial.

All of it works by keyboard: Tab goes from one button to the next, the space bar presses it. Pressing "play" in the
page starts the sound there, from its beginning, and stops the others; nothing plays by itself.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.abx import (
    ALPHA,
    AbxScore,
    AbxTest,
    Letter,
    correct_needed,
    guessing_chances,
    simulated_score,
)
from ctxaudio.files import FloatArray
from ctxaudio.plots import Picture, abx_scores
from ctxaudio.signal.loudness import equally_loud
from ctxaudio.widgets.players import MimeBundle, Playlist, Sound, play, playlist

#: Share of the trials in which each simulated listener hears the difference.
LISTENERS = {"a listener who guesses": 0.0, "one who hears it in 9 of 10 trials": 0.9}
PANEL = "ctxaudio-abx"
_STOP_OTHERS = (
    f"for (const other of this.closest('.{PANEL}').querySelectorAll('audio')) if (other !== this) other.pause()"
)
_FROM_START = "const sound = this.parentElement.querySelector('audio'); sound.currentTime = 0; sound.play()"


@dataclass(frozen=True, eq=False)
class Simulation:
    """An ABX test without a listener: the sounds, and what simulated ones would score. Shown without any widget."""

    sounds: Playlist
    scores: Mapping[str, AbxScore]

    @property
    def picture(self) -> Picture:
        return _score_picture(self.scores)

    def lines(self) -> list[str]:
        """One line for each simulated listener."""
        return [f"simulated, {name}: {score.line()}" for name, score in self.scores.items()]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[MimeBundle, MimeBundle]:
        picture = self.picture
        listed = self.sounds._repr_mimebundle_()
        said = "".join(f"<div>{html.escape(line)}</div>" for line in self.lines())
        image = base64.b64encode(picture.png()).decode("ascii")
        shown = f'<img alt="{html.escape(picture.alt, quote=True)}" src="data:image/png;base64,{image}">'
        bundle = {
            "text/html": listed["text/html"] + said + shown,
            "image/png": picture.png(),
            "text/plain": "\n".join([listed["text/plain"], *self.lines()]),
        }
        return bundle, {"image/png": {"alt": picture.alt}}


def abx_test(
    test: AbxTest, sounds: Mapping[str, FloatArray], sample_rate: int, interactive: bool
) -> ipywidgets.VBox | Simulation:
    """Play the two `sounds` (`{title: samples [T] or [2, T]}`, equally long) as A and B, and one of them as X.

    Both are brought to the same loudness, or the louder one would be told by that. The titles are shown with the
    result, after the last trial; `test` then has the score. A test that was begun goes on where it was.

    Args:
        test: the trials; one `AbxTest` for one listener and one pair of sounds.
        interactive: False shows what simulated listeners would score: for runs without a browser.

    Raises `CtxAudioError` for other than two sounds, sounds that differ in length, and as `equally_loud`.
    """
    if len(sounds) != 2:
        raise CtxAudioError(f"an ABX test compares two sounds, not {len(sounds)}")
    lengths = [samples.shape for samples in sounds.values()]
    if lengths[0] != lengths[1]:
        raise CtxAudioError(f"the two sounds have shapes {lengths[0]} and {lengths[1]}: they would be told by that")
    matched, _ = equally_loud(list(sounds.values()), sample_rate)
    if np.array_equal(matched[0], matched[1]):
        raise CtxAudioError(f"{' and '.join(sounds)} are the same sound: there is nothing to tell apart")
    titled = dict(zip(sounds, matched, strict=True))
    if not interactive:
        scores = {
            name: simulated_score(test.trials, hears, number) for number, (name, hears) in enumerate(LISTENERS.items())
        }
        return Simulation(playlist(titled, sample_rate), scores)
    return _panel(test, titled, sample_rate)


def _panel(test: AbxTest, sounds: Mapping[str, FloatArray], sample_rate: int) -> ipywidgets.VBox:
    first, second = (play(samples, sample_rate) for samples in sounds.values())
    known = ipywidgets.HTML(_row("A", first) + _row("B", second))
    hidden, said = ipywidgets.HTML(), ipywidgets.HTML()
    image = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%", display="none"))
    buttons = {letter: ipywidgets.Button(description=f"X is {letter}") for letter in ("A", "B")}

    def show() -> None:
        if not test.finished:
            # The trial's number makes each X a new player: one that stayed as it was would tell that X is the same.
            hidden.value = _row("X", test.x(first, second), f"X of trial {test.answered + 1}")
            said.value = _said(f"Trial {test.answered + 1} of {test.trials}. The result is shown after the last one.")
            return
        score = test.score()
        names = ", ".join(f"{letter} was {title}" for letter, title in zip("AB", sounds, strict=True))
        hidden.value = ""
        log = test.log()
        said.value = _said(f"{score.line()}. {names}.") + (
            f"<pre>X was     {' '.join(log['x'])}\nyou said  {' '.join(log['answer'])}</pre>"
        )
        image.value, image.layout.display = _score_picture({"you": score}).png(), None
        for button in buttons.values():
            button.disabled = True

    def answered(letter: Letter) -> None:
        test.answer(letter)
        show()

    buttons["A"].on_click(lambda _button: answered("A"))
    buttons["B"].on_click(lambda _button: answered("B"))
    show()
    about = ipywidgets.HTML(_said(_instructions(test.trials)))
    panel = ipywidgets.VBox([about, known, hidden, ipywidgets.HBox([*buttons.values()]), said, image])
    panel.add_class(PANEL)
    return panel


def _instructions(trials: int) -> str:
    return (
        f"X is A or B, drawn by lot in each of {trials} trials. Play them as often as you like, then say which. "
        f"Guess where you hear no difference. {correct_needed(trials)} right answers are needed for p < {ALPHA:g}. "
        "By keyboard: Tab moves on, the space bar presses."
    )


def _row(letter: str, sound: Sound, label: str = "") -> str:
    named = Sound(sound.samples, sound.sample_rate, label or letter)
    button = (
        f'<button type="button" class="jupyter-button" style="width:6em" aria-label="Play {label or letter}" '
        f'onclick="{html.escape(_FROM_START, quote=True)}">Play {letter}</button>'
    )
    return f'<div style="display:flex;align-items:center;gap:1em">{button}{named.player(_STOP_OTHERS)}</div>'


def _said(text: str) -> str:
    return f'<div role="status">{html.escape(text)}</div>'


def _score_picture(scores: Mapping[str, AbxScore]) -> Picture:
    trials = next(iter(scores.values())).trials
    return abx_scores(
        guessing_chances(trials), correct_needed(trials), {name: score.correct for name, score in scores.items()}
    )
