import csv
import dataclasses
import os
import pickle
import signal
from pathlib import Path

import pytest
import torch

from ctxaudio import pipeline
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_audio, read_json, write_json
from ctxaudio.model import training as loop
from ctxaudio.model.checkpoint import load_generator
from ctxaudio.model.finetune import check_fits, start_from, take_weights
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.training import Training, TrainingConfig
from ctxaudio.run import Run
from ctxaudio.signal.envelope import hilbert_envelope, joint_depths
from ctxaudio.signal.profile import ModulationProfile, Rate, context_profile

CONFIG = TrainingConfig(batch_size=2, num_epochs=2, log_interval=1, save_interval=1)
SMALL = GeneratorConfig(Run().about.conditions, slow_width=16, middle_width=16, fast_width=16, style_count=12)


def begin(clips: PreparedClips, config: TrainingConfig = CONFIG) -> Training:
    training = loop.begin(clips, context_profile(Run().about), SMALL, config)
    training.batches.__class__ = FourSteps
    return training


class FourSteps(loop.ClipBatches):
    steps_per_epoch = 4


def weights(training: Training) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in training.best.parameters()])


def test_a_run_leaves_model_checkpoint_log_samples_and_pictures(trained: Run):
    _, about = load_generator(trained.model_path)
    assert about["context"] == "sleep" and about["clips"]["Rain"]["train"] > 0
    credited = trained.model_path.with_name("ATTRIBUTION.md").read_text()
    assert all(entry["clip"] in credited for entry in about["attribution"])
    assert about["training"]["epochs"] == 2 and sum(about["licences"].values()) == len(about["attribution"])
    with (trained.output_dir / "logs" / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, about["training"]["steps"] + 1))
    assert (trained.output_dir / "checkpoints" / "latest.pt").exists()
    for epoch in (1, 2):
        folder = trained.output_dir / "samples" / f"epoch_{epoch:04d}"
        assert sorted(path.name for path in folder.iterdir()) == [
            "Cricket.wav",
            "Rain.wav",
            "Wind.wav",
            "spectrograms.png",
        ]
        samples, sample_rate = read_audio(folder / "Rain.wav")
        assert samples.shape == (1, 2 * sample_rate)


def test_training_on_one_batch_brings_its_texture_nearer(clips: PreparedClips):
    config = dataclasses.replace(CONFIG, lr=0.0005)
    training = begin(clips, config)
    batch = training.batches.next()
    texture = [float(loop.training_step(training, batch, config)["texture"]) for _ in range(40)]
    assert sum(texture[-5:]) < 0.85 * sum(texture[:5])


def test_the_same_seed_trains_the_same_weights_and_another_does_not(clips: PreparedClips, tmp_path: Path):
    def run(seed: int) -> torch.Tensor:
        config = dataclasses.replace(CONFIG, num_epochs=1, seed=seed)
        return weights(loop.train(begin(clips, config), config, tmp_path, progress=False))

    first = run(0)
    assert torch.equal(first, run(0))
    assert not torch.allclose(first, run(1))


def test_stopping_and_resuming_is_as_not_stopping(clips: PreparedClips, tmp_path: Path):
    whole = loop.train(begin(clips), CONFIG, tmp_path / "whole", progress=False)
    half = dataclasses.replace(CONFIG, num_epochs=1)
    loop.train(begin(clips, half), half, tmp_path / "parts", progress=False)
    resumed = loop.train(loop.resume(begin(clips), tmp_path / "parts"), CONFIG, tmp_path / "parts", progress=False)
    assert resumed.step == whole.step == 8
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=0, atol=1e-6)
    assert [row["step"] for row in resumed.history] == [row["step"] for row in whole.history]


def test_ctrl_c_finishes_the_step_and_leaves_a_checkpoint_to_resume(clips: PreparedClips, tmp_path: Path):
    before = signal.getsignal(signal.SIGINT)  # a run in the background ignores it
    config = dataclasses.replace(CONFIG, num_epochs=100_000)
    training = begin(clips, config)
    draw = training.batches.next

    def pressed_in_the_third_step():
        if training.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return draw()

    training.batches.next = pressed_in_the_third_step
    loop.train(training, config, tmp_path, progress=False)
    assert training.interrupted and training.step == 3
    assert loop.resume(begin(clips, config), tmp_path).step == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_max_minutes_ends_training(clips: PreparedClips, tmp_path: Path):
    config = dataclasses.replace(CONFIG, num_epochs=100_000, max_minutes=0.01)
    training = loop.train(begin(clips, config), config, tmp_path, progress=False)
    assert training.seconds >= 0.6 and not training.interrupted
    assert training.epoch < config.num_epochs


