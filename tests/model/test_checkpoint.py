"""Files of a model: they come back as they were, and what is no model of ours is refused in one line."""

import dataclasses
import json
import pickle
from functools import partial
from pathlib import Path

import pytest
import torch
from small_model import CONFIG, SHAPE, TRAINING, small_generator

from ctxaudio import pipeline
from ctxaudio.cli import main
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, write_json
from ctxaudio.model import checkpoint
from ctxaudio.model.checkpoint import FORMAT, encoded_weights, load_discriminator, load_generator, save_generator
from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.generator import PICTURE_BANDS, Generator, GeneratorConfig
from ctxaudio.modulation.profile import ModulationProfile, Rate, context_profile
from ctxaudio.options import Run
from ctxaudio.training import base
from ctxaudio.training.config import Start
from ctxaudio.training.state import LATEST, load_state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    profile = ModulationProfile((Rate(6.0, 0.5),))
    return save_generator(tmp_path / "m.safetensors", small_generator(profile), "sleep", {"clips": {"Rain": 3}})


def change(path: Path, **changed: object) -> None:
    write_json(path.with_suffix(".json"), {**read_json(path.with_suffix(".json")), **changed})


def change_config(path: Path, **changed: object) -> None:
    change(path, config={**read_json(path.with_suffix(".json"))["config"], **changed})


def refused(path: Path, message: str) -> None:
    with pytest.raises(CtxAudioError, match=message) as caught:
        load_generator(path)
    assert "\n" not in str(caught.value)


def test_a_model_comes_back_as_it_was_saved(path: Path):
    generator, about = load_generator(path)
    given = small_generator(ModulationProfile((Rate(6.0, 0.5),)))
    assert not generator.training and generator.config == given.config
    for name, value in given.state_dict().items():
        assert torch.equal(generator.state_dict()[name], value), name
    assert generator.modulation.profile == given.modulation.profile
    assert about["clips"] == {"Rain": 3} and about["format"] == FORMAT


def test_a_trained_model_has_its_context_s_modulation(trained: Run):
    assert load_generator(trained.model_path)[0].modulation.profile == context_profile(Run().about)


def test_in_16_bits_it_is_half_as_large_and_as_good_as_the_same(path: Path):
    given = small_generator()
    half = save_generator(path.with_name("half.safetensors"), given, "sleep", {}, half=True)
    assert half.stat().st_size < 0.6 * path.stat().st_size
    again = load_generator(half)[0]
    for name, value in given.state_dict().items():
        mine = again.state_dict()[name]
        assert mine.dtype == value.dtype, name
        if value.is_floating_point():
            torch.testing.assert_close(mine, value, rtol=1e-3, atol=1e-4, msg=name)
    assert torch.equal(again.bank.partials_hz, given.bank.partials_hz), "16 bits are whole hertz at best"
    assert torch.equal(again.bank.conditions, given.bank.conditions)


def test_foreign_model_files_are_refused_in_one_line(path: Path):
    whole, about = path.read_bytes(), read_json(path.with_suffix(".json"))
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "not a whole safetensors file")
    path.write_bytes(pickle.dumps({"weights": 1}))
    refused(path, "not a whole safetensors file")
    path.write_bytes(whole)
    change(path, weights_sha256="0" * 64)
    refused(path, "is not the file that")
    write_json(path.with_suffix(".json"), {"format": FORMAT})
    refused(path, "does not fit the configuration")
    no_credits = [{"licences": ["CC0"]}, {"licences": {"CC0": "9"}}, {"attribution": 7}, {"attribution": [{"by": 3}]}]
    for broken in ({"format": "seven"}, {"context": None}, {"context": 3}, *no_credits):
        write_json(path.with_suffix(".json"), {**about, **broken})
        refused(path, "does not fit the configuration")
    write_json(path.with_suffix(".json"), {name: value for name, value in about.items() if name != "context"})
    refused(path, "does not fit the configuration")
    path.with_suffix(".json").write_text("{")
    refused(path, "not valid JSON")
    path.with_suffix(".json").unlink()
    refused(path, "no configuration beside it")
    path.unlink()
    refused(path, "no model at")


