"""The generator: latent and condition in, shaped noise out, through the frequency modulation layer.

A style (`model.style_bank`) says how loud each bin is on average, in which shapes that moves, how fast and driven by
what, which partials there are, and what of all that is struck and dies away. A course is drawn for each shape
(`signal.movement`), strikes for what is struck (`signal.strikes`), and a small network at three frame rates (a 32nd, a
4th and all of the STFT's), which hears the courses, says what is missing: how each bin departs from them, how noisy it
is, and how loud the partials are at every moment. `signal.stft.shaped_noise` turns the first two into sound of any
length, `signal.partials` adds the third as an oscillator bank. There is no phase to learn, and a frame costs little,
which is what lets it learn on two cores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio.model.blocks import NoisyBlock, edge_of, gaussian, middle_of, uniform
from ctxaudio.model.style_bank import Style, StyleBank
from ctxaudio.signal.clicks import LARGEST_SHARE, clicky
from ctxaudio.signal.modulation import FrequencyModulationLayer
from ctxaudio.signal.movement import DEVIATION_OF_NOISE, MEAN_OF_NOISE, draw_courses, frame_levels, patches
from ctxaudio.signal.partials import partials_spectrum
from ctxaudio.signal.profile import ModulationProfile
from ctxaudio.signal.stft import shaped_noise
from ctxaudio.signal.strikes import PER_S, ring


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape of a generator, saved beside its weights.

    Frame sizes follow the sample rate: 512 samples at 22 050 Hz, hop a half. Frames that overlap more than they need
    to leave less room for the phase of noise: real magnitudes sound nearer to the recording at half than at a
    quarter (`tests/benchmarks/heads.py`), and cost half.
    """

    conditions: tuple[str, ...]
    sample_rate: int = 22050
    latent_dim: int = 100
    style_dim: int = 32
    style_count: int = 192
    shapes: int = 8
    partials: int = 32
    bands: int = 32
    slow_width: int = 128
    middle_width: int = 96
    fast_width: int = 96

    @property
    def n_fft(self) -> int:
        return 2 ** round(math.log2(self.sample_rate * 512 / 22050))

    @property
    def hop(self) -> int:
        return self.n_fft // 2

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.hop


