"""Styles drawn at random, for generators that were trained on nothing."""

import torch

from ctxaudio.model.generator import GeneratorConfig
from ctxaudio.model.style_bank import Style
from ctxaudio.signal.movement import QUANTILES, RATES
from ctxaudio.signal.strikes import STRIKE


def some_styles(count: int, config: GeneratorConfig) -> Style:
    bins = config.n_fft // 2 + 1
    partials_hz = 100.0 + 4000.0 * torch.rand(count, config.partials)
    return Style(
        torch.randn(count, config.style_dim),
        -4.0 + 0.5 * torch.randn(count, bins),
        0.3 + 0.5 * torch.rand(count, bins),
        0.5 * torch.rand(count, 1),
        0.3 * torch.randn(count, config.shapes, bins),
        torch.randn(count, config.shapes, RATES),
        torch.randn(count, config.shapes, QUANTILES).sort(-1).values,
        partials_hz,
        0.01 * torch.rand(count, config.partials),
        torch.zeros(count, config.shapes + config.partials, STRIKE),
        torch.zeros(count, 1),
        torch.full((count, 1), 20.0),  # as loud as chance will have it
    )
