"""Does the network count? Every condition with recordings, with the network off and on, before and after fine-tuning.

python tests/benchmarks/proof.py train    --data_dir DIR --work DIR [--updates 2400] [--only sleep-tuned ...]
python tests/benchmarks/proof.py generate --data_dir DIR --work DIR [--count 60]
JUDGE_PYTHON tests/benchmarks/proof.py judge --data_dir DIR --work DIR --judge JUDGE.py
python tests/benchmarks/proof.py table    --work DIR --store ctxaudio/stored_results.csv

`judge` runs JUDGE.py, a script with the command line `--data DIR --split SPLIT --label LABEL --fake FOLDER` that prints
a JSON object with `kad`, `hit@5` and `real_hit@5`. It compares with the evaluation clips; where a label has fewer than
three of them, with those of both splits, and the table says so. Nothing is chosen by what the judge finds.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import subprocess
import sys
from pathlib import Path

CONTEXTS = ("sleep", "relaxation", "meditation", "focus", "energy")
#: Trainings beside base + updates, of these contexts: arguments of `TrainingConfig`, and whether from fresh weights.
ABLATED = ("sleep", "relaxation")
ABLATIONS: dict[str, tuple[dict[str, float], bool]] = {
    "tuned": ({}, False),
    "scratch": ({}, True),
    "no_adversarial": ({"lambda_adversarial": 0.0}, False),
    "no_texture": ({"lambda_texture": 0.0}, False),
}
SEEDS = {"tuned_seed1": 1, "tuned_seed2": 2}
SECONDS = 4.0
FEWEST_EVAL_CLIPS = 3
COLUMNS = ("context", "condition", "variant", "split", "clips", "kad", "hit5", "hit5_real", "minutes", "steps")


def jobs() -> list[tuple[str, str]]:
    """Context and variant of every training."""
    some = [(context, variant) for context in ABLATED for variant in ABLATIONS if variant != "tuned"]
    return [(context, "tuned") for context in CONTEXTS] + some + [(c, variant) for c in ABLATED for variant in SEEDS]


def train(options: argparse.Namespace) -> None:
    import torch

    from ctxaudio import pipeline
    from ctxaudio.data.prepare import ClipBatches
    from ctxaudio.options import Run
    from ctxaudio.training.config import NO_LIMIT_OF_EPOCHS, Start, TrainingConfig

    torch.set_num_threads(options.threads)
    for context, variant in jobs():
        folder = options.work / f"{context}-{variant}"
        if (options.only and folder.name not in options.only) or (folder / "models").exists():
            continue
        changed, scratch = ABLATIONS.get(variant, ({}, False))
        run = Run(context=context, data_dir=options.data_dir, output_dir=folder)
        clips = pipeline.prepare(run, 1, progress=False)
        epoch = ClipBatches(clips, "train", round(2.0 * clips.sample_rate), 16, torch.Generator()).steps_per_epoch
        config = TrainingConfig(
            num_epochs=-(-options.updates // epoch),  # updates, not minutes: the same on a busy machine
            sample_interval=NO_LIMIT_OF_EPOCHS,
            save_interval=NO_LIMIT_OF_EPOCHS,
            seed=SEEDS.get(variant, 0),
            num_workers=1,
            **changed,
        )
        pipeline.train(run, config, Start(from_scratch=scratch), progress=False)


def generate(options: argparse.Namespace) -> None:
    """`work/clips/CONTEXT/VARIANT/CONDITION/*.wav`: of the base, of every training, of each with the network off."""
    import torch

    from ctxaudio import pipeline
    from ctxaudio.contexts import CONTEXTS as ABOUT
    from ctxaudio.model.checkpoint import BASE, for_conditions, load_generator
    from ctxaudio.modulation.profile import ModulationProfile
    from ctxaudio.options import Run

    torch.set_num_threads(options.threads)
    for context in CONTEXTS:
        run = Run(context=context, data_dir=options.data_dir, output_dir=options.work / "prepared" / context)
        clips = pipeline.prepare(run, 1, progress=False)
        write_real(clips, options.work / "clips" / context / "real", options.count)
        base = for_conditions(load_generator(BASE)[0], ABOUT[context].conditions, ModulationProfile()).eval()
        made = {"base": base, "base_off": network_off(base)}
        for of, variant in jobs():
            path = options.work / f"{of}-{variant}" / "models" / "generator_final.safetensors"
            if of == context and path.exists():
                made[variant] = load_generator(path)[0]
                if variant == "tuned":
                    made["off"] = network_off(made["tuned"])
                    made["off_at_rates"] = network_off(made["tuned"], at_rates=True)
        for variant, generator in made.items():
            conditions = [c for c in range(len(clips.condition_names)) if clips.of("train", c)]
            write_generated(generator, conditions, options.work / "clips" / context / variant, options.count)


def network_off(generator, at_rates: bool = False):
    """A copy of the generator with courses of noise, of deviation 1 as those of clips, in place of the network's;
    `at_rates`, filtered to the style's rates, as the network's are."""
    from ctxaudio.model.courses import impose_rates
    from ctxaudio.model.generator import unit_courses

    generator = copy.deepcopy(generator)

    def courses(latent, condition, style, noise_courses, random=None):
        made = unit_courses(noise_courses)
        return unit_courses(impose_rates(made, style.rates, generator.config.frame_rate)) if at_rates else made

    generator.courses = courses
    return generator


def write_generated(generator, conditions: list[int], folder: Path, count: int) -> None:
    from ctxaudio.modulation.profile import ModulationProfile
    from ctxaudio.render.generate import generate_clips
    from ctxaudio.signal.audio import write_audio

    known = set(generator.bank.conditions.tolist())
    for c in conditions:
        target = folder / generator.config.conditions[c]
        if c not in known or len(list(target.glob("*.wav"))) >= count:
            continue
        for i, clip in enumerate(generate_clips(generator, count, SECONDS, c, 0, ModulationProfile())):
            write_audio(target / f"{i:02d}.wav", clip.samples, generator.config.sample_rate)


def write_real(clips, folder: Path, count: int) -> None:
    """Crops of 4 s of the training clips: what a generator that repeats them would get."""
    import torch

    from ctxaudio.data.prepare import ClipBatches
    from ctxaudio.signal.audio import write_audio

    found: dict[int, int] = {c: 0 for c in range(len(clips.condition_names)) if clips.of("train", c)}
    batches = ClipBatches(clips, "train", round(SECONDS * clips.sample_rate), 16, torch.Generator().manual_seed(5))
    while min(found.values()) < count:
        batch = batches.next()
        for crop, c in zip(batch.audio, batch.condition.tolist(), strict=True):
            if found[c] < count:
                write_audio(folder / clips.condition_names[c] / f"{found[c]:02d}.wav", crop.numpy(), clips.sample_rate)
                found[c] += 1


def split_for(data_dir: Path, label: str) -> str:
    with (data_dir / "FSD50K.ground_truth" / "eval.csv").open() as file:
        held_out = sum(label in row["labels"].split(",") for row in csv.DictReader(file))
    return "eval" if held_out >= FEWEST_EVAL_CLIPS else "both"


def judge(options: argparse.Namespace) -> None:
    """`work/judged.json`: what the judge printed for each folder; folders that are there already are left out."""
    stored = options.work / "judged.json"
    found = json.loads(stored.read_text()) if stored.exists() else {}
    for folder in sorted((options.work / "clips").glob("*/*/*")):
        name = "/".join(folder.parts[-3:])
        if name in found:
            continue
        split = split_for(options.data_dir, folder.name)
        command = [sys.executable, str(options.judge), "--data", str(options.data_dir), "--split", split]
        command += ["--label", folder.name, "--fake", str(folder)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[name] = {**json.loads(printed), "split": split}
        stored.write_text(json.dumps(found, indent=1))
        print(name, found[name]["kad"], found[name]["hit@5"], flush=True)


def table(options: argparse.Namespace) -> None:
    """A row for each context, condition and variant, as CSV."""
    rows = []
    for name, printed in json.loads((options.work / "judged.json").read_text()).items():
        context, variant, condition = name.split("/")
        beside = options.work / f"{context}-{'tuned' if variant.startswith('off') else variant}" / "models"
        about = beside / "generator_final.json"
        training = json.loads(about.read_text())["training"] if about.exists() else {}
        minutes, steps = round(training.get("seconds", 0) / 60, 1), training.get("steps", 0)
        of_judge = (printed["kad"], printed["hit@5"], printed["real_hit@5"])
        rows.append((context, condition, variant, printed["split"], printed["fake_clips"], *of_judge, minutes, steps))
    with options.store.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(rows))
    print(f"{options.store}: {len(rows)} rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("train", "generate", "judge", "table"))
    parser.add_argument("--data_dir", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--updates", type=int, default=2400)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", metavar="CONTEXT-VARIANT")
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--store", type=Path, default=Path("ctxaudio/stored_results.csv"))
    options = parser.parse_args()
    {"train": train, "generate": generate, "judge": judge, "table": table}[options.step](options)


if __name__ == "__main__":
    main()
