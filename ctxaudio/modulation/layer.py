"""The frequency modulation layer: rates in the envelope, carriers in the spectrum, differentiable.

A rate of 1-100 Hz as *waveform content* is infrasound: here it multiplies the envelope (`ctxaudio.modulation.gain`).
Carriers (432, 528 Hz) are audible frequencies: a bell in the spectrum, up to `CARRIER_BOOST_DB` at depth 1.

Notebook: 03_frequency_modulation_layer.ipynb
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.gain import Track, band_kernel, centred_convolution, emphasis_kernel, envelope_gain
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.modulation.schedule import Schedule


class FrequencyModulationLayer(nn.Module):
    """Apply the rates and carriers of a `ModulationProfile` to sound `[B, T]`; differentiable in sound and depths.

    Args:
        profile: the rates and carriers; their frequencies are fixed. Without tones, which the stream adds.
        sample_rate: of the sound, in hertz; must be above twice every carrier.
        learnable: make the depths parameters, clamped to 0..1 when applied.
        schedule: moves rate and depth of all rates over time instead.

    Shape: `[B, T]` to `[B, T]`.

    >>> from ctxaudio.modulation.profile import modulation_profile
    >>> layer = FrequencyModulationLayer(modulation_profile({}, {"meditation": 0.5}), sample_rate=8000)
    >>> layer(torch.ones(1, 8000)).max() / layer(torch.ones(1, 8000)).min()
    tensor(3.)
    """

    rates_hz: Tensor
    phases: Tensor
    carriers_hz: Tensor
    band: Tensor

    def __init__(
        self, profile: ModulationProfile, sample_rate: int, learnable: bool = False, schedule: Schedule | None = None
    ) -> None:
        super().__init__()
        for carrier in profile.carriers:
            if carrier.frequency_hz >= sample_rate / 2:
                raise CtxAudioError(f"carrier {carrier.frequency_hz:g} Hz needs a sample rate above {sample_rate} Hz")
        if profile.tones:
            raise CtxAudioError("the layer modulates sound and adds none: render tones with ctxaudio modulate")
        self.profile = profile
        self.sample_rate = sample_rate
        self.tracks = [Track.of(rate, schedule) for rate in profile.rates]
        self.register_buffer("rates_hz", torch.tensor([t.knots[0][1] for t in self.tracks], dtype=torch.float64))
        self.register_buffer("phases", torch.tensor([t.phase for t in self.tracks], dtype=torch.float64))
        self.register_buffer("carriers_hz", torch.tensor([c.frequency_hz for c in profile.carriers]))
        self.rate_depths = nn.Parameter(torch.tensor([t.knots[0][2] for t in self.tracks]), requires_grad=learnable)
        self.carrier_depths = nn.Parameter(torch.tensor([c.depth for c in profile.carriers]), requires_grad=learnable)
        band = torch.empty(0) if profile.audio_band_hz is None else band_kernel(*profile.audio_band_hz, sample_rate)
        self.register_buffer("band", band, persistent=False)  # follows from the profile

    def random_phases(self, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """Phases `[B, K]` in radians, uniform: in training, so that no phase becomes a mark of the fakes."""
        turns = torch.rand(batch, len(self.rates_hz), generator=generator, dtype=torch.float64)
        return (2.0 * math.pi * turns).to(self.rates_hz.device)

    def gain(self, length: int, phases: Tensor | None = None, start_sample: int = 0) -> Tensor:
        """The envelope gain `[B, T]` (B = 1 without `phases` `[B, K]`), from `start_sample` of one running phase."""
        shift = self.phases[None] if phases is None else phases
        return envelope_gain(
            self.tracks, start_sample, length, self.sample_rate, self.rate_depths.clamp(0.0, 1.0), shift
        )

    def kernels(self) -> tuple[Tensor, Tensor]:
        """What emphasis adds to the sound, and which part of it moves (empty: all of it), as kernels for the sound."""
        none = self.band.new_zeros(0)
        if not self.profile.carriers:
            return none, self.band
        added = emphasis_kernel(self.carriers_hz, self.carrier_depths.clamp(0.0, 1.0), self.sample_rate)
        if not len(self.band):
            return added, none
        band = F.pad(self.band.to(added.dtype), (len(added) // 2, len(added) // 2))
        return added, band + centred_convolution(band, added)

    def forward(self, samples: Tensor, phases: Tensor | None = None, start_sample: int = 0) -> Tensor:
        added, moving = self.kernels()
        sound = samples + centred_convolution(samples, added) if len(added) else samples
        if not self.profile.rates:
            return sound
        gain = self.gain(samples.shape[-1], phases, start_sample).to(samples.dtype)
        return sound + (gain - 1.0) * centred_convolution(samples, moving) if len(moving) else sound * gain
