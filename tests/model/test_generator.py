import copy
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from small_model import CONDITIONS, CONFIG, PLAIN, RATE, no_partials, seeded, small_generator, some_styles
from torch import nn

from ctxaudio.model import GeneratorConfig
from ctxaudio.model.generator import (
    SHORTEST_S,
    Generator,
    NoisyBlock,
    Stack,
    gaussian,
    middle_of,
    uniform,
    unit_courses,
)
from ctxaudio.model.style import Style, log_magnitude
from ctxaudio.modulation.profile import ModulationProfile, Rate, modulation_profile
from ctxaudio.signal.stft import find_partials, steadiness


@pytest.fixture(scope="module")
def generator() -> Generator:
    return small_generator()


@pytest.mark.parametrize("samples", [8820, 44100, 50001])
def test_the_generator_makes_any_length(generator, samples):
    out = generator(torch.randn(2, 10), torch.tensor([0, 2]), samples)
    assert out.shape == (2, samples) and bool(out.isfinite().all())


@pytest.mark.parametrize(("sample_rate", "n_fft"), [(8000, 256), (22050, 512), (44100, 1024), (48000, 1024)])
def test_frames_last_as_long_at_every_sample_rate(sample_rate, n_fft):
    config = GeneratorConfig(CONDITIONS, sample_rate=sample_rate)
    assert config.n_fft == n_fft
    assert 0.015 < n_fft / sample_rate < 0.035


def test_the_default_generator_is_small():
    assert sum(p.numel() for p in Generator(GeneratorConfig(CONDITIONS), PLAIN).parameters()) < 2_000_000


def test_the_same_seed_gives_the_same_sound_and_another_seed_another(generator):
    latent, condition = torch.randn(1, 10), torch.tensor([1])

    def sound(seed: int) -> torch.Tensor:
        return generator(latent, condition, 8820, random=seeded(seed))

    assert torch.equal(sound(3), sound(3))
    assert not torch.allclose(sound(3), sound(4))


def test_what_the_generator_gives_is_its_bed_through_the_modulation_layer():
    generator = small_generator(ModulationProfile((Rate(6.0, 0.5),)))
    latent, condition = torch.randn(1, 10), torch.tensor([1])
    bed = generator.unmodulated(latent, condition, 8820, random=seeded(3))
    out = generator(latent, condition, 8820, random=seeded(3))
    torch.testing.assert_close(out, bed * generator.modulation(torch.ones(1, 8820)))
    assert not torch.allclose(out, bed, rtol=0.1)


def test_profiles_survive_in_the_layer_unchanged():
    profile = modulation_profile({"alpha": 0.2}, {"earth": 0.3})
    assert small_generator(profile).modulation.profile == profile


def test_every_learned_number_gets_a_gradient_through_the_rendered_and_modulated_sound():
    generator = small_generator(ModulationProfile((Rate(6.0, 0.5),))).train()
    nn.init.normal_(generator.gains.weight, std=0.01)
    sound = generator(torch.randn(2, 10), torch.tensor([0, 1]), 8820)
    (sound * torch.randn_like(sound)).sum().backward()
    learned = [(n, p) for n, p in generator.named_parameters() if p.requires_grad]
    without = [n for n, p in learned if p.grad is None or not float(p.grad.abs().max()) > 0]
    assert without == []
    assert all(bool(p.grad.isfinite().all()) for _, p in learned)


def test_gradients_pass_the_modulation_layer_as_much_as_it_lets_sound_through():
    """Training need not render sound (model.training); were it wanted, the layer would not stand in the way."""
    generator = small_generator(ModulationProfile((Rate(6.0, 0.9),)))
    bed = torch.randn(1, 8820, requires_grad=True)
    generator.modulation(bed).sum().backward()
    torch.testing.assert_close(bed.grad[0], generator.modulation(torch.ones(1, 8820)).flatten().expand(8820))


def drawn(
    generator: Generator, style: Style, samples: int, seed: int
) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Noise as `render` takes it, and its courses in the style's directions."""
    noise = generator.noise_spectrum(torch.randn(len(style.level), samples, generator=seeded(seed)))
    return noise, generator.spectra.courses_of_noise(noise[1], style.mixing)


