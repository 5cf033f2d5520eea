import csv
import dataclasses
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from small_model import SLEEP, TRAINING, begin, seeded, small_generator, stop_in_step, weights

from ctxaudio import pipeline
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.model import losses
from ctxaudio.model.checkpoint import load_generator
from ctxaudio.model.generator import unit_courses
from ctxaudio.options import Run
from ctxaudio.signal.audio import read_audio
from ctxaudio.training import base, loop
from ctxaudio.training.config import TrainingConfig
from ctxaudio.training.loop import diversity, trouble
from ctxaudio.training.state import TERMS, resume


def test_a_run_leaves_model_checkpoint_log_samples_and_pictures(trained: Run):
    _, about = load_generator(trained.model_path)
    assert about["context"] == "sleep" and about["clips"]["Rain"]["train"] > 0 and about["init_from"] is None
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


def test_training_on_one_batch_brings_its_texture_nearer_than_noise_without_the_network_is(clips: PreparedClips):
    config = dataclasses.replace(TRAINING, lr=0.002 / loop.LR_FACTOR, batch_size=4)
    training = begin(clips, config)
    generator, batch = training.generator, training.batches.next()
    texture = [float(loop.training_step(training, batch, config)["texture"]) for _ in range(60)]
    assert sum(texture[-5:]) < 0.85 * sum(texture[:5])
    with torch.no_grad():
        _, target, style = generator.analyse(batch.audio)

        def score_of(take) -> float:
            one, other = (generator.statistics(take(seed)) for seed in range(2))
            distance = partial(losses.texture_distance, weight=generator.statistics.weight)
            return float(0.5 * (distance(one, target) + distance(other, target) - distance(one, other)))

        def noise(seed: int) -> torch.Tensor:
            torch.manual_seed(seed)
            return unit_courses(generator.noise_courses(style.mixing, batch.audio.shape[1]))

        def made(seed: int) -> torch.Tensor:
            latent = torch.randn(4, SLEEP.latent_dim, generator=seeded(seed))
            return generator.courses(latent, batch.condition, style, noise(seed), seeded(seed))

        assert score_of(made) < score_of(noise)


@pytest.mark.parametrize("weight", [0.0, 0.25])
def test_the_generator_hears_the_discriminator_as_much_as_it_is_weighted(clips: PreparedClips, weight: float):
    config = dataclasses.replace(TRAINING, lambda_adversarial=weight)
    made = []
    for flipped in (False, True):
        training = begin(clips, config)
        with torch.no_grad():
            for parameter in training.discriminator.parameters():
                parameter.mul_(-1.0 if flipped else 1.0)
        torch.manual_seed(1)
        loop.training_step(training, training.batches.next(), config)
        made.append(weights(training.generator))
    assert torch.equal(*made) == (weight == 0.0)


def test_the_generator_s_update_leaves_the_discriminator_and_the_buffers_alone(clips: PreparedClips):
    training = begin(clips, dataclasses.replace(TRAINING, lambda_texture=0.0))
    before = {n: b.clone() for n, b in training.generator.named_buffers()}
    mine = weights(training.generator)
    loop.training_step(training, training.batches.next(), TRAINING)
    assert not torch.equal(weights(training.generator), mine)
    for name, buffer in training.generator.named_buffers():
        assert torch.equal(buffer, before[name]), name
    assert all(p.requires_grad for p in training.discriminator.parameters())


def test_the_same_seed_trains_the_same_weights_and_another_does_not(clips: PreparedClips, tmp_path: Path):
    def run(seed: int) -> torch.Tensor:
        config = dataclasses.replace(TRAINING, num_epochs=1, seed=seed)
        return weights(loop.train(begin(clips, config), config, tmp_path, progress=False).averaged)

    first = run(0)
    assert torch.equal(first, run(0))
    assert not torch.allclose(first, run(1))


def test_ctrl_c_finishes_the_step_and_leaves_a_checkpoint_to_resume(clips: PreparedClips, tmp_path: Path):
    before = signal.getsignal(signal.SIGINT)  # a run in the background ignores it
    config = dataclasses.replace(TRAINING, num_epochs=100_000)
    training = begin(clips, config)
    stop_in_step(training, 3)
    loop.train(training, config, tmp_path, progress=False)
    assert training.interrupted and training.step == 3
    assert resume(begin(clips, config), tmp_path).step == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_condition_with_a_single_clip_trains(clips: PreparedClips):
    alone = clips.of("train", 0)[1:]
    few = tuple(dataclasses.replace(clip, split="val") if i in alone else clip for i, clip in enumerate(clips.clips))
    training = begin(dataclasses.replace(clips, clips=few))
    batch = training.batches.next()
    while 0 not in batch.condition:
        batch = training.batches.next()
    values = loop.training_step(training, batch, TRAINING)
    assert all(bool(value.isfinite()) for value in values.values())
    assert 0 in training.averaged.bank.conditions


def test_max_minutes_ends_training(clips: PreparedClips, tmp_path: Path):
    config = dataclasses.replace(TRAINING, num_epochs=100_000, max_minutes=0.01)
    training = loop.train(begin(clips, config), config, tmp_path, progress=False)
    assert training.seconds >= 0.6 and not training.interrupted
    assert training.epoch < config.num_epochs