class Generator(nn.Module):
    """`(latent [B, L], condition [B])` to sound `[B, samples]`, modulated by `profile`.

    Args:
        config: the shape of the network.
        profile: rates and carriers that the frequency modulation layer imposes.
    """

    pooling: Tensor
    patches: Tensor
    shares: Tensor

    def __init__(self, config: GeneratorConfig, profile: ModulationProfile) -> None:
        super().__init__()
        self.config = config
        style = 128
        slow, middle, fast = config.slow_width, config.middle_width, config.fast_width
        bins = config.n_fft // 2 + 1
        self.bank = StyleBank(
            config.style_count, config.latent_dim, config.style_dim, bins, config.shapes, config.partials
        )
        self.embedding = nn.Embedding(len(config.conditions), 32)
        self.to_style = nn.Sequential(
            nn.Linear(config.latent_dim + 32 + config.style_dim, style), nn.GELU(), nn.Linear(style, style)
        )
        self.start = nn.Linear(style, slow)
        self.slow = nn.ModuleList([NoisyBlock(slow, style) for _ in range(2)])
        self.to_middle = nn.Conv1d(slow, middle, 1)
        self.middle = nn.ModuleList([NoisyBlock(middle, style, dilation=d) for d in (1, 2)])
        self.to_fast = nn.Conv1d(middle, fast, 1)
        self.from_courses = nn.Conv1d(config.bands, fast, 1)
        self.fast = nn.ModuleList([NoisyBlock(fast, style, dilation=d) for d in (1, 2)])
        self.style_spectrum = nn.Linear(style, 2 * bins)
        # the sound begins as what the style alone says
        nn.init.normal_(self.style_spectrum.weight, std=0.02)
        nn.init.zeros_(self.style_spectrum.bias)
        self.head = nn.Conv1d(fast, 2 * bins, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        self.tones = nn.Conv1d(fast, config.bands, 1)
        nn.init.normal_(self.tones.weight, std=0.02)
        pooling = self.band_weights(torch.arange(bins) * (config.sample_rate / config.n_fft))
        self.register_buffer("pooling", pooling / pooling.sum(0).clamp_min(1.0), persistent=False)
        self.register_buffer("patches", patches(bins), persistent=False)
        # of each condition, how much is kept of what the network says for good and of what it says from frame to frame:
        # all of it in training, what `model.scoring` chooses in the generator that is kept
        self.register_buffer("shares", torch.ones(len(config.conditions), 2))
        self.modulation = FrequencyModulationLayer(profile, config.sample_rate)

    def spectrum(
        self, latent: Tensor, condition: Tensor, frames: int, style: Style, noise: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Mean log-magnitude and spread, both `[B, bins, frames]`, and the partials' amplitudes `[B, frames, K]`."""
        s = self.to_style(torch.cat([0.5 * latent, self.embedding(condition), style.texture], dim=1))
        fast_frames = frames + 2 * edge_of(self.fast)
        middle_frames = math.ceil(fast_frames / 4) + 2
        slow_frames = math.ceil((middle_frames + 2 * edge_of(self.middle)) / 8) + 2
        x = self.start(s)[..., None].expand(-1, -1, slow_frames + 2 * edge_of(self.slow))
        x = middle_of(self.through(self.slow, x, s, noise), slow_frames)
        x = F.interpolate(self.to_middle(x), scale_factor=8, mode="linear")
        x = middle_of(x, middle_frames + 2 * edge_of(self.middle))
        x = middle_of(self.through(self.middle, x, s, noise), middle_frames)
        x = F.interpolate(self.to_fast(x), scale_factor=4, mode="linear")
        moving, ringing = self.drawn_movement(style, fast_frames, noise)
        x = middle_of(x, fast_frames) + self.from_courses((moving @ self.pooling).transpose(1, 2))
        x = middle_of(self.through(self.fast, x, s, noise), frames)
        inside = slice(edge_of(self.fast), edge_of(self.fast) + frames)
        moving = moving[:, inside]
        lasting, moved = self.shares[condition, None].unbind(2)
        no_click = 1.0 - style.clicks / LARGEST_SHARE  # how clicks move and how noisy they are, their style knows best
        lasting_departure, lasting_noisiness = (self.style_spectrum(s) + self.head.bias).chunk(2, dim=1)
        bias = lasting * torch.cat([lasting_departure, no_click * lasting_noisiness], dim=1)
        # the head as a matrix product over [B, frames, C]: the layout in which the transform to sound works
        weight = (moved * no_click)[..., None] * self.head.weight[..., 0].T
        departure, noisiness = torch.baddbmm(bias[:, None], x.transpose(1, 2), weight).chunk(2, dim=2)
        hiss = style.residual * (1.0 - style.patchiness).sqrt() / DEVIATION_OF_NOISE
        spread = hiss[:, None] * 2.0 * torch.sigmoid(noisiness)
        mean = torch.add(style.level[:, None] + moving, spread, alpha=-MEAN_OF_NOISE)
        mean = torch.addcmul(mean, 6.0 * style.movement()[:, None], torch.tanh(departure / 6.0))
        amplitudes = style.amplitudes[:, None].expand(-1, frames, -1)
        if amplitudes.any():  # most textures have no partials, which then cost nothing
            gains = torch.einsum("bkt,btf->bfk", self.band_weights(style.partials_hz), self.tones(x))
            amplitudes = self.played(style, moving, ringing[..., inside]) * torch.exp(6.0 * torch.tanh(gains / 6.0))
        return mean.transpose(1, 2), spread.transpose(1, 2), amplitudes

    def drawn_movement(self, style: Style, frames: int, noise: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """How the log-magnitude moves around its level, `[B, frames, bins]`: shapes in new courses, and patches.

        And the levels `[B, K, frames]` of the partials where they are struck.
        """
        device, rate = style.level.device, self.config.frame_rate
        drawn = style.rates.shape[1]
        white = gaussian((*style.rates.shape[:2], frames), noise, device)
        courses = draw_courses(style.rates, style.innovations, white, rate)
        struck = style.strikes[..., PER_S, None] > 0
        ringing = torch.zeros(*style.strikes.shape[:2], frames, device=device)
        if struck.any():  # most textures are not
            chance, white = uniform(ringing.shape, noise, device), gaussian(ringing.shape, noise, device)
            ringing = ring(style.strikes, chance, white, rate)
            courses = torch.where(struck[:, :drawn], ringing[:, :drawn], courses)
        spots = gaussian((len(courses), frames, len(self.patches)), noise, device) @ self.patches
        roughness = (style.residual * style.patchiness.sqrt())[:, None]
        moving = torch.addcmul(courses.transpose(1, 2) @ style.shapes, roughness, spots)
        # what drives a course has heavy tails: chance must not make a bang that the crop never had
        too_loud = frame_levels(style.level[:, None] + moving) - style.loudest[:, None]
        return moving - too_loud.clamp_min(0.0), ringing[:, drawn:]

    def played(self, style: Style, moving: Tensor, ringing: Tensor) -> Tensor:
        """Amplitudes `[B, frames, K]` of partials: at the levels `ringing` `[B, K, frames]` where they are struck."""
        struck = style.strikes[:, None, style.shapes.shape[1] :, PER_S] > 0
        return torch.where(struck, torch.exp(ringing).transpose(1, 2), self.steadily(style, moving))

    def steadily(self, style: Style, moving: Tensor) -> Tensor:
        """Amplitudes `[B, frames, K]` of partials that follow what moves `[B, frames, bins]` at their bins."""
        bins = (style.partials_hz * (self.config.n_fft / self.config.sample_rate)).round().long()
        factors = torch.exp(moving.gather(2, bins[:, None].expand(-1, moving.shape[1], -1)).clamp(-8.0, 8.0))
        return style.amplitudes[:, None] * factors * torch.rsqrt(factors.square().mean(1, keepdim=True))

    def band_weights(self, frequency_hz: Tensor) -> Tensor:
        """Triangles over `bands` points on a logarithmic axis from 60 Hz up: `[B, K, bands]`."""
        bands = self.config.bands
        place = torch.log(frequency_hz.clamp_min(60.0) / 60.0) / math.log(self.config.sample_rate / 120.0) * (bands - 1)
        return (1.0 - (place[..., None] - torch.arange(bands, device=place.device)).abs()).clamp_min(0.0)

    @staticmethod
    def through(blocks: nn.ModuleList, x: Tensor, style: Tensor, noise: torch.Generator | None) -> Tensor:
        for block in blocks:
            x = block(x, style, noise)
        return x

    def unmodulated(
        self,
        latent: Tensor,
        condition: Tensor,
        samples: int,
        style: Style | None = None,
        noise: torch.Generator | None = None,
    ) -> Tensor:
        """The sound `[B, samples]` before the modulation layer."""
        return self.rendered(latent, condition, samples, 1, style, noise).flatten(0, 1)

    def beds(
        self,
        latent: Tensor,
        condition: Tensor,
        samples: int,
        channels: int,
        style: Style | None = None,
        noise: torch.Generator | None = None,
    ) -> Tensor:
        """`[channels, samples]` of one latent `[1, L]`: the same picture of bins and frames, noise of their own."""
        return self.rendered(latent, condition, samples, channels, style, noise)[0]

    def rendered(
        self,
        latent: Tensor,
        condition: Tensor,
        samples: int,
        channels: int,
        style: Style | None,
        noise: torch.Generator | None,
    ) -> Tensor:
        """`[B, channels, samples]`: noise of its own for every channel, partials and clicks the same in all."""
        if style is None:
            style = self.bank(latent, condition)
        n_fft, hop = self.config.n_fft, self.config.hop
        mean, spread, amplitudes = self.spectrum(latent, condition, samples // hop + 1, style, noise)
        phases = 2 * math.pi * uniform(style.partials_hz.shape, noise, latent.device)
        sounding = style.amplitudes.any(0)
        tones = None
        if sounding.any():
            chosen = (amplitudes[..., sounding], style.partials_hz[:, sounding], phases[:, sounding])
            tones = partials_spectrum(*chosen, self.config.sample_rate, n_fft, hop)
        channel_noise = gaussian((len(latent), channels, samples), noise, latent.device).unbind(1)
        carriers: Sequence[Tensor | None] = [None] * channels
        if style.clicks.any():  # most textures have none
            chance = uniform((len(latent), samples // hop + 1), noise, latent.device)
            carriers = [clicky(white, chance, style.clicks, hop) for white in channel_noise]
        sound = [
            shaped_noise(mean, spread, white, n_fft, hop, tones=tones, carrier=carrier)
            for white, carrier in zip(channel_noise, carriers, strict=True)
        ]
        return torch.stack(sound, dim=1)

    def forward(
        self,
        latent: Tensor,
        condition: Tensor,
        samples: int,
        style: Style | None = None,
        phases: Tensor | None = None,
        noise: torch.Generator | None = None,
    ) -> Tensor:
        bed = self.unmodulated(latent, condition, samples, style, noise)
        return self.modulation(bed, phases)
