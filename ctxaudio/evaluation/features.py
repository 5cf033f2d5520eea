"""Features of a sound in windows: auditory texture statistics without trained weights.

After McDermott & Simoncelli 2011 (Neuron 71:926, doi:10.1016/j.neuron.2011.06.032): envelopes of a gammatone bank,
compressed to the power 0.3; their moments; the power of a constant-Q modulation filter bank in each band; correlations
between bands, overall and by rate. No code is shared with the statistics that training minimises: those would flatter
the generator. How sets of sound rank by these features was compared with a trained tagger
(`tests/benchmarks/ranking.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from ctxaudio.files import FloatArray
from ctxaudio.signal.envelope import Array, band_envelopes, centre_frequencies_hz, modulation_filters
from ctxaudio.workers import one_blas_thread

LOWEST_BAND_HZ = 60.0
COMPRESSION = 0.3
RMS = 0.05
#: Compressed envelopes under this are silence: some 70 dB below the level that clips are brought to.
FLOOR = 1e-5
#: Distances in bands at which envelopes are correlated, and modulation bands an octave wide.
NEIGHBOURS = (1, 2, 3, 5, 8, 11, 16, 21)
MODULATION_NEIGHBOURS = (1, 2, 5)
PER_OCTAVE = 2.0
STILL = 1e-7
#: Windows, not clips, are compared: so a clip's length does not show in its features.
WINDOW_S = 2.0
#: Root mean square deviation of each kind of statistic among real windows of one label, over seven labels.
TYPICAL_DEVIATION = {
    "level": 0.23,
    "spread": 0.17,
    "skew": 0.46,
    "kurtosis": 0.25,
    "rates": 0.67,
    "together": 0.13,
    "together_at_rates": 0.30,
}


def texture_features(clip: FloatArray, sample_rate: int) -> Array:
    """Features `[n, K]` of the `n` windows of a clip `[T]`, one window of a short one; K is the same for all clips.

    Each kind of statistic is divided by its typical deviation, and counts alike however many members it has; nothing
    is fitted to the real clips at hand, of which there may be three. Raises `CtxAudioError` as `auditory_texture`.
    """
    kinds = auditory_texture(clip, sample_rate, WINDOW_S)
    alike = [values / (TYPICAL_DEVIATION[name] * np.sqrt(values.shape[1])) for name, values in kinds.items()]
    return np.concatenate(alike, axis=1)


def auditory_texture(samples: FloatArray, sample_rate: int, window_s: float) -> Mapping[str, Array]:
    """Statistics by name, each `[n, size]`, of `n` windows of `window_s` of `samples` `[T]`, half overlapping.

    All sounds are taken at the same level: loudness does not count. A sound shorter than a window is repeated until
    it fills one. `level` is the logarithm of each band's mean envelope, `spread` of its coefficient of variation,
    `skew` and `kurtosis` the shape of its values, `rates` the logarithm of the share of each modulation filter,
    `together` correlations between bands, `together_at_rates` the same within octaves of rates.

    Raises `CtxAudioError` for samples that are empty or not mono.

    >>> noise = np.random.default_rng(0).standard_normal(3 * 22050).astype(np.float32)
    >>> {name: values.shape for name, values in auditory_texture(noise, 22050, 2.0).items()}["level"]
    (2, 32)
    """
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
    samples = samples * np.float32(RMS / max(level, 1e-9))
    length = round(window_s * sample_rate)
    if 0 < len(samples) < length:
        samples = np.tile(samples, -(-length // len(samples)))[:length]
    envelopes, rate_hz = band_envelopes(samples, sample_rate, _centres_hz(sample_rate))
    compressed = np.maximum(envelopes, FLOOR) ** COMPRESSION
    with one_blas_thread():
        rows = [_statistics(part, rate_hz) for part in _windows(compressed, round(window_s * rate_hz))]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


@lru_cache(maxsize=8)
def _centres_hz(sample_rate: int) -> Array:
    return centre_frequencies_hz(sample_rate, LOWEST_BAND_HZ)


def _windows(envelopes: Array, width: int) -> list[Array]:
    """`[K, T]` in as few windows of `width` as overlap by half or more and reach both ends."""
    last = max(0, envelopes.shape[1] - width)
    count = 1 + int(np.ceil(last / (width / 2)))
    starts = np.linspace(0, last, count).round().astype(int) if last else [0]
    return [envelopes[:, start : start + width] for start in starts]


@lru_cache(maxsize=8)
def _filters(length: int, rate_hz: float) -> tuple[Array, Array, Array]:
    """Power gains `[M, F]` and `[octaves, F]` of the modulation filters, and the window `[length]` for the spectra."""
    frequencies_hz = np.fft.rfftfreq(length, 1.0 / rate_hz)
    _, fine = modulation_filters(frequencies_hz, PER_OCTAVE)
    _, octaves = modulation_filters(frequencies_hz, 1.0, low_hz=1.0)
    return fine**2, octaves**2, np.hanning(length + 2)[1:-1]


def _statistics(envelopes: Array, rate_hz: float) -> dict[str, Array]:
    length = envelopes.shape[1]
    fine, octaves, window = _filters(length, rate_hz)
    mean = envelopes.mean(axis=1)
    moving = envelopes - mean[:, None]
    variance = np.square(moving).mean(axis=1)
    # a band that hardly moves has no shape: what is left of it fades out instead of being blown up
    shape = moving * (np.sqrt(variance) / (variance + STILL))[:, None]
    squared = shape * shape  # powers by products: `**` takes twenty times as long
    spectrum = np.fft.rfft(shape * window)
    share = np.square(np.abs(spectrum)) * (2.0 / (length * np.square(window).sum()))
    correlation = shape @ shape.T / length
    at_rates = [_correlation_at(spectrum, gain, length) for gain in octaves]
    return {
        "level": np.log(mean),
        "spread": np.log(np.sqrt(variance) / mean + 0.01),
        "skew": (squared * shape).mean(axis=1),
        "kurtosis": np.log((squared * squared).mean(axis=1) + 1.0),
        "rates": np.log(share @ fine.T + 1e-3).ravel(),
        "together": np.concatenate([np.diagonal(correlation, apart) for apart in NEIGHBOURS]),
        "together_at_rates": np.concatenate(
            [np.diagonal(one, apart) for one in at_rates for apart in MODULATION_NEIGHBOURS]
        ),
    }


def _correlation_at(spectrum: np.ndarray, gain: Array, length: int) -> Array:
    """Correlation `[K, K]` of what a modulation filter with the power `gain` `[F]` leaves of each band's movement."""
    covariance = np.real((spectrum * gain) @ spectrum.conj().T)
    deviation = np.sqrt(np.diag(covariance) + 1e-6 * length)
    return np.asarray(covariance / np.outer(deviation, deviation))
