"""What the generator is stacked from: blocks that add noise of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Where chance comes from: a generator on the CPU, the same on every device, or torch's own on the device.
Random = torch.Generator | None


def gaussian(shape: Sequence[int], random: Random, device: torch.device) -> Tensor:
    """White noise on `device`."""
    return torch.empty(shape, device=device if random is None else "cpu").normal_(generator=random).to(device)


def uniform(shape: Sequence[int], random: Random, device: torch.device) -> Tensor:
    """Uniform in 0..1, on `device`."""
    return torch.empty(shape, device=device if random is None else "cpu").uniform_(generator=random).to(device)


class NoisyBlock(nn.Module):
    """Residual block on `[B, C, frames]`: depthwise conv over time, own noise, style as scale and shift, mixing."""

    def __init__(self, width: int, style: int, dilation: int = 1) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation, groups=width)
        self.noise_level = nn.Parameter(torch.full((width, 1), 0.3))
        self.modulate = nn.Linear(style, 2 * width)
        self.expand = nn.Conv1d(width, 2 * width, 1)
        self.project = nn.Conv1d(2 * width, width, 1)

    def forward(self, x: Tensor, style: Tensor, noise: Random) -> Tensor:
        scale, shift = self.modulate(style).chunk(2, dim=1)
        y = self.over_time(x)
        y = torch.addcmul(y, self.noise_level, gaussian(y.shape, noise, y.device))
        y = y / (y.square().mean(1, keepdim=True).sqrt() + 1e-3)
        # scaling the weights instead of every frame: expand(y * (1 + scale) + shift) with fewer passes over y
        mix = self.expand.weight[..., 0]
        y = F.gelu(torch.baddbmm(F.linear(shift, mix, self.expand.bias)[..., None], mix * (1 + scale)[:, None], y))
        return x + self.project(y)


class Stack(nn.ModuleList):
    """`NoisyBlock`s one after the other; `edge` frames at either end of what they make have seen the padding.

    Those are to be cut off: a generator that can tell where a crop ends puts its crickets there, and nowhere else.
    """

    def __init__(self, width: int, style: int, dilations: Sequence[int] = (1, 2)) -> None:
        super().__init__(NoisyBlock(width, style, dilation) for dilation in dilations)
        self.edge = 2 * sum(dilations)

    def forward(self, x: Tensor, style: Tensor, noise: Random) -> Tensor:
        for block in self:
            x = block(x, style, noise)
        return x


def middle_of(x: Tensor, frames: int) -> Tensor:
    start = (x.shape[-1] - frames) // 2
    return x[..., start : start + frames]
