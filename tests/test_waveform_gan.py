"""The reference that ours is compared with: of the published size, and trained as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import waveform_gan
from benchmarks.waveform_gan import WaveDiscriminator, WaveGan, WaveGenerator, shuffle_phase

from ctxaudio.contexts import context_named
from ctxaudio.data.prepare import Batch
from ctxaudio.files import read_json
from ctxaudio.modulation.layer import FrequencyModulationLayer
from ctxaudio.modulation.profile import context_profile
from ctxaudio.signal.audio import read_audio

SAMPLES = 4096 * 4


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def small(loss: str) -> WaveGan:
    torch.manual_seed(0)
    layer = FrequencyModulationLayer(context_profile(context_named("sleep")), 22050)
    return WaveGan(
        WaveGenerator(2, SAMPLES, 8, size=2), WaveDiscriminator(2, SAMPLES, size=2), layer, loss, latent_dim=8
    )


def batches(count: int) -> list[Batch]:
    random = torch.Generator().manual_seed(1)
    condition = torch.tensor([0, 1, 0, 1])
    return [Batch(0.1 * torch.randn(4, SAMPLES, generator=random), condition, condition) for _ in range(count)]


def test_the_networks_have_the_published_size() -> None:
    """73 M and 70 M for 65 536 samples; a condition adds its embedding, and a row of the classifier."""
    layers = [2048 * 1024, 1024 * 512, 512 * 256, 256 * 128, 128 * 64, 64]
    with torch.device("meta"):
        generator, discriminator = WaveGenerator(5, 65536), WaveDiscriminator(5, 65536)
    widths = 1024 + 512 + 256 + 128 + 64
    published = (100 + 1) * 16 * 2048 + 25 * sum(layers) + widths + 1
    assert parameters(generator) == published + 32 * 16 * 2048 + 5 * 32
    assert round(published / 1e6) == 73
    published = 25 * sum(layers) + widths + 2048 + 16 * 2048 + 1
    assert parameters(discriminator) == published + 5 * (16 * 2048 + 1)
    assert round(published / 1e6) == 70


@pytest.mark.parametrize("samples", [65536, 88200, 4096, 5000])
def test_as_many_samples_come_out_as_are_asked_for(samples: int) -> None:
    latent, condition = torch.randn(3, 100), torch.tensor([0, 1, 4])
    sound = WaveGenerator(5, samples, size=1)(latent, condition)
    assert sound.shape == (3, samples) and float(sound.detach().abs().max()) <= 1
    verdict, names = WaveDiscriminator(5, samples, size=1)(sound)
    assert verdict.shape == (3,) and names.shape == (3, 5)


def test_phase_shuffle_moves_by_two_frames_at_most_and_reflects() -> None:
    x = torch.arange(10.0).expand(1, 2, 10)
    torch.manual_seed(0)
    seen = {tuple(shuffle_phase(x)[0, 0].int().tolist()) for _ in range(100)}
    assert seen == {
        (2, 1, 0, 1, 2, 3, 4, 5, 6, 7),
        (1, 0, 1, 2, 3, 4, 5, 6, 7, 8),
        tuple(range(10)),
        (1, 2, 3, 4, 5, 6, 7, 8, 9, 8),
        (2, 3, 4, 5, 6, 7, 8, 9, 8, 7),
    }


@pytest.mark.parametrize("loss", ["ac-gan", "wgan-gp"])
def test_a_step_moves_both_networks_each_by_its_own_loss(loss: str) -> None:
    gan = small(loss)
    before = [torch.cat([p.detach().flatten() for p in net.parameters()]) for net in (gan.generator, gan.discriminator)]
    given = batches(gan.critic_updates)
    losses = gan.step(given)
    assert gan.steps == 1 and np.isfinite(list(losses.values())).all()
    for net, old in zip((gan.generator, gan.discriminator), before, strict=True):
        moved = (torch.cat([p.detach().flatten() for p in net.parameters()]) - old).abs()
        assert 0 < float(moved.max()) < 10 * gan.lr, "Adam moves a weight by about its rate"
    assert all(p.requires_grad for p in gan.discriminator.parameters())


@pytest.mark.parametrize("loss", ["ac-gan", "wgan-gp"])
def test_the_discriminator_learns_to_tell_noise_from_a_fresh_generator(loss: str) -> None:
    gan = small(loss)
    (batch,) = batches(1)
    fake = gan.fake(batch.condition).detach()
    for _ in range(12):
        gan.discriminator_optimizer.zero_grad()
        gan.discriminator_loss(batch.audio, fake, batch.condition).backward()
        gan.discriminator_optimizer.step()
    real_verdict, fake_verdict = (float(gan.discriminator(sound)[0].detach().mean()) for sound in (batch.audio, fake))
    assert real_verdict > fake_verdict


def test_the_penalty_is_nothing_where_the_slope_is_one() -> None:
    gan = small("wgan-gp")
    direction = torch.randn(SAMPLES)
    direction /= direction.norm()
    gan.discriminator = lambda sound: (sound @ direction, None)  # type: ignore[assignment]
    real, fake = torch.randn(4, SAMPLES), torch.randn(4, SAMPLES)
    assert float(gan.penalty(real, fake)) == pytest.approx(0.0, abs=1e-6)
    gan.discriminator = lambda sound: (3.0 * sound @ direction, None)  # type: ignore[assignment]
    assert float(gan.penalty(real, fake)) == pytest.approx(4.0, abs=1e-4)


def test_the_command_leaves_clips_of_every_condition_and_what_it_did(recordings: Path, tmp_path: Path) -> None:
    given = ["--data_dir", str(recordings), "--output_dir", str(tmp_path), "--duration", "0.5", "--batch_size", "2"]
    waveform_gan.main([*given, "--size", "1", "--max_steps", "2", "--num_samples", "2", "--clips_every", "1"])
    about = read_json(tmp_path / "waveform_gan.json")
    assert about["steps"] == 2 == len(about["history"]) and about["conditions"][0] == "Rain"
    for folder in ("generated", "step_0001"):
        assert {p.parent.name for p in (tmp_path / folder).glob("*/*.wav")} == set(about["conditions"])
    samples, rate = read_audio(tmp_path / "generated" / "Wind" / "Wind_02.wav")
    assert (samples.shape, rate) == ((1, 11025), 22050)
