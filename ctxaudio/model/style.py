"""A clip's style: which bins move together, and how much, as the courses of a few dozen principal spectra leave it.

A crop's log-magnitude picture is normalised bin by bin with its own mean and deviation over time, its style in the
sense of adaptive instance normalisation (Huang & Belongie 2017, arXiv:1703.06868). How the bins move together is part
of it too, as in whitening and colouring (Li et al. 2017, arXiv:1705.08086): the crop's own principal spectra, stored as
mixtures of eigen-spectra that all clips share. What is left are courses, uncorrelated and of deviation 1 in every crop:
these the generator makes.

Of some of its training crops a generator keeps the styles, and a latent picks one of its condition. This is instance
conditioning (Casanova et al. 2021, arXiv:2109.05070): labels such as Rain are many kinds of sound, and their average is
no rain that ever fell. A style is some three thousand numbers, statistics over two seconds, and no audio.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio.model import GeneratorConfig
from ctxaudio.model.courses import BANDS
from ctxaudio.signal.stft import power, stft

#: Power under which a bin counts as silent, white noise of variance 1 having 1 (see `signal.stft`). At 1e-7 the floor
#: was heard between the partials of a gong (with its real courses 329 KAD beside 246) and a guitar (149 beside 83).
SILENCE = 1e-9
#: Mean and deviation of log|X| where |X|^2 is exponential with mean 1: -gamma/2 and pi/sqrt(24).
LOG_RAYLEIGH_MEAN = -0.5 * 0.5772156649
LOG_RAYLEIGH_DEVIATION = math.pi / math.sqrt(24.0)
#: A bin that moves less is as good as constant; this keeps the normalised picture finite.
LEAST_DEVIATION = 0.05
#: Variance of a course, in all bins together, under which it is as good as silent.
LEAST_VARIANCE = 1e-4
#: A bin of which the principal spectra hold nearly all has no remainder to scale up.
LEAST_REMAINDER = 0.05


class Style(NamedTuple):
    """What a generator is given of a crop.

    Attributes:
        texture: `[B, S]`, texture code (`model.courses`).
        level, deviation: `[B, bins]`, mean and deviation over time of the log-magnitude, in nepers.
        residual: `[B, bins]`, the deviation of what the principal spectra leave, in units of `deviation`.
        ceiling: `[B, bins]`, the highest that the principal spectra reach, in units of `deviation`.
        mixing: `[B, K, R]`, its principal spectra as mixtures of the eigen-spectra.
        rates: `[B, R, BANDS]`, log power of their courses by rate (`model.courses`).
        partials_hz, amplitudes: `[B, P]`, its steady partials and their RMS amplitudes; 0 where there is none.
    """

    texture: Tensor
    level: Tensor
    deviation: Tensor
    residual: Tensor
    ceiling: Tensor
    mixing: Tensor
    rates: Tensor
    partials_hz: Tensor
    amplitudes: Tensor

    def crossfade(self, other: Style, t: float) -> Style:
        """The style `t` (0..1) from this one to `other`. Partials are faded, as a glide between two bells is none."""
        means = (torch.lerp(mine, its, t) for mine, its in zip(self[:7], other[:7], strict=True))
        power = torch.lerp(self.mixing.square().sum(1, keepdim=True), other.mixing.square().sum(1, keepdim=True), t)
        mixing = F.normalize(torch.lerp(self.mixing, other.mixing, t), dim=1) * power.sqrt()  # as strong as at the ends
        partials_hz = torch.cat([self.partials_hz, other.partials_hz], dim=1)
        amplitudes = torch.cat([math.sqrt(1.0 - t) * self.amplitudes, math.sqrt(t) * other.amplitudes], dim=1)
        return Style._make([*means, partials_hz, amplitudes])._replace(mixing=mixing)


class StyleBank(nn.Module):
    """Styles of up to `style_count` training crops with their condition; a latent picks one of its condition."""

    conditions: Tensor
    keys: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        count, bins, partials = config.style_count, (config.bins,), (config.partials,)
        mixing, rates = (config.components, config.courses), (config.courses, BANDS)
        sizes = ((config.texture_dim,), bins, bins, bins, bins, mixing, rates, partials, partials)
        for name, size in zip(Style._fields, sizes, strict=True):
            self.register_buffer(name, torch.zeros(count, *size))
        self.register_buffer("conditions", torch.full((count,), -1))
        keys = torch.randn(count, config.latent_dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("keys", keys / keys.norm(dim=1, keepdim=True), persistent=False)

    def fill(self, style: Style, conditions: Tensor) -> None:
        """Take the styles of n crops (up to the bank's size) of `conditions` `[n]`; its other places stay unused."""
        for name, values in style._asdict().items():
            self.get_buffer(name)[: len(values)] = values
        self.conditions.fill_(-1)
        self.conditions[: len(conditions)] = conditions

    def at(self, places: Tensor) -> Style:
        """The styles at `places`, indices or a mask."""
        return Style(*(self.get_buffer(name)[places] for name in Style._fields))

    def forward(self, latent: Tensor, condition: Tensor) -> Style:
        """The style of latents `[B, L]`: that of `condition` `[B]` whose key they point at most."""
        scores = latent @ self.keys.T
        return self.at(scores.masked_fill(self.conditions[None] != condition[:, None], -math.inf).argmax(1))


class Analysis(NamedTuple):
    """A crop's `courses` `[B, R, frames]` and the parts of its `Style` that are found with them."""

    courses: Tensor
    level: Tensor
    deviation: Tensor
    residual: Tensor
    ceiling: Tensor
    mixing: Tensor


def log_magnitude(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """The picture `[B, bins, frames]` of `[B, T]`: natural logarithm of the magnitude."""
    return 0.5 * torch.log(power(stft(samples, n_fft, hop)) + SILENCE)


def within(picture: Tensor, n_fft: int, hop: int) -> Tensor:
    """The frames `[..., frames]` of a crop's picture that lie within the crop.

    One that reaches over its end hears a click there, in a steady tone of twenty deviations: it would be the strongest
    principal spectrum of every bell.
    """
    edge = n_fft // (2 * hop)
    return picture[..., edge:-edge]


def normalise(picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`[B, bins, frames]` with mean 0 and deviation 1 over time in every bin, and the `[B, bins]` it had before."""
    level = picture.mean(-1)
    moving = picture - level[..., None]
    deviation = moving.square().mean(-1).clamp_min(LEAST_DEVIATION**2).sqrt()
    return moving / deviation[..., None], level, deviation


def normalised_noise(spectrum: Tensor) -> Tensor:
    """The picture of the STFT `[..., bins, frames]` of white noise of variance 1, with mean 0 and deviation 1."""
    return (0.5 * power(spectrum).clamp_min(1e-12).log() - LOG_RAYLEIGH_MEAN) / LOG_RAYLEIGH_DEVIATION


def band_means(place: Tensor, bands: int) -> Tensor:
    """`[bins, bands]`: the weight of each bin in the mean of each triangular band; `place` `[bins]` is 0 in the middle
    of the first band and 1 in that of the last."""
    weights = (1.0 - (place[:, None] * (bands - 1) - torch.arange(bands)).abs()).clamp_min(0.0)
    return weights / weights.sum(0).clamp_min(1e-6)


def nearest_rotation(matrix: Tensor) -> Tensor:
    """The matrix with orthonormal columns nearest to `[..., M, N]`, M >= N: the unitary factor of its polar
    decomposition.

    >>> nearest_rotation(torch.diag(torch.tensor([3.0, -2.0])))
    tensor([[ 1.,  0.],
            [ 0., -1.]])
    """
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    return left @ right


class EigenSpectra(nn.Module):
    """`components` orthonormal spectra over `bins` that all clips share, fitted once and then fixed.

    >>> spectra = EigenSpectra(components=4, bins=9)
    >>> share = spectra.fit(torch.randn(8, 9, 50, generator=torch.Generator().manual_seed(0)))
    >>> found = spectra.analyse(torch.randn(1, 9, 50), courses=2)
    >>> found.courses.shape, found.mixing.shape
    (torch.Size([1, 2, 50]), torch.Size([1, 4, 2]))
    """

    basis: Tensor

    def __init__(self, components: int, bins: int) -> None:
        super().__init__()
        self.register_buffer("basis", torch.eye(bins, components))

    @torch.no_grad()
    def fit(self, pictures: Tensor) -> float:
        """Principal components of the normalised `pictures` `[N, bins, frames]`; gives back their share of variance."""
        frames = normalise(pictures)[0].transpose(1, 2).flatten(0, 1)
        variances, components = torch.linalg.eigh(frames.T @ frames / len(frames))
        count = self.basis.shape[1]
        self.basis.copy_(components.flip(1)[:, :count])
        return float(variances.flip(0)[:count].sum() / variances.sum())

    def analyse(self, picture: Tensor, courses: int) -> Analysis:
        """The `courses` strongest courses and the style of a picture `[B, bins, frames]`.

        A crop's own principal components, rotated to lie as near as they can to the first `courses` of the basis (as
        ZCA whitening does): the same course then stands for about the same spectrum in every crop, and what two
        courses do together can be learnt across clips. Unrotated, order and sign change from crop to crop.
        """
        normalised, level, deviation = normalise(picture)
        shared = self.basis.T @ normalised
        variances, directions = torch.linalg.eigh(shared @ shared.transpose(1, 2) / shared.shape[-1])
        directions = directions.flip(-1)[..., :courses]
        strength = variances.flip(-1)[:, None, :courses].clamp_min(LEAST_VARIANCE).sqrt()
        mixing = directions * strength
        turn = nearest_rotation(mixing[:, :courses]).transpose(1, 2)
        mixing = mixing @ turn
        found = (directions / strength @ turn).transpose(1, 2) @ shared
        held = self.combine(found, mixing)
        residual = (normalised - held).square().mean(-1).sqrt()
        return Analysis(found, level, deviation, residual, held.amax(-1), mixing)

    def combine(self, courses: Tensor, mixing: Tensor) -> Tensor:
        """The part of a normalised picture `[B, bins, frames]` that `courses` `[B, R, frames]` hold."""
        return (self.basis @ mixing) @ courses

    def courses_of_noise(self, normalised: Tensor, mixing: Tensor) -> Tensor:
        """Courses `[B, R, frames]` of a picture of noise `[B, bins, frames]` of deviation 1, in a crop's directions."""
        return nearest_rotation(mixing).transpose(1, 2) @ (self.basis.T @ normalised)

    def remainder(self, normalised: Tensor, mixing: Tensor) -> Tensor:
        """What the principal spectra leave of `[B, bins, frames]` noise of deviation 1, at deviation 1 again."""
        directions = torch.linalg.qr(self.basis @ mixing)[0]
        left = normalised - directions @ (directions.transpose(1, 2) @ normalised)
        return left * (1.0 - directions.square().sum(-1)).clamp_min(LEAST_REMAINDER).rsqrt()[..., None]
