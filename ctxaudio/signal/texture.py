"""Texture statistics: what stays the same between two takes of the same rain.

Means over time of band levels, their spread and shape, how fast they move and which bands move together,
after McDermott & Simoncelli 2011 (Neuron 71:926, doi:10.1016/j.neuron.2011.06.032), on log-power in mel bands at
two resolutions. Differentiable, so that the same numbers train a generator and judge it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from ctxaudio.signal.stft import power_spectrogram

LOWEST_OCTAVE_HZ = 0.6
NEIGHBOURS = (1, 2, 4, 8)


class BandStatistics(nn.Module):
    """Statistics at one resolution: `[B, T]` to `[B, size]`; needs at least `LOWEST_OCTAVE_HZ` of one cycle (1.7 s).

    Args:
        sample_rate: in hertz.
        window_s: length of the analysis window; the hop is a quarter of it.
        bands: number of mel bands.
    """

    filters: Tensor

    def __init__(self, sample_rate: int, window_s: float, bands: int) -> None:
        super().__init__()
        self.n_fft = 2 ** round(math.log2(window_s * sample_rate))
        self.hop = self.n_fft // 4
        self.frame_rate = sample_rate / self.hop
        filters = melscale_fbanks(self.n_fft // 2 + 1, 40.0, sample_rate / 2, bands, sample_rate)
        # At fine time resolution the lowest mel filters fall between bins and would be empty.
        self.register_buffer("filters", filters[:, filters.sum(0) > 0])
        self.octaves_hz = [
            LOWEST_OCTAVE_HZ * 2.0**k for k in range(int(math.log2(self.frame_rate / 2 / LOWEST_OCTAVE_HZ)))
        ]

    def forward(self, samples: Tensor) -> Tensor:
        power = power_spectrogram(samples, self.n_fft, self.hop) @ self.filters
        level = torch.log(power + 1e-8).transpose(1, 2)  # [B, bands, frames]
        mean = level.mean(-1)
        moving = level - mean[..., None]
        spread = moving.square().mean(-1).add(1e-4).sqrt()
        shape = moving / spread[..., None]
        skew = shape.pow(3).mean(-1)
        kurtosis = shape.pow(4).mean(-1).add(1.0).log()
        # how much of the movement lies in each octave of rates
        rates_hz = torch.fft.rfftfreq(level.shape[-1], 1.0 / self.frame_rate, device=samples.device)
        energy = torch.fft.rfft(shape).abs().square() / level.shape[-1] ** 2
        movement = [
            torch.log(energy[..., (rates_hz >= low) & (rates_hz < 2 * low)].sum(-1) + 1e-4) for low in self.octaves_hz
        ]
        together = [(shape[:, d:] * shape[:, :-d]).mean(-1) for d in NEIGHBOURS]
        return torch.cat([mean, spread.log(), skew, kurtosis, *movement, *together], dim=1)


class TextureStatistics(nn.Module):
    """The statistics of `[B, T]` sound at 12 ms and 46 ms windows, side by side: `[B, size]`.

    >>> statistics = TextureStatistics(sample_rate=22050)
    >>> statistics(torch.randn(2, 2 * 22050)).shape[0]
    2
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList([BandStatistics(sample_rate, 0.0116, 32), BandStatistics(sample_rate, 0.0464, 64)])

    def forward(self, samples: Tensor) -> Tensor:
        return torch.cat([scale(samples) for scale in self.scales], dim=1)
