"""Generate WAV files with a trained generator."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ctxaudio.cli.arguments import add_common, on_a_terminal
from ctxaudio.options import add_dataclass, check_ranges, from_options, option

_EMPHASIS = "replaces the context's default; nothing after it switches that off"


@dataclass(frozen=True)
class Generation:
    """What is generated, beside the common arguments."""

    model_path: Path | None = option(None, "generator_final.safetensors; without it the base that ships with ctxaudio")
    num_samples: int = option(5, "clips", least=1)
    focus_condition: str = option("-1", "name or index of the condition; -1 random", metavar="CONDITION")
    overwrite: bool = option(False, "replace the clips of an earlier generate in the folder")
    beyond_comfort: bool = option(False, "allow depths that are rough or pump")
    bands: tuple[str, ...] | None = option(None, f"such as alpha=0.3; {_EMPHASIS}", metavar="NAME=DEPTH")
    targets: tuple[str, ...] | None = option(None, f"such as earth=0.5; {_EMPHASIS}", metavar="NAME=DEPTH")

    def __post_init__(self) -> None:
        check_ranges(self)


def add_to(parser: argparse.ArgumentParser) -> None:
    add_common(parser)
    add_dataclass(parser, Generation)


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ctxaudio.contexts import context_named
    from ctxaudio.modulation.named import check_comfort, chosen_profile
    from ctxaudio.provenance import claims_of, evidence_line
    from ctxaudio.render.generate import generate_clips, model_for, write_clips

    asked = from_options(Generation, options)
    # what is left at its default, the model knows
    names = ("context", "sample_rate", "latent_dim")
    known = (getattr(options, name) if name in options.given else None for name in names)
    generator, about = model_for(asked.model_path, *known)
    context = context_named(about["context"])
    profile = generator.modulation.profile
    if asked.bands is not None or asked.targets is not None:
        profile = chosen_profile(context, asked.bands, asked.targets)
    if not asked.beyond_comfort:
        check_comfort((rate.rate_hz, rate.depth) for rate in profile.rates)
    count = asked.num_samples
    clips = generate_clips(generator, count, options.duration, asked.focus_condition, options.seed, profile)
    shown = tqdm(clips, "generating", count, unit="clip", delay=1, disable=not on_a_terminal())
    for path in write_clips(shown, options.output_dir, about, asked.overwrite):
        print(path)
    print(evidence_line(claims_of(context, profile)))
    return 0
