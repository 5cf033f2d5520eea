"""Texture statistics of courses: what stays the same between two takes of the same rain.

Moments of each course, how fast it moves, which courses move together (McDermott & Simoncelli 2011, Neuron 71:926,
doi:10.1016/j.neuron.2011.06.032), and how unlike its rises are to its falls. Differentiable: they train the generator,
and a few principal directions of them are the texture code of a style.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctxaudio.signal.stft import power

LOWEST_OCTAVE_HZ = 0.6
#: Lags, in frames, of each course's autocorrelation: close enough to tell the pulses of a purr from noise of that rate.
LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32, 48)
ASYMMETRY_LAGS = (1, 4)
#: Courses nearest to the strongest eigen-spectra, whose movement one after the other counts too: of all pairs it would
#: outweigh the rest.
FIRST = 12
JOINT_LAGS = (1, 4, 16)
OUTLIER = 4.0


class TextureStatistics(nn.Module):
    """Courses `[B, R, frames]`, of mean 0 and deviation 1, to statistics `[B, size]`.

    They are in deviations from the mean of the crops that it was fitted to.

    Args:
        courses: R.
        frame_rate: of the courses, in hertz; they need at least one cycle of `LOWEST_OCTAVE_HZ` (1.7 s).
        code_dim: S, the size of a texture code.
    """

    mean: Tensor
    deviation: Tensor
    directions: Tensor
    weight: Tensor

    def __init__(self, courses: int, frame_rate: float, code_dim: int) -> None:
        super().__init__()
        self.frame_rate = frame_rate
        families = self.families(torch.zeros(1, courses, round(2 * frame_rate)))
        size = sum(kind.shape[1] for family in families for kind in family)
        # each family counts the same, and in it each kind, whether of every course or of every pair of them
        share = [size / len(families) / len(family) for family in families for _ in family]
        kinds = [kind.shape[1] for family in families for kind in family]
        weight = torch.cat([torch.full((count,), each / count) for count, each in zip(kinds, share, strict=True)])
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))
        self.register_buffer("directions", torch.zeros(size, code_dim))

    def raw(self, courses: Tensor) -> Tensor:
        """The statistics as they are, `[B, size]`."""
        return torch.cat([kind for family in self.families(courses) for kind in family], dim=1)

    def families(self, courses: Tensor) -> list[list[Tensor]]:
        """How courses are distributed, how fast they move, how unlike rises are to falls, and what moves together: of
        each the kinds of statistic, one for each course or for each pair of courses."""
        square = courses.square()
        skew, kurtosis = (courses * square).mean(-1), square.square().mean(-1)
        distribution = [skew.clamp(-6, 6), (kurtosis + 1.0).log()]
        frames = courses.shape[-1]
        energy = power(torch.fft.rfft(courses)) / frames**2
        rates_hz = torch.fft.rfftfreq(frames, 1.0 / self.frame_rate)
        low, speed = LOWEST_OCTAVE_HZ, []
        while 2 * low < self.frame_rate / 2:
            speed.append((energy[..., (rates_hz >= low) & (rates_hz < 2 * low)].sum(-1) + 1e-4).log())
            low *= 2
        autocorrelation = torch.fft.irfft(energy, frames) * frames
        speed += [autocorrelation[..., lag] for lag in LAGS]
        rises = (courses[..., lag:] - courses[..., :-lag] for lag in ASYMMETRY_LAGS)
        asymmetry = [(rise * rise.square()).mean(-1).clamp(-6, 6) for rise in rises]
        joint = []
        above = torch.triu_indices(courses.shape[1], courses.shape[1], 1)
        for values, bound in ((courses, 1.0), (square - 1.0, 8.0)):
            together = values @ values.transpose(1, 2) / frames
            joint.append(together[:, above[0], above[1]].clamp(-bound, bound))
        first = courses[:, :FIRST]
        others = ~torch.eye(first.shape[1], dtype=torch.bool)
        for lag in JOINT_LAGS:
            joint.append((first[..., :-lag] @ first[..., lag:].transpose(1, 2) / frames)[:, others])
        return [distribution, speed, asymmetry, joint]

    def forward(self, courses: Tensor) -> Tensor:
        return (self.raw(courses) - self.mean) / self.deviation

    @torch.no_grad()
    def fit(self, courses: Tensor) -> None:
        """Mean, deviation and principal directions of the statistics of crops with `courses` `[N, K, frames]`.

        With fewer crops than `code_dim` the last numbers of a code are 0.
        """
        raw = torch.cat([self.raw(part) for part in courses.split(32)])
        self.mean.copy_(raw.mean(0))
        self.deviation.copy_(raw.std(0).clamp_min(0.05))
        normalised = ((raw - self.mean) / self.deviation).clamp(-OUTLIER, OUTLIER)
        _, strengths, directions = torch.linalg.svd(normalised, full_matrices=False)
        count = min(self.directions.shape[1], len(strengths) - 1)
        scales = strengths[:count].clamp_min(1e-3) / len(raw) ** 0.5
        self.directions.zero_()
        self.directions[:, :count] = directions[:count].T / scales

    def code(self, normalised: Tensor) -> Tensor:
        """The texture code `[B, S]` of normalised statistics, of deviation 1 over the crops fitted to."""
        return (normalised.clamp(-OUTLIER, OUTLIER) @ self.directions).clamp(-OUTLIER, OUTLIER)
