"""A generator of a few thousand weights, styles drawn at random for it, and trainings of it in quick steps."""

from __future__ import annotations

import os
import signal

import torch

from ctxaudio.data.prepare import ClipBatches, PreparedClips, draw_crops
from ctxaudio.model.courses import BANDS
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.style import Style
from ctxaudio.modulation.profile import ModulationProfile, context_profile
from ctxaudio.options import Run
from ctxaudio.training import loop
from ctxaudio.training.base import fill_bank, fit_spectra_and_statistics
from ctxaudio.training.config import TrainingConfig
from ctxaudio.training.state import Training

RATE = 22050
CONDITIONS = ("Rain", "Wind", "Cricket")
WIDTHS = {"slow_width": 16, "middle_width": 16, "fast_width": 16, "frame_width": 16}
#: All of a small generator's shape but for conditions, latent and styles.
SHAPE = {"components": 8, "courses": 5, "texture_dim": 4, "partials": 2, **WIDTHS}
CONFIG = GeneratorConfig(CONDITIONS, latent_dim=10, style_count=9, **SHAPE)
#: For the clips of the shared fixtures, whose context is sleep.
SLEEP = GeneratorConfig(Run().about.conditions, style_count=12, **SHAPE)
TRAINING = TrainingConfig(batch_size=2, num_epochs=2, log_interval=1, save_interval=1, num_workers=1)
PLAIN = ModulationProfile()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def no_partials(style: Style) -> Style:
    return style._replace(amplitudes=torch.zeros_like(style.amplitudes))


def some_styles(count: int, config: GeneratorConfig = CONFIG) -> Style:
    """Of textures without steady partials: principal spectra at right angles, the first holds two fifths of the
    bins' variance and each further one half as much as the one before."""
    directions = torch.linalg.qr(torch.randn(count, config.components, config.courses))[0]
    strengths = (0.4 * config.bins * 0.5 ** torch.arange(config.courses)).sqrt()
    return Style(
        torch.randn(count, config.texture_dim),
        -4.0 + 0.5 * torch.randn(count, config.bins),
        0.4 + 0.5 * torch.rand(count, config.bins),
        0.3 + 0.5 * torch.rand(count, config.bins),
        torch.full((count, config.bins), 9.0),
        directions * strengths,
        0.3 * torch.randn(count, config.courses, BANDS),
        100.0 + 4000.0 * torch.rand(count, config.partials),
        torch.zeros(count, config.partials),
    )


def small_generator(profile: ModulationProfile = PLAIN, config: GeneratorConfig = CONFIG, seed: int = 0) -> Generator:
    """Eigen-spectra and statistics of coloured noise that moves, and a bank of random styles, three a condition."""
    torch.manual_seed(seed)
    generator = Generator(config, profile)
    fit_spectra_and_statistics(generator, moving_noise(16))
    count = config.style_count
    generator.bank.fill(some_styles(count, config), torch.arange(count) % len(config.conditions))
    return generator.eval()


def moving_noise(count: int, samples: int = 2 * RATE) -> torch.Tensor:
    """Crops `[count, samples]` of noise that swells, each at a rate of its own, treble and bass apart."""
    time_s = torch.arange(samples) / RATE
    rates_hz = torch.linspace(1.0, 6.0, count)[:, None]
    noise = torch.randn(2, count, samples, generator=seeded(7))
    bass = torch.fft.irfft(torch.fft.rfft(noise[0]) / (1.0 + torch.arange(samples // 2 + 1) / 500.0), samples)
    swell = 1.0 + 0.9 * torch.sin(2 * torch.pi * rates_hz * time_s)
    return 0.3 * bass * swell + 0.01 * noise[1] * swell.flip(0)


class FourSteps(ClipBatches):
    steps_per_epoch = 4


class Pairs(ClipBatches):
    steps_per_epoch = 2


def begin(
    clips: PreparedClips,
    config: TrainingConfig = TRAINING,
    shape: GeneratorConfig = SLEEP,
    kind: type[ClipBatches] = FourSteps,
) -> Training:
    """As `start.begin_training` from scratch, with small networks and few steps an epoch."""
    torch.manual_seed(config.seed)
    random = seeded(config.seed)
    batches = kind(clips, "train", round(config.crop_s * clips.sample_rate), config.batch_size, random)
    generator = Generator(shape, context_profile(Run().about))
    crops, conditions = draw_crops(batches, shape.style_count)
    fit_spectra_and_statistics(generator, crops)
    fill_bank(generator, crops, conditions)
    return loop.begin(generator, batches, random, clips.context, config)


def weights(generator: Generator) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in generator.parameters()])


def stop_in_step(training: Training, step: int) -> None:
    """As if Ctrl-C were pressed in that step."""
    draw = training.batches.next

    def pressed():
        if training.step == step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return draw()

    training.batches.next = pressed
