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
from ctxaudio.model.scoring import SHARES, Score, Scores, best_of_shares
from ctxaudio.model.training_config import TrainingConfig
from ctxaudio.model.training_state import Training
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
    assert about["training"]["scored"] == 1 and about["training"]["best_step"] == about["training"]["steps"]
    assert set(about["shares"]) == set(Run().about.conditions)
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
    torch.nn.init.constant_(training.generator.style_spectrum.bias, 1.0)  # what the styles say is spoilt
    batch = training.batches.next()
    texture = [float(loop.training_step(training, batch, config)["texture"]) for _ in range(40)]
    assert sum(texture[-5:]) < 0.85 * sum(texture[:5])


@pytest.mark.parametrize("weight", [0.0, 0.25])
def test_the_generator_hears_the_discriminator_as_much_as_it_is_weighted(clips: PreparedClips, weight: float):
    config = dataclasses.replace(CONFIG, lambda_adversarial=weight, lambda_features=0.0)
    made = []
    for gain in (1.0, 3.0):
        training = begin(clips, config)
        for at in training.discriminator.at:
            torch.nn.init.constant_(at.real.bias, gain)
            at.condition.weight.data.mul_(gain)
        torch.manual_seed(1)
        loop.training_step(training, training.batches.next(), config)
        made.append(torch.cat([p.detach().flatten() for p in training.generator.parameters()]))
    assert torch.equal(*made) == (weight == 0.0)


def test_the_same_seed_trains_the_same_weights_and_another_does_not(clips: PreparedClips, tmp_path: Path):
    def run(seed: int) -> torch.Tensor:
        config = dataclasses.replace(CONFIG, num_epochs=1, seed=seed)
        return weights(loop.train(begin(clips, config), config, tmp_path, progress=False))

    first = run(0)
    assert torch.equal(first, run(0))
    assert not torch.allclose(first, run(1))


def everything(training: Training) -> dict[str, torch.Tensor]:
    """All weights and states of both networks, of the average and of the optimisers."""
    found: dict[str, torch.Tensor] = {}
    for name, part in training.stateful().items():
        if isinstance(part, torch.optim.Optimizer):
            moments = part.state_dict()["state"]
            found |= {f"{name} {i} {key}": value for i, state in moments.items() for key, value in state.items()}
        else:
            found |= {f"{name} {key}": value for key, value in part.state_dict().items()}
    return found | {"latents": torch.get_rng_state(), "crops": training.random.get_state()}


