"""The ABX test: is X the sound A or the sound B? What a listener can tell from chance, and the widget that asks.

In every trial X is one of the two, drawn by lot. Who hears no difference is right half of the time, so the number of
right answers is binomial and its p-value exact. The number of trials is fixed beforehand and nothing is shown until
the last answer: who may stop at a lucky moment passes sooner or later. All of it works by keyboard: Tab goes from one
button to the next, the space bar presses it. "Play" starts a sound from its beginning, or stops it.

Source: Clark 1982, High-resolution subjective testing using a double-blind comparator, J. Audio Eng. Soc. 30:330.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import ipywidgets
import numpy as np
import scipy.stats
from IPython.display import display

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.plots.charts import BLUE, INK, ORANGE, SKY, Picture, label_axis
from ctxaudio.signal.loudness import equally_loud
from ctxaudio.widgets import HALF_A_WINDOW, Playlist, Sound, said

ALPHA = 0.05
FEWEST_TRIALS, MOST_TRIALS = 5, 100
#: Share of the trials in which each simulated listener hears the difference.
LISTENERS = {"a listener who guesses": 0.0, "one who hears it in 9 of 10 trials": 0.9}
_FROM_START = (
    "const sound = this.parentElement.querySelector('audio'); "
    "if (sound.paused) { sound.currentTime = 0; sound.play() } else sound.pause()"
)


class AbxScore(NamedTuple):
    """`correct` right answers in `trials`."""

    correct: int
    trials: int

    @property
    def p_value(self) -> float:
        """The chance to get as many right, or more, by guessing: the exact binomial test, one-sided.

        >>> round(AbxScore(12, 16).p_value, 4)
        0.0384
        """
        return float(scipy.stats.binomtest(self.correct, self.trials, 0.5, alternative="greater").pvalue)

    def line(self) -> str:
        """The score in words, and what follows from it.

        >>> AbxScore(9, 16).line()
        '9 of 16 right, p = 0.402; 12 are needed for p < 0.05: no difference shown (nor is it shown that there is none)'
        """
        heard = self.p_value < ALPHA
        meaning = "a difference was heard" if heard else "no difference shown (nor is it shown that there is none)"
        needed = f"{correct_needed(self.trials)} are needed for p < {ALPHA:g}"
        return f"{self.correct} of {self.trials} right, p = {self.p_value:.3g}; {needed}: {meaning}"


def correct_needed(trials: int) -> int:
    """The fewest right answers of `trials` with p < 0.05; raises `CtxAudioError` for under 5 trials and over 100.

    >>> [correct_needed(trials) for trials in (5, 10, 16, 25)]
    [5, 9, 12, 18]
    """
    if not FEWEST_TRIALS <= trials <= MOST_TRIALS:
        fewest = f"{FEWEST_TRIALS} (with fewer, even all right can be chance)"
        raise CtxAudioError(f"{trials} trials of an ABX test: give {fewest} to {MOST_TRIALS}")
    return int(scipy.stats.binom.isf(ALPHA, trials, 0.5)) + 1


def chance_to_pass(trials: int, hit_rate: float) -> float:
    """The chance of p < 0.05 for a listener who is right at `hit_rate` (0.5 guesses): the power of the test.

    >>> round(chance_to_pass(16, 0.5), 3), round(chance_to_pass(16, 0.75), 2)
    (0.038, 0.63)
    """
    return float(scipy.stats.binom.sf(correct_needed(trials) - 1, trials, hit_rate))


def abx_test(sounds: Mapping[str, FloatArray], sample_rate: int, trials: int, interactive: bool) -> None:
    """Play the two `sounds` (`{title: samples [T] or [2, T]}`, equally long) as A and B, and one of them as X.

    Both are brought to the same loudness, or the louder one would be told by that. The titles are shown with the
    result, after the last trial. Without `interactive`, what simulated listeners would score is shown: for runs
    without a browser.

    Raises `CtxAudioError` for other than two sounds, sounds that differ in length, and as `correct_needed` and
    `equally_loud`.
    """
    if len(sounds) != 2:
        raise CtxAudioError(f"an ABX test compares two sounds, not {len(sounds)}")
    first, second = (samples.shape for samples in sounds.values())
    if first != second:
        raise CtxAudioError(f"the two sounds have shapes {first} and {second}: they would be told by that")
    matched, _ = equally_loud(list(sounds.values()), sample_rate)
    if np.array_equal(matched[0], matched[1]):
        raise CtxAudioError(f"{' and '.join(sounds)} are the same sound: there is nothing to tell apart")
    players = tuple(Sound(samples, sample_rate, title) for title, samples in zip(sounds, matched, strict=True))
    if interactive:
        display(panel(dict(zip("AB", players, strict=True)), drawn_order(trials)))
        return
    scores = {}
    for number, (name, hears) in enumerate(LISTENERS.items()):
        right = np.random.default_rng(number).binomial(trials, (1.0 + hears) / 2.0)
        scores[name] = AbxScore(int(right), trials)
        print(f"simulated, {name}: {scores[name].line()}")
    display(Playlist(dict(zip(sounds, matched, strict=True)), sample_rate))
    display(picture_of_scores(trials, scores))


def drawn_order(trials: int) -> list[str]:
    """What X is in each trial: A or B."""
    # A coin for each trial: with as many A as B, the last ones could be worked out; with a seed, all of them.
    return np.random.default_rng().choice(["A", "B"], trials).tolist()


def panel(sounds: Mapping[str, Sound], order: Sequence[str]) -> ipywidgets.VBox:
    """The widget: what to do, the `sounds` A and B, X, the buttons, and what there is to say after an answer."""
    about = said(
        f"X is A or B, drawn by lot in each of {len(order)} trials. Play them as often as you like, then say which. "
        f"Guess where you hear no difference. {correct_needed(len(order))} right answers are needed for "
        f"p < {ALPHA:g}. By keyboard: Tab moves on, the space bar presses."
    )
    known = ipywidgets.HTML("".join(_row(letter, letter, sound) for letter, sound in sounds.items()))
    hidden, told = ipywidgets.HTML(), ipywidgets.HTML()
    answers: list[str] = []
    buttons = [ipywidgets.Button(description=f"X is {letter}") for letter in sounds]

    def show() -> None:
        if (number := len(answers) + 1) <= len(order):
            # The trial's number makes each X a new player: one that stayed as it was would tell that X is the same.
            hidden.value = _row("X", f"X of trial {number}", sounds[order[number - 1]])
            told.value = said(f"Trial {number} of {len(order)}. The result is shown after the last one.")
            return
        score = AbxScore(sum(map(str.__eq__, order, answers)), len(order))
        named = ", ".join(f"{letter} was {sound.title}" for letter, sound in sounds.items())
        log = f"<pre>X was     {' '.join(order)}\nyou said  {' '.join(answers)}</pre>"
        picture = picture_of_scores(len(order), {"you": score}).html(HALF_A_WINDOW)
        hidden.value, told.value = "", said(f"{score.line()}. {named}.") + log + picture

    def answered(button: ipywidgets.Button) -> None:
        if len(answers) < len(order):  # a click may come before the buttons are seen to be disabled
            answers.append(button.description[-1])
        for one in buttons:
            one.disabled = len(answers) == len(order)
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


def picture_of_scores(trials: int, scores: Mapping[str, AbxScore]) -> Picture:
    """What guessing gives in an ABX test of `trials`, and where listeners stand: scores by name."""
    needed = correct_needed(trials)
    told = ", ".join(f"{name} {score.correct} right" for name, score in scores.items())
    picture = Picture(f"ABX test of {trials} trials, {needed} right answers needed: {told}", 3.0)
    axis = picture.subplots()
    right = np.arange(trials + 1)
    chances = scipy.stats.binom.pmf(right, trials, 0.5)
    axis.bar(right[:needed], chances[:needed], color=SKY, label="by guessing")
    axis.bar(right[needed:], chances[needed:], color=ORANGE, label="by guessing, taken for hearing")
    axis.axvline(needed - 0.5, color=INK, linewidth=1.0, linestyle="--", label="p < 0.05 from here on")
    for number, (name, (correct, _)) in enumerate(scores.items()):
        axis.plot(correct, chances[correct], "vo"[number % 2], color=BLUE, label=name)
    axis.set(ylim=(0.0, 1.2 * chances.max()), xlim=(-0.7, trials + 0.7), xticks=right[:: max(1, trials // 20)])
    label_axis(axis, f"Right answers in {trials} trials", "right answers", "chance by guessing")
    picture.legend(loc="outside lower center", ncols=3, frameon=False)
    return picture
