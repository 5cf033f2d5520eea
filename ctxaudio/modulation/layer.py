"""The frequency modulation layer: rates in the envelope, carriers in the spectrum.

A rate of 1-100 Hz as *waveform content* is infrasound. Here it multiplies the envelope,

    y(t) = x(t) (1 + sum_k m_k w_k(t)) / sqrt(mean of the square of the numerator's factor),

with w_k a sine or pulses of exactly f_k hertz (never the nearest bin), m_k the modulation index in 0..1, and a
divisor that keeps the power of a sound that does not itself fluctuate at f_k. Carriers (432, 528 Hz) are audible
frequencies: a bell in the spectrum, up to `CARRIER_BOOST_DB` at depth 1. The renderer (`ctxaudio.render`) gives the
same signal block by block; tones are the renderer's alone.

Source: amplitude modulation as in Viemeister 1979 (temporal modulation transfer functions).
Notebook: 03_frequency_modulation_layer.ipynb
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.kernels import band_kernel, centred_convolution, emphasis_kernel
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.modulation.waves import mean_and_variance, pulses, turning_factors, wander


def spectral_emphasis(samples: Tensor, sample_rate: int, frequency_hz: Tensor, depth: Tensor) -> Tensor:
    """Boost narrow bells around `frequency_hz` `[C]` by `depth` `[C]` x 12 dB, without phase shift.

    `samples` is `[..., T]`. The bells are Gaussian with a standard deviation of 10 Hz; all depths zero
    gives back `samples` exactly.

    >>> noise = torch.randn(1, 4000)
    >>> bool((spectral_emphasis(noise, 8000, torch.tensor([432.0]), torch.zeros(1)) == noise).all())
    True
    """
    return samples + centred_convolution(samples, emphasis_kernel(frequency_hz, depth.to(samples.dtype), sample_rate))


class FrequencyModulationLayer(nn.Module):
    """Apply the rates and carriers of a `ModulationProfile` to sound `[B, T]`; differentiable in sound and depths.

    Args:
        profile: the rates and carriers; their frequencies are fixed. Without tones, which the renderer adds.
        sample_rate: of the sound, in hertz; must be above twice every carrier.
        learnable: make the depths parameters, clamped to 0..1 when applied.

    Shape: `[B, T]` to `[B, T]`.

    >>> from ctxaudio.modulation.profile import modulation_profile
    >>> layer = FrequencyModulationLayer(modulation_profile({}, {"meditation": 0.5}), sample_rate=8000)
    >>> layer(torch.ones(1, 8000)).max() / layer(torch.ones(1, 8000)).min()
    tensor(3.)
    """

    rates_hz: Tensor
    phases: Tensor
    carriers_hz: Tensor
    wave_means: Tensor
    wave_variances: Tensor
    band: Tensor

    def __init__(self, profile: ModulationProfile, sample_rate: int, learnable: bool = False) -> None:
        super().__init__()
        for carrier in profile.carriers:
            if carrier.frequency_hz >= sample_rate / 2:
                raise CtxAudioError(f"carrier {carrier.frequency_hz:g} Hz needs a sample rate above {sample_rate} Hz")
        if profile.tones:
            raise CtxAudioError("the layer modulates sound and adds none: render tones with ctxaudio modulate")
        self.profile = profile
        self.sample_rate = sample_rate
        # float64: at float32 the phase of a 100 Hz rate would wander by a degree within minutes.
        self.register_buffer("rates_hz", torch.tensor([r.rate_hz for r in profile.rates], dtype=torch.float64))
        self.register_buffer("phases", torch.tensor([r.phase for r in profile.rates], dtype=torch.float64))
        self.register_buffer("carriers_hz", torch.tensor([c.frequency_hz for c in profile.carriers]))
        self.rate_depths = nn.Parameter(torch.tensor([r.depth for r in profile.rates]), requires_grad=learnable)
        self.carrier_depths = nn.Parameter(torch.tensor([c.depth for c in profile.carriers]), requires_grad=learnable)
        # What follows from the profile is not saved with the weights.
        moments = torch.tensor([mean_and_variance(rate.pulse, rate.rate_hz) for rate in profile.rates]).reshape(-1, 2)
        self.register_buffer("wave_means", moments[:, 0], persistent=False)
        self.register_buffer("wave_variances", moments[:, 1], persistent=False)
        band = torch.empty(0) if profile.audio_band_hz is None else band_kernel(*profile.audio_band_hz, sample_rate)
        self.register_buffer("band", band, persistent=False)
        self.sines = [k for k, rate in enumerate(profile.rates) if rate.pulse is None and not rate.jitter]
        self.others = [k for k in range(len(profile.rates)) if k not in self.sines]

    def random_phases(self, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """Phases `[B, K]` in radians, uniform: in training, so that no phase becomes a mark of the fakes."""
        turns = torch.rand(batch, len(self.rates_hz), generator=generator, dtype=torch.float64)
        return (2.0 * math.pi * turns).to(self.rates_hz.device)

    def gain(self, length: int, phases: Tensor | None = None, start_sample: int = 0) -> Tensor:
        """The envelope gain `[B, T]` (B = 1 without `phases` `[B, K]`), from `start_sample` of one running phase."""
        depths = self.rate_depths.clamp(0.0, 1.0)
        shift = self.phases[None] if phases is None else phases
        wave = torch.zeros(1, 1, device=depths.device, dtype=depths.dtype)
        if self.sines:
            factors = turning_factors(self.rates_hz[self.sines], self.sample_rate, start_sample, length, depths.dtype)
            weights = torch.polar(depths[self.sines].expand(len(shift), -1), shift[:, self.sines].to(depths.dtype))
            turning = (weights[:, :, None] * factors[0]).transpose(1, 2) @ factors[1]  # [B, rows, columns]
            wave = turning.imag.flatten(1)[:, :length]
        for k in self.others:
            wave = wave + depths[k] * self.wave_of(k, length, shift[:, k], start_sample).to(depths.dtype)
        power = (1.0 + (depths * self.wave_means).sum()) ** 2 + (depths**2 * self.wave_variances).sum()
        return (1.0 + wave) / torch.sqrt(power)

    def wave_of(self, k: int, length: int, phase: Tensor, start_sample: int) -> Tensor:
        """The wave `[B, T]` of a rate that is no plain sine, at `phase` `[B]` radians."""
        rate = self.profile.rates[k]
        time_s = torch.arange(start_sample, start_sample + length, device=phase.device, dtype=torch.float64)
        time_s /= self.sample_rate
        turns = (
            (rate.rate_hz * time_s) % 1.0 + wander(rate.rate_hz, rate.jitter, time_s) + phase[:, None] / (2 * math.pi)
        )
        if rate.pulse is None:
            return torch.sin(2.0 * math.pi * turns)
        return pulses(turns, rate.pulse.duty, rate.pulse.ramp_turns(rate.rate_hz))

    def forward(self, samples: Tensor, phases: Tensor | None = None, start_sample: int = 0) -> Tensor:
        if self.profile.carriers:
            samples = spectral_emphasis(
                samples, self.sample_rate, self.carriers_hz, self.carrier_depths.clamp(0.0, 1.0)
            )
        if self.profile.rates:
            gain = self.gain(samples.shape[-1], phases, start_sample).to(samples.dtype)
            moving = centred_convolution(samples, self.band) if len(self.band) else samples
            samples = samples * gain if moving is samples else samples + (gain - 1.0) * moving
        return samples
