"""Short-time Fourier transforms whose window has norm 1: white noise of variance s has mean power s in every bin.

The same as `torch.stft` with centred frames; written out because frames that overlap by whole hops can be cut and
joined as slices, forwards and backwards, in a fraction of its time (`tests/benchmarks`).
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F


def stft(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """Complex STFT `[B, n_fft//2+1, 1+T//hop]` of `[B, T]`, periodic Hann window, centred frames, reflected ends.

    `n_fft` must be a multiple of `hop`, and `T` above `n_fft // 2`.
    """
    return _spectrum(samples, n_fft, hop).transpose(1, 2)


def inverse_stft(spectrum: Tensor, n_fft: int, hop: int, length: int) -> Tensor:
    """Sound `[B, length]` of an STFT made by `stft`: the least-squares inverse (Griffin & Lim 1984).

    >>> noise = torch.randn(1, 2048)
    >>> bool(torch.allclose(inverse_stft(stft(noise, 512, 128), 512, 128, 2048), noise, atol=1e-5))
    True
    """
    return _sound(spectrum.transpose(1, 2), n_fft, hop, length)


def unit_window(n_fft: int, like: Tensor) -> Tensor:
    """Periodic Hann window of norm 1, on the device and in the precision of `like`."""
    window = torch.hann_window(n_fft, device=like.device, dtype=like.dtype)
    return window / window.norm()


def power(spectrum: Tensor) -> Tensor:
    """Squared magnitude; its gradient is finite where a bin is 0, unlike that of `abs`."""
    return spectrum.real.square() + spectrum.imag.square()


def power_spectrogram(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """Power `[B, 1+T//hop, n_fft//2+1]` of `[B, T]`: `power(stft(...))` transposed."""
    return power(_spectrum(samples, n_fft, hop))


def griffin_lim(magnitude: Tensor, start: Tensor, n_fft: int, hop: int, length: int, rounds: int) -> Tensor:
    """Sound `[B, length]` of `magnitude` `[B, n_fft//2+1, frames]`, its phase that of the STFT `start` to begin with.

    Each round (Griffin & Lim 1984) takes the phase of the STFT of the sound so far.
    """
    magnitude, spectrum = magnitude.transpose(1, 2).contiguous(), start.transpose(1, 2)
    for i in range(rounds + 1):
        if i:
            spectrum = _spectrum(_sound(spectrum, n_fft, hop, length), n_fft, hop)
        spectrum = _with_magnitude(spectrum, magnitude)
    return _sound(spectrum, n_fft, hop, length)


def _with_magnitude(spectrum: Tensor, magnitude: Tensor) -> Tensor:
    """The phase of `spectrum` at `magnitude`, multiplied as pairs of reals, which is faster than complex times real."""
    parts = torch.view_as_real(spectrum)
    scale = magnitude * torch.rsqrt(parts.square().sum(-1).clamp_min(1e-18))
    return torch.view_as_complex(parts * scale[..., None])


def _spectrum(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """`[B, frames, bins]`: the layout in which the transform works."""
    return torch.fft.rfft(_windowed_frames(samples, n_fft, hop))


def _windowed_frames(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    overlap, frames = n_fft // hop, 1 + samples.shape[-1] // hop
    before, after = samples[:, 1 : n_fft // 2 + 1], samples[:, -n_fft // 2 - 1 : -1]
    padded = torch.cat([before.flip(1), samples, after.flip(1)], dim=1)  # at a quarter of the time of F.pad
    hops = padded[:, : (frames + overlap - 1) * hop].unflatten(1, (-1, hop))
    cut = torch.cat([hops[:, i : i + frames] for i in range(overlap)], dim=2)
    return cut * unit_window(n_fft, samples)


def _sound(spectrum: Tensor, n_fft: int, hop: int, length: int) -> Tensor:
    window = unit_window(n_fft, spectrum.real)
    frames = torch.fft.irfft(spectrum, n_fft) * window
    kept = slice(n_fft // 2, n_fft // 2 + length)
    sound = _joined(frames, hop)[:, kept]
    sound = sound * _inverse_window_power(n_fft, hop, frames.shape[1], sound.dtype, sound.device)[:, kept]
    return F.pad(sound, (0, length - sound.shape[1]))


@functools.lru_cache(maxsize=8)
def _inverse_window_power(n_fft: int, hop: int, frames: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The factors `[1, T]` that make the squares of so many frames' windows, which overlap, add to 1 at each sample."""
    with torch.inference_mode(False):  # what is made in it could not be used in training later
        squares = unit_window(n_fft, torch.zeros(1, dtype=dtype, device=device)).square()
        return 1.0 / _joined(squares.expand(1, frames, -1), hop).clamp_min(1e-8)


def _joined(frames: Tensor, hop: int) -> Tensor:
    """Overlapping `frames` `[B, frames, n_fft]` added up where they lie, `[B, (frames - 1) * hop + n_fft]`."""
    parts = frames.unflatten(2, (-1, hop)).unbind(2)
    last = len(parts) - 1
    joined = F.pad(parts[0], (0, 0, 0, last))
    for i, part in enumerate(parts[1:], 1):
        joined = joined + F.pad(part, (0, 0, i, last - i))
    return joined.flatten(1)
