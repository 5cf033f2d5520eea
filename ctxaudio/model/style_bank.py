"""The styles a generator knows: what is kept of some of its training crops, and how a latent picks among them.

Instance conditioning (Casanova et al. 2021, arXiv:2109.05070): labels such as Rain are many kinds of sound, and their
average is no rain that ever fell. A bank holds some three thousand numbers a crop, statistics over its two seconds,
and no audio.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ctxaudio.signal.movement import QUANTILES, RATES
from ctxaudio.signal.strikes import FLOOR, PEAK, SMALLEST, STRIKE, WITH


class Style(NamedTuple):
    """What is kept of a crop.

    Attributes:
        texture: `[B, S]`, texture statistics of the training clips' space (`model.styles`), whitened.
        level: `[B, bins]`, mean over time of the natural logarithm of its magnitude in every bin.
        residual: `[B, bins]`, the deviation over time that the shapes leave of it.
        patchiness: `[B, 1]`, how much of the residual neighbouring bins have in common.
        shapes: `[B, R, bins]`, how that logarithm moves (`signal.movement`); where all of a shape is 0, none.
        rates: `[B, R, RATES]`, how fast.
        innovations: `[B, R, QUANTILES]`, what drives it.
        partials_hz: `[B, K]`, frequencies of its steady partials.
        amplitudes: `[B, K]`, their RMS amplitudes, 0 where there is none.
        strikes: `[B, R + K, STRIKE]`, how those shapes and partials are struck that are (`signal.strikes`).
        clicks: `[B, 1]`, how much of its noise is clicks (`signal.clicks`).
        loudest: `[B, 1]`, natural logarithm of the magnitude, over all bins, of its loudest frame.
    """

    texture: Tensor
    level: Tensor
    residual: Tensor
    patchiness: Tensor
    shapes: Tensor
    rates: Tensor
    innovations: Tensor
    partials_hz: Tensor
    amplitudes: Tensor
    strikes: Tensor
    clicks: Tensor
    loudest: Tensor

    def movement(self) -> Tensor:
        """`[B, bins]`, the deviation of each bin's logarithm over time."""
        return (self.residual.square() + self.shapes.square().sum(1)).sqrt()

    def towards(self, other: Style, way: float) -> Style:
        """The style `way` (0..1) from this one to `other`. Shapes and partials are faded, as a glide between two bells
        is none."""
        less, more = math.sqrt(1.0 - way), math.sqrt(way)
        return Style(
            torch.lerp(self.texture, other.texture, way),
            torch.lerp(self.level, other.level, way),
            torch.lerp(self.residual, other.residual, way),
            torch.lerp(self.patchiness, other.patchiness, way),
            torch.cat([less * self.shapes, more * other.shapes], dim=1),
            torch.cat([self.rates, other.rates], dim=1),
            torch.cat([self.innovations, other.innovations], dim=1),
            torch.cat([self.partials_hz, other.partials_hz], dim=1),
            torch.cat([less * self.amplitudes, more * other.amplitudes], dim=1),
            strikes_beside(self.strikes_at(less), other.strikes_at(more), self.shapes.shape[1]),
            torch.lerp(self.clicks, other.clicks, way),
            torch.lerp(self.loudest, other.loudest, way),
        )

    def strikes_at(self, gain: float) -> Tensor:
        """The strikes with partials at `gain`; shapes are faded themselves."""
        strikes = self.strikes.clone()
        strikes[:, self.shapes.shape[1] :, [PEAK, FLOOR]] += math.log(max(gain, SMALLEST))
        return strikes


def strikes_beside(first: Tensor, second: Tensor, shapes: int) -> Tensor:
    """Strikes `[B, R + K, STRIKE]` of two styles as those of one, `[B, 2 R + 2 K, STRIKE]`, its shapes first."""
    first, second = first.clone(), second.clone()
    first[..., WITH] += shapes * (first[..., WITH] >= shapes)
    second[..., WITH] += torch.where(second[..., WITH] >= shapes, first.shape[1], shapes)
    return torch.cat([first[:, :shapes], second[:, :shapes], first[:, shapes:], second[:, shapes:]], dim=1)


class StyleBank(nn.Module):
    """Styles of training crops with their condition; a latent picks one of its condition.

    Args:
        count: how many styles it has room for.
        latent_dim: L of the latents.
        texture: S, bins: of the spectra, shapes: R, partials: K of a `Style`.
    """

    texture: Tensor
    level: Tensor
    residual: Tensor
    patchiness: Tensor
    shapes: Tensor
    rates: Tensor
    innovations: Tensor
    partials_hz: Tensor
    amplitudes: Tensor
    strikes: Tensor
    clicks: Tensor
    loudest: Tensor
    conditions: Tensor
    keys: Tensor

    def __init__(self, count: int, latent_dim: int, texture: int, bins: int, shapes: int, partials: int) -> None:
        super().__init__()
        moving = ((shapes, bins), (shapes, RATES), (shapes, QUANTILES))
        sounding = ((partials,), (partials,), (shapes + partials, STRIKE))
        sizes = ((texture,), (bins,), (bins,), (1,), *moving, *sounding, (1,), (1,))
        for name, size in zip(Style._fields, sizes, strict=True):
            self.register_buffer(name, torch.zeros(count, *size))
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
        """The style of latents `[B, L]`: that of `condition` `[B]` whose key they point at most."""
        scores = latent @ self.keys.T
        scores = scores.masked_fill(self.conditions[None] != condition[:, None], -math.inf)
        chosen = scores.argmax(1)
        return Style(*(self.get_buffer(name)[chosen] for name in Style._fields))
