"""`batch_analyze_frequencies`: every clip of a folder in one table, with CSV, JSON and a figure beside it."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from ctxaudio.analysis.measures import SPECTRUM_RATES_HZ, analyse_clip, clip_modulation_spectrum
from ctxaudio.contexts import TARGETS
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_audio, writable_folder, write_json, written_whole
from ctxaudio.plots import analysis_summary, save_figure
from ctxaudio.signal.envelope import Array

SUFFIXES = (".wav", ".flac")


def batch_analyze_frequencies(
    directory: str | Path, output_dir: str | Path | None = None, workers: int = 1, progress: bool = True
) -> pd.DataFrame:
    """Analyse every WAV and FLAC file in `directory` and write `analysis.csv`, `.json` and `.png`.

    Args:
        directory: folder of clips; folders inside it are not looked into.
        output_dir: where the three files go; `directory` itself if not given.
        workers: number of processes, 1 or more.
        progress: show a progress bar on standard error.

    Returns:
        One row per clip, by file name: `file` and the measures of `analyse_clip`. `attrs["skipped"]` lists
        `{"file", "reason"}` of what couldn't be measured (unreadable, silent, under 2 s), warned of as well.

    Raises `CtxAudioError` for a folder that is missing or holds no clip that can be measured, and for an
    `output_dir` that can't be written to.
    """
    folder = Path(directory)
    if workers < 1:
        raise CtxAudioError(f"workers must be 1 or more, not {workers}")
    paths = _clip_paths(folder)
    written_to = writable_folder(folder if output_dir is None else Path(output_dir))
    tasks = (joblib.delayed(_measure)(path) for path in paths)
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
        warnings.warn(f"{len(skipped)} of {len(paths)} clips left out of the analysis: {listed}", stacklevel=2)
    table = pd.DataFrame(rows)
    table.attrs["skipped"] = skipped
    _write(table, np.stack(spectra), folder.name, written_to)
    return table


def _clip_paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise CtxAudioError(f"{folder} is not a folder: give one that holds WAV or FLAC files")
    # Hidden files are half-written ones of another program, or macOS resource forks.
    visible = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    paths = sorted(path for path in visible if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise CtxAudioError(f"no WAV or FLAC file in {folder}: generate some, or name another folder")
    return paths


def _measure(path: Path) -> tuple[dict[str, float], Array] | str:
    try:
        samples, sample_rate = read_audio(path)
        row = analyse_clip(samples, sample_rate)
        return row, clip_modulation_spectrum(samples, sample_rate, SPECTRUM_RATES_HZ)
    except CtxAudioError as error:
        # A wrong sample rate is one clip's trouble here, just as an unreadable file is.
        return str(error).removeprefix(f"{path}: ")


def _write(table: pd.DataFrame, spectra: Array, title: str, folder: Path) -> None:
    with written_whole(folder / "analysis.csv") as aside:
        table.to_csv(aside, index=False)
    measures = table.drop(columns="file")
    content = {
        "clips": len(table),
        "summary_medians": {name: _finite(value) for name, value in measures.median().items()},
        "targets_detected": {
            name: int((table[f"{name}_p"] < 0.05).sum()) for name in TARGETS if f"{name}_p" in table.columns
        },
        "rows": [{name: _finite(value) for name, value in row.items()} for row in table.to_dict("records")],
        "skipped": table.attrs["skipped"],
    }
    write_json(folder / "analysis.json", content)
    save_figure(analysis_summary(table, SPECTRUM_RATES_HZ, spectra, title), folder / "analysis.png")


def _finite(value: Any) -> Any:
    """JSON knows no infinity: the loudness of a clip below the gate becomes null."""
    if isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else None
