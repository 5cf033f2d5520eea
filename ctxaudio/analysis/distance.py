"""How far generated sound is from real sound, without any trained weights.

The squared maximum mean discrepancy (Gretton et al. 2012, JMLR 13:723) between two sets of clips in normalised
texture statistics, x1000, with the bandwidth at the median distance within the real set: the form of the kernel
audio distance (Chung et al. 2025, arXiv:2502.15602). Alone the number says little, so it is always given beside the
real-to-real floor, noise with the spectrum of real clips, and white noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.texture import TextureStatistics

RMS = 0.05


@dataclass(frozen=True)
class TextureDistances:
    """Distances x1000 to the real clips; the floor is of other real clips and may be a little below zero."""

    generated: float
    real_floor: float
    matched_noise: float
    white_noise: float


def kernel_distance(real: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Unbiased squared MMD x1000 of `[n, K]` and `[m, K]`, Gaussian kernel; needs two rows of each.

    >>> points = np.random.default_rng(0).normal(size=(40, 3))
    >>> kernel_distance(points, points + 5.0) > kernel_distance(points, points + 1.0) > 0
    True
    """

    def squared(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.maximum((x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T, 0.0)

    within = squared(real, real)
    width = float(np.median(within[np.triu_indices(len(real), 1)]))
    rr, oo, ro = (np.exp(-d / width) for d in (within, squared(other, other), squared(real, other)))
    n, m = len(real), len(other)
    return float((rr.sum() - n) / (n * (n - 1)) + (oo.sum() - m) / (m * (m - 1)) - 2 * ro.mean()) * 1000


def matched_noise(samples: FloatArray, random: np.random.Generator) -> FloatArray:
    """Stationary noise `[T]` with exactly the magnitude spectrum of `samples` `[T]` and random phases."""
    spectrum = np.abs(np.fft.rfft(samples))
    phases = np.exp(2j * np.pi * random.random(len(spectrum)))
    phases[[0, -1]] = 1.0  # a real signal has no phase at 0 Hz, nor at half an even length's sample rate
    return np.fft.irfft(spectrum * phases, len(samples)).astype(np.float32)


def texture_features(clips: Sequence[FloatArray], sample_rate: int) -> npt.NDArray[np.float64]:
    """Texture statistics `[n, K]` of clips of 2 s or more, all at the same level: loudness must not decide."""
    statistics = TextureStatistics(sample_rate)
    rows = []
    with torch.no_grad():
        for clip in clips:
            level = max(float(np.sqrt(np.mean(clip**2))), 1e-9)
            rows.append(statistics(torch.from_numpy(clip * (RMS / level))[None].float())[0])
    return torch.stack(rows).double().numpy()


def texture_distances(
    real: Sequence[FloatArray],
    held_out: Sequence[FloatArray],
    generated: Sequence[FloatArray],
    sample_rate: int,
    seed: int = 0,
) -> TextureDistances:
    """Distances of `generated`, of other real clips and of two noises to the `real` clips.

    Raises `CtxAudioError` where a set holds fewer than two clips.
    """
    for name, clips in (("real", real), ("held-out real", held_out), ("generated", generated)):
        if len(clips) < 2:
            raise CtxAudioError(f"a distance needs two {name} clips, got {len(clips)}")
    random = np.random.default_rng(seed)
    matched = [matched_noise(clip, random) for clip in real]
    white = [random.standard_normal(len(clip)).astype(np.float32) for clip in real]
    features = [texture_features(clips, sample_rate) for clips in (real, generated, held_out, matched, white)]
    mean, deviation = features[0].mean(0), features[0].std(0) + 0.05
    normalised = [np.clip((f - mean) / deviation, -8, 8) for f in features]
    return TextureDistances(*(kernel_distance(normalised[0], other) for other in normalised[1:]))
