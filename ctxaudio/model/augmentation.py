"""The same chance changes to real and fake before the discriminator, so that few clips are not learnt by heart.

Zhao et al. 2020 (DiffAugment, arXiv:2006.10738): differentiable, on real and fake alike, in both networks' updates.
Karras et al. 2020 (ADA, arXiv:2006.06676): the changes do not leak into what is generated as long as, in
distribution, they can be undone: only one distribution of sounds then gives the changed sounds of the clips. Here all
four are random elements of a group (sign, gain, filter, rotation in time) that happen with probability p and else
leave the sound alone. On the characters of such a group the change multiplies by 1 - p + p phi, phi being the
character's mean over the draws: it is 0 for turns of the circle (and for the sign, drawn evenly), and at worst -0.22
for a uniform gain or tilt, so no factor is 0 for p up to 0.8, which is the most that is allowed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

GAIN_DB = 6.0
TILT_DB_PER_OCTAVE = 1.0
RIPPLE_DB = 2.0
RIPPLE_OCTAVES = 4.0
CENTRE_HZ = 1000.0
LOWEST_HZ = 40.0


@dataclass(frozen=True)
class Augmentation:
    """One draw for a batch: `sign` `[B]`, `filter_db` `[B, bins]` and `shift` `[B]` in samples.

    The same draw serves a crop and the fake that was given the crop's style, so that their features stay comparable.
    """

    sign: Tensor
    filter_db: Tensor
    shift: Tensor

    def __call__(self, samples: Tensor) -> Tensor:
        """`[B, T]` to `[B, T]`; differentiable."""
        response = torch.exp(self.filter_db * (math.log(10.0) / 20.0)) * self.sign[:, None]
        response = response.to(samples.device)
        filtered = torch.fft.irfft(torch.fft.rfft(samples) * response, samples.shape[-1])
        turned = [torch.roll(row, shift) for row, shift in zip(filtered.unbind(), self.shift.tolist(), strict=True)]
        return torch.stack(turned)


def draw_augmentation(
    batch: int, samples: int, sample_rate: int, probability: float, random: torch.Generator | None = None
) -> Augmentation:
    """Each of polarity, gain, tilt with ripple, and rotation in time with `probability`, for sounds `[B, T]`.

    Gain within 6 dB; tilt within 1 dB an octave around 1 kHz, and a ripple of up to 2 dB over log frequency: a
    filter without phase, and gentle, as microphones differ. Drawn on the CPU, the same for any device.

    >>> sound = torch.randn(2, 800)
    >>> bool(torch.allclose(draw_augmentation(2, 800, 8000, probability=0.0)(sound), sound, atol=1e-5))
    True
    """

    def uniform(size: int = batch) -> Tensor:
        return torch.rand(size, generator=random)

    def happens() -> Tensor:
        return (uniform() < probability).float()

    sign = 1.0 - 2.0 * happens() * (uniform() < 0.5).float()
    frequency = torch.fft.rfftfreq(samples, 1.0 / sample_rate).clamp_min(LOWEST_HZ)
    octaves = torch.log2(frequency / CENTRE_HZ)
    gain = happens() * GAIN_DB * (2.0 * uniform() - 1.0)
    coloured = happens()
    tilt = coloured * TILT_DB_PER_OCTAVE * (2.0 * uniform() - 1.0)
    ripple = coloured * RIPPLE_DB * (2.0 * uniform() - 1.0)
    phase = 2.0 * math.pi * uniform()
    wave = torch.cos(octaves[None] * (2.0 * math.pi / RIPPLE_OCTAVES) + phase[:, None])
    shift = (happens() * uniform() * samples).long()
    return Augmentation(sign, gain[:, None] + tilt[:, None] * octaves + ripple[:, None] * wave, shift)
