import math

import pytest
import torch
from styles import some_styles

from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.styles import fit_style_space
from ctxaudio.signal.profile import ModulationProfile
from ctxaudio.signal.stft import power_spectrogram
from ctxaudio.signal.strikes import (
    DECAY,
    DEVIATION,
    FLOOR,
    PEAK,
    PER_S,
    REGULAR,
    SLOWEST_OF_TONES,
    STRIKE,
    WITH,
    find_strikes,
    ring,
    struck_together,
)
from ctxaudio.signal.texture import TextureStatistics

RATE, FRAME_RATE = 22050, 22050 / 256
FRAMES = 345  # four seconds


def levels(times_s: list[float], decay: float, peak: float = -2.0, floor: float = -9.0) -> torch.Tensor:
    time_s = torch.arange(FRAMES) / FRAME_RATE
    level = torch.full((FRAMES,), floor)
    for start in times_s:
        level = torch.where(time_s >= start, torch.clamp(peak - decay * (time_s - start), min=floor), level)
    return level


def found(*rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    stacked = torch.stack(rows)[None]
    loud, possible = torch.full(stacked.shape[:2], -4.0), torch.ones(stacked.shape[:2], dtype=torch.bool)
    return find_strikes(stacked, loud, possible, FRAME_RATE, SLOWEST_OF_TONES)


@pytest.mark.parametrize("decay", [1.5, 6.0, 30.0])
def test_rate_peak_and_decay_are_those_of_the_strikes(decay):
    strikes, onset = found(levels([0.5, 1.5, 3.1], decay))
    assert float(strikes[0, 0, PER_S]) == pytest.approx(3 / 4, rel=0.02)
    assert float(strikes[0, 0, DECAY]) == pytest.approx(decay, rel=0.25)
    frame = decay / FRAME_RATE  # what it falls by between a strike and the next frame, at most
    assert -2.0 - frame - 0.01 < float(strikes[0, 0, PEAK]) < -2.0
    assert float(strikes[0, 0, DEVIATION]) < frame
    assert int(onset.sum()) == 3


def test_equal_intervals_are_told_from_others():
    strikes, _ = found(levels([0.2, 1.0, 1.8, 2.6, 3.4], 20.0), levels([0.2, 0.6, 1.9, 2.3, 3.7], 20.0))
    assert strikes[0, :, REGULAR].tolist() == [1.0, 0.0]
    assert float(strikes[0, 0, PER_S]) == pytest.approx(1 / 0.8, rel=0.02)


def test_what_sounds_on_or_moves_like_noise_is_not_struck():
    random = torch.Generator().manual_seed(0)
    noise = 0.64 * torch.randn(FRAMES, generator=random) - 2.0
    swell = -2.0 + 2.0 * torch.sin(2 * math.pi * 0.5 * torch.arange(FRAMES) / FRAME_RATE)
    strikes, onset = found(torch.full((FRAMES,), -2.0), noise, swell)
    assert not strikes.any() and not onset.any()


def test_a_tail_without_its_onset_is_a_rare_strike():
    strikes, _ = found(levels([0.0], 2.0)[30:])
    assert 0 < float(strikes[0, 0, PER_S]) < 1 / 4
    assert float(strikes[0, 0, DECAY]) == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize("regular", [0.0, 1.0])
def test_new_strikes_are_like_those_they_were_drawn_from(regular):
    wanted = torch.zeros(1, 1, STRIKE)
    wanted[..., PER_S], wanted[..., REGULAR], wanted[..., DECAY] = 1.5, regular, 12.0
    wanted[..., PEAK], wanted[..., DEVIATION], wanted[..., FLOOR] = -2.0, 0.2, -8.0
    random, frames = torch.Generator().manual_seed(1), round(40 * FRAME_RATE)
    chances = torch.rand(1, 1, frames, generator=random), torch.randn(1, 1, frames, generator=random)
    level = ring(wanted, *chances, FRAME_RATE)
    loud = torch.full((1, 1), -4.0)
    again, onset = find_strikes(level, loud, loud < 0, FRAME_RATE, SLOWEST_OF_TONES)
    assert float(again[..., PER_S]) == pytest.approx(1.5, rel=0.15)
    assert float(again[..., REGULAR]) == regular
    assert float(again[..., DECAY]) == pytest.approx(12.0, rel=0.25)
    assert float(again[..., PEAK]) == pytest.approx(-2.0, abs=0.2)
    assert float(level.min()) == pytest.approx(-8.0, abs=1e-4)
    times_s = onset[0, 0].nonzero()[:, 0] / FRAME_RATE
    unequal = float(times_s.diff().std() / times_s.diff().mean())
    assert unequal < 0.05 if regular else unequal > 0.2


@pytest.mark.parametrize("frames", [40, 172, 344])
def test_however_rare_the_strikes_the_first_comes_soon(frames):
    rare = torch.zeros(1, 1, STRIKE)
    rare[..., PER_S], rare[..., DECAY], rare[..., FLOOR] = 0.05, 20.0, -30.0
    for seed in range(20):
        random = torch.Generator().manual_seed(seed)
        chances = torch.rand(1, 1, frames, generator=random), torch.randn(1, 1, frames, generator=random)
        level = ring(rare, *chances, FRAME_RATE)[0, 0]
        assert float(level[: 1 + round(min(FRAME_RATE, frames / 2))].max()) > -0.5


def test_what_was_struck_together_is_struck_together_again():
    strikes, onset = found(levels([0.5, 1.1, 2.9], 6.0), levels([1.7, 3.3], 6.0), levels([0.51, 1.09, 2.91], 20.0))
    strikes = struck_together(strikes, onset)
    assert strikes[0, :, WITH].tolist() == [0.0, 1.0, 0.0]
    random = torch.Generator().manual_seed(0)
    chances = torch.rand(1, 3, FRAMES, generator=random), torch.randn(1, 3, FRAMES, generator=random)
    level = ring(strikes, *chances, FRAME_RATE)
    rises = (level.diff(dim=2) > 0)[0]
    assert bool((rises[2] <= rises[0]).all()) or bool((rises[0] <= rises[2]).all())
    assert int(rises[0].sum()) >= 2 and not bool((rises[0] & rises[1]).any())


def test_the_strikes_of_two_styles_side_by_side_keep_what_they_are_struck_with():
    config = GeneratorConfig(("a",), shapes=2, partials=3)
    first, second = some_styles(1, config), some_styles(1, config)
    for style in (first, second):  # partials 0 and 2 with shape 1; partial 1 alone
        style.strikes[0, :, WITH] = torch.tensor([0.0, 1.0, 1.0, 3.0, 1.0])
    both = first.towards(second, 0.25)
    assert both.strikes[0, :, WITH].tolist() == [0, 1, 2, 3, 1, 5, 1, 3, 8, 3]
    softer = both.strikes[0, 4:7, PEAK] - first.strikes[0, 2:, PEAK]
    torch.testing.assert_close(softer, torch.full((3,), 0.5 * math.log(0.75)))
    torch.testing.assert_close(both.strikes[0, :2, PEAK], first.strikes[0, :2, PEAK])  # shapes are faded themselves


def test_a_struck_tone_is_generated_as_struck_tones_that_die_away_alike():
    decay, time_s = 5.0, torch.arange(2 * RATE) / RATE
    age = torch.where(time_s < 1.2, time_s - 0.3, time_s - 1.2)
    tone = torch.where(age >= 0, 0.2 * torch.cos(2 * math.pi * 1000.0 * time_s) * torch.exp(-decay * age), 0.0)
    crops = torch.stack([tone, 0 * tone]) + 1e-4 * torch.randn(2, 2 * RATE, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    config = GeneratorConfig(("bell",))
    space = fit_style_space(TextureStatistics(RATE), crops, config)
    style = space.style(crops, space.normalised(crops))
    bell = type(style)(*(value[:1] for value in style))
    generator = Generator(config, ModulationProfile())
    sound = generator.unmodulated(
        torch.zeros(1, 100), torch.tensor([0]), 8 * RATE, bell, torch.Generator().manual_seed(3)
    ).detach()
    # independently of the package's own levels: the slope of the power at 1000 Hz
    level = 0.5 * torch.log(power_spectrogram(sound, 2048, 512)[0, :, round(1000.0 * 2048 / RATE)])
    slope = level.diff() * (RATE / 512)
    falling = slope[(slope < 0) & (level[:-1] > level.max() - 4.0)]
    assert float(-falling.median()) == pytest.approx(decay, rel=0.2)
    rises = level[6:] - level[:-6] > 1.0
    strikes = int((rises[1:] & ~rises[:-1]).sum())
    assert 4 <= strikes <= 12  # one a second was seen
