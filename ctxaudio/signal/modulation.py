"""The frequency modulation layer: rates in the envelope, carriers in the spectrum.

A rate of 1-100 Hz as *waveform content* is infrasound. Here it multiplies the envelope,

    y(t) = x(t) (1 + sum_k m_k sin(2 pi f_k t + phi_k)) / sqrt(1 + sum_k m_k^2 / 2),

with f_k in hertz (never the nearest bin), m_k the modulation index in 0..1, and a divisor that keeps
the power of a sound that does not itself fluctuate at f_k. Carriers (432, 528 Hz) are audible
frequencies: a bell in the spectrum, up to `CARRIER_BOOST_DB` at depth 1.

Source: amplitude modulation as in Viemeister 1979 (temporal modulation transfer functions).
Notebook: 03_frequency_modulation_layer.ipynb
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ctxaudio.contexts import BANDS, TARGETS, Context
from ctxaudio.errors import CtxAudioError

CARRIER_BOOST_DB = 12.0
CARRIER_WIDTH_HZ = 10.0
MAX_RATE_HZ = 100.0


@dataclass(frozen=True)
class Rate:
    """One envelope rate: `rate_hz` above 0 to 100, `depth` (modulation index m) in 0..1, `phase` in radians."""

    rate_hz: float
    depth: float
    phase: float = 0.0


@dataclass(frozen=True)
class Carrier:
    """One emphasised audible frequency: `frequency_hz` from 20 Hz up, `depth` in 0..1 of `CARRIER_BOOST_DB`."""

    frequency_hz: float
    depth: float


@dataclass(frozen=True)
class ModulationProfile:
    """What to emphasise. Raises `CtxAudioError` for a depth or frequency out of range, or depths that sum above 1."""

    rates: tuple[Rate, ...] = ()
    carriers: tuple[Carrier, ...] = ()

    def __post_init__(self) -> None:
        for rate in self.rates:
            if not 0.0 < rate.rate_hz <= MAX_RATE_HZ:
                raise CtxAudioError(f"rate {rate.rate_hz:g} Hz is outside 0-{MAX_RATE_HZ:g} Hz: give an envelope rate")
        for carrier in self.carriers:
            if not 20.0 <= carrier.frequency_hz <= 20000.0:
                raise CtxAudioError(f"carrier {carrier.frequency_hz:g} Hz is not audible: give 20-20000 Hz")
        depths = [rate.depth for rate in self.rates]
        for depth in [*depths, *(carrier.depth for carrier in self.carriers)]:
            if not 0.0 <= depth <= 1.0:
                raise CtxAudioError(f"depth {depth:g} is outside 0..1")
        if sum(depths) > 1.0 + 1e-9:
            raise CtxAudioError(f"the depths of all rates sum to {sum(depths):g}; above 1 the envelope turns over")


def modulation_profile(band_depths: Mapping[str, float], target_depths: Mapping[str, float]) -> ModulationProfile:
    """A profile from named bands and targets; a band's depth is shared equally by its three rates.

    >>> profile = modulation_profile({"alpha": 0.3}, {"deep_sleep": 0.2, "earth": 0.5})
    >>> [(round(rate.rate_hz, 2), round(rate.depth, 2)) for rate in profile.rates]
    [(8.67, 0.1), (10.2, 0.1), (11.99, 0.1), (2.5, 0.2)]
    >>> profile.carriers
    (Carrier(frequency_hz=432.0, depth=0.5),)
    """
    for kind, given, known in (("band", band_depths, BANDS), ("target", target_depths, TARGETS)):
        for name in given:
            if name not in known:
                raise CtxAudioError(f"unknown {kind} {name!r}: choose from {', '.join(known)}")
    rates: list[Rate] = []
    for name, depth in band_depths.items():
        inside = BANDS[name].rates_hz()
        rates += [Rate(rate_hz, depth / len(inside)) for rate_hz in inside]
    targets = [(TARGETS[name], depth) for name, depth in target_depths.items()]
    rates += [Rate(target.frequency_hz, depth) for target, depth in targets if target.kind == "rate"]
    carriers = [Carrier(target.frequency_hz, depth) for target, depth in targets if target.kind == "carrier"]
    return ModulationProfile(tuple(rates), tuple(carriers))


def context_profile(context: Context) -> ModulationProfile:
    """The default profile of a context."""
    return modulation_profile(context.band_depths, context.target_depths)


def spectral_emphasis(samples: Tensor, sample_rate: int, frequency_hz: Tensor, depth: Tensor) -> Tensor:
    """Boost narrow bells around `frequency_hz` `[C]` by `depth` `[C]` x 12 dB, without phase shift.

    `samples` is `[..., T]`. The bells are Gaussian with a standard deviation of 10 Hz; all depths zero
    gives back `samples` exactly.

    >>> noise = torch.randn(1, 4000)
    >>> bool((spectral_emphasis(noise, 8000, torch.tensor([432.0]), torch.zeros(1)) == noise).all())
    True
    """
    length = samples.shape[-1]
    padded = length + sample_rate // 8  # room for the bell's response, so that the end does not wrap to the start
    frequencies = torch.fft.rfftfreq(padded, 1.0 / sample_rate, device=samples.device, dtype=samples.dtype)
    distance = (frequencies - frequency_hz.to(samples.dtype)[:, None]) / CARRIER_WIDTH_HZ
    boost_db = (CARRIER_BOOST_DB * depth.to(samples.dtype)[:, None] * torch.exp(-0.5 * distance**2)).sum(0)
    added = torch.expm1(boost_db * (math.log(10.0) / 20.0))
    return samples + torch.fft.irfft(torch.fft.rfft(samples, padded) * added, padded)[..., :length]


class FrequencyModulationLayer(nn.Module):
    """Apply a `ModulationProfile` to sound `[B, T]`; differentiable in the sound and in the depths.

    Args:
        profile: the rates and carriers; their frequencies are fixed.
        sample_rate: of the sound, in hertz; must be above twice every carrier.
        learnable: make the depths parameters, clamped to 0..1 when applied.

    Shape: `[B, T]` to `[B, T]`.

    >>> layer = FrequencyModulationLayer(modulation_profile({}, {"meditation": 0.5}), sample_rate=8000)
    >>> layer(torch.ones(1, 8000)).max() / layer(torch.ones(1, 8000)).min()
    tensor(3.)
    """

    rates_hz: Tensor
    phases: Tensor
    carriers_hz: Tensor

    def __init__(self, profile: ModulationProfile, sample_rate: int, learnable: bool = False) -> None:
        super().__init__()
        for carrier in profile.carriers:
            if carrier.frequency_hz >= sample_rate / 2:
                raise CtxAudioError(f"carrier {carrier.frequency_hz:g} Hz needs a sample rate above {sample_rate} Hz")
        self.profile = profile
        self.sample_rate = sample_rate
        # float64: at float32 the phase of a 100 Hz rate would wander by a degree within minutes.
        self.register_buffer("rates_hz", torch.tensor([r.rate_hz for r in profile.rates], dtype=torch.float64))
        self.register_buffer("phases", torch.tensor([r.phase for r in profile.rates], dtype=torch.float64))
        self.register_buffer("carriers_hz", torch.tensor([c.frequency_hz for c in profile.carriers]))
        self.rate_depths = nn.Parameter(torch.tensor([r.depth for r in profile.rates]), requires_grad=learnable)
        self.carrier_depths = nn.Parameter(torch.tensor([c.depth for c in profile.carriers]), requires_grad=learnable)

    def random_phases(self, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """Phases `[B, K]` in radians, uniform: in training, so that no phase becomes a mark of the fakes."""
        turns = torch.rand(batch, len(self.rates_hz), generator=generator, dtype=torch.float64)
        return (2.0 * math.pi * turns).to(self.rates_hz.device)

    def gain(self, length: int, phases: Tensor | None = None, start_sample: int = 0) -> Tensor:
        """The envelope gain `[B, T]` (B = 1 without `phases` `[B, K]`), from `start_sample` of one running phase."""
        depths = self.rate_depths.clamp(0.0, 1.0)
        time_s = torch.arange(start_sample, start_sample + length, device=depths.device, dtype=torch.float64)
        angle = 2.0 * math.pi * ((self.rates_hz[:, None] * time_s / self.sample_rate) % 1.0)  # [K, T]
        shift = self.phases[None] if phases is None else phases
        # sin(a + p) = sin a cos p + cos a sin p turns a batch of phases into two small matrix products
        sine, cosine = angle.sin().to(depths.dtype), angle.cos().to(depths.dtype)
        wave = (depths * shift.cos().to(depths.dtype)) @ sine + (depths * shift.sin().to(depths.dtype)) @ cosine
        return (1.0 + wave) / torch.sqrt(1.0 + 0.5 * (depths**2).sum())

    def forward(self, samples: Tensor, phases: Tensor | None = None, start_sample: int = 0) -> Tensor:
        if self.profile.carriers:
            depths = self.carrier_depths.clamp(0.0, 1.0)
            samples = spectral_emphasis(samples, self.sample_rate, self.carriers_hz, depths)
        if self.profile.rates:
            samples = samples * self.gain(samples.shape[-1], phases, start_sample).to(samples.dtype)
        return samples
