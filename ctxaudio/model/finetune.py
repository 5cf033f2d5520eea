"""Starting from a trained generator instead of from nothing: fine-tuning on other sound (`train --init_from`)."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from ctxaudio.errors import CtxAudioError
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.training import Training

OF_THE_CLIPS = ("conditions", "style_count")
SET_BY_AN_ARGUMENT = ("sample_rate", "latent_dim")


def check_fits(path: Path, given: GeneratorConfig, wanted: GeneratorConfig) -> None:
    """Refuse to start from the model at `path` where more than its conditions and styles differs from `wanted`."""
    for name in (field.name for field in fields(GeneratorConfig) if field.name not in OF_THE_CLIPS):
        there, here = getattr(given, name), getattr(wanted, name)
        if there != here:
            mend = f"pass --{name} {there}" if name in SET_BY_AN_ARGUMENT else "train without --init_from"
            raise CtxAudioError(f"{path} was trained with {name} {there}, not {here}: {mend}")


def start_from(training: Training, given: Generator, origin: dict[str, Any]) -> None:
    """Give a fresh `training` the weights of `given`, and `origin`, which says what that was, to its record.

    The discriminator stays fresh: it judges against the new clips.
    """
    for generator in (training.generator, training.averaged):
        take_weights(generator, given)
    training.init_from = origin


@torch.no_grad()
def take_weights(generator: Generator, given: Generator) -> None:
    """Copy the weights of `given`, whose configuration differs at most in the conditions, into `generator`.

    A condition of the same name keeps its embedding; a new one starts from the mean of the given ones. The style
    bank, filled from the new clips, the modulation and the shares stay the generator's own. The style space too is
    fitted to the new clips, so a style's numbers stand for other directions of texture than they did (for the same
    only on the same clips). What carries over is how sound is made of a style, and the network learns again which
    style is which.
    """
    kept = {
        name: value
        for name, value in given.state_dict().items()
        if not name.startswith(("bank.", "modulation.", "embedding.", "shares"))
    }
    generator.load_state_dict({**generator.state_dict(), **kept})
    rows, names = given.embedding.weight, given.config.conditions
    for i, name in enumerate(generator.config.conditions):
        generator.embedding.weight[i] = rows[names.index(name)] if name in names else rows.mean(0)
