"""How a spectrum moves: a few shapes that come and go, each with a course in time, and new courses like the old ones.

A texture is more than its average. Its log-magnitude moves in few ways (all bins together in a gust, the upper ones
in a drop), each with a course in time. `spectral_shapes` finds them. `rate_spectrum` and `innovations` describe a
course without keeping it, as a filter and what drives it: the filter with the course's rates whose response comes as
early as it can, and the distribution of what is fed into it, sparse and large where something strikes and then dies
away. `draw_courses` feeds new noise of that distribution into the filter. What the shapes leave over is noise, of
which a part is common to neighbouring bins, as in the bubbles of a stream: `patchiness` measures how much, noise times
`patches` is drawn for it. No moment of the recording returns, only how it moved.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Rates at which a course is described, from `LOWEST_RATE_HZ` to half the frame rate, evenly in octaves.
RATES = 16
LOWEST_RATE_HZ = 0.5

#: Quantiles that describe a distribution: those of a normal one at places evenly between -2.7 and 2.7 deviations.
QUANTILES = 13
FURTHEST = 2.7

#: How many times more than noise of the same size would move its largest shape, a shape must move to be one.
ABOVE_NOISE = 3.0

#: Mean and deviation of the logarithm of the magnitude of Gaussian noise of power 1.
MEAN_OF_NOISE, DEVIATION_OF_NOISE = -0.2886, 0.6413
VARIANCE_OF_NOISE = DEVIATION_OF_NOISE**2

#: Patches are so many bins wide. Bins further apart than the window's main lobe have nothing in common in noise.
PATCH = 17
PATCH_STEP = 4
BEYOND_THE_LOBE = 4
LARGEST_PATCHINESS = 0.8

POWER_ROUNDS = 5
SMALLEST = 1e-6


def spectral_shapes(log_magnitude: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `count` principal shapes of `[B, bins, frames]`, their courses, and what they leave over.

    Gives `shapes` `[B, R, bins]` in units of the logarithm, `courses` `[B, R, frames]` with mean 0 and deviation 1,
    largest shape first and pointing upwards on the whole, and `residual` `[B, bins, frames]`. By block power iteration
    (Halko et al. 2011, arXiv:0909.4061), which wants no more than a few products a clip.

    A shape that moves hardly more than the largest of noise would is 0, and what it moves is in the residual: drawn
    on its own, it would not be noise any more. (The largest of noise is at the edge of Marchenko & Pastur 1967.)
    """
    moving = log_magnitude - log_magnitude.mean(2, keepdim=True)
    _, bins, frames = moving.shape
    start = torch.rand(bins, count, generator=torch.Generator().manual_seed(0)).to(moving) - 0.5
    basis = moving.transpose(1, 2) @ start
    for _ in range(POWER_ROUNDS):
        basis, _ = torch.linalg.qr(moving.transpose(1, 2) @ (moving @ basis))
    within = moving @ basis
    _, turn = torch.linalg.eigh(within.transpose(1, 2) @ within)
    shapes = (within @ turn.flip(2)).transpose(1, 2) / frames**0.5
    courses = (basis @ turn.flip(2)).transpose(1, 2) * frames**0.5
    upwards = torch.where(shapes.sum(2, keepdim=True) < 0, -1.0, 1.0)
    variance = moving.square().mean((1, 2)).clamp_max(VARIANCE_OF_NOISE)  # a steady tone moves less than noise
    of_noise = variance[:, None, None] * (1.0 + (bins / frames) ** 0.5) ** 2
    kept = shapes.square().sum(2, keepdim=True) > ABOVE_NOISE * of_noise
    shapes, courses = kept * upwards * shapes, upwards * courses
    return shapes, courses, moving - shapes.transpose(1, 2) @ courses


def frame_levels(log_magnitude: Tensor) -> Tensor:
    """Natural logarithm of the magnitude of each frame over all bins: `[B, frames, bins]` to `[B, frames, 1]`.

    >>> round(float(frame_levels(torch.log(torch.tensor([[[3.0, 4.0]]]))).exp()), 4)
    5.0
    """
    return 0.5 * torch.logsumexp(2.0 * log_magnitude, 2, keepdim=True)


def patchiness(residual: Tensor) -> Tensor:
    """The share of the variance of `[B, bins, frames]` that neighbouring bins have in common: `[B, 1]`, 0 in noise."""
    # bins that hardly move, as those above a codec's edge, move together and must not count for much
    unit = residual * torch.rsqrt(residual.square().mean(2, keepdim=True) + 0.25 * VARIANCE_OF_NOISE)
    common = (unit[:, BEYOND_THE_LOBE:] * unit[:, :-BEYOND_THE_LOBE]).mean((1, 2))
    common = common / (unit.square().mean((1, 2)) + SMALLEST)
    bump = torch.hann_window(PATCH + 1, device=residual.device)
    expected = (bump[BEYOND_THE_LOBE:] * bump[:-BEYOND_THE_LOBE]).sum() / bump.square().sum()
    return (common / expected).clamp(0.0, LARGEST_PATCHINESS)[:, None]


