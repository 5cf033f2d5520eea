"""Shapes are principal components, and drawn courses have the rates and the distribution they were asked for."""

import pytest
import torch

from ctxaudio.signal.movement import (
    QUANTILES,
    RATES,
    draw_courses,
    innovations,
    minimum_phase,
    patches,
    patchiness,
    place_of_rate,
    rate_spectrum,
    spectral_shapes,
)
from ctxaudio.signal.stft import log_power

FRAME_RATE = 86.13
FRAMES = 173


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moving(strengths: tuple[float, ...], bins: int = 60, noise: float = 0.05) -> torch.Tensor:
    """`[2, bins, frames]`: as many shapes as strengths, and noise."""
    shapes = torch.linalg.qr(torch.randn(2, bins, len(strengths), generator=random(1))).Q * torch.tensor(strengths)
    courses = torch.randn(2, len(strengths), FRAMES, generator=random(2))
    return -3.0 + shapes @ courses + noise * torch.randn(2, bins, FRAMES, generator=random(3))


def test_shapes_are_the_principal_components_of_the_singular_value_decomposition():
    levels = moving((9.0, 7.0, 5.0))
    shapes, courses, residual = spectral_shapes(levels, 3)
    centred = levels - levels.mean(2, keepdim=True)
    left, strengths, _ = torch.linalg.svd(centred, full_matrices=False)
    torch.testing.assert_close(shapes.norm(dim=2), strengths[:, :3] / FRAMES**0.5, rtol=1e-3, atol=1e-4)
    along = torch.einsum("brk,bkr->br", shapes / shapes.norm(dim=2, keepdim=True), left[:, :, :3]).abs()
    torch.testing.assert_close(along, torch.ones(2, 3), rtol=0, atol=1e-3)
    assert bool((shapes.sum(2) >= 0).all()), "a course that rises makes the sound louder on the whole"
    closest = strengths[:, 3:].square().sum(1).sqrt()
    torch.testing.assert_close((centred - shapes.transpose(1, 2) @ courses).flatten(1).norm(dim=1), closest)
    torch.testing.assert_close(residual.flatten(1).norm(dim=1), closest)


