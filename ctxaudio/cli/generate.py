"""Generate WAV files with a trained generator."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import add_common, on_a_terminal


def add_to(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    parser.set_defaults(context=None, sample_rate=None, latent_dim=None)  # the model knows; the base is for sleep
    add = parser.add_argument
    add("--model_path", type=Path, help="generator_final.safetensors; without it the base that ships with ctxaudio")
    add("--num_samples", type=int, default=5, help="clips")
    add("--focus_condition", default=-1, metavar="CONDITION", help="name or index of the condition; -1 random")
    add("--overwrite", action="store_true", help="replace the clips of an earlier generate in the folder")
    add("--beyond_comfort", action="store_true", help="allow depths that are rough or pump")
    emphasis = "replaces the context's default; nothing after it switches that off"
    add("--bands", nargs="*", metavar="NAME=DEPTH", help=f"such as alpha=0.3; {emphasis}")
    add("--targets", nargs="*", metavar="NAME=DEPTH", help=f"such as earth=0.5; {emphasis}")


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ctxaudio.contexts import context_named
    from ctxaudio.modulation.named import check_comfort, chosen_profile
    from ctxaudio.provenance import claims_of, evidence_line
    from ctxaudio.render.generate import generate_clips, model_for, write_clips

    generator, about = model_for(options.model_path, options.context, options.sample_rate, options.latent_dim)
    context = context_named(about["context"])
    profile = generator.modulation.profile
    if options.bands is not None or options.targets is not None:
        profile = chosen_profile(context, options.bands, options.targets)
    if not options.beyond_comfort:
        check_comfort((rate.rate_hz, rate.depth) for rate in profile.rates)
    count = options.num_samples
    clips = generate_clips(generator, count, options.duration, options.focus_condition, options.seed, profile)
    shown = tqdm(clips, "generating", count, unit="clip", delay=1, disable=not on_a_terminal())
    for path in write_clips(shown, options.output_dir, about, options.overwrite):
        print(path)
    print(evidence_line(claims_of(context, profile)))
    return 0
