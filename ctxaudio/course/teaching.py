"""What a notebook of the course is made of: its run, predictions, exercises, claims, a score.

A run without a reader (papermill with `interactive=False`, nbval) is *headless*: nothing is drawn as a widget,
questions and truths are printed, and whatever is wrong raises, so that no notebook stays wrong unnoticed.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from ctxaudio.course.exercises import Exercise, Prediction, difference, live_text, question_panel
from ctxaudio.errors import CtxAudioError
from ctxaudio.run import Run

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
#: The reader's own notebooks beside them, which `make lab` copies and git ignores.
COPY = "my_notebooks"
#: Results of longer runs by an independent judge, a row a condition and variant (`tests/benchmarks/proof.py`).
STORED = Path(__file__).parents[1] / "stored_results.csv"
#: Its variants in words.
VARIANTS = {
    "base": "base, not tuned",
    "base_off": "base, network off",
    "no_adversarial": "without the adversarial loss",
    "no_texture": "without the texture loss",
    "off": "network off",
    "off_at_rates": "noise at its rates",
    "real": "real clips",
    "scratch": "from scratch",
    "tuned_seed1": "another seed",
    "tuned_seed2": "a third seed",
}


def notebook_run(cells: Sequence[str], *, context: str, data_dir: str, output_dir: str, **others: Any) -> Run:
    """The `Run` of a notebook's parameters; an empty `output_dir` means `runs/<context>`, where `make course` writes.

    A notebook opened in its own folder, or in the copy that `make lab` makes, goes on from the repository's, as
    `make course` does; but for a test, which leaves your runs alone. `cells` is IPython's `In`. Papermill only warns of
    a parameter that the notebook does not have, and goes on with the default: here it raises `CtxAudioError`.
    """
    if unknown := unknown_parameters(cells):
        raise CtxAudioError(f"unknown parameter {', '.join(unknown)}: papermill --help-notebook lists the known ones")
    if Path.cwd() in (NOTEBOOKS, NOTEBOOKS.with_name(COPY)) and "PYTEST_CURRENT_TEST" not in os.environ:
        os.chdir(NOTEBOOKS.parent)
    folder = Path(output_dir) if output_dir else Path("runs") / context
    run = Run(context, Path(data_dir), folder, **others)
    check_one_context(run)
    print(f"context {run.context}: files of this run go to {run.output_dir}")
    return run


def check_one_context(run: Run) -> None:
    """Raise `CtxAudioError` for the context of several: it modulates nothing, which is what the notebooks follow."""
    if run.about.parts:
        choices = ", ".join(part.name for part in run.about.parts)
        raise CtxAudioError(f"context {run.context!r} has no modulation for the notebooks to follow: take {choices}")


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


def is_headless(interactive: bool) -> bool:
    """Whether nobody is there to answer: widgets are switched off, or a test (nbval among them) runs the notebook."""
    return not interactive or "PYTEST_CURRENT_TEST" in os.environ


class Lesson:
    """The predictions, exercises and claims of one notebook. `interactive` is the notebook's parameter."""

    def __init__(self, interactive: bool) -> None:
        self.headless = is_headless(interactive)
        self.predictions: dict[str, Prediction] = {}
        self.exercises: list[Exercise] = []

    def predict(self, key: str, question: str, choices: Sequence[str]) -> None:
        """Ask `question`; the answer is kept under `key` for `reveal`."""
        prediction = self.predictions[key] = Prediction(question, choices)
        if self.headless:
            print(prediction.asked())
        else:
            display(question_panel(prediction))

    def reveal(self, key: str, truth: str | Mapping[str, bool], detail: str = "") -> None:
        """Show the truth beside the answer, as soon as there is one; `truth` as `Prediction.decide` takes it."""
        if key not in self.predictions:
            raise CtxAudioError(f"no prediction {key!r}: run the cell with its question first")
        prediction = self.predictions[key]
        prediction.decide(truth, detail)
        if self.headless:
            print(prediction.resolved())
            return
        waiting = f"{prediction.question} Choose an answer above, and the truth is shown here."
        display(live_text(lambda: waiting if prediction.answer is None else prediction.resolved(), [prediction]))

    def exercise(self, title: str, right: Any, mistakes: Mapping[str, Any], **how: Any) -> Exercise:
        """An exercise with `{what to say: a wrong answer}`, and `how` as `Exercise` says; headless it tests itself."""
        made = Exercise(title, right, mistakes, headless=self.headless, **how)
        if self.headless:
            made.test_itself()
        self.exercises = [one for one in self.exercises if one.title != title] + [made]
        return made

    def check(self, name: str, mine: Any, reference: Any, tolerance: float = 1e-6) -> None:
        """Print whether two results agree; headless, a difference raises `CtxAudioError`."""
        wrong = difference(mine, reference, tolerance)
        if wrong and self.headless:
            raise CtxAudioError(f"{name}: {wrong}")
        print(f"{name}: {wrong or f'the same (within {tolerance:g})'}")

    def claims(self, claims: Mapping[str, bool]) -> None:
        """Test the statements of the text above, `{statement: whether it holds}`; headless, a false one raises."""
        false = [says for says, holds in claims.items() if not holds]
        if false and self.headless:
            raise CtxAudioError(f"not true in this run: {'; '.join(false)}")
        for says in false:
            print(f"In this run it is not so: {says}")
        print(f"{len(claims) - len(false)} of {len(claims)} statements of the text above tested and true")

    def tell(self, text: str) -> None:
        """Show `text` as Markdown: prose with numbers that were computed."""
        display(Markdown(text))

    def score(self) -> None:
        """Show how many predictions were right and which exercises are solved; headless, the truths.

        Headless, a prediction that was never revealed raises `CtxAudioError`.
        """
        if not self.headless:
            display(live_text(self._score_of_reader, list(self.predictions.values())))
            return
        open_ones = [one.question for one in self.predictions.values() if one.truth is None]
        if open_ones:
            raise CtxAudioError(f"never revealed: {'; '.join(open_ones)}")
        print("\n".join(f"{number}. {one.resolved()}" for number, one in enumerate(self.predictions.values(), 1)))

    def _score_of_reader(self) -> str:
        asked = list(self.predictions.values())
        answered = sum(one.answer is not None for one in asked)
        right = sum(one.is_right for one in asked)
        solved = sum(one.solved for one in self.exercises)
        return (
            f"Predictions: {right} right of {answered} answered, {len(asked)} asked.\n"
            f"Exercises solved: {solved} of {len(self.exercises)} (run this cell again after you solve one)."
        )


def compared(rows: pd.DataFrame, beside: str = "tuned", seed: int = 0) -> pd.DataFrame:
    """How far each variant of `STORED` is from recordings beside `beside`, in the median over conditions with both.

    Columns `variant`, `conditions`, `ratio` of the distances, `low` and `high` (95 %, over resampled conditions).
    Conditions in which `beside` is at 0 or below are left out.
    """
    kad = rows.pivot_table(index=["context", "condition"], columns="variant", values="kad")
    found, random = [], np.random.default_rng(seed)
    for variant in kad.columns.drop(beside, errors="ignore") if beside in kad else ():
        both = kad.loc[kad[beside] > 0.0, [variant, beside]].dropna()
        ratios = (both[variant] / both[beside]).to_numpy()
        if len(ratios):
            drawn = np.median(random.choice(ratios, (2000, len(ratios))), axis=1)
            found.append((variant, len(ratios), np.median(ratios), *np.quantile(drawn, (0.025, 0.975))))
    return pd.DataFrame(found, columns=["variant", "conditions", "ratio", "low", "high"])
