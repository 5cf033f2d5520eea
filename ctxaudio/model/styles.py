"""The style of a crop: its texture in a few whitened numbers, its spectrum, how that moves, and its partials."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ctxaudio.model.generator import GeneratorConfig
from ctxaudio.model.style_bank import Style
from ctxaudio.signal.movement import innovations, patchiness, rate_spectrum, spectral_shapes
from ctxaudio.signal.partials import find_partials
from ctxaudio.signal.stft import log_power
from ctxaudio.signal.texture import TextureStatistics

OUTLIER = 4.0

#: Bins on either side that a partial reaches: half the main lobe of the window, and one.
WIDTH_OF_A_PARTIAL = 3


@dataclass(frozen=True)
class StyleSpace:
    """Fitted once on training crops: `mean`, `deviation` `[K]` of the statistics, `basis` `[K, S]` of the styles."""

    model: GeneratorConfig
    statistics: TextureStatistics
    mean: Tensor
    deviation: Tensor
    basis: Tensor

    def normalised(self, samples: Tensor) -> Tensor:
        """Statistics `[B, K]` of `[B, T]` sound in deviations from the mean training crop."""
        return (self.statistics(samples) - self.mean) / self.deviation

    def texture(self, normalised: Tensor) -> Tensor:
        """`[B, S]` of normalised statistics, with unit variance over the training crops, outliers drawn in."""
        return (normalised.clamp(-OUTLIER, OUTLIER) @ self.basis).clamp(-OUTLIER, OUTLIER)

    def style(self, samples: Tensor, normalised: Tensor) -> Style:
        """The style of crops `[B, T]`, whose `normalised` statistics are at hand."""
        log_magnitude = 0.5 * log_power(samples, self.model.n_fft, self.model.hop)
        shapes, courses, residual = spectral_shapes(log_magnitude, self.model.shapes)
        left = residual.square().mean(2).sqrt(), patchiness(residual)
        rates = rate_spectrum(courses, self.model.frame_rate)
        moving = shapes, rates, innovations(courses, rates, self.model.frame_rate)
        partials = find_partials(samples, self.model.sample_rate, self.model.partials)
        level = without_partials(log_magnitude.mean(2), *partials, self.model)
        return Style(self.texture(normalised), level, *left, *moving, *partials)


def without_partials(level: Tensor, partials_hz: Tensor, amplitudes: Tensor, model: GeneratorConfig) -> Tensor:
    """`level` `[B, bins]` with what lies around it in place of each partial: that one the oscillators make."""
    bins = torch.arange(level.shape[1], device=level.device)
    away = (bins - (partials_hz * (model.n_fft / model.sample_rate))[..., None]).abs()  # [B, K, bins]
    near = ((away < WIDTH_OF_A_PARTIAL) & (amplitudes > 0)[..., None]).any(1)
    around = -F.max_pool1d(-level, 4 * WIDTH_OF_A_PARTIAL + 1, 1, 2 * WIDTH_OF_A_PARTIAL)
    return torch.where(near, around, level)


def fit_style_space(statistics: TextureStatistics, crops: Tensor, model: GeneratorConfig) -> StyleSpace:
    """Principal directions of the texture statistics of `crops` `[N, T]`, each scaled to unit variance.

    With fewer crops than `style_dim` the remaining styles are zero.
    """
    with torch.no_grad():
        raw = torch.cat([statistics(part) for part in crops.split(32)])
    mean, deviation = raw.mean(0), raw.std(0).clamp_min(0.05)
    z = ((raw - mean) / deviation).clamp(-OUTLIER, OUTLIER)
    _, strengths, directions = torch.linalg.svd(z, full_matrices=False)
    kept = min(model.style_dim, len(strengths) - 1)
    basis = torch.zeros(raw.shape[1], model.style_dim, device=raw.device)
    scale = strengths[:kept].clamp_min(1e-3) / len(crops) ** 0.5
    basis[:, :kept] = directions[:kept].T / scale
    return StyleSpace(model, statistics, mean, deviation, basis)
