"""The style of a crop: its texture in a few whitened numbers, its spectrum, how that moves, and its partials."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio.model.generator import GeneratorConfig
from ctxaudio.model.style_bank import Style
from ctxaudio.signal.clicks import clickiness
from ctxaudio.signal.movement import frame_levels, innovations, patchiness, rate_spectrum, spectral_shapes
from ctxaudio.signal.partials import find_partials
from ctxaudio.signal.stft import log_power
from ctxaudio.signal.strikes import (
    DECAY,
    DEVIATION,
    FLOOR,
    PEAK,
    PER_S,
    SLOWEST_OF_NOISE,
    SLOWEST_OF_TONES,
    SMALLEST,
    find_strikes,
    partial_levels,
    struck_together,
)
from ctxaudio.signal.texture import TextureStatistics

OUTLIER = 4.0

#: With so much of its power in partials, what looks like clicks is their beginnings. Of crops of recorded fires the
#: highest share is .23, of keyboards .11; wind chimes have .48 to .70, tablas .28 to .56.
RINGING_SHARE = 0.25

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
        frame_rate, frame = self.model.frame_rate, (self.model.sample_rate, 2 * self.model.n_fft, self.model.hop)
        partials_hz, amplitudes = find_partials(samples, self.model.sample_rate, self.model.partials)
        loud = torch.log(amplitudes + SMALLEST) - math.log(2.0)
        levels = partial_levels(samples, partials_hz, *frame)
        ringing = find_strikes(levels, loud, amplitudes > 0, frame_rate, SLOWEST_OF_TONES)
        struck = near_partials(partials_hz, ringing[0][..., PER_S] > 0, self.model)
        shapes, courses, residual = spectral_shapes(filled(log_magnitude, struck), self.model.shapes)
        left = residual.square().mean(2).sqrt(), patchiness(residual)
        rates = rate_spectrum(courses, frame_rate)
        moving = shapes, rates, innovations(courses, rates, frame_rate)
        beating = strikes_of_shapes(shapes, courses, frame_rate)
        strikes = struck_together(*(torch.cat(pair, dim=1) for pair in zip(beating, ringing, strict=True)))
        sounding = near_partials(partials_hz, amplitudes > 0, self.model)
        level = lowest_around(log_magnitude.mean(2), sounding)
        rings = amplitudes.square().sum(1, keepdim=True) > RINGING_SHARE * samples.square().mean(1, keepdim=True)
        clicks = clickiness(samples, self.model.n_fft, self.model.hop).masked_fill(rings, 0.0)
        loudest = frame_levels(log_magnitude.transpose(1, 2)).amax(1)
        tones = partials_hz, amplitudes, strikes
        return Style(self.texture(normalised), level, *left, *moving, *tones, clicks, loudest)


def strikes_of_shapes(shapes: Tensor, courses: Tensor, frame_rate: float) -> tuple[Tensor, Tensor]:
    """`find_strikes` on `courses` `[B, R, frames]`, in their units, with the nepers of the bins that a shape moves."""
    nepers = (shapes.pow(4).sum(2) / (shapes.square().sum(2) + SMALLEST)).sqrt()
    strikes, onset = find_strikes(courses * nepers[..., None], 0.5 * nepers, nepers > 0, frame_rate, SLOWEST_OF_NOISE)
    in_nepers = torch.tensor([DECAY, PEAK, DEVIATION, FLOOR], device=shapes.device)
    units = torch.ones_like(strikes).index_copy(
        2, in_nepers, nepers.clamp_min(SMALLEST)[..., None].expand(-1, -1, len(in_nepers))
    )
    return strikes / units, onset


def near_partials(partials_hz: Tensor, wanted: Tensor, model: GeneratorConfig) -> Tensor:
    """Which of the bins `[B, bins]` the `wanted` of the partials `[B, K]` reach."""
    bins = torch.arange(model.n_fft // 2 + 1, device=partials_hz.device)
    away = (bins - (partials_hz * (model.n_fft / model.sample_rate))[..., None]).abs()  # [B, K, bins]
    return ((away < WIDTH_OF_A_PARTIAL) & wanted[..., None]).any(1)


def lowest_around(level: Tensor, near: Tensor) -> Tensor:
    """`level` `[B, bins]` with the lowest around in place of the bins `near` partials: those the oscillators make."""
    reach = 2 * WIDTH_OF_A_PARTIAL
    return torch.where(near, -F.max_pool1d(-level, 2 * reach + 1, 1, reach), level)


def filled(log_magnitude: Tensor, near: Tensor) -> Tensor:
    """`log_magnitude` `[B, bins, frames]` with the average around in place of the bins `near` partials `[B, bins]`.

    Where partials are on all sides, that average is of them.
    """
    reach = 2 * WIDTH_OF_A_PARTIAL
    around = nn.AvgPool2d((2 * reach + 1, 1), stride=1, padding=(reach, 0))
    weight = (1e-3 + (~near).to(log_magnitude))[:, None, :, None]
    average = (around(log_magnitude[:, None] * weight) / around(weight))[:, 0]
    return torch.where(near[..., None], average, log_magnitude)


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