def without_times(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def stop_in_step(training: Training, step: int) -> None:
    """As if Ctrl-C were pressed in that step."""
    draw = training.batches.next

    def pressed():
        if training.step == step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return draw()

    training.batches.next = pressed


def wasteful_score(generator: Generator) -> dict[str, float]:
    """A score that draws random numbers, as generating does; it is the lower the larger the first weight."""
    torch.randn(7)
    return {"Rain": -float(generator.start.weight.detach()[0, 0]), "Wind": 1.0}


@pytest.mark.parametrize("stop", [2, 3])
def test_stopping_anywhere_and_resuming_is_as_not_stopping_scored_or_not(
    clips: PreparedClips, tmp_path: Path, stop: int
):
    """Ctrl-C in an epoch (of two steps) or at its end, with samples and scores on the way or without: bit for bit."""
    config = dataclasses.replace(CONFIG, num_epochs=2, score_interval=1)
    pairs = type("Pairs", (loop.ClipBatches,), {"steps_per_epoch": 2})
    plain = begin(clips, config)
    plain.batches.__class__ = pairs
    whole = everything(loop.train(plain, config, tmp_path / "whole", progress=False))

    def watched(training: Training) -> Training:
        training.batches.__class__ = pairs
        return loop.train(training, config, tmp_path, lambda state: torch.randn(9), False, wasteful_score)

    parts = begin(clips, config)
    stop_in_step(parts, stop)
    assert watched(parts).interrupted and parts.step == stop
    torch.manual_seed(99)
    other = dataclasses.replace(config, batch_size=3, seed=5)  # draws other crops for the styles: the stored ones count
    fresh = begin(clips, other)
    fresh.batches = pairs(clips, "train", 44100, config.batch_size, fresh.random)
    resumed = loop.resume(fresh, tmp_path)
    assert not watched(resumed).interrupted and resumed.step == plain.step == 4
    for name, value in everything(resumed).items():
        assert torch.equal(value, whole[name]), name
    assert without_times(resumed.history) == without_times(plain.history)
    assert [row["step"] for row in resumed.scores.rows] == [1, 2, 3, 4]
    for name in ("mean", "deviation", "basis"):
        assert torch.equal(getattr(resumed.space, name), getattr(plain.space, name))
    assert torch.equal(resumed.averaged.bank.texture, plain.averaged.bank.texture)


def test_ctrl_c_finishes_the_step_and_leaves_a_checkpoint_to_resume(clips: PreparedClips, tmp_path: Path):
    before = signal.getsignal(signal.SIGINT)  # a run in the background ignores it
    config = dataclasses.replace(CONFIG, num_epochs=100_000)
    training = begin(clips, config)
    stop_in_step(training, 3)
    loop.train(training, config, tmp_path, progress=False)
    assert training.interrupted and training.step == 3
    assert loop.resume(begin(clips, config), tmp_path).step == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_the_best_by_score_is_kept_and_not_the_last(clips: PreparedClips, tmp_path: Path):
    config = dataclasses.replace(CONFIG, num_epochs=1, score_interval=1)
    training = begin(clips, config)
    at: dict[int, torch.Tensor] = {}

    def lowest_at_the_second(generator: Generator) -> dict[str, float]:
        assert not generator.training and generator is training.averaged
        at[training.step] = generator.start.weight.detach().clone()
        return {"Rain": abs(training.step - 2) + 0.5}

    loop.train(training, config, tmp_path, progress=False, score=lowest_at_the_second)
    assert sorted(at) == [1, 2, 3, 4]
    assert torch.equal(training.best.start.weight, at[2]) and torch.equal(training.averaged.start.weight, at[4])
    kept, about = load_generator(tmp_path / "checkpoints" / "best.safetensors")
    assert torch.equal(kept.start.weight, at[2]) and about["context"] == "sleep"
    assert training.scores.facts() == {"best_step": 2, "best_score": 0.5, "last_score": 2.5, "scored": 4}
    with (tmp_path / "logs" / "scores.csv").open() as file:
        assert [(row["step"], row["score"]) for row in csv.DictReader(file)] == [
            ("1", "1.5"),
            ("2", "0.5"),
            ("3", "1.5"),
            ("4", "2.5"),
        ]
    resumed = loop.resume(begin(clips, config), tmp_path)
    assert torch.equal(resumed.best.start.weight, at[2]) and resumed.scores.rows == training.scores.rows


def likes_shares(**liked: tuple[float, float]) -> Score:
    """Scores each condition by how far its shares are from those that are `liked`."""

    def score(generator: Generator) -> dict[str, float]:
        kept = dict(zip(generator.config.conditions, generator.shares.tolist(), strict=True))
        return {
            name: sum(abs(a - b) for a, b in zip(kept[name], wanted, strict=True)) for name, wanted in liked.items()
        }

    return score


NOTHING, LASTING, HALF, ALL = SHARES


def test_of_what_the_network_says_each_condition_keeps_the_shares_that_score_best():
    generator = Generator(SMALL, ModulationProfile())
    score = likes_shares(Rain=(0.1, 0.0), Waves_and_surf=(1.0, 0.1), Wind=(1.0, 0.5), Cricket=(0.51, 0.0))
    each, shares = best_of_shares(generator, score)
    assert each == pytest.approx({"Rain": 0.1, "Waves_and_surf": 0.1, "Wind": 0.0, "Cricket": 0.51})
    kept = dict(zip(SMALL.conditions, map(tuple, shares.tolist()), strict=True))
    # crickets would be better with what lasts, but not by enough
    assert kept == {
        "Rain": NOTHING,
        "Waves_and_surf": LASTING,
        "Wind": HALF,
        "Cricket": NOTHING,
        "Mechanical_fan": ALL,
    }
    assert generator.shares.tolist() == [[1.0, 1.0]] * 5, "training goes on with all of it"


def test_the_best_generator_is_kept_with_its_shares_which_no_other_training_takes_over(
    clips: PreparedClips, tmp_path: Path
):
    training = begin(clips, dataclasses.replace(CONFIG, num_epochs=1))
    loop.train(training, CONFIG, tmp_path, progress=False, score=likes_shares(Rain=NOTHING, Cricket=(1.0, 0.4)))
    wanted = [list(shares) for shares in (NOTHING, ALL, ALL, HALF, ALL)]
    everything = [list(ALL)] * 5
    assert training.best.shares.tolist() == wanted
    assert training.averaged.shares.tolist() == training.generator.shares.tolist() == everything
    kept, _ = load_generator(tmp_path / "checkpoints" / "best.safetensors")
    assert kept.shares.tolist() == wanted
    assert loop.resume(begin(clips), tmp_path).best.shares.tolist() == wanted
    other = Generator(SMALL, ModulationProfile())
    take_weights(other, kept)
    assert torch.equal(other.head.weight, kept.head.weight) and other.shares.tolist() == everything


def test_by_the_clock_scoring_is_part_of_the_minutes_and_never_most_of_them():
    config = TrainingConfig(max_minutes=10.0)
    scores = Scores()
    assert not scores.due(100, 59.9, config) and scores.due(1, 60.0, config)
    scores.rows.append({"step": 1.0, "seconds": 60.0, "score": 1.0})
    assert not scores.due(100, 119.0, config) and scores.due(101, 120.0, config)
    scores.took_s = 30.0
    assert not scores.due(101, 120.0, config) and scores.due(200, 210.0, config)


def test_a_score_that_is_no_number_is_refused(clips: PreparedClips):
    def of_all_that_is_said(generator: Generator) -> dict[str, float]:
        return {"Rain": float("nan") if bool(generator.shares.all()) else 1.0}

    for score in (lambda generator: {"Rain": float("nan")}, lambda generator: {}, of_all_that_is_said):
        with pytest.raises(CtxAudioError, match="the score at step 7 is nan"):
            Scores().add(Generator(SMALL, ModulationProfile()), score, {"step": 7})


def test_time_for_the_last_scoring_is_left_in_the_minutes(clips: PreparedClips, tmp_path: Path):
    config = dataclasses.replace(CONFIG, num_epochs=100_000, max_minutes=10.0)
    training = begin(clips, config)
    training.seconds, training.scores.took_s = 595.0, 6.0
    loop.train(training, config, tmp_path, progress=False, score=wasteful_score)
    assert training.step == 0, "a step more, and scoring it would end after the ten minutes"


def test_a_condition_with_a_single_clip_trains(clips: PreparedClips):
    alone = clips.of("train", 0)[1:]
    few = tuple(dataclasses.replace(clip, split="val") if i in alone else clip for i, clip in enumerate(clips.clips))
    training = begin(dataclasses.replace(clips, clips=few))
    batch = training.batches.next()
    while 0 not in batch.condition:
        batch = training.batches.next()
    values = loop.training_step(training, batch, CONFIG)
    assert all(bool(value.isfinite()) for value in values.values())
    assert 0 in training.averaged.bank.conditions
    assert training.health.real.excess[0] == 0.0


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


def test_starting_from_a_model_begins_with_its_sound_of_the_same_style(clips: PreparedClips):
    config = dataclasses.replace(CONFIG, batch_size=4)
    base, tuned, fresh = base_for(clips, 10), begin(clips, config), begin(clips, config)
    start_from(tuned, base, {"context": "sleep"})
    latent, condition = torch.randn(1, base.config.latent_dim), torch.tensor([0])
    style = fresh.generator.bank(latent, condition)

    def sound(generator: Generator) -> torch.Tensor:
        with torch.no_grad():
            return generator.unmodulated(latent, condition, 22050, style, torch.Generator().manual_seed(0))

    torch.testing.assert_close(sound(tuned.generator), sound(base))
    assert not torch.allclose(sound(fresh.generator), sound(base), atol=1e-4)


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
    filled = training.generator.bank.texture.clone()
    start_from(training, given, {"context": "sleep"})
    assert torch.equal(training.best.bank.texture, filled)
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
    with pytest.raises(CtxAudioError, match="slow_width 16, not 128: train without --init_from"):
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
