"""Rates of courses: measured as a periodogram has them, imposed without a shift in time, differentiable. Texture
statistics beside plain NumPy, their gradient, and what each of them is deaf to."""

import math

import numpy as np
import pytest
import scipy.signal
import torch

from ctxaudio.model.courses import (
    ASYMMETRY_LAGS,
    BANDS,
    FIRST,
    JOINT_LAGS,
    LAGS,
    LARGEST_GAIN,
    LOWEST_OCTAVE_HZ,
    TextureStatistics,
    course_rates,
    impose_rates,
    rate_bands,
)
from ctxaudio.model.generator import unit_courses

K, FRAME_RATE, FRAMES = 3, 43.0, 86


def some_courses(count: int, seed: int = 0, courses: int = K) -> torch.Tensor:
    """Skewed noise that moves slowly, rises faster than it falls, and goes together; of mean 0 and deviation 1."""
    random = np.random.default_rng(seed)
    driven = random.exponential(1.0, (count, courses, FRAMES + 40))
    shape = np.exp(-np.arange(30) / 6.0)
    moving = np.apply_along_axis(lambda row: np.convolve(row, shape)[40 : 40 + FRAMES], 2, driven)
    moving[:, 1] += 0.5 * moving[:, 0]
    moving -= moving.mean(-1, keepdims=True)
    return torch.from_numpy(moving / moving.std(-1, keepdims=True))


def by_hand(courses: np.ndarray) -> dict[str, np.ndarray]:
    """The statistics of one crop `[R, frames]`, as the docstrings have them."""
    count, frames = courses.shape
    energy, rates_hz = np.abs(np.fft.rfft(courses)) ** 2 / frames**2, np.fft.rfftfreq(frames, 1 / FRAME_RATE)
    octaves, low = {}, LOWEST_OCTAVE_HZ
    while 2 * low < FRAME_RATE / 2:
        octaves[f"octave from {low} Hz"] = np.log(energy[:, (rates_hz >= low) & (rates_hz < 2 * low)].sum(1) + 1e-4)
        low *= 2
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    ordered = [(i, j) for i in range(min(count, FIRST)) for j in range(min(count, FIRST)) if i != j]
    square = courses**2 - 1
    return {
        "skewness": (courses**3).mean(1),
        "kurtosis": np.log((courses**4).mean(1) + 1),
        **octaves,
        **{f"autocorrelation at {lag}": (courses * np.roll(courses, lag, 1)).mean(1) for lag in LAGS},
        **{f"asymmetry at {lag}": ((courses[:, lag:] - courses[:, :-lag]) ** 3).mean(1) for lag in ASYMMETRY_LAGS},
        "together": np.array([(courses[i] * courses[j]).mean() for i, j in pairs]),
        "together squared": np.array([(square[i] * square[j]).mean() for i, j in pairs]),
        **{
            f"one {lag} after the other": np.array(
                [(courses[i, :-lag] * courses[j, lag:]).sum() / frames for i, j in ordered]
            )
            for lag in JOINT_LAGS
        },
    }


def kinds_of(statistics: TextureStatistics, courses: torch.Tensor) -> list[torch.Tensor]:
    return [kind for family in statistics.families(courses) for kind in family]


@pytest.mark.parametrize("count", [K, FIRST + 2])
def test_the_statistics_are_those_written_out(count: int):
    courses = some_courses(1, courses=count)
    statistics = TextureStatistics(count, FRAME_RATE, 4)
    expected = by_hand(courses[0].numpy())
    np.testing.assert_allclose(
        statistics.raw(courses)[0], np.concatenate(list(expected.values())), rtol=1e-6, atol=1e-9
    )
    for found, wanted in zip(kinds_of(statistics, courses), expected.values(), strict=True):
        np.testing.assert_allclose(found[0], wanted, rtol=1e-6, atol=1e-9)


def family(name: str) -> str:
    """Which of the four a kind of statistic is of."""
    if name in ("skewness", "kurtosis"):
        return "distribution"
    if name.startswith(("octave", "autocorrelation")):
        return "speed"
    return "asymmetry" if name.startswith("asymmetry") else "joint"


