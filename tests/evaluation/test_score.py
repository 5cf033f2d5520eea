import numpy as np
import pytest
from sounds import RATE, TIME_S, gusts, noise

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.score import kernel_score

FREQUENCIES_HZ = np.random.default_rng(0).uniform(600.0, 1000.0, 12)


def test_sounds_of_a_kind_score_about_nothing_and_worse_ones_more_and_more():
    score_of = kernel_score({"0": [gusts(seed) for seed in range(12)]}, RATE)

    def score(noise_level: float) -> float:
        return score_of({"0": [gusts(s) + noise_level * noise(s + 100) for s in range(20, 32)]})["0"]

    scores = [score(level) for level in (0.0, 0.1, 0.3, 1.0)]
    assert abs(scores[0]) < 40
    assert scores == sorted(scores) and scores[-1] > 10 * abs(scores[0])


def test_a_set_scores_nothing_or_less_against_itself():
    clips = [gusts(seed) for seed in range(5)]
    assert kernel_score({"7": clips}, RATE)({"7": clips})["7"] <= 0.0


def test_conditions_that_can_not_be_scored_are_left_out():
    score = kernel_score({"0": [noise(0), noise(1)], "1": [noise(2)], "2": []}, RATE)
    assert list(score({"0": [noise(3), noise(4)], "1": [noise(5)] * 3, "3": [noise(6)] * 3})) == ["0"]
    assert score({"0": []}) == score({"0": [noise(3)]}) == {}
    with pytest.raises(CtxAudioError, match="two real clips of a condition"):
        kernel_score({"1": [noise(2)]}, RATE)


def test_struck_sounds_shorter_than_a_window_are_scored():
    def struck(seed: int, frequency_hz: float) -> np.ndarray:
        time_s = TIME_S[: RATE // 2]
        sound = np.exp(-8 * time_s) * np.sin(2 * np.pi * frequency_hz * time_s) + 0.01 * noise(seed)[: RATE // 2]
        return sound.astype(np.float32)

    score = kernel_score({"0": [struck(s, FREQUENCIES_HZ[s]) for s in range(6)]}, RATE)
    near = score({"0": [struck(s, FREQUENCIES_HZ[s]) for s in range(6, 12)]})["0"]
    far = score({"0": [noise(s)[: RATE // 2] for s in range(6)]})["0"]
    assert near < 0.5 * far
