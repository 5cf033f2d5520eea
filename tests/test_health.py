"""Every trouble made on purpose, and that an ordinary start of a training has none."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json
from ctxaudio.model import training as loop
from ctxaudio.model.checkpoint import load_generator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.health import TERMS, Health, RealSpread, real_spread
from ctxaudio.model.style_bank import Style
from ctxaudio.model.styles import StyleSpace, fit_style_space
from ctxaudio.model.training_config import TrainingConfig
from ctxaudio.model.training_state import Training
from ctxaudio.model.training_state import BEST
from ctxaudio.run import Run
from ctxaudio.signal.profile import ModulationProfile, context_profile
from ctxaudio.signal.texture import TextureStatistics

SMALL = GeneratorConfig(Run().about.conditions, slow_width=16, middle_width=16, fast_width=16, style_count=24)
CONFIG = TrainingConfig(batch_size=2, log_interval=1, num_epochs=1000)
SAMPLES, LR = 44100, 0.0002
LATE = 2000


def begin(clips: PreparedClips, config: TrainingConfig = CONFIG) -> Training:
    return loop.begin(clips, context_profile(Run().about), SMALL, config)


def rows(**changed: float) -> list[dict[str, float]]:
    ordinary = {"discriminator": 1.9, "adversarial": 0.1, "condition": 0.5, "texture": 0.4, "features": 0.3}
    return [{"step": 10 * i, **ordinary, **changed} for i in range(1, 41)]


@pytest.fixture(scope="module")
def lively() -> tuple[Generator, StyleSpace, Health]:
    """A generator whose bank holds styles of very different noise and which follows them: by hand, not by training."""
    torch.manual_seed(0)
    colours = torch.linspace(-1.0, 1.0, 24)[:, None]
    white = torch.fft.rfft(torch.randn(24, SAMPLES))
    crops = 0.05 * torch.fft.irfft(white * torch.linspace(0.05, 1.0, white.shape[1]) ** (3 * colours), SAMPLES)
    crops = 0.05 * crops / crops.std(1, keepdim=True)
    space = fit_style_space(TextureStatistics(22050), crops, SMALL)
    condition = torch.arange(24) % 2
    generator = Generator(SMALL, ModulationProfile())
    generator.bank.fill(space.style(crops, space.normalised(crops)), condition)
    return (
        generator.eval(),
        space,
        Health(RealSpread({0: 1000.0, 1: 1000.0}, {0: 700.0, 1: 700.0})),
    )  # as rain and a fan are


def test_a_generator_that_follows_its_latents_is_healthy(lively: tuple[Generator, StyleSpace, Health]) -> None:
    generator, space, health = lively
    for step in (LATE, LATE + 50):
        assert health.look_at_sound(generator, space, step, SAMPLES, LR) == ""
    assert health.rows[-1]["diversity"] > 0.3 and -60 < health.rows[-1]["level_db"] < 0


def test_listening_draws_no_random_numbers_of_the_training(lively: tuple[Generator, StyleSpace, Health]) -> None:
    generator, space, health = lively
    before = torch.get_rng_state()
    health.look_at_sound(generator, space, LATE, SAMPLES, LR)
    assert torch.equal(torch.get_rng_state(), before)


def of_one_style(generator: Generator) -> Generator:
    """The same with one style in all places of its bank, and no ear for latent and condition."""
    deaf = Generator(SMALL, ModulationProfile()).eval()
    deaf.load_state_dict(generator.state_dict())
    for name in Style._fields:
        deaf.bank.get_buffer(name)[:] = generator.bank.get_buffer(name)[0]
    with torch.no_grad():
        deaf.to_style[0].weight.zero_()
    return deaf


def test_the_same_sound_of_every_latent_is_mode_collapse_once_it_should_have_learnt(
    lively: tuple[Generator, StyleSpace, Health],
) -> None:
    generator, space, health = lively
    deaf, fresh = of_one_style(generator), Health(health.real)
    assert fresh.look_at_sound(deaf, space, 50, SAMPLES, LR) == ""
    assert fresh.look_at_sound(deaf, space, LATE, SAMPLES, LR / 100) == "", "a hundredth of the rate has hardly begun"
    looks = (fresh.look_at_sound(deaf, space, LATE + 50 * i, SAMPLES, LR) for i in range(10))
    said = next(filter(None, looks))  # not always the first: takes of one sound differ as well
    assert re.match(r"mode collapse at step 2\d{3}: sounds of different latents differ 0\.", said)
    assert "\n" not in said and "--lr" in said


def test_the_spread_of_clips_is_what_pairs_of_clips_differ_more_than_pairs_of_crops() -> None:
    statistics = torch.tensor([[0.0, 0.0], [0.0, 1.0], [3.0, 0.0], [3.0, 1.0], [3.5, 3.5]])
    spread = real_spread(statistics, torch.tensor([0, 0, 0, 0, 1]), torch.tensor([7, 7, 8, 8, 9]))
    assert spread.own == {0: 1.0, 1: 0.0}
    assert spread.excess == {0: (9.0 + 10.0) / 2 - 1.0, 1: 0.0}


def test_clips_that_do_not_differ_ask_for_no_diversity(lively: tuple[Generator, StyleSpace, Health]) -> None:
    generator, space, _ = lively
    deaf = of_one_style(generator)
    one_clip = real_spread(torch.randn(6, 40), torch.zeros(6, dtype=torch.long), torch.zeros(6, dtype=torch.long))
    assert one_clip.excess == {0: 0.0} and not one_clip.tells
    assert Health(one_clip).look_at_sound(deaf, space, LATE, SAMPLES, LR) == ""
    assert not RealSpread({0: 80.0}, {0: 700.0}).tells and RealSpread({0: 800.0}, {0: 500.0}).tells


def test_a_generator_with_a_dead_head_is_silent(lively: tuple[Generator, StyleSpace, Health]) -> None:
    generator, space, health = lively
    mute = Generator(SMALL, ModulationProfile()).eval()
    mute.load_state_dict(generator.state_dict())
    mute.unmodulated = lambda *given: 1e-5 * generator.unmodulated(*given)  # type: ignore[method-assign]
    said = Health(health.real).look_at_sound(mute, space, 50, SAMPLES, LR)
    assert said.startswith("silence at step 50: ") and " dB, the clips are at -26" in said


def test_losses_are_judged_by_what_ordinary_trainings_show() -> None:
    health = Health(RealSpread({}, {}))
    assert health.not_a_number(rows()[-1]) == health.explosion(rows()) == health.says_beaten(rows()) == ""
    for name in TERMS:
        assert f"step 400 (the {name} loss is 1e+03" in health.explosion(rows(**{name: 1000.0}))
        assert "step 400 (a loss is not a number)" in health.not_a_number(rows(**{name: float("nan")})[-1])
    spike = rows()
    spike[-1]["condition"] = 1000.0
    assert health.explosion(spike) == "", "one bad batch is no divergence"
    assert "tells every fake for 200 steps" in health.says_beaten(rows(discriminator=0.01))
    assert health.says_beaten(rows(discriminator=0.01)) == "", "said once"


def test_too_large_a_rate_stops_the_training_and_leaves_the_best(clips: PreparedClips, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, lr=1000.0, score_interval=1)
    training = begin(clips, config)
    with pytest.raises(
        CtxAudioError, match=r"diverged at step \d .*lower --lr.*; the best so far, of step 1, is "
    ) as error:
        loop.train(training, config, tmp_path, progress=False, score=lambda generator: {"Rain": float(training.step)})
    assert "\n" not in str(error.value) and str(tmp_path / BEST) in str(error.value)
    assert not (tmp_path / "checkpoints" / "latest.pt").exists()
    assert (tmp_path / "logs" / "losses.csv").exists() and (tmp_path / "logs" / "scores.csv").exists()
    load_generator(tmp_path / BEST)
    assert read_json((tmp_path / BEST).with_suffix(".json"))["training"]["best_step"] == 1


def test_keep_going_says_it_and_goes_on(
    clips: PreparedClips, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop.ClipBatches, "steps_per_epoch", 4)
    config = dataclasses.replace(CONFIG, num_epochs=1, keep_going=True)
    training = begin(clips, config)
    monkeypatch.setattr(training.health, "explosion", lambda history: "the sky is falling")
    loop.train(training, config, tmp_path, progress=False)
    assert training.step == 4 and capsys.readouterr().out.count("the sky is falling") == 4
