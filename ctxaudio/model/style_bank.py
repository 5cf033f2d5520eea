"""The styles a generator knows: what is kept of some of its training crops, and how a latent picks among them.

Instance conditioning (Casanova et al. 2021, arXiv:2109.05070): labels such as Rain are many kinds of sound, and their
average is no rain that ever fell. A bank holds some six hundred numbers a crop, averages over its two seconds, and
no audio.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Style(NamedTuple):
    """What is kept of a crop.

    Attributes:
        texture: `[B, S]`, texture statistics of the training clips' space (`model.styles`), whitened.
        level: `[B, bins]`, mean over time of the natural logarithm of its magnitude in every bin.
        movement: `[B, bins]`, the deviation of that logarithm over time.
        partials_hz: `[B, K]`, frequencies of its steady partials.
        amplitudes: `[B, K]`, their RMS amplitudes, 0 where there is none.
    """

    texture: Tensor
    level: Tensor
    movement: Tensor
    partials_hz: Tensor
    amplitudes: Tensor

    def towards(self, other: Style, way: float) -> Style:
        """The style `way` (0..1) from this one to `other`. Partials are faded, as a glide between two bells is none."""
        return Style(
            torch.lerp(self.texture, other.texture, way),
            torch.lerp(self.level, other.level, way),
            torch.lerp(self.movement, other.movement, way),
            torch.cat([self.partials_hz, other.partials_hz], dim=1),
            torch.cat([math.sqrt(1.0 - way) * self.amplitudes, math.sqrt(way) * other.amplitudes], dim=1),
        )


class StyleBank(nn.Module):
    """Styles of training crops with their condition; a latent picks two of its condition and blends them.

    Args:
        count: how many styles it has room for.
        latent_dim: L of the latents.
        texture: S, bins: of the spectra, partials: K of a `Style`.
    """

    texture: Tensor
    level: Tensor
    movement: Tensor
    partials_hz: Tensor
    amplitudes: Tensor
    conditions: Tensor
    keys: Tensor

    def __init__(self, count: int, latent_dim: int, texture: int, bins: int, partials: int) -> None:
        super().__init__()
        for name, size in zip(Style._fields, (texture, bins, bins, partials, partials), strict=True):
            self.register_buffer(name, torch.zeros(count, size))
        self.register_buffer("conditions", torch.full((count,), -1))
        keys = torch.randn(count, latent_dim, generator=torch.Generator().manual_seed(0))
        self.register_buffer("keys", keys / keys.norm(dim=1, keepdim=True))

    def fill(self, style: Style, conditions: Tensor) -> None:
        """Keep the styles of n crops (up to the bank's size) of `conditions` `[n]`; its other places stay unused."""
        for name, values in style._asdict().items():
            self.get_buffer(name)[: len(values)] = values
        self.conditions.fill_(-1)
        self.conditions[: len(conditions)] = conditions

    def forward(self, latent: Tensor, condition: Tensor) -> Style:
        """The style of latents `[B, L]`: a blend of two of `condition` `[B]`, with the partials of the nearer."""
        scores = latent @ self.keys.T
        scores = scores.masked_fill(self.conditions[None] != condition[:, None], -math.inf)
        best, chosen = scores.topk(2, dim=1)
        # with a single style of its condition, the second score is -inf and the blend leaves it out
        weight = torch.softmax(4.0 * best, dim=1)[..., None]
        blended = ((weight * kept[chosen]).sum(1) for kept in (self.texture, self.level, self.movement))
        texture, level, movement = blended
        nearer = chosen[:, 0]
        return Style(texture, level, movement, self.partials_hz[nearer], self.amplitudes[nearer])
