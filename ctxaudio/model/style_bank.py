"""The styles a generator knows: what it has of some of its training crops, and how a latent picks among them.

Instance conditioning (Casanova et al. 2021, arXiv:2109.05070): labels such as Rain are many kinds of sound, and their
average is no rain that ever fell. A style is some three thousand numbers, statistics over two seconds, and no audio.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio.model.rates import BANDS


class Style(NamedTuple):
    """What a generator is given of a crop.

    Attributes:
        texture: `[B, S]`, texture code (`model.texture`).
        level, deviation: `[B, bins]`, mean and deviation over time of the log-magnitude, in nepers.
        residual: `[B, bins]`, the deviation of what the principal spectra leave, in units of `deviation`.
        ceiling: `[B, bins]`, the highest that the principal spectra reach, in units of `deviation`.
        mixing: `[B, K, R]`, its principal spectra (`model.eigenspectra`).
        rates: `[B, R, BANDS]`, log power of their courses by rate (`model.rates`).
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
        texture, level, deviation, residual, ceiling, mixing, rates = (
            torch.lerp(mine, its, t) for mine, its in zip(self[:7], other[:7], strict=True)
        )
        power = torch.lerp(self.mixing.square().sum(1, keepdim=True), other.mixing.square().sum(1, keepdim=True), t)
        mixing = F.normalize(mixing, dim=1) * power.sqrt()  # as strong in between as at the ends
        partials_hz = torch.cat([self.partials_hz, other.partials_hz], dim=1)
        faded = [math.sqrt(1.0 - t) * self.amplitudes, math.sqrt(t) * other.amplitudes]
        return Style(texture, level, deviation, residual, ceiling, mixing, rates, partials_hz, torch.cat(faded, dim=1))


def style_sizes(texture: int, bins: int, mixing: tuple[int, int], partials: int) -> dict[str, tuple[int, ...]]:
    """The sizes of a style's parts: `texture` S, `bins`, `mixing` (K, R) and `partials` P."""
    rates = (mixing[1], BANDS)
    sizes = ((texture,), (bins,), (bins,), (bins,), (bins,), mixing, rates, (partials,), (partials,))
    return dict(zip(Style._fields, sizes, strict=True))


class StyleBank(nn.Module):
    """Styles of training crops with their condition; a latent picks one of its condition.

    Args:
        count: how many styles it has room for.
        latent_dim: L of the latents.
        texture, bins, mixing, partials: as for `style_sizes`.
    """

    conditions: Tensor

    def __init__(
        self, count: int, latent_dim: int, texture: int, bins: int, mixing: tuple[int, int], partials: int
    ) -> None:
        super().__init__()
        for name, size in style_sizes(texture, bins, mixing, partials).items():
            self.register_buffer(name, torch.zeros(count, *size))
        self.register_buffer("conditions", torch.full((count,), -1))
        keys = torch.randn(count, latent_dim, generator=torch.Generator().manual_seed(0))
        self.keys: Tensor
        self.register_buffer("keys", keys / keys.norm(dim=1, keepdim=True), persistent=False)

    def fill(self, style: Style, conditions: Tensor) -> None:
        """Take the styles of n crops (up to the bank's size) of `conditions` `[n]`; its other places stay unused."""
        for name, values in style._asdict().items():
            self.get_buffer(name)[: len(values)] = values
        self.conditions.fill_(-1)
        self.conditions[: len(conditions)] = conditions

    def forward(self, latent: Tensor, condition: Tensor) -> Style:
        """The style of latents `[B, L]`: that of `condition` `[B]` whose key they point at most."""
        scores = latent @ self.keys.T
        scores = scores.masked_fill(self.conditions[None] != condition[:, None], -math.inf)
        chosen = scores.argmax(1)
        return Style(*(self.get_buffer(name)[chosen] for name in Style._fields))
