"""Short-time Fourier transforms, and steady partials found and laid in them.

The window has norm 1: white noise of variance s has mean power s in every bin.

The inverse is that of `torch.istft`, written out because frames that overlap by whole hops can be joined as slices in
a quarter of its time (`tests/benchmarks`).
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

# A bell is a few dozen partials that keep their frequency while they die away (modal synthesis; Serra & Smith 1990,
# Computer Music Journal 14:4). Noise through a filter cannot make them: its phase wanders.
WINDOW_S = 0.3715
NEIGHBOURHOOD_HZ = 270.0
LOWEST_HZ = 60.0
# the mean power of noise in this window varies by some decibels; a dozen is a line (tests/signal/test_stft.py)
PROMINENCE_DB = 12.0
FRAME_S = 0.0464
#: From here on a line is steady. That of white noise is .68, by the overlap of its frames. Of the lines in recordings,
#: in the median, gongs have 1, wind chimes .96, bells .94, snares .90; birds, whose calls glide, .87, crickets .74.
STEADY = 0.85


def stft(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """Complex STFT `[B, n_fft//2+1, 1+T//hop]` of `[B, T]`, periodic Hann window, centred frames, reflected ends.

    `n_fft` must be a multiple of `hop`, and `T` above `n_fft // 2`.
    """
    return torch.stft(samples, n_fft, hop, window=unit_window(n_fft, samples), return_complex=True)


def inverse_stft(spectrum: Tensor, n_fft: int, hop: int, length: int) -> Tensor:
    """Sound `[B, length]` of an STFT made by `stft`: the least-squares inverse (Griffin & Lim 1984).

    >>> noise = torch.randn(1, 2048)
    >>> bool(torch.allclose(inverse_stft(stft(noise, 512, 128), 512, 128, 2048), noise, atol=1e-5))
    True
    """
    frames = torch.fft.irfft(spectrum.transpose(1, 2), n_fft).mul_(unit_window(n_fft, spectrum.real))
    scale = _inverse_window_power(n_fft, hop, frames.shape[1], frames.dtype, frames.device)
    sound = (_joined(frames, hop) * scale)[:, n_fft // 2 : n_fft // 2 + length]
    return F.pad(sound, (0, length - sound.shape[1]))


def unit_window(n_fft: int, like: Tensor) -> Tensor:
    """Periodic Hann window of norm 1, on the device and in the precision of `like`."""
    window = torch.hann_window(n_fft, device=like.device, dtype=like.dtype)
    return window / window.norm()


def power(spectrum: Tensor) -> Tensor:
    """Squared magnitude; its gradient is finite where a bin is 0, unlike that of `abs`."""
    return spectrum.real.square() + spectrum.imag.square()


def griffin_lim(magnitude: Tensor, start: Tensor, n_fft: int, hop: int, length: int, rounds: int) -> Tensor:
    """Sound `[B, length]` of `magnitude` `[B, n_fft//2+1, frames]`, its phase that of the STFT `start` to begin with.

    Each round (Griffin & Lim 1984) takes the phase of the STFT of the sound so far.
    """
    spectrum, magnitude = start, magnitude.transpose(1, 2).contiguous().transpose(1, 2)  # in the memory as spectra are
    for i in range(rounds + 1):
        if i:
            spectrum = stft(inverse_stft(spectrum, n_fft, hop, length), n_fft, hop)
        squares = torch.view_as_real(spectrum).square()  # pairs of reals are added at a fifth of the time of `abs`
        spectrum = spectrum * (magnitude * (squares[..., 0] + squares[..., 1]).clamp_min_(1e-18).rsqrt_())
    return inverse_stft(spectrum, n_fft, hop, length)


def find_partials(samples: Tensor, sample_rate: int, count: int) -> tuple[Tensor, Tensor]:
    """The `count` strongest spectral lines of crops `[B, T]`: frequencies in hertz and RMS amplitudes, `[B, count]`.

    A line is a local maximum of the power averaged over time, `PROMINENCE_DB` above its neighbourhood, and `steadiness`
    at least `STEADY`. Fewer lines: the remaining amplitudes are 0. Frequencies are exact to a tenth of a bin (0.3 Hz
    at 22 050 Hz).
    """
    n_fft = 2 ** round(math.log2(WINDOW_S * sample_rate))
    mean = power(stft(samples, n_fft, n_fft // 4)).mean(2)
    level = torch.log(mean + 1e-12)
    bin_hz = sample_rate / n_fft
    width = 2 * round(NEIGHBOURHOOD_HZ / bin_hz / 2) + 1
    around = F.avg_pool1d(F.pad(level[:, None], (width // 2, width // 2), mode="reflect"), width, 1)[:, 0]
    highest = F.max_pool1d(level[:, None], 5, 1, padding=2)[:, 0]
    lowest_bin = round(LOWEST_HZ / bin_hz)
    line = (level == highest) & (level - around > PROMINENCE_DB * math.log(10) / 10)
    line[:, :lowest_bin] = line[:, -2:] = False
    strength, at = mean.masked_fill(~line, 0.0).topk(count, dim=1)
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

    In the scale of `stft`: its inverse gives `sqrt(2) * amplitude * cos(2 pi f t + phase)`. (Seven parameters: three of
    the partials, four of the STFT that they are laid in.)
    """
    heard = amplitudes.amax(0) > 0.0  # of the places for partials most are empty
    amplitudes, frequencies_hz, phases = amplitudes[:, heard], frequencies_hz[:, heard], phases[:, heard]
    window = unit_window(n_fft, amplitudes)
    cycles = (frequencies_hz.double() / sample_rate)[..., None]
    inside = 2 * math.pi * cycles * (torch.arange(n_fft, device=cycles.device) - n_fft // 2)
    real, imaginary = (torch.fft.rfft((window * wave(inside)).float()) for wave in (torch.cos, torch.sin))
    lobes = real + 1j * imaginary  # [B, K, bins]: of exp(iwt) alone, without its mirror image
    turns = 2 * math.pi * ((cycles * hop * torch.arange(frames, device=cycles.device)) % 1.0) + phases[..., None]
    swing = torch.polar(torch.full_like(turns, 0.5 * 2**0.5), turns).to(lobes.dtype)  # [B, K, frames]
    return (amplitudes[..., None] * lobes).transpose(1, 2) @ swing


@functools.lru_cache(maxsize=8)
def _inverse_window_power(n_fft: int, hop: int, frames: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The factors `[1, T]` that make the squares of so many frames' windows, which overlap, add to 1 at each sample."""
    with torch.inference_mode(False):  # what is made in it could not be used in training later
        squares = unit_window(n_fft, torch.zeros(1, dtype=dtype, device=device)).square()
        return 1.0 / _joined(squares.expand(1, frames, -1), hop).clamp_min(1e-8)


def _joined(frames: Tensor, hop: int) -> Tensor:
    """Overlapping `frames` `[B, frames, n_fft]` added up where they lie, `[B, (frames - 1) * hop + n_fft]`."""
    first, *later = frames.unflatten(2, (-1, hop)).unbind(2)
    joined = F.pad(first, (0, 0, 0, len(later)))
    for i, part in enumerate(later, 1):
        joined[:, i : i + part.shape[1]] += part
    return joined.flatten(1)