def test_every_family_counts_the_same_and_in_it_every_kind_and_the_mean_weight_is_1():
    statistics = TextureStatistics(K, FRAME_RATE, 4)
    expected = by_hand(some_courses(1)[0].numpy())
    sizes = [len(values) for values in expected.values()]
    assert len(set(sizes)) > 1
    shares: dict[str, list[float]] = {}
    for name, part in zip(expected, statistics.weight.split(sizes), strict=True):
        shares.setdefault(family(name), []).append(float(part.sum()))
    assert [len(f) for f in statistics.families(some_courses(1))] == [len(kinds) for kinds in shares.values()]
    for kinds in shares.values():
        assert kinds == pytest.approx([sum(sizes) / 4 / len(kinds)] * len(kinds), rel=1e-4)
    assert float(statistics.weight.mean()) == pytest.approx(1.0)
    assert "weight" not in statistics.state_dict()


def test_the_lagged_moments_tell_which_course_moves_first():
    random = torch.Generator().manual_seed(0)
    first = torch.randn(400, generator=random)
    follows = torch.stack([first, torch.roll(first, 4)])[None]
    names = list(by_hand(some_courses(1, courses=2)[0].numpy()))
    kind = kinds_of(TextureStatistics(2, FRAME_RATE, 2), follows)[names.index("one 4 after the other")][0]
    assert float(kind[0]) > 0.8 and abs(float(kind[1])) < 0.15


