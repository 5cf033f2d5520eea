"""What synthetic sounds are made of: shaped noise, slow curves, random impulses, ringing modes, rooms.

All functions are pure in their `rng`: the same generator state gives the same samples, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len
from scipy.interpolate import CubicSpline
from scipy.signal import fftconvolve, lfilter

SAMPLE_RATE = 44100
Samples = npt.NDArray[np.float64]
Rng = np.random.Generator
OCTAVES_HZ = (31.0, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """One draw from `low`..`high`, uniform in its logarithm (pitches, sizes, decay times).

    >>> 20 <= log_uniform(np.random.default_rng(0), 20, 200) <= 200
    True
    """
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def shaped_noise(rng: Rng, length: int, levels_db: Mapping[float, float]) -> Samples:
    """Gaussian noise `[length]` of unit RMS whose spectrum goes through `levels_db` (frequency in Hz -> dB).

    Levels are interpolated on a logarithmic frequency axis and held beyond the first and last knot.
    """
    padded = next_fast_len(length, real=True)
    frequencies_hz = np.fft.rfftfreq(padded, 1 / SAMPLE_RATE)
    knots_hz = np.array(sorted(levels_db))
    levels = np.array([levels_db[knot] for knot in knots_hz])
    shape = 10 ** (np.interp(np.log(np.maximum(frequencies_hz, 1.0)), np.log(knots_hz), levels) / 20)
    spectrum = shape * (rng.standard_normal(shape.size) + 1j * rng.standard_normal(shape.size))
    spectrum[0] = 0.0
    noise = irfft(spectrum, padded)[:length]
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def octave_noise(rng: Rng, length: int, levels_db: Sequence[float], spread_db: float = 2.0) -> Samples:
    """`shaped_noise` from one level per octave of `OCTAVES_HZ`, each moved at random by `spread_db` (one sigma)."""
    moved = np.asarray(levels_db) + spread_db * rng.standard_normal(len(levels_db))
    return shaped_noise(rng, length, dict(zip(OCTAVES_HZ, moved.tolist(), strict=True)))


def band_noise(rng: Rng, length: int, low_hz: float, high_hz: float, slope_db: float = 24.0) -> Samples:
    """`shaped_noise` flat from `low_hz` to `high_hz`, falling by `slope_db` an octave outside."""
    knots = {low_hz / 8: -3 * slope_db, low_hz: 0.0, high_hz: 0.0, high_hz * 8: -3 * slope_db}
    return shaped_noise(rng, length, knots)


def slow_curve(rng: Rng, length: int, rate_hz: float) -> Samples:
    """A smooth random curve `[length]`, about zero mean and unit deviation, moving at about `rate_hz`."""
    knots = int(np.ceil(length / SAMPLE_RATE * 2 * rate_hz)) + 4
    spline = CubicSpline(np.arange(knots), rng.standard_normal(knots))
    return np.asarray(spline(1.0 + np.arange(length) * (2 * rate_hz / SAMPLE_RATE)))


def random_impulses(rng: Rng, length: int, rate_hz: float, spread: float) -> Samples:
    """Poisson impulses `[length]`, `rate_hz` a second, of either sign and log-normal size (`spread` is its sigma)."""
    count = int(rng.poisson(rate_hz * length / SAMPLE_RATE))
    sizes = rng.lognormal(0.0, spread, count) * rng.choice([-1.0, 1.0], count)
    return np.asarray(np.bincount(rng.integers(0, length, count), sizes, length), dtype=np.float64)


def impulses_at(times_s: Sequence[float] | Samples, sizes: Sequence[float] | Samples, length: int) -> Samples:
    """Impulses `[length]` of the given sizes; those that lie outside the clip are left out."""
    places = np.round(np.asarray(times_s, dtype=np.float64) * SAMPLE_RATE).astype(np.int64)
    inside = (places >= 0) & (places < length)
    inside_sizes = np.asarray(sizes, dtype=np.float64)[inside]
    return np.asarray(np.bincount(places[inside], inside_sizes, length), dtype=np.float64)


def ring(excitation: Samples, frequency_hz: float, decay_s: float) -> Samples:
    """A two-pole resonator: each impulse becomes a sine at `frequency_hz` that falls by 60 dB in `decay_s`.

    >>> struck = ring(np.eye(1, SAMPLE_RATE)[0], 1000.0, 0.5)
    >>> int(np.argmax(np.abs(np.fft.rfft(struck))))
    1000
    """
    radius = 10 ** (-3 / (decay_s * SAMPLE_RATE))
    angle = 2 * np.pi * frequency_hz / SAMPLE_RATE
    return np.asarray(lfilter([0.0, radius * np.sin(angle)], [1.0, -2 * radius * np.cos(angle), radius**2], excitation))


def shower(
    rng: Rng,
    length: int,
    rate_hz: float,
    band_hz: tuple[float, float],
    decay_s: tuple[float, float],
    spread: float,
    kinds: int = 16,
) -> Samples:
    """Many small random impacts, `[length]`: `kinds` resonances drawn from `band_hz` and `decay_s` share `rate_hz`."""
    total = np.zeros(length)
    for _ in range(kinds):
        impacts = random_impulses(rng, length, rate_hz / kinds, spread)
        total += ring(impacts, log_uniform(rng, *band_hz), log_uniform(rng, *decay_s))
    return total


def add_at(total: Samples, start_s: float, grain: Samples) -> None:
    """Add `grain` into `total` from `start_s` on, cutting what lies outside."""
    start = round(start_s * SAMPLE_RATE)
    grain = grain[max(0, -start) :]
    start = max(0, start)
    grain = grain[: max(0, total.size - start)]
    total[start : start + grain.size] += grain


def glide(frequency_hz: Samples) -> Samples:
    """Phase in cycles `[T]` of an oscillator whose frequency follows `frequency_hz` `[T]`."""
    return np.cumsum(frequency_hz) / SAMPLE_RATE


def harmonics(cycles: Samples, gains: Sequence[float] | Samples) -> Samples:
    """A periodic wave `[T]` at phase `cycles`: harmonic n+1 has gain `gains[n]`. One look-up in a table."""
    size = 8192
    orders = np.arange(1, len(gains) + 1)
    table = np.asarray(gains, dtype=np.float64) @ np.sin(2 * np.pi * np.outer(orders, np.arange(size) / size))
    return np.asarray(table[(cycles * size).astype(np.int64) % size])


def fade(length: int, attack_s: float, release_s: float) -> Samples:
    """A gain `[length]` that rises in `attack_s` and falls in `release_s` (raised cosines)."""
    seconds = np.arange(length) / SAMPLE_RATE
    rise = np.clip(seconds / attack_s, 0, 1)
    fall = np.clip((length / SAMPLE_RATE - seconds) / release_s, 0, 1)
    return 0.25 * (1 - np.cos(np.pi * rise)) * (1 - np.cos(np.pi * fall))


def room(rng: Rng, samples: Samples, decay_s: float, wet: float) -> Samples:
    """Add a room: exponentially decaying noise of `decay_s` (60 dB), `wet` times as loud as the dry sound."""
    seconds = np.arange(int(decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    tail = band_noise(rng, seconds.size, 150.0, 3500.0, 9.0) * 10 ** (-3 * seconds / decay_s)
    echoes = fftconvolve(samples, tail)[: samples.size]
    return samples + at_level(echoes, wet * rms(samples))


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def at_level(samples: Samples, level: float) -> Samples:
    """`samples` scaled to an RMS of `level`; silence stays silence."""
    now = rms(samples)
    return samples * (level / now) if now > 0 else samples


def bubbles(rng: Rng, length: int, rate_hz: float, radius_m: tuple[float, float], rise: float) -> Samples:
    """Rising damped sines, one a bubble, after van den Doel 2005 (doi:10.1145/1095878.1095883).

    A bubble of radius r rings at 3/r Hz and is damped by 0.13/r + 0.0072 r^-1.5 a second; `rise` is how fast
    its pitch goes up as it nears the surface, relative to the damping.
    """
    total = np.zeros(length)
    count = int(rng.poisson(rate_hz * length / SAMPLE_RATE))
    radii = np.exp(rng.uniform(np.log(radius_m[0]), np.log(radius_m[1]), count))
    damping = 0.13 / radii + 0.0072 * radii**-1.5
    sizes = rng.beta(0.7, 3.0, count) * radii**0.7
    slopes = rise * rng.uniform(0.0, 1.0, count) ** 2 * damping
    for start, radius, damped, size, slope in zip(
        rng.uniform(-0.05, length / SAMPLE_RATE, count), radii, damping, sizes, slopes, strict=True
    ):
        seconds = np.arange(int(5 / damped * SAMPLE_RATE)) / SAMPLE_RATE
        phase = 2 * np.pi * (3 / radius) * (seconds + 0.5 * slope * seconds**2)
        add_at(total, start, size * np.sin(phase) * np.exp(-damped * seconds))
    return total


def modes(
    rng: Rng,
    blows: Samples,
    base_hz: float,
    ratios: Sequence[float] | Samples,
    decay_s: float,
    damping: float,
    beat_hz: float,
    tilt: float = 0.3,
) -> Samples:
    """Ring `base_hz * ratios`, higher modes dying sooner (`ratio ** -damping`), each split in two that beat."""
    total = np.zeros(blows.size)
    for ratio in ratios:
        if base_hz * ratio > 0.45 * SAMPLE_RATE:
            continue
        lasts_s, gain = decay_s * float(ratio) ** -damping, rng.uniform(0.4, 1.0) * float(ratio) ** -tilt
        split_hz = beat_hz * rng.uniform(0.3, 1.0)
        total += gain * ring(blows, base_hz * ratio, lasts_s)
        total += 0.6 * gain * ring(blows, base_hz * ratio + split_hz, lasts_s)
    return total


def plucked(pitch_hz: float, length: int, decay_s: float, place: float, brightness: float) -> Samples:
    """A string plucked at `place` (0..1 of its length): harmonics sin(n pi place) / n, higher ones dying sooner."""
    orders = np.arange(1, min(18, int(0.4 * SAMPLE_RATE / pitch_hz)) + 1)
    blow = impulses_at([0.0], [1.0], length)
    total = np.zeros(length)
    for order in orders:
        gain = np.sin(np.pi * order * place) * float(order) ** (brightness - 1)
        stretched_hz = pitch_hz * order * np.sqrt(1 + 1e-4 * order**2)
        total += gain * ring(blow, stretched_hz, decay_s / order**0.7)
    return total
