"""Texture statistics beside plain NumPy, their gradient, and what each of them is deaf to."""

import numpy as np
import pytest
import torch

from ctxaudio.model.texture import ASYMMETRY_LAGS, LAGS, LOWEST_OCTAVE_HZ, TextureStatistics

K, FRAME_RATE, FRAMES = 3, 43.0, 86


def some_courses(count: int, seed: int = 0) -> torch.Tensor:
    """Skewed noise that moves slowly, rises faster than it falls, and goes together."""
    random = np.random.default_rng(seed)
    driven = random.exponential(1.0, (count, K, FRAMES + 40))
    shape = np.exp(-np.arange(30) / 6.0)
    moving = np.apply_along_axis(lambda row: np.convolve(row, shape)[40 : 40 + FRAMES], 2, driven)
    moving[:, 1] += 0.5 * moving[:, 0]
    return torch.from_numpy(moving * random.uniform(0.5, 2.0, (count, K, 1)))


def by_hand(courses: np.ndarray) -> dict[str, np.ndarray]:
    """The statistics of one crop `[K, frames]`, as its docstring has them."""
    mean, moving = courses.mean(1), courses - courses.mean(1, keepdims=True)
    deviation = np.sqrt((moving**2).mean(1) + 1e-3)
    unit = moving / deviation[:, None]
    frames = courses.shape[1]
    energy, rates_hz = np.abs(np.fft.rfft(unit)) ** 2 / frames**2, np.fft.rfftfreq(frames, 1 / FRAME_RATE)
    octaves, low = [], LOWEST_OCTAVE_HZ
    while 2 * low < FRAME_RATE / 2:
        octaves.append(np.log(energy[:, (rates_hz >= low) & (rates_hz < 2 * low)].sum(1) + 1e-4))
        low *= 2
    pairs = [(i, j) for i in range(K) for j in range(i + 1, K)]
    square = unit**2 - 1
    return {
        "mean": mean,
        "deviation": np.log(deviation),
        "skewness": (unit**3).mean(1),
        "kurtosis": np.log((unit**4).mean(1) + 1),
        "octaves": np.concatenate(octaves),
        "autocorrelation": np.concatenate([(unit[:, lag:] * unit[:, :-lag]).mean(1) for lag in LAGS]),
        "asymmetry": np.concatenate([((unit[:, lag:] - unit[:, :-lag]) ** 3).mean(1) for lag in ASYMMETRY_LAGS]),
        "together": np.array([(unit[i] * unit[j]).mean() for i, j in pairs]),
        "together squared": np.array([(square[i] * square[j]).mean() for i, j in pairs]),
    }


def test_the_statistics_are_those_written_out():
    courses = some_courses(1)
    expected = by_hand(courses[0].numpy())
    found = TextureStatistics(K, FRAME_RATE, 4).raw(courses)[0]
    np.testing.assert_allclose(found, np.concatenate(list(expected.values())), rtol=1e-6, atol=1e-9)


def test_their_gradient_is_exact():
    statistics = TextureStatistics(2, 6.0, 2)
    courses = torch.randn(1, 2, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert torch.autograd.gradcheck(statistics.raw, courses)


def test_time_reversal_turns_the_asymmetry_round_and_leaves_all_else():
    statistics, courses = TextureStatistics(K, FRAME_RATE, 4), some_courses(2)
    forward, backward = statistics.raw(courses), statistics.raw(courses.flip(-1))
    parts = by_hand(courses[0].numpy())
    names = np.repeat(list(parts), [len(values) for values in parts.values()])
    odd = torch.from_numpy(names == "asymmetry")
    torch.testing.assert_close(backward[:, ~odd], forward[:, ~odd])
    torch.testing.assert_close(backward[:, odd], -forward[:, odd])
    assert float(forward[:, odd].abs().max()) > 0.05


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
    noise = torch.randn(60, K, 200, generator=torch.Generator().manual_seed(0))
    statistics.fit(noise[20:])
    pumping = 1 + 0.9 * torch.sin(2 * torch.pi * 4.0 * torch.arange(200) / FRAME_RATE)
    one, other, pumped = statistics(noise[:10]), statistics(noise[10:20]), statistics(noise[10:20] * pumping)
    assert (one - pumped).abs().mean() > 1.5 * (one - other).abs().mean()


def test_statistics_of_a_batch_are_those_of_each_crop_alone():
    statistics, courses = TextureStatistics(K, FRAME_RATE, 4), some_courses(3)
    torch.testing.assert_close(statistics.raw(courses), torch.cat([statistics.raw(c) for c in courses.split(1)]))
