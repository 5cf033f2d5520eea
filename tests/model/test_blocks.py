import torch
from torch import nn

from ctxaudio.model.blocks import NoisyBlock, Resonators, edge_of, gaussian, middle_of, uniform


def test_chance_comes_from_the_generator_that_is_given():
    for draw in (gaussian, uniform):
        one, other, third = (draw((3, 5), torch.Generator().manual_seed(s), torch.device("cpu")) for s in (1, 1, 2))
        assert torch.equal(one, other) and not torch.equal(one, third)
        torch.manual_seed(4)
        from_global = draw((3, 5), None, torch.device("cpu"))
        torch.manual_seed(4)
        assert torch.equal(draw((3, 5), None, torch.device("cpu")), from_global)
    assert float(uniform((100,), None, torch.device("cpu")).min()) >= 0.0 and not from_global.gt(1.0).any()


def test_a_block_is_a_residual_one_that_style_scales_and_shifts():
    """Beside the formula written out, frame after frame, without the trick of scaling the weights."""
    torch.manual_seed(0)
    block, x, style = NoisyBlock(6, 4, dilation=2), torch.randn(2, 6, 30), torch.randn(2, 4)
    made = block(x, style, torch.Generator().manual_seed(3))
    noise = gaussian((2, 6, 30), torch.Generator().manual_seed(3), x.device)
    scale, shift = block.modulate(style).chunk(2, dim=1)
    y = block.over_time(x) + block.noise_level * noise
    y = y / (y.square().mean(1, keepdim=True).sqrt() + 1e-3)
    y = y * (1 + scale[..., None]) + shift[..., None]
    torch.testing.assert_close(made, x + block.project(nn.functional.gelu(block.expand(y))))


def test_as_many_frames_as_the_edge_has_have_seen_the_padding():
    blocks = nn.ModuleList([NoisyBlock(4, 3, dilation=d) for d in (1, 2)])
    for block in blocks:
        nn.init.zeros_(block.noise_level)
    torch.manual_seed(0)
    inner, style = torch.randn(1, 4, 40), torch.randn(1, 3)
    apart = []
    for filling in (0.0, 9.0):
        x = nn.functional.pad(inner, (20, 20), value=filling)[..., 20:-20] if filling else inner
        padded = nn.functional.pad(inner, (20, 20), value=filling)
        for block in blocks:
            x, padded = block(x, style, None), block(padded, style, None)
        apart.append((x - padded[..., 20:-20]).detach().abs().amax((0, 1)))
    edge = edge_of(blocks)
    assert edge == 6
    for difference in apart:
        assert float(difference[edge:-edge].max()) < 1e-5
    assert float(apart[1][edge - 1]) > 1e-4


def test_the_middle_is_cut_out_evenly():
    assert middle_of(torch.arange(10)[None], 4).tolist() == [[3, 4, 5, 6]]
    assert middle_of(torch.arange(7)[None], 7).tolist() == [list(range(7))]


def small_resonators() -> Resonators:
    torch.manual_seed(0)
    resonators = Resonators(width=4, style=3, count=6, frame_rate=86.0)
    nn.init.normal_(resonators.project.weight)
    return resonators


def test_a_resonator_rings_as_a_damped_cosine_that_goes_round():
    resonators, frames = small_resonators(), 50
    style = torch.randn(1, 3)
    rate, decay, gain = (part.detach()[0] for part in resonators.control(style).chunk(3, dim=1))
    seconds = resonators.SHORTEST_S * (resonators.LONGEST_S / resonators.SHORTEST_S) ** torch.sigmoid(decay)
    a = torch.exp(-1.0 / (86.0 * seconds))
    n = torch.arange(200 * frames)  # long after it has died away
    rung = a[:, None] ** n * torch.cos(torch.pi * torch.sigmoid(rate)[:, None] * n)
    rung = (gain.exp() * torch.sqrt(1 - a.square()))[:, None] * rung
    expected = rung.unflatten(1, (200, frames)).sum(1)
    found = torch.fft.irfft(resonators.response(style, frames).detach()[0], frames)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_resonators_are_the_same_wherever_time_begins():
    resonators, style = small_resonators(), torch.randn(2, 3)
    nn.init.zeros_(resonators.noise_level)
    x = torch.randn(2, 4, 60)
    turned = resonators(x.roll(17, -1), style, None)
    torch.testing.assert_close(turned, resonators(x, style, None).roll(17, -1), rtol=1e-3, atol=1e-5)


def test_gradients_of_a_resonators_rate_and_decay_are_those_of_finite_differences():
    resonators = small_resonators().double()
    style = torch.randn(1, 3, dtype=torch.float64, requires_grad=True)

    def energy(style: torch.Tensor) -> torch.Tensor:
        return resonators.response(style, 16).abs().square().log()

    assert torch.autograd.gradcheck(energy, (style,), eps=1e-5, atol=1e-3, rtol=1e-2)