def test_divergence_is_said_and_not_saved(clips: PreparedClips, tmp_path: Path):
    training = begin(clips)
    with torch.no_grad():
        training.generator.start.weight.fill_(float("nan"))
    with pytest.raises(CtxAudioError, match="diverged at step 1"):
        loop.train(training, CONFIG, tmp_path, progress=False)
    assert not (tmp_path / "checkpoints").exists()


def test_the_discriminator_sees_real_sound_with_the_same_modulation(
    clips: PreparedClips, monkeypatch: pytest.MonkeyPatch
):
    config = dataclasses.replace(CONFIG, batch_size=12)
    training = loop.begin(clips, ModulationProfile((Rate(7.83, 0.9),)), SMALL, config)
    seen: list[torch.Tensor] = []
    forward = training.discriminator.forward

    def watched(samples, condition, style):
        seen.append(samples.detach())
        return forward(samples, condition, style)

    monkeypatch.setattr(training.discriminator, "forward", watched)
    loop.training_step(training, training.batches.next(), config)

    def depth(sounds: torch.Tensor) -> float:
        envelopes = [hilbert_envelope(sound.numpy(), 22050) for sound in sounds]
        return float(torch.tensor([joint_depths(e, 22050, [7.83])[0] for e in envelopes]).median())

    real, fake = seen[0], seen[1]
    assert depth(real) == pytest.approx(0.9, abs=0.15)
    assert depth(fake) == pytest.approx(0.9, abs=0.15)


@pytest.mark.parametrize("name", ["batch_size", "num_epochs", "lr", "log_interval", "max_minutes"])
def test_settings_out_of_range_are_named(name: str):
    with pytest.raises(CtxAudioError, match=f"{name} 0"):
        TrainingConfig(**{name: 0})


def test_resuming_nothing_or_another_configuration_is_an_error(clips: PreparedClips, trained: Run, tmp_path: Path):
    with pytest.raises(CtxAudioError, match="nothing to resume"):
        loop.resume(begin(clips), tmp_path)
    with pytest.raises(CtxAudioError, match="another configuration"):
        loop.resume(begin(clips), trained.output_dir)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "latest.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CtxAudioError, match="damaged"):
        loop.resume(begin(clips), tmp_path)


def base_for(clips: PreparedClips, steps: int) -> Generator:
    """A small generator trained for some steps."""
    config = dataclasses.replace(CONFIG, lr=0.001)
    training = begin(clips, config)
    for _ in range(steps):
        loop.training_step(training, training.batches.next(), config)
    return training.best


def texture_of_first_steps(training: Training, config: TrainingConfig, steps: int = 3) -> float:
    torch.manual_seed(1)
    losses = [loop.training_step(training, training.batches.next(), config)["texture"] for _ in range(steps)]
    return float(torch.stack(losses).mean())


def test_starting_from_a_model_of_the_same_clips_is_nearer_to_them_than_starting_from_nothing(clips: PreparedClips):
    config = dataclasses.replace(CONFIG, batch_size=4)
    tuned = begin(clips, config)
    start_from(tuned, base_for(clips, 10), {"context": "sleep"})
    assert texture_of_first_steps(tuned, config) < 0.9 * texture_of_first_steps(begin(clips, config), config)


def test_conditions_of_the_same_name_keep_their_embedding_and_new_ones_get_the_mean(clips: PreparedClips):
    given = Generator(SMALL, context_profile(Run().about))
    other = dataclasses.replace(SMALL, conditions=("Brook", "Rain", "Hail"))
    training = begin(clips)
    made = Generator(other, ModulationProfile())
    bank = made.bank.keys.clone()
    take_weights(made, given)
    rows = given.embedding.weight
    torch.testing.assert_close(made.embedding.weight, torch.stack([rows.mean(0), rows[0], rows.mean(0)]))
    torch.testing.assert_close(made.head.weight, given.head.weight)
    assert torch.equal(made.bank.keys, bank) and made.modulation.profile == ModulationProfile()
    filled = training.generator.bank.styles.clone()
    start_from(training, given, {"context": "sleep"})
    assert torch.equal(training.best.bank.styles, filled)
    assert torch.equal(training.best.start.weight, given.start.weight)
    assert training.init_from == {"context": "sleep"}


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [("sample_rate", 16000, "pass --sample_rate 16000"), ("latent_dim", 8, "pass --latent_dim 8")],
)
def test_starting_from_a_model_of_another_shape_is_refused(trained: Run, name: str, value: int, mend: str):
    wanted = load_generator(trained.model_path)[0].config
    given = dataclasses.replace(wanted, **{name: value, "conditions": ("Hail",)})
    with pytest.raises(CtxAudioError, match=mend):
        check_fits(trained.model_path, given, wanted)
    with pytest.raises(CtxAudioError, match="slow_width 16, not 192: train without --init_from"):
        check_fits(trained.model_path, dataclasses.replace(wanted, slow_width=16), wanted)
    check_fits(trained.model_path, dataclasses.replace(wanted, conditions=("Hail",)), wanted)


