"""Two folders of clips against each other, measure by measure: modulated against its sham, usually."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.batch import MeasuredFolder, clip_paths, finite, measure_folder
from ctxaudio.evaluation.measures import SPECTRUM_RATES_HZ
from ctxaudio.evaluation.rates import SAME_RATE_HZ, named_rates
from ctxaudio.files import read_json, writable_folder, write_json, written_whole
from ctxaudio.plots import analysis_summary, save_figure
from ctxaudio.signal.envelope import Array

ALPHA = 0.05
CARRIERS = tuple(target for target in TARGETS.values() if target.kind == "carrier")


@dataclass(frozen=True)
class AskedProfile:
    """What the JSON beside clips says was asked for: depth by rate, and by carrier, in hertz."""

    rates: dict[float, float]
    carriers: dict[float, float]


def compare_folders(
    modulated: str | Path,
    sham: str | Path,
    output_dir: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
    rates_hz: Sequence[float] = (),
) -> pd.DataFrame:
    """Compare the clips of two folders in every measure, and write `comparison.csv`, `.json` and `.png`.

    Where both folders hold files of the same names (a sham of each clip) they are compared in pairs, by the
    Wilcoxon signed-rank test; otherwise as two groups, by the Mann-Whitney U test; both two-sided, exact for
    small numbers without ties. Many measures give many chances, so `p_holm` is corrected by Holm's method.

    Args:
        modulated: folder of WAV and FLAC files; the JSON that comes with generated and modulated ones, if there,
            says what was asked for.
        sham: the folder to compare with.
        output_dir: where the three files go; `modulated` itself if not given.
        workers: as `batch_analyze_frequencies`.
        progress: show progress bars on standard error.
        rates_hz: rates to measure besides the targets and those asked for.

    Returns:
        One row per measure: `measure`, `asked` (depth 0..1, or NaN), `modulated` and `sham` (medians), `difference`
        (of the medians; in pairs, the median of the differences), `p`, `p_holm`, `modulated_clips`, `sham_clips`.
        `attrs`: `test`, `significant` (measures with `p_holm` < 0.05) and `smallest_p_holm`, what so few clips can
        reach at best.

    Raises `CtxAudioError` as `batch_analyze_frequencies`, and for such a JSON that can't be read.
    """
    folders = Path(modulated), Path(sham)
    for folder in folders:
        clip_paths(folder)
    if folders[0].resolve() == folders[1].resolve():
        raise CtxAudioError(f"{folders[0]} can't be compared with itself: name two folders")
    written_to = writable_folder(folders[0] if output_dir is None else Path(output_dir))
    asked = asked_profile(folders[0])
    rates = named_rates([*asked.rates, *rates_hz])
    first, second = (measure_folder(folder, workers, progress, list(rates.values())) for folder in folders)
    table = comparison(first.table, second.table, asked, rates)
    _write(table, first, second, rates, written_to)
    return table


def comparison(
    modulated: pd.DataFrame, sham: pd.DataFrame, asked: AskedProfile, rates: dict[str, float]
) -> pd.DataFrame:
    """The table of `compare_folders`, of two tables of measures with a column `file`."""
    paired = set(modulated["file"]) == set(sham["file"])
    first, second = modulated.set_index("file"), sham.set_index("file")
    if paired:
        second = second.loc[first.index]
    rows = []
    for measure, depth in _compared(asked, rates).items():
        ours, theirs = (table[measure].to_numpy(dtype=np.float64) for table in (first, second))
        difference, p_value = _paired(ours, theirs) if paired else _unpaired(ours, theirs)
        medians = float(np.median(ours)), float(np.median(theirs))
        rows.append((measure, depth, *medians, difference, p_value, len(ours), len(theirs)))
    columns = ["measure", "asked", "modulated", "sham", "difference", "p", "modulated_clips", "sham_clips"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(6, "p_holm", holm(table["p"].to_numpy()))
    n, m = len(first), len(second)
    smallest = 2.0 ** (1 - n) if paired else 2.0 / math.comb(n + m, n)
    table.attrs["test"] = "Wilcoxon signed-rank, in pairs" if paired else "Mann-Whitney U, two groups"
    table.attrs["significant"] = table.loc[table["p_holm"] < ALPHA, "measure"].tolist()
    table.attrs["smallest_p_holm"] = min(1.0, smallest * len(table))
    return table


def asked_profile(folder: Path) -> AskedProfile:
    """The profile in `generated.json` of `folder`, or else the one that the JSON files beside its clips agree on.

    Rates of 1 Hz and up and carriers; nothing where no such file says. The depth is NaN where the measured one should
    not be it: of pulses, of an unstable rate, and of the modulation of one band of audible frequency alone.
    """
    told = folder / "generated.json"
    sources = [told] if told.is_file() else [path.with_suffix(".json") for path in clip_paths(folder)]
    profiles = [(path, read_json(path).get("profile", {})) for path in sources if path.is_file()]
    if not profiles or any(profile != profiles[0][1] for _, profile in profiles):
        return AskedProfile({}, {})
    path, profile = profiles[0]
    try:
        rates = {
            float(rate["rate_hz"]): math.nan
            if rate.get("pulse") or rate.get("jitter") or profile.get("audio_band_hz")
            else float(rate["depth"])
            for rate in profile.get("rates", ())
        }
        carriers = {float(one["frequency_hz"]): float(one["depth"]) for one in profile.get("carriers", ())}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CtxAudioError(f"{path} has no profile of rates and carriers: make the clips again") from error
    return AskedProfile({hz: depth for hz, depth in rates.items() if 1.0 <= hz <= 100.0}, carriers)


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


def _compared(asked: AskedProfile, rates: dict[str, float]) -> dict[str, float]:
    """The measures compared, each with what was asked of it: what may differ first, what should not after it."""
    compared = {f"{name}_depth": _depth_at(rate_hz, asked.rates) for name, rate_hz in rates.items()}
    compared |= {f"{c.name}_prominence_db": _depth_at(c.frequency_hz, asked.carriers) for c in CARRIERS}
    others = [f"{name}_envelope_depth" for name in BANDS]
    others += ["lufs", "true_peak_db", "spectral_centroid_hz", "spectral_flatness", "infrasound_share"]
    return compared | dict.fromkeys(others, math.nan)


def _depth_at(frequency_hz: float, asked: dict[float, float]) -> float:
    return next((depth for hz, depth in asked.items() if abs(hz - frequency_hz) <= SAME_RATE_HZ), math.nan)


def _paired(ours: Array, theirs: Array) -> tuple[float, float]:
    both = np.isfinite(ours) & np.isfinite(theirs)
    differences = ours[both] - theirs[both]
    if not differences.any():
        return 0.0, 1.0
    return float(np.median(differences)), float(scipy.stats.wilcoxon(differences).pvalue)


def _unpaired(ours: Array, theirs: Array) -> tuple[float, float]:
    p_value = float(scipy.stats.mannwhitneyu(ours, theirs).pvalue)
    medians = float(np.median(ours)), float(np.median(theirs))
    return (0.0 if medians[0] == medians[1] else medians[0] - medians[1]), p_value


def _write(
    table: pd.DataFrame, modulated: MeasuredFolder, sham: MeasuredFolder, rates: dict[str, float], folder: Path
) -> None:
    with written_whole(folder / "comparison.csv") as aside:
        table.to_csv(aside, index=False)
    content = {
        "modulated": modulated.name,
        "sham": sham.name,
        "test": table.attrs["test"],
        "correction": "Holm",
        "smallest_p_holm": table.attrs["smallest_p_holm"],
        "significant": table.attrs["significant"],
        "rows": [{name: finite(value) for name, value in row.items()} for row in table.to_dict("records")],
        "skipped": {"modulated": modulated.skipped, "sham": sham.skipped},
    }
    write_json(folder / "comparison.json", content)
    tables = {"modulated": modulated.table, "sham": sham.table}
    spectra = {"modulated": modulated.spectra, "sham": sham.spectra}
    found = table.set_index("measure")
    asked = {name: float(found.at[f"{name}_depth", "asked"]) for name in rates}
    differs = [name for name in rates if found.at[f"{name}_depth", "p_holm"] < ALPHA]
    picture = analysis_summary(tables, SPECTRUM_RATES_HZ, spectra, rates, asked, differs)
    save_figure(picture, folder / "comparison.png")
