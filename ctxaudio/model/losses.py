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
