"""Keeping the best generator rather than the last: scores on the way, and the weights of the lowest."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ctxaudio.errors import CtxAudioError
from ctxaudio.model.checkpoint import save_generator
from ctxaudio.model.generator import Generator
from ctxaudio.training.config import TrainingConfig

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

    def save_best(self, path: Path, generator: Generator, context: str) -> None:
        save_generator(path, self.taken_by(generator), context, {"training": self.facts()})
