import math

import pytest
import torch
from styles import some_styles

from ctxaudio.model import losses
from ctxaudio.model.discriminator import Discriminator, Verdict
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.style_bank import Style, StyleBank
from ctxaudio.model.styles import fit_style_space
from ctxaudio.signal.movement import DEVIATION_OF_NOISE, frame_levels
from ctxaudio.signal.profile import ModulationProfile, Rate, modulation_profile
from ctxaudio.signal.texture import TextureStatistics

CONDITIONS = ("Rain", "Wind", "Cricket")
CONFIG = GeneratorConfig(
    CONDITIONS, latent_dim=10, style_dim=4, style_count=9, slow_width=16, middle_width=16, fast_width=16
)


PLAIN = ModulationProfile()


def small_generator(profile: ModulationProfile = PLAIN) -> Generator:
    torch.manual_seed(0)
    generator = Generator(CONFIG, profile)
    generator.bank.fill(some_styles(9, CONFIG), torch.arange(9) % 3)
    return generator.eval()


@pytest.mark.parametrize("samples", [8820, 44100, 50001])
def test_the_generator_makes_any_length(samples):
    out = small_generator()(torch.randn(2, 10), torch.tensor([0, 2]), samples)
    assert out.shape == (2, samples) and bool(out.isfinite().all())


@pytest.mark.parametrize(("sample_rate", "n_fft"), [(8000, 256), (22050, 512), (44100, 1024), (48000, 1024)])
def test_frames_last_as_long_at_every_sample_rate(sample_rate, n_fft):
    config = GeneratorConfig(CONDITIONS, sample_rate=sample_rate)
    assert config.n_fft == n_fft
    assert 0.015 < n_fft / sample_rate < 0.035


def test_the_default_generator_is_small():
    assert sum(p.numel() for p in Generator(GeneratorConfig(CONDITIONS), ModulationProfile()).parameters()) < 2_000_000


def test_the_same_seed_gives_the_same_sound_and_another_seed_another():
    generator, latent, condition = small_generator(), torch.randn(1, 10), torch.tensor([1])

    def sound(seed: int) -> torch.Tensor:
        return generator(latent, condition, 8820, noise=torch.Generator().manual_seed(seed))

    assert torch.equal(sound(3), sound(3))
    assert not torch.allclose(sound(3), sound(4))


def test_what_the_generator_gives_is_its_bed_through_the_modulation_layer():
    generator = small_generator(ModulationProfile((Rate(6.0, 0.5),)))
    latent, condition = torch.randn(1, 10), torch.tensor([1])
    bed = generator.unmodulated(latent, condition, 8820, noise=torch.Generator().manual_seed(3))
    out = generator(latent, condition, 8820, noise=torch.Generator().manual_seed(3))
    torch.testing.assert_close(out, bed * generator.modulation.gain(8820))


