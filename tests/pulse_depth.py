"""The depth that pulses have at their rate, from their Fourier series: no code shared with what makes them."""

from __future__ import annotations

import math

from ctxaudio.modulation.profile import Rate


def expected_depth(rate: Rate) -> float:
    """What a fit at `rate_hz` finds in an envelope with this rate alone: the fundamental over the mean.

    Pulses are a rectangle smoothed by half a cosine, so their Fourier coefficient is a product of two.
    """
    if rate.pulse is None:
        return rate.depth
    duty = rate.pulse.duty
    ramp = min(rate.pulse.ramp_s * rate.rate_hz, duty, 1.0 - duty)
    smoothing = math.pi / 4 if abs(ramp - 0.5) < 1e-9 else math.cos(math.pi * ramp) / (1.0 - 4.0 * ramp**2)
    fundamental = 4.0 / math.pi * math.sin(math.pi * duty) * smoothing
    return rate.depth * fundamental / (1.0 + rate.depth * (2.0 * duty - 1.0))
