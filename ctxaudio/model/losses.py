"""What the two networks minimise, each term alone."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ctxaudio.model.discriminator import Verdict


def discriminator_hinge(real: list[Verdict], fake: list[Verdict]) -> Tensor:
    """Hinge loss (Lim & Ye 2017, arXiv:1705.02894): real above 1, fake below -1, mean over resolutions."""
    terms = [F.relu(1 - r.real).mean() + F.relu(1 + f.real).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def generator_hinge(fake: list[Verdict]) -> Tensor:
    """The generator's side: make the discriminator's authenticity high."""
    return torch.stack([-f.real.mean() for f in fake]).mean()


def condition_loss(verdicts: list[Verdict], condition: Tensor) -> Tensor:
    """Cross-entropy of the auxiliary head against the condition `[B]`, mean over resolutions."""
    return torch.stack([F.cross_entropy(v.condition, condition) for v in verdicts]).mean()


def strength(features: Tensor) -> Tensor:
    """Root mean square over time, `[B, C, frames]` to `[B, C]`."""
    return features.square().mean(-1).add(1e-6).sqrt()


def feature_distance(real: list[Verdict], fake: list[Verdict]) -> Tensor:
    """Mean distance of the features' mean and RMS over time, each fake beside the real crop whose style it was given.

    Averages, because two takes of the same rain share no single drop. `real` is taken as constant.
    """
    terms = [
        (f.mean(-1) - r.mean(-1).detach()).abs().mean() + (strength(f) - strength(r).detach()).abs().mean()
        for a, b in zip(real, fake, strict=True)
        for r, f in zip(a.features, b.features, strict=True)
    ]
    return torch.stack(terms).mean()


def texture_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean of `sqrt(1 + difference^2) - 1`: a square near zero, straight far out, so that no odd statistic rules."""
    return ((one - other).square() + 1.0).sqrt().mean() - 1.0


def texture_score(take: Tensor, again: Tensor, wanted: Tensor) -> Tensor:
    """Energy score of two takes of one style beside the real crop's statistics, all `[B, K]`; lower is better.

    The takes' distance from `wanted`, less half their distance from each other. Without the second part a generator
    would be punished for what chance makes differ between two takes, and iron out every swell. In the mean the score
    is least where takes vary as real crops of that style do (Gneiting & Raftery 2007,
    doi:10.1198/016214506000001437; for sound: Gritsenko et al. 2020, arXiv:2008.01160).
    """
    far = 0.5 * (texture_distance(take, wanted) + texture_distance(again, wanted))
    return far - 0.5 * texture_distance(take, again)
