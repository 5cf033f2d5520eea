"""Eigen-spectra: how the log-magnitudes of all bins move together, in a few dozen courses.

A crop's log-magnitude picture is normalised bin by bin with its own mean and deviation over time, which is its style in
the sense of adaptive instance normalisation (Huang & Belongie 2017, arXiv:1703.06868). What is left is projected onto
principal components that all clips share: eigen-spectra. Their courses over time are what the generator makes.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ctxaudio.signal.stft import power, power_spectrogram

#: Power under which a bin counts as silent, white noise of variance 1 having 1 (see `signal.stft`).
SILENCE = 1e-7
#: Mean and deviation of log|X| where |X|^2 is exponential with mean 1: -gamma/2 and pi/sqrt(24).
LOG_RAYLEIGH_MEAN = -0.5 * 0.5772156649
LOG_RAYLEIGH_DEVIATION = math.pi / math.sqrt(24.0)
#: A bin that moves less is as good as constant; this keeps the normalised picture finite.
LEAST_DEVIATION = 0.05
#: A bin of which the components hold nearly all has no remainder to scale up.
LEAST_REMAINDER = 0.05


class Analysis(NamedTuple):
    """A crop's `courses` `[B, K, frames]` and, `[B, bins]`, its `level`, `deviation` (nepers) and `residual`: the
    deviation, in units of `deviation`, of what the eigen-spectra leave."""

    courses: Tensor
    level: Tensor
    deviation: Tensor
    residual: Tensor


def log_magnitude(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """The picture `[B, bins, frames]` of `[B, T]`: natural logarithm of the magnitude."""
    return 0.5 * torch.log(power_spectrogram(samples, n_fft, hop) + SILENCE).transpose(1, 2)


def normalise(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`[B, bins, frames]` with mean 0 and deviation 1 over time in every bin, and the `[B, bins]` it had before."""
    level = picture.mean(-1)
    moving = picture - level[..., None]
    deviation = moving.square().mean(-1).sqrt().clamp_min(LEAST_DEVIATION)
    return moving / deviation[..., None], level, deviation


def normalised_noise(spectrum: Tensor) -> Tensor:
    """The picture of the STFT `[..., bins, frames]` of white noise of variance 1, with mean 0 and deviation 1."""
    return (0.5 * power(spectrum).clamp_min(1e-12).log() - LOG_RAYLEIGH_MEAN) / LOG_RAYLEIGH_DEVIATION


class EigenSpectra(nn.Module):
    """`components` orthonormal spectra over `bins`, fitted once and then fixed.

    >>> spectra = EigenSpectra(components=4, bins=9)
    >>> spectra.fit(torch.randn(8, 9, 50, generator=torch.Generator().manual_seed(0)))
    >>> picture = torch.randn(1, 9, 50)
    >>> spectra.analyse(picture).courses.shape
    torch.Size([1, 4, 50])
    """

    basis: Tensor
    scale: Tensor

    def __init__(self, components: int, bins: int) -> None:
        super().__init__()
        self.register_buffer("basis", torch.eye(bins, components))
        self.register_buffer("scale", torch.ones(components))

    @torch.no_grad()
    def fit(self, pictures: Tensor) -> float:
        """Principal components of the normalised `pictures` `[N, bins, frames]`; gives back their share of variance.

        Every course gets deviation 1 over all frames.
        """
        frames = normalise(pictures)[0].transpose(1, 2).flatten(0, 1)
        variances, components = torch.linalg.eigh(frames.T @ frames / len(frames))
        count = self.basis.shape[1]
        self.basis.copy_(components.flip(1)[:, :count])
        self.scale.copy_(variances.flip(0)[:count].clamp_min(1e-6).sqrt())
        return float(variances.flip(0)[:count].sum() / variances.sum())

    def courses(self, normalised: Tensor) -> Tensor:
        """`[B, bins, frames]` projected: `[B, K, frames]`."""
        return (self.basis / self.scale).T @ normalised

    def analyse(self, picture: Tensor) -> Analysis:
        """Courses and style of a picture `[B, bins, frames]`."""
        normalised, level, deviation = normalise(picture)
        courses = self.courses(normalised)
        residual = (normalised - self.combine(courses)).square().mean(-1).sqrt()
        return Analysis(courses, level, deviation, residual)

    def combine(self, courses: Tensor) -> Tensor:
        """The part of a normalised picture `[B, bins, frames]` that `courses` `[B, K, frames]` hold."""
        return (self.basis * self.scale) @ courses

    def remainder(self, normalised: Tensor) -> Tensor:
        """What the eigen-spectra leave of `[B, bins, frames]` noise of deviation 1, at deviation 1 again."""
        left = normalised - self.basis @ (self.basis.T @ normalised)
        kept = (1.0 - self.basis.square().sum(1)).clamp_min(LEAST_REMAINDER)
        return left * kept.rsqrt()[:, None]
