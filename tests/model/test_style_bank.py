import torch
from small_model import CONFIG, some_styles

from ctxaudio.model.style_bank import Style, StyleBank


def bank_of(kept: Style, conditions: list[int], places: int = 4) -> StyleBank:
    bank = StyleBank(places, 6, CONFIG.texture_dim, CONFIG.bins, (CONFIG.components, CONFIG.courses), CONFIG.partials)
    bank.fill(kept, torch.tensor(conditions))
    return bank


def test_a_latent_picks_one_style_of_its_own_condition():
    kept = some_styles(3)
    bank = bank_of(kept, [0, 0, 1])
    picked = bank(torch.randn(50, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([0] * 50))
    which = torch.cdist(picked.texture, kept.texture).argmin(1)
    assert set(which.tolist()) == {0, 1}
    for mine, theirs in zip(picked, kept, strict=True):
        torch.testing.assert_close(mine, theirs[which])
    only = bank(torch.randn(1, 6), torch.tensor([1]))
    for mine, theirs in zip(only, kept, strict=True):
        torch.testing.assert_close(mine, theirs[2:])


def test_a_key_picks_its_own_style_and_a_longer_latent_the_same():
    kept = some_styles(4)
    bank = bank_of(kept, [0, 0, 0, 0])
    for length in (0.1, 10.0):
        torch.testing.assert_close(bank(length * bank.keys, torch.zeros(4, dtype=torch.long)).level, kept.level)


def test_filling_again_leaves_nothing_of_before():
    bank = bank_of(some_styles(4), [0, 1, 2, 0])
    bank.fill(some_styles(1), torch.tensor([2]))
    assert bank.conditions.tolist() == [2, -1, -1, -1]


def test_on_the_way_between_two_styles_partials_fade_and_never_glide():
    first, second = some_styles(1), some_styles(1)
    first, second = (style._replace(amplitudes=0.01 + torch.rand(1, CONFIG.partials)) for style in (first, second))
    halfway = first.crossfade(second, 0.5)
    assert set(halfway.partials_hz[0].tolist()) == set(first.partials_hz[0].tolist() + second.partials_hz[0].tolist())
    power = halfway.amplitudes.square().sum()
    torch.testing.assert_close(power, 0.5 * (first.amplitudes.square().sum() + second.amplitudes.square().sum()))
    for name in ("texture", "level", "deviation", "residual"):
        mine, its = getattr(first, name), getattr(second, name)
        torch.testing.assert_close(getattr(first.crossfade(second, 0.0), name), mine)
        torch.testing.assert_close(getattr(first.crossfade(second, 1.0), name), its)
        torch.testing.assert_close(getattr(halfway, name), 0.5 * (mine + its))
    torch.testing.assert_close(
        first.crossfade(second, 1.0).amplitudes, torch.cat([0 * first.amplitudes, second.amplitudes], 1)
    )


def test_on_the_way_between_two_styles_every_course_is_as_strong_as_at_the_ends():
    """A plain mean of two directions at right angles would lose half the power, and swell back at the ends."""
    first, second = some_styles(2), some_styles(2)
    powers = [style.mixing.square().sum(1) for style in (first, second)]
    for t in (0.0, 0.25, 0.5, 0.9, 1.0):
        between = first.crossfade(second, t).mixing
        assert between.shape == first.mixing.shape
        torch.testing.assert_close(between.square().sum(1), torch.lerp(*powers, t), rtol=1e-4, atol=1e-6)
        mine, wanted = (torch.nn.functional.normalize(m, dim=1) for m in (between, torch.lerp(first[4], second[4], t)))
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-5)
    torch.testing.assert_close(first.crossfade(second, 0.0).mixing, first.mixing)
    torch.testing.assert_close(first.crossfade(second, 1.0).mixing, second.mixing)


def test_the_way_between_two_styles_that_are_opposite_is_finite():
    style = some_styles(1)
    opposite = style._replace(mixing=-style.mixing)
    assert all(bool(values.isfinite().all()) for values in style.crossfade(opposite, 0.5))
