import ast
import inspect

import numpy as np
import pytest
import scipy.linalg

from ctxaudio.analysis.distance import frechet_distance, kernel_distance, principal_axes
from ctxaudio.analysis.diversity import median_pairwise_distance
from ctxaudio.analysis.memorisation import nearness, suspicious_copies
from ctxaudio.analysis.separability import ConditionClassifier, recall_across_folds
from ctxaudio.analysis.set_distances import both_noises, floor_between_halves, kernel_and_frechet
from ctxaudio.analysis.yardstick import Yardstick, texture_windows
from ctxaudio.errors import CtxAudioError
from ctxaudio.signal import auditory_texture as auditory
from ctxaudio.signal.gammatone import centre_frequencies_hz
from ctxaudio.signal.modulation_bank import modulation_rates_hz, modulation_response
from ctxaudio.signal.time_course import best_correlation, time_course

RATE = 22050
TIME_S = np.arange(2 * RATE) / RATE
FREQUENCIES_HZ = np.random.default_rng(0).uniform(600.0, 1000.0, 12)


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def pulsed(seed: int, rate_hz: float = 5.0) -> np.ndarray:
    return noise(seed) * (np.sin(2 * np.pi * rate_hz * TIME_S + seed) > 0.5)


def gusts(seed: int, rate_hz: float = 4.0, seconds: float = 2.0) -> np.ndarray:
    """Noise whose level goes up and down at random, about `rate_hz` times a second: no two are alike in time."""
    random = np.random.default_rng(seed + 1000)
    count = round(seconds * rate_hz * 2) + 2
    level = np.interp(np.arange(round(seconds * RATE)) * (count - 1) / (seconds * RATE), np.arange(count),
                      random.lognormal(0.0, 1.0, count))  # fmt: skip
    return (noise(seed, seconds) * level).astype(np.float32)


def tone(frequency_hz: float, rate_hz: float, depth: float) -> np.ndarray:
    sound = (1 + depth * np.sin(2 * np.pi * rate_hz * TIME_S)) * np.sin(2 * np.pi * frequency_hz * TIME_S)
    return (0.1 * sound).astype(np.float32)


@pytest.mark.parametrize("per_octave", [1.0, 2.0, 3.0])
def test_the_modulation_filters_share_all_movement_between_them(per_octave):
    rates_hz = modulation_rates_hz(per_octave)
    between_hz = np.geomspace(rates_hz[0], rates_hz[-1], 500)
    power = (modulation_response(between_hz, rates_hz, per_octave) ** 2).sum(axis=0)
    np.testing.assert_allclose(power, 1.0, atol=1e-12)
    assert rates_hz[0] == 0.5 and rates_hz[-1] <= 100.0 < rates_hz[-1] * 2 ** (1 / per_octave)


def test_the_modulation_filters_let_a_still_envelope_pass_nowhere():
    assert not modulation_response([0.0], modulation_rates_hz()).any()


@pytest.mark.parametrize("rate_hz", [2.0, 8.0, 32.0])
@pytest.mark.parametrize("frequency_hz", [1000.0, 4000.0])
def test_an_am_tone_moves_its_modulation_channel_in_its_band(rate_hz, frequency_hz):
    statistics = auditory.auditory_texture(tone(frequency_hz, rate_hz, 0.5), RATE, 2.0)
    centres_hz = centre_frequencies_hz(RATE, auditory.LOWEST_BAND_HZ)
    band = int(np.abs(centres_hz - frequency_hz).argmin())
    by_rate = statistics["rates"].reshape(len(centres_hz), -1)[band]
    assert modulation_rates_hz()[by_rate.argmax()] == pytest.approx(rate_hz)
    assert np.exp(by_rate.max()) > 0.7, "most of the band's movement, the rest at harmonics and beside it"


def test_the_spread_is_the_coefficient_of_variation_of_the_compressed_envelope():
    statistics = auditory.auditory_texture(tone(1000.0, 4.0, 0.5), RATE, 2.0)
    band = int(np.abs(centre_frequencies_hz(RATE, auditory.LOWEST_BAND_HZ) - 1000.0).argmin())
    envelope = (1 + 0.5 * np.sin(2 * np.pi * 4.0 * TIME_S)) ** auditory.COMPRESSION
    assert np.exp(statistics["spread"][0, band]) == pytest.approx(envelope.std() / envelope.mean() + 0.01, rel=0.02)


def test_bands_that_pulse_together_are_correlated_and_those_of_noise_are_not():
    together, apart = (
        auditory.auditory_texture(sound.astype(np.float32), RATE, 2.0)["together"][0, -40:].mean()
        for sound in (pulsed(1), noise(1))
    )
    assert together > 0.8 and abs(apart) < 0.15


def test_level_does_not_count():
    np.testing.assert_allclose(texture_windows(pulsed(1), RATE), texture_windows(0.01 * pulsed(1), RATE), atol=1e-3)


@pytest.mark.parametrize("seconds", [0.35, 1.0, 2.0, 3.1])
def test_clips_of_any_length_have_the_same_features_more_windows_at_most(seconds):
    rows = texture_windows(noise(0, seconds), RATE)
    assert rows.shape == (max(1, int(np.ceil(seconds - 1))), texture_windows(noise(0), RATE).shape[1])
    assert np.isfinite(rows).all()


def test_silence_and_clicks_have_finite_features():
    click = np.zeros(RATE, np.float32)
    click[100] = 1.0
    for sound in (np.zeros(RATE, np.float32), click):
        assert np.isfinite(texture_windows(sound, RATE)).all()


