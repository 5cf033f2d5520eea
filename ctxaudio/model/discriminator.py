"""The discriminator: is it real, and which condition is it? At three resolutions of the log-power picture.

Each resolution is a stack of 1-D convolutions over time with the bands as channels: it sees a few frames at once,
so it judges texture rather than whole clips, and costs a tenth of a 2-D stack. Authenticity is judged given the
condition and style (projection, Miyato & Koyama 2018, arXiv:1802.05637); the auxiliary head names the condition
(Odena et al. 2017, arXiv:1610.09585), weighted by `lambda_aux`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torchaudio.functional import melscale_fbanks

from ctxaudio.model.generator import GeneratorConfig
from ctxaudio.signal.precision import in_float32
from ctxaudio.signal.stft import power_spectrogram


@dataclass(frozen=True)
class Resolution:
    """One picture: window in seconds (hop a quarter), number of mel bands (0: every bin), strides over time."""

    window_s: float
    bands: int
    strides: tuple[int, int, int, int]


RESOLUTIONS = (
    Resolution(0.0929, 160, (1, 1, 2, 1)),
    Resolution(0.0232, 0, (1, 2, 2, 1)),
    Resolution(0.0058, 0, (2, 2, 2, 1)),
)


class Verdict(NamedTuple):
    """Authenticity `[B, frames]`, condition logits `[B, conditions]`, and the features on the way."""

    real: Tensor
    condition: Tensor
    features: list[Tensor]


class ResolutionDiscriminator(nn.Module):
    """Sound `[B, T]` to a `Verdict` at one resolution."""

    filters: Tensor | None

    def __init__(self, config: GeneratorConfig, resolution: Resolution, width: int = 128) -> None:
        super().__init__()
        self.n_fft = 2 ** round(torch.log2(torch.tensor(resolution.window_s * config.sample_rate)).item())
        self.hop = self.n_fft // 4
        bands = resolution.bands or self.n_fft // 2 + 1
        filters = None
        if resolution.bands:
            filters = melscale_fbanks(self.n_fft // 2 + 1, 20.0, config.sample_rate / 2, bands, config.sample_rate)
        self.register_buffer("filters", filters)
        conditions = len(config.conditions)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv1d(inputs, width, 3 if stride == 1 else 4, stride=stride, padding=1))
            for inputs, stride in zip((bands, width, width, width), resolution.strides, strict=True)
        )
        self.real = spectral_norm(nn.Conv1d(width, 1, 1))
        self.given = spectral_norm(nn.Linear(conditions + config.style_dim, width))
        self.condition = nn.Linear(width, conditions)

    @in_float32
    def picture(self, samples: Tensor) -> Tensor:
        """Log-power `[B, bands, frames]`, scaled to about -2..2."""
        power = power_spectrogram(samples, self.n_fft, self.hop)
        if self.filters is not None:
            power = power @ self.filters
        return ((torch.log(power + 1e-8) + 10.0) / 4.0).transpose(1, 2)

    def forward(self, samples: Tensor, given: Tensor) -> Verdict:
        x = self.picture(samples)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        projection = (self.given(given)[..., None] * x).sum(1) / x.shape[1] ** 0.5
        return Verdict(self.real(x).squeeze(1) + projection, self.condition(x.mean(-1)), features)


class Discriminator(nn.Module):
    """Sound `[B, T]`, condition `[B]` and style `[B, S]` to one `Verdict` a resolution."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.conditions = len(config.conditions)
        self.at = nn.ModuleList(ResolutionDiscriminator(config, resolution) for resolution in RESOLUTIONS)

    def forward(self, samples: Tensor, condition: Tensor, style: Tensor) -> list[Verdict]:
        given = torch.cat([F.one_hot(condition, self.conditions).to(style.dtype), 0.3 * style], dim=1)
        return [discriminator(samples, given) for discriminator in self.at]
