"""What synthetic sounds are made of: shaped noise, slow curves, random impulses, ringing modes, rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len
from scipy.interpolate import CubicSpline
from scipy.signal import fftconvolve, lfilter

SAMPLE_RATE = 44100
Samples = npt.NDArray[np.float64]
Floats = Sequence[float] | Samples
OCTAVES_HZ = (31.0, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)


class Sound:
    """The tools of a recipe: `rng` draws, in the order of the calls; what is made has `length` samples, at `seconds`.

    The same state of `rng` gives the same samples, bit for bit.
    """

    def __init__(self, rng: np.random.Generator, length: int) -> None:
        self.rng, self.length, self.duration_s = rng, length, length / SAMPLE_RATE
        self.seconds: Samples = np.arange(length) / SAMPLE_RATE
        self.uniform, self.integers = rng.uniform, rng.integers

    def lasting(self, duration_s: float) -> Sound:
        """The tools for a part of the sound (a grain, a note), which draw from the same `rng`."""
        return Sound(self.rng, int(duration_s * SAMPLE_RATE))

    def log_uniform(self, low: float, high: float) -> float:
        """One draw from `low`..`high`, uniform in its logarithm (pitches, sizes, decay times)."""
        return float(np.exp(self.uniform(np.log(low), np.log(high))))

    def noise(self, levels_db: Mapping[float, float]) -> Samples:
        """Gaussian noise of unit RMS whose spectrum goes through `levels_db` (Hz -> dB), linearly on a logarithmic axis
        of frequency; beyond the first and last it is level."""
        padded, (knots_hz, levels) = next_fast_len(self.length, real=True), np.array(sorted(levels_db.items())).T
        frequencies_hz = np.maximum(np.fft.rfftfreq(padded, 1 / SAMPLE_RATE), 1.0)
        shape = 10 ** (np.interp(np.log(frequencies_hz), np.log(knots_hz), levels) / 20)
        spectrum = shape * (self.rng.standard_normal(shape.size) + 1j * self.rng.standard_normal(shape.size))
        spectrum[0] = 0.0
        noise = irfft(spectrum, padded)[: self.length]
        return np.asarray(noise / rms(noise))

    def octaves(self, *levels_db: float, spread_db: float = 2.0) -> Samples:
        """`noise` from one level per octave of `OCTAVES_HZ`, each moved at random by `spread_db` (one sigma)."""
        moved = np.asarray(levels_db) + spread_db * self.rng.standard_normal(len(levels_db))
        return self.noise(dict(zip(OCTAVES_HZ, moved.tolist(), strict=True)))

    def band(self, low_hz: float, high_hz: float, slope_db: float = 24.0) -> Samples:
        """`noise` flat from `low_hz` to `high_hz`, falling by `slope_db` an octave outside."""
        return self.noise({low_hz / 8: -3 * slope_db, low_hz: 0.0, high_hz: 0.0, high_hz * 8: -3 * slope_db})

    def curve(self, rate_hz: float) -> Samples:
        """A smooth random curve, about zero mean and unit deviation, moving at about `rate_hz`."""
        knots = int(np.ceil(self.duration_s * 2 * rate_hz)) + 4
        spline = CubicSpline(np.arange(knots), self.rng.standard_normal(knots))
        return np.asarray(spline(1.0 + np.arange(self.length) * (2 * rate_hz / SAMPLE_RATE)))

    def impulses(self, rate_hz: float, spread: float) -> Samples:
        """Poisson impulses, `rate_hz` a second, of either sign and log-normal size (`spread` is its sigma)."""
        count = int(self.rng.poisson(rate_hz * self.length / SAMPLE_RATE))
        sizes = self.rng.lognormal(0.0, spread, count) * self.rng.choice([-1.0, 1.0], count)
        return np.asarray(np.bincount(self.integers(0, self.length, count), sizes, self.length), dtype=np.float64)

    def blows(self, times_s: Floats, sizes: Floats) -> Samples:
        """Impulses of the given sizes; those that lie outside the sound are left out."""
        places = np.round(np.asarray(times_s, dtype=np.float64) * SAMPLE_RATE).astype(np.int64)
        inside = (places >= 0) & (places < self.length)
        return np.bincount(places[inside], np.asarray(sizes)[inside], self.length).astype(np.float64)

    def shower(self, rate_hz: float, band_hz: Floats, decay_s: Floats, spread: float, kinds: int = 16) -> Samples:
        """Many small random impacts: `kinds` resonances drawn from `band_hz` and `decay_s` share `rate_hz`."""
        total = np.zeros(self.length)
        for _ in range(kinds):
            impacts = self.impulses(rate_hz / kinds, spread)
            total += ring(impacts, self.log_uniform(*band_hz), self.log_uniform(*decay_s))
        return total

    def bubbles(self, rate_hz: float, radius_m: Floats, rise: float) -> Samples:
        """Rising damped sines, one a bubble, after van den Doel 2005 (doi:10.1145/1095878.1095883).

        A bubble of radius r rings at 3/r Hz and is damped by 0.13/r + 0.0072 r^-1.5 a second; relative to this, `rise`
        is how fast its pitch goes up as it nears the surface.
        """
        total, count = np.zeros(self.length), int(self.rng.poisson(rate_hz * self.length / SAMPLE_RATE))
        radii = np.exp(self.uniform(np.log(radius_m[0]), np.log(radius_m[1]), count))
        damping = 0.13 / radii + 0.0072 * radii**-1.5
        sizes = self.rng.beta(0.7, 3.0, count) * radii**0.7
        slopes = rise * self.uniform(0.0, 1.0, count) ** 2 * damping
        starts_s = self.uniform(-0.05, self.duration_s, count)
        for start_s, radius, damped, size, slope in zip(starts_s, radii, damping, sizes, slopes, strict=True):
            seconds = self.lasting(5 / damped).seconds
            phase = 2 * np.pi * (3 / radius) * (seconds + 0.5 * slope * seconds**2)
            add_at(total, start_s, size * np.sin(phase) * np.exp(-damped * seconds))
        return total

    def modes(
        self, blows: Samples, base_hz: float, ratios: Floats, decay_s: float, damp: float, beat_hz: float, tilt: float
    ) -> Samples:
        """Ring `base_hz * ratios`, each split in two that beat; higher modes die sooner (`ratio ** -damp`) and are
        softer (`ratio ** -tilt`). (Seven parameters: one struck body has so many numbers.)"""
        total = np.zeros(blows.size)
        for ratio in ratios:
            if base_hz * ratio > 0.45 * SAMPLE_RATE:
                continue
            lasts_s, gain = decay_s * float(ratio) ** -damp, self.uniform(0.4, 1.0) * float(ratio) ** -tilt
            split_hz = beat_hz * self.uniform(0.3, 1.0)
            total += gain * ring(blows, base_hz * ratio, lasts_s)
            total += 0.6 * gain * ring(blows, base_hz * ratio + split_hz, lasts_s)
        return total

    def plucked(self, pitch_hz: float, decay_s: float, place: float, brightness: float) -> Samples:
        """A string plucked at `place` (0..1 of its length): harmonics sin(n pi place) / n, higher ones dying sooner."""
        blow, total = self.blows([0.0], [1.0]), np.zeros(self.length)
        for order in np.arange(1, min(18, int(0.4 * SAMPLE_RATE / pitch_hz)) + 1):
            gain = np.sin(np.pi * order * place) * float(order) ** (brightness - 1)
            total += gain * ring(blow, pitch_hz * order * np.sqrt(1 + 1e-4 * order**2), decay_s / order**0.7)
        return total

    def room(self, samples: Samples, decay_s: float, wet: float) -> Samples:
        """Add a room: exponentially decaying noise of `decay_s` (60 dB), `wet` times as loud as the dry sound."""
        tail = self.lasting(decay_s)
        echo = fftconvolve(samples, tail.band(150.0, 3500.0, 9.0) * 10 ** (-3 * tail.seconds / decay_s))
        return samples + at_level(echo[: samples.size], wet * rms(samples))

    def fade(self, attack_s: float, release_s: float) -> Samples:
        """A gain that rises in `attack_s` and falls in `release_s` (raised cosines)."""
        rise = np.clip(self.seconds / attack_s, 0, 1)
        fall = np.clip((self.duration_s - self.seconds) / release_s, 0, 1)
        return 0.25 * (1 - np.cos(np.pi * rise)) * (1 - np.cos(np.pi * fall))


def ring(excitation: Samples, frequency_hz: float, decay_s: float) -> Samples:
    """A two-pole resonator: each impulse becomes a sine at `frequency_hz` that falls by 60 dB in `decay_s`."""
    radius, angle = 10 ** (-3 / (decay_s * SAMPLE_RATE)), 2 * np.pi * frequency_hz / SAMPLE_RATE
    return np.asarray(lfilter([0.0, radius * np.sin(angle)], [1.0, -2 * radius * np.cos(angle), radius**2], excitation))


def add_at(total: Samples, start_s: float, grain: Samples) -> None:
    """Add `grain` into `total` from `start_s` on, cutting what lies outside."""
    start = round(start_s * SAMPLE_RATE)
    grain = grain[max(0, -start) : max(0, total.size - start)]
    total[max(0, start) :][: grain.size] += grain


def glide(frequency_hz: Samples) -> Samples:
    """Phase in cycles `[T]` of an oscillator whose frequency follows `frequency_hz` `[T]`."""
    return np.cumsum(frequency_hz) / SAMPLE_RATE


def harmonics(cycles: Samples, gains: Floats) -> Samples:
    """A periodic wave `[T]` at phase `cycles`: harmonic n+1 has gain `gains[n]`. One look-up in a table."""
    size, orders = 8192, np.arange(1, len(gains) + 1)
    table = np.asarray(gains, dtype=np.float64) @ np.sin(2 * np.pi * np.outer(orders, np.arange(size) / size))
    return np.asarray(table[(cycles * size).astype(np.int64) % size])


def rms(samples: npt.NDArray[np.floating[Any]]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def at_level(samples: Samples, level: float) -> Samples:
    """`samples` scaled to an RMS of `level`; silence stays silence."""
    now = rms(samples)
    return samples * (level / now) if now > 0 else samples
