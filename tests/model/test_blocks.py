import torch
from torch import nn

from ctxaudio.model.blocks import NoisyBlock, Stack, gaussian, middle_of, uniform


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
    stack = Stack(4, 3, (1, 2))
    for block in stack:
        nn.init.zeros_(block.noise_level)
    torch.manual_seed(0)
    inner, style = torch.randn(1, 4, 40), torch.randn(1, 3)
    apart = []
    for filling in (0.0, 9.0):
        x = nn.functional.pad(inner, (20, 20), value=filling)[..., 20:-20] if filling else inner
        padded = nn.functional.pad(inner, (20, 20), value=filling)
        x, padded = stack(x, style, None), stack(padded, style, None)
        apart.append((x - padded[..., 20:-20]).detach().abs().amax((0, 1)))
    edge = stack.edge
    assert edge == 6
    for difference in apart:
        assert float(difference[edge:-edge].max()) < 1e-5
    assert float(apart[1][edge - 1]) > 1e-4


def test_the_middle_is_cut_out_evenly():
    assert middle_of(torch.arange(10)[None], 4).tolist() == [[3, 4, 5, 6]]
    assert middle_of(torch.arange(7)[None], 7).tolist() == [list(range(7))]
