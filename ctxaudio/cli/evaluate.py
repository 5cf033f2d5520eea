"""Compare a model, or a folder of generated clips, with real clips: texture distances beside the real-to-real floor,
noise of the same spectrum and white noise, each with its interval, and a verdict; diversity, copies and recall beside
those of real clips."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ctxaudio.errors import CtxAudioError
from ctxaudio.options import Options, add_dataclass, from_options, option


@dataclass(frozen=True)
class Evaluation(Options):
    """What is compared with what."""

    model_path: Path | None = option(None, "the generator, whose clips are made on the spot, without modulation")
    generated_dir: Path | None = option(
        None, "instead: clips that generate wrote, or a folder (or sub-folders) of a label"
    )
    data_dir: Path = option(Path("./data"), "real clips: FSD50K or a folder like --generated_dir")
    split: Literal["val", "eval", "train"] | None = option(None, "of the real clips; FSD50K: eval if there, else val")
    output_dir: Path = option(Path("./output/evaluation"), "for evaluation.json, .csv and .png")
    num_samples: int = option(20, "of a model: clips a condition", least=2)  # a distance needs two
    duration: float = option(4.0, "of a model: length of a clip in seconds", least=0.4, most=600)
    sample_rate: int | None = option(
        None, "of a folder: what is compared, in hertz; 22050 if not given", least=8000, most=48000
    )
    seed: int = option(0, "of a model's clips, the noises and the intervals", least=0, most=2**31 - 1)


def add_to(parser: argparse.ArgumentParser) -> None:
    add_dataclass(parser, Evaluation)


def run(given: argparse.Namespace) -> int:
    options = from_options(Evaluation, given)
    if (options.model_path is None) == (options.generated_dir is None):
        raise CtxAudioError("give --model_path or --generated_dir: one of them is what is evaluated")
    if options.model_path is not None and options.sample_rate:
        raise CtxAudioError("--model_path knows its sample rate: leave out --sample_rate")

    from ctxaudio.evaluation.evaluate import evaluate, generated_clips, printed_table, write_evaluation
    from ctxaudio.evaluation.sounds import generated_sound, real_sound
    from ctxaudio.files import writable_folder
    from ctxaudio.model.checkpoint import load_generator
    from ctxaudio.modulation.profile import ModulationProfile

    writable_folder(options.output_dir)
    if options.generated_dir is not None:
        rate, context, what = options.sample_rate or 22050, None, f"clips of {options.generated_dir}"
        generated, skipped = generated_sound(options.generated_dir, rate)
        conditions = tuple(generated)
    else:
        assert options.model_path is not None
        generator, about = load_generator(options.model_path)
        plain, skipped = ModulationProfile(), []
        generated = generated_clips(generator, options.num_samples, options.duration, options.seed, plain)
        rate, context, conditions = generator.config.sample_rate, about["context"], generator.config.conditions
        what = f"{options.num_samples} clips a condition of {options.model_path}, without modulation"
    real = real_sound(options.data_dir, conditions, rate, options.split, context)
    evaluation = evaluate(real, generated, rate, options.seed)
    skipped = [*real.skipped, *skipped]
    print(f"{what}, beside the {real.description}, at {rate} Hz")
    print(printed_table(evaluation.table))
    print("kernel: distance to real clips, x1000; _low, _high: interval of 90 % over clips")
    for row in evaluation.table.to_dict("records")[:-1]:
        print(f"{row['condition']}: {row['verdict']}")
    for copy in evaluation.copies:
        print(f"copy? {copy.clip} follows {copy.training_clip} in time (correlation {copy.correlation:.2f})")
    for note in [*evaluation.notes, *(f"skipped {reason}" for reason in skipped)]:
        print(f"note: {note}")
    about_sets = {"generated": what, "real": real.description, "sample_rate": rate, "seed": options.seed}
    write_evaluation(evaluation, options.output_dir, about_sets | {"skipped": skipped})
    print(f"evaluation.json, .csv and .png are in {options.output_dir}")
    print(f"verdict: {evaluation.verdict}")
    return 0
