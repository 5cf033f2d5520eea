"""The conditional generator, in five sentences.

1. A clip's style is the mean and deviation over time of the log-magnitude in each bin, in which principal spectra the
bins move together, how high and at which rates, how much these leave, its steady partials, and a short texture code;
a latent picks a style of its condition.
2. The network, at three frame rates with noise in each, generates the courses of the principal spectra, normalised to
the style's rates.
3. Style and courses together are the magnitude of every bin and frame; what the courses leave open is that of noise.
4. The phase is that of the same noise, at a steady partial that of a running sinusoid, and a round of Griffin-Lim
makes it more consistent.
5. The frequency modulation layer is the last stage of `forward`.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio.model import GeneratorConfig
from ctxaudio.model.courses import TextureStatistics, course_rates, impose_rates
from ctxaudio.model.style import EigenSpectra, Style, StyleBank, band_means, log_magnitude, normalised_noise, within
from ctxaudio.modulation.layer import FrequencyModulationLayer
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.signal.stft import find_partials, griffin_lim, partials_spectrum, stft

STYLE_WIDTH = 128
#: Bands in which the network is told a style, and in which a discriminator sees courses: linear below the corner.
POOLED_BANDS = 24
PICTURE_BANDS = 48
CORNER_HZ = 300.0
#: Frames that one step of the network makes, and steps of it that the slower stages stand for.
FRAMES_A_STEP = 2
MIDDLE, SLOW = 4, 8
#: Styles are statistics over so many seconds: what is shorter is cut out of as much.
SHORTEST_S = 2.0
#: Bins on either side of a partial that its main lobe and the ripple around reach.
REACH = 6

#: Where chance comes from: a generator on the CPU, the same on every device, or torch's own on the device.
Random = torch.Generator | None


def gaussian(shape: Sequence[int], random: Random, device: torch.device) -> Tensor:
    """White noise on `device`."""
    return torch.empty(shape, device=device if random is None else "cpu").normal_(generator=random).to(device)


def uniform(shape: Sequence[int], random: Random, device: torch.device) -> Tensor:
    """Uniform in 0..1, on `device`."""
    return torch.empty(shape, device=device if random is None else "cpu").uniform_(generator=random).to(device)


class NoisyBlock(nn.Module):
    """Residual block on `[B, C, frames]`: depthwise conv over time, own noise, style as scale and shift, mixing."""

    def __init__(self, width: int, style: int, dilation: int = 1) -> None:
        super().__init__()
        self.over_time = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation, groups=width)
        self.noise_level = nn.Parameter(torch.full((width, 1), 0.3))
        self.modulate = nn.Linear(style, 2 * width)
        self.expand = nn.Conv1d(width, 2 * width, 1)
        self.project = nn.Conv1d(2 * width, width, 1)

    def forward(self, x: Tensor, style: Tensor, noise: Random) -> Tensor:
        scale, shift = self.modulate(style).chunk(2, dim=1)
        y = self.over_time(x)
        y = torch.addcmul(y, self.noise_level, gaussian(y.shape, noise, y.device))
        y = y / (y.square().mean(1, keepdim=True).sqrt() + 1e-3)
        # scaling the weights instead of every frame: expand(y * (1 + scale) + shift) with fewer passes over y
        mix = self.expand.weight[..., 0]
        y = F.gelu(torch.baddbmm(F.linear(shift, mix, self.expand.bias)[..., None], mix * (1 + scale)[:, None], y))
        return x + self.project(y)


class Stack(nn.ModuleList):
    """`NoisyBlock`s one after the other; `edge` frames at either end of what they make have seen the padding.

    Those are to be cut off: a generator that can tell where a crop ends puts its crickets there, and nowhere else.
    """

    def __init__(self, width: int, style: int, dilations: Sequence[int] = (1, 2)) -> None:
        super().__init__(NoisyBlock(width, style, dilation) for dilation in dilations)
        self.edge = 2 * sum(dilations)

    def forward(self, x: Tensor, style: Tensor, noise: Random) -> Tensor:
        for block in self:
            x = block(x, style, noise)
        return x


def middle_of(x: Tensor, frames: int) -> Tensor:
    start = (x.shape[-1] - frames) // 2
    return x[..., start : start + frames]


def unit_courses(courses: Tensor) -> Tensor:
    """Courses `[B, R, frames]` with mean 0 and deviation 1 over time, as those of every crop have: a style's level and
    deviation are then what they were in the crop."""
    moving = courses - courses.mean(-1, keepdim=True)
    return moving * torch.rsqrt(moving.square().mean(-1, keepdim=True) + 1e-6)


class Generator(nn.Module):
    """`(latent [B, L], condition [B])` to sound `[B, samples]` with the rates and carriers of `profile`."""

    pooling: Tensor
    to_bands: Tensor

    def __init__(self, config: GeneratorConfig, profile: ModulationProfile) -> None:
        super().__init__()
        self.config, self.frame_size = config, (config.n_fft, config.hop)
        slow, middle, fast = config.slow_width, config.middle_width, config.fast_width
        self.spectra = EigenSpectra(config.components, config.bins)
        self.statistics = TextureStatistics(config.courses, config.frame_rate, config.texture_dim)
        self.bank = StyleBank(config)
        self.embedding = nn.Embedding(len(config.conditions), 32)
        given = config.latent_dim + 32 + config.texture_dim + 3 * POOLED_BANDS + config.courses
        self.to_style = nn.Sequential(nn.Linear(given, STYLE_WIDTH), nn.GELU(), nn.Linear(STYLE_WIDTH, STYLE_WIDTH))
        self.start = nn.Linear(STYLE_WIDTH, slow)
        self.slow = Stack(slow, STYLE_WIDTH, (1, 1))
        self.to_middle = nn.Conv1d(slow, middle, 1)
        self.middle = Stack(middle, STYLE_WIDTH)
        self.to_fast = nn.Conv1d(middle, fast, 1)
        self.fast = Stack(fast, STYLE_WIDTH)
        self.to_frames = nn.Conv1d(fast, FRAMES_A_STEP * config.frame_width, 1)
        self.from_noise = nn.Conv1d(config.courses, config.frame_width, 1)
        # neighbouring frames overlap, so their courses are alike: what makes them has to see several at once
        self.frames = Stack(config.frame_width, STYLE_WIDTH)
        self.head = nn.Conv1d(config.frame_width, config.courses, 1)
        nn.init.normal_(self.head.weight, std=0.15)
        nn.init.zeros_(self.head.get_parameter("bias"))
        self.gains = nn.Linear(STYLE_WIDTH, 2 * config.courses)
        for zero in self.gains.parameters():
            nn.init.zeros_(zero)
        hz = torch.arange(config.bins) * (config.sample_rate / config.n_fft)
        place = torch.log(hz.clamp_min(60.0) / 60.0) / math.log(config.sample_rate / 120.0)
        self.register_buffer("pooling", band_means(place, POOLED_BANDS), persistent=False)
        place = torch.log1p(hz / CORNER_HZ) / math.log1p(config.sample_rate / 2.0 / CORNER_HZ)
        self.register_buffer("to_bands", band_means(place, PICTURE_BANDS), persistent=False)
        self.modulation = FrequencyModulationLayer(profile, config.sample_rate)

    def analyse(self, samples: Tensor) -> tuple[Tensor, Tensor, Style]:
        """Courses `[B, R, frames]`, their normalised statistics `[B, size]` and the style of crops `[B, T]`.

        Without the partials, which training has no use for: `style_of` finds them.
        """
        found = self.spectra.analyse(self.picture(samples), self.config.courses)
        statistics = self.statistics(found.courses)
        none = found.level.new_zeros(len(samples), self.config.partials)
        rates = course_rates(found.courses, self.config.frame_rate)
        return found.courses, statistics, Style(self.statistics.code(statistics), *found[1:], rates, none, none)

    def picture(self, samples: Tensor) -> Tensor:
        """The log-magnitude `[B, bins, frames]` of crops `[B, T]` that styles and courses are of."""
        return within(log_magnitude(samples, *self.frame_size), *self.frame_size)

    def bands(self, courses: Tensor, style: Style) -> Tensor:
        """What a style's `courses` `[B, R, frames]` do to the log-magnitude: `[B, PICTURE_BANDS, frames]` in nepers."""
        return (self.to_bands.T @ (style.deviation[..., None] * (self.spectra.basis @ style.mixing))) @ courses

    def style_of(self, samples: Tensor) -> Style:
        """The style of crops `[B, T]`, steady partials included."""
        partials_hz, amplitudes = find_partials(samples, self.config.sample_rate, self.config.partials)
        return self.analyse(samples)[2]._replace(partials_hz=partials_hz, amplitudes=amplitudes)

    def courses(self, latent: Tensor, condition: Tensor, style: Style, noise: Tensor, random: Random = None) -> Tensor:
        """`[B, R, frames]`: what the network makes of noise within it, and of the courses of `noise`, of that shape.

        With a multiple of B rows of noise (channels, those of a latent side by side) all but the last stage is the same
        for the channels of a latent.
        """
        pooled = [
            (style.level @ self.pooling + 5.0) / 3.0,
            (style.deviation @ self.pooling - 0.8) * 2.0,
            (style.residual @ self.pooling - 0.6) * 4.0,
            style.mixing.square().sum(1).clamp_min(1e-4).log(),
        ]
        s = self.to_style(torch.cat([0.5 * latent, self.embedding(condition), style.texture, *pooled], dim=1))
        margin = self.frames.edge
        frames = noise.shape[-1] + 2 * margin
        steps = math.ceil(frames / FRAMES_A_STEP)
        fast_steps = steps + 2 * self.fast.edge
        middle_steps = math.ceil(fast_steps / MIDDLE) + 2
        slow_steps = math.ceil((middle_steps + 2 * self.middle.edge) / SLOW) + 2
        x = self.start(s)[..., None].expand(-1, -1, slow_steps + 2 * self.slow.edge)
        x = middle_of(self.slow(x, s, random), slow_steps)
        x = F.interpolate(self.to_middle(x), scale_factor=SLOW, mode="linear")
        x = middle_of(self.middle(middle_of(x, middle_steps + 2 * self.middle.edge), s, random), middle_steps)
        x = F.interpolate(self.to_fast(x), scale_factor=MIDDLE, mode="linear")
        x = middle_of(self.fast(middle_of(x, fast_steps), s, random), steps)
        x = self.to_frames(x).unflatten(1, (FRAMES_A_STEP, -1)).permute(0, 2, 3, 1).flatten(2)[..., :frames]
        channels = len(noise) // len(s)
        x, s = x.repeat_interleave(channels, 0), s.repeat_interleave(channels, 0)
        x = x + self.from_noise(F.pad(noise, (margin, margin), mode="reflect"))
        made = self.head(self.frames(x, s, random)[..., margin:-margin])
        # shares rather than gains, which would grow without bound: only their ratio matters to a unit course
        of_made, of_noise = (2.0 * self.gains(s).unflatten(1, (2, -1)).softmax(1))[..., None].unbind(1)
        made = unit_courses(of_made * made + 0.2 * of_noise * noise)
        return unit_courses(impose_rates(made, style.rates.repeat_interleave(channels, 0), self.config.frame_rate))

    def noise_spectrum(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """STFT `[B, bins, frames]` of white noise `[B, T]` of variance 1, and its normalised log-magnitude."""
        spectrum = stft(samples, *self.frame_size)
        return spectrum, normalised_noise(spectrum)

    def noise_courses(self, mixing: Tensor, samples: int) -> Tensor:
        """Courses `[B, R, frames]` of white noise `[B, samples]`, in the directions of `mixing` `[B, K, R]`."""
        white = torch.randn(len(mixing), samples, device=mixing.device)
        return self.spectra.courses_of_noise(within(self.noise_spectrum(white)[1], *self.frame_size), mixing)

    def render(
        self, courses: Tensor, style: Style, noise: tuple[Tensor, Tensor], samples: int, random: Random = None
    ) -> Tensor:
        """Sound `[B, samples]` of courses `[B, R, frames]` and styles, over noise as `noise_spectrum` gives it."""
        spectrum, normalised = noise
        # a log-magnitude that is only a little too high is very loud: no bin rises above where it was in the crop
        held = torch.minimum(self.spectra.combine(courses, style.mixing), style.ceiling[..., None])
        picture = torch.addcmul(held, style.residual[..., None], self.spectra.remainder(normalised, style.mixing))
        magnitude = torch.exp(torch.addcmul(style.level[..., None], style.deviation[..., None], picture))
        if style.amplitudes.any():  # most textures have no steady partials
            frames, rate = spectrum.shape[-1], self.config.sample_rate
            floor = -F.max_pool1d(-style.level[:, None], 2 * REACH + 1, 1, REACH)[:, 0]
            at = (style.partials_hz * (self.config.n_fft / rate)).round().long().clamp(0, self.config.bins - 1)
            above_noise = style.amplitudes * torch.exp(-floor.gather(1, at))  # in units of the noise around them
            phases = 2.0 * math.pi * uniform(above_noise.shape, random, above_noise.device)
            lines = partials_spectrum(above_noise, style.partials_hz, phases, frames, rate, *self.frame_size)
            spectrum = spectrum + lines
        return griffin_lim(magnitude, spectrum, *self.frame_size, samples, self.config.phase_rounds)

    def unmodulated(
        self,
        latent: Tensor,
        condition: Tensor,
        samples: int,
        style: Style | None = None,
        random: Random = None,
        channels: int = 1,
    ) -> Tensor:
        """The sound `[B * channels, samples]` before the modulation layer.

        The channels of a latent share what the network makes, over white noise of their own.
        """
        style = self.bank(latent, condition) if style is None else style
        wanted, samples = samples, max(samples, round(SHORTEST_S * self.config.sample_rate))
        white = gaussian((len(latent) * channels, samples), random, latent.device)
        noise = self.noise_spectrum(white)
        of_each = Style(*(values.repeat_interleave(channels, 0) for values in style))
        # of the same noise that they are rendered over, whose phase suits them: trained with white noise instead, Rain
        # is at 131 KAD rather than 111, Wind at 132 rather than 117, Stream at 225 rather than 231
        courses_of_noise = self.spectra.courses_of_noise(noise[1], of_each.mixing)
        courses = self.courses(latent, condition, style, courses_of_noise, random)
        sound = self.render(courses, of_each, noise, samples, random)
        if wanted == samples:
            return sound
        # where it is loudest: half a second of a drum may otherwise hold no beat
        energy = F.pad(sound.detach().square().unflatten(0, (-1, channels)).sum(1).cumsum(-1), (1, 0))
        starts = (energy[:, wanted:] - energy[:, :-wanted]).argmax(1).repeat_interleave(channels)
        return sound.gather(1, starts[:, None] + torch.arange(wanted, device=sound.device))

    def forward(self, latent: Tensor, condition: Tensor, samples: int, random: Random = None) -> Tensor:
        return self.modulation(self.unmodulated(latent, condition, samples, random=random))
