"""The rates of courses: how much of each course's power moves how fast, measured and imposed.

A texture's modulation power spectrum is most of what tells a purr from a stream (McDermott & Simoncelli 2011, Neuron
71:926, doi:10.1016/j.neuron.2011.06.032). A style holds that of its crop, as it holds the mean and deviation of each
bin; the network's courses are normalised to it, and what remains for the network is all that a spectrum leaves open:
when things happen, together or apart, suddenly or slowly.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxaudio.signal.stft import power

#: Bands of rate, and where their spacing turns from linear to logarithmic. Halving them takes Purr from 167 to 223 KAD.
BANDS = 24
CORNER_HZ = 4.0
#: Power, of a course's 1, under which a band counts as empty, and the largest gain: none is raised from nothing.
LEAST_POWER = 1e-4
LARGEST_GAIN = 30.0


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
