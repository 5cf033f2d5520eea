"""The base, made small: from synthesised sound and recordings that may be shipped, taken up, gone on from and used."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small_model import SHAPE

from ctxaudio import pipeline
from ctxaudio.cli import main
from ctxaudio.contexts import CONTEXTS
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.prepare import MixedBatches
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json
from ctxaudio.model.checkpoint import DISCRIMINATOR, for_conditions, load_discriminator, load_generator
from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.generator import GeneratorConfig
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.run import Run
from ctxaudio.training import loop, pretrain, start
from ctxaudio.training.config import Pretraining, Start, TrainingConfig

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
        patch.setattr(pretrain, "ALL", CONTEXTS["sleep"])
        patch.setattr(pretrain, "FITTED_CROPS", 24)
        patch.setattr(pretrain, "STYLES_A_CONDITION", 4)
        patch.setattr(pretrain, "write_embedded_corpus", partial(write_embedded_corpus, clips_per_label=2))
        patch.setattr(MixedBatches, "steps_per_epoch", 2)
        shape = partial(GeneratorConfig, **SHAPE)
        for module in (pretrain, start):
            patch.setattr(module, "GeneratorConfig", shape)
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
    training = pretrain.pretrain(what, CONFIG, Start(from_scratch=True), progress=False)
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
    base = load_generator(made.path)[0]
    own = for_conditions(base, ("Cricket", "Rain"), ModulationProfile()).eval()
    clips = list(generate_clips(own, 2, 1.0))
    assert {clip.condition for clip in clips} == {"Cricket", "Rain"}
    monkeypatch.setattr("ctxaudio.render.generate.BASE", made.path)
    paths = pipeline.generate(Run(output_dir=tmp_path, duration=1.0), num_samples=2)
    assert len(paths) == 2 and capsys.readouterr().out.startswith("model: the base that ships with ctxaudio")
    assert read_json(paths[0].with_suffix(".json"))["model"]["attribution"]


def test_training_begins_from_the_base_and_credits_it(
    made: Pretraining, recordings: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(start, "BASE", made.path)
    run = Run(data_dir=recordings, output_dir=tmp_path, duration=1.0)
    config = dataclasses.replace(CONFIG, lr=1e-9, ema_decay=0.0)
    clips = pipeline.prepare(run, 1, progress=False)
    training = start.begin_training(run, config, clips)
    assert "starting from the base that ships with ctxaudio" in capsys.readouterr().out
    base, about = load_generator(made.path)
    assert torch.equal(training.generator.head.weight, base.head.weight)
    assert torch.equal(training.generator.spectra.basis, base.spectra.basis)
    its, fresh = Discriminator(training.generator.config), Discriminator(training.generator.config)
    load_discriminator(made.path.with_name(DISCRIMINATOR), base.config.conditions, its, clips.condition_names)
    same = [
        torch.equal(training.discriminator.state_dict()[name], value)
        for other in (its, fresh)
        for name, value in other.named_parameters()
        if name.endswith("original")
    ]
    assert all(same[: len(same) // 2]) and not any(same[len(same) // 2 :])
    model = read_json(pipeline.save_model(run, training, config, clips).with_suffix(".json"))
    assert model["init_from"]["weights_sha256"] == about["weights_sha256"]
    assert all(entry in model["attribution"] for entry in about["attribution"])
    assert len(model["attribution"]) > len(about["attribution"])
    fresh = start.begin_training(run, config, clips, Start(from_scratch=True))
    assert not torch.equal(fresh.generator.head.weight, base.head.weight) and fresh.init_from == {}


def test_a_run_that_is_taken_up_needs_no_base_and_does_not_claim_to_start_from_one(
    made: Pretraining, recordings: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(start, "BASE", made.path)
    run = Run(data_dir=recordings, output_dir=tmp_path, duration=1.0)
    clips = pipeline.prepare(run, 1, progress=False)
    begun = start.begin_training(run, CONFIG, clips)
    loop.checkpoint(begun, tmp_path)
    capsys.readouterr()
    monkeypatch.setattr(start, "BASE", tmp_path / "nothing.safetensors")
    resumed = start.begin_training(run, CONFIG, clips, Start(resume=True))
    assert "starting" not in capsys.readouterr().out
    for name, value in begun.generator.state_dict().items():
        assert torch.equal(resumed.generator.state_dict()[name], value), name
    assert resumed.init_from == begun.init_from
    with pytest.raises(CtxAudioError, match="no model at"):
        start.begin_training(run, CONFIG, clips)


def test_it_is_taken_up_where_it_stopped(made: Pretraining) -> None:
    config = dataclasses.replace(CONFIG, num_epochs=2)
    again = dataclasses.replace(made)
    before = made.path.read_bytes()
    training = pretrain.pretrain(again, config, Start(resume=True, from_scratch=True), progress=False)
    assert training.step == 4 and [row["step"] for row in training.history] == [1, 2, 3, 4]
    assert made.path.read_bytes() != before


def test_going_on_from_the_base_keeps_its_weights_and_its_credits(
    made: Pretraining, tmp_path: Path, monkeypatch
) -> None:
    """Without recordings of its own: those of the base it began from are still in the weights."""
    monkeypatch.setattr("ctxaudio.training.start.BASE", made.path)
    base, about = load_generator(made.path)
    what = Pretraining(tmp_path, corpora=1)
    config = dataclasses.replace(CONFIG, lr=1e-9)
    pretrain.pretrain(what, config, progress=False)
    later, newer = load_generator(what.path)
    torch.testing.assert_close(later.head.weight, base.head.weight, rtol=1e-3, atol=1e-4)
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

    monkeypatch.setattr(pretrain, "pretrain", recorded)
    options = ["--corpora", "3", "--max_minutes", "7", "--resume", "--from_scratch", "--num_workers", "2"]
    assert main(["pretrain", "--output_dir", str(tmp_path), *options]) == 130
    what, config, start, _ = asked[0]
    assert what == Pretraining(tmp_path, None, 3) and (config.max_minutes, config.save_interval) == (7.0, 1)
    assert start == Start(resume=True, from_scratch=True) and config.num_workers == 2
