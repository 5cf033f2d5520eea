"""Steady partials: found in a crop as spectral lines, and their STFT, from which generated sound takes its phase.

A bell is a few dozen partials that keep their frequency while they die away (modal synthesis; Serra & Smith 1990,
Computer Music Journal 14:4). Noise through a filter cannot make them: its phase wanders.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ctxaudio.signal.stft import power_spectrogram, stft, unit_window

WINDOW_S = 0.3715
NEIGHBOURHOOD_HZ = 270.0
LOWEST_HZ = 60.0
# the mean power of noise in this window varies by some decibels; a dozen is a line (tests/test_partials.py)
PROMINENCE_DB = 12.0

FRAME_S = 0.0464
#: From here on a line is steady. That of white noise is .68, by the overlap of its frames. Of the lines in recordings,
#: in the median, gongs have 1, wind chimes .96, bells .94, snares .90; birds, whose calls glide, .87, crickets .74.
STEADY = 0.85


def find_partials(samples: Tensor, sample_rate: int, count: int) -> tuple[Tensor, Tensor]:
    """The `count` strongest spectral lines of crops `[B, T]`: frequencies in hertz and RMS amplitudes, `[B, count]`.

    A line is a local maximum of the power averaged over time, `PROMINENCE_DB` above its neighbourhood, and `steadiness`
    at least `STEADY`. Fewer lines: the remaining amplitudes are 0. Frequencies are exact to a tenth of a bin (0.3 Hz
    at 22 050 Hz).
    """
    n_fft = 2 ** round(math.log2(WINDOW_S * sample_rate))
    power = power_spectrogram(samples, n_fft, n_fft // 4).mean(1)
    level = torch.log(power + 1e-12)
    bin_hz = sample_rate / n_fft
    width = 2 * round(NEIGHBOURHOOD_HZ / bin_hz / 2) + 1
    around = F.avg_pool1d(F.pad(level[:, None], (width // 2, width // 2), mode="reflect"), width, 1)[:, 0]
    highest = F.max_pool1d(level[:, None], 5, 1, padding=2)[:, 0]
    lowest_bin = round(LOWEST_HZ / bin_hz)
    line = (level == highest) & (level - around > PROMINENCE_DB * math.log(10) / 10)
    line[:, :lowest_bin] = False
    line[:, -2:] = False
    strength, at = power.masked_fill(~line, 0.0).topk(count, dim=1)
    left, middle, right = (level.gather(1, (at + d).clamp(0, level.shape[1] - 1)) for d in (-1, 0, 1))
    curvature = (2 * middle - left - right).clamp_min(1e-6)
    shift = (0.5 * (right - left) / curvature).clamp(-0.5, 0.5)
    # power of a line in units of white noise's: mean square times sum(w)^2 / (2 sum(w^2)) = n_fft / 3 for Hann
    strength = strength * torch.exp(0.25 * (right - left) * shift)
    amplitude = torch.sqrt(strength * 3.0 / n_fft)
    frequency_hz = (at + shift) * bin_hz
    return frequency_hz, amplitude.masked_fill(steadiness(samples, frequency_hz, sample_rate) < STEADY, 0.0)


def steadiness(samples: Tensor, frequencies_hz: Tensor, sample_rate: int) -> Tensor:
    """How far crops `[B, T]`, around each of `frequencies_hz` `[B, K]`, turn at just that frequency: `[B, K]`, up to 1.

    The coherence of successive frames of `FRAME_S`, once turned back by what the frequency turns from one to the next.
    A partial may die away within it; a call that glides through has phases of its own, and so has noise. 0 in silence.

    >>> t = torch.arange(44100) / 22050
    >>> steady, gliding = (torch.sin(2 * torch.pi * hz * t) for hz in (2000, 1900 + 50 * t))
    >>> steadiness(torch.stack([steady, gliding]), torch.full((2, 1), 2000.0), 22050).round(decimals=2)
    tensor([[1.0000],
            [0.6500]])
    """
    n_fft = 2 ** round(math.log2(FRAME_S * sample_rate))
    hop = n_fft // 4
    spectrum = stft(samples, n_fft, hop)  # [B, bins, frames]
    at = (frequencies_hz * (n_fft / sample_rate)).round().long()
    near = spectrum.gather(1, at[..., None].expand(-1, -1, spectrum.shape[2]))
    turned = torch.exp(-2j * math.pi * ((frequencies_hz.double() * (hop / sample_rate)) % 1.0)).to(near.dtype)
    product = near[..., 1:] * near[..., :-1].conj() * turned[..., None]
    return product.real.sum(2) / product.abs().sum(2).clamp_min(1e-20)


def partials_spectrum(
    amplitudes: Tensor, frequencies_hz: Tensor, phases: Tensor, frames: int, sample_rate: int, n_fft: int, hop: int
) -> Tensor:
    """STFT `[B, n_fft//2+1, frames]` of the sum of steady sinusoids: RMS amplitude, hertz and radians, all `[B, K]`.

    In the scale of `signal.stft.stft`: its inverse gives `sqrt(2) * amplitude * cos(2 pi f t + phase)`.
    """
    window = unit_window(n_fft, amplitudes)
    cycles = (frequencies_hz.double() / sample_rate)[..., None]
    inside = 2 * math.pi * cycles * (torch.arange(n_fft, device=cycles.device) - n_fft // 2)
    lobes = torch.fft.rfft((window * torch.cos(inside)).float()) + 1j * torch.fft.rfft(
        (window * torch.sin(inside)).float()
    )  # [B, K, bins]: of exp(iwt) alone, without its mirror image
    turns = 2 * math.pi * ((cycles * hop * torch.arange(frames, device=cycles.device)) % 1.0) + phases[..., None]
    swing = torch.polar(torch.full_like(turns, 0.5 * 2**0.5), turns).to(lobes.dtype)  # [B, K, frames]
    return (amplitudes[..., None] * lobes).transpose(1, 2) @ swing
