import numpy as np
import pytest
from sounds import RATE, gusts, noise, windows

from ctxaudio.evaluation.copies import best_correlation, find_copies, nearest_training_distance, time_course


def test_the_best_correlation_is_that_of_the_best_lag():
    random = np.random.default_rng(0)
    short, long = random.random((1, 40)), random.random((1, 100))
    brute = max(np.corrcoef(short[0], long[0, lag : lag + 40])[0, 1] for lag in range(61))
    assert best_correlation(short, long) == pytest.approx(brute)
    assert best_correlation(long, short) == pytest.approx(brute)


def test_a_time_course_has_some_forty_values_a_second():
    course, rate_hz = time_course(noise(0), RATE)
    assert 40.0 <= rate_hz < 60.0 and course.shape[1] == pytest.approx(2.0 * rate_hz, abs=1)


def test_copies_are_named_and_sounds_of_the_same_kind_are_not():
    training = {f"t{s}": gusts(s, 4.0, 6.0) for s in range(4)}
    held_out = {f"h{s}": gusts(s, 4.0, 4.0) for s in range(20, 24)}
    copy = 0.3 * training["t2"][RATE : RATE + 3 * RATE] + 0.1 * noise(99, 3.0)
    generated = {"copy": copy.astype(np.float32), "new": gusts(30, 4.0, 4.0)}
    found = find_copies(generated, held_out, training, RATE)
    assert [(one.clip, one.training_clip) for one in found] == [("copy", "t2")]
    assert 0.9 < found[0].correlation <= 1.0


def test_what_is_learnt_by_heart_is_nearer_than_held_out_clips():
    training, held_out = windows([noise(s) for s in range(5)]), windows([noise(s) for s in range(10, 15)])
    near, reference = (nearest_training_distance(clips, training) for clips in (training[:3], held_out))
    assert near == pytest.approx(0.0, abs=1e-3) and reference > 0.1
