"""The ABX test in a notebook: players for A, B and X, two buttons to answer, and the result after the last trial.

All of it works by keyboard: Tab goes from one button to the next, the space bar presses it. "Play" starts a sound
from its beginning, or stops it; nothing plays by itself.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace

import ipywidgets
import numpy as np
from IPython.display import display

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.abx import (
    ALPHA,
    AbxScore,
    AbxTest,
    Letter,
    correct_needed,
    simulated_score,
)
from ctxaudio.files import FloatArray
from ctxaudio.plots import Picture, abx_scores
from ctxaudio.signal.loudness import equally_loud
from ctxaudio.widgets.controls import image, said
from ctxaudio.widgets.players import Playlist, Sound, play

#: Share of the trials in which each simulated listener hears the difference.
LISTENERS = {"a listener who guesses": 0.0, "one who hears it in 9 of 10 trials": 0.9}
_FROM_START = (
    "const sound = this.parentElement.querySelector('audio'); "
    "if (sound.paused) { sound.currentTime = 0; sound.play() } else sound.pause()"
)


def abx_test(test: AbxTest, sounds: Mapping[str, FloatArray], sample_rate: int, interactive: bool) -> None:
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
    players = [play(samples, sample_rate, title) for title, samples in zip(sounds, matched, strict=True)]
    if interactive:
        display(panel(test, players[0], players[1]))
        return
    scores = {
        name: simulated_score(test.trials, hears, number) for number, (name, hears) in enumerate(LISTENERS.items())
    }
    display(Playlist(tuple(players)))
    for name, score in scores.items():
        print(f"simulated, {name}: {score.line()}")
    display(_picture(scores))


def panel(test: AbxTest, first: Sound, second: Sound) -> ipywidgets.VBox:
    """The widget: what to do, A and B, X, the buttons, and what there is to say after an answer."""
    about = said(
        f"X is A or B, drawn by lot in each of {test.trials} trials. Play them as often as you like, then say which. "
        f"Guess where you hear no difference. {correct_needed(test.trials)} right answers are needed for "
        f"p < {ALPHA:g}. By keyboard: Tab moves on, the space bar presses."
    )
    known = ipywidgets.HTML(_row("A", first) + _row("B", second))
    hidden, told = ipywidgets.HTML(), ipywidgets.HTML()
    buttons = {letter: ipywidgets.Button(description=f"X is {letter}") for letter in ("A", "B")}

    def show() -> None:
        if not test.finished:
            # The trial's number makes each X a new player: one that stayed as it was would tell that X is the same.
            hidden.value = _row("X", test.x(first, second), f"X of trial {test.answered + 1}")
            told.value = said(f"Trial {test.answered + 1} of {test.trials}. The result is shown after the last one.")
            return
        score, log = test.score(), test.log()
        hidden.value = ""
        told.value = (
            said(f"{score.line()}. A was {first.title}, B was {second.title}.")
            + f"<pre>X was     {' '.join(log['x'])}\nyou said  {' '.join(log['answer'])}</pre>"
            + image(_picture({"you": score}))
        )
        for button in buttons.values():
            button.disabled = True

    def answered(letter: Letter) -> None:
        test.answer(letter)
        show()

    buttons["A"].on_click(lambda _button: answered("A"))
    buttons["B"].on_click(lambda _button: answered("B"))
    show()
    return ipywidgets.VBox([ipywidgets.HTML(about), known, hidden, ipywidgets.HBox([*buttons.values()]), told])


def _row(letter: str, sound: Sound, label: str = "") -> str:
    # Without the browser's own controls, which would put five stops of Tab between one button and the next.
    player = replace(sound, title=label or letter).player(controls=False)
    pressed = html.escape(_FROM_START, quote=True)
    about = f'type="button" class="jupyter-button" style="width:6em" aria-label="Play {label or letter}"'
    return f'<div style="padding:2px"><button {about} onclick="{pressed}">Play {letter}</button>{player}</div>'


def _picture(scores: Mapping[str, AbxScore]) -> Picture:
    trials = next(iter(scores.values())).trials
    return abx_scores(trials, correct_needed(trials), {name: score.correct for name, score in scores.items()})
