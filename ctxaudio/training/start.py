"""How a run's training begins: with the weights of the base, of another model or fresh ones, or where it stopped."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctxaudio.data.fsd50k import FSD50K_CREDIT
from ctxaudio.data.prepare import Batches, ClipBatches, PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.model.checkpoint import BASE, DISCRIMINATOR, for_conditions, load_discriminator, load_generator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.style_bank import Style
from ctxaudio.modulation.profile import ModulationProfile, context_profile
from ctxaudio.provenance import ATTRIBUTION, Credit, freesound_link, write_attribution
from ctxaudio.run import Run
from ctxaudio.training import loop
from ctxaudio.training.config import Start, TrainingConfig
from ctxaudio.training.state import Training
from ctxaudio.training.state import resume as take_up

#: A crop from a pause in its clip, which is at -26 dB on the whole, is no style to generate a sound of.
QUIETEST_STYLE_DB = -60.0
AT_ONCE = 32
#: Every third frame of a crop is enough to fit eigen-spectra to.
FRAMES_APART = 3
#: Styles kept of every condition: some fifty crops of two seconds are what its clips hold.
STYLES_A_CONDITION = 48

#: A generator to start from, and what stands beside its weights.
Given = tuple[Generator, dict[str, Any]]


def begin_training(
    run: Run, config: TrainingConfig, clips: PreparedClips, start: Start = Start(), given: Given | None = None
) -> Training:
    """Networks ready to train on `clips`, from where `start` says: the weights of the base, of another generator or
    fresh ones, or the checkpoint in the run's folder. `given` is what `load_given` found, if called before."""
    wanted = generator_config(run, clips.condition_names)
    given = given or load_given(start, run.sample_rate, run.latent_dim)
    torch.manual_seed(config.seed)
    random = torch.Generator().manual_seed(config.seed)
    batches = ClipBatches(clips, "train", round(config.crop_s * clips.sample_rate), config.batch_size, random)
    generator = generator_from(given, wanted, context_profile(run.about))
    if not start.resume:
        crops, conditions = draw_crops(batches, wanted.style_count)
        if given is None:
            fit_spectra_and_statistics(generator, crops)
        fill_bank(generator, crops, conditions)
    if given is not None:
        print(f"starting from {start.init_from or 'the base that ships with ctxaudio'}", flush=True)
    training = loop.begin(generator, batches, random, clips.context, config)
    return with_history(training, given, start, run.output_dir)


def generator_from(given: Given | None, wanted: GeneratorConfig, profile: ModulationProfile) -> Generator:
    """A generator of the shape `wanted`, with fresh weights if none are given; its bank is empty."""
    if given is None:
        return Generator(wanted, profile)
    return for_conditions(given[0], wanted.conditions, profile, wanted.style_count)


def with_history(training: Training, given: Given | None, start: Start, output_dir: Path) -> Training:
    """The training with what came before it: the base's discriminator, a checkpoint, whose sound is in the weights."""
    if given is not None:
        generator, about = given
        names = generator.config.conditions
        if start.init_from is None:
            mine = training.generator.config.conditions
            load_discriminator(BASE.with_name(DISCRIMINATOR), names, training.discriminator, mine)
        remembered = {name: about.get(name) for name in ("weights_sha256", "context", "attribution")}
        training.init_from = {"conditions": list(names), **remembered}
    return take_up(training, output_dir) if start.resume else training


def generator_config(run: Run, conditions: tuple[str, ...]) -> GeneratorConfig:
    """The shape of the run's generator: the default one, with room for enough styles of every condition."""
    default = GeneratorConfig(conditions, run.sample_rate, run.latent_dim)
    return replace(default, style_count=max(default.style_count, STYLES_A_CONDITION * len(conditions)))


