"""Every trouble made on purpose, and that an ordinary start of a training has none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from small_model import TRAINING, begin

from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.training import loop
from ctxaudio.training.monitor import TERMS, diversity, trouble


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
