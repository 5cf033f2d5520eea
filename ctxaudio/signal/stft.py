"""Short-time Fourier analysis at one scale, and noise shaped in the time-frequency plane.

Magnitudes are divided by the window's norm, so that white noise of variance s has mean power s in
every bin whatever the resolution.
"""

from __future__ import annotations

import torch
from torch import Tensor


def stft(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """Complex STFT `[B, n_fft//2+1, 1+T//hop]` of `[B, T]`, periodic Hann window, centred frames."""
    window = unit_window(n_fft, samples)
    return torch.stft(samples, n_fft, hop, window=window, pad_mode="reflect", return_complex=True)


def inverse_stft(spectrum: Tensor, n_fft: int, hop: int, length: int) -> Tensor:
    """Sound `[B, length]` of an STFT made by `stft`.

    >>> noise = torch.randn(1, 2048)
    >>> bool(torch.allclose(inverse_stft(stft(noise, 512, 128), 512, 128, 2048), noise, atol=1e-5))
    True
    """
    return torch.istft(spectrum, n_fft, hop, window=unit_window(n_fft, spectrum.real), length=length)


def unit_window(n_fft: int, like: Tensor) -> Tensor:
    """Periodic Hann window of norm 1, on the device and in the precision of `like`."""
    window = torch.hann_window(n_fft, device=like.device, dtype=like.dtype)
    return window / window.norm()


def log_power(samples: Tensor, n_fft: int, hop: int, floor: float = 1e-8) -> Tensor:
    """Natural logarithm of the power `[B, n_fft//2+1, frames]`; `floor` keeps silence and its gradient finite."""
    spectrum = stft(samples, n_fft, hop)
    return torch.log(spectrum.real.square() + spectrum.imag.square() + floor)


def shaped_noise(log_mean: Tensor, spread: Tensor, noise: Tensor, n_fft: int, hop: int, phase_steps: int = 0) -> Tensor:
    """Sound with log-magnitude `log_mean + spread * log|STFT(noise)|` and, to begin with, the noise's phase.

    Where `spread` is 1 a bin sounds as Gaussian noise of that level, where it is 0 its magnitude is exact, as in
    a click or a steady partial. `phase_steps` rounds of Griffin & Lim 1984 make the phase consistent with
    neighbouring frames (at generation: training compares magnitudes and needs none).

    Shape: `log_mean`, `spread` `[B, n_fft//2+1, 1+T//hop]`, `noise` `[B, T]` to `[B, T]`.
    """
    length = noise.shape[-1]
    carrier = stft(noise, n_fft, hop)
    loudness = carrier.abs().clamp_min(1e-6).log()
    # the carrier's own magnitude leaves with the 1 that is taken off the spread: its phase stays
    spectrum = torch.exp(log_mean + (spread - 1.0) * loudness) * carrier
    if phase_steps:
        magnitude = torch.exp(log_mean + spread * loudness)
    for _ in range(phase_steps):
        consistent = stft(inverse_stft(spectrum, n_fft, hop, length), n_fft, hop)
        spectrum = magnitude / consistent.abs().clamp_min(1e-9) * consistent
    return inverse_stft(spectrum, n_fft, hop, length)