def test_the_courses_it_makes_are_of_mean_0_and_deviation_1_as_those_of_every_crop(generator):
    style = some_styles(2)
    noise = drawn(generator, style, 2 * RATE, 1)[1]
    with torch.no_grad():
        made = generator.courses(torch.randn(2, 10), torch.tensor([0, 1]), style, noise, seeded(0))
    torch.testing.assert_close(made.mean(-1), torch.zeros(2, CONFIG.courses), rtol=0, atol=1e-4)
    torch.testing.assert_close(made.square().mean(-1), torch.ones(2, CONFIG.courses), rtol=1e-3, atol=0)
    moving = 3.0 + 0.5 * torch.randn(1, 2, 90)
    expected = (moving - moving.mean(-1, keepdim=True)) / moving.std(-1, correction=0, keepdim=True)
    torch.testing.assert_close(unit_courses(moving), expected, rtol=1e-4, atol=1e-4)
    assert unit_courses(torch.full((1, 2, 90), 3.0)).abs().max() < 1e-3


def test_a_crop_through_its_own_analysis_is_the_crop_s_picture_again():
    """With courses for all components, and these for all bins, style and courses hold all of it but for the phase."""
    config = replace(CONFIG, sample_rate=2000)
    config = replace(config, components=config.bins, courses=config.bins)
    generator = Generator(config, PLAIN)
    crops = torch.randn(2, 3 * 2000, generator=seeded(0)) * (1.2 + torch.sin(torch.arange(6000) / 300.0))
    generator.spectra.fit(log_magnitude(crops, config.n_fft, config.hop))
    courses, _, style = generator.analyse(crops)
    courses = nn.functional.pad(courses, (2, 2), mode="replicate")  # none reaches over the ends of the crop
    spectrum, normalised = generator.noise_spectrum(crops)  # the crop's own phase
    again = generator.render(courses, style, (spectrum, normalised), crops.shape[1])
    inside = slice(2 * config.n_fft, -2 * config.n_fft)
    torch.testing.assert_close(again[:, inside], crops[:, inside], rtol=0, atol=0.02)


def test_what_is_shorter_than_a_style_s_two_seconds_is_cut_out_of_as_much_where_it_is_loudest(generator):
    latent, condition = torch.randn(2, CONFIG.latent_dim, generator=seeded()), torch.tensor([0, 1])
    length = RATE // 2
    with torch.no_grad():
        whole = generator.unmodulated(latent, condition, round(SHORTEST_S * RATE), random=seeded(3))
        cut = generator.unmodulated(latent, condition, length, random=seeded(3))
    for sound, part in zip(whole.unfold(1, length, 1), cut, strict=True):
        loudest = sound.square().sum(1).argmax()
        assert float((sound - part).abs().amax(1).min()) == 0.0
        assert float(part.square().sum()) == pytest.approx(float(sound[loudest].square().sum()), rel=1e-4)


def test_a_style_unlike_any_other_makes_sound_that_is_finite(generator):
    """Of a silent crop, whose gains once overflowed, and with weights that lean on one side as far as they can."""
    style = generator.style_of(torch.zeros(1, 2 * RATE))
    leaning = copy.deepcopy(generator)
    with torch.no_grad():
        leaning.gains.bias[: CONFIG.courses] = 200.0
        leaning.gains.bias[CONFIG.courses :] = -200.0
        made = leaning.unmodulated(torch.randn(1, CONFIG.latent_dim), torch.tensor([0]), 2 * RATE, style, seeded(0))
    assert bool(made.isfinite().all())


