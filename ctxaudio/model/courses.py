"""What is measured of courses: their rates, which can be imposed, and texture statistics.

A texture's modulation power spectrum is most of what tells a purr from a stream (McDermott & Simoncelli 2011, Neuron
71:926, doi:10.1016/j.neuron.2011.06.032). A style holds that of its crop, as it holds the mean and deviation of each
bin; the network's courses are normalised to it, and what remains for the network is all that a spectrum leaves open:
when things happen, together or apart, suddenly or slowly. Texture statistics measure that: what stays the same between
two takes of the same rain. They are differentiable and train the generator, and a few principal directions of them are
the texture code of a style.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ctxaudio.signal.stft import power

#: Bands of rate, and where their spacing turns from linear to logarithmic. Halving them takes Purr from 167 to 223 KAD.
BANDS = 24
CORNER_HZ = 4.0
#: Power, of a course's 1, under which a band counts as empty, and the largest gain: none is raised from nothing.
LEAST_POWER = 1e-4
LARGEST_GAIN = 30.0

LOWEST_OCTAVE_HZ = 0.6
#: Lags, in frames, of each course's autocorrelation: close enough to tell the pulses of a purr from noise of that rate.
LAGS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 32, 48)
ASYMMETRY_LAGS = (1, 4)
#: Courses nearest to the strongest eigen-spectra, whose movement one after the other counts too: of all pairs it would
#: outweigh the rest.
FIRST = 12
JOINT_LAGS = (1, 4, 16)
OUTLIER = 4.0


def rate_bands(bins: int, frame_rate: float) -> Tensor:
    """Triangular bands `[bins, BANDS]` over the rates 0 .. `frame_rate / 2` of an FFT's `bins`; each row adds to 1.

    >>> bool(torch.allclose(rate_bands(100, 172.0).sum(1), torch.ones(100)))
    True
    """
    hz = torch.linspace(0.0, frame_rate / 2.0, bins)
    place = torch.log1p(hz / CORNER_HZ) / math.log1p(frame_rate / 2.0 / CORNER_HZ) * (BANDS - 1)
    return (1.0 - (place[:, None] - torch.arange(BANDS)).abs()).clamp_min(0.0)


def course_rates(courses: Tensor, frame_rate: float) -> Tensor:
    """Log mean power in each band of rate, `[B, R, BANDS]`, of courses `[B, R, frames]`; about 0 for white noise."""
    return _rates_of(*_mirrored_spectrum(courses, frame_rate))


def impose_rates(courses: Tensor, rates: Tensor, frame_rate: float) -> Tensor:
    """Courses `[B, R, frames]` of deviation 1 filtered, without a shift in time, so that `course_rates` finds about
    `rates`. At another deviation the bounds on power and gain would bite: a fan went from 107 to 192 KAD."""
    limit, frames = math.log(LARGEST_GAIN), courses.shape[-1]
    spectrum, bands = _mirrored_spectrum(courses, frame_rate)
    gain = ((0.5 * (rates - _rates_of(spectrum, bands))).clamp(-limit, limit) @ bands.T).exp()
    return torch.fft.irfft(spectrum * gain, 2 * frames)[..., :frames]


def _mirrored_spectrum(courses: Tensor, frame_rate: float) -> tuple[Tensor, Tensor]:
    """Of courses and, after them, the same backwards, `[B, R, frames + 1]`, with the bands of its bins: a jump from the
    end to the start would count as fast, and filtered it would click at both."""
    spectrum = torch.fft.rfft(torch.cat([courses, courses.flip(-1)], dim=-1))
    return spectrum, rate_bands(spectrum.shape[-1], frame_rate).to(courses)


def _rates_of(spectrum: Tensor, bands: Tensor) -> Tensor:
    energy = power(spectrum) / (2 * (spectrum.shape[-1] - 1))
    return ((energy @ bands) / bands.sum(0).clamp_min(LEAST_POWER)).clamp_min(LEAST_POWER).log()


class TextureStatistics(nn.Module):
    """Courses `[B, R, frames]`, of mean 0 and deviation 1, to statistics `[B, size]`: moments, speed, how unlike rises
    are to falls, what moves together. In deviations from the mean of the crops that it was fitted to.

    `frame_rate` is that of the courses, in hertz; they need at least one cycle of `LOWEST_OCTAVE_HZ` (1.7 s).
    `code_dim` is S, the size of a texture code.
    """

    mean: Tensor
    deviation: Tensor
    directions: Tensor
    weight: Tensor

    def __init__(self, courses: int, frame_rate: float, code_dim: int) -> None:
        super().__init__()
        self.frame_rate = frame_rate
        families = self.families(torch.zeros(1, courses, round(2 * frame_rate)))
        kinds = [[kind.shape[1] for kind in family] for family in families]
        size = sum(map(sum, kinds))
        # each family counts the same, and in it each kind, whether of every course or of every pair of them
        shares = [(n, size / len(kinds) / len(family) / n) for family in kinds for n in family]
        weight = torch.cat([torch.full((n,), each) for n, each in shares])
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
        count, frames = courses.shape[1:]
        square = courses.square()
        skew, kurtosis = (courses * square).mean(-1), square.square().mean(-1)
        distribution = [skew.clamp(-6, 6), (kurtosis + 1.0).log()]
        energy = power(torch.fft.rfft(courses)) / frames**2
        low, speed = LOWEST_OCTAVE_HZ, []
        while 2 * low < self.frame_rate / 2:
            first, end = (math.ceil(hz * frames / self.frame_rate) for hz in (low, 2 * low))
            speed.append((energy[..., first:end].sum(-1) + 1e-4).log())
            low *= 2
        autocorrelation = torch.fft.irfft(energy, frames) * frames
        speed += [autocorrelation[..., lag] for lag in LAGS]
        rises = (courses[..., lag:] - courses[..., :-lag] for lag in ASYMMETRY_LAGS)
        asymmetry = [(rise * rise.square()).mean(-1).clamp(-6, 6) for rise in rises]
        joint = []
        above = torch.triu_indices(count, count, 1)
        for values, bound in ((courses, 1.0), (square - 1.0, 8.0)):
            together = values @ values.transpose(1, 2) / frames
            joint.append(together[:, above[0], above[1]].clamp(-bound, bound))
        strongest = courses[:, :FIRST]
        n = strongest.shape[1]
        others = [i for i in range(n * n) if i % (n + 1)]
        for lag in JOINT_LAGS:
            joint.append((strongest[..., :-lag] @ strongest[..., lag:].transpose(1, 2) / frames).flatten(1)[:, others])
        return [distribution, speed, asymmetry, joint]

    def forward(self, courses: Tensor) -> Tensor:
        return (self.raw(courses) - self.mean) / self.deviation

    @torch.no_grad()
    def fit(self, courses: Tensor) -> None:
        """Mean, deviation and principal directions of the statistics of crops with `courses` `[N, R, frames]`.

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
