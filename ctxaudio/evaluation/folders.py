"""The clips of a folder in one table, alone or against those of another folder, with CSV, JSON and a figure."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from tqdm import tqdm

from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.measures import CARRIER_TARGETS, SAME_RATE_HZ, analyse_clip, mono_mix, named_rates
from ctxaudio.files import read_json, writable_folder, write_json, written_whole
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.plots import Picture, modulation_spectra, save_figure
from ctxaudio.signal.audio import read_audio
from ctxaudio.signal.envelope import Array, modulation_spectrum, slow_envelope

ALPHA = 0.05


def batch_analyze_frequencies(
    directory: str | Path, output_dir: str | Path | None = None, progress: bool = True, rates_hz: Sequence[float] = ()
) -> pd.DataFrame:
    """Analyse every WAV and FLAC file in `directory` and write `analysis.csv`, `.json` and `.png`.

    Args:
        directory: folder of clips; folders inside it are not looked into.
        output_dir: where the three files go; `directory` itself if not given.
        progress: show a progress bar on standard error.
        rates_hz: rates to measure besides the targets, up to 100 Hz.

    Returns:
        One row per clip, by file name: `file` and the measures of `analyse_clip`. `attrs["skipped"]` lists
        `{"file", "reason"}` of what couldn't be measured; a line on standard error says so, too.

    Raises `CtxAudioError` for a folder without a clip that can be measured, and for an `output_dir` that can't be
    written to.
    """
    folder = Path(directory)
    clip_paths(folder)
    written_to = writable_folder(folder if output_dir is None else Path(output_dir))
    rates = named_rates(rates_hz)
    table, spectra = measure_folder(folder, rates, progress)
    content = {"rows": json_rows(table), "medians": finite(table.drop(columns="file").median()), **table.attrs}
    write_results(written_to, "analysis", table, content, modulation_spectra({folder.name: spectra}, grid_of(rates)))
    return table


def compare_folders(
    modulated: str | Path,
    sham: str | Path,
    output_dir: str | Path | None = None,
    progress: bool = True,
    rates_hz: Sequence[float] = (),
) -> pd.DataFrame:
    """Compare the clips of two folders in every measure, and write `comparison.csv`, `.json` and `.png`.

    Clips are compared in pairs, those of the same name (a sham of each clip), by the Wilcoxon signed-rank test,
    two-sided, exact for small numbers without ties. Many measures give many chances, so `p_holm` is corrected by
    Holm's method.

    Args: as `batch_analyze_frequencies`. The JSON that comes with generated and modulated clips, if there, says
    what was asked for; these rates are measured, too.

    Returns:
        One row per measure: `measure`, `asked` (depth 0..1, or NaN), `modulated` and `sham` (medians), `difference`
        (median of those of the pairs), `p`, `p_holm`, `pairs`. `attrs`: `significant` (measures with `p_holm` < 0.05)
        and `smallest_p_holm`, what so few clips can reach at best.

    Raises `CtxAudioError` as `batch_analyze_frequencies`, for folders without files of the same name,
    and for such a JSON that can't be read.
    """
    folders = Path(modulated), Path(sham)
    for folder in folders:
        clip_paths(folder)
    if folders[0].resolve() == folders[1].resolve():
        raise CtxAudioError(f"{folders[0]} can't be compared with itself: name two folders")
    written_to = writable_folder(folders[0] if output_dir is None else Path(output_dir))
    asked = asked_depths(folders[0])
    rates = named_rates([*(hz for hz in asked if hz <= 100.0), *rates_hz])
    measured = [measure_folder(folder, rates, progress) for folder in folders]
    tables, spectra = (dict(zip(("modulated", "sham"), of, strict=True)) for of in zip(*measured, strict=True))
    table = comparison(tables["modulated"], tables["sham"], asked, rates)
    names = {name: folder.name for name, folder in zip(tables, folders, strict=True)}
    skipped = {name: of.attrs["skipped"] for name, of in tables.items()}
    content = {**names, "skipped": skipped, "rows": json_rows(table), **table.attrs}
    depths_asked = {hz: depth for hz, depth in asked.items() if hz <= 100.0}
    picture = modulation_spectra(spectra, grid_of(rates), asked=depths_asked)
    write_results(written_to, "comparison", table, content, picture)
    return table


def measure_folder(folder: Path, rates: Mapping[str, float], progress: bool = True) -> tuple[pd.DataFrame, Array]:
    """A row of measures, and of depths `[clips, R]` at `grid_of(rates)`, for each clip of `folder`; writes nothing.

    `attrs` and errors as `batch_analyze_frequencies`.
    """
    paths = clip_paths(folder)
    bar = tqdm(paths, desc="analysing", unit="clip", disable=not progress)
    found = {path.name: _measure(path, rates) for path in bar}
    skipped = [{"file": name, "reason": result} for name, result in found.items() if isinstance(result, str)]
    measured = {name: result for name, result in found.items() if not isinstance(result, str)}
    if not measured:
        reason = skipped[0]["reason"]
        raise CtxAudioError(f"none of {len(paths)} clips in {folder} could be measured; the first: {reason}")
    for clip in skipped:
        print(f"warning: {clip['file']} is left out of the analysis: {clip['reason']}", file=sys.stderr)
    table = pd.DataFrame([{"file": name, **row} for name, (row, _) in measured.items()])
    table.attrs["skipped"] = skipped
    return table, np.stack([spectrum for _, spectrum in measured.values()])


def grid_of(rates: Mapping[str, float]) -> Array:
    """Rates `[R]` of a modulation spectrum: 1-100 Hz, a quarter of a hertz apart, and `rates`, which lie between."""
    return np.union1d(np.arange(1.0, 100.25, 0.25), list(rates.values()))


def clip_paths(folder: Path) -> list[Path]:
    """The WAV and FLAC files of `folder`, by name; raises `CtxAudioError` where there is none."""
    if not folder.is_dir():
        raise CtxAudioError(f"{folder} is not a folder: give one that holds WAV or FLAC files")
    # Hidden files are half-written ones of another program, or macOS resource forks.
    sounds = (path for path in folder.iterdir() if path.suffix.lower() in (".wav", ".flac") and path.is_file())
    paths = sorted(path for path in sounds if not path.name.startswith("."))
    if not paths:
        raise CtxAudioError(f"no WAV or FLAC file in {folder}: generate some, or name another folder")
    return paths


def comparison(
    modulated: pd.DataFrame, sham: pd.DataFrame, asked: Mapping[float, float], rates: Mapping[str, float]
) -> pd.DataFrame:
    """The table of `compare_folders`, of two tables of measures with a column `file`."""
    first, second = modulated.set_index("file"), sham.set_index("file")
    if not len(shared := first.index.intersection(second.index)):
        raise CtxAudioError("the two folders have no file of the same name: make the sham with the same seed")
    first, second = first.loc[shared], second.loc[shared]
    frequencies = {f"{name}_depth": hz for name, hz in rates.items()}
    frequencies |= {f"{name}_prominence_db": hz for name, hz in CARRIER_TARGETS.items()}
    level = ["lufs", "true_peak_db", "spectral_centroid_hz", "spectral_flatness", "infrasound_share"]
    rows = []
    for measure in [*frequencies, *(f"{name}_envelope_depth" for name in BANDS), *level]:
        hertz = frequencies.get(measure, math.nan)
        ours, theirs = (one[measure].to_numpy(dtype=np.float64) for one in (first, second))
        difference, p_value = _difference(ours, theirs)
        depth = next((depth for hz, depth in asked.items() if abs(hz - hertz) <= SAME_RATE_HZ), math.nan)
        medians = {"modulated": np.median(ours), "sham": np.median(theirs)}
        rows.append({"measure": measure, "asked": depth, **medians, "difference": difference, "p": p_value})
    table = pd.DataFrame(rows)
    table = table.assign(p_holm=holm(table["p"].to_numpy()), pairs=len(shared))
    table.attrs["significant"] = table.loc[table["p_holm"] < ALPHA, "measure"].tolist()
    table.attrs["smallest_p_holm"] = min(1.0, 2.0 ** (1 - len(shared)) * len(table))
    return table


def asked_depths(folder: Path) -> dict[float, float]:
    """Depths asked for, by hertz, of `generated.json` in `folder`, or else of the JSON that its clips agree on.

    Rates of 1 to 100 Hz and carriers above that; nothing where no such file says. NaN where the measured depth should
    not be it: of pulses, of an unstable rate, and of the modulation of one band of audible frequency alone.
    """
    told = folder / "generated.json"
    sources = [told] if told.is_file() else [path.with_suffix(".json") for path in clip_paths(folder)]
    profiles = [(path, read_json(path).get("profile", {})) for path in sources if path.is_file()]
    if not profiles or not profiles[0][1] or any(profile != profiles[0][1] for _, profile in profiles):
        return {}
    try:
        profile = ModulationProfile.from_dict(profiles[0][1])
    except (AttributeError, CtxAudioError, KeyError, TypeError, ValueError) as error:
        raise CtxAudioError(f"{profiles[0][0]} has no profile of rates and carriers: make the clips again") from error
    depths = {carrier.frequency_hz: carrier.depth for carrier in profile.carriers if carrier.frequency_hz > 100.0}
    for rate in profile.rates:
        if rate.rate_hz >= 1.0:
            elsewhere = rate.pulse or rate.jitter
            depths[rate.rate_hz] = math.nan if elsewhere else rate.depth
    return depths


def holm(p_values: Array) -> Array:
    """Holm's (1979) step-down correction of `p_values` `[N]`: any below 0.05 is a difference, with 5 % risk overall.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3)
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_values)
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def finite(row: Mapping[Any, Any]) -> dict[str, Any]:
    """For JSON, which knows no NaN and no infinity (the loudness of a clip below the gate): they become null."""
    return {str(name): None if isinstance(v, float) and not math.isfinite(v) else v for name, v in row.items()}


