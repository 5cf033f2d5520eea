"""What the generator is stacked from: blocks that add noise of their own, and the frames at their ends to cut off."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gaussian(shape: Sequence[int], random: torch.Generator | None, device: torch.device) -> Tensor:
    """White noise on `device`; with a generator (on the CPU) the same on every device."""
    if random is None:
        return torch.randn(shape, device=device)
    return torch.randn(shape, generator=random).to(device)


def uniform(shape: Sequence[int], random: torch.Generator | None, device: torch.device) -> Tensor:
    """Uniform in 0..1, as `gaussian`."""
    return torch.rand(shape, generator=random).to(device) if random is not None else torch.rand(shape, device=device)


class NoisyBlock(nn.Module):
    """Residual block on `[B, C, frames]`: depthwise conv over time, own noise, style as scale and shift, mixing."""

    def __init__(self, width: int, style: int, kernel: int = 5, dilation: int = 1) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(
            width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=width
        )
        self.noise_level = nn.Parameter(torch.full((width, 1), 0.3))
        self.modulate = nn.Linear(style, 2 * width)
        self.expand = nn.Conv1d(width, 2 * width, 1)
        self.project = nn.Conv1d(2 * width, width, 1)

    def forward(self, x: Tensor, style: Tensor, noise: torch.Generator | None) -> Tensor:
        scale, shift = self.modulate(style).chunk(2, dim=1)
        y = self.over_time(x)
        y = torch.addcmul(y, self.noise_level, gaussian(y.shape, noise, y.device))
        y = y / (y.square().mean(1, keepdim=True).sqrt() + 1e-3)
        # scaling the weights instead of every frame: expand(y * (1 + scale) + shift) with fewer passes over y
        mix = self.expand.weight[..., 0]
        y = F.gelu(torch.baddbmm(F.linear(shift, mix, self.expand.bias)[..., None], mix * (1 + scale)[:, None], y))
        return x + self.project(y)


def edge_of(blocks: nn.ModuleList) -> int:
    """How many frames at either end of a stack's output have seen the padding.

    They are cut off: a generator that can tell where a crop ends puts its crickets there, and nowhere else.
    """
    return sum(int(block.over_time.padding[0]) for block in blocks if isinstance(block, NoisyBlock))


def middle_of(x: Tensor, frames: int) -> Tensor:
    start = (x.shape[-1] - frames) // 2
    return x[..., start : start + frames]