def test_shapes_and_residual_have_the_variance_between_them():
    levels = moving((9.0, 7.0, 1.5, 1.0))
    shapes, courses, left = spectral_shapes(levels, 2)
    residual = left.square().mean(2).sqrt()
    variance = levels.var(2, correction=0)
    torch.testing.assert_close(shapes.square().sum(1) + residual.square(), variance, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(courses.std(2, correction=0), torch.ones(2, 2), rtol=1e-3, atol=0)
    torch.testing.assert_close(courses.mean(2), torch.zeros(2, 2), rtol=0, atol=1e-3)


@pytest.mark.parametrize("level", [0.0, -9.2])
def test_what_stands_still_has_no_shapes(level):
    shapes, courses, residual = spectral_shapes(torch.full((1, 60, FRAMES), level), 4)
    assert (
        float(shapes.abs().max()) < 1e-4 and float(residual.abs().max()) < 1e-3 and float(patchiness(residual)) < 1e-3
    )
    rates = rate_spectrum(courses, FRAME_RATE)
    described = rates, innovations(courses, rates, FRAME_RATE)
    assert all(bool(numbers.isfinite().all()) for numbers in described)
    assert bool(draw_courses(*described, torch.randn(1, 4, 50, generator=random()), FRAME_RATE).isfinite().all())


def test_noise_has_no_shapes_and_is_not_patchy():
    level = 0.5 * log_power(torch.randn(4, 44100, generator=random(7)), 512, 256)
    shapes, _, residual = spectral_shapes(level, 4)
    assert float(shapes.abs().max()) == 0.0
    assert float(patchiness(residual).max()) < 0.02


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_the_share_of_patches_is_found(share):
    basis = patches(257)
    field = torch.randn(2, FRAMES, len(basis), generator=random(8)) @ basis
    alone = torch.randn(field.shape, generator=random(9))
    mixed = (share**0.5 * field + (1 - share) ** 0.5 * alone).transpose(1, 2)
    torch.testing.assert_close(patchiness(mixed), torch.full((2, 1), share), rtol=0.1, atol=0.02)


@pytest.mark.parametrize("rate_hz", [1.5, 6.0, 20.0])
def test_a_rate_stands_out_where_it_is(rate_hz):
    time_s = torch.arange(FRAMES) / FRAME_RATE
    spectrum = rate_spectrum(torch.cos(6.2832 * rate_hz * time_s), FRAME_RATE)
    assert abs(int(spectrum.argmax()) - float(place_of_rate(torch.tensor(rate_hz), FRAME_RATE))) <= 0.75


def described(course: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rates = rate_spectrum(course, FRAME_RATE)[None, None]
    return rates, innovations(course[None, None], rates, FRAME_RATE)


def skewness(course: torch.Tensor) -> float:
    return float(((course - course.mean()) / course.std()).pow(3).mean())


def a_course(slow: bool, struck: bool) -> torch.Tensor:
    """Noise, or rare strokes; `slow`: of which each dies away in 20 frames."""
    course = torch.randn(40 * FRAMES, generator=random(4))
    if struck:
        course = (course > 2.0) * course
    if slow:
        dying = torch.exp(-torch.arange(120) / 20.0)
        course = torch.nn.functional.conv1d(course[None, None], dying.flip(0)[None, None], padding=119)[0, 0]
        course = course[: 40 * FRAMES]
    return (course - course.mean()) / course.std()


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("struck", [False, True])
def test_a_drawn_course_moves_as_the_described_one_and_is_another(slow, struck):
    course = a_course(slow, struck)
    white = torch.randn(1, 1, len(course), generator=random(5))
    drawn = draw_courses(*described(course), white, FRAME_RATE)[0, 0]
    wanted, got = rate_spectrum(course, FRAME_RATE), rate_spectrum(drawn, FRAME_RATE)
    loud = wanted > wanted.max() - 3.0
    torch.testing.assert_close(got[loud], wanted[loud], rtol=0, atol=0.8)
    assert float(drawn.std()) == pytest.approx(1.0, abs=0.25)
    assert (skewness(drawn) > 1.0) if struck else (abs(skewness(drawn)) < 0.4)
    assert abs(float(torch.corrcoef(torch.stack([course, drawn]))[0, 1])) < 0.15


def test_strokes_rise_at_once_and_die_away_slowly_as_they_do_in_the_described_course():
    course = a_course(slow=True, struck=True)
    white = torch.randn(1, 1, len(course), generator=random(5))
    drawn = draw_courses(*described(course), white, FRAME_RATE)[0, 0]
    assert skewness(course.diff()) > 3.0 and skewness(course.flip(0).diff()) < -3.0
    assert skewness(drawn.diff()) > 3.0


def test_the_filter_has_the_gain_of_the_rates_and_is_causal():
    rates = torch.linspace(2.0, -6.0, RATES)[None, None]
    response = minimum_phase(rates, 2048, FRAME_RATE)
    hz = torch.fft.rfftfreq(2048, 1 / FRAME_RATE)
    places = place_of_rate(hz[1:], FRAME_RATE)
    inside = (places >= 0) & (places <= RATES - 1)
    slope = torch.log(response[0, 0, 1:].abs().square())[inside] - (2.0 - 8.0 * places[inside] / (RATES - 1))
    torch.testing.assert_close(slope, slope.mean().expand_as(slope), rtol=0, atol=1e-3)
    assert float(response.abs().square().mean()) == pytest.approx(1.0, abs=0.01)
    impulse = torch.fft.irfft(response[0, 0], 2048)
    assert float(impulse[1024:].square().sum()) < 0.01 * float(impulse[:1024].square().sum())
    assert int(impulse.abs().argmax()) <= 2


def test_a_longer_course_than_the_described_one_moves_at_the_same_rates():
    course = a_course(slow=True, struck=False)[:FRAMES]
    white = torch.randn(1, 1, 30 * FRAMES, generator=random(6))
    drawn = draw_courses(*described(course), white, FRAME_RATE)[0, 0]
    assert int(rate_spectrum(drawn, FRAME_RATE).argmax()) <= 5
    assert float(drawn.std()) == pytest.approx(float(course.std()), rel=0.25)


def test_descriptions_have_the_sizes_a_style_bank_keeps():
    courses = torch.randn(3, 5, FRAMES, generator=random())
    rates = rate_spectrum(courses, FRAME_RATE)
    assert rates.shape == (3, 5, RATES)
    assert innovations(courses, rates, FRAME_RATE).shape == (3, 5, QUANTILES)
