"""The ABX test: is X the sound A or the sound B? What a listener can tell from chance, and the widget that asks.

In every trial X is one of the two, drawn by lot. Who hears no difference is right half of the time, so the number of
right answers is binomial and its p-value exact. The number of trials is fixed beforehand and nothing is shown until
the last answer: who may stop at a lucky moment passes sooner or later.

All of it works by keyboard: Tab goes from one button to the next, the space bar presses it. "Play" starts a sound
from its beginning, or stops it; nothing plays by itself.

Source: Clark 1982, High-resolution subjective testing using a double-blind comparator, J. Audio Eng. Soc. 30:330.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, NamedTuple, TypeVar

import ipywidgets
import numpy as np
import pandas as pd
import scipy.stats
from IPython.display import display

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.plots.charts import BLUE, INK, ORANGE, SKY, Picture, label_axis
from ctxaudio.signal.loudness import equally_loud
from ctxaudio.widgets.players import Playlist, Sound, image, play, said

T = TypeVar("T")
Letter = Literal["A", "B"]

ALPHA = 0.05
FEWEST_TRIALS = 5
MOST_TRIALS = 100

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
        return (
            f"{self.correct} of {self.trials} right, p = {self.p_value:.3g}; "
            f"{correct_needed(self.trials)} are needed for p < {ALPHA:g}: {meaning}"
        )


class AbxTest:
    """One listener's ABX test of 5 to 100 `trials`: the order of X, the answers, and at the end the score.

    `seed` decides what X is in each trial. None draws one, which is what a test by ear needs: with a seed that is
    known, the order could be known too. Raises `CtxAudioError` for a number of trials out of range.

    >>> test = AbxTest(trials=5, seed=1)
    >>> while not test.finished:
    ...     test.answer(test.x("A", "B"))  # a listener who always knows
    >>> test.score()
    AbxScore(correct=5, trials=5)
    """

    def __init__(self, trials: int = 16, seed: int | None = None) -> None:
        if not FEWEST_TRIALS <= trials <= MOST_TRIALS:
            raise CtxAudioError(
                f"{trials} trials of an ABX test: give {FEWEST_TRIALS} (with fewer, even all right can be chance) "
                f"to {MOST_TRIALS}"
            )
        self.trials = trials
        # A coin for each trial: with as many A as B, the last ones could be worked out from the others.
        self._order = np.random.default_rng(seed).choice(["A", "B"], trials).tolist()
        self._answers: list[Letter] = []

    def __repr__(self) -> str:
        return f"<ABX test: {self.answered} of {self.trials} trials answered>"

    @property
    def answered(self) -> int:
        return len(self._answers)

    @property
    def finished(self) -> bool:
        return self.answered == self.trials

    def x(self, a: T, b: T) -> T:
        """What is X in the trial that waits for an answer: `a` or `b`; raises `CtxAudioError` after the last one."""
        if self.finished:
            raise CtxAudioError(f"all {self.trials} trials are answered: make a new AbxTest for another round")
        return a if self._order[self.answered] == "A" else b

    def answer(self, letter: Letter) -> None:
        """Answer the trial: X is A, or X is B. There is no way back. Raises `CtxAudioError` after the last trial."""
        self.x(None, None)  # which says so where there is none
        if letter not in ("A", "B"):
            raise CtxAudioError(f"the answer {letter!r} must be A or B")
        self._answers.append(letter)

    def score(self) -> AbxScore:
        """The score; raises `CtxAudioError` before the last answer."""
        return AbxScore(int(self.log()["right"].sum()), self.trials)

    def log(self) -> pd.DataFrame:
        """A row for each trial: `trial`, `x`, `answer`, `right`; raises `CtxAudioError` before the last answer."""
        if not self.finished:
            raise CtxAudioError(f"{self!r}: the result is shown after the last one")
        table = pd.DataFrame({"trial": range(1, self.trials + 1), "x": self._order, "answer": self._answers})
        return table.assign(right=table["x"] == table["answer"])


def correct_needed(trials: int) -> int:
    """The fewest right answers of `trials` with p < 0.05; raises `CtxAudioError` where even all of them are too few.

    >>> [correct_needed(trials) for trials in (5, 10, 16, 25)]
    [5, 9, 12, 18]
    """
    if trials < FEWEST_TRIALS:
        raise CtxAudioError(f"{trials} trials are too few for p < {ALPHA:g}: take {FEWEST_TRIALS} or more")
    return int(scipy.stats.binom.isf(ALPHA, trials, 0.5)) + 1


def chance_to_pass(trials: int, hit_rate: float) -> float:
    """The chance of p < 0.05 for a listener who is right at `hit_rate` (0.5 guesses): the power of the test.

    >>> round(chance_to_pass(16, 0.5), 3), round(chance_to_pass(16, 0.75), 2)
    (0.038, 0.63)
    """
    return float(scipy.stats.binom.sf(correct_needed(trials) - 1, trials, hit_rate))


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
    display(Playlist(tuple(players)))
    scores = {}
    for number, (name, hears) in enumerate(LISTENERS.items()):
        right = np.random.default_rng(number).binomial(test.trials, (1.0 + hears) / 2.0)
        scores[name] = AbxScore(int(right), test.trials)
        print(f"simulated, {name}: {scores[name].line()}")
    display(picture_of_scores(test.trials, scores))


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
            + image(picture_of_scores(test.trials, {"you": score}))
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
    top = 1.2 * chances.max()
    for name, (correct, _) in scores.items():
        side = "left" if correct < trials / 4 else "right" if correct > trials * 3 / 4 else "center"
        edge = {"left": -0.5, "center": correct, "right": trials + 0.6}[side]  # clear of the dashed line
        said = (edge, top * (0.98 if correct < needed else 0.55))
        arrow = {"arrowstyle": "->", "color": BLUE}
        axis.annotate(name, (correct, chances[correct]), said, ha=side, va="top", color=BLUE, arrowprops=arrow)
    axis.set(ylim=(0.0, top), xlim=(-0.7, trials + 0.7), xticks=right[:: max(1, trials // 20)])
    label_axis(axis, f"Right answers in {trials} trials", "right answers", "chance by guessing")
    picture.legend(loc="outside lower center", ncols=3, frameon=False)
    return picture
