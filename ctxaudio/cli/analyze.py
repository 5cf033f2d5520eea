"""Measure every sound in a folder, against another folder, or one file over time: a table, its JSON and a picture."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ctxaudio.cli.arguments import on_a_terminal, refuse
from ctxaudio.options import Options, add_dataclass, from_options, option


@dataclass(frozen=True)
class Analysis(Options):
    """What is measured and how."""

    directory: Path = option(..., "a folder of clips, or one file of any length", metavar="PATH", flag="directory")
    output_dir: Path | None = option(None, "for the CSV, JSON and PNG; where the sound is if not given")
    against: Path | None = option(None, "compare with the clips of this folder: the sham", metavar="DIR")
    rates_hz: tuple[float, ...] = option((), "rates to measure besides the targets", metavar="RATE")
    num_workers: int | None = option(None, "processes that analyse; as many as pay off if not given", least=1)
    window_s: float | None = option(None, "of a file: seconds a measurement; 30 if the file is long", above=0)
    psychoacoustics: bool = option(False, "of a folder: loudness in sone and roughness too; slow")


def add_to(parser: argparse.ArgumentParser) -> None:
    add_dataclass(parser, Analysis)


def run(given: argparse.Namespace) -> int:
    options = from_options(Analysis, given)
    path = options.directory
    if path.is_file():
        for_folders = {"--against": options.against, "--num_workers": options.num_workers}
        refuse(f"{path} is a file", for_folders | {"--psychoacoustics": options.psychoacoustics})
        return _file(options)
    refuse(f"{path} is not a file", {"--window_s": options.window_s})

    from ctxaudio.evaluation.folders import batch_analyze_frequencies, compare_folders
    from ctxaudio.evaluation.measures import ASSUMED_LEVEL

    workers, progress = options.num_workers, on_a_terminal()
    if options.against is not None:
        refuse("--against compares", {"--psychoacoustics": options.psychoacoustics})
        table = compare_folders(path, options.against, options.output_dir, workers, progress, options.rates_hz)
        print(table.round(4).to_string(index=False, na_rep=""))
        print(f"test: {table.attrs['test']}; p_holm is corrected for {len(table)} measures (Holm)")
        print(f"different: {', '.join(table.attrs['significant']) or 'nothing'}")
        if table.attrs["smallest_p_holm"] >= 0.05:
            print("so few clips can't show a difference, whatever it is: give more of them")
        return _written("comparison", options.output_dir or path)
    table = batch_analyze_frequencies(
        path, options.output_dir, workers, progress, options.rates_hz, options.psychoacoustics
    )
    shown = table.set_index("file").filter(regex="lufs|(?<!_band)_depth$|prominence|sone|acum|asper")
    print(shown.round(3).to_string())
    if options.psychoacoustics:
        print(f"sone, acum and asper assume {ASSUMED_LEVEL}")
    return _written("analysis", options.output_dir or path)


def _file(options: Analysis) -> int:
    from ctxaudio.evaluation.over_time import analyse_file

    path = options.directory
    table = analyse_file(path, options.output_dir, options.window_s, options.rates_hz, on_a_terminal())
    print(f"{table.attrs['lufs']:.1f} LUFS, true peak {table.attrs['true_peak_db']:.1f} dBTP")
    print("strongest rates found:" if table.attrs["found"] else "no rate stands out anywhere")
    for stretch in table.attrs["found"]:
        rate = f"{stretch['start_hz']:.2f} to {stretch['end_hz']:.2f} Hz"
        print(f"  {stretch['from_s']:8.0f} to {stretch['to_s']:8.0f} s: {rate}, depth {stretch['depth']:.3f}")
    return _written(f"{path.stem}_modulation", options.output_dir or path.parent)


def _written(stem: str, folder: Path) -> int:
    print(f"{stem}.csv, .json and .png are in {folder}")
    return 0