def test_a_model_to_start_from_is_looked_at_before_anything_is_prepared(trained: Run, tmp_path: Path):
    run = dataclasses.replace(trained, output_dir=tmp_path / "out", latent_dim=50)
    for resume, message in ((False, "pass --latent_dim 100"), (True, "give one of them")):
        with pytest.raises(CtxAudioError, match=message):
            pipeline.train(run, CONFIG, 1, resume, progress=False, init_from=trained.model_path)
    with pytest.raises(CtxAudioError, match="no model at"):
        pipeline.train(run, CONFIG, 1, progress=False, init_from=tmp_path / "nothing.safetensors")
    assert not (tmp_path / "out").exists()


def test_resuming_keeps_where_the_weights_came_from_and_refuses_other_conditions(clips: PreparedClips, tmp_path: Path):
    training = begin(clips)
    start_from(training, Generator(SMALL, ModulationProfile()), {"context": "sleep", "attribution": []})
    loop.checkpoint(training, tmp_path)
    assert loop.resume(begin(clips), tmp_path).init_from == {"context": "sleep", "attribution": []}
    renamed = dataclasses.replace(SMALL, conditions=("Hail", *SMALL.conditions[1:]))
    with pytest.raises(CtxAudioError, match="another configuration"):
        loop.resume(loop.begin(clips, ModulationProfile(), renamed, CONFIG), tmp_path)


def test_clips_of_other_conditions_are_not_judged_by(trained: Run, clips: PreparedClips):
    with pytest.raises(CtxAudioError, match="the clips are of Hail, "):
        pipeline.judge(trained, dataclasses.replace(clips, condition_names=("Hail", *clips.condition_names[1:])))


def copy_of_model(trained: Run, folder: Path) -> Path:
    for path in (trained.model_path, trained.model_path.with_suffix(".json")):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / trained.model_path.name


def test_a_model_comes_back_as_it_was_saved(trained: Run, tmp_path: Path):
    path = copy_of_model(trained, tmp_path)
    generator, _ = load_generator(path)
    again, _ = load_generator(trained.model_path)
    for name, value in generator.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert generator.modulation.profile == context_profile(Run().about)


def test_foreign_model_files_are_refused_in_one_line(trained: Run, tmp_path: Path):
    path = copy_of_model(trained, tmp_path)
    whole, about = path.read_bytes(), read_json(path.with_suffix(".json"))

    def refused(message: str) -> None:
        with pytest.raises(CtxAudioError, match=message) as caught:
            load_generator(path)
        assert "\n" not in str(caught.value)

    path.write_bytes(whole[: len(whole) // 2])
    refused("not a whole safetensors file")
    path.write_bytes(pickle.dumps({"weights": 1}))
    refused("not a whole safetensors file")
    path.write_bytes(whole)
    write_json(path.with_suffix(".json"), {**about, "weights_sha256": "0" * 64})
    refused("is not the file that")
    write_json(path.with_suffix(".json"), {**about, "config": {**about["config"], "slow_width": 8}})
    refused("does not fit the configuration")
    write_json(path.with_suffix(".json"), {**about, "format": 99})
    refused("format 99")
    path.with_suffix(".json").write_text("{")
    refused("not valid JSON")
    path.with_suffix(".json").unlink()
    refused("no configuration beside it")
    path.unlink()
    refused("no model at")


def test_training_over_a_model_of_another_context_is_refused(trained: Run, recordings: Path):
    with pytest.raises(CtxAudioError, match="is of context 'sleep'"):
        pipeline.train(dataclasses.replace(trained, context="focus"), CONFIG, progress=False)


def test_the_moving_average_starts_fast_and_ends_at_its_decay():
    average = loop.moving_average(0.99)
    kept = [torch.zeros(3)]
    average(kept, [torch.ones(3)], 0)
    torch.testing.assert_close(kept[0], torch.full((3,), 0.9))
    late = [torch.zeros(3)]
    average(late, [torch.ones(3)], torch.tensor(100_000))
    torch.testing.assert_close(late[0], torch.full((3,), 0.01))