def test_their_gradient_is_exact():
    statistics = TextureStatistics(2, 26.0, 2)
    courses = torch.randn(1, 2, 52, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(statistics.raw, courses)


def test_time_reversal_turns_asymmetry_and_order_round_and_leaves_all_else():
    statistics, courses = TextureStatistics(K, FRAME_RATE, 4), some_courses(2)
    names = list(by_hand(courses[0].numpy()))
    swapped = [2, 4, 0, 5, 1, 3]  # of the pairs 01, 02, 10, 12, 20, 21
    largest = 0.0
    for name, forward, backward in zip(
        names, kinds_of(statistics, courses), kinds_of(statistics, courses.flip(-1)), strict=True
    ):
        if name.startswith("asymmetry"):
            largest = max(largest, float(forward.abs().max()))
            torch.testing.assert_close(backward, -forward)
        elif name.endswith("after the other"):
            torch.testing.assert_close(backward, forward[:, swapped])
            assert not torch.allclose(backward, forward, atol=0.01)
        else:
            torch.testing.assert_close(backward, forward)
    assert largest > 0.05


def test_over_the_crops_fitted_to_statistics_are_normalised_and_the_code_is_white():
    statistics, courses = TextureStatistics(K, FRAME_RATE, 4).double(), some_courses(200)
    statistics.fit(courses)
    found = statistics(courses)
    torch.testing.assert_close(found.mean(0), torch.zeros_like(found[0]), rtol=0, atol=1e-9)
    assert float((found.std(0) - 1).abs().median()) < 1e-6
    code = statistics.code(found)
    torch.testing.assert_close(code.square().mean(0), torch.ones(4, dtype=torch.float64), rtol=0.03, atol=0)
    together = code.T @ code / len(code)
    assert float((together - together.diag().diag()).abs().max()) < 0.05


def test_with_fewer_crops_than_numbers_the_last_of_the_code_are_0():
    statistics = TextureStatistics(K, FRAME_RATE, 6)
    courses = some_courses(4).float()
    statistics.fit(courses)
    code = statistics.code(statistics(courses))
    assert bool(code.isfinite().all()) and code[:, 3:].count_nonzero() == 0 and code[:, 0].count_nonzero() == 4


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_statistics_and_their_gradients_are_finite_where_nothing_moves(value):
    courses = torch.full((2, K, FRAMES), value, requires_grad=True)
    found = TextureStatistics(K, FRAME_RATE, 4).raw(courses)
    found.sum().backward()
    assert bool(found.isfinite().all()) and bool(courses.grad.isfinite().all())


def test_two_takes_of_a_texture_are_nearer_than_two_textures():
    statistics = TextureStatistics(K, FRAME_RATE, 4)
    noise = unit_courses(torch.randn(60, K, 200, generator=torch.Generator().manual_seed(0)))
    statistics.fit(noise[20:])
    pumping = torch.sin(2 * torch.pi * 4.0 * torch.arange(200) / FRAME_RATE)  # of logarithms, to which gain is added
    takes = noise[:10], noise[10:20], unit_courses(noise[10:20] + pumping)
    one, other, pumped = map(statistics, takes)
    assert (one - pumped).abs().mean() > 1.5 * (one - other).abs().mean()


def test_statistics_of_a_batch_are_those_of_each_crop_alone():
    statistics, courses = TextureStatistics(K, FRAME_RATE, 4), some_courses(3)
    torch.testing.assert_close(statistics.raw(courses), torch.cat([statistics.raw(c) for c in courses.split(1)]))


def test_they_need_a_cycle_of_the_slowest_rate_and_more_frames_than_the_longest_lag():
    statistics = TextureStatistics(K, 26.0, 4)
    assert max(LAGS) == 48
    for frames in (49, 52, 400):
        assert statistics.raw(torch.randn(1, K, frames)).shape == (1, len(statistics.mean))
    with pytest.raises(IndexError):
        statistics.raw(torch.randn(1, K, 48))


def test_they_do_not_care_when_in_a_crop_a_thing_happens():
    """Moments and movement are of the crop turned round in time, but for what a seam adds."""
    statistics, courses = TextureStatistics(K, FRAME_RATE, 4), some_courses(1)
    names = list(by_hand(courses[0].numpy()))
    for name, plain, turned in zip(
        names, kinds_of(statistics, courses), kinds_of(statistics, torch.roll(courses, 20, -1)), strict=True
    ):
        if not name.startswith(("asymmetry", "one ")):
            torch.testing.assert_close(turned, plain, rtol=1e-9, atol=1e-12, msg=name)


HOPS_A_SECOND = 22050 / 128


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_rates_are_the_band_means_of_the_periodogram_of_the_mirrored_courses():
    courses = noise(2, 3, 400)
    there_and_back = np.concatenate([courses.numpy(), courses.numpy()[..., ::-1]], axis=-1)
    _, density = scipy.signal.periodogram(there_and_back, HOPS_A_SECOND, detrend=False, return_onesided=False)
    power = density[..., :401] * HOPS_A_SECOND  # of white noise of variance 1, 1 in every bin
    bands = rate_bands(401, HOPS_A_SECOND).numpy()
    expected = np.log(power @ bands / bands.sum(0))
    np.testing.assert_allclose(course_rates(courses, HOPS_A_SECOND).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_a_jump_from_the_end_to_the_start_is_not_fast():
    drift = torch.linspace(-1.7, 1.7, 345)[None, None]
    rates = course_rates(drift, HOPS_A_SECOND)[0, 0]
    assert float(rates[0]) > 2.0 and float(rates[8:].max()) < -4.0


@pytest.mark.parametrize("frames", [345, 690, 1895])
def test_imposed_rates_are_found_again(frames):
    t = torch.arange(345) / HOPS_A_SECOND
    purring = noise(2, 4, 345, seed=1) * (1.0 + torch.cos(2 * math.pi * 25.0 * t)) + torch.cos(2 * math.pi * 25.0 * t)
    purring = purring / purring.std(-1, keepdim=True)
    wanted = course_rates(purring, HOPS_A_SECOND)
    made = impose_rates(noise(2, 4, frames, seed=2), wanted, HOPS_A_SECOND)
    found = course_rates(made, HOPS_A_SECOND)
    before = (course_rates(noise(2, 4, frames, seed=2), HOPS_A_SECOND) - wanted).abs().mean()
    assert float((found - wanted).abs().mean()) < 0.2 < 0.5 * float(before)
    peak_hz = np.fft.rfftfreq(frames, 1 / HOPS_A_SECOND)[np.abs(np.fft.rfft(made.numpy())).mean((0, 1)).argmax()]
    assert abs(peak_hz - 25.0) < 4.0


def test_courses_that_have_their_rates_stay_and_events_keep_their_time():
    courses = noise(1, 2, 400)
    courses[0, 0, 200] = 20.0
    same = impose_rates(courses, course_rates(courses, HOPS_A_SECOND), HOPS_A_SECOND)
    torch.testing.assert_close(same, courses, rtol=0, atol=1e-4)
    slower = impose_rates(courses, torch.linspace(2.0, -2.0, BANDS).expand(1, 2, BANDS), HOPS_A_SECOND)
    assert int(slower[0, 0].argmax()) == 200


def test_nothing_is_raised_from_nothing():
    silent = torch.zeros(1, 1, 345)
    assert float(impose_rates(silent, torch.zeros(1, 1, BANDS), HOPS_A_SECOND).abs().max()) == 0.0
    slow = torch.cos(2 * math.pi * 2.0 * torch.arange(345) / HOPS_A_SECOND)[None, None]
    raised = impose_rates(slow, torch.full((1, 1, BANDS), 20.0), HOPS_A_SECOND)
    assert float(raised.abs().max()) <= LARGEST_GAIN * 1.5


def test_gradients_reach_courses_and_rates():
    courses, rates = noise(1, 2, 48).double().requires_grad_(), noise(1, 2, BANDS, seed=3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda c, r: impose_rates(c, r, HOPS_A_SECOND), (courses, rates), atol=1e-4)
