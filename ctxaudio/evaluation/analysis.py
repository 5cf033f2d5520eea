"""All measures of one clip as one flat row; the clips of a folder in one table, alone or against those of another.

Measured by Hilbert envelope and least squares, which share no code with the modulation layer.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
import scipy.fft
import scipy.signal
import scipy.stats
from tqdm import tqdm

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray, read_json, writable_folder, write_json, written_whole
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.plots import Picture, modulation_spectra, save_figure
from ctxaudio.signal.audio import read_audio
from ctxaudio.signal.envelope import Array, detect_rate, modulation_spectrum, slow_envelope
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db

MIN_DURATION_S = 2.0
#: Below it, K-weighting has no room.
MIN_SAMPLE_RATE = 4000
LOWEST_POWER = 1e-20
#: A rate given by hand is the target itself when it is as near as this: a profile written to two decimals.
SAME_RATE_HZ = 0.005
RATE_TARGETS = {target.name: target.frequency_hz for target in TARGETS.values() if target.kind == "rate"}
CARRIER_TARGETS = {target.name: target.frequency_hz for target in TARGETS.values() if target.kind == "carrier"}
LEVEL_AND_COLOUR = ("lufs", "true_peak_db", "spectral_centroid_hz", "spectral_flatness", "infrasound_share")


def analyse_clip(samples: FloatArray, sample_rate: int, rates_hz: Sequence[float] = ()) -> dict[str, float]:
    """Measure `samples` (`[T]`, or `[channels, T]`: then the mono mix, but for the level) at `sample_rate` in hertz.

    The row has `duration_s`, `lufs` (BS.1770), `true_peak_db`, `infrasound_share` (of the energy, below 20 Hz),
    `spectral_centroid_hz` and `spectral_flatness` (means over frames); `<band>_envelope_depth`, the rms depth of the
    *envelope* over the rates in the band, one cycle per clip apart; for each rate target, and each of `rates_hz` as
    `rate_<number>_hz`, `_depth` at the exact rate, `_floor` (rms depth at neighbouring rates) and `_p` (F test against
    these); and for each carrier `_prominence_db`.

    Raises `ClipError` for a clip that is silent, shorter than 2 s (slow rates would have too few cycles) or sampled
    below 4 kHz, and `CtxAudioError` for a rate that the clip is too short for.
    """
    mono = np.atleast_2d(samples).mean(axis=0)
    check_measurable(len(mono), sample_rate)
    if not mono.any():
        raise ClipError("digital silence: nothing to measure")
    heard = samples if samples.ndim == 1 or len(samples) == 2 else mono
    bins_hz, energy = scipy.signal.periodogram(mono.astype(np.float64), sample_rate, detrend=False)
    magnitude = np.abs(librosa.stft(mono))
    row = {
        "duration_s": len(mono) / sample_rate,
        "lufs": integrated_lufs(heard, sample_rate),
        "true_peak_db": true_peak_db(heard),
        "infrasound_share": float(energy[bins_hz < 20.0].sum() / energy.sum()),
        "spectral_centroid_hz": float(librosa.feature.spectral_centroid(S=magnitude, sr=sample_rate).mean()),
        "spectral_flatness": float(librosa.feature.spectral_flatness(S=magnitude).mean()),
    }
    envelope, envelope_rate_hz = slow_envelope(mono, sample_rate)
    # Rates one cycle per clip apart are the bins of an FFT, and independent: their mean square is the band's power.
    waves = scipy.fft.rfft(envelope)
    depths, duration_s = 2.0 * np.abs(waves) / waves[0].real, len(envelope) / envelope_rate_hz
    for name, band in BANDS.items():
        first, end = (int(np.ceil(limit_hz * duration_s - 1e-6)) for limit_hz in (band.low_hz, band.high_hz))
        row[f"{name}_envelope_depth"] = float(np.sqrt(np.mean(depths[first:end] ** 2)))
    rates = named_rates(rates_hz)
    for name, rate_hz in rates.items():
        others: list[float] = []  # all that the length tells apart from it and from each other: none leaks in
        for other_hz in rates.values():
            if all(abs(other_hz - one_hz) * duration_s >= 1.0 for one_hz in (rate_hz, *others)):
                others.append(other_hz)
        found = detect_rate(envelope, envelope_rate_hz, rate_hz, others)
        row |= {f"{name}_depth": found.depth, f"{name}_floor": found.floor, f"{name}_p": found.p_value}
    for name, carrier_hz in CARRIER_TARGETS.items():
        row[f"{name}_prominence_db"] = carrier_prominence_db(mono, sample_rate, carrier_hz)
    return row


def check_measurable(length: int, sample_rate: int, whose: str = "") -> None:
    """Raises `ClipError` (`whose`: in front of it) for a sound that is too short, or sampled too slowly, to measure."""
    if sample_rate < MIN_SAMPLE_RATE:
        raise ClipError(f"{whose}{sample_rate} Hz is too low a sample rate to measure: {MIN_SAMPLE_RATE} Hz or more")
    if length < MIN_DURATION_S * sample_rate:
        short = f"{length / sample_rate:.2f} s is too short to measure rates of 1 Hz and up"
        raise ClipError(f"{whose}{short}: {MIN_DURATION_S:g} s or more")


def named_rates(rates_hz: Sequence[float] = ()) -> dict[str, float]:
    """The rate targets by name, and each of `rates_hz` that is none of them as `rate_<number>_hz`.

    Raises `CtxAudioError` for a rate outside 0-100 Hz.
    """
    for rate_hz in rates_hz:
        if not 0.0 < rate_hz <= 100.0:
            raise CtxAudioError(f"rate {rate_hz:g} Hz is outside 0-100 Hz")
    others = [r for r in rates_hz if all(abs(r - known) > SAME_RATE_HZ for known in RATE_TARGETS.values())]
    return RATE_TARGETS | {f"rate_{rate_hz:g}_hz": float(rate_hz) for rate_hz in others}


def carrier_prominence_db(samples: FloatArray, sample_rate: int, frequency_hz: float) -> float:
    """Power density of `[T]` within 5 Hz of `frequency_hz` over that 10 to 60 Hz away, in dB; around 0 for plain noise.

    The neighbourhood counts by its median, so that one partial in it doesn't hide the carrier; dividing by ln 2
    turns the median of a noise spectrum (exponentially distributed) into its mean. 0.0 where all of it is silent.
    Raises `CtxAudioError` where the neighbourhood leaves 0..`sample_rate`/2.
    """
    if not 60.0 <= frequency_hz <= sample_rate / 2 - 60.0:
        room = f"carrier {frequency_hz:g} Hz with 60 Hz to either side doesn't fit between 0 and {sample_rate / 2:g} Hz"
        raise CtxAudioError(f"{room}: use a higher sample rate")
    bins_hz, power = scipy.signal.periodogram(samples, sample_rate, "hann")
    away_hz = np.abs(bins_hz - frequency_hz)
    beside = np.median(power[(away_hz >= 10.0) & (away_hz <= 60.0)]) / np.log(2.0)
    return float(10.0 * np.log10(max(power[away_hz <= 5.0].mean(), LOWEST_POWER) / max(beside, LOWEST_POWER)))


def batch_analyze_frequencies(
    directory: str | Path, output_dir: str | Path | None = None, progress: bool = True, rates_hz: Sequence[float] = ()
) -> pd.DataFrame:
    """Analyse the WAV and FLAC files in `directory`; write `analysis.csv`, `.json`, `.png` there, or to `output_dir`.

    Returns a row for each clip, by file name: `file` and the measures of `analyse_clip`. `attrs["skipped"]` lists
    `{"file", "reason"}` of what can't be measured; a line on standard error says so. Raises `CtxAudioError` for a
    folder without a clip that can be measured, and for one that can't be written to.
    """
    folder = Path(directory)
    paths = clip_paths(folder)
    written_to = writable_folder(folder if output_dir is None else Path(output_dir))
    table, spectra, grid_hz = _measured(paths, named_rates(rates_hz), progress)
    medians = table.drop(columns="file").median().to_dict()
    content = {"rows": table.to_dict("records"), "medians": medians, **table.attrs}
    write_results(written_to, "analysis", table, content, modulation_spectra({folder.name: spectra}, grid_hz))
    return table


def compare_folders(
    modulated: Path, sham: Path, output_dir: Path | None = None, progress: bool = True, rates_hz: Sequence[float] = ()
) -> pd.DataFrame:
    """Compare the clips of the same name in two folders in every measure; write `comparison.csv`, `.json` and `.png`.

    In pairs, by the Wilcoxon signed-rank test, two-sided, exact for small numbers without ties. Many measures give
    many chances, so `p_holm` is corrected by Holm's method. Rates that were asked for are measured besides `rates_hz`.

    A row for each `measure`: depth `asked` for (0..1, or NaN), medians `modulated` and `sham`, `difference` (median of
    those of the pairs), `p`, `p_holm`, `pairs`. `attrs`: `significant` (measures with `p_holm` < 0.05) and
    `smallest_p_holm`, what so few clips can reach at best. Raises `CtxAudioError` as `batch_analyze_frequencies`, and
    for folders without files of the same name.
    """
    paths = [clip_paths(folder) for folder in (modulated, sham)]
    if modulated.resolve() == sham.resolve():
        raise CtxAudioError(f"{modulated} can't be compared with itself: name two folders")
    written_to = writable_folder(output_dir or modulated)
    asked = asked_depths(modulated)
    asked_rates = {hz: depth for hz, depth in asked.items() if hz <= 100.0}
    rates = named_rates([*asked_rates, *rates_hz])
    (ours, spectra, grid_hz), (theirs, sham_spectra, _) = (_measured(of, rates, progress) for of in paths)
    table = comparison(ours, theirs, asked, rates)
    skipped = {"modulated": ours.attrs["skipped"], "sham": theirs.attrs["skipped"]}
    content = {"modulated": modulated.name, "sham": sham.name, "skipped": skipped, "rows": table.to_dict("records")}
    picture = modulation_spectra({"modulated": spectra, "sham": sham_spectra}, grid_hz, asked=asked_rates)
    write_results(written_to, "comparison", table, content | table.attrs, picture)
    return table


def _measured(paths: Sequence[Path], rates: Mapping[str, float], progress: bool) -> tuple[pd.DataFrame, Array, Array]:
    """A row of measures for each clip, its modulation spectrum `[clips, R]`, and the rates `[R]` of that in hertz."""
    grid_hz = np.union1d(np.arange(1.0, 100.25, 0.25), list(rates.values()))
    rows, spectra, skipped = [], [], []
    for path in tqdm(paths, desc="analysing", unit="clip", disable=not progress):
        try:
            samples, sample_rate = read_audio(path)
            row = analyse_clip(samples, sample_rate, list(rates.values()))
            spectra.append(modulation_spectrum(*slow_envelope(samples.mean(axis=0), sample_rate), grid_hz))
            rows.append({"file": path.name, **row})
        except CtxAudioError as error:
            skipped.append({"file": path.name, "reason": str(error).removeprefix(f"{path}: ")})
    if not rows:
        none = f"none of {len(paths)} clips in {paths[0].parent} could be measured"
        raise CtxAudioError(f"{none}; the first: {skipped[0]['reason']}")
    for clip in skipped:
        print(f"warning: {clip['file']} is left out of the analysis: {clip['reason']}", file=sys.stderr)
    table = pd.DataFrame(rows)
    table.attrs["skipped"] = skipped
    return table, np.stack(spectra), grid_hz


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
    frequencies = {f"{name}_depth": hz for name, hz in rates.items()}
    frequencies |= {f"{name}_prominence_db": hz for name, hz in CARRIER_TARGETS.items()}
    measures = [*frequencies, *(f"{name}_envelope_depth" for name in BANDS), *LEVEL_AND_COLOUR]
    ours, theirs = (one.set_index("file")[measures] for one in (modulated, sham))
    if not len(shared := ours.index.intersection(theirs.index)):
        raise CtxAudioError("the two folders have no file of the same name: make the sham with the same seed")
    ours, theirs = ours.loc[shared], theirs.loc[shared]
    apart = ours - theirs
    apart = apart.where(np.isfinite(apart))  # a clip below the gate has no loudness
    p_values = [scipy.stats.wilcoxon(apart[name].dropna()).pvalue if apart[name].any() else 1.0 for name in measures]
    depths = pd.Series(math.nan, measures)
    for (name, hz), (asked_hz, depth) in itertools.product(frequencies.items(), asked.items()):
        if abs(asked_hz - hz) <= SAME_RATE_HZ:
            depths[name] = depth
    columns = {"asked": depths, "modulated": ours.median(), "sham": theirs.median()}
    columns |= {"difference": apart.median().fillna(0.0), "p": pd.Series(p_values, measures)}
    table = pd.DataFrame(columns, index=measures).rename_axis("measure").reset_index()
    table = table.assign(p_holm=holm(table["p"]), pairs=len(shared))
    table.attrs["significant"] = table.loc[table["p_holm"] < 0.05, "measure"].tolist()
    table.attrs["smallest_p_holm"] = min(1.0, 2.0 ** (1 - len(shared)) * len(table))
    return table


def asked_depths(folder: Path) -> dict[float, float]:
    """Depths that `generated.json` in `folder`, if there, says were asked for, of rates from 1 Hz and of carriers.

    By hertz; NaN where the measured depth should not be it: of pulses, and of an unstable rate.
    """
    told = folder / "generated.json"
    if not told.is_file() or not (said := read_json(told).get("profile")):
        return {}
    try:
        profile = ModulationProfile.from_dict(said)
    except (AttributeError, CtxAudioError, KeyError, TypeError, ValueError) as error:
        raise CtxAudioError(f"{told} has no profile of rates and carriers: make the clips again") from error
    depths = {carrier.frequency_hz: carrier.depth for carrier in profile.carriers if carrier.frequency_hz > 100.0}
    rates = (rate for rate in profile.rates if rate.rate_hz >= 1.0)
    return depths | {rate.rate_hz: math.nan if rate.pulse or rate.jitter else rate.depth for rate in rates}


def holm(p_values: pd.Series) -> pd.Series:
    """Holm's (1979) step-down correction of p-values: any below 0.05 is a difference, with 5 % risk overall."""
    ordered = p_values.sort_values()
    return (ordered * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1.0).sort_index()


def finite(value: Any) -> Any:
    """For JSON, which knows no NaN and no infinity (the loudness of a clip below the gate): they become null."""
    if isinstance(value, Mapping):
        return {str(name): finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_results(
    folder: Path, stem: str, table: pd.DataFrame, content: Mapping[str, Any], picture: Picture | None
) -> None:
    """Write `table` as `stem`.csv, `content` as `stem`.json and `picture`, if there is one, as `stem`.png."""
    with written_whole(folder / f"{stem}.csv") as aside:
        table.to_csv(aside, index=False, errors="backslashreplace")  # names that are no valid UTF-8
    write_json(folder / f"{stem}.json", finite(content))
    if picture is not None:
        save_figure(picture, folder / f"{stem}.png")
