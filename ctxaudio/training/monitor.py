"""What watches over a training: is it still worth its time, which generator is the best so far, and Ctrl-C."""

from __future__ import annotations

import copy
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import Tensor

from ctxaudio.errors import CtxAudioError
from ctxaudio.model.generator import Generator
from ctxaudio.training.config import TrainingConfig

TERMS = ("discriminator", "adversarial", "condition", "texture", "diversity")
#: Fakes of different styles and latents beside the real crops of those styles, 1 being as different: .3 or more in
#: ordinary trainings; of a generator that ignores both what is left is chance, under .05.
LEAST_DIVERSITY = 0.1
#: Rows of the log in a row that must all be collapsed or exploded, and steps before a generator can be.
ROWS = 3
LEARNT_BY = 100
#: The largest ordinary loss is about 3.
LARGEST_LOSS = 20.0

Row = dict[str, float]


def diversity(fake: Tensor, real: Tensor) -> Tensor:
    """Mean deviation over a batch of the fakes' texture codes `[B, S]` beside that of the real crops'."""
    return fake.std(0).mean() / real.std(0).mean().clamp_min(1e-6)


def trouble(history: list[Row]) -> str:
    """What should stop the training, in a line, or nothing."""
    newest, last = history[-1], history[-ROWS:]
    step = newest["step"]
    if not all(math.isfinite(newest[name]) for name in TERMS):
        return f"training diverged at step {step:.0f} (a loss is not a number): lower --lr, or --resume earlier"
    for name in TERMS[:-1]:
        if len(last) == ROWS and all(abs(row[name]) > LARGEST_LOSS for row in last):
            return (
                f"training diverged at step {step:.0f} (the {name} loss is {newest[name]:.3g}, ordinary is under "
                "3): lower --lr"
            )
    if len(last) == ROWS and last[0]["step"] >= LEARNT_BY and all(r["diversity"] < LEAST_DIVERSITY for r in last):
        return (
            f"mode collapse at step {step:.0f}: generated textures differ {newest['diversity']:.2f} times as much "
            "as the clips do: lower --lr, raise --lambda_texture or --batch_size, or begin anew with another --seed"
        )
    return ""


#: Gives a generator's score for each condition, lower being better; the mean counts.
Score = Callable[[Generator], Mapping[str, float]]

#: Scoring takes at most one part in this of the time.
LEAST_PAUSE = 5.0


@dataclass
class Scores:
    """All scores of a training (`step`, `epoch`, `seconds`, `score`, then one for each condition), and the weights of
    the best. `took_s` is how long the last took."""

    rows: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    took_s: float = 0.0

    def due(self, step: int, seconds: float, config: TrainingConfig) -> bool:
        """By the clock where `max_minutes` rules, else by steps: then the run is the same on any machine."""
        if config.max_minutes is None:
            return step % config.score_interval == 0
        last = self.rows[-1]["seconds"] if self.rows else 0.0
        return seconds - last >= max(config.score_interval_s, LEAST_PAUSE * self.took_s)

    def add(self, generator: Generator, score: Score, when: dict[str, float]) -> bool:
        """Score the generator; gives back whether it is the best so far, whose weights are kept.

        Raises `CtxAudioError` for a score that is not a number.
        """
        began = time.monotonic()
        training = generator.training
        each = score(generator.eval())
        generator.train(training)
        self.took_s = time.monotonic() - began
        mean = sum(each.values()) / len(each) if each else math.nan
        if not math.isfinite(mean):
            raise CtxAudioError(f"the score at step {when['step']:.0f} is {mean}: a score must be a number")
        self.rows.append({**when, "score": mean, **each})
        if self.best and mean >= self.best["score"]:
            return False
        self.best = self.rows[-1]
        self.weights = {name: tensor.detach().clone() for name, tensor in generator.state_dict().items()}
        return True

    def taken_by(self, generator: Generator) -> Generator:
        """A copy of the generator with the best weights; itself where nothing was scored."""
        if not self.weights:
            return generator
        kept = copy.deepcopy(generator)
        kept.load_state_dict(self.weights)
        return kept

    def facts(self) -> dict[str, float]:
        """For the model's JSON: the best score, where it was, and what the last was."""
        if not self.best:
            return {}
        return {
            "best_step": int(self.best["step"]),
            "best_score": round(self.best["score"], 4),
            "last_score": round(self.rows[-1]["score"], 4),
            "scored": len(self.rows),
        }


@contextmanager
def finishing_the_step_on_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Inside, Ctrl-C only sets a flag (the yielded function); a second Ctrl-C stops at once."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    try:
        before = signal.signal(signal.SIGINT, ask)
    except ValueError:  # not the main thread: Ctrl-C does not come here
        yield lambda: False
        return
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
