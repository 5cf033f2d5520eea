"""How much of an audible frequency a sound holds: as a steady tone, and against its neighbourhood."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal

from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.envelope import Array, sinusoid_fits

NARROW_HZ = 5.0
NEIGHBOURHOOD_HZ = (10.0, 60.0)
LOWEST_DB = -200.0


def carrier_level_db(samples: npt.NDArray[np.floating], sample_rate: int, frequency_hz: float) -> float:
    """Level in dBFS of the steady sinusoid at exactly `frequency_hz` in `samples` `[T]`: 0 dB is amplitude 1.

    A least-squares fit, for tones: in noise it only shows chance and falls with length, so use
    `carrier_prominence_db` there. -200 dB at the lowest.

    Raises `CtxAudioError` for a frequency whose neighbourhood (60 Hz to either side) leaves 0..`sample_rate`/2.

    >>> t = np.arange(8000) / 8000
    >>> round(carrier_level_db(0.1 * np.sin(2 * np.pi * 432 * t), 8000, 432.0), 3)
    -20.0
    """
    _check_range(sample_rate, frequency_hz)
    wave = sinusoid_fits(samples, sample_rate, np.array([[frequency_hz]]))[0, 1]
    return float(20.0 * np.log10(max(2.0 * abs(wave), 10.0 ** (LOWEST_DB / 20.0))))


def carrier_prominence_db(samples: npt.NDArray[np.floating], sample_rate: int, frequency_hz: float) -> float:
    """Power density within 5 Hz of `frequency_hz` over that 10 to 60 Hz away, in dB; around 0 for plain noise.

    The neighbourhood counts by its median, so that one partial in it doesn't hide the carrier; dividing by ln 2
    turns the median of a noise spectrum (exponentially distributed) into its mean. `samples` is `[T]`; 0.0 where
    the neighbourhood and the carrier are both silent. Raises `CtxAudioError` as `carrier_level_db`.
    """
    return carrier_prominences_db(samples, sample_rate, [frequency_hz])[0]


def carrier_prominences_db(
    samples: npt.NDArray[np.floating], sample_rate: int, frequencies_hz: Sequence[float]
) -> tuple[float, ...]:
    """`carrier_prominence_db` at each of `frequencies_hz`, from one spectrum."""
    for frequency_hz in frequencies_hz:
        _check_range(sample_rate, frequency_hz)
    window = _hann(len(samples))
    # Scaled as a one-sided power density, so that the lowest level means the same for any length.
    power = np.abs(scipy.fft.rfft((samples - samples.mean()) * window)) ** 2 * (2.0 / (sample_rate * (window**2).sum()))
    lowest = 10.0 ** (LOWEST_DB / 10.0)
    found = []
    for frequency_hz in frequencies_hz:
        away_hz = np.abs(np.arange(len(power)) * (sample_rate / len(samples)) - frequency_hz)
        inside = power[away_hz <= NARROW_HZ].mean()
        outside = np.median(power[(away_hz >= NEIGHBOURHOOD_HZ[0]) & (away_hz <= NEIGHBOURHOOD_HZ[1])]) / np.log(2.0)
        found.append(float(10.0 * np.log10(max(inside, lowest) / max(outside, lowest))))
    return tuple(found)


@lru_cache(maxsize=2)
def _hann(length: int) -> Array:
    return np.asarray(scipy.signal.windows.hann(length, sym=False))


def _check_range(sample_rate: int, frequency_hz: float) -> None:
    if not NEIGHBOURHOOD_HZ[1] <= frequency_hz <= sample_rate / 2 - NEIGHBOURHOOD_HZ[1]:
        raise CtxAudioError(
            f"carrier {frequency_hz:g} Hz with {NEIGHBOURHOOD_HZ[1]:g} Hz to either side doesn't fit between 0 and "
            f"{sample_rate / 2:g} Hz: use a higher sample rate"
        )
