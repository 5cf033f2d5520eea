"""`batch_analyze_frequencies`: every clip of a folder in one table, with CSV, JSON and a figure beside it."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from ctxaudio.contexts import TARGETS
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.measures import SPECTRUM_RATES_HZ, clip_row_and_spectrum, mono_mix
from ctxaudio.evaluation.psychoacoustics import ASSUMED_LEVEL, mosqito_metrics, psychoacoustic_measures
from ctxaudio.files import writable_folder, write_json, written_whole
from ctxaudio.plots import analysis_summary, save_figure
from ctxaudio.signal.audio import read_audio
from ctxaudio.signal.envelope import Array

SUFFIXES = (".wav", ".flac")
#: Starting processes takes about as long as measuring this many clips of 4 s.
CLIPS_WORTH_PROCESSES = 100


@dataclass(frozen=True)
class MeasuredFolder:
    """`table` has a row per clip (`file` and its measures), `spectra` `[clips, R]` its depths at `SPECTRUM_RATES_HZ`.

    `skipped` lists `{"file", "reason"}` of what couldn't be measured.
    """

    name: str
    table: pd.DataFrame
    spectra: Array
    skipped: list[dict[str, str]]


def batch_analyze_frequencies(
    directory: str | Path,
    output_dir: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
    rates_hz: Sequence[float] = (),
    psychoacoustics: bool = False,
) -> pd.DataFrame:
    """Analyse every WAV and FLAC file in `directory` and write `analysis.csv`, `.json` and `.png`.

    Args:
        directory: folder of clips; folders inside it are not looked into.
        output_dir: where the three files go; `directory` itself if not given.
        workers: number of processes, 1 or more; by default one, and one a processor from 100 clips up.
        progress: show a progress bar on standard error.
        rates_hz: rates to measure besides the targets, 1 to 100 Hz.
        psychoacoustics: also loudness in sone, sharpness and roughness, at an assumed playback level; slow.

    Returns:
        One row per clip, by file name: `file` and the measures of `analyse_clip`. `attrs["skipped"]` lists
        `{"file", "reason"}` of what couldn't be measured (unreadable, silent, under 2 s), warned of as well.

    Raises `CtxAudioError` for a folder that is missing or holds no clip that can be measured, for an
    `output_dir` that can't be written to, and for `psychoacoustics` without that extra.
    """
    folder = Path(directory)
    clip_paths(folder)
    written_to = writable_folder(folder if output_dir is None else Path(output_dir))
    measured = measure_folder(folder, workers, progress, rates_hz, psychoacoustics)
    _write(measured, written_to, psychoacoustics)
    table = measured.table
    table.attrs["skipped"] = measured.skipped
    return table


def measure_folder(
    folder: Path,
    workers: int | None = None,
    progress: bool = True,
    rates_hz: Sequence[float] = (),
    psychoacoustics: bool = False,
) -> MeasuredFolder:
    """Measure every clip of `folder` and write nothing; arguments and errors as `batch_analyze_frequencies`."""
    paths = clip_paths(folder)
    if workers is None:
        many = len(paths) >= CLIPS_WORTH_PROCESSES or psychoacoustics
        workers = min(len(paths), os.cpu_count() or 1) if many else 1
    if workers < 1:
        raise CtxAudioError(f"workers must be 1 or more, not {workers}")
    for rate_hz in rates_hz:
        if not 1.0 <= rate_hz <= 100.0:
            raise CtxAudioError(f"rate {rate_hz:g} Hz is outside 1-100 Hz")
    if psychoacoustics:
        mosqito_metrics()
    tasks = (joblib.delayed(_measure)(path, tuple(rates_hz), psychoacoustics) for path in paths)
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator")
    results = list(tqdm(parallel(tasks), total=len(paths), desc="analysing", unit="clip", disable=not progress))
    rows, spectra, skipped = [], [], []
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, str):
            skipped.append({"file": path.name, "reason": result})
        else:
            rows.append({"file": path.name, **result[0]})
            spectra.append(result[1])
    if not rows:
        raise CtxAudioError(
            f"none of {len(paths)} clips in {folder} could be measured; the first: {skipped[0]['reason']}"
        )
    if skipped:
        listed = "; ".join(f"{clip['file']}: {clip['reason']}" for clip in skipped)
        warnings.warn(f"{len(skipped)} of {len(paths)} clips left out of the analysis: {listed}", stacklevel=3)
    return MeasuredFolder(folder.name, pd.DataFrame(rows), np.stack(spectra), skipped)


def clip_paths(folder: Path) -> list[Path]:
    """The WAV and FLAC files of `folder`, by name; raises `CtxAudioError` where there is none."""
    if not folder.is_dir():
        raise CtxAudioError(f"{folder} is not a folder: give one that holds WAV or FLAC files")
    # Hidden files are half-written ones of another program, or macOS resource forks.
    visible = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    paths = sorted(path for path in visible if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise CtxAudioError(f"no WAV or FLAC file in {folder}: generate some, or name another folder")
    return paths


def finite(value: Any) -> Any:
    """JSON knows no infinity: the loudness of a clip below the gate becomes null; text and numbers stay."""
    if value is None or isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else None


def _measure(path: Path, rates_hz: tuple[float, ...], psychoacoustics: bool) -> tuple[dict[str, float], Array] | str:
    try:
        samples, sample_rate = read_audio(path)
        row, spectrum = clip_row_and_spectrum(samples, sample_rate, rates_hz)
        if psychoacoustics:
            row |= psychoacoustic_measures(mono_mix(samples), sample_rate)
        return row, spectrum
    except CtxAudioError as error:
        # A wrong sample rate is one clip's trouble here, just as an unreadable file is.
        return str(error).removeprefix(f"{path}: ")


def _write(measured: MeasuredFolder, folder: Path, psychoacoustics: bool) -> None:
    table = measured.table
    with written_whole(folder / "analysis.csv") as aside:
        table.to_csv(aside, index=False)
    content = {
        "clips": len(table),
        **({"psychoacoustics": f"assume {ASSUMED_LEVEL}"} if psychoacoustics else {}),
        "summary_medians": {name: finite(value) for name, value in table.drop(columns="file").median().items()},
        "targets_detected": {
            name: int((table[f"{name}_p"] < 0.05).sum()) for name in TARGETS if f"{name}_p" in table.columns
        },
        "rows": [{name: finite(value) for name, value in row.items()} for row in table.to_dict("records")],
        "skipped": measured.skipped,
    }
    write_json(folder / "analysis.json", content)
    picture = analysis_summary({measured.name: table}, SPECTRUM_RATES_HZ, {measured.name: measured.spectra})
    save_figure(picture, folder / "analysis.png")