def load_given(start: Start, sample_rate: int, latent_dim: int) -> Given | None:
    """The generator to start from, the base if none is named, with what stands beside it; None where a checkpoint or
    fresh weights are wanted.

    Raises `CtxAudioError` where its sample rate or latent is another, and for arguments that exclude each other.
    """
    if start.init_from is not None and (start.resume or start.from_scratch):
        other = "--resume goes on" if start.resume else "--from_scratch begins with fresh weights"
        raise CtxAudioError(f"--init_from begins with a model's weights and {other}: give one of them")
    if start.from_scratch or start.resume:  # a checkpoint brings all weights with it
        return None
    path = start.init_from or BASE
    given, about = load_generator(path)
    for name, here in (("sample_rate", sample_rate), ("latent_dim", latent_dim)):
        there = getattr(given.config, name)
        if there != here:
            mend = "pass --from_scratch" if start.init_from is None else "train without it"
            raise CtxAudioError(f"{path.name} has {name} {there}, not {here}: {mend}, or leave out --{name}")
    return given, about


def draw_crops(batches: Batches, count: int) -> tuple[Tensor, Tensor]:
    """`count` crops `[N, T]` of training clips and their conditions `[N]`, but for those from a pause."""
    drawn = [batches.next() for _ in range(math.ceil(count / len(batches.next().audio)))]
    crops, conditions = torch.cat([b.audio for b in drawn])[:count], torch.cat([b.condition for b in drawn])[:count]
    audible = crops.square().mean(1) > 10 ** (QUIETEST_STYLE_DB / 10)
    return crops[audible], conditions[audible]


@torch.no_grad()
def fit_spectra_and_statistics(generator: Generator, crops: Tensor) -> None:
    """Fit what a generator from scratch needs, and one from a base has: eigen-spectra and texture statistics."""
    parts = crops.split(AT_ONCE)
    generator.spectra.fit(torch.cat([generator.picture(part)[..., ::FRAMES_APART] for part in parts]))
    count = generator.config.courses
    found = [generator.spectra.analyse(generator.picture(part), count).courses for part in parts]
    generator.statistics.fit(torch.cat(found))


@torch.no_grad()
def fill_bank(generator: Generator, crops: Tensor, conditions: Tensor) -> None:
    """Put the styles of `crops` `[N, T]` of `conditions` `[N]` into the generator's bank."""
    styles = [generator.style_of(part) for part in crops.split(AT_ONCE)]
    generator.bank.fill(Style(*map(torch.cat, zip(*styles, strict=True))), conditions)


def facts_of(training: Training, config: TrainingConfig, clips: PreparedClips | None, **more: object) -> dict[str, Any]:
    """What stands beside a model: how it was trained (and `more` of that), on what, and whose sound is in it."""
    attribution = [
        {"clip": clip.clip_id, "title": clip.title, "uploader": clip.uploader, "licence": clip.licence}
        for clip in ([clips.clips[i] for i in clips.of("train")] if clips is not None else [])
    ]
    earlier = training.init_from.get("attribution") or []  # of the model it began from, whose clips stay in it
    attribution += [entry for entry in earlier if entry not in attribution]
    return {
        "training": {
            "config": asdict(config),
            "steps": training.step,
            "epochs": training.epoch,
            "seconds": round(training.seconds, 1),
            "interrupted": training.interrupted,
            **more,
        },
        "clips": clips.counts() if clips is not None else {},
        "licences": dict(Counter(entry["licence"] for entry in attribution).most_common()),
        "attribution": attribution,
        "init_from": {name: value for name, value in training.init_from.items() if name != "attribution"} or None,
    }


def write_credits(model_path: Path, attribution: list[dict[str, str]]) -> None:
    """Write `ATTRIBUTION.md` beside the model."""
    credits = [Credit(entry["clip"], entry["title"], entry["uploader"], entry["licence"]) for entry in attribution]
    about = f"The sound that the generator {model_path.name} was trained on."
    if any(freesound_link(credit.clip_id) for credit in credits):
        about += f" {FSD50K_CREDIT}"
    write_attribution(model_path.with_name(ATTRIBUTION), credits, about)


def check_device(name: str) -> None:
    """Refuse a device that is not there, or that can't hold a number."""
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise CtxAudioError(f"device {name!r} is not to be had here: use --device cpu") from error