@pytest.mark.parametrize(("number", "which"), [(FORMAT - 1, "earlier"), (FORMAT + 92, "later")])
def test_another_format_is_named_with_what_to_do(path: Path, number: int, which: str):
    change(path, format=number, config={"of": "another shape"})
    refused(
        path, rf"is of an? {which} ctxaudio \(format {number}, this one reads {FORMAT}\): train into the same folder"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("style_count", 3_000_000),
        ("sample_rate", 48_000_000),
        ("sample_rate", float("inf")),
        ("sample_rate", -1),
        ("components", 10**7),
        ("courses", 10**7),
        ("texture_dim", 10**7),
        ("partials", 10**7),
        ("latent_dim", 10**8),
        ("latent_dim", 3),
        ("slow_width", 10**6),
        ("middle_width", 10**6),
        ("fast_width", 10**6),
        ("frame_width", 10**6),
        ("style_count", "9"),
        ("phase_rounds", 10**9),
        ("phase_rounds", "2"),
        ("conditions", [f"c{i}" for i in range(100_000)]),
        ("unheard_of", 1),
    ],
)
def test_sizes_that_are_not_the_weights_are_refused_before_memory_is_taken(
    path: Path, name: str, value: object, monkeypatch: pytest.MonkeyPatch
):
    made = []
    if value != 3:  # too few to cost anything: the weights themselves refuse it
        monkeypatch.setattr(checkpoint, "Generator", lambda *given: made.append(given))
    change_config(path, **{name: value})
    refused(path, "does not fit the configuration")
    assert made == []


NAMES_OF_FILES = ["x/../../../evil", "/evil", "..", "", "a\\b", "c:evil", "nul\0", "line\nbreak", "x" * 300]


@pytest.mark.parametrize("name", NAMES_OF_FILES)
def test_a_condition_named_like_a_way_out_of_the_folder_is_refused(path: Path, name: str):
    conditions = read_json(path.with_suffix(".json"))["config"]["conditions"]
    change_config(path, conditions=[name, *conditions[1:]])
    refused(path, "no plain file name")


