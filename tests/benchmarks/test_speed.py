"""How fast, beside a floor. Not part of `make test`:

.venv/bin/python -m pytest tests/benchmarks --benchmark-columns=median,iqr -p no:cacheprovider
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ctxaudio.analysis.measures import analyse_clip
from ctxaudio.contexts import CONTEXTS
from ctxaudio.generate import generate_clips
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.signal.profile import context_profile
from ctxaudio.signal.stft import inverse_stft, stft

RATE, SECONDS = 22050, 4.0
SLEEP = CONTEXTS["sleep"]
Benchmark = Callable[[Callable[[], object]], object]


@pytest.fixture(scope="module")
def generator() -> Generator:
    config = GeneratorConfig(SLEEP.conditions)
    generator = Generator(config, context_profile(SLEEP)).eval()
    generator.bank.fill(torch.randn(50, config.style_dim), torch.arange(50) % len(config.conditions))
    return generator


def test_floor_noise_through_stft_and_back(benchmark: Benchmark) -> None:
    noise = torch.randn(1, round(SECONDS * RATE))
    assert benchmark(lambda: inverse_stft(stft(noise, 512, 128), 512, 128, noise.shape[1])) is not None


def test_generation_of_one_clip_with_modulation_and_loudness(benchmark: Benchmark, generator: Generator) -> None:
    assert benchmark(lambda: next(generate_clips(generator, 1, SECONDS))) is not None


def test_analysis_of_one_clip(benchmark: Benchmark) -> None:
    noise = (0.05 * np.random.default_rng(0).standard_normal(round(SECONDS * RATE))).astype(np.float32)
    assert benchmark(lambda: analyse_clip(noise, RATE)) is not None
