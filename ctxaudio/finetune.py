"""How a run's training begins: with the weights of the base, of another model or fresh ones, or where it stopped."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from ctxaudio.data.batches import ClipBatches
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.model.checkpoint import load_generator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.pretrained import (
    BASE,
    check_same_shape,
    draw_crops,
    fill_bank,
    fit_spectra_and_statistics,
    for_conditions,
)
from ctxaudio.modulation.profile import context_profile
from ctxaudio.run import Run
from ctxaudio.training import loop
from ctxaudio.training.config import SIZES, TrainingConfig
from ctxaudio.training.engine import Engine, engine_for
from ctxaudio.training.state import LATEST, Training
from ctxaudio.training.state import resume as take_up

#: Styles kept of every condition: some fifty crops of two seconds are what its clips hold.
STYLES_A_CONDITION = 48


def begin_training(
    run: Run,
    config: TrainingConfig,
    clips: PreparedClips,
    resume: bool = False,
    init_from: Path | None = None,
    from_scratch: bool = False,
    engine: Engine | None = None,
) -> Training:
    """Networks ready to train on `clips`: with the weights of the base, of the generator at `init_from` or fresh ones
    (`from_scratch`), or taken up from the checkpoint in the run's folder; on `engine`, or the one `config` asks for."""
    engine = engine or engine_for(config)
    wanted = generator_config(run, clips.condition_names, config)
    given = load_given(init_from, from_scratch, wanted, resume)
    checkpoint = run.output_dir / LATEST
    if checkpoint.exists() and not resume:
        print(f"starting anew; the earlier training in {checkpoint.parent} will be replaced (--resume takes it up)")
    torch.manual_seed(config.seed)
    random = torch.Generator().manual_seed(config.seed)
    batches = ClipBatches(clips, "train", round(config.crop_s * clips.sample_rate), config.batch_size, random)
    crops, conditions = draw_crops(batches, wanted.style_count)
    profile = context_profile(run.about)
    if given is None:
        generator = Generator(wanted, profile)
        if not resume:
            fit_spectra_and_statistics(generator, crops)
    else:
        generator = for_conditions(given[0], clips.condition_names, profile, wanted.style_count)
        print(f"starting from {init_from or 'the base that ships with ctxaudio'}", flush=True)
    if not resume:
        fill_bank(generator, crops, conditions)
    training = loop.begin(generator, batches, random, clips.context, config, engine)
    training.init_from = origin_of(given)
    return take_up(training, run.output_dir) if resume else training


def generator_config(run: Run, conditions: tuple[str, ...], config: TrainingConfig) -> GeneratorConfig:
    """The shape of the run's generator: the default one, its layers as much wider as `config.size` says, and room for
    enough styles of every condition."""
    default = GeneratorConfig(conditions, run.sample_rate, run.latent_dim)
    factor, widths = SIZES[config.size], [f.name for f in fields(default) if f.name.endswith("_width")]
    styles = max(default.style_count, STYLES_A_CONDITION * len(conditions))
    return replace(default, style_count=styles, **{name: round(factor * getattr(default, name)) for name in widths})


def load_given(
    init_from: Path | None, from_scratch: bool, wanted: GeneratorConfig, resume: bool
) -> tuple[Generator, dict[str, Any]] | None:
    """The generator to start from, the base if none is given, with what stands beside it; None `from_scratch`.

    Raises `CtxAudioError` where its shape is not `wanted`, and for arguments that exclude each other.
    """
    if init_from is not None and (resume or from_scratch):
        other = "--resume goes on" if resume else "--from_scratch begins with fresh weights"
        raise CtxAudioError(f"--init_from begins with a model's weights and {other}: give one of them")
    if from_scratch or resume:  # a checkpoint brings all weights with it
        return None
    path = init_from or BASE
    given, about = load_generator(path)
    check_same_shape(path, given.config, wanted, "pass --from_scratch" if init_from is None else "train without it")
    return given, about


def origin_of(given: tuple[Generator, dict[str, Any]] | None) -> dict[str, Any]:
    """What a model remembers of the one that it was begun from."""
    if given is None:
        return {}
    generator, about = given
    remembered = {name: about.get(name) for name in ("weights_sha256", "context", "attribution")}
    return {"conditions": list(generator.config.conditions), **remembered}
