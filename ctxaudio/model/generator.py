"""The conditional generator, in five sentences.

1. A clip's style is the mean and deviation over time of the log-magnitude in each bin, how much the eigen-spectra leave
of it, the frequencies of its steady partials, and a short texture code; a latent picks a style of its condition.
2. The network, at three frame rates with noise in each, generates the courses of the eigen-spectra.
3. Style and courses together are the magnitude of every bin and frame; what the courses leave open is that of noise.
4. The phase is that of the same noise, at a steady partial that of a running sinusoid, and a few rounds of Griffin-Lim
make it consistent.
5. The frequency modulation layer is the last stage of `forward`.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio.model.blocks import NoisyBlock, edge_of, gaussian, middle_of, uniform
from ctxaudio.model.eigenspectra import EigenSpectra, log_magnitude, normalised_noise
from ctxaudio.model.style_bank import Style, StyleBank
from ctxaudio.model.texture import TextureStatistics
from ctxaudio.signal.modulation import FrequencyModulationLayer
from ctxaudio.signal.partials import find_partials, partials_spectrum
from ctxaudio.signal.profile import ModulationProfile
from ctxaudio.signal.stft import griffin_lim, stft

STYLE_WIDTH = 128
POOLED_BANDS = 24
#: Frames that one step of the network makes, and steps of it that the slower stages stand for.
FRAMES_A_STEP = 2
MIDDLE, SLOW = 4, 8
#: Bins on either side of a partial that its main lobe and the ripple around reach.
REACH = 6


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape of a generator, saved beside its weights.

    Frame sizes follow the sample rate: 512 samples at 22 050 Hz, hop a quarter.
    """

    conditions: tuple[str, ...]
    sample_rate: int = 22050
    latent_dim: int = 100
    components: int = 64
    texture_dim: int = 64
    style_count: int = 192
    partials: int = 32
    slow_width: int = 128
    middle_width: int = 96
    fast_width: int = 96
    phase_rounds: int = 2

    @property
    def n_fft(self) -> int:
        return 2 ** round(math.log2(self.sample_rate * 512 / 22050))

    @property
    def hop(self) -> int:
        return self.n_fft // 4

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

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

    def __init__(self, config: GeneratorConfig, profile: ModulationProfile) -> None:
        super().__init__()
        self.config = config
        slow, middle, fast = config.slow_width, config.middle_width, config.fast_width
        self.spectra = EigenSpectra(config.components, config.bins)
        self.statistics = TextureStatistics(config.components, config.frame_rate, config.texture_dim)
        self.bank = StyleBank(
            config.style_count, config.latent_dim, config.texture_dim, config.bins, config.partials
        )
        self.embedding = nn.Embedding(len(config.conditions), 32)
        given = config.latent_dim + 32 + config.texture_dim + 3 * POOLED_BANDS
        self.to_style = nn.Sequential(nn.Linear(given, STYLE_WIDTH), nn.GELU(), nn.Linear(STYLE_WIDTH, STYLE_WIDTH))
        self.start = nn.Linear(STYLE_WIDTH, slow)
        self.slow = nn.ModuleList([NoisyBlock(slow, STYLE_WIDTH) for _ in range(2)])
        self.to_middle = nn.Conv1d(slow, middle, 1)
        self.middle = nn.ModuleList([NoisyBlock(middle, STYLE_WIDTH, dilation=d) for d in (1, 2)])
        self.to_fast = nn.Conv1d(middle, fast, 1)
        self.fast = nn.ModuleList([NoisyBlock(fast, STYLE_WIDTH, dilation=d) for d in (1, 2, 1)])
        self.head = nn.Conv1d(fast, FRAMES_A_STEP * config.components, 1)
        nn.init.normal_(self.head.weight, std=0.05)
        nn.init.zeros_(self.head.bias)
        self.gains = nn.Linear(STYLE_WIDTH, 2 * config.components)
        nn.init.zeros_(self.gains.weight)
        nn.init.zeros_(self.gains.bias)
        hz = torch.arange(config.bins) * (config.sample_rate / config.n_fft)
        place = torch.log(hz.clamp_min(60.0) / 60.0) / math.log(config.sample_rate / 120.0) * (POOLED_BANDS - 1)
        weights = (1.0 - (place[:, None] - torch.arange(POOLED_BANDS)).abs()).clamp_min(0.0)
        self.register_buffer("pooling", weights / weights.sum(0).clamp_min(1e-6), persistent=False)
        self.modulation = FrequencyModulationLayer(profile, config.sample_rate)

    def analyse(self, samples: Tensor) -> tuple[Tensor, Tensor, Style]:
        """Courses `[B, K, frames]`, their normalised statistics `[B, size]` and the style of crops `[B, T]`.

        Without the partials, which training has no use for: `style_of` finds them.
        """
        found = self.spectra.analyse(log_magnitude(samples, self.config.n_fft, self.config.hop))
        statistics = self.statistics(found.courses)
        none = found.level.new_zeros(len(samples), self.config.partials)
        return found.courses, statistics, Style(self.statistics.code(statistics), *found[1:], none, none)

    def style_of(self, samples: Tensor) -> Style:
        """The style of crops `[B, T]`, steady partials included."""
        partials_hz, amplitudes = find_partials(samples, self.config.sample_rate, self.config.partials)
        return self.analyse(samples)[2]._replace(partials_hz=partials_hz, amplitudes=amplitudes)

    def courses(
        self,
        latent: Tensor,
        condition: Tensor,
        style: Style,
        noise_courses: Tensor,
        random: torch.Generator | None = None,
    ) -> Tensor:
        """`[B, K, frames]`: what the network makes of noise within it, and `noise_courses` at levels that it chooses.

        The courses of noise may have more dimensions in front of `[B, K, frames]`: then so has what is given back."""
        pooled = [
            (style.level @ self.pooling + 5.0) / 3.0,
            (style.deviation @ self.pooling - 0.8) * 2.0,
            (style.residual @ self.pooling - 0.6) * 4.0,
        ]
        s = self.to_style(torch.cat([0.5 * latent, self.embedding(condition), style.texture, *pooled], dim=1))
        frames = noise_courses.shape[-1]
        steps = math.ceil(frames / FRAMES_A_STEP)
        fast_steps = steps + 2 * edge_of(self.fast)
        middle_steps = math.ceil(fast_steps / MIDDLE) + 2
        slow_steps = math.ceil((middle_steps + 2 * edge_of(self.middle)) / SLOW) + 2
        x = self.start(s)[..., None].expand(-1, -1, slow_steps + 2 * edge_of(self.slow))
        x = middle_of(self.through(self.slow, x, s, random), slow_steps)
        x = F.interpolate(self.to_middle(x), scale_factor=SLOW, mode="linear")
        x = middle_of(x, middle_steps + 2 * edge_of(self.middle))
        x = middle_of(self.through(self.middle, x, s, random), middle_steps)
        x = F.interpolate(self.to_fast(x), scale_factor=MIDDLE, mode="linear")
        x = middle_of(self.through(self.fast, middle_of(x, fast_steps), s, random), steps)
        made = self.head(x).unflatten(1, (FRAMES_A_STEP, -1)).permute(0, 2, 3, 1).flatten(2)[..., :frames]
        made_gain, noise_gain = self.gains(s).exp()[..., None].chunk(2, dim=1)
        return made_gain * made + 0.7 * noise_gain * noise_courses

    @staticmethod
    def through(blocks: nn.ModuleList, x: Tensor, style: Tensor, random: torch.Generator | None) -> Tensor:
        for block in blocks:
            x = block(x, style, random)
        return x

    def noise_courses(self, samples: Tensor) -> Tensor:
        """Courses `[B, K, frames]` of white noise `[B, T]` of variance 1."""
        spectrum = stft(samples, self.config.n_fft, self.config.hop)
        return self.spectra.courses(normalised_noise(spectrum))

    def render(
        self, courses: Tensor, style: Style, noise: Tensor, random: torch.Generator | None = None
    ) -> Tensor:
        """Sound `[B, T]` of courses `[B, K, frames]` and a style (one, or B), over white noise `[B, T]`."""
        n_fft, hop = self.config.n_fft, self.config.hop
        spectrum = stft(noise, n_fft, hop)
        remainder = self.spectra.remainder(normalised_noise(spectrum))
        picture = torch.addcmul(self.spectra.combine(courses), style.residual[..., None], remainder)
        magnitude = torch.exp(torch.addcmul(style.level[..., None], style.deviation[..., None], picture))
        if style.amplitudes.any():  # most textures have no steady partials
            level = self.above_noise(style.level, style.partials_hz, style.amplitudes)
            phases = 2.0 * math.pi * uniform(level.shape, random, noise.device)
            rate = self.config.sample_rate
            frames = spectrum.shape[-1]
            spectrum = spectrum + partials_spectrum(level, style.partials_hz, phases, frames, rate, n_fft, hop)
        return griffin_lim(magnitude, spectrum, n_fft, hop, noise.shape[-1], self.config.phase_rounds)

    def above_noise(self, level: Tensor, partials_hz: Tensor, amplitudes: Tensor) -> Tensor:
        """Amplitudes `[B, P]` of partials in units of the noise around them."""
        floor = -F.max_pool1d(-level[:, None], 2 * REACH + 1, 1, REACH)[:, 0]
        at = (partials_hz * (self.config.n_fft / self.config.sample_rate)).round().long()
        return amplitudes * torch.exp(-floor.gather(1, at.clamp(0, self.config.bins - 1)))

    def unmodulated(
        self,
        latent: Tensor,
        condition: Tensor,
        samples: int,
        style: Style | None = None,
        random: torch.Generator | None = None,
        channels: int = 1,
    ) -> Tensor:
        """The sound `[B * channels, samples]` before the modulation layer.

        The channels of a latent share what the network makes, over white noise of their own.
        """
        style = self.bank(latent, condition) if style is None else style
        noise = gaussian((channels, len(latent), samples), random, latent.device)
        noise_courses = self.noise_courses(noise.flatten(0, 1)).unflatten(0, (channels, -1))
        courses = self.courses(latent, condition, style, noise_courses, random).transpose(0, 1).flatten(0, 1)
        spread = Style(*(values.repeat_interleave(channels, 0) for values in style))
        return self.render(courses, spread, noise.transpose(0, 1).flatten(0, 1), random)

    def forward(
        self,
        latent: Tensor,
        condition: Tensor,
        samples: int,
        style: Style | None = None,
        phases: Tensor | None = None,
        random: torch.Generator | None = None,
    ) -> Tensor:
        return self.modulation(self.unmodulated(latent, condition, samples, style, random), phases)
