"""What the two networks minimise, each term alone.

Notebook: 04_conditional_gan.ipynb
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ctxaudio.model.discriminator import Verdict


def discriminator_hinge(real: list[Verdict], fake: list[Verdict]) -> Tensor:
    """Hinge loss (Lim & Ye 2017, arXiv:1705.02894): real above 1, fake below -1, mean over views."""
    terms = [F.relu(1 - r.real).mean() + F.relu(1 + f.real).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def generator_hinge(fake: list[Verdict]) -> Tensor:
    """The generator's side: make the discriminator's authenticity high."""
    return torch.stack([-f.real.mean() for f in fake]).mean()


def condition_loss(verdicts: list[Verdict], condition: Tensor) -> Tensor:
    """Cross-entropy of the auxiliary head against the condition `[B]`, mean over views."""
    return torch.stack([F.cross_entropy(v.condition, condition) for v in verdicts]).mean()


def texture_distance(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    """Mean of `sqrt(1 + difference^2) - 1` of statistics `[B, size]` of `weight` `[size]`, whose mean is 1: a square
    near zero, straight far out, so that no odd statistic rules."""
    return ((((one - other).square() + 1.0).sqrt() - 1.0) * weight).mean()


def energy_loss(take: Tensor, again: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Of two takes of one style, statistics `[B, size]`: how far the first is from the real crop, less how far it is
    from the second, which is taken as constant.

    In expectation its gradient is that of the energy score (Gneiting & Raftery 2007,
    doi:10.1198/016214506000001437), `d(take, real) - d(take, again) / 2`, in which either take has half of the second
    term's. The score of each statistic is lowest where it has the distribution that it has over real crops: neither
    blurred averages nor wild variety pay. It is taken statistic by statistic: of what two statistics do together it
    knows only what a third, such as a correlation, measures.
    """
    return texture_distance(take, real, weight) - texture_distance(take, again.detach(), weight)