def test_every_learned_number_of_the_generator_gets_a_gradient():
    generator = small_generator().train()
    generator(torch.randn(2, 10), torch.tensor([0, 1]), 8820).square().mean().backward()
    without = [n for n, p in generator.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


def test_a_latent_picks_one_style_of_its_own_condition():
    kept = some_styles(3, CONFIG)
    bank = StyleBank(4, 6, CONFIG.style_dim, CONFIG.n_fft // 2 + 1, CONFIG.shapes, CONFIG.partials)
    bank.fill(kept, torch.tensor([0, 0, 1]))
    picked = bank(torch.randn(50, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0] * 50))
    which = torch.cdist(picked.texture, kept.texture).argmin(1)
    assert set(which.tolist()) == {0, 1}
    for mine, theirs in zip(picked, kept, strict=True):
        torch.testing.assert_close(mine, theirs[which])
    only = bank(torch.randn(1, 6), torch.tensor([1]))
    for mine, theirs in zip(only, kept, strict=True):
        torch.testing.assert_close(mine, theirs[2:])


def test_an_untrained_generator_moves_as_its_style_does():
    """Before any training the style alone speaks: level and movement of every bin, within what one draw varies by."""
    config = GeneratorConfig(("a",))
    clicks = 0.003 * torch.randn(1, 44100) + 0.3 * (torch.rand(1, 44100) > 0.9995) * torch.randn(1, 44100)
    space = fit_style_space(TextureStatistics(22050), torch.cat([clicks, clicks.flip(1)]), config)
    style = space.style(clicks, space.normalised(clicks))
    generator = Generator(config, ModulationProfile())
    with torch.no_grad():
        made = generator.unmodulated(torch.zeros(1, 100), torch.tensor([0]), 8 * 44100, style)
        again = space.style(made, space.normalised(made[:, :44100]))
    assert float((again.level - style.level).abs().mean()) < 0.25
    assert float((again.movement() / style.movement()).log().abs().mean()) < 0.25
    mine, theirs = again.shapes[0, 0], style.shapes[0, 0]
    assert float(torch.cosine_similarity(mine, theirs, dim=0)) > 0.9


def test_no_moment_is_louder_than_the_loudest_of_the_crop():
    """Pops over digital silence: what drives the course has tails that would make a bang of a thousand times that."""
    config = GeneratorConfig(("a",))
    pops = (torch.rand(2, 44100, generator=torch.Generator().manual_seed(2)) > 0.9998).float()
    pops[:, 10000:30000] = 0.0
    space = fit_style_space(TextureStatistics(22050), pops, config)
    style = space.style(pops, space.normalised(pops))
    generator = Generator(config, ModulationProfile())
    peaks = []
    for loudest in (style.loudest, style.loudest + 99.0):
        limited = style._replace(loudest=loudest)
        with torch.no_grad():
            moving, _ = generator.drawn_movement(limited, 4000, torch.Generator().manual_seed(0))
        peaks.append(float((frame_levels(style.level[:, None] + moving) - style.loudest[:, None]).max()))
    assert peaks[0] == pytest.approx(0.0, abs=1e-4) and peaks[1] > 1.0


def test_of_what_the_network_says_a_condition_keeps_its_shares():
    """How noisy bins are is the network's alone: as their residual where nothing of that is kept."""
    generator = Generator(CONFIG, ModulationProfile()).eval()
    generator.bank.fill(some_styles(6, CONFIG), torch.tensor([0, 0, 0, 1, 1, 1]))
    latent, condition = torch.randn(2, CONFIG.latent_dim), torch.tensor([0, 1])
    style = generator.bank(latent, condition)
    spreads = []
    for shares in ([1.0, 1.0], [1.0, 0.0], [0.0, 0.0]):
        generator.shares[0] = torch.tensor(shares)
        with torch.no_grad():
            _, spread, _ = generator.spectrum(latent, condition, 40, style, torch.Generator().manual_seed(0))
        spreads.append(spread)
    everything, lasting, nothing = (spread[0] for spread in spreads)
    hiss = (style.residual * (1.0 - style.patchiness).sqrt() / DEVIATION_OF_NOISE)[0, :, None].expand_as(nothing)
    assert float(everything.std(1).max() / everything.mean()) > 1e-3
    assert float(lasting.std(1).max() / lasting.mean()) < 1e-6
    assert float((lasting - hiss).abs().max()) > 1e-3
    torch.testing.assert_close(nothing, hiss)
    torch.testing.assert_close(spreads[2][1], spreads[0][1], msg="the other condition")


def test_on_the_way_between_two_styles_partials_fade_and_never_glide():
    first, second = some_styles(1, CONFIG), some_styles(1, CONFIG)
    halfway = first.towards(second, 0.5)
    assert set(halfway.partials_hz[0].tolist()) == set(first.partials_hz[0].tolist() + second.partials_hz[0].tolist())
    power = halfway.amplitudes.square().sum()
    torch.testing.assert_close(power, 0.5 * (first.amplitudes.square().sum() + second.amplitudes.square().sum()))
    torch.testing.assert_close(first.towards(second, 1.0).level, second.level)
    moving = halfway.movement().square() - halfway.residual.square()
    ends = sum(style.movement().square() - style.residual.square() for style in (first, second))
    torch.testing.assert_close(moving, 0.5 * ends)


def test_a_style_brings_its_own_spectrum_and_partials():
    generator, latent, condition = small_generator(), torch.randn(1, 10), torch.tensor([1])
    silent = torch.zeros_like(some_styles(1, CONFIG).amplitudes)
    soft = some_styles(1, CONFIG)._replace(amplitudes=silent)
    tone = torch.zeros_like(silent)
    tone[0, 0] = 0.3
    bell = soft._replace(partials_hz=torch.full_like(silent, 1000.0), amplitudes=tone)

    def at_1000_hz(style: Style) -> float:
        sound = generator.unmodulated(latent, condition, 22050, style, torch.Generator().manual_seed(0))
        return float(torch.fft.rfft(sound.detach())[0, 1000].abs())

    assert at_1000_hz(bell) > 20 * at_1000_hz(soft)
    louder = soft._replace(level=soft.level + math.log(10.0))
    bed, tenfold = (
        generator.unmodulated(latent, condition, 8820, style, torch.Generator().manual_seed(0))
        for style in (soft, louder)
    )
    torch.testing.assert_close(tenfold, 10.0 * bed, rtol=1e-3, atol=1e-4)


def test_partials_follow_what_moves_at_their_bins_and_keep_their_level():
    generator = small_generator()
    moving = torch.zeros(1, 257, 40)
    bin_hz = 22050 / 512
    moving[0, 10] = torch.linspace(2.0, -2.0, 40)  # dies away
    amplitudes = torch.tensor([[0.2, 0.1]])
    style = some_styles(1, CONFIG)._replace(
        partials_hz=torch.tensor([[10 * bin_hz, 50 * bin_hz]]), amplitudes=amplitudes
    )
    steady = generator.steadily(style, moving.transpose(1, 2))
    assert bool((steady[0, :, 0].diff() < 0).all())
    torch.testing.assert_close(steady[0, :, 1], torch.full((40,), 0.1))
    torch.testing.assert_close(steady.square().mean(1).sqrt(), amplitudes)


def test_a_style_leaves_its_partials_to_the_oscillators():
    config = GeneratorConfig(("a",))
    hiss = 0.003 * torch.randn(2, 44100, generator=torch.Generator().manual_seed(0))
    tone = 0.1 * torch.cos(6.2831853 * 1000.0 * torch.arange(44100) / 22050)
    crops = torch.stack([hiss[0], hiss[1] + tone])
    space = fit_style_space(TextureStatistics(22050), crops, config)
    style = space.style(crops, space.normalised(crops))
    at_1000_hz = round(1000.0 * 512 / 22050)
    assert float(style.amplitudes[1].max()) == pytest.approx(0.1 / 2**0.5, rel=0.05)
    assert float((style.level[1] - style.level[0]).abs().max()) < 1.5  # the reflected ends leak a little
    assert float((style.level[1] - style.level[0]).abs()[at_1000_hz - 2 : at_1000_hz + 3].max()) < 0.2


def test_styles_are_white_over_the_crops_they_were_fitted_on():
    crops = 0.05 * torch.randn(12, 44100) * torch.linspace(0.2, 2.0, 12)[:, None]
    space = fit_style_space(TextureStatistics(22050), crops, CONFIG)
    texture = space.style(crops, space.normalised(crops)).texture
    torch.testing.assert_close(texture.square().mean(0), torch.ones(4), rtol=0.2, atol=0.05)


def test_the_discriminator_judges_time_after_time_and_names_the_condition():
    discriminator = Discriminator(CONFIG)
    verdicts = discriminator(torch.randn(2, 22050), torch.tensor([0, 2]), torch.randn(2, 4))
    assert len(verdicts) == 3
    for verdict in verdicts:
        assert verdict.real.shape[0] == 2 and verdict.real.shape[1] > 5
        assert verdict.condition.shape == (2, 3)


def verdict(real: list[float], condition: list[list[float]] | None = None) -> list[Verdict]:
    return [Verdict(torch.tensor([real]), torch.tensor(condition or [[0.0, 0.0]]), [torch.ones(1, 2, 3)])]


def test_the_hinge_losses_have_the_right_signs():
    assert float(losses.discriminator_hinge(verdict([2.0]), verdict([-2.0]))) == 0.0
    assert float(losses.discriminator_hinge(verdict([0.5]), verdict([0.0]))) == pytest.approx(1.5)
    assert float(losses.generator_hinge(verdict([2.0]))) < float(losses.generator_hinge(verdict([-2.0])))


def test_the_condition_loss_is_the_cross_entropy():
    given = verdict([0.0], [[2.0, 0.0]])
    assert float(losses.condition_loss(given, torch.tensor([0]))) == pytest.approx(math.log(1 + math.exp(-2)))


def test_the_feature_distance_ignores_when_things_happen():
    first = torch.tensor([[[1.0, 0.0, 0.0, 0.0]]])
    later = torch.tensor([[[0.0, 0.0, 1.0, 0.0]]])
    louder = torch.tensor([[[0.0, 0.0, 2.0, 0.0]]])

    def as_verdict(features: torch.Tensor) -> list[Verdict]:
        return [Verdict(torch.zeros(1, 1), torch.zeros(1, 2), [features])]

    assert float(losses.feature_distance(as_verdict(first), as_verdict(later))) == 0.0
    assert float(losses.feature_distance(as_verdict(first), as_verdict(louder))) > 0.3


def test_profiles_survive_in_the_layer_unchanged():
    profile = modulation_profile({"alpha": 0.2}, {"earth": 0.3})
    assert small_generator(profile).modulation.profile == profile


def test_no_frame_can_tell_where_the_clip_ends():
    generator = small_generator()
    for module in generator.modules():  # without its own noise, a stationary network has nothing to vary with
        if hasattr(module, "noise_level"):
            torch.nn.init.zeros_(module.noise_level)
    still = some_styles(1, CONFIG)
    still = still._replace(shapes=torch.zeros_like(still.shapes), patchiness=torch.zeros_like(still.patchiness))
    mean, spread, amplitudes = generator.spectrum(torch.randn(1, 10), torch.tensor([0]), 200, still, None)
    torch.testing.assert_close(mean, mean[..., :1].expand_as(mean), rtol=0, atol=1e-4)
    torch.testing.assert_close(spread, spread[..., :1].expand_as(spread), rtol=0, atol=1e-4)
    torch.testing.assert_close(amplitudes, amplitudes[:, :1].expand_as(amplitudes), rtol=0, atol=1e-4)


def test_the_texture_score_is_least_where_takes_vary_as_the_crops_do():
    random = torch.Generator().manual_seed(0)
    crops, one, other = torch.randn(3, 40_000, 1, generator=random)
    deviations = torch.linspace(0.0, 2.0, 9)
    scores = [float(losses.texture_score(d * one, d * other, crops)) for d in deviations]
    assert deviations[scores.index(min(scores))] == 1.0
    distances = [float(losses.texture_distance(d * one, crops)) for d in deviations]
    assert distances.index(min(distances)) == 0  # which is why a distance alone irons out what varies


def test_the_texture_score_finds_a_shift_and_is_zero_where_all_are_the_same():
    wanted = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    assert float(losses.texture_score(wanted, wanted, wanted)) == 0.0
    shifts = (0.0, 0.5, 2.0, 6.0)
    scores = [float(losses.texture_score(wanted + by, wanted + by, wanted)) for by in shifts]
    assert scores == sorted(scores)
    assert scores[-1] == pytest.approx(37.0**0.5 - 1.0, abs=1e-4)
    assert float(losses.texture_score(wanted, wanted + 1.0, wanted)) == pytest.approx(0.0, abs=1e-6)
