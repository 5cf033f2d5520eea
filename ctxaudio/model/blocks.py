"""What the generator is stacked from: blocks that add noise of their own, and the frames at their ends to cut off."""

from __future__ import annotations

import math
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


class Resonators(nn.Module):
    """Events excite `count` second-order resonators, whose rates and decays the style sets: what is struck rings on,
    what purrs keeps its rate, for longer than any convolution here is long.

    Time goes round, so that the beginning hears what rings on from the end and no frame is before the first event.

    Args:
        width, style: channels of the input and size of the style.
        count: resonators.
        frame_rate: of the input, in hertz.
    """

    SHORTEST_S, LONGEST_S = 0.02, 3.0

    def __init__(self, width: int, style: int, count: int, frame_rate: float) -> None:
        super().__init__()
        self.frame_rate = frame_rate
        self.excite = nn.Conv1d(width, count, 1)
        self.noise_level = nn.Parameter(torch.full((count, 1), 0.7))
        self.control = nn.Linear(style, 3 * count)
        nn.init.normal_(self.control.weight, std=0.01)
        # half of them decay without a rate; the others start at rates evenly apart on a logarithmic scale
        rates = torch.cat(
            [torch.full((count // 2,), 0.05), torch.logspace(0.0, math.log10(0.8 * frame_rate / 2), count - count // 2)]
        )
        with torch.no_grad():
            share = (rates / (frame_rate / 2)).clamp(1e-3, 1 - 1e-3)
            decays = torch.linspace(-2.0, 2.0, count // 2).repeat(2)
            self.control.bias.copy_(torch.cat([share.logit(), decays, torch.zeros(count)]))
        self.project = nn.Conv1d(count, width, 1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor, style: Tensor, noise: torch.Generator | None) -> Tensor:
        y = self.excite(x)
        events = F.relu(torch.addcmul(y, self.noise_level, gaussian(y.shape, noise, y.device))).square()
        rung = torch.fft.irfft(torch.fft.rfft(events) * self.response(style, x.shape[-1]), x.shape[-1])
        return x + self.project(rung)

    def response(self, style: Tensor, frames: int) -> Tensor:
        """`[B, count, frames // 2 + 1]`: transfer functions of a^n cos(theta n), of equal energy."""
        rate, decay, gain = self.control(style)[..., None].chunk(3, dim=1)
        theta = math.pi * torch.sigmoid(rate)
        seconds = self.SHORTEST_S * (self.LONGEST_S / self.SHORTEST_S) ** torch.sigmoid(decay)
        a = torch.exp(-1.0 / (self.frame_rate * seconds))
        omega = 2.0 * math.pi / frames * torch.arange(frames // 2 + 1, dtype=style.dtype, device=style.device)
        z = torch.polar(torch.ones_like(omega), -omega)
        a_cos = a * torch.cos(theta)
        return (
            torch.exp(gain)
            * torch.sqrt(1.0 - a.square())
            * (1.0 - a_cos * z)
            / (1.0 - 2.0 * a_cos * z + a.square() * z.square())
        )


def edge_of(blocks: nn.ModuleList) -> int:
    """How many frames at either end of a stack's output have seen the padding.

    They are cut off: a generator that can tell where a crop ends puts its crickets there, and nowhere else.
    """
    return sum(int(block.over_time.padding[0]) for block in blocks if isinstance(block, NoisyBlock))


def middle_of(x: Tensor, frames: int) -> Tensor:
    start = (x.shape[-1] - frames) // 2
    return x[..., start : start + frames]
