"""The ABX test: is X the sound A or the sound B? What a listener can tell from chance, and what chance can do.

In every trial X is one of the two, drawn by lot. Who hears no difference is right half of the time, so the number of
right answers is binomial and its p-value exact. The number of trials is fixed beforehand and nothing is shown until
the last answer: who may stop at a lucky moment passes sooner or later.

Source: Clark 1982, High-resolution subjective testing using a double-blind comparator, J. Audio Eng. Soc. 30:330.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import scipy.stats

from ctxaudio.errors import CtxAudioError

T = TypeVar("T")
Letter = Literal["A", "B"]

ALPHA = 0.05
FEWEST_TRIALS = 5
MOST_TRIALS = 100


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
        self._check_open()
        return a if self._order[self.answered] == "A" else b

    def answer(self, letter: Letter) -> None:
        """Answer the trial: X is A, or X is B. There is no way back. Raises `CtxAudioError` after the last trial."""
        self._check_open()
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

    def _check_open(self) -> None:
        if self.finished:
            raise CtxAudioError(f"all {self.trials} trials are answered: make a new AbxTest for another round")


def simulated_score(trials: int, hears: float, seed: int = 0) -> AbxScore:
    """The score of a listener who hears the difference in a share `hears` (0..1) of the trials and guesses in the rest.

    >>> simulated_score(16, hears=1.0).correct
    16
    """
    return AbxScore(int(np.random.default_rng(seed).binomial(trials, hears + (1.0 - hears) / 2.0)), trials)


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
