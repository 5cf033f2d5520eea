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


def texture_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean of `sqrt(1 + difference^2) - 1`: a square near zero, straight far out, so that no odd statistic rules."""
    return ((one - other).square() + 1.0).sqrt().mean() - 1.0


def energy_score(first: Tensor, second: Tensor, real: Tensor) -> Tensor:
    """How far two takes of one style, statistics `[B, size]`, are from its real crop, less half of how far they are
    from each other (Gneiting & Raftery 2007, doi:10.1198/016214506000001437).

    In expectation each statistic's score is lowest where it has the distribution that it has over real crops, so
    neither blurred averages nor wild variety pay. It is taken statistic by statistic: of what two statistics do
    together it knows only what a third, such as a correlation, measures.
    """
    to_real = texture_distance(first, real) + texture_distance(second, real)
    return 0.5 * to_real - 0.5 * texture_distance(first, second)
