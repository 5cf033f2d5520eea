import numpy as np
import pytest
import torch

from ctxaudio.signal.stft import log_power, shaped_noise, stft
from ctxaudio.signal.texture import TextureStatistics

RATE = 22050


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize(("n_fft", "hop"), [(128, 32), (512, 128), (2048, 512)])
def test_the_stft_scales_white_noise_to_its_variance_at_any_resolution(n_fft, hop):
    sound = 0.3 * torch.randn(1, 8 * RATE, generator=torch.Generator().manual_seed(0))
    inner = stft(sound, n_fft, hop)[:, 1:-1]
    assert float(inner.abs().square().mean()) == pytest.approx(0.09, rel=0.03)


def test_spread_one_and_mean_zero_give_back_the_noise_itself():
    sound = torch.randn(1, 8192, generator=torch.Generator().manual_seed(0))
    shape = stft(sound, 512, 128).shape
    out = shaped_noise(torch.zeros(shape), torch.ones(shape), sound, 512, 128)
    torch.testing.assert_close(out, sound, rtol=0, atol=1e-4)


def test_phase_steps_bring_the_magnitude_nearer_to_the_one_asked_for():
    random = torch.Generator().manual_seed(0)
    target = torch.zeros(1, 257, 65)
    target[:, :, ::16] = 2.0  # clicks
    carrier = torch.randn(1, 64 * 128, generator=random)

    def error(steps: int) -> float:
        made = shaped_noise(target, torch.zeros_like(target), carrier, 512, 128, steps)
        return float((log_power(made, 512, 128) / 2 - target).square().mean())

    assert error(4) < error(1) < error(0)


def test_two_takes_of_a_texture_are_nearer_than_two_textures():
    statistics = TextureStatistics(RATE)
    time_s = np.arange(2 * RATE) / RATE
    pumping = 1 + 0.8 * np.sin(2 * np.pi * 5 * time_s)

    def numbers(sound: np.ndarray) -> torch.Tensor:
        return statistics(torch.from_numpy(sound.astype(np.float32))[None])[0]

    same = (numbers(noise(1)) - numbers(noise(2))).abs().mean()
    other = (numbers(noise(1)) - numbers(noise(2) * pumping)).abs().mean()
    assert other > 1.5 * same


def test_only_the_modulation_octave_of_the_rate_stands_out():
    statistics = TextureStatistics(RATE).scales[1]
    time_s = np.arange(4 * RATE) / RATE
    sounds = [noise(1, 4.0), noise(1, 4.0) * (1 + 0.9 * np.sin(2 * np.pi * 6.0 * time_s))]
    still, moving = (statistics(torch.from_numpy(s.astype(np.float32))[None])[0] for s in sounds)
    bands = statistics.filters.shape[1]
    octaves = (moving - still)[4 * bands : (4 + len(statistics.octaves_hz)) * bands].view(-1, bands).mean(1)
    assert statistics.octaves_hz[int(octaves.argmax())] <= 6.0 < 2 * statistics.octaves_hz[int(octaves.argmax())]


@pytest.mark.parametrize("sound", [torch.zeros(2, 44100), torch.full((2, 44100), 1e-7)], ids=["silence", "offset"])
def test_statistics_and_their_gradients_are_finite_on_silence(sound):
    sound = sound.clone().requires_grad_()
    values = TextureStatistics(RATE)(sound)
    values.sum().backward()
    assert bool(values.isfinite().all()) and bool(sound.grad.isfinite().all())


def test_statistics_of_a_batch_are_those_of_each_sound_alone():
    statistics = TextureStatistics(RATE)
    sounds = torch.stack([torch.from_numpy(noise(seed)) for seed in (1, 2)])
    alone = torch.cat([statistics(sounds[:1]), statistics(sounds[1:])])
    torch.testing.assert_close(statistics(sounds), alone, rtol=1e-4, atol=1e-4)
