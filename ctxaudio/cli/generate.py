"""Generate WAV files with a trained generator."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import add_common, run_of


def add_to(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    add = parser.add_argument
    add("--model_path", type=Path, help="generator_final.safetensors; without it the base that ships with ctxaudio")
    add("--num_samples", type=int, default=5, help="clips")
    add("--focus_condition", type=int, default=-1, help="index of the condition; -1 random")
    add("--beyond_comfort", action="store_true", help="allow depths that are rough or pump")
    emphasis = "replaces the context's default; nothing after it switches that off"
    add("--bands", nargs="*", metavar="NAME=DEPTH", help=f"such as alpha=0.3; {emphasis}")
    add("--targets", nargs="*", metavar="NAME=DEPTH", help=f"such as earth=0.5; {emphasis}")


def run(options: argparse.Namespace) -> int:
    from ctxaudio import pipeline
    from ctxaudio.files import read_json
    from ctxaudio.model.checkpoint import BASE
    from ctxaudio.modulation.named import check_comfort, chosen_profile
    from ctxaudio.modulation.profile import ModulationProfile
    from ctxaudio.provenance import claims_of, evidence_line

    run = run_of(options)
    model_path = options.model_path or BASE
    profile = None
    if options.bands is not None or options.targets is not None:
        profile = chosen_profile(run.about, options.bands, options.targets)
        if not options.beyond_comfort:
            check_comfort((rate.rate_hz, rate.depth) for rate in profile.rates)
    paths = pipeline.generate(
        run, options.num_samples, options.focus_condition, model_path, profile, options.output_dir
    )
    for path in paths:
        print(path)
    written = read_json(paths[0].with_name("generated.json"))["profile"]  # the model's own, where none was asked for
    print(evidence_line(claims_of(run.about, ModulationProfile.from_dict(written))))
    return 0
