"""The modulation of a sound of any length over time: a night of sound as well as a clip.

What is held in memory is the slow envelope, 12 MB for an hour of sound.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import scipy.fft
import scipy.ndimage
import scipy.signal
from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.analysis import MIN_DURATION_S, check_measurable, named_rates, write_results
from ctxaudio.files import FloatArray, writable_folder
from ctxaudio.options import on_a_terminal
from ctxaudio.plots import RATE_TARGETS_HZ, RATE_TICKS_HZ, Picture, label_axis
from ctxaudio.signal.audio import AudioReader
from ctxaudio.signal.envelope import MARGIN_S, Array, detect_rate, envelope_depth, slow_envelope, slow_step
from ctxaudio.signal.loudness import LevelMeter

#: Rates of the picture, evenly spaced on a logarithm: 100 Hz is 180 steps of 2.6 % above 1 Hz.
PICTURE_RATES_HZ: Array = np.geomspace(1.0, 100.0, 181)
PADDING = 4  # even, so that the last bin is at half the rate
#: Mean envelopes under this, far below a step of 16 bits, are what an FFT leaves of silence beside sound.
SILENCE = 1e-7


def analyse_file(
    path: Path, output_dir: Path | None = None, window_s: float | None = None, rates_hz: Sequence[float] = ()
) -> pd.DataFrame:
    """`modulation_over_time` of the sound at `path`, a row every half window (an eighth in a sound of fewer than 20).

    A window is 30 s if not given, in a sound under 5 minutes a tenth of it, at least 2 s. Writes `NAME_modulation.csv`,
    `.json` (with the `attrs` of the table: `lufs`, `true_peak_db`, and `rates_found` as `found`) and `.png` into
    `output_dir`, or beside the file. Raises `CtxAudioError` for a sound that can't be read, is under 2 s or silent.
    """
    written_to = writable_folder(output_dir or path.parent)
    sound = AudioReader(path)
    check_measurable(sound.frames, sound.sample_rate, f"{path}: ")
    duration_s = sound.duration_s
    if window_s is None:
        window_s = max(MIN_DURATION_S, min(30.0, duration_s / 10))
    if window_s > duration_s:
        raise CtxAudioError(f"{path}: a window of {window_s:g} s is longer than the {duration_s:.2f} s of sound")
    step_s = window_s / (2 if duration_s >= 20 * window_s else 8)
    meter = LevelMeter(sound.sample_rate, sound.channels)

    def metered() -> Iterator[FloatArray]:
        count = math.ceil(duration_s / step_s)
        for block in tqdm(sound.blocks(step_s), "analysing", count, unit="block", disable=not on_a_terminal()):
            meter.add(block)
            yield block

    table, depths = modulation_over_time(metered(), sound.sample_rate, window_s, step_s, rates_hz)
    if table["schumann_depth"].isna().all():
        raise CtxAudioError(f"{path}: digital silence: nothing to measure")
    level = meter.unchanged()
    table.attrs |= {"lufs": level.lufs, "true_peak_db": level.true_peak_db, "found": rates_found(table)}
    lengths = {"file": path.name, "duration_s": duration_s, "window_s": window_s, "step_s": step_s}
    content = lengths | table.attrs | {"medians": table.drop(columns=["start_s", "time_s"]).median().to_dict()}
    picture = modulation_spectrogram(table["time_s"].to_numpy(), depths, path.stem)
    write_results(written_to, f"{path.stem}_modulation", table, content, picture)
    return table


def modulation_over_time(
    blocks: Iterable[FloatArray], sample_rate: int, window_s: float, step_s: float, rates_hz: Sequence[float] = ()
) -> tuple[pd.DataFrame, Array]:
    """Measure the envelope of the mono mix of `blocks` `[channels, any length]` of a stream, in windows of `window_s`.

    The table has a row every `step_s`: `start_s`, `time_s` (the centre), for each rate target and each of `rates_hz`
    `_depth` and `_p` (F test), and the strongest rate found whatever it is, `strongest_hz` and `strongest_depth`. A
    window of T seconds tells rates 1/T apart, and a rate that glides within it is smeared. NaN: silence, or none stands
    out. Beside the table, `[rows, R]` is the depth at `PICTURE_RATES_HZ`: the largest within each step, so that a line
    between two isn't missed. Raises `CtxAudioError` for a window under 2 s.
    """
    if not window_s >= MIN_DURATION_S:
        raise CtxAudioError(f"window {window_s:g} s is too short to measure rates of 1 Hz and up: 2 s or more")
    rates = named_rates(rates_hz)
    rate_hz = sample_rate / slow_step(sample_rate)
    whole, length = _slow_envelope_of(blocks, sample_rate), round(window_s * rate_hz)
    taper = scipy.signal.windows.hann(length, sym=False)
    bins_hz = np.asarray(np.fft.rfftfreq(PADDING * length, 1.0 / rate_hz), dtype=np.float64)
    ratio = PICTURE_RATES_HZ[1] / PICTURE_RATES_HZ[0]
    edges_hz = PICTURE_RATES_HZ[0] * ratio ** (np.arange(len(PICTURE_RATES_HZ) + 1) - 0.5)
    edges = np.round(edges_hz / bins_hz[1]).astype(int)
    rows: list[dict[str, float]] = []
    picture = []
    while (start := round(len(rows) * step_s * rate_hz)) + length <= len(whole):
        envelope, start_s = whole[start : start + length], len(rows) * step_s
        rows.append({"start_s": start_s, "time_s": start_s + window_s / 2})
        if not envelope.mean() > SILENCE:
            picture.append(np.full(len(PICTURE_RATES_HZ), np.nan))
            continue
        mean = float(envelope @ taper) / taper.sum()
        waves = scipy.fft.rfft((envelope - mean) * taper, PADDING * length)
        spectrum = np.asarray(2.0 * np.abs(waves) / taper.sum() / mean)
        picture.append(np.maximum.reduceat(spectrum[: edges[-1]], edges[:-1]))
        for name, hertz in rates.items():
            found = detect_rate(envelope, rate_hz, hertz)
            rows[-1] |= {f"{name}_depth": found.depth, f"{name}_p": found.p_value}
        if np.isfinite(hertz := _strongest(bins_hz, spectrum)):
            rows[-1] |= {"strongest_hz": hertz, "strongest_depth": envelope_depth(envelope, rate_hz, hertz)}
    columns = ["start_s", "time_s", *(f"{name}_{part}" for name in rates for part in ("depth", "p"))]
    return pd.DataFrame(rows, columns=[*columns, "strongest_hz", "strongest_depth"], dtype=float), np.stack(picture)


def rates_found(table: pd.DataFrame) -> list[dict[str, float]]:
    """The strongest rate over time in stretches: `from_s`, `to_s`, `start_hz`, `end_hz` and the median `depth`.

    A stretch, of two windows or more, is steady (less than 0.05 Hz of change from one to the next), or a glide (less
    than 1 Hz); any other change, or a window where nothing stands out, ends it.
    """
    found = table[["time_s", "strongest_hz", "strongest_depth"]].to_numpy()
    kinds = np.digitize(np.abs(np.diff(found[:, 1])), (0.05, 1.0))  # NaN is beyond both
    stretches = []
    for changes in np.split(np.arange(len(kinds)), np.flatnonzero(np.diff(kinds)) + 1):
        if len(changes) and kinds[changes[0]] < 2:  # a steady stretch and the glide after it share a window
            times_s, rates_hz, depths = found[changes[0] : changes[-1] + 2].T.tolist()
            ends = {"from_s": times_s[0], "to_s": times_s[-1], "start_hz": rates_hz[0], "end_hz": rates_hz[-1]}
            stretches.append(ends | {"depth": median(depths)})
    return stretches


def _slow_envelope_of(blocks: Iterable[FloatArray], sample_rate: int) -> Array:
    """The slow envelope `[n]` of the mono mix of a stream, in pieces of 20 s, each with a margin of its neighbours."""
    step = slow_step(sample_rate)
    size, margin = (step * round(seconds * sample_rate / step) for seconds in (20.0, MARGIN_S))
    pieces, held, before = [], np.zeros(0, np.float32), 0
    for block in itertools.chain(blocks, [None]):
        if block is not None:
            held = np.concatenate([held, block.mean(axis=0)])
        while len(held) > (before if block is None else before + size + margin):
            envelope, _ = slow_envelope(held[: before + size + margin], sample_rate)
            pieces.append(envelope[before // step : (before + size) // step])
            held, before = held[before + size - margin :], margin
    return np.concatenate(pieces)


def _strongest(bins_hz: Array, spectrum: Array) -> float:
    """The rate, 1-100 Hz, of the deepest peak that stands far out of the 3 Hz (or 40 bins) around it; NaN for none."""
    power = spectrum**2
    coarse = slice(2 * PADDING, None, PADDING)  # from what the mean, taken away, leaves whole
    width = max(41, round(3.0 / bins_hz[PADDING]))
    beside = scipy.ndimage.median_filter(power[coarse], width, mode="mirror") / np.log(2.0)
    floor = np.interp(bins_hz, bins_hz[coarse], beside)
    peaks, _ = scipy.signal.find_peaks(power, height=25.0 * floor)  # in noise hardly one window in a hundred has one
    peaks = peaks[(bins_hz[peaks] >= 1.0) & (bins_hz[peaks] <= 100.0)]
    if not len(peaks):
        return np.nan
    peak = peaks[power[peaks].argmax()]
    left, middle, right = np.log(power[peak - 1 : peak + 2] + 1e-300)
    return float((peak + 0.5 * (left - right) / (left - 2.0 * middle + right)) * bins_hz[1])


def modulation_spectrogram(times_s: Array, depths: Array, title: str = "") -> Picture:
    """Depth `[W, R]` at `PICTURE_RATES_HZ`, in decibels (20 log10 m, from -50; NaN is white), over `times_s` `[W]`."""
    picture = Picture(f"modulation spectrogram of {title}", 4.0)
    axis = picture.subplots()
    unit, seconds = ("minutes", 60.0) if times_s[-1] - times_s[0] >= 120.0 else ("seconds", 1.0)
    label_axis(axis, title, f"time ({unit}); dotted: the rate targets", "rate of the envelope (Hz)")
    axis.grid(False)

    def ends(centres: Array) -> tuple[float, float]:
        half = (centres[1] - centres[0]) / 2 if len(centres) > 1 else 0.5
        return float(centres[0] - half), float(centres[-1] + half)

    extent = (*ends(times_s / seconds), *ends(np.log2(PICTURE_RATES_HZ)))
    levels_db = 20.0 * np.log10(np.maximum(depths, 1e-6)).T
    image = axis.imshow(levels_db, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="none")
    image.set_clim(-50.0, 0.0)
    axis.set_yticks(np.log2(RATE_TICKS_HZ), [str(tick) for tick in RATE_TICKS_HZ])
    for rate_hz in RATE_TARGETS_HZ:
        axis.axhline(np.log2(rate_hz), color="white", linewidth=0.5, linestyle=":", alpha=0.6)
    picture.colorbar(image, ax=axis, label="modulation depth (dB, 20 log m)", aspect=30, pad=0.01)
    return picture
