"""A bank of modulation filters: how much of an envelope's movement lies at which rate, 0.5 to 100 Hz.

Constant-Q, as modulation sensitivity is (Dau et al. 1997, doi:10.1121/1.420344; McDermott & Simoncelli 2011, Neuron
71:926, doi:10.1016/j.neuron.2011.06.032: half-cosine filters, 0.5-200 Hz, Q = 2). Here the filters are half-cosines
of the logarithm of the rate, so that their squares add up to 1 between the lowest and the highest centre: no movement
is counted twice, and none is lost.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ctxaudio.signal.sinusoids import Array

LOWEST_HZ = 0.5
HIGHEST_HZ = 100.0


def modulation_rates_hz(per_octave: float = 2.0, low_hz: float = LOWEST_HZ, high_hz: float = HIGHEST_HZ) -> Array:
    """Centres `[M]` in hertz, `per_octave` of them an octave, from `low_hz` up to at most `high_hz`.

    >>> modulation_rates_hz(1.0)
    array([ 0.5,  1. ,  2. ,  4. ,  8. , 16. , 32. , 64. ])
    """
    count = int(np.floor(np.log2(high_hz / low_hz) * per_octave + 1e-9)) + 1
    return np.asarray(low_hz * 2.0 ** (np.arange(count) / per_octave))


def modulation_response(frequencies_hz: npt.ArrayLike, rates_hz: Array, per_octave: float = 2.0) -> Array:
    """Gain `[M, F]` of filters centred at `rates_hz` `[M]`, at `frequencies_hz` `[F]`: 1 at the centre, 0 at the next.

    >>> modulation_response([4.0, 4.0 * 2**0.25], modulation_rates_hz(2.0))[6:8].round(3)
    array([[1.   , 0.707],
           [0.   , 0.707]])
    """
    frequencies = np.asarray(frequencies_hz, dtype=np.float64)
    with np.errstate(divide="ignore"):
        steps = np.abs(np.log2(frequencies[None] / rates_hz[:, None])) * per_octave
    return np.asarray(np.where(steps < 1.0, np.cos(np.pi / 2 * np.minimum(steps, 1.0)), 0.0))
