"""The ABX test: is X the sound A or the sound B? What a listener can tell from chance, and the widget that asks.

In every trial X is one of the two, drawn by lot. Who hears no difference is right half of the time, so the number of
right answers is binomial and its p-value exact. The number of trials is fixed beforehand and nothing is shown until
the last answer: who may stop at a lucky moment passes sooner or later. All of it works by keyboard: Tab goes from one
button to the next, the space bar presses it. "Play" starts a sound from its beginning, or stops it.

Source: Clark 1982, High-resolution subjective testing using a double-blind comparator, J. Audio Eng. Soc. 30:330.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace

import ipywidgets
import numpy as np
from IPython.display import display
from scipy.stats import binom

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.loudness import equally_loud
from ctxaudio.widgets import Playlist, Sound, said

ALPHA = 0.05
FEWEST_TRIALS, MOST_TRIALS = 5, 100
_FROM_START = (
    "const sound = this.parentElement.querySelector('audio'); "
    "if (sound.paused) { sound.currentTime = 0; sound.play() } else sound.pause()"
)


def chance_of(correct: int, trials: int, hit_rate: float = 0.5) -> float:
    """The chance of `correct` right answers or more, for who is right at `hit_rate`; by guessing, the exact p-value."""
    return float(binom.sf(correct - 1, trials, hit_rate))


def correct_needed(trials: int) -> int:
    """The fewest right answers of `trials` with p < 0.05; raises `CtxAudioError` for under 5 trials and over 100."""
    if not FEWEST_TRIALS <= trials <= MOST_TRIALS:
        fewest = f"{FEWEST_TRIALS} (with fewer, even all right can be chance)"
        raise CtxAudioError(f"{trials} trials of an ABX test: give {fewest} to {MOST_TRIALS}")
    return int(binom.isf(ALPHA, trials, 0.5)) + 1


def result(correct: int, trials: int) -> str:
    """The score in words, and what follows from it."""
    score, needed = f"{correct} of {trials} right, p = {chance_of(correct, trials):.3g}", correct_needed(trials)
    nothing = "no difference shown (nor is it shown that there is none)"
    meaning = "a difference was heard" if correct >= needed else nothing
    return f"{score}; {needed} are needed for p < {ALPHA:g}: {meaning}"


def abx_test(sounds: Mapping[str, FloatArray], sample_rate: int, trials: int, interactive: bool) -> None:
    """Play the two `sounds` (`{title: samples [T] or [2, T]}`, equally long) as A and B, and one of them as X.

    Both are brought to the same loudness, or the louder one would be told by that. The titles are shown with the
    result, after the last trial. Without `interactive`, for runs without a browser, they are only listed.

    Raises `CtxAudioError` for other than two different sounds of one length, and as `correct_needed` and
    `equally_loud`.
    """
    shapes = [samples.shape for samples in sounds.values()]
    if len(shapes) != 2 or shapes[0] != shapes[1]:
        raise CtxAudioError(f"an ABX test compares two sounds of one length, not of the shapes {shapes}")
    matched, _ = equally_loud(list(sounds.values()), sample_rate)
    if np.array_equal(matched[0], matched[1]):
        raise CtxAudioError(f"{' and '.join(sounds)} are the same sound: there is nothing to tell apart")
    players = Playlist(dict(zip(sounds, matched, strict=True)), sample_rate)
    if interactive:
        display(panel(dict(zip("AB", players.sounds, strict=True)), trials))
    else:
        print(f"{correct_needed(trials)} of {trials} right answers are needed for p < {ALPHA:g}")
        display(players)


def drawn_order(trials: int) -> list[str]:
    """What X is in each trial: A or B."""
    # A coin for each trial: with as many A as B, the last ones could be worked out; with a seed, all of them.
    return np.random.default_rng().choice(["A", "B"], trials).tolist()


def panel(sounds: Mapping[str, Sound], trials: int) -> ipywidgets.VBox:
    """The widget: what to do, the `sounds` A and B, X, the buttons, and what there is to say after an answer."""
    about = said(
        f"X is A or B, drawn by lot in each of {trials} trials. Play them as often as you like, then say which. "
        f"Guess where you hear no difference. {correct_needed(trials)} right answers are needed for "
        f"p < {ALPHA:g}. By keyboard: Tab moves on, the space bar presses."
    )
    known = ipywidgets.HTML("".join(_row(letter, letter, sound) for letter, sound in sounds.items()))
    hidden, told = ipywidgets.HTML(), ipywidgets.HTML()
    order, answers = drawn_order(trials), list[str]()
    buttons = [ipywidgets.Button(description=f"X is {letter}") for letter in sounds]

    def show() -> None:
        if (number := len(answers) + 1) <= trials:
            # The trial's number makes each X a new player: one that stayed as it was would tell that X is the same.
            hidden.value = _row("X", f"X of trial {number}", sounds[order[number - 1]])
            told.value = said(f"Trial {number} of {trials}. The result is shown after the last one.")
            return
        named = ", ".join(f"{letter} was {sound.title}" for letter, sound in sounds.items())
        log = f"<pre>X was     {' '.join(order)}\nyou said  {' '.join(answers)}</pre>"
        told.value = said(f"{result(sum(map(str.__eq__, order, answers)), trials)}. {named}.") + log
        hidden.value = ""

    def answered(button: ipywidgets.Button) -> None:
        if len(answers) < trials:  # a click may come before the buttons are seen to be disabled
            answers.append(button.description[-1])
        for one in buttons:
            one.disabled = len(answers) == trials
        show()

    for button in buttons:
        button.on_click(answered)
    show()
    return ipywidgets.VBox([ipywidgets.HTML(about), known, hidden, ipywidgets.HBox(buttons), told])


def _row(letter: str, label: str, sound: Sound) -> str:
    # Without the browser's own controls, which would put five stops of Tab between one button and the next.
    player = replace(sound, title=label).player(controls=False)
    about = f'type="button" class="jupyter-button" style="width:6em" aria-label="Play {label}"'
    button = f'<button {about} onclick="{html.escape(_FROM_START)}">Play {letter}</button>'
    return f'<div style="padding:2px">{button}{player}</div>'
