"""The base: one generator for every context, trained for hours on sound that may be shipped, and fine-tuned in minutes.

It learns from synthesised textures of many seeds and, where there are some, from recordings under CC0 and CC-BY; from
others never. Its style bank holds the styles of those recordings; a label that has none gets styles of synthesised
clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ctxaudio.contexts import ALL
from ctxaudio.data.batches import ClipBatches, MixedBatches
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.fsd50k import DEFAULT_LICENCES, read_index
from ctxaudio.data.prepare import PreparedClips, prepare_clips
from ctxaudio.data.selection import SelectionOptions, select_clips
from ctxaudio.files import write_text, written_whole
from ctxaudio.model.checkpoint import DISCRIMINATOR, encoded_weights, for_conditions, save_generator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.training import loop, start
from ctxaudio.training.config import Pretraining, Start, TrainingConfig
from ctxaudio.training.state import Training, preserve_rng

SAMPLE_RATE = 22050
#: Crops that eigen-spectra and texture statistics are fitted to, and styles kept of each condition.
FITTED_CROPS = 2048
STYLES_A_CONDITION = 5


def pretrain(what: Pretraining, config: TrainingConfig, begin: Start = Start(), progress: bool = True) -> Training:
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
    shape = GeneratorConfig(ALL.conditions, SAMPLE_RATE, style_count=STYLES_A_CONDITION * len(ALL.conditions))
    given = start.load_given(begin, SAMPLE_RATE, shape.latent_dim)
    if given is not None:
        generator = for_conditions(given[0], shape.conditions, ModulationProfile(), shape.style_count)
    else:
        generator = Generator(shape, ModulationProfile())
        if not begin.resume:  # a checkpoint brings everything that would be fitted
            start.fit_spectra_and_statistics(generator, start.draw_crops(batches, FITTED_CROPS)[0])
    training = loop.begin(generator, batches, random, ALL.name, config)
    training = start.with_history(training, given, begin, what.output_dir)
    loop.train(training, config, what.output_dir, progress=progress)
    with preserve_rng(training.device):
        origins = fill_bank_from(training.averaged, real, made)
    save_base(what, training, config, recordings, origins)
    return training


def fill_bank_from(generator: Generator, real: Sequence[ClipBatches], made: Sequence[ClipBatches]) -> dict[str, str]:
    """Fill the bank with `STYLES_A_CONDITION` styles of each condition, of the first source that has it, recordings
    before corpora. Gives back, by condition, whether its styles are of recordings or synthesised."""
    names = generator.config.conditions
    chosen: dict[int, torch.Tensor] = {}
    origins: dict[str, str] = {}
    for number, source in enumerate([*real, *made]):
        crops, conditions = start.draw_crops(source, 2 * STYLES_A_CONDITION * len(names))
        for c in set(conditions.tolist()) - set(chosen):
            chosen[c] = crops[conditions == c][:STYLES_A_CONDITION]
            origins[names[c]] = "recordings" if number < len(real) else "synthesised"
    conditions = torch.tensor([c for c in sorted(chosen) for _ in chosen[c]])
    start.fill_bank(generator, torch.cat([chosen[c] for c in sorted(chosen)]), conditions)
    return {name: origins[name] for name in names if name in origins}


def save_base(
    what: Pretraining,
    training: Training,
    config: TrainingConfig,
    recordings: PreparedClips | None,
    origins: dict[str, str],
) -> None:
    """Weights in 16 bits, their JSON, `MODEL_CARD.md` and `ATTRIBUTION.md`."""
    share = what.recorded_share if recordings is not None else 0.0
    facts = start.facts_of(training, config, recordings, corpora=what.corpora, recorded_share=share)
    facts["styles"] = origins
    path = save_generator(what.path, training.averaged, ALL.name, facts, half=True)
    with written_whole(path.with_name(DISCRIMINATOR)) as aside:
        aside.write_bytes(encoded_weights(training.discriminator, half=True))
    start.write_credits(path, facts["attribution"])
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