@pytest.mark.parametrize("name", ["batch_size", "num_epochs", "lr", "log_interval", "max_minutes"])
def test_settings_out_of_range_are_named(name: str):
    with pytest.raises(CtxAudioError, match=f"{name} 0"):
        TrainingConfig(**{name: 0})


def test_a_generator_has_styles_enough_for_all_conditions():
    shape = base.generator_config(Run(), tuple(map(str, range(26))))
    assert shape.style_count >= 26 * base.STYLES_A_CONDITION


def test_clips_of_other_conditions_are_not_judged_by(trained: Run, clips: PreparedClips):
    with pytest.raises(CtxAudioError, match="the clips are of Hail, "):
        pipeline.judge(trained, dataclasses.replace(clips, condition_names=("Hail", *clips.condition_names[1:])))


def test_the_moving_average_starts_fast_and_ends_at_its_decay():
    for step, expected in ((0, 1.0), (1, 9 / 11), (100_000, 0.01)):
        kept, current = small_generator(), small_generator()
        for network, value in ((kept, 0.0), (current, 1.0)):
            for parameter in network.parameters():
                parameter.data.fill_(value)
        loop.update_average(kept, current, step, decay=0.99)
        made = weights(kept)
        torch.testing.assert_close(made, torch.full_like(made, expected))


def test_the_average_keeps_eigen_spectra_statistics_and_styles(clips: PreparedClips):
    training = begin(clips)
    for training.step in range(2):  # the first is taken as it is
        loop.training_step(training, training.batches.next(), TRAINING)
    averaged = training.averaged
    for name, buffer in training.generator.named_buffers():
        assert torch.equal(averaged.get_buffer(name), buffer), name
    assert not torch.equal(weights(averaged), weights(training.generator))


def test_adam_s_rate_is_in_proportion_to_lr_and_the_same_for_both_networks(clips: PreparedClips):
    training = begin(clips, dataclasses.replace(TRAINING, lr=0.003))
    for optimizer in (training.generator_optimizer, training.discriminator_optimizer):
        assert isinstance(optimizer, torch.optim.Adam)
        assert [group["lr"] for group in optimizer.param_groups] == [pytest.approx(loop.LR_FACTOR * 0.003)]


def rows(**changed: float) -> list[dict[str, float]]:
    ordinary = {"discriminator": 1.9, "adversarial": 0.1, "condition": 0.5, "texture": 0.4, "diversity": 0.7}
    return [{"step": 10 * i, **ordinary, **changed} for i in range(1, 41)]


def test_losses_are_judged_by_what_ordinary_trainings_show() -> None:
    assert trouble(rows()) == ""
    assert trouble(rows()[:1]) == ""
    for name in TERMS[:-1]:
        assert f"step 400 (the {name} loss is 1e+03" in trouble(rows(**{name: 1000.0}))
    for name in TERMS:
        assert "step 400 (a loss is not a number)" in trouble(rows(**{name: float("nan")}))
    spike = rows()
    spike[-1]["condition"] = 1000.0
    assert trouble(spike) == "", "one bad batch is no divergence"


def test_the_same_sound_of_every_latent_is_mode_collapse_once_it_should_have_learnt() -> None:
    collapsed = rows(diversity=0.02)
    said = trouble(collapsed)
    assert said.startswith("mode collapse at step 400: generated textures differ 0.02 times") and "--lr" in said
    assert "\n" not in said
    assert trouble(collapsed[:11]) == "", "too early to say"
    assert trouble([*rows()[:-1], collapsed[-1]]) == "", "one row may be chance"


def test_diversity_is_the_deviation_beside_that_of_the_real_crops() -> None:
    real = torch.randn(50, 4)
    assert float(diversity(0.25 * real, real)) == pytest.approx(0.25)
    assert float(diversity(torch.ones(50, 4), real)) == 0.0
    assert bool(diversity(real, torch.ones(50, 4)).isfinite())


def test_an_ordinary_start_has_no_trouble_and_a_generator_deaf_to_its_style_is_less_diverse(
    clips: PreparedClips,
) -> None:
    config = dataclasses.replace(TRAINING, batch_size=8)
    seen = []
    for deaf in (False, True):
        training = begin(clips, config)
        if deaf:
            torch.nn.init.zeros_(training.generator.head.weight)
            torch.nn.init.zeros_(training.generator.to_style[0].weight)
        values = loop.training_step(training, training.batches.next(), config)
        loop.log(training, values)
        assert trouble(training.history) == ""
        seen.append(float(values["diversity"]))
    assert all(value >= 0 for value in seen) and seen[0] != seen[1]


def test_too_large_a_rate_stops_the_training_and_leaves_the_losses(clips: PreparedClips, tmp_path: Path) -> None:
    config = dataclasses.replace(TRAINING, lr=1.0, num_epochs=1000, save_interval=1000)
    training = begin(clips, config)
    with pytest.raises(CtxAudioError, match=r"diverged at step \d+ .*lower --lr") as error:
        loop.train(training, config, tmp_path, progress=False)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "checkpoints" / "latest.pt").exists()
    assert (tmp_path / "logs" / "losses.csv").exists()


def test_divergence_is_said_and_not_saved(clips: PreparedClips, tmp_path: Path) -> None:
    training = begin(clips)
    with torch.no_grad():
        training.generator.start.weight.fill_(float("nan"))
    with pytest.raises(CtxAudioError, match="diverged at step 1"):
        loop.train(training, TRAINING, tmp_path, progress=False)
    assert not (tmp_path / "checkpoints").exists()
