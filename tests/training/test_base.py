"""The base, made small: from synthesised sound and recordings that may be shipped, taken up, gone on from and used;
and beginning from a model: what `for_conditions` takes over, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_model import CONFIG as SMALL
from small_model import PLAIN, RATE, SHAPE, SLEEP, TRAINING, begin, moving_noise, seeded, small_generator, weights

from ctxaudio import pipeline
from ctxaudio.cli import main
from ctxaudio.contexts import CONTEXTS
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.prepare import Batch, MixedBatches, PreparedClips, draw_crops
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json
from ctxaudio.model.checkpoint import BASE, DISCRIMINATOR, for_conditions, load_discriminator, load_generator
from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.style import Style
from ctxaudio.modulation.profile import ModulationProfile, Rate
from ctxaudio.options import Run
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.training import base, loop
from ctxaudio.training.base import fill_bank
from ctxaudio.training.config import Pretraining, Start, TrainingConfig
from ctxaudio.training.state import resume

CONFIG = TrainingConfig(batch_size=4, num_epochs=1, log_interval=1, save_interval=1, num_workers=1)
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"
BY = "http://creativecommons.org/licenses/by/3.0/"
NC = "http://creativecommons.org/licenses/by-nc/3.0/"
PIXABAY = "https://pixabay.com/service/license-summary/"
#: Of each label's two clips; Cricket has none that may be shipped.
LICENCES = {"Rain": (CC0, BY), "Wind": (BY, NC), "Cricket": (PIXABAY, NC)}


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Five labels in place of all, small networks, and two steps an epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "ALL", CONTEXTS["sleep"])
        patch.setattr(base, "FITTED_CROPS", 24)
        patch.setattr(base, "STYLES_IN_BASE", 4)
        patch.setattr(base, "write_embedded_corpus", partial(write_embedded_corpus, clips_per_label=2))
        patch.setattr(MixedBatches, "steps_per_epoch", 2)
        patch.setattr(base, "GeneratorConfig", partial(GeneratorConfig, **SHAPE))
        yield


@pytest.fixture(scope="module")
def mixed_recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An FSD50K folder of which three clips may be shipped."""
    folder = write_embedded_corpus(tmp_path_factory.mktemp("mixed"), list(LICENCES), seed=99, clips_per_label=2)
    described = next(folder.rglob("dev_clips_info_FSD50K.json"))
    clips = read_json(described)
    for name, about in clips.items():
        label, _, number = name.rpartition("-")
        about["license"] = LICENCES.get(label, (NC, NC))[int(number)]
    described.write_text(json.dumps(clips))
    return folder


