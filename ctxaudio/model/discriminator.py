"""The discriminator: is this moment real, does it fit condition and style, and which condition is it?

It looks at what courses do to the spectrum, in bands, at two frame rates, with 1-D convolutions over time. A band is
the same in every clip, a course is not quite: of courses as such it learnt half as much in 240 updates against a frozen
generator (hinge loss 1.6 instead of 1.3, of 2). Both sides of the game would go through the same frequency modulation
layer, so nothing is lost by judging the sound before it, and no sound has to be rendered in training.

Notebook: 04_conditional_gan.ipynb
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ctxaudio.model.generator import PICTURE_BANDS, GeneratorConfig

WIDTH = 96
#: Frames averaged, and strides of the four convolutions, of each view.
VIEWS = ((1, (2, 2, 2, 1)), (8, (1, 2, 2, 1)))


class Verdict(NamedTuple):
    """Authenticity `[B, moments]` and condition logits `[B, conditions]`."""

    real: Tensor
    condition: Tensor


class View(nn.Module):
    """Pictures `[B, PICTURE_BANDS, frames]`, averaged over `pooled` frames, to a `Verdict`.

    Authenticity is judged given condition and texture code by projection (Miyato & Koyama 2018, arXiv:1802.05637); the
    auxiliary head names the condition (Odena et al. 2017, arXiv:1610.09585). Spectral normalisation: Miyato et al.
    2018, arXiv:1802.05957.
    """

    def __init__(self, config: GeneratorConfig, pooled: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.pooled = pooled
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv1d(inputs, WIDTH, 4 if stride == 2 else 3, stride=stride, padding=1))
            for inputs, stride in zip((PICTURE_BANDS, WIDTH, WIDTH, WIDTH), strides, strict=True)
        )
        self.real = spectral_norm(nn.Conv1d(WIDTH, 1, 1))
        self.given = spectral_norm(nn.Linear(len(config.conditions) + config.texture_dim, WIDTH))
        self.condition = nn.Linear(WIDTH, len(config.conditions))

    def forward(self, bands: Tensor, given: Tensor) -> Verdict:
        x = F.avg_pool1d(bands, self.pooled) * self.pooled**0.5 if self.pooled > 1 else bands
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        projection = (self.given(given)[..., None] * x).sum(1) / WIDTH**0.5
        return Verdict(self.real(x).squeeze(1) + projection, self.condition(x.mean(-1)))


class Discriminator(nn.Module):
    """Pictures `[B, PICTURE_BANDS, frames]`, condition `[B]` and texture code `[B, S]` to one `Verdict` a view."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.conditions = len(config.conditions)
        self.views = nn.ModuleList(View(config, pooled, strides) for pooled, strides in VIEWS)

    def forward(self, bands: Tensor, condition: Tensor, texture: Tensor) -> list[Verdict]:
        given = torch.cat([F.one_hot(condition, self.conditions).to(texture.dtype), 0.3 * texture], dim=1)
        return [view(bands, given) for view in self.views]