def patches(bins: int) -> Tensor:
    """Matrix `[knots, bins]`: white noise `[..., knots]` times it has deviation 1 in each bin, and is common to bins
    within `PATCH`.

    >>> drawn = torch.randn(4000, patches(64).shape[0], generator=torch.Generator().manual_seed(0)) @ patches(64)
    >>> bool((drawn.std(0) - 1.0).abs().max() < 0.05)
    True
    """
    knots = torch.arange(-PATCH // 2, bins + PATCH // 2 + PATCH_STEP, PATCH_STEP)
    away = (torch.arange(bins) - knots[:, None]).abs() / ((PATCH + 1) / 2)
    bumps = torch.where(away < 1.0, 0.5 + 0.5 * torch.cos(math.pi * away), 0.0)
    return bumps / bumps.norm(dim=0)


def rate_spectrum(courses: Tensor, frame_rate: float) -> Tensor:
    """Natural logarithm of the power of `[..., frames]` at the `RATES`, each over a third of an octave: `[..., J]`."""
    frames = courses.shape[-1]
    power = torch.fft.rfft(courses).abs().square()[..., 1:] / frames
    rates_hz = torch.fft.rfftfreq(frames, 1.0 / frame_rate, device=courses.device)[1:]
    places = place_of_rate(rates_hz, frame_rate)[:, None] - torch.arange(RATES, device=courses.device)
    # a softmax, as at the lowest rates the nearest bin of a short course may be far away
    return torch.log(power @ torch.softmax(-2.0 * places.square(), dim=0) + SMALLEST)


def place_of_rate(rates_hz: Tensor, frame_rate: float) -> Tensor:
    """Where rates in hertz lie among the `RATES`, from 0 to `RATES - 1`."""
    octaves = math.log2(frame_rate / 2 / LOWEST_RATE_HZ)
    return torch.log2(rates_hz.clamp_min(SMALLEST) / LOWEST_RATE_HZ) / octaves * (RATES - 1)


def minimum_phase(rates: Tensor, frames: int, frame_rate: float) -> Tensor:
    """Transfer function `[..., frames//2+1]` with the power of a `rate_spectrum` `[..., J]`, 1 on average.

    Below the lowest rate the power is taken to go on as it is there. The phase is the Hilbert transform of the
    logarithm of the gain, by folding the cepstrum (Oppenheim & Schafer, Discrete-Time Signal Processing, ch. 13).
    """
    place = place_of_rate(torch.fft.rfftfreq(frames, 1.0 / frame_rate, device=rates.device), frame_rate)
    place = place.clamp(0, RATES - 1)
    left = place.floor().clamp_max(RATES - 2).long()
    log_gain = 0.5 * torch.lerp(rates[..., left], rates[..., left + 1], (place - left).to(rates))
    log_gain = log_gain - 0.5 * torch.log(torch.exp(2.0 * log_gain).mean(-1, keepdim=True))
    cepstrum = torch.fft.irfft(log_gain, frames)
    later = (frames - 1) // 2
    cepstrum[..., 1 : 1 + later] *= 2.0
    cepstrum[..., frames - later :] = 0.0
    return torch.exp(torch.fft.rfft(cepstrum))


def innovations(courses: Tensor, rates: Tensor, frame_rate: float) -> Tensor:
    """`QUANTILES` quantiles, of deviation 1, of what drives `[..., frames]` through its filter: `[..., Q]`."""
    frames = courses.shape[-1]
    driving = torch.fft.irfft(torch.fft.rfft(courses) / minimum_phase(rates, frames, frame_rate), frames)
    driving = driving * torch.rsqrt(driving.square().mean(-1, keepdim=True) + SMALLEST)
    places = torch.linspace(-FURTHEST, FURTHEST, QUANTILES, device=courses.device)
    return torch.quantile(driving, 0.5 * (1.0 + torch.erf(places / 2**0.5)), dim=-1).movedim(0, -1)


def draw_courses(rates: Tensor, quantiles: Tensor, white: Tensor, frame_rate: float) -> Tensor:
    """New courses `[B, R, frames]` of a `rate_spectrum` `[B, R, J]` and `innovations` `[B, R, Q]`, out of white noise.

    The courses have no mean, and go round: their end leads to their beginning.

    >>> white = torch.randn(1, 1, 2000, generator=torch.Generator().manual_seed(0))
    >>> flat, bounded = torch.zeros(1, 1, RATES), torch.linspace(-1, 1, QUANTILES).expand(1, 1, -1)
    >>> bool(draw_courses(flat, bounded, white, frame_rate=86.0).abs().max() <= 1.1)
    True
    """
    frames = white.shape[-1]
    place = (white.clamp(-FURTHEST, FURTHEST) + FURTHEST) * ((QUANTILES - 1) / (2 * FURTHEST))
    left = place.floor().clamp_max(QUANTILES - 2).long()
    driving = torch.lerp(quantiles.gather(2, left), quantiles.gather(2, left + 1), place - left)
    spectrum = torch.fft.rfft(driving) * minimum_phase(rates, frames, frame_rate)
    spectrum[..., 0] = 0.0  # the mean is not the course's to move
    return torch.fft.irfft(spectrum, frames)
