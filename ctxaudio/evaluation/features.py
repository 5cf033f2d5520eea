"""Features of a sound in windows: auditory texture statistics without trained weights.

After McDermott & Simoncelli 2011 (Neuron 71:926, doi:10.1016/j.neuron.2011.06.032): envelopes of a gammatone bank,
compressed to the power 0.3; their moments; the power of a constant-Q modulation filter bank in each band; correlations
between bands, overall and by rate. No code is shared with the statistics that training minimises: those would flatter
the generator. How sets of sound rank by these features was compared with a trained tagger
(`tests/benchmarks/ranking.py`).
"""

from __future__ import annotations

import numpy as np

from ctxaudio.files import FloatArray
from ctxaudio.signal.cochlea import band_envelopes, centre_frequencies_hz, modulation_rates_hz, modulation_response
from ctxaudio.signal.envelope import Array
from ctxaudio.workers import one_blas_thread

LOWEST_BAND_HZ = 60.0
COMPRESSION = 0.3
RMS = 0.05
#: Compressed envelopes under this are silence: some 70 dB below the level that clips are brought to.
FLOOR = 1e-5
#: Distances in bands at which envelopes are correlated, and modulation bands an octave wide.
NEIGHBOURS = (1, 2, 3, 5, 8, 11, 16, 21)
MODULATION_NEIGHBOURS = (1, 2, 5)
STILL = 1e-7
#: Windows, not clips, are compared: so a clip's length does not show in its features.
WINDOW_S = 2.0
#: Root mean square deviation of each kind of statistic, in their order, among real windows of one label (of seven).
TYPICAL_DEVIATIONS = (0.23, 0.17, 0.46, 0.25, 0.67, 0.13, 0.30)


def texture_features(clip: FloatArray, sample_rate: int) -> Array:
    """Features `[n, K]` of the `n` windows of a clip `[T]`, one window of a short one; K is the same for all clips.

    Each kind of statistic is divided by its typical deviation, and counts alike however many members it has; nothing
    is fitted to the real clips at hand, of which there may be three. Raises `CtxAudioError` as `auditory_texture`.
    """
    kinds = auditory_texture(clip, sample_rate).values()
    scales = [typical * np.sqrt(values.shape[1]) for values, typical in zip(kinds, TYPICAL_DEVIATIONS, strict=True)]
    return np.concatenate([values / scale for values, scale in zip(kinds, scales, strict=True)], axis=1)


def auditory_texture(samples: FloatArray, sample_rate: int) -> dict[str, Array]:
    """Statistics by name, each `[n, size]`, of `n` windows of `samples` `[T]`: as few as overlap by half and reach both
    ends.

    All sounds are taken at the same level: loudness does not count. A sound shorter than a window is repeated until
    it fills one. `level` is the logarithm of each band's mean envelope, `spread` of its coefficient of variation,
    `skew` and `kurtosis` the shape of its values, `rates` the logarithm of the share of each modulation filter,
    `together` correlations between bands, `together_at_rates` the same within octaves of rates.

    Raises `CtxAudioError` for samples that are empty or not mono.
    """
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
    samples = samples * np.float32(RMS / max(level, 1e-9))
    length = round(WINDOW_S * sample_rate)
    if 0 < len(samples) < length:
        samples = np.tile(samples, -(-length // len(samples)))[:length]
    envelopes, rate_hz = band_envelopes(samples, sample_rate, centre_frequencies_hz(sample_rate, LOWEST_BAND_HZ))
    compressed = np.maximum(envelopes, FLOOR) ** COMPRESSION
    width = round(WINDOW_S * rate_hz)
    last = max(0, compressed.shape[1] - width)
    starts = np.linspace(0, last, 1 + int(np.ceil(last / (width / 2)))).round().astype(int)
    with one_blas_thread():
        windows = [_statistics(compressed[:, start : start + width], rate_hz) for start in starts]
    return {name: np.stack([window[name] for window in windows]) for name in windows[0]}


def _statistics(envelopes: Array, rate_hz: float) -> dict[str, Array]:
    length = envelopes.shape[1]
    mean = envelopes.mean(axis=1)
    moving = envelopes - mean[:, None]
    variance = np.square(moving).mean(axis=1)
    # a band that hardly moves has no shape: what is left of it fades out instead of being blown up
    shape = moving * (np.sqrt(variance) / (variance + STILL))[:, None]
    squared = shape * shape  # powers by products: `**` takes twenty times as long
    taper, frequencies_hz = np.hanning(length + 2)[1:-1], np.fft.rfftfreq(length, 1.0 / rate_hz)
    spectrum = np.fft.rfft(shape * taper)
    share = np.square(np.abs(spectrum)) * (2.0 / (length * np.square(taper).sum()))
    filters = modulation_response(frequencies_hz, modulation_rates_hz()) ** 2
    correlation = shape @ shape.T / length
    at_rates = []
    for gain in modulation_response(frequencies_hz, modulation_rates_hz(1.0, 1.0), 1.0) ** 2:
        covariance = np.real((spectrum * gain) @ spectrum.conj().T)
        deviation = np.sqrt(np.diag(covariance) + 1e-6 * length)
        within = covariance / np.outer(deviation, deviation)
        at_rates += [np.diagonal(within, apart) for apart in MODULATION_NEIGHBOURS]
    return {
        "level": np.log(mean),
        "spread": np.log(np.sqrt(variance) / mean + 0.01),
        "skew": (squared * shape).mean(axis=1),
        "kurtosis": np.log((squared * squared).mean(axis=1) + 1.0),
        "rates": np.log(share @ filters.T + 1e-3).ravel(),
        "together": np.concatenate([np.diagonal(correlation, apart) for apart in NEIGHBOURS]),
        "together_at_rates": np.concatenate(at_rates),
    }