def json_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [finite(row) for row in table.to_dict("records")]


def write_results(
    folder: Path, stem: str, table: pd.DataFrame, content: Mapping[str, Any], picture: Picture | None
) -> None:
    """Write `table` as `stem`.csv, `content` as `stem`.json and `picture`, if there is one, as `stem`.png."""
    with written_whole(folder / f"{stem}.csv") as aside:
        table.to_csv(aside, index=False, errors="backslashreplace")  # names that are no valid UTF-8
    write_json(folder / f"{stem}.json", content)
    if picture is not None:
        save_figure(picture, folder / f"{stem}.png")


def _measure(path: Path, rates: Mapping[str, float]) -> tuple[dict[str, float], Array] | str:
    """The measures and the modulation spectrum of a clip, or why it has none."""
    try:
        samples, sample_rate = read_audio(path)
        row = analyse_clip(samples, sample_rate, list(rates.values()))
        envelope, envelope_rate_hz = slow_envelope(mono_mix(samples), sample_rate)
        return row, modulation_spectrum(envelope, envelope_rate_hz, grid_of(rates))
    except CtxAudioError as error:
        return str(error).removeprefix(f"{path}: ")


def _difference(ours: Array, theirs: Array) -> tuple[float, float]:
    """The median of the differences of pairs, and its p-value."""
    both = np.isfinite(ours) & np.isfinite(theirs)
    differences = ours[both] - theirs[both]
    if not differences.any():
        return 0.0, 1.0
    return float(np.median(differences)), float(scipy.stats.wilcoxon(differences).pvalue)
