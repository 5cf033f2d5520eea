"""Two zero-phase kernels, for the layer and the renderer alike: a bell around a carrier, and a band of the spectrum.

Both are odd in length and symmetric, `[2 H + 1]`, to be centred on each sample; the sound is zero outside itself.
"""

from __future__ import annotations

import math

import scipy.fft
import scipy.signal
import torch
from torch import Tensor

from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import CARRIER_BOOST_DB

CARRIER_WIDTH_HZ = 10.0
BELL_S = 0.25
BAND_EDGE_HZ = 40.0


def emphasis_kernel(frequency_hz: Tensor, depth: Tensor, sample_rate: int) -> Tensor:
    """What emphasis *adds*: bells of `depth` `[C]` x 12 dB around `frequency_hz` `[C]`; differentiable in `depth`.

    Gaussian bells with a standard deviation of 10 Hz, so 0.25 s hold all of their response. All depths zero
    give a kernel of zeros, exactly.
    """
    half = round(BELL_S * sample_rate)
    padded = 4 * half
    frequencies = torch.fft.rfftfreq(padded, 1.0 / sample_rate, device=depth.device, dtype=depth.dtype)
    distance = (frequencies - frequency_hz.to(depth.dtype)[:, None]) / CARRIER_WIDTH_HZ
    boost_db = (CARRIER_BOOST_DB * depth[:, None] * torch.exp(-0.5 * distance**2)).sum(0)
    response = torch.fft.irfft(
        torch.expm1(boost_db * (math.log(10.0) / 20.0)).to(
            torch.complex64 if depth.dtype == torch.float32 else torch.complex128
        ),
        padded,
    )
    return torch.cat([response[-half:], response[: half + 1]])


def band_kernel(low_hz: float, high_hz: float, sample_rate: int) -> Tensor:
    """Band-pass from `low_hz` to `high_hz`, float64, flat inside and 60 dB down 40 Hz (or half of `low_hz`) outside.

    Raises `CtxAudioError` for a band that reaches half the sample rate.
    """
    if high_hz >= sample_rate / 2:
        raise CtxAudioError(
            f"audio band {low_hz:g}-{high_hz:g} Hz must end below half the sample rate {sample_rate} Hz"
        )
    edge_hz = min(BAND_EDGE_HZ, low_hz)
    taps, beta = scipy.signal.kaiserord(60.0, edge_hz / (sample_rate / 2))
    kernel = scipy.signal.firwin(taps | 1, [low_hz, high_hz], window=("kaiser", beta), pass_zero=False, fs=sample_rate)
    return torch.from_numpy(kernel)


def centred_convolution(samples: Tensor, kernel: Tensor) -> Tensor:
    """`samples` `[..., T]` convolved with `kernel` `[2 H + 1]` centred on each, `[..., T]`.

    >>> centred_convolution(torch.tensor([[0.0, 1.0, 0.0, 0.0]]), torch.tensor([1.0, 2.0, 3.0])).round()
    tensor([[1., 2., 3., 0.]])
    """
    length, half = samples.shape[-1], len(kernel) // 2
    padded = scipy.fft.next_fast_len(length + 2 * half, real=True)
    spectrum = torch.fft.rfft(samples, padded) * torch.fft.rfft(kernel.to(samples.dtype), padded)
    return torch.fft.irfft(spectrum, padded)[..., half : half + length]
