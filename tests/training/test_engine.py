from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_model import SLEEP, TRAINING, begin
from torch import nn

from ctxaudio import cli
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.eigenspectra import log_magnitude
from ctxaudio.signal.stft import griffin_lim, power_spectrogram, stft
from ctxaudio.training import loop
from ctxaudio.training.config import TrainingConfig
from ctxaudio.training.engine import Engine, engine_for


@pytest.mark.parametrize("precision", ["32", "bf16", "16"])
def test_descending_is_the_optimisers_own_step(precision: str) -> None:
    torch.manual_seed(0)
    mine, reference = nn.Linear(5, 3), nn.Linear(5, 3)
    reference.load_state_dict(mine.state_dict())
    given = torch.randn(4, 5)
    loss = nn.functional.mse_loss(reference(given), torch.zeros(4, 3))
    loss.backward()
    nn.utils.clip_grad_norm_(reference.parameters(), 0.1)
    torch.optim.SGD(reference.parameters(), lr=0.5).step()

    engine, optimizer = Engine("cpu", precision), torch.optim.SGD(mine.parameters(), lr=0.5)
    for parameter in mine.parameters():
        parameter.grad = torch.full_like(parameter, 100.0)  # of an earlier update
    loss = nn.functional.mse_loss(engine.run(mine, given), torch.zeros(4, 3))
    engine.descend(loss, optimizer, largest_norm=0.1)
    tolerance = {"32": 0.0, "bf16": 2e-3, "16": 3e-4}[precision]
    torch.testing.assert_close(mine.weight, reference.weight, rtol=0, atol=tolerance)


def test_an_update_whose_gradient_overflows_in_16_bits_is_left_out() -> None:
    engine, weight = Engine("cpu", "16"), nn.Parameter(torch.ones(1))
    before = engine.scaler.get_scale()
    engine.descend((weight * 3e38).sum(), torch.optim.SGD([weight], lr=0.1))
    assert float(weight.detach()) == 1.0 and engine.scaler.get_scale() == before / 2
    engine.descend(weight.sum(), torch.optim.SGD([weight], lr=0.1))
    assert float(weight.detach()) == pytest.approx(0.9)


def test_what_comes_out_of_a_halved_network_is_in_32_bits() -> None:
    torch.manual_seed(0)
    discriminator, courses = Discriminator(SLEEP), torch.randn(2, SLEEP.courses, 173)
    condition, texture = torch.tensor([0, 1]), torch.zeros(2, SLEEP.texture_dim)
    whole = discriminator.eval()(courses, condition, texture)
    halved = Engine("cpu", "bf16").run(discriminator, courses, condition, texture)
    for a, b in zip(whole, halved, strict=True):
        assert {b.real.dtype, b.condition.dtype} == {torch.float32}
        assert not torch.equal(a.real, b.real), "nothing was halved"
        torch.testing.assert_close(b.real, a.real, rtol=0.1, atol=0.1)


def test_pictures_and_phases_are_in_32_bits() -> None:
    sound = 0.05 * torch.randn(1, 5120)
    magnitude = torch.rand(1, 257, 41).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        picture, made = log_magnitude(sound, 512, 128), griffin_lim(magnitude, stft(sound, 512, 128), 512, 128, 5120, 1)
        assert power_spectrogram(sound.bfloat16(), 512, 128).dtype == torch.float32
    assert torch.equal(picture, log_magnitude(sound, 512, 128))
    assert torch.equal(made, griffin_lim(magnitude.float(), stft(sound, 512, 128), 512, 128, 5120, 1))


def test_a_training_in_mixed_precision_stays_near_one_in_32_bits(clips: PreparedClips) -> None:
    def steps(precision: str) -> list[float]:
        config = replace(TRAINING, precision=precision)
        training = begin(clips, config)
        made = [loop.training_step(training, training.batches.next(), config) for _ in range(2)]
        assert all(p.dtype == torch.float32 for p in training.averaged.parameters())
        return [float(values[name]) for values in made for name in ("discriminator", "texture", "condition")]

    assert steps("bf16") == pytest.approx(steps("32"), rel=0.1, abs=0.02)


def test_random_numbers_drawn_aside_leave_no_trace() -> None:
    engine = Engine()
    torch.manual_seed(5)
    kept = engine.random_state()
    expected = torch.randn(3)
    torch.manual_seed(5)
    with engine.preserve_rng():
        torch.randn(1000)
    assert torch.equal(torch.randn(3), expected)
    engine.set_random_state(kept)
    assert torch.equal(torch.randn(3), expected)


def test_a_device_that_is_not_there_and_settings_out_of_range_are_named() -> None:
    for config, message in (
        (replace(TrainingConfig(), device="cuda:97"), "device 'cuda:97' is not to be had"),
        (replace(TrainingConfig(), device="meta:0:1", devices=2), "is not to be had"),
    ):
        with pytest.raises(CtxAudioError, match=message):
            engine_for(config)
    for name, value in (
        ("precision", "8"),
        ("size", "huge"),
        ("devices", 0),
        ("num_nodes", 0),
        ("lambda_adversarial", -1),
    ):
        with pytest.raises(CtxAudioError, match=f"{name} '?{value}"):
            TrainingConfig(**{name: value})


def test_without_the_extra_several_devices_are_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    monkeypatch.delitem(sys.modules, "ctxaudio.training.fabric_engine", raising=False)
    assert cli.main(["train", "--devices", "2", "--output_dir", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "pip install 'ctxaudio[distributed]'" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
