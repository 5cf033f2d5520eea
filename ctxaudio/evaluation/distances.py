"""Features of a sound in windows; how far sets of clips are from each other by them; and which clips are copies.

*Texture features* have no trained weights. After McDermott & Simoncelli 2011 (Neuron 71:926,
doi:10.1016/j.neuron.2011.06.032): envelopes of a gammatone bank, compressed to the power 0.3; their moments; the power
of a constant-Q modulation filter bank in each band; correlations between bands, overall and by rate. No code is shared
with the statistics that training minimises: those would flatter the generator. How sets of sound rank by these features
was compared with a trained tagger (`tests/benchmarks/ranking.py`).

*Kernel distance*: the unbiased squared maximum mean discrepancy (MMD; Gretton et al. 2012, JMLR 13:723) x1000 with a
Gaussian kernel, as the kernel audio distance has it (Chung et al. 2025, arXiv:2502.15602). Its mean is 0 between sets
of one distribution, so it may come out below 0. A set is a list of clips, a clip the features `[n, K]` of its `n`
windows. Clips are independent, windows of one clip are not: every clip counts alike, no pair of windows of one clip is
used, and it is clips that are resampled.

*Copies* follow a training clip in time; statistics can't tell, for two takes of one rain have the same. So envelopes in
bands of hearing are correlated at every lag: level, colour and the phase of the waveform don't matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.signal
from threadpoolctl import threadpool_limits

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.envelope import Array, band_envelopes, centre_frequencies_hz, modulation_filters

#: Clips `[T]` by name; the features `[n, K]` of each clip of a set.
Clips = Mapping[str, FloatArray]
Rows = Sequence[Array]
LOWEST_BAND_HZ = 60.0
COMPRESSION = 0.3
#: Distances in bands at which envelopes are correlated, and modulation bands an octave wide.
NEIGHBOURS = (1, 2, 3, 5, 8, 11, 16, 21)
MODULATION_NEIGHBOURS = (1, 2, 5)
#: Windows, not clips, are compared: so a clip's length does not show in its features.
WINDOW_S = 2.0
#: Root mean square deviation of each kind of statistic, in their order, among real windows of one label (of seven).
TYPICAL_DEVIATIONS = (0.23, 0.17, 0.46, 0.25, 0.67, 0.13, 0.30)
DRAWS = 400
TAIL = (1.0 - 0.9) / 2
UNDECIDED = "undecided: too few clips"
#: A copy correlates by at least this much, and by more than this share of the held-out real clips does.
COPY_CORRELATION, OF_HELD_OUT = 0.8, 0.95
PIECE_S = 2.0


class Estimate(NamedTuple):
    """A value and its bootstrap interval of 90 % over clips."""

    value: float
    low: float
    high: float


def texture_features(clip: FloatArray, sample_rate: int) -> Array:
    """Features `[n, K]` of the `n` windows of a clip `[T]`, one window of a short one; errors as `auditory_texture`.

    Each kind of statistic is divided by its typical deviation, and counts alike however many members it has; nothing
    is fitted to the real clips at hand, of which there may be three.
    """
    kinds = auditory_texture(clip, sample_rate).values()
    scales = [typical * np.sqrt(values.shape[1]) for values, typical in zip(kinds, TYPICAL_DEVIATIONS, strict=True)]
    return np.concatenate([values / scale for values, scale in zip(kinds, scales, strict=True)], axis=1)


def auditory_texture(samples: FloatArray, sample_rate: int) -> dict[str, Array]:
    """Statistics by name, each `[n, size]`, of `n` windows of `[T]`, as few as overlap by half and reach both ends.

    Loudness does not count. A sound shorter than a window is repeated until it fills one. `level` is the logarithm of
    each band's mean envelope, `spread` of its coefficient of variation, `skew` and `kurtosis` the shape of its values,
    `rates` the logarithm of the share of each modulation filter, `together` correlations between bands,
    `together_at_rates` the same within octaves of rates. Raises `CtxAudioError` for samples that are empty or not mono.
    """
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0
    samples = samples * np.float32(0.05 / max(level, 1e-9))
    length = round(WINDOW_S * sample_rate)
    if 0 < len(samples) < length:
        samples = np.tile(samples, -(-length // len(samples)))[:length]
    envelopes, rate_hz = band_envelopes(samples, sample_rate, centre_frequencies_hz(sample_rate, LOWEST_BAND_HZ))
    compressed = np.maximum(envelopes, 1e-5) ** COMPRESSION  # silence is what lies some 70 dB below the level
    width = round(WINDOW_S * rate_hz)
    last = max(0, compressed.shape[1] - width)
    starts = np.linspace(0, last, 1 + int(np.ceil(last / (width / 2)))).round().astype(int)
    with threadpool_limits(1, "blas"):
        windows = [_statistics(compressed[:, start : start + width], rate_hz) for start in starts]
    return {name: np.stack([window[name] for window in windows]) for name in windows[0]}


def _statistics(envelopes: Array, rate_hz: float) -> dict[str, Array]:
    length = envelopes.shape[1]
    mean = envelopes.mean(axis=1)
    moving = envelopes - mean[:, None]
    variance = np.square(moving).mean(axis=1)
    # a band that hardly moves has no shape: what is left of it fades out instead of being blown up
    shape = moving * (np.sqrt(variance) / (variance + 1e-7))[:, None]
    squared = shape * shape  # powers by products: `**` takes twenty times as long
    taper, frequencies_hz = np.hanning(length + 2)[1:-1], np.fft.rfftfreq(length, 1.0 / rate_hz)
    spectrum = np.fft.rfft(shape * taper)
    share = np.square(np.abs(spectrum)) * (2.0 / (length * np.square(taper).sum()))
    filters = modulation_filters(frequencies_hz)[1] ** 2
    correlation = shape @ shape.T / length
    at_rates = []
    for gain in modulation_filters(frequencies_hz, 1.0, low_hz=1.0)[1] ** 2:
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


def compare_sets(
    real: Rows, other_real: Rows, generated: Rows, noises: Sequence[Rows], seed: int = 0
) -> tuple[dict[str, Estimate], str]:
    """Kernel distances to `real` of `generated`, `matched_noise` and `white_noise` (`both_noises`), and of two or more
    `other_real` as `real_floor`; and what they tell (`verdict_of`), which needs three clips: of two, an interval is too
    narrow.

    Raises `CtxAudioError` where `real` or `generated` holds fewer than two clips, or all of `real` are the same.
    """
    for name, clips in (("real", real), ("generated", generated)):
        if len(clips) < 2:
            raise CtxAudioError(f"a distance needs two {name} clips, got {len(clips)}")
    if np.ptp(np.concatenate(real), axis=0).max() == 0.0:
        raise CtxAudioError("a distance needs real clips that differ: these all have the same features")
    sets = {"generated": generated, "matched_noise": noises[0], "white_noise": noises[1]}
    if len(other_real) >= 2:
        sets["real_floor"] = other_real
    with threadpool_limits(1, "blas"):
        random = np.random.default_rng(seed)
        weights = bootstrap_weights(len(real), random)
        draws = {name: kernel_draws(real, of, weights, bootstrap_weights(len(of), random)) for name, of in sets.items()}
    verdict = UNDECIDED if min(len(real), len(generated)) < 3 else verdict_of(**draws)
    return {name: estimate(of) for name, of in draws.items()}, verdict


def verdict_of(generated: Array, matched_noise: Array, white_noise: Array, real_floor: Array | float = 0.0) -> str:
    """What distances tell by intervals of their differences: their draws `[1 + DRAWS]` share the real clips' weights.

    Distinguishable: farther than other real clips (without these, than 0). Near: not that, and less than half way
    from them to noise of the same spectrum, or to white noise where that can't be told from real clips.
    """
    lead = estimate(matched_noise - generated)
    if estimate(generated - real_floor).low > 0.0:
        than = "but nearer than" if lead.low > 0.0 else "farther than" if lead.high < 0.0 else "no nearer than"
        return f"distinguishable, {than} noise of the same spectrum"
    unlike = [noise for noise in (matched_noise, white_noise) if estimate(noise - real_floor).low > 0.0]
    if unlike and estimate((real_floor + unlike[0]) / 2 - generated).low > 0.0:
        return "near: within the spread of real clips"
    return UNDECIDED


def kernel_distance(real: Rows | Array, other: Rows | Array) -> float:
    """Unbiased squared MMD x1000 between two sets of two clips or more, as `Rows`, or by one row a clip, `[n, K]`."""
    real, other = ([np.atleast_2d(rows) for rows in clips] for clips in (real, other))
    equal, equal_other = (np.full((1, len(clips)), 1.0 / len(clips)) for clips in (real, other))
    return float(kernel_draws(real, other, equal, equal_other)[0])


def sound_distance(real: Sequence[FloatArray], other: Sequence[FloatArray], sample_rate: int) -> float:
    """`kernel_distance` of the texture features of two sets of two sounds `[T]` or more."""
    with threadpool_limits(1, "blas"):
        rows = [[texture_features(sound, sample_rate) for sound in sounds] for sounds in (real, other)]
        return kernel_distance(*rows)


def kernel_draws(real: Rows, other: Rows, real_weights: Array, weights: Array) -> Array:
    """Distances `[B]` of `other` to `real`, for `B` weightings `[B, clips]` of the real clips and of these.

    The kernel's width is the median squared distance between (at most 1500) windows of different real clips.
    """
    clip_of_row = np.repeat(np.arange(len(real)), [len(rows) for rows in real])
    step = -(-len(clip_of_row) // 1500)
    some, clip_of_row = np.concatenate(real)[::step], clip_of_row[::step]
    apart = clip_of_row[:, None] < clip_of_row[None]
    width = max(float(np.median(squared_distances(some, some)[apart])), 1e-12)
    between = ((real_weights @ mean_kernels(real, other, width)) * weights).sum(axis=1)
    within_real = _between_clips(mean_kernels(real, real, width), real_weights)
    return 1000.0 * (within_real + _between_clips(mean_kernels(other, other, width), weights) - 2 * between)


def mean_kernels(clips: Rows, others: Rows, width: float) -> Array:
    """Mean of `exp(-d^2 / width)` over the pairs of windows of two clips, for each pair of clips, `[n, m]`."""
    counts = np.array([len(rows) for rows in others])
    starts, together = np.concatenate([[0], np.cumsum(counts)[:-1]]), np.concatenate(others)
    each = [np.exp(squared_distances(rows, together) / -width).mean(axis=0) for rows in clips]
    return np.asarray(np.add.reduceat(np.stack(each), starts, axis=1) / counts)


def _between_clips(kernels: Array, weights: Array) -> Array:
    """Weighted means `[B]` over pairs of different clips, of `[n, n]` with weights `[B, n]`."""
    apart = kernels * (1.0 - np.eye(len(kernels)))
    return np.asarray(((weights @ apart) * weights).sum(axis=1) / (1.0 - (weights**2).sum(axis=1)))


def bootstrap_weights(clips: int, random: np.random.Generator) -> Array:
    """Weights `[1 + DRAWS, clips]`: first equal ones, then those of a Bayesian bootstrap (Rubin 1981).

    Dirichlet with the concentration (n - 2) / n, at which a mean of n clips varies as it does between samples: with
    the usual one, or by drawing clips anew, intervals of sets of two or three clips come out far too narrow.
    """
    drawn = random.dirichlet(np.full(clips, max((clips - 2) / clips, 0.1)), DRAWS) + 1e-6
    return np.concatenate([np.full((1, clips), 1.0 / clips), drawn / drawn.sum(axis=1, keepdims=True)])


def estimate(draws: Array) -> Estimate:
    """The first of `draws` `[1 + DRAWS]`, and the interval of the others about it, freed from their bias."""
    low, high = draws[0] - draws[1:].mean() + np.quantile(draws[1:], (TAIL, 1.0 - TAIL))
    return Estimate(float(draws[0]), float(low), float(high))


def diversity(clips: Rows, seed: int = 0) -> Estimate:
    """Mean Euclidean distance between the mean features of two clips of a set of two or more."""
    means = np.stack([rows.mean(axis=0) for rows in clips])
    weights = bootstrap_weights(len(clips), np.random.default_rng(seed))
    return estimate(_between_clips(np.sqrt(squared_distances(means, means)), weights))


def nearest_training_distance(clips: Rows, training: Rows) -> float:
    """Median distance of clips to their nearest training clip, by mean features."""
    means, of_training = (np.stack([rows.mean(axis=0) for rows in of]) for of in (clips, training))
    return float(np.median(np.sqrt(squared_distances(means, of_training)).min(axis=1)))


def squared_distances(x: Array, y: Array) -> Array:
    """Squared Euclidean distances `[n, m]` of the rows of `x` `[n, K]` and `y` `[m, K]`."""
    return np.asarray(np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T, 0.0))


def both_noises(real: Clips, seed: int = 0) -> list[dict[str, FloatArray]]:
    """For each real clip `[T]` noise with its spectrum, and white noise, both as long as it is."""
    random = np.random.default_rng(seed)
    white = {name: random.standard_normal(len(clip)).astype(np.float32) for name, clip in real.items()}
    return [{name: matched_noise(clip, random) for name, clip in real.items()}, white]


def matched_noise(samples: FloatArray, random: np.random.Generator) -> FloatArray:
    """Stationary noise `[T]` with exactly the magnitude spectrum of `samples` `[T]` and random phases."""
    spectrum = np.abs(np.fft.rfft(samples))
    phases = np.exp(2j * np.pi * random.random(len(spectrum)))
    phases[[0, -1]] = 1.0  # a real signal has no phase at 0 Hz, nor at half an even length's sample rate
    return np.fft.irfft(spectrum * phases, len(samples)).astype(np.float32)


def find_copies(generated: Clips, held_out: Clips, training: Clips, sample_rate: int) -> list[dict[str, Any]]:
    """The generated clips that follow a training clip in time, most alike first: `clip`, `training_clip` and their
    `correlation`. Clips under 1 s are passed over; without held-out clips to compare with, none is named."""

    def courses(clips: Clips) -> dict[str, tuple[Array, float]]:
        return {name: time_course(clip, sample_rate) for name, clip in clips.items() if len(clip) >= sample_rate}

    def most_alike(clips: Clips) -> list[dict[str, Any]]:
        found = []
        for name, (course, course_hz) in courses(clips).items():
            width = round(PIECE_S * course_hz)
            pieces = [course[:, at : at + width] for at in range(0, max(1, course.shape[1] - width + 1), width // 2)]
            best = {of: max(best_correlation(piece, other) for piece in pieces) for of, (other, _) in learnt.items()}
            of = max(best, key=lambda name: best[name])
            found.append({"clip": name, "training_clip": of, "correlation": best[of]})
        return sorted(found, key=lambda one: -one["correlation"])

    learnt = courses(training)
    if not learnt or not (usual := [one["correlation"] for one in most_alike(held_out)]):
        return []
    limit = max(COPY_CORRELATION, float(np.quantile(usual, OF_HELD_OUT)))
    return [one for one in most_alike(generated) if one["correlation"] > limit]


def time_course(samples: FloatArray, sample_rate: int) -> tuple[Array, float]:
    """Compressed envelopes `[K, T']` in every third band of hearing, at 40 Hz or a little more, and that rate."""
    envelopes, rate_hz = band_envelopes(samples, sample_rate, centre_frequencies_hz(sample_rate)[::3])
    step = int(rate_hz // 40.0)
    count = max(1, envelopes.shape[1] // step)
    blocks = envelopes[:, : count * step].reshape(len(envelopes), count, -1).mean(axis=2)
    return np.maximum(blocks, 1e-9) ** COMPRESSION, rate_hz / step


def best_correlation(course: Array, other: Array) -> float:
    """Highest correlation (-1..1) of courses `[K, T']` over all lags at which the shorter lies within the longer."""
    short, long = sorted((course, other), key=lambda one: one.shape[1])
    length, template = short.shape[1], short - short.mean(axis=1, keepdims=True)
    together = scipy.signal.correlate(long, template, "valid", "fft")[0]
    sums, squares = (np.cumsum(np.pad(x, ((0, 0), (1, 0))), axis=1) for x in (long, long**2))
    moving = squares[:, length:] - squares[:, :-length] - (sums[:, length:] - sums[:, :-length]) ** 2 / length
    energy = np.maximum(moving, 0.0).sum(axis=0) * np.square(template).sum()
    return float((together / np.sqrt(np.maximum(energy, 1e-20))).max())
