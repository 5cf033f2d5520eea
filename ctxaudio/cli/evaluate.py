"""Compare a model, or a folder of generated clips, with real clips: texture distances beside the real-to-real floor,
noise of the same spectrum and white noise, each with its interval, and a verdict; diversity, copies and recall beside
those of real clips."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ctxaudio.errors import CtxAudioError


def add_to(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--model_path", type=Path, help="the generator, whose clips are made on the spot, without modulation")
    add("--generated_dir", type=Path, help="instead: a folder of clips, sub-folders named by condition")
    add("--label", default="", help="of a --generated_dir without sub-folders: the condition of its clips")
    add("--data_dir", type=Path, help="real clips: FSD50K or a folder like --generated_dir; ./data if not given")
    add("--split", choices=("val", "eval", "train"), help="of the real clips; FSD50K: eval if there, else val")
    add("--output_dir", type=Path, default=Path("./output/evaluation"), help="for evaluation.json, .csv and .png")
    add("--num_samples", type=int, default=20, help="of a model: clips a condition")
    add("--duration", type=float, default=4.0, help="of a model: length of a clip in seconds")
    add("--modulated", action="store_true", help="of a model: clips with its modulation, to see what that changes")
    add("--sample_rate", type=int, help="of a folder: what is compared, in hertz; 22050 if not given")
    add("--seed", type=int, default=0, help="of a model's clips, the noises and the intervals")
    add("--max_clips", type=int, default=200, help="real clips of a condition and split at most")
    own = "panns, clap or vggish (of packages that you install), or module:function of your own"
    add("--embedding", action="append", default=[], metavar="NAME", help=f"distances in embeddings too: {own}")
    add("--dcase_dir", type=Path, help="of a model: write 100 clips a class in the form of DCASE 2023 task 7, too")


def run(options: argparse.Namespace) -> int:
    if (options.model_path is None) == (options.generated_dir is None):
        raise CtxAudioError("give --model_path or --generated_dir: one of them is what is evaluated")
    if options.model_path is None:
        _refuse("--generated_dir is not a model", {"--dcase_dir": options.dcase_dir, "--modulated": options.modulated})
    else:
        _refuse("--model_path", {"--label": options.label, "--sample_rate": options.sample_rate})
    if options.max_clips < 2 or options.num_samples < 2:
        raise CtxAudioError("--max_clips and --num_samples must be 2 or more: a distance needs two clips")
    if options.dcase_dir is not None:
        _export(options)
        if options.data_dir is None:
            return 0
    return _evaluate(options)


def _refuse(because: str, given: dict[str, object]) -> None:
    for name, value in given.items():
        if value:
            raise CtxAudioError(f"{because}: leave out {name}")


def _export(options: argparse.Namespace) -> None:
    from ctxaudio.evaluation.dcase import write_dcase
    from ctxaudio.model.checkpoint import load_generator
    from ctxaudio.modulation.profile import ModulationProfile

    generator, about = load_generator(options.model_path)
    profile = generator.modulation.profile if options.modulated else ModulationProfile()
    written = write_dcase(generator, about, options.dcase_dir, profile, options.seed)
    print(f"{sum(map(len, written.values()))} clips of {', '.join(written)} in {options.dcase_dir} (DCASE 2023 task 7)")


def _evaluate(options: argparse.Namespace) -> int:
    from ctxaudio.evaluation.clips import real_sound
    from ctxaudio.evaluation.embeddings import embedding_named
    from ctxaudio.evaluation.evaluate import evaluate
    from ctxaudio.evaluation.results import printed_table, write_evaluation
    from ctxaudio.files import writable_folder

    embeddings = {name: embedding_named(name) for name in options.embedding}
    writable_folder(options.output_dir)
    generated, rate, context, conditions, what, skipped = _generated(options)
    data_dir = Path("./data") if options.data_dir is None else options.data_dir
    real = real_sound(data_dir, conditions, rate, options.split, context, options.max_clips)
    evaluation = evaluate(real, generated, rate, embeddings, options.seed)
    skipped = [*real.skipped, *skipped]
    print(f"{what}, beside the {real.description}, at {rate} Hz")
    print(printed_table(evaluation.table))
    print("kernel (x1000) and frechet: generated / real-to-real floor / noise of the same spectrum / white noise")
    print("diversity and recall: generated / real; nearest training clip: distance relative to held-out real clips")
    print("[ ]: interval of 90 % over clips")
    for row in evaluation.table.to_dict("records")[:-1]:
        print(f"{row['condition']}: {row['verdict']}")
    for copy in evaluation.copies:
        print(f"copy? {copy.clip} follows {copy.training_clip} in time (correlation {copy.correlation:.2f})")
    notes = [*evaluation.notes, *(f"skipped {reason}" for reason in skipped)]
    for note in notes:
        print(f"note: {note}")
    about: dict[str, Any] = {"generated": what, "real": real.description, "sample_rate": rate, "seed": options.seed}
    write_evaluation(evaluation, options.output_dir, about | {"skipped": skipped})
    print(f"evaluation.json, .csv and .png are in {options.output_dir}")
    return 0


def _generated(
    options: argparse.Namespace,
) -> tuple[dict[str, Any], int, str | None, tuple[str, ...], str, list[str]]:
    """Clips by condition, their sample rate, the context and all conditions to look for, what they are, what failed."""
    from ctxaudio.evaluation.clips import generated_sound
    from ctxaudio.model.checkpoint import load_generator
    from ctxaudio.modulation.profile import ModulationProfile
    from ctxaudio.render.generate import generate_clips, trained_conditions

    if options.generated_dir is not None:
        rate = options.sample_rate or 22050
        sounds, skipped = generated_sound(options.generated_dir, rate, options.label)
        return sounds, rate, None, tuple(sounds), f"clips of {options.generated_dir}", skipped
    generator, about = load_generator(options.model_path)
    profile = generator.modulation.profile if options.modulated else ModulationProfile()
    names, sounds = generator.config.conditions, {}
    for condition in trained_conditions(generator):
        made = generate_clips(generator, options.num_samples, options.duration, condition, options.seed, profile)
        sounds[names[condition]] = {f"{names[condition]} {i}": clip.samples for i, clip in enumerate(made, 1)}
    how = "with its modulation" if options.modulated else "without modulation"
    what = f"{options.num_samples} clips a condition of {options.model_path}, {how}"
    return sounds, generator.config.sample_rate, about["context"], names, what, []