@pytest.fixture(scope="module")
def made(mixed_recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Pretraining:
    what = Pretraining(tmp_path_factory.mktemp("pretrained"), mixed_recordings, corpora=1)
    training = base.pretrain(what, CONFIG, Start(from_scratch=True), progress=False)
    assert training.step == 2
    return what


def test_it_writes_weights_card_and_credits(made: Pretraining) -> None:
    folder = made.output_dir / "base"
    assert {path.name for path in folder.iterdir()} == {
        "base.safetensors",
        "base.json",
        "discriminator.safetensors",
        "MODEL_CARD.md",
        "ATTRIBUTION.md",
    }
    generator, about = load_generator(made.path)
    assert about["training"]["steps"] == 2 and about["training"]["corpora"] == 1 and about["init_from"] is None
    assert all(bool(values.isfinite().all()) for values in generator.state_dict().values())
    card = (folder / "MODEL_CARD.md").read_text()
    assert "Styles of recordings: Rain" in card and "for want of recordings under CC0 or CC-BY: " in card
    assert f"{sum(p.numel() for p in generator.parameters()):,} parameters" in card


def test_only_recordings_that_may_be_shipped_are_used(made: Pretraining) -> None:
    about = load_generator(made.path)[1]
    assert {entry["licence"] for entry in about["attribution"]} <= {CC0, BY}
    named = {entry["clip"].rpartition("-")[0] for entry in about["attribution"]}
    assert named and named <= {"Rain", "Wind"}
    assert {entry["licence"] for entry in about["attribution"]} == {CC0, BY}
    assert sum(count for by_split in about["clips"].values() for count in by_split.values()) == 3
    credited = (made.output_dir / "base" / "ATTRIBUTION.md").read_text()
    assert "Cricket" not in credited and "by-nc" not in credited and "pixabay" not in credited.lower()


def test_styles_are_of_recordings_where_there_are_some_and_it_says_which(made: Pretraining) -> None:
    generator, about = load_generator(made.path)
    assert trained_conditions(generator) == list(range(5))
    assert generator.bank.conditions.bincount(minlength=5).max() <= 4
    assert list(about["styles"]) == list(generator.config.conditions)
    assert about["styles"]["Rain"] == "recordings"
    assert about["styles"]["Cricket"] == about["styles"]["Mechanical_fan"] == "synthesised"


def test_the_base_makes_sound_of_a_context_s_conditions(made: Pretraining, tmp_path: Path, monkeypatch, capsys) -> None:
    shipped = load_generator(made.path)[0]
    own = for_conditions(shipped, ("Cricket", "Rain"), ModulationProfile()).eval()
    clips = list(generate_clips(own, 2, 1.0))
    assert {clip.condition for clip in clips} == {"Cricket", "Rain"}
    monkeypatch.setattr("ctxaudio.render.generate.BASE", made.path)
    paths = pipeline.generate(Run(output_dir=tmp_path, duration=1.0), num_samples=2)
    assert len(paths) == 2 and capsys.readouterr().out.startswith("model: the base that ships with ctxaudio")
    assert read_json(paths[0].with_suffix(".json"))["model"]["attribution"]


def test_training_begins_from_the_base_and_credits_it(
    made: Pretraining, recordings: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(base, "BASE", made.path)
    run = Run(data_dir=recordings, output_dir=tmp_path, duration=1.0)
    config = dataclasses.replace(CONFIG, lr=1e-9, ema_decay=0.0)
    clips = pipeline.prepare(run, 1, progress=False)
    training = base.begin_training(run, config, clips)
    assert "starting from the base that ships with ctxaudio" in capsys.readouterr().out
    shipped, about = load_generator(made.path)
    assert torch.equal(training.generator.head.weight, shipped.head.weight)
    assert torch.equal(training.generator.spectra.basis, shipped.spectra.basis)
    its, fresh = Discriminator(training.generator.config), Discriminator(training.generator.config)
    load_discriminator(made.path.with_name(DISCRIMINATOR), shipped.config.conditions, its, clips.condition_names)
    same = [
        torch.equal(training.discriminator.state_dict()[name], value)
        for other in (its, fresh)
        for name, value in other.named_parameters()
        if name.endswith("original")
    ]
    assert all(same[: len(same) // 2]) and not any(same[len(same) // 2 :])
    model = base.facts_of(training, config, clips)
    assert model["init_from"]["weights_sha256"] == about["weights_sha256"]
    assert all(entry in model["attribution"] for entry in about["attribution"])
    assert len(model["attribution"]) > len(about["attribution"])
    fresh = base.begin_training(run, config, clips, Start(from_scratch=True))
    assert not torch.equal(fresh.generator.head.weight, shipped.head.weight) and fresh.init_from == {}


def test_a_run_that_is_taken_up_needs_no_base_and_does_not_claim_to_start_from_one(
    made: Pretraining, recordings: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(base, "BASE", made.path)
    run = Run(data_dir=recordings, output_dir=tmp_path, duration=1.0)
    clips = pipeline.prepare(run, 1, progress=False)
    begun = base.begin_training(run, CONFIG, clips)
    loop.checkpoint(begun, tmp_path)
    capsys.readouterr()
    monkeypatch.setattr(base, "BASE", tmp_path / "nothing.safetensors")
    resumed = base.begin_training(run, CONFIG, clips, Start(resume=True))
    assert "starting" not in capsys.readouterr().out
    for name, value in begun.generator.state_dict().items():
        assert torch.equal(resumed.generator.state_dict()[name], value), name
    assert resumed.init_from == begun.init_from
    with pytest.raises(CtxAudioError, match="no model at"):
        base.begin_training(run, CONFIG, clips)


def test_it_is_taken_up_where_it_stopped(made: Pretraining) -> None:
    config = dataclasses.replace(CONFIG, num_epochs=2)
    again = dataclasses.replace(made)
    before = made.path.read_bytes()
    training = base.pretrain(again, config, Start(resume=True, from_scratch=True), progress=False)
    assert training.step == 4 and [row["step"] for row in training.history] == [1, 2, 3, 4]
    assert made.path.read_bytes() != before


def test_going_on_from_the_base_keeps_its_weights_and_its_credits(
    made: Pretraining, tmp_path: Path, monkeypatch
) -> None:
    """Without recordings of its own: those of the base it began from are still in the weights."""
    monkeypatch.setattr("ctxaudio.training.base.BASE", made.path)
    shipped, about = load_generator(made.path)
    what = Pretraining(tmp_path, corpora=1)
    config = dataclasses.replace(CONFIG, lr=1e-9)
    base.pretrain(what, config, progress=False)
    later, newer = load_generator(what.path)
    torch.testing.assert_close(later.head.weight, shipped.head.weight, rtol=1e-3, atol=1e-4)
    assert newer["attribution"] == about["attribution"]
    assert newer["init_from"]["weights_sha256"] == about["weights_sha256"]
    assert set(newer["styles"].values()) == {"synthesised"}


@pytest.mark.parametrize(("corpora", "share"), [(0, 0.5), (1, 1.5), (1, -0.1)])
def test_settings_out_of_range_are_refused(tmp_path: Path, corpora: int, share: float) -> None:
    with pytest.raises(CtxAudioError, match="must be at least"):
        Pretraining(tmp_path, None, corpora, share)


def test_the_command_passes_on_what_it_is_given(tmp_path: Path, monkeypatch) -> None:
    asked = []

    def recorded(*given):
        asked.append(given)
        return SimpleNamespace(interrupted=True)

    monkeypatch.setattr(base, "pretrain", recorded)
    options = ["--corpora", "3", "--max_minutes", "7", "--resume", "--from_scratch", "--num_workers", "2"]
    assert main(["pretrain", "--output_dir", str(tmp_path), *options]) == 130
    what, config, start, _ = asked[0]
    assert what == Pretraining(tmp_path, None, 3) and (config.max_minutes, config.save_interval) == (7.0, 1)
    assert start == Start(resume=True, from_scratch=True) and config.num_workers == 2


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
    assert made.config == dataclasses.replace(SMALL, conditions=("Brook", "Rain", "Hail"), style_count=5)
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
    latent = torch.randn(1, SMALL.latent_dim)
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
    shipped = for_conditions(training.generator, SLEEP.conditions, PLAIN, 12)
    with torch.no_grad():
        shipped.head.weight.add_(1.0)
    assert not torch.equal(weights(shipped), weights(training.generator))
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
    given = SimpleNamespace(config=dataclasses.replace(SMALL, **{name: value, "conditions": ("Hail",)}))
    monkeypatch.setattr(base, "load_generator", lambda path: (given, {}))
    wanted = f"m.safetensors has {name} {value}, not .*: train without it, or leave out --{name}"
    shape = SMALL.sample_rate, SMALL.latent_dim
    with pytest.raises(CtxAudioError, match=wanted):
        base.load_given(Start(init_from=Path("m.safetensors")), *shape)
    given.config = dataclasses.replace(SMALL, conditions=("Hail",), style_count=3)
    assert base.load_given(Start(init_from=Path("m.safetensors")), *shape) == (given, {})


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
