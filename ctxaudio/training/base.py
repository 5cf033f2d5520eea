"""The base, one generator for every context: how a training begins from it, and how it is trained itself.

It learns for hours, from synthesised textures of many seeds and, where there are some, from recordings under CC0 and
CC-BY; from others never. Its style bank holds the styles of those recordings; a label that has none gets styles of
synthesised clips. A run's training begins with its weights, with another model's, with fresh ones, or where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ctxaudio.contexts import ALL
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.fsd50k import DEFAULT_LICENCES, read_index
from ctxaudio.data.prepare import ClipBatches, MixedBatches, PreparedClips, draw_crops, prepare_clips
from ctxaudio.data.selection import SelectionOptions, select_clips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import write_text, written_whole
from ctxaudio.model import GeneratorConfig, checkpoint
from ctxaudio.model.checkpoint import BASE, DISCRIMINATOR, for_conditions, load_generator, save_generator
from ctxaudio.model.generator import Generator
from ctxaudio.model.style import Style
from ctxaudio.modulation.profile import ModulationProfile, context_profile
from ctxaudio.options import Run
from ctxaudio.training import loop, state
from ctxaudio.training.config import Pretraining, Start, TrainingConfig
from ctxaudio.training.state import Training, preserve_rng

AT_ONCE = 32
#: Every third frame of a crop is enough to fit eigen-spectra to.
FRAMES_APART = 3
#: Styles kept of every condition: some fifty crops of two seconds are what its clips hold; a few ship.
STYLES_A_CONDITION, STYLES_IN_BASE = 48, 5
#: What the base is trained at, and the crops that its eigen-spectra and texture statistics are fitted to.
SAMPLE_RATE = 22050
FITTED_CROPS = 2048

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


def generator_config(run: Run, conditions: tuple[str, ...]) -> GeneratorConfig:
    """The shape of the run's generator: the default one, with room for enough styles of every condition."""
    default = GeneratorConfig(conditions, run.sample_rate, run.latent_dim)
    return replace(default, style_count=max(default.style_count, STYLES_A_CONDITION * len(conditions)))


def with_history(training: Training, given: Given | None, start: Start, output_dir: Path) -> Training:
    """The training with what came before it: the base's discriminator, a checkpoint, whose sound is in the weights."""
    if given is not None:
        generator, about = given
        names, mine = generator.config.conditions, training.generator.config.conditions
        if start.init_from is None:
            checkpoint.load_discriminator(BASE.with_name(DISCRIMINATOR), names, training.discriminator, mine)
        training.init_from = {name: about.get(name) for name in ("weights_sha256", "context", "attribution")}
        training.init_from["conditions"] = list(names)
    return state.resume(training, output_dir) if start.resume else training


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


def pretrain(what: Pretraining, config: TrainingConfig, start: Start = Start(), progress: bool = True) -> Training:
    """Train the base, from that which ships unless `from_scratch`, and save it to `what.path` with card and credits.

    `resume` goes on from the checkpoint in `what.output_dir`. Ctrl-C ends it early and still saves.
    """

    def prepared(folder: Path, **options: Any) -> PreparedClips:
        selection = select_clips(read_index(folder), ALL, SelectionOptions(**options))
        return prepare_clips(selection, what.output_dir / "prepared", SAMPLE_RATE, config.num_workers, progress)

    folders = (what.output_dir / "corpora" / f"{seed:03d}" for seed in range(what.corpora))
    corpora = [prepared(write_embedded_corpus(f, ALL.conditions, seed)) for seed, f in enumerate(folders)]
    recordings = None
    if what.data_dir is not None:  # only those that may be shipped as styles
        recordings = prepared(what.data_dir, licences=DEFAULT_LICENCES)
        print(f"recordings under {' and '.join(DEFAULT_LICENCES)}: {len(recordings.clips)} clips", flush=True)
    torch.manual_seed(config.seed)
    random = torch.Generator().manual_seed(config.seed)

    def batches_of(clips: PreparedClips) -> ClipBatches:
        return ClipBatches(clips, "train", round(config.crop_s * SAMPLE_RATE), config.batch_size, random)

    made = [batches_of(clips) for clips in corpora]
    real = [batches_of(recordings)] if recordings is not None else []
    batches = MixedBatches(real[0] if real else None, made, what.recorded_share, config.batch_size, random)
    shape = GeneratorConfig(ALL.conditions, SAMPLE_RATE, style_count=STYLES_IN_BASE * len(ALL.conditions))
    given = load_given(start, SAMPLE_RATE, shape.latent_dim)
    generator = generator_from(given, shape, ModulationProfile())
    if given is None and not start.resume:  # a checkpoint brings everything that would be fitted
        fit_spectra_and_statistics(generator, draw_crops(batches, FITTED_CROPS)[0])
    training = loop.begin(generator, batches, random, ALL.name, config)
    training = with_history(training, given, start, what.output_dir)
    loop.train(training, config, what.output_dir, progress=progress)
    with preserve_rng(training.device):
        origins = fill_bank_from(training.averaged, real, made)
    share = what.recorded_share if recordings is not None else 0.0
    facts = facts_of(training, config, recordings, corpora=what.corpora, recorded_share=share)
    save_base(what.path, training, facts | {"styles": origins})
    return training


