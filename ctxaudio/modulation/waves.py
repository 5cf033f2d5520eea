"""The waves of the envelope, for one running phase: a sine, or pulses with raised-cosine ramps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxaudio.modulation.profile import Pulse, Rate


def turning_factors(
    rates_hz: Tensor, sample_rate: int, start_sample: int, length: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """exp(iwn) of constant `rates_hz` `[K]` (float64) from `start_sample` on: factors `[K, rows]`, `[K, columns]`.

    With n = row * columns + column the whole is their outer product, so a weighted sum of K rates over T samples is
    one small matrix product of sqrt(T) rows and columns. Angles are worked out in float64: exact at any time.
    """
    columns = math.isqrt(max(length - 1, 0)) + 1
    rows = -(-length // columns)
    cycles = rates_hz[:, None] / sample_rate
    first = start_sample + columns * torch.arange(rows, device=rates_hz.device, dtype=torch.float64)
    down = 2.0 * math.pi * ((cycles * first) % 1.0)
    along = 2.0 * math.pi * (cycles * torch.arange(columns, device=rates_hz.device, dtype=torch.float64))
    kind = torch.promote_types(dtype, torch.complex64)
    return torch.polar(torch.ones_like(down), down).to(kind), torch.polar(torch.ones_like(along), along).to(kind)


def pulses(turns: Tensor, duty: float, ramp_turns: float) -> Tensor:
    """Pulses between -1 and 1 at `turns` (in cycles, any shape), centred on a quarter turn as the sine's crest is.

    >>> pulses(torch.tensor([0.25, 0.75]), duty=0.5, ramp_turns=0.1)
    tensor([ 1., -1.])
    """
    from_centre = ((turns - 0.25 + 0.5) % 1.0 - 0.5).abs()
    along_ramp = ((from_centre - (duty - ramp_turns) / 2.0) / max(ramp_turns, 1e-9)).clamp(0.0, 1.0)
    return torch.cos(math.pi * along_ramp)


def mean_and_variance(pulse: Pulse | None, rate_hz: float) -> tuple[float, float]:
    """Of a wave at `rate_hz` over whole cycles: (0, 1/2) for a sine.

    A raised-cosine ramp of width r has mean square 3r/8 where a step would have r/2.
    """
    if pulse is None:
        return 0.0, 0.5
    mean = 2.0 * pulse.duty - 1.0
    return mean, 1.0 - pulse.ramp_turns(rate_hz) - mean**2


def expected_depth(rate: Rate) -> float:
    """The depth that a fit at `rate_hz` finds in an envelope with this rate alone: the fundamental over the mean.

    >>> expected_depth(Rate(6.0, 0.5))
    0.5
    """
    if rate.pulse is None:
        return rate.depth
    mean, _ = mean_and_variance(rate.pulse, rate.rate_hz)
    return rate.depth * rate.pulse.fundamental(rate.rate_hz) / (1.0 + rate.depth * mean)


# How a jittered rate wanders: slow sines whose periods share no multiple, at phases that share none either.
_WANDER_HZ = (0.071, 0.127, 0.233, 0.419)
_WANDER_TURNS = (0.0, 0.382, 0.764, 0.146)


def wander(rate_hz: float, jitter: float, time_s: Tensor) -> Tensor:
    """Turns `[T]` to add to `rate_hz * time_s`, so that the momentary rate varies by `jitter` (relative, rms)."""
    turns = torch.zeros_like(time_s)
    for slow_hz, offset in zip(_WANDER_HZ, _WANDER_TURNS, strict=True):
        swing_hz = rate_hz * jitter * math.sqrt(2.0 / len(_WANDER_HZ))
        turns += swing_hz / (2.0 * math.pi * slow_hz) * torch.sin(2.0 * math.pi * (slow_hz * time_s + offset))
    return turns