def test_the_sound_is_that_of_courses_and_style_together(generator):
    """The picture of the sound is the one that courses and style ask for, within what a round of phase leaves."""
    torch.manual_seed(1)
    style = some_styles(1)
    noise = drawn(generator, style, 4 * RATE, 1)[0]
    frames = torch.arange(1 + 4 * RATE // CONFIG.hop)
    courses = 2**0.5 * torch.sin(frames / torch.linspace(7.0, 11.0, CONFIG.courses)[:, None])[None]
    still = style._replace(residual=torch.full_like(style.residual, 0.05))
    made = log_magnitude(generator.render(courses, still, noise, 4 * RATE), CONFIG.n_fft, CONFIG.hop)
    wanted = still.level[..., None] + still.deviation[..., None] * generator.spectra.combine(courses, style.mixing)
    inside = slice(4, -4)
    correlation = np.corrcoef(made[..., inside].flatten(), wanted[..., inside].flatten())[0, 1]
    assert correlation > 0.75
    assert float((made - wanted)[..., inside].mean()) == pytest.approx(0.0, abs=0.2)


def test_more_rounds_of_phase_bring_the_sound_nearer_to_the_picture(generator):
    style = some_styles(1)
    noise, courses = drawn(generator, style, RATE, 1)

    def error(rounds: int) -> float:
        config, generator.config = generator.config, replace(generator.config, phase_rounds=rounds)
        made = log_magnitude(generator.render(courses, style, noise, RATE), CONFIG.n_fft, CONFIG.hop)
        generator.config = config
        picture = generator.spectra.combine(courses, style.mixing)
        picture = picture + style.residual[..., None] * generator.spectra.remainder(noise[1], style.mixing)
        wanted = style.level[..., None] + style.deviation[..., None] * picture
        return float((made - wanted).square().mean())

    assert error(8) < error(0)


def envelope(sound: torch.Tensor) -> torch.Tensor:
    """Loudness over time, frame after frame of 512 samples."""
    return log_magnitude(sound, CONFIG.n_fft, CONFIG.n_fft).mean(1)


def test_channels_of_a_latent_share_the_courses_and_have_noise_of_their_own(generator):
    """All but the last stage is the same for both: where that adds no noise of a channel's own, they swell together."""
    torch.manual_seed(2)
    moving = small_generator()
    with torch.no_grad():
        moving.from_noise.weight.zero_()
        for block in moving.frames:
            block.noise_level.zero_()
        moving.gains.bias[CONFIG.courses :] = -6.0  # of the noise's courses next to nothing
    latent, condition = torch.randn(2, 10), torch.tensor([0, 1])
    with torch.no_grad():
        sound = moving.unmodulated(latent, condition, 2 * RATE, random=seeded(2), channels=2)
    assert sound.shape == (4, 2 * RATE)
    alike = np.corrcoef(envelope(sound))
    assert alike[0, 1] > 0.6 and alike[2, 3] > 0.6 and abs(alike[0, 2]) < 0.5
    with torch.no_grad():
        takes = [moving.unmodulated(latent, condition, 2 * RATE, random=seeded(s), channels=2) for s in range(5)]
    assert np.median([abs(np.corrcoef(take)[0, 1]) for take in takes]) < 0.15
    own = generator.unmodulated(latent, condition, 2 * RATE, random=seeded(2), channels=2)
    assert np.corrcoef(envelope(own.detach()))[0, 1] < alike[0, 1]


def test_channels_of_a_latent_have_the_same_courses_until_the_last_stage(generator):
    shared = small_generator()
    with torch.no_grad():
        shared.from_noise.weight.zero_()
        for block in shared.frames:
            block.noise_level.zero_()
        shared.gains.bias[CONFIG.courses :] = -20.0
    noise = torch.randn(4, CONFIG.courses, 345, generator=seeded(1))
    with torch.no_grad():
        made = shared.courses(torch.randn(2, 10), torch.tensor([0, 1]), some_styles(2), noise, seeded(0))
    torch.testing.assert_close(made[::2], made[1::2], rtol=0, atol=1e-4)
    assert not torch.allclose(made[0], made[2], atol=0.1)


def test_one_channel_is_the_first_way_to_ask(generator):
    latent, condition = torch.randn(2, 10), torch.tensor([0, 1])
    assert generator.unmodulated(latent, condition, 8820, random=seeded(2), channels=1).shape == (2, 8820)


def test_no_frame_can_tell_where_the_clip_ends(monkeypatch):
    # the rates' filter is circular, the same for every frame
    monkeypatch.setattr("ctxaudio.model.generator.impose_rates", lambda courses, rates, frame_rate: courses)
    generator = small_generator()
    for module in generator.modules():  # without its own noise, a stationary network has nothing to vary with
        if hasattr(module, "noise_level"):
            torch.nn.init.zeros_(module.noise_level)
    for frames in (200, 201):
        none = torch.zeros(1, CONFIG.courses, frames)
        made = generator.courses(torch.randn(1, 10), torch.tensor([0]), some_styles(1), none)
        for step in (0, 1):  # a step of the network makes two frames, each with weights of its own
            mine = made[..., step::2]
            torch.testing.assert_close(mine, mine[..., :1].expand_as(mine), rtol=0, atol=1e-4)


def test_a_style_brings_its_own_spectrum(generator):
    latent, condition, soft = torch.randn(1, 10), torch.tensor([1]), some_styles(1)
    louder = soft._replace(level=soft.level + math.log(10.0))
    with torch.no_grad():
        bed = generator.unmodulated(latent, condition, RATE, soft, seeded(0))
        tilted = soft._replace(level=soft.level + torch.linspace(1.0, -1.0, CONFIG.bins))
        other = generator.unmodulated(latent, condition, RATE, tilted, seeded(0))
        style = generator.style_of(generator.unmodulated(latent, condition, 4 * RATE, soft, seeded(0)))
        # the pooled level is what the network is given, so tenfold is tried on the same courses
        noise, courses = drawn(generator, soft, RATE, 1)
        one, tenfold = (generator.render(courses, given, noise, RATE) for given in (soft, louder))
    torch.testing.assert_close(tenfold, 10.0 * one, rtol=1e-3, atol=1e-4)
    turned = (log_magnitude(other, 512, 128) - log_magnitude(bed, 512, 128)).mean(-1)[0]
    assert float(turned[:40].mean()) > 0.4 and float(turned[-40:].mean()) < -0.4
    assert np.corrcoef(style.level[0], soft.level[0])[0, 1] > 0.65


def bell() -> torch.Tensor:
    time_s = torch.arange(2 * RATE, dtype=torch.float64) / RATE
    hiss = 0.003 * torch.randn(2 * RATE, generator=seeded(0))
    return (hiss + 0.1 * torch.cos(2 * torch.pi * 1000.0 * time_s))[None].float()


def test_a_style_has_the_steady_partials_of_its_crop_and_an_analysis_for_training_none(generator):
    style = generator.style_of(bell())
    assert float(style.partials_hz[0, 0]) == pytest.approx(1000.0, abs=0.5)
    assert float(style.amplitudes[0, 0]) == pytest.approx(0.1 / 2**0.5, rel=0.05)
    courses, statistics, plain = generator.analyse(bell())
    assert plain.amplitudes.count_nonzero() == 0
    for mine, its in zip(plain[:5], style[:5], strict=True):
        assert torch.equal(mine, its)
    assert courses.shape == (1, CONFIG.courses, 1 + 2 * RATE // CONFIG.hop - 4)
    torch.testing.assert_close(generator.statistics(courses), statistics)


def test_a_steady_partial_sounds_at_its_frequency_and_its_phase_runs_on(generator):
    style = generator.style_of(bell())
    latent, condition, hz = torch.randn(1, 10), torch.tensor([1]), torch.tensor([[1000.0]])

    def sound(given: Style) -> torch.Tensor:
        with torch.no_grad():
            return generator.unmodulated(latent, condition, 2 * RATE, given, seeded(0))

    ringing, hissing = sound(style), sound(no_partials(style))
    assert float(steadiness(ringing, hz, RATE)) > 0.97
    assert float(steadiness(hissing, hz, RATE)) < 0.9
    found_hz, amplitudes = find_partials(ringing, RATE, 1)
    assert float(found_hz) == pytest.approx(1000.0, abs=0.5) and float(amplitudes) > 0.02


def test_two_latents_are_two_takes_and_conditions_are_told_apart(generator):
    style, noise = some_styles(1), torch.zeros(1, CONFIG.courses, 50)
    one = generator.courses(torch.randn(1, 10), torch.tensor([0]), style, noise, seeded(0))
    latent = generator.courses(torch.randn(1, 10), torch.tensor([0]), style, noise, seeded(0))
    assert not torch.allclose(one, latent)
    same = torch.randn(1, 10, generator=seeded(5))
    rain, wind = (generator.courses(same, torch.tensor([c]), style, noise, seeded(0)) for c in (0, 1))
    assert not torch.allclose(rain, wind)


def test_nothing_can_switch_the_network_off(generator):
    """No number beside its weights stands between what it makes and the courses: not in shape, buffers or call."""
    assert {field.name for field in fields(GeneratorConfig)} == {
        "conditions", "sample_rate", "latent_dim", "components", "courses", "texture_dim", "style_count",
        "partials", "slow_width", "middle_width", "fast_width", "frame_width", "phase_rounds",
    }  # fmt: skip
    learned = dict(generator.named_parameters())
    others = {name.split(".")[0] for name in generator.state_dict() if name not in learned}
    assert others == {"spectra", "statistics", "bank", "modulation"}
    noise = torch.zeros(1, CONFIG.courses, 60)  # where noise has nothing to add, all is the network's
    for condition in range(len(CONDITIONS)):
        for seed in range(5):
            latent = torch.randn(1, 10, generator=seeded(seed))
            made = generator.courses(latent, torch.tensor([condition]), some_styles(1), noise, seeded(seed))
            assert bool((made.std(-1) > 1e-4).all())


def test_without_the_network_it_sounds_otherwise():
    """Courses of plain noise in their place: the slow movement that the network makes is gone from the loudness."""
    generator = small_generator()
    with torch.no_grad():
        generator.head.weight.mul_(20.0)
    latent, condition = torch.randn(4, 10), torch.tensor([0, 1, 2, 0])
    with torch.no_grad():
        style = generator.bank(latent, condition)
        noise, off = drawn(generator, style, 16 * RATE, 0)
        again, other = drawn(generator, style, 16 * RATE, 1)
        courses = generator.courses(latent, condition, style, off, seeded(0))
        tried = ((courses, noise), (unit_courses(off), noise), (unit_courses(other), again))
        found = [generator.analyse(generator.render(c, style, n, 16 * RATE))[1] for c, n in tried]
    on, off_once, off_twice = found
    by_chance = (off_once - off_twice).square().mean()
    assert (on - off_once).square().mean() > 1.5 * by_chance


def test_a_plain_style_stays_silent_of_partials_that_another_of_the_batch_has(generator):
    ringing, plain = generator.style_of(bell()), no_partials(generator.style_of(bell()))
    both = Style(*(torch.cat(pair) for pair in zip(ringing, plain, strict=True)))
    noise, courses = drawn(generator, both, RATE, 0)
    together = generator.render(courses, both, noise, RATE, seeded(1))
    last = noise[0][1:], noise[1][1:]
    alone = generator.render(courses[1:], plain, last, RATE, seeded(1))
    torch.testing.assert_close(together[1:], alone, rtol=1e-3, atol=1e-5)


def test_chance_comes_from_the_generator_that_is_given():
    for draw in (gaussian, uniform):
        one, other, third = (draw((3, 5), torch.Generator().manual_seed(s), torch.device("cpu")) for s in (1, 1, 2))
        assert torch.equal(one, other) and not torch.equal(one, third)
        torch.manual_seed(4)
        from_global = draw((3, 5), None, torch.device("cpu"))
        torch.manual_seed(4)
        assert torch.equal(draw((3, 5), None, torch.device("cpu")), from_global)
    assert float(uniform((100,), None, torch.device("cpu")).min()) >= 0.0 and not from_global.gt(1.0).any()


def test_a_block_is_a_residual_one_that_style_scales_and_shifts():
    """Beside the formula written out, frame after frame, without the trick of scaling the weights."""
    torch.manual_seed(0)
    block, x, style = NoisyBlock(6, 4, dilation=2), torch.randn(2, 6, 30), torch.randn(2, 4)
    made = block(x, style, torch.Generator().manual_seed(3))
    noise = gaussian((2, 6, 30), torch.Generator().manual_seed(3), x.device)
    scale, shift = block.modulate(style).chunk(2, dim=1)
    y = block.over_time(x) + block.noise_level * noise
    y = y / (y.square().mean(1, keepdim=True).sqrt() + 1e-3)
    y = y * (1 + scale[..., None]) + shift[..., None]
    torch.testing.assert_close(made, x + block.project(nn.functional.gelu(block.expand(y))))


def test_as_many_frames_as_the_edge_has_have_seen_the_padding():
    stack = Stack(4, 3, (1, 2))
    for block in stack:
        nn.init.zeros_(block.noise_level)
    torch.manual_seed(0)
    inner, style = torch.randn(1, 4, 40), torch.randn(1, 3)
    apart = []
    for filling in (0.0, 9.0):
        x = nn.functional.pad(inner, (20, 20), value=filling)[..., 20:-20] if filling else inner
        padded = nn.functional.pad(inner, (20, 20), value=filling)
        x, padded = stack(x, style, None), stack(padded, style, None)
        apart.append((x - padded[..., 20:-20]).detach().abs().amax((0, 1)))
    edge = stack.edge
    assert edge == 6
    for difference in apart:
        assert float(difference[edge:-edge].max()) < 1e-5
    assert float(apart[1][edge - 1]) > 1e-4


def test_the_middle_is_cut_out_evenly():
    assert middle_of(torch.arange(10)[None], 4).tolist() == [[3, 4, 5, 6]]
    assert middle_of(torch.arange(7)[None], 7).tolist() == [list(range(7))]
