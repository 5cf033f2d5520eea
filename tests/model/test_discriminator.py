import pytest
import torch
from small_model import CONFIG

from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.generator import PICTURE_BANDS


@pytest.fixture
def judged() -> tuple[Discriminator, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    bands, texture = torch.randn(2, PICTURE_BANDS, 345), torch.randn(2, CONFIG.texture_dim)
    return Discriminator(CONFIG).eval(), bands, torch.tensor([0, 2]), texture


def test_it_judges_moment_after_moment_and_names_the_condition(judged):
    discriminator, bands, condition, texture = judged
    verdicts = discriminator(bands, condition, texture)
    assert len(verdicts) == 2
    for verdict in verdicts:
        assert verdict.real.shape[0] == 2 and verdict.real.shape[1] > 5
        assert verdict.condition.shape == (2, len(CONFIG.conditions))


def test_it_asks_whether_condition_and_style_fit_and_names_the_condition_without_being_told(judged):
    discriminator, bands, condition, texture = judged
    plain = discriminator(bands, condition, texture)
    for other in (discriminator(bands, condition.flip(0), texture), discriminator(bands, condition, -texture)):
        for before, after in zip(plain, other, strict=True):
            assert not torch.allclose(before.real, after.real)
            assert torch.equal(before.condition, after.condition)


def test_a_moment_s_verdict_depends_on_what_is_near_it(judged):
    discriminator, bands, condition, texture = judged
    changed = bands.clone()
    changed[..., :20] += 3.0
    before, after = discriminator(bands, condition, texture)[0], discriminator(changed, condition, texture)[0]
    moved = (before.real - after.real).abs()[0] > 1e-6
    assert bool(moved[0]) and not bool(moved[len(moved) // 2 :].any())


def test_every_weight_gets_a_gradient_and_so_does_the_picture(judged):
    discriminator, bands, condition, texture = judged
    bands.requires_grad_()
    verdicts = discriminator.train()(bands, condition, texture)
    sum(v.real.square().mean() + v.condition.square().mean() for v in verdicts).backward()
    assert [n for n, p in discriminator.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []
    assert float(bands.grad.abs().min()) >= 0 and bool((bands.grad.abs().amax((0, 1)) > 0).all())
