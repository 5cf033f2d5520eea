"""The conditional GAN: generator, discriminator, losses, training, and its files."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape of a generator, saved beside its weights.

    Frame sizes follow the sample rate: 512 samples at 22 050 Hz, hop a quarter.
    """

    conditions: tuple[str, ...]
    sample_rate: int = 22050
    latent_dim: int = 100
    components: int = 64
    courses: int = 24
    texture_dim: int = 64
    style_count: int = 192
    partials: int = 32
    slow_width: int = 128
    middle_width: int = 96
    fast_width: int = 96
    frame_width: int = 48
    phase_rounds: int = 1

    @property
    def n_fft(self) -> int:
        return 2 ** round(math.log2(self.sample_rate * 512 / 22050))

    @property
    def hop(self) -> int:
        return self.n_fft // 4

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.hop