def test_a_shared_model_writes_no_file_outside_the_output_folder(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "shared" / "m.safetensors"
    path.parent.mkdir()
    path.write_bytes(trained.model_path.read_bytes())
    path.with_suffix(".json").write_bytes(trained.model_path.with_suffix(".json").read_bytes())
    out = tmp_path / "inner" / "out"
    arguments = ["--model_path", str(path), "--num_samples", "1", "--duration", "1"]
    conditions = read_json(path.with_suffix(".json"))["config"]["conditions"]
    change_config(path, conditions=[f"x/../../../{name}" for name in conditions])
    (out / "sleep_01_x").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    assert main(["generate", *arguments, "--output_dir", str(out)]) == 2
    assert main(["session", *arguments[:2], "--output_path", str(out / "night.wav"), "--minutes", "0.2"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all("no plain file name" in line for line in said)
    assert sorted(tmp_path.rglob("*")) == before


def test_facts_that_cannot_be_written_leave_the_earlier_model_alone(path: Path):
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    other = small_generator(seed=1)
    with pytest.raises(TypeError):
        save_generator(path, other, "sleep", {"no JSON": object()})
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["ATTRIBUTION.md", "m.json", "m.safetensors"]


def test_training_over_a_model_of_another_context_is_refused(trained: Run):
    with pytest.raises(CtxAudioError, match="is of context 'sleep'"):
        pipeline.train(
            dataclasses.replace(trained, context="focus"), TRAINING, Start(from_scratch=True), progress=False
        )


def once(run: Run) -> Generator:
    """Trained for an epoch, with small networks."""
    config = dataclasses.replace(TRAINING, num_epochs=1, batch_size=8)
    with pytest.MonkeyPatch.context() as patch:
        shape = partial(GeneratorConfig, **SHAPE)
        patch.setattr(base, "GeneratorConfig", shape)
        pipeline.train(run, config, Start(from_scratch=True), progress=False)
    return load_generator(run.model_path)[0]


def test_training_into_a_folder_with_a_model_of_an_earlier_format_replaces_it(trained: Run, tmp_path: Path):
    run = dataclasses.replace(trained, output_dir=tmp_path, duration=1.0)
    run.model_path.parent.mkdir()
    run.model_path.write_bytes(b"weights of another shape")
    write_json(run.model_path.with_suffix(".json"), {"format": 3, "context": "sleep", "config": {"style_dim": 64}})
    assert once(run).config.conditions == Run().about.conditions
    assert read_json(run.model_path.with_suffix(".json"))["format"] == FORMAT


def test_a_title_that_is_no_valid_utf_8_loses_no_model(tmp_path: Path):
    """Half an emoji, cut off: valid JSON, but no text that a file can hold."""
    corpus = write_embedded_corpus(tmp_path / "corpus", ["Rain", "Wind"], clips_per_label=2)
    described = next(corpus.rglob("dev_clips_info_FSD50K.json"))
    clips = read_json(described)
    broken = {name: {**about, "title": "rain \ud83c", "uploader": "\udc80ann"} for name, about in clips.items()}
    described.write_text(json.dumps(broken), encoding="ascii")
    run = Run(data_dir=corpus, output_dir=tmp_path / "run", duration=1.0)
    once(run)
    about = read_json(run.model_path.with_suffix(".json"))
    assert about["attribution"] and all(entry["title"] == "rain ?" for entry in about["attribution"])
    assert "rain ?" in run.model_path.with_name("ATTRIBUTION.md").read_text(encoding="utf-8")


def test_a_checkpoint_with_any_byte_changed_is_refused_or_the_same(tmp_path: Path):
    path = tmp_path / "latest.pt"
    torch.save({"weights": torch.arange(3000.0), "step": 7}, path)
    whole, refused_ones = path.read_bytes(), 0
    for at in range(0, len(whole), len(whole) // 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            state = load_state(path)
            assert torch.equal(state["weights"], torch.arange(3000.0)) and state["step"] == 7, at
        except CtxAudioError as error:
            assert "damaged" in str(error)
            refused_ones += 1
    assert refused_ones > 40


def test_a_training_begun_anew_and_killed_at_once_is_the_one_that_is_resumed(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = dataclasses.replace(trained, output_dir=tmp_path, duration=1.0)
    once(run)
    assert load_state(tmp_path / LATEST)["progress"]["epoch"] == 1

    def killed(*_: object) -> None:
        raise MemoryError("killed")

    monkeypatch.setattr(pipeline.loop, "train", killed)
    with pytest.raises(MemoryError):
        once(run)
    assert load_state(tmp_path / LATEST)["progress"]["step"] == 0


def test_a_discriminator_comes_back_for_other_conditions_and_judges_those_it_knew_as_before(tmp_path: Path):
    torch.manual_seed(0)
    given = Discriminator(CONFIG)
    given(torch.randn(2, PICTURE_BANDS, 345), torch.tensor([0, 1]), torch.randn(2, CONFIG.texture_dim))
    (tmp_path / "d.safetensors").write_bytes(encoded_weights(given, half=True))
    given = given.half().float()
    conditions = ("Hail", "Wind", "Brook", "Rain")
    made = Discriminator(dataclasses.replace(CONFIG, conditions=conditions))
    load_discriminator(tmp_path / "d.safetensors", CONFIG.conditions, made, conditions)
    bands, texture = torch.randn(2, PICTURE_BANDS, 345), torch.randn(2, CONFIG.texture_dim)
    with torch.no_grad():
        theirs = given.eval()(bands, torch.tensor([1, 0]), texture)  # Wind and Rain
        mine = made.eval()(bands, torch.tensor([1, 3]), texture)
    for before, after in zip(theirs, mine, strict=True):
        # the matrix of what is given has other columns now, so another norm that it is divided by
        assert float((before.real - after.real).abs().max()) < 0.5 * float(before.real.std() + 1.0)
        torch.testing.assert_close(after.condition[:, [3, 1]], before.condition[:, :2], rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(after.condition[:, 0], before.condition.mean(1), rtol=1e-3, atol=1e-3)
