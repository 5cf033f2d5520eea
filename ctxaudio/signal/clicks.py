"""Clicks: energy that comes in instants much shorter than a frame of the STFT.

A fire crackles, a drop falls, a key is struck: magnitudes say in which frame, the phase of noise then spreads it over
the whole frame. `clickiness` measures how far a sound is from that, and `clicky` makes a carrier whose phase puts the
energy of a frame back into one instant of it. Which instant matters little: a hop is 12 ms, and the ear needs some 20
to tell which of two clicks came first (Hirsh 1959, doi:10.1121/1.1907782).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ctxaudio.signal.stft import inverse_stft, power, stft

#: Kurtosis within a hop, from which on a sound is of clicks, and from which on it is of nothing else. That of Gaussian
#: noise is 3; streams, whose bubbles ring, reach 5 and are worse with clicks (`tests/benchmarks/heads.py`).
FEW, MANY = 5.0, 6.0
#: The share of a carrier's power that may be clicks: some noise remains between them.
LARGEST_SHARE = 0.9
SMALLEST = 1e-12


def clickiness(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """How much of a carrier for sound like crops `[B, T]` should be clicks, 0 to `LARGEST_SHARE`: `[B, 1]`.

    From the kurtosis, within one hop, of the sound with all its magnitudes made equal, so that neither its spectrum
    nor its course counts. Hops count as the power of their slope, in which the background weighs little.

    >>> noise = torch.randn(1, 22050, generator=torch.Generator().manual_seed(0))
    >>> clicks = torch.zeros(1, 22050).index_fill(1, torch.arange(100, 22050, 1000), 1.0)
    >>> [round(float(clickiness(sound, 512, 256)), 2) for sound in (noise, clicks + 0.01 * noise)]
    [0.0, 0.9]
    """
    spectrum = stft(samples, n_fft, hop)
    level = inverse_stft(spectrum * torch.rsqrt(power(spectrum) + SMALLEST), n_fft, hop, samples.shape[1])
    within = level.unfold(1, hop, hop)
    kurtosis = within.pow(4).mean(2) / (within.square().mean(2).square() + SMALLEST)
    weight = samples.unfold(1, hop, hop).diff(dim=2).square().mean(2) + SMALLEST
    average = (kurtosis * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
    return LARGEST_SHARE * ((average - FEW) / (MANY - FEW)).clamp(0.0, 1.0)


def clicky(noise: Tensor, chance: Tensor, share: Tensor, hop: int) -> Tensor:
    """`noise` `[B, T]` of power 1, with clicks for a `share` `[B, 1]` of its power: one in each hop, anywhere in it.

    `chance` `[B, 1 + T // hop]`, uniform in 0..1, says where in the hop and of which sign.

    >>> silence, halfway = torch.zeros(1, 8), torch.tensor([[0.25, 0.75, 0.25]])
    >>> clicky(silence, halfway, torch.tensor([[1.0]]), hop=4)
    tensor([[ 0.,  0.,  2.,  0.,  0.,  0., -2.,  0.]])
    """
    place = (2 * hop * chance).long().clamp_max(2 * hop - 1)
    sign = hop**0.5 * torch.where(place < hop, 1.0, -1.0)
    clicks = torch.zeros(*chance.shape, hop, device=noise.device).scatter(2, place[..., None] % hop, sign[..., None])
    return (1.0 - share).sqrt() * noise + share.sqrt() * clicks.flatten(1)[:, : noise.shape[1]]
