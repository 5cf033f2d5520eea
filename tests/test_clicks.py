"""Clicks: what is one and what is none, the carrier that makes them, and a generator with both."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import torch
from styles import some_styles

from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.styles import fit_style_space
from ctxaudio.signal.clicks import LARGEST_SHARE, clickiness, clicky
from ctxaudio.signal.profile import ModulationProfile
from ctxaudio.signal.stft import power, shaped_noise, stft
from ctxaudio.signal.texture import TextureStatistics

RATE, N_FFT, HOP = 22050, 512, 256


def white(seconds: float = 2.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def click_train(per_s: float, seconds: float = 2.0) -> torch.Tensor:
    clicks = torch.zeros(1, round(seconds * RATE))
    clicks[:, 100 :: round(RATE / per_s)] = 1.0
    return clicks


def through(sections: np.ndarray, sound: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(scipy.signal.sosfilt(sections, sound.numpy()).astype(np.float32))


@pytest.mark.parametrize("band_hz", [(200, 800), (2000, 6000)])
def test_noise_of_any_colour_and_course_is_no_click(band_hz):
    time_s = torch.arange(2 * RATE) / RATE
    coloured = through(scipy.signal.butter(2, band_hz, "bandpass", fs=RATE, output="sos"), white()) + 0.02 * white(
        seed=1
    )
    assert float(clickiness(coloured, N_FFT, HOP)) == 0.0
    assert float(clickiness((1.0 + torch.sin(2 * math.pi * 5.0 * time_s)) * coloured, N_FFT, HOP)) == 0.0


def test_clicks_in_a_background_are_clicks_at_any_level_and_colour():
    sections = scipy.signal.butter(1, 3000, "lowpass", fs=RATE, output="sos")
    crackling = through(sections, click_train(10.0)) + 0.005 * white()
    for gain in (1.0, 0.05):
        assert float(clickiness(gain * crackling, N_FFT, HOP)) == pytest.approx(LARGEST_SHARE)


def test_each_sound_of_a_batch_has_its_own():
    batch = torch.cat([white(), click_train(10.0) + 0.005 * white()])
    assert clickiness(batch, N_FFT, HOP).tolist() == [[0.0], pytest.approx([LARGEST_SHARE])]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_carrier_has_the_power_of_its_noise_and_as_many_clicks_as_hops(share):
    noise, chance = white(20.0), torch.rand(1, 1 + 20 * RATE // HOP)
    carrier = clicky(noise, chance, torch.tensor([[share]]), HOP)
    assert float(carrier.square().mean()) == pytest.approx(1.0, rel=0.02)
    clicks = carrier - math.sqrt(1.0 - share) * noise
    per_hop = (clicks.abs() > 0.5 * math.sqrt(share * HOP)).unfold(1, HOP, HOP).sum(2)
    assert bool((per_hop == 1).all()) if share else float(clicks.abs().max()) == 0.0


def test_magnitudes_of_clicks_on_their_own_phase_are_the_clicks():
    clicks = clicky(torch.zeros(1, 8192), torch.rand(1, 33), torch.tensor([[1.0]]), HOP)
    level = 0.5 * torch.log(power(stft(clicks, N_FFT, HOP)) + 1e-12)
    exact = torch.zeros_like(level)
    again = shaped_noise(level, exact, white()[:, :8192], N_FFT, HOP, carrier=clicks)
    torch.testing.assert_close(again, clicks, rtol=0, atol=1e-3)
    without = shaped_noise(level, exact, white()[:, :8192], N_FFT, HOP)
    assert float((without - clicks).square().mean()) > 0.5


def test_the_carrier_gives_no_magnitude():
    level, loud = torch.zeros(1, N_FFT // 2 + 1, 33), white()[:, :8192]
    carrier = white(seed=1)[:, :8192]
    quiet, same = (
        shaped_noise(level, torch.ones_like(level), loud, N_FFT, HOP, carrier=c) for c in (carrier, 9 * carrier)
    )
    torch.testing.assert_close(quiet, same, rtol=1e-4, atol=1e-4)


def test_a_style_has_the_clicks_of_a_fire_and_none_of_a_bell_s():
    config = GeneratorConfig(("any",))
    time_s = torch.arange(2 * RATE) / RATE
    fire = click_train(10.0) + 0.005 * white()
    ringing = sum(torch.sin(2 * math.pi * hz * time_s) for hz in (700.0, 1900.0, 3300.0)) * 0.05
    crops = torch.cat([fire, fire + ringing, white()])
    assert (clickiness(crops, N_FFT, HOP) > 0).flatten().tolist() == [True, True, False]
    space = fit_style_space(TextureStatistics(RATE), crops, config)
    style = space.style(crops, space.normalised(crops))
    assert style.clicks.flatten().tolist() == pytest.approx([LARGEST_SHARE, 0.0, 0.0])


@pytest.fixture(scope="module")
def generators() -> tuple[Generator, Generator]:
    """The same one without clicks and with them."""
    made = []
    for share in (0.0, LARGEST_SHARE):
        torch.manual_seed(0)
        config = GeneratorConfig(("hiss",), style_count=4)
        generator = Generator(config, ModulationProfile()).eval()
        style = some_styles(4, config)._replace(amplitudes=torch.zeros(4, config.partials))
        generator.bank.fill(style._replace(clicks=torch.full((4, 1), share)), torch.zeros(4, dtype=torch.long))
        made.append(generator)
    return made[0], made[1]


def test_a_style_of_clicks_sounds_of_clicks(generators):
    latent, condition = torch.zeros(1, 100), torch.zeros(1, dtype=torch.long)
    with torch.no_grad():
        plain, clicking = (
            generator.unmodulated(latent, condition, 4 * RATE, noise=torch.Generator().manual_seed(1))
            for generator in generators
        )
    assert clickiness(plain, N_FFT, HOP).item() == 0.0
    assert clickiness(clicking, N_FFT, HOP).item() == pytest.approx(LARGEST_SHARE)


def test_two_channels_click_at_the_same_time_over_noise_of_their_own(generators):
    latent, condition = torch.zeros(1, 100), torch.zeros(1, dtype=torch.long)
    alike = []
    with torch.no_grad():
        for generator in generators:
            left, right = generator.beds(latent, condition, 4 * RATE, 2, noise=torch.Generator().manual_seed(1)).numpy()
            alike.append(np.corrcoef(left, right)[0, 1])
    assert abs(alike[0]) < 0.1
    assert alike[1] > 0.5


def test_how_noisy_clicks_are_is_their_style_s_to_say(generators):
    """Whatever the network says of it: noisy clicks rustle."""
    latent, condition = torch.zeros(1, 100), torch.zeros(1, dtype=torch.long)
    spreads = []
    for generator in map(copy.deepcopy, generators):
        for noisier in (0.0, 2.0):
            bins = N_FFT // 2 + 1
            torch.nn.init.constant_(generator.style_spectrum.bias[bins:], noisier)
            style = generator.bank(latent, condition)
            with torch.no_grad():
                _, spread, _ = generator.spectrum(latent, condition, 40, style, torch.Generator().manual_seed(1))
            spreads.append(spread)
    assert float((spreads[1] / spreads[0]).min()) > 1.2
    torch.testing.assert_close(spreads[3], spreads[2])


def test_how_clicks_move_is_their_style_s_to_say(generators):
    """With other weights of what the network makes move, clicks are the same, and other noise is not."""
    latent, condition = torch.zeros(1, 100), torch.zeros(1, dtype=torch.long)
    means = []
    for generator in map(copy.deepcopy, generators):
        for gain in (1.0, 20.0):
            torch.nn.init.normal_(generator.head.weight, std=0.02 * gain)
            with torch.no_grad():
                style = generator.bank(latent, condition)
                mean, _, _ = generator.spectrum(latent, condition, 40, style, torch.Generator().manual_seed(1))
            means.append(mean)
    assert float((means[1] - means[0]).abs().mean()) > 0.05
    torch.testing.assert_close(means[3], means[2])
