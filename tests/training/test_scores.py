import csv
import dataclasses
from pathlib import Path

import pytest
import torch
from small_model import CONFIG, PLAIN, TRAINING, begin

from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.model.checkpoint import load_generator
from ctxaudio.model.generator import Generator
from ctxaudio.training import loop
from ctxaudio.training.config import TrainingConfig
from ctxaudio.training.monitor import Scores
from ctxaudio.training.state import resume


def test_the_best_by_score_is_kept_and_not_the_last(clips: PreparedClips, tmp_path: Path):
    config = dataclasses.replace(TRAINING, num_epochs=1, score_interval=1)
    training = begin(clips, config)
    at: dict[int, torch.Tensor] = {}

    def lowest_at_the_second(generator: Generator) -> dict[str, float]:
        assert not generator.training and generator is training.averaged
        at[training.step] = generator.start.weight.detach().clone()
        return {"Rain": abs(training.step - 2) + 0.5}

    loop.train(training, config, tmp_path, progress=False, score=lowest_at_the_second)
    assert sorted(at) == [1, 2, 3, 4]
    assert torch.equal(training.best.start.weight, at[2]) and torch.equal(training.averaged.start.weight, at[4])
    kept, about = load_generator(tmp_path / "checkpoints" / "best.safetensors")
    assert torch.equal(kept.start.weight, at[2]) and about["context"] == "sleep"
    assert training.scores.facts() == {"best_step": 2, "best_score": 0.5, "last_score": 2.5, "scored": 4}
    with (tmp_path / "logs" / "scores.csv").open() as file:
        assert [(row["step"], row["score"]) for row in csv.DictReader(file)] == [
            ("1", "1.5"),
            ("2", "0.5"),
            ("3", "1.5"),
            ("4", "2.5"),
        ]
    resumed = resume(begin(clips), tmp_path)
    assert torch.equal(resumed.best.start.weight, at[2]) and resumed.scores.rows == training.scores.rows


def test_the_mean_over_the_conditions_counts_and_of_two_alike_the_first():
    scores, generator = Scores(), Generator(CONFIG, PLAIN)
    assert scores.add(generator, lambda _: {"Rain": 1.0, "Wind": 3.0}, {"step": 1})
    assert not scores.add(generator, lambda _: {"Rain": 3.0, "Wind": 1.0}, {"step": 2})
    assert scores.add(generator, lambda _: {"Rain": 3.5, "Wind": 0.0}, {"step": 3})
    assert [row["score"] for row in scores.rows] == [2.0, 2.0, 1.75] and scores.rows[2]["Wind"] == 0.0


def test_without_scores_the_generator_itself_is_kept():
    scores, generator = Scores(), Generator(CONFIG, PLAIN)
    assert scores.taken_by(generator) is generator and scores.facts() == {}


def test_by_the_clock_scoring_is_part_of_the_minutes_and_never_most_of_them():
    config = TrainingConfig(max_minutes=10.0)
    scores = Scores()
    assert not scores.due(100, 59.9, config) and scores.due(1, 60.0, config)
    scores.rows.append({"step": 1.0, "seconds": 60.0, "score": 1.0})
    assert not scores.due(100, 119.0, config) and scores.due(101, 120.0, config)
    scores.took_s = 30.0
    assert not scores.due(101, 120.0, config) and scores.due(200, 210.0, config)


def test_a_score_that_is_no_number_is_refused():
    for score in (lambda generator: {"Rain": float("nan")}, lambda generator: {}):
        with pytest.raises(CtxAudioError, match="the score at step 7 is nan"):
            Scores().add(Generator(CONFIG, PLAIN), score, {"step": 7})
