import ast
import inspect

import numpy as np
import pytest
from sounds import RATE, TIME_S, gusts, noise, pulsed, tone, windows

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation import distances
from ctxaudio.evaluation.distances import (
    best_correlation,
    bootstrap_weights,
    both_noises,
    compare_sets,
    diversity,
    estimate,
    find_copies,
    kernel_distance,
    kernel_draws,
    matched_noise,
    nearest_training_distance,
    sound_distance,
    texture_features,
    time_course,
    verdict_of,
)
from ctxaudio.signal.envelope import centre_frequencies_hz, modulation_filters


def test_matched_noise_has_the_spectrum_and_not_the_shape():
    clicks = np.zeros(RATE, np.float32)
    clicks[::2205] = 1.0
    made = matched_noise(clicks, np.random.default_rng(0))
    np.testing.assert_allclose(np.abs(np.fft.rfft(made)), np.abs(np.fft.rfft(clicks)), atol=2e-4)
    assert np.abs(made).max() < 0.5


def test_the_kernel_distance_of_one_row_a_clip_matches_its_definition():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(7, 3)), random.normal(size=(5, 3)) + 1
    pairs = [((a - b) ** 2).sum() for i, a in enumerate(x) for b in x[i + 1 :]]

    def kernel(a, b):
        return np.exp(-((a - b) ** 2).sum() / np.median(pairs))

    within_x = sum(kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / 42
    within_y = sum(kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / 20
    between = sum(kernel(a, b) for a in x for b in y) / 35
    assert kernel_distance(x, y) == pytest.approx(1000 * (within_x + within_y - 2 * between))


def test_the_distance_puts_real_before_poor_before_white():
    real, other, poor = (
        [gusts(s) for s in range(8)],
        [gusts(s) for s in range(10, 18)],
        [gusts(s, 12.0) for s in range(8)],
    )
    matched, white = (list(noise.values()) for noise in both_noises(dict(enumerate(real))))
    compared, _ = compare_sets(windows(real), windows(other), windows(poor), (windows(matched), windows(white)))
    assert compared["real_floor"].value < compared["generated"].value < compared["matched_noise"].value
    assert compared["generated"].value < compared["white_noise"].value
    assert compared["real_floor"].high < compared["white_noise"].low


def test_distances_are_ordered_as_ears_would_order_them():
    real, other, poor = (
        windows(clips)
        for clips in ([pulsed(s) for s in range(6)], [pulsed(s) for s in range(10, 16)], [noise(s) for s in range(6)])
    )
    noises = tuple(windows(clips.values()) for clips in both_noises({s: pulsed(s) for s in range(6)}))
    good, bad = (compare_sets(real, other, made, noises)[0] for made in (other, poor))
    assert good["generated"].value == pytest.approx(good["real_floor"].value)
    assert good["generated"].value < bad["generated"].value
    assert bad["real_floor"].value < bad["matched_noise"].value


def test_a_floor_needs_other_real_clips():
    real = windows([noise(s) for s in range(4)])
    assert "real_floor" not in compare_sets(real, real[:1], real, (real, real))[0]


@pytest.mark.parametrize(("clips", "message"), [(1, "two real clips, got 1"), (3, "real clips that differ")])
def test_too_few_or_equal_real_clips_are_named(clips, message):
    other = clips_of(np.random.default_rng(0), 3)
    with pytest.raises(CtxAudioError, match=message):
        compare_sets([np.ones((2, 20))] * clips, other, other, (other, other))


def test_too_few_generated_clips_are_named():
    other = clips_of(np.random.default_rng(0), 3)
    with pytest.raises(CtxAudioError, match="two generated clips, got 1"):
        compare_sets(other, other, other[:1], (other, other))


def clips_of(random: np.random.Generator, count: int, windows: int = 3, shift: float = 0.0) -> list[np.ndarray]:
    """Features of clips that differ from each other more than their windows do, as those of recordings."""
    return [random.normal(size=(1, 20)) + 0.5 * random.normal(size=(windows, 20)) + shift for _ in range(count)]


def test_pairs_of_windows_of_one_clip_are_left_out():
    random = np.random.default_rng(0)
    x, y = clips_of(random, 4), clips_of(random, 3, windows=2, shift=0.3)
    apart = [((a - b) ** 2).sum() for i, p in enumerate(x) for q in x[i + 1 :] for a in p for b in q]

    def mean_kernel(pairs):
        return np.mean([np.exp(-((a - b) ** 2).sum() / np.median(apart)) for p, q in pairs for a in p for b in q])

    within = [mean_kernel([(p, q) for i, p in enumerate(z) for j, q in enumerate(z) if i != j]) for z in (x, y)]
    between = mean_kernel([(p, q) for p in x for q in y])
    assert kernel_distance(x, y) == pytest.approx(1000 * (sum(within) - 2 * between))


@pytest.mark.parametrize(("real", "generated"), [(6, 2), (2, 6), (6, 6), (3, 16)])
def test_sets_of_one_distribution_are_nought_apart_and_intervals_hold_that(real, generated):
    found = simulated(real, generated, 0.0)
    values = found[:, 0]
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert ((found[:, 1] <= 0.0) & (found[:, 2] >= 0.0)).mean() >= 0.85


def test_sets_of_two_distributions_are_told_apart_by_their_interval():
    found = simulated(12, 12, 1.0)
    assert (found[:, 1] > 0.0).mean() > 0.95
    truth = found[:, 0].mean()
    assert ((found[:, 1] <= truth) & (truth <= found[:, 2])).mean() >= 0.85


def simulated(real: int, generated: int, shift: float, times: int = 200) -> np.ndarray:
    """Kernel distances of fresh sets with their intervals, `[times, 3]`."""
    random, found = np.random.default_rng(0), []
    for _ in range(times):
        sets = clips_of(random, real), clips_of(random, generated, shift=shift)
        weights = [bootstrap_weights(len(clips), random) for clips in sets]
        one = estimate(kernel_draws(*sets, *weights))
        found.append((one.value, one.low, one.high))
    return np.array(found)


def test_bootstrap_weights_vary_as_the_mean_of_a_sample_does():
    values = np.random.default_rng(0).normal(size=8)
    means = bootstrap_weights(8, np.random.default_rng(1)) @ values
    assert means[0] == pytest.approx(values.mean())
    assert means[1:].std() == pytest.approx(values.std(ddof=1) / np.sqrt(8), rel=0.15)


def test_intervals_are_the_same_for_the_same_seed_and_narrower_for_more_clips():
    random = np.random.default_rng(0)
    few, many, other = clips_of(random, 4), clips_of(random, 40), clips_of(random, 10)
    noises = (other, other)
    first, again, wide = (compare_sets(clips, other, clips, noises)[0] for clips in (many, many, few))
    assert first == again
    narrow, wide = first["white_noise"], wide["white_noise"]
    assert narrow.high - narrow.low < wide.high - wide.low


def test_a_collapsed_set_is_less_diverse():
    real, collapsed = windows([gusts(s, 3 + 3 * s) for s in range(6)]), windows([gusts(0)] * 5 + [gusts(1)])
    assert diversity(collapsed).value < diversity(real).low and diversity(collapsed).value < 0.5 * diversity(real).value
    assert diversity(real).low <= diversity(real).value <= diversity(real).high


def test_diversity_is_the_mean_distance_between_clips_however_long_they_are():
    random = np.random.default_rng(0)
    clips = [random.normal(size=(count, 5)) for count in (1, 4, 2)]
    means = [rows.mean(axis=0) for rows in clips]
    pairs = [np.linalg.norm(means[i] - means[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert diversity(clips).value == pytest.approx(np.mean(pairs))


def draws(value: float, spread: float, seed: int) -> np.ndarray:
    return value + spread * np.concatenate([[0.0], np.random.default_rng(seed).normal(size=400)])


@pytest.mark.parametrize(
    ("generated", "floor", "matched", "said"),
    [
        ((5, 10), (0, 10), (200, 20), "near: within the spread"),
        ((60, 10), (0, 10), (200, 20), "distinguishable, but nearer than noise of the same"),
        ((180, 20), (0, 10), (200, 20), "distinguishable, no nearer than noise of the same"),
        ((400, 30), (0, 10), (200, 20), "distinguishable, farther than noise of the same"),
        ((60, 60), (0, 10), (200, 20), "undecided"),  # it may be as far as half way to noise
        (
            (5, 10),
            (0, 10),
            (8, 10),
            "near",
        ),  # noise of the same spectrum is near itself: half way to white noise counts
        ((5, 10), (0, 900), (200, 20), "undecided"),  # not even white noise can be told from real clips
        ((-3, 5), None, (200, 20), "near"),
        ((30, 5), None, (200, 20), "distinguishable"),
    ],
)
def test_the_verdict_follows_from_the_intervals(generated, floor, matched, said):
    real_floor = {} if floor is None else {"real_floor": draws(*floor, seed=1)}
    noises = draws(*matched, seed=2), draws(900, 50, seed=3)
    assert verdict_of(draws(*generated, seed=0), *noises, **real_floor).startswith(said)


def test_what_all_sets_share_does_not_blur_the_verdict():
    shared = draws(0, 500, seed=9)
    generated, floor, matched = (shared + draws(value, 5, seed) for seed, value in enumerate((50, 0, 200)))
    assert verdict_of(generated, matched, matched, floor).startswith("distinguishable, but nearer")


def test_verdicts_of_sets_are_right_nine_times_in_ten():
    random, said = np.random.default_rng(0), []
    for _ in range(50):
        shifts = {"same": 0.0, "apart": 1.2, "floor": 0.0, "matched": 3.0, "white": 6.0}
        real, weights = clips_of(random, 12), bootstrap_weights(12, random)
        found = {
            name: kernel_draws(real, clips_of(random, 12, shift=shift), weights, bootstrap_weights(12, random))
            for name, shift in shifts.items()
        }
        beside = found["matched"], found["white"], found["floor"]
        said.append([verdict_of(found[name], *beside) for name in ("same", "apart")])
    near, apart = zip(*said, strict=True)
    assert sum(one == "near: within the spread of real clips" for one in near) >= 45
    assert sum(one == "distinguishable, but nearer than noise of the same spectrum" for one in apart) >= 45


def test_two_clips_get_no_verdict():
    random = np.random.default_rng(0)
    real, other, made = (clips_of(random, 12) for _ in range(3))
    noises = (clips_of(random, 12, shift=3.0), clips_of(random, 12, shift=6.0))
    assert compare_sets(real, other, made, noises)[1] == "near: within the spread of real clips"
    assert compare_sets(real, other, made[:2], noises)[1] == "undecided: too few clips"


FREQUENCIES_HZ = np.random.default_rng(0).uniform(600.0, 1000.0, 12)


def test_sounds_of_a_kind_score_about_nothing_and_worse_ones_more_and_more():
    real = [gusts(seed) for seed in range(12)]

    def score(noise_level: float) -> float:
        return sound_distance(real, [gusts(s) + noise_level * noise(s + 100) for s in range(20, 32)], RATE)

    scores = [score(level) for level in (0.0, 0.1, 0.3, 1.0)]
    assert abs(scores[0]) < 40
    assert scores == sorted(scores) and scores[-1] > 10 * abs(scores[0])


def test_a_set_scores_nothing_or_less_against_itself():
    clips = [gusts(seed) for seed in range(5)]
    assert sound_distance(clips, clips, RATE) <= 0.0


def test_struck_sounds_shorter_than_a_window_are_scored():
    def struck(seed: int, frequency_hz: float) -> np.ndarray:
        time_s = TIME_S[: RATE // 2]
        sound = np.exp(-8 * time_s) * np.sin(2 * np.pi * frequency_hz * time_s) + 0.01 * noise(seed)[: RATE // 2]
        return sound.astype(np.float32)

    real = [struck(s, FREQUENCIES_HZ[s]) for s in range(6)]
    near = sound_distance(real, [struck(s, FREQUENCIES_HZ[s]) for s in range(6, 12)], RATE)
    far = sound_distance(real, [noise(s)[: RATE // 2] for s in range(6)], RATE)
    assert near < 0.5 * far


def test_the_best_correlation_is_that_of_the_best_lag():
    random = np.random.default_rng(0)
    short, long = random.random((1, 40)), random.random((1, 100))
    brute = max(np.corrcoef(short[0], long[0, lag : lag + 40])[0, 1] for lag in range(61))
    assert best_correlation(short, long) == pytest.approx(brute)
    assert best_correlation(long, short) == pytest.approx(brute)


def test_a_time_course_has_some_forty_values_a_second():
    course, rate_hz = time_course(noise(0), RATE)
    assert 40.0 <= rate_hz < 60.0 and course.shape[1] == pytest.approx(2.0 * rate_hz, abs=1)


def test_what_is_learnt_by_heart_is_nearer_than_held_out_clips():
    training, held_out = windows([noise(s) for s in range(5)]), windows([noise(s) for s in range(10, 15)])
    near, reference = (nearest_training_distance(clips, training) for clips in (training[:3], held_out))
    assert near == pytest.approx(0.0, abs=1e-3) and reference > 0.1


def test_copies_are_named_and_sounds_of_the_same_kind_are_not():
    training = {f"t{s}": gusts(s, 4.0, 6.0) for s in range(4)}
    held_out = {f"h{s}": gusts(s, 4.0, 4.0) for s in range(20, 24)}
    copy = 0.3 * training["t2"][RATE : RATE + 3 * RATE] + 0.1 * noise(99, 3.0)
    generated = {"copy": copy.astype(np.float32), "new": gusts(30, 4.0, 4.0)}
    found = find_copies(generated, held_out, training, RATE)
    assert [(one["clip"], one["training_clip"]) for one in found] == [("copy", "t2")]
    assert 0.9 < found[0]["correlation"] <= 1.0


@pytest.mark.parametrize("per_octave", [1.0, 2.0, 3.0])
def test_the_modulation_filters_share_all_movement_between_them(per_octave):
    rates_hz, _ = modulation_filters([0.0], per_octave)
    between_hz = np.geomspace(rates_hz[0], rates_hz[-1], 500)
    power = (modulation_filters(between_hz, per_octave)[1] ** 2).sum(axis=0)
    np.testing.assert_allclose(power, 1.0, atol=1e-12)
    np.testing.assert_allclose(modulation_filters(rates_hz, per_octave)[1], np.eye(len(rates_hz)), atol=1e-12)
    assert rates_hz[0] == 0.5 and rates_hz[-1] <= 100.0 < rates_hz[-1] * 2 ** (1 / per_octave)


def test_the_modulation_filters_let_a_still_envelope_pass_nowhere():
    assert not modulation_filters([0.0])[1].any()


@pytest.mark.parametrize("rate_hz", [2.0, 8.0, 32.0])
@pytest.mark.parametrize("frequency_hz", [1000.0, 4000.0])
def test_an_am_tone_moves_its_modulation_channel_in_its_band(rate_hz, frequency_hz):
    statistics = distances.auditory_texture(tone(frequency_hz, rate_hz, 0.5), RATE)
    centres_hz = centre_frequencies_hz(RATE, distances.LOWEST_BAND_HZ)
    band = int(np.abs(centres_hz - frequency_hz).argmin())
    by_rate = statistics["rates"].reshape(len(centres_hz), -1)[band]
    assert modulation_filters([0.0])[0][by_rate.argmax()] == pytest.approx(rate_hz)
    assert np.exp(by_rate.max()) > 0.7, "most of the band's movement, the rest at harmonics and beside it"


def test_the_spread_is_the_coefficient_of_variation_of_the_compressed_envelope():
    statistics = distances.auditory_texture(tone(1000.0, 4.0, 0.5), RATE)
    band = int(np.abs(centre_frequencies_hz(RATE, distances.LOWEST_BAND_HZ) - 1000.0).argmin())
    envelope = (1 + 0.5 * np.sin(2 * np.pi * 4.0 * TIME_S)) ** distances.COMPRESSION
    assert np.exp(statistics["spread"][0, band]) == pytest.approx(envelope.std() / envelope.mean() + 0.01, rel=0.02)


def test_bands_that_pulse_together_are_correlated_and_those_of_noise_are_not():
    together, apart = (
        distances.auditory_texture(sound.astype(np.float32), RATE)["together"][0, -40:].mean()
        for sound in (pulsed(1), noise(1))
    )
    assert together > 0.8 and abs(apart) < 0.15


def test_level_does_not_count():
    np.testing.assert_allclose(texture_features(pulsed(1), RATE), texture_features(0.01 * pulsed(1), RATE), atol=1e-3)


@pytest.mark.parametrize("seconds", [0.35, 1.0, 2.0, 3.1])
def test_clips_of_any_length_have_the_same_features_more_windows_at_most(seconds):
    rows = texture_features(noise(0, seconds), RATE)
    assert rows.shape == (max(1, int(np.ceil(seconds - 1))), texture_features(noise(0), RATE).shape[1])
    assert np.isfinite(rows).all()


def test_silence_and_clicks_have_finite_features():
    click = np.zeros(RATE, np.float32)
    click[100] = 1.0
    for sound in (np.zeros(RATE, np.float32), click):
        assert np.isfinite(texture_features(sound, RATE)).all()


def test_the_features_share_no_code_with_what_training_minimises():
    imported = {
        node.module for node in ast.walk(ast.parse(inspect.getsource(distances))) if isinstance(node, ast.ImportFrom)
    }
    assert imported and not imported & {"ctxaudio.signal.texture", "ctxaudio.signal.stft"}