def fill_bank_from(generator: Generator, real: Sequence[ClipBatches], made: Sequence[ClipBatches]) -> dict[str, str]:
    """Fill the bank with `STYLES_IN_BASE` styles of each condition, of the first source that has it, recordings
    before corpora. Gives back, by condition, whether its styles are of recordings or synthesised."""
    names = generator.config.conditions
    chosen: dict[int, torch.Tensor] = {}
    origins: dict[str, str] = {}
    for number, source in enumerate([*real, *made]):
        crops, conditions = draw_crops(source, 2 * STYLES_IN_BASE * len(names))
        for c in set(conditions.tolist()) - set(chosen):
            chosen[c] = crops[conditions == c][:STYLES_IN_BASE]
            origins[names[c]] = "recordings" if number < len(real) else "synthesised"
    conditions = torch.tensor([c for c in sorted(chosen) for _ in chosen[c]])
    fill_bank(generator, torch.cat([chosen[c] for c in sorted(chosen)]), conditions)
    return {name: origins[name] for name in names if name in origins}


def save_base(path: Path, training: Training, facts: dict[str, Any]) -> None:
    """Weights in 16 bits, their JSON, `MODEL_CARD.md` and `ATTRIBUTION.md`."""
    save_generator(path, training.averaged, ALL.name, facts, half=True)
    with written_whole(path.with_name(DISCRIMINATOR)) as aside:
        aside.write_bytes(checkpoint.encoded_weights(training.discriminator, half=True))
    write_text(path.with_name("MODEL_CARD.md"), model_card(training, facts))
    print(f"base: {path} ({training.step} updates, {training.seconds / 60:.0f} minutes)", flush=True)


def model_card(training: Training, facts: dict[str, Any]) -> str:
    """What the base is, what it learned from, and what it is not for, as Markdown."""

    def styles_of(kind: str) -> str:
        return ", ".join(name for name, origin in facts["styles"].items() if origin == kind) or "none"

    parameters = sum(p.numel() for p in training.averaged.parameters())
    return f"""# The base that ships with ctxaudio

A conditional generator of two-second textures and longer, {parameters:,} parameters, {len(facts["styles"])} conditions.
Made by `ctxaudio pretrain`: {training.step:,} updates, {facts["training"]["seconds"] / 3600:.1f} hours on CPU cores,
from {facts["training"]["corpora"]} synthesised corpora and {len(facts["attribution"])} recordings
({", ".join(f"{count} {licence}" for licence, count in facts["licences"].items()) or "none"}).
{"It began with the weights of the base before it, whose updates are not counted here." if facts["init_from"] else ""}

- Styles of recordings: {styles_of("recordings")}.
- Styles of synthesised clips, for want of recordings under CC0 or CC-BY: {styles_of("synthesised")}.
- Whose recordings: ATTRIBUTION.md. No audio is in the weights; a style is statistics over two seconds.
- Meant for: a first sound without training, and as the beginning of fine-tuning (`ctxaudio train`).
- Not meant for: speech, music with a melody, or any claim about health. See the README for evidence grades.
"""