def test_the_yardstick_shares_no_code_with_what_training_minimises():
    imported = {
        node.module for node in ast.walk(ast.parse(inspect.getsource(auditory))) if isinstance(node, ast.ImportFrom)
    }
    assert imported and not imported & {"ctxaudio.signal.texture", "ctxaudio.signal.stft"}


def test_sounds_of_a_kind_score_about_nothing_and_worse_ones_more_and_more():
    yardstick = Yardstick({0: [gusts(seed) for seed in range(12)]}, RATE)

    def score(noise_level: float) -> float:
        return yardstick.score({0: [gusts(s) + noise_level * noise(s + 100) for s in range(20, 32)]})[0]

    scores = [score(level) for level in (0.0, 0.1, 0.3, 1.0)]
    assert abs(scores[0]) < 40
    assert scores == sorted(scores) and scores[-1] > 10 * abs(scores[0])


def test_a_set_scores_nothing_or_less_against_itself():
    clips = [gusts(seed) for seed in range(5)]
    assert Yardstick({7: clips}, RATE).score({7: clips})[7] <= 0.0


def test_conditions_that_can_not_be_scored_are_left_out():
    yardstick = Yardstick({0: [noise(0), noise(1)], 1: [noise(2)], 2: []}, RATE)
    assert list(yardstick.score({0: [noise(3), noise(4)], 1: [noise(5)] * 3, 3: [noise(6)] * 3})) == [0]
    assert yardstick.score({0: []}) == yardstick.score({0: [noise(3)]}) == {}
    with pytest.raises(CtxAudioError, match="two real clips of a condition"):
        Yardstick({1: [noise(2)]}, RATE)


def test_struck_sounds_shorter_than_a_window_are_scored():
    def struck(seed: int, frequency_hz: float) -> np.ndarray:
        time_s = TIME_S[: RATE // 2]
        sound = np.exp(-8 * time_s) * np.sin(2 * np.pi * frequency_hz * time_s) + 0.01 * noise(seed)[: RATE // 2]
        return sound.astype(np.float32)

    yardstick = Yardstick({0: [struck(s, FREQUENCIES_HZ[s]) for s in range(6)]}, RATE)
    near = yardstick.score({0: [struck(s, FREQUENCIES_HZ[s]) for s in range(6, 12)]})[0]
    far = yardstick.score({0: [noise(s)[: RATE // 2] for s in range(6)]})[0]
    assert near < 0.5 * far


def test_the_frechet_distance_matches_its_definition():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(50, 4)), random.normal(size=(60, 4)) * [1, 2, 3, 4] + 1
    covariances = [0.9 * np.cov(z, rowvar=False) + 0.1 * np.diag(z.var(axis=0, ddof=1)) for z in (x, y)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=1e-6)


def test_principal_axes_are_orthonormal_and_the_widest_comes_first():
    rows = np.random.default_rng(0).normal(size=(200, 3)) * [1.0, 9.0, 3.0]
    axes = principal_axes(rows, 2)
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-12)
    assert abs(axes[1, 0]) > 0.98 and abs(axes[2, 1]) > 0.98


def windows(clips: list[np.ndarray]) -> list[np.ndarray]:
    return [texture_windows(clip.astype(np.float32), RATE) for clip in clips]


def test_both_forms_put_real_before_poor_before_white():
    real = [gusts(s) for s in range(8)]
    matched, white = both_noises(real)
    sets = [real, [gusts(s) for s in range(10, 18)], [gusts(s, 12.0) for s in range(8)], matched, white]
    for form in kernel_and_frechet(*(windows(clips) for clips in sets)):
        assert form.real_floor < form.generated < form.matched_noise
        assert form.generated < form.white_noise


def test_a_floor_needs_other_real_clips_or_halves_of_four():
    real = windows([noise(s) for s in range(4)])
    kernel, frechet = kernel_and_frechet(real[:3], [], real, real, real)
    assert kernel.real_floor is None and frechet.real_floor is None
    halves = kernel_and_frechet(real, [], real, real, real)[0].real_floor
    assert halves == floor_between_halves(kernel_distance, real)


def test_a_collapsed_set_is_less_diverse():
    real, collapsed = windows([gusts(s, 3 + 3 * s) for s in range(6)]), windows([gusts(0)] * 5 + [gusts(1)])
    assert median_pairwise_distance(collapsed) < 0.5 * median_pairwise_distance(real)
    assert np.isnan(median_pairwise_distance(real[:1]))


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
    found = suspicious_copies(generated, held_out, training, RATE)
    assert [(one.clip, one.training_clip) for one in found] == [("copy", "t2")]
    assert 0.9 < found[0].correlation <= 1.0


def test_what_is_learnt_by_heart_is_nearer_than_held_out_clips():
    training, held_out = windows([noise(s) for s in range(5)]), windows([noise(s) for s in range(10, 15)])
    near, reference = nearness(training[:3], held_out, training)
    assert near == pytest.approx(0.0, abs=1e-3) and reference > 0.1


def test_the_classifier_tells_conditions_apart_and_notices_swapped_ones():
    real = {"slow": windows([gusts(s, 3.0) for s in range(6)]), "fast": windows([gusts(s, 20.0) for s in range(6)])}
    fresh = {"slow": windows([gusts(9, 3.0)]), "fast": windows([gusts(9, 20.0)]), "other": []}
    assert ConditionClassifier(real).recall(fresh) == {"slow": 1.0, "fast": 1.0}
    assert ConditionClassifier(real).recall({"slow": fresh["fast"]}) == {"slow": 0.0}
    assert recall_across_folds(real) == {"slow": 1.0, "fast": 1.0}
