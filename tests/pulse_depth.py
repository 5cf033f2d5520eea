"""The depth that pulses have at their rate, from their Fourier series: no code shared with what makes them."""

from __future__ import annotations

import math

from ctxaudio.modulation.profile import Rate


def expected_depth(rate: Rate) -> float:
    """What a fit at `rate_hz` finds in an envelope with this rate alone: the fundamental over the mean.

    Pulses are a rectangle smoothed by half a cosine, so their Fourier coefficient is a product of two.
    """
    if not rate.pulse:
        return rate.depth
    ramp = min(0.01 * rate.rate_hz, 0.5)
    smoothing = math.pi / 4 if abs(ramp - 0.5) < 1e-9 else math.cos(math.pi * ramp) / (1.0 - 4.0 * ramp**2)
    return rate.depth * 4.0 / math.pi * smoothing
