"""Apply a modulation profile to any audio file, of any length: envelope rates, pulses, beats, carriers."""

from __future__ import annotations

import argparse
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal
from ctxaudio.cli.modulation_arguments import add_finish, add_modulation, finish_of, modulation_of


def add_to(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="IN", help="any format that libsndfile reads, mono or stereo")
    parser.add_argument("output", type=Path, metavar="OUT", help="a .wav, .flac, .ogg, .opus or .mp3 file")
    add_modulation(parser)
    add_finish(parser, fade_s=0.0)


def run(options: argparse.Namespace) -> int:
    from ctxaudio.provenance import evidence_line
    from ctxaudio.render.modulate import modulate_file

    modulation = modulation_of(options, options.context)
    made = modulate_file(
        options.input, options.output, modulation, finish_of(options), options.context, on_a_terminal()
    )
    print(made.summary(options.output))
    print(evidence_line(made.claims))
    return 0
