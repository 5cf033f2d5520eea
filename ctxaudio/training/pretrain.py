"""The base: one generator for every context, trained for hours on sound that may be shipped, and fine-tuned in minutes.

It learns from synthesised textures of many seeds and, where there are some, from recordings under CC0 and CC-BY; from
others never. Its style bank holds the styles of those recordings; a label that has none gets styles of synthesised
clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ctxaudio.contexts import ALL
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.fsd50k import DEFAULT_LICENCES, read_index
from ctxaudio.data.prepare import ClipBatches, MixedBatches, PreparedClips, prepare_clips
from ctxaudio.data.selection import Selection, SelectionOptions, select_clips
from ctxaudio.files import write_text
from ctxaudio.model.checkpoint import DISCRIMINATOR, save_discriminator, save_generator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.training import loop
from ctxaudio.training.config import Pretraining, Start, TrainingConfig
from ctxaudio.training.start import (
    draw_crops,
    facts_of,
    fill_bank,
    fit_spectra_and_statistics,
    generator_from,
    load_given,
    with_history,
    write_credits,
)
from ctxaudio.training.state import Training, preserve_rng

SAMPLE_RATE = 22050
#: Crops that eigen-spectra and texture statistics are fitted to, and styles kept of each condition.
FITTED_CROPS = 2048
STYLES_A_CONDITION = 5


def pretrain(what: Pretraining, config: TrainingConfig, start: Start = Start(), progress: bool = True) -> Training:
    """Train the base, from that which ships unless `from_scratch`, and save it to `what.path` with card and credits.

    `resume` goes on from the checkpoint in `what.output_dir`. Ctrl-C ends it early and still saves.
    """

    def prepared(selection: Selection) -> PreparedClips:
        return prepare_clips(selection, what.output_dir / "prepared", SAMPLE_RATE, config.num_workers, progress)

    folders = (what.output_dir / "corpora" / f"{seed:03d}" for seed in range(what.corpora))
    synthesised = (write_embedded_corpus(folder, ALL.conditions, seed) for seed, folder in enumerate(folders))
    corpora = [prepared(select_clips(read_index(folder), ALL)) for folder in synthesised]
    recordings = None
    if what.data_dir is not None:  # only those that may be shipped as styles
        shared = select_clips(read_index(what.data_dir), ALL, SelectionOptions(licences=DEFAULT_LICENCES))
        print(f"recordings under {' and '.join(DEFAULT_LICENCES)}: {len(shared.clips)} clips", flush=True)
        recordings = prepared(shared)
    torch.manual_seed(config.seed)
    random = torch.Generator().manual_seed(config.seed)

    def batches_of(clips: PreparedClips) -> ClipBatches:
        return ClipBatches(clips, "train", round(config.crop_s * SAMPLE_RATE), config.batch_size, random)

    made = [batches_of(clips) for clips in corpora]
    real = batches_of(recordings) if recordings is not None else None
    batches = MixedBatches(real, made, what.recorded_share, config.batch_size, random)
    model = GeneratorConfig(ALL.conditions, SAMPLE_RATE, style_count=STYLES_A_CONDITION * len(ALL.conditions))
    given = load_given(start, SAMPLE_RATE, model.latent_dim)
    generator = generator_from(given, model, ModulationProfile())
    if given is None and not start.resume:  # a checkpoint brings everything that would be fitted
        fit_spectra_and_statistics(generator, draw_crops(batches, FITTED_CROPS)[0])
    training = with_history(loop.begin(generator, batches, random, ALL.name, config), given, start, what.output_dir)
    loop.train(training, config, what.output_dir, progress=progress)
    with preserve_rng(training.device):
        sources = ([] if real is None else [real]) + made
        origins = fill_bank_from(training.averaged, sources, real is not None)
    save_base(what, training, config, recordings, origins)
    return training


def fill_bank_from(generator: Generator, sources: Sequence[ClipBatches], recordings_first: bool) -> dict[str, str]:
    """Fill the bank with `STYLES_A_CONDITION` styles of each condition from the first of `sources` that has it.

    Gives back, by condition, whether its styles are of recordings or synthesised.
    """
    names = generator.config.conditions
    crops: dict[int, list[Tensor]] = {c: [] for c in range(len(names))}
    origins: dict[str, str] = {}
    for number, source in enumerate(sources):
        missing = {c for c, found in crops.items() if not found}
        found, conditions = draw_crops(source, 2 * STYLES_A_CONDITION * len(names))
        for crop, c in zip(found, conditions.tolist(), strict=True):
            if c in missing and len(crops[c]) < STYLES_A_CONDITION:
                crops[c].append(crop)
                origins[names[c]] = "recordings" if recordings_first and number == 0 else "synthesised"
    chosen = [(c, crop) for c, found in crops.items() for crop in found]
    fill_bank(generator, torch.stack([crop for _, crop in chosen]), torch.tensor([c for c, _ in chosen]))
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
    facts = facts_of(training, config, recordings, corpora=what.corpora, recorded_share=share) | {"styles": origins}
    path = save_generator(what.path, training.averaged, ALL.name, facts, half=True)
    save_discriminator(path.with_name(DISCRIMINATOR), training.discriminator)
    write_credits(path, facts["attribution"])
    write_text(path.with_name("MODEL_CARD.md"), model_card(training, facts))
    print(f"base: {path} ({training.step} updates, {training.seconds / 60:.0f} minutes)", flush=True)


def model_card(training: Training, facts: dict[str, Any]) -> str:
    """What the base is, what it learned from, and what it is not for, as Markdown."""
    by_origin = {
        kind: ", ".join(name for name, origin in facts["styles"].items() if origin == kind)
        for kind in ("recordings", "synthesised")
    }
    parameters = sum(p.numel() for p in training.averaged.parameters())
    return f"""# The base that ships with ctxaudio

A conditional generator of two-second textures and longer, {parameters:,} parameters, {len(facts["styles"])} conditions.
Made by `ctxaudio pretrain`: {training.step:,} updates, {facts["training"]["seconds"] / 3600:.1f} hours on CPU cores,
from {facts["training"]["corpora"]} synthesised corpora and {len(facts["attribution"])} recordings
({", ".join(f"{count} {licence}" for licence, count in facts["licences"].items()) or "none"}).
{"It began with the weights of the base before it, whose updates are not counted here." if facts["init_from"] else ""}

- Styles of recordings: {by_origin["recordings"] or "none"}.
- Styles of synthesised clips, for want of recordings under CC0 or CC-BY: {by_origin["synthesised"] or "none"}.
- Whose recordings: ATTRIBUTION.md. No audio is in the weights; a style is statistics over two seconds.
- Meant for: a first sound without training, and as the beginning of fine-tuning (`ctxaudio train`).
- Not meant for: speech, music with a melody, or any claim about health. See the README for evidence grades.
"""
