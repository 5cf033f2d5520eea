"""Beginning from a model: what `for_conditions` takes over, and what is refused."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_model import CONFIG, PLAIN, RATE, SLEEP, TRAINING, begin, moving_noise, seeded, small_generator, weights

from ctxaudio import pipeline
from ctxaudio.data.prepare import Batch, PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.model.checkpoint import BASE, DISCRIMINATOR, for_conditions, load_generator
from ctxaudio.model.generator import Generator
from ctxaudio.model.style_bank import Style
from ctxaudio.modulation.profile import ModulationProfile, Rate
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.run import Run
from ctxaudio.training import loop, start
from ctxaudio.training.config import Start
from ctxaudio.training.start import draw_crops, fill_bank
from ctxaudio.training.state import resume


@pytest.fixture(scope="module")
def given() -> Generator:
    """Styles of Rain, Wind and Cricket, three each."""
    return small_generator(ModulationProfile((Rate(6.0, 0.5),)))


def test_conditions_of_the_same_name_keep_their_embedding_and_new_ones_get_the_mean(given):
    made = for_conditions(given, ("Brook", "Rain", "Hail"), PLAIN, 5)
    rows = given.embedding.weight
    torch.testing.assert_close(made.embedding.weight, torch.stack([rows.mean(0), rows[0], rows.mean(0)]))
    for name, value in given.state_dict().items():
        if not name.startswith(("bank.", "embedding.", "modulation.")):
            assert torch.equal(value, made.state_dict()[name]), name
    assert made.modulation.profile == PLAIN and given.modulation.profile != PLAIN
    assert made.config == dataclasses.replace(CONFIG, conditions=("Brook", "Rain", "Hail"), style_count=5)
    assert made.bank.conditions.tolist() == [-1] * 5


def test_the_styles_come_along_by_condition(given):
    made = for_conditions(given, ("Cricket", "Hail", "Rain"), PLAIN)
    assert trained_conditions(made) == [0, 2] and made.config.style_count == 6
    for name, its in (("Cricket", 2), ("Rain", 0)):
        mine = made.bank.conditions == made.config.conditions.index(name)
        for part in Style._fields:
            theirs = given.bank.get_buffer(part)[given.bank.conditions == its]
            assert torch.equal(made.bank.get_buffer(part)[mine], theirs)
    stranger = for_conditions(given, ("Hail",), PLAIN)
    assert stranger.config.style_count == 1 and trained_conditions(stranger) == []
    with pytest.raises(CtxAudioError, match="seen no clip of condition 1"):
        next(generate_clips(made.eval(), 1, 1.0, focus_condition=1))


def test_beginning_from_a_model_begins_with_its_sound_of_the_same_style(given):
    made = for_conditions(given, ("Hail", "Wind"), PLAIN, 4).eval()
    fresh = Generator(made.config, PLAIN).eval()
    latent = torch.randn(1, CONFIG.latent_dim)
    style = given.bank(latent, torch.tensor([1]))

    def sound(generator: Generator) -> torch.Tensor:
        with torch.no_grad():
            wind = torch.tensor([generator.config.conditions.index("Wind")])
            return generator.unmodulated(latent, wind, RATE, style, seeded(0))

    torch.testing.assert_close(sound(made), sound(given))
    assert not torch.allclose(sound(fresh), sound(given), atol=1e-4)


def test_training_moves_the_copy_alone(given, clips: PreparedClips):
    before = weights(given).clone()
    training = begin(clips)
    base = for_conditions(training.generator, SLEEP.conditions, PLAIN, 12)
    with torch.no_grad():
        base.head.weight.add_(1.0)
    assert not torch.equal(weights(base), weights(training.generator))
    assert torch.equal(weights(given), before)


class Given:
    """Batches of the same crops."""

    def __init__(self, audio: torch.Tensor) -> None:
        self.audio = audio

    def next(self) -> Batch:
        return Batch(self.audio, torch.arange(len(self.audio)), torch.zeros(len(self.audio), dtype=torch.long))


def test_crops_of_a_pause_are_no_styles():
    audio = torch.stack([moving_noise(1)[0], torch.full((2 * RATE,), 1e-5), torch.zeros(2 * RATE)])
    crops, conditions = draw_crops(Given(audio), 5)  # type: ignore[arg-type]
    assert conditions.tolist() == [0, 0] and torch.equal(crops, audio[[0, 0]])


def test_the_bank_holds_the_style_of_each_crop(given):
    crops = moving_noise(3)
    fill_bank(given, crops, torch.tensor([1, 0, 1]))
    assert given.bank.conditions[:4].tolist() == [1, 0, 1, -1]
    one = given.style_of(crops[1:2])
    for name, values in one._asdict().items():
        torch.testing.assert_close(given.bank.get_buffer(name)[1:2], values, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "value"), [("sample_rate", 16000), ("latent_dim", 8)])
def test_a_model_of_another_shape_is_refused(name: str, value: int, monkeypatch: pytest.MonkeyPatch):
    given = SimpleNamespace(config=dataclasses.replace(CONFIG, **{name: value, "conditions": ("Hail",)}))
    monkeypatch.setattr(start, "load_generator", lambda path: (given, {}))
    wanted = f"m.safetensors has {name} {value}, not .*: train without it, or leave out --{name}"
    shape = CONFIG.sample_rate, CONFIG.latent_dim
    with pytest.raises(CtxAudioError, match=wanted):
        start.load_given(Start(init_from=Path("m.safetensors")), *shape)
    given.config = dataclasses.replace(CONFIG, conditions=("Hail",), style_count=3)
    assert start.load_given(Start(init_from=Path("m.safetensors")), *shape) == (given, {})


def test_a_model_to_start_from_is_looked_at_before_anything_is_prepared(trained: Run, tmp_path: Path):
    run = dataclasses.replace(trained, output_dir=tmp_path / "out", latent_dim=50)
    for options, message in (
        ({}, "leave out --latent_dim"),
        ({"resume": True}, "give one of them"),
        ({"from_scratch": True}, "give one of them"),
    ):
        with pytest.raises(CtxAudioError, match=message):
            pipeline.train(run, TRAINING, Start(init_from=trained.model_path, **options), progress=False)
    with pytest.raises(CtxAudioError, match="no model at"):
        pipeline.train(run, TRAINING, Start(init_from=tmp_path / "nothing.safetensors"), progress=False)
    assert not (tmp_path / "out").exists()


def test_resuming_keeps_where_the_weights_came_from(clips: PreparedClips, tmp_path: Path):
    training = begin(clips)
    training.init_from = {"context": "sleep", "attribution": []}
    loop.checkpoint(training, tmp_path)
    assert resume(begin(clips), tmp_path).init_from == {"context": "sleep", "attribution": []}


@pytest.mark.parametrize("context", ["sleep", "focus", "relaxation", "meditation", "energy", "all"])
def test_the_base_that_ships_makes_sound_for_every_condition_of_every_context(
    context: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = Run(context, output_dir=tmp_path, duration=1.0)
    generator, about = pipeline.load_model(run)
    assert capsys.readouterr().out.startswith("model: the base that ships with ctxaudio")
    assert about["context"] == context and trained_conditions(generator) == list(range(len(run.about.conditions)))
    assert len(pipeline.generate(run, num_samples=1)) == 1


def test_the_base_that_ships_is_small_and_says_whose_sound_is_in_it():
    generator, about = load_generator(BASE)
    files = (BASE, BASE.with_suffix(".json"), BASE.with_name(DISCRIMINATOR))
    assert sum(path.stat().st_size for path in files) <= 3_000_000
    assert all(
        "by-nc" not in entry["licence"] and "pixabay" not in entry["licence"].lower() for entry in about["attribution"]
    )
    assert set(about["styles"]) == set(generator.config.conditions)
    assert BASE.with_name("MODEL_CARD.md").exists() and BASE.with_name("ATTRIBUTION.md").exists()
