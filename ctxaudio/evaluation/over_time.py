"""The modulation of a sound of any length over time: a night of sound as well as a clip.

What is held in memory is the slow envelope, 12 MB for an hour of sound.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.fft
import scipy.ndimage
import scipy.signal
from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.folders import finite, write_results
from ctxaudio.evaluation.measures import MIN_DURATION_S, check_measurable, named_rates
from ctxaudio.files import FloatArray, writable_folder
from ctxaudio.plots import modulation_spectrogram
from ctxaudio.signal.audio import AudioReader
from ctxaudio.signal.envelope import MARGIN_S, Array, detect_rate, envelope_depth, slow_envelope, slow_step
from ctxaudio.signal.loudness import LevelMeter

#: Rates of the picture, evenly spaced on a logarithm: 100 Hz is 180 steps of 2.6 % above 1 Hz.
PICTURE_RATES_HZ: Array = np.geomspace(1.0, 100.0, 181)
PADDING = 4  # even, so that the last bin is at half the rate
#: In power; in noise hardly one window in a hundred has such a peak.
PEAK_OVER_FLOOR = 25.0
STEADY_HZ = 0.05
PIECE_S = 20.0
#: Mean envelopes under this, far below a step of 16 bits, are what an FFT leaves of silence beside sound.
SILENCE = 1e-7


def analyse_file(
    path: str | Path,
    output_dir: str | Path | None = None,
    window_s: float | None = None,
    rates_hz: Sequence[float] = (),
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the modulation of the sound at `path` over time.

    Writes `NAME_modulation.csv` (the table), `.json` (length, loudness, the rates found) and `.png` (the modulation
    spectrogram) into `output_dir`, or beside the file.

    Args:
        window_s: length of a window; by default 30 s, in a sound under 5 minutes a tenth of it, and 2 s at least.
        rates_hz: rates to measure besides the targets.

    Returns:
        A row every half window (an eighth in a sound of fewer than 20), as `modulation_over_time`. `attrs["found"]`
        are the stretches of `rates_found`; `attrs["lufs"]`, `attrs["true_peak_db"]` are of the whole file.

    Raises `CtxAudioError` for a file that can't be read, a sound under 2 s or digital silence, and an `output_dir`
    that can't be written to.
    """
    source = Path(path)
    written_to = writable_folder(source.parent if output_dir is None else Path(output_dir))
    sound = AudioReader(source)
    check_measurable(sound.frames, sound.sample_rate, f"{source}: ")
    duration_s = sound.duration_s
    if window_s is None:
        window_s = max(MIN_DURATION_S, min(30.0, duration_s / 10))
    if window_s > duration_s:
        raise CtxAudioError(f"{source}: a window of {window_s:g} s is longer than the {duration_s:.2f} s of sound")
    step_s = window_s / (2 if duration_s >= 20 * window_s else 8)
    meter = LevelMeter(sound.sample_rate, sound.channels)
    blocks = _metered(sound, step_s, meter, progress)
    table, depths = modulation_over_time(blocks, sound.sample_rate, window_s, step_s, rates_hz)
    level = meter.unchanged()
    if table["schumann_depth"].isna().all():
        raise CtxAudioError(f"{source}: digital silence: nothing to measure")
    whole = {"lufs": level.lufs, "true_peak_db": level.true_peak_db}
    table.attrs |= {"found": rates_found(table), **whole}
    lengths = {"duration_s": duration_s, "window_s": window_s, "step_s": step_s}
    medians = finite(table.drop(columns=["start_s", "time_s"]).median())
    content = {"file": source.name, **lengths, **finite(whole), "found": table.attrs["found"], "medians": medians}
    picture = modulation_spectrogram(table["time_s"].to_numpy(), PICTURE_RATES_HZ, depths, source.stem)
    write_results(written_to, f"{source.stem}_modulation", table, content, picture)
    return table


def _metered(sound: AudioReader, seconds: float, meter: LevelMeter, progress: bool) -> Iterator[FloatArray]:
    with tqdm(total=round(sound.duration_s), desc="analysing", unit="s", disable=not progress) as bar:
        for block in sound.blocks(seconds):
            meter.add(block)
            yield block
            bar.update(round(block.shape[1] / sound.sample_rate))


def modulation_over_time(
    blocks: Iterable[FloatArray],
    sample_rate: int,
    window_s: float = 30.0,
    step_s: float | None = None,
    rates_hz: Sequence[float] = (),
) -> tuple[pd.DataFrame, Array]:
    """Measure the envelope of the mono mix of `blocks` `[channels, any length]` of a stream, in windows of `window_s`.

    The table has a row every `step_s` (half a window if not given): `start_s`, `time_s` (the centre), for each rate
    target and each of `rates_hz` its `_depth` and `_p` (F test), and the strongest rate found whatever it is,
    `strongest_hz` and `strongest_depth` (NaN where none stands out). A window of T seconds tells rates 1/T apart, and
    a rate that glides within it is smeared. A silent window is NaN throughout. Beside the table, `[rows, R]` is the
    depth at `PICTURE_RATES_HZ`: the largest within each step, so that a line between two steps isn't missed.

    Raises `CtxAudioError` for a window under 2 s, and for a sound shorter than a window.
    """
    if not window_s >= MIN_DURATION_S:
        raise CtxAudioError(f"window {window_s:g} s is too short to measure rates of 1 Hz and up: 2 s or more")
    rates = named_rates(rates_hz)
    rate_hz = sample_rate / slow_step(sample_rate)
    whole, length = _slow_envelope_of(blocks, sample_rate), round(window_s * rate_hz)
    if len(whole) < length:
        raise CtxAudioError(f"the sound is shorter than a window of {window_s:g} s: choose a shorter one")
    step_s = window_s / 2 if step_s is None else step_s
    bins_hz = np.asarray(np.fft.rfftfreq(PADDING * length, 1.0 / rate_hz), dtype=np.float64)
    rows: list[dict[str, float]] = []
    picture = []
    while (start := round(len(rows) * step_s * rate_hz)) + length <= len(whole):
        envelope, start_s = whole[start : start + length], len(rows) * step_s
        silent = not envelope.mean() > SILENCE
        spectrum = np.full(len(bins_hz), np.nan) if silent else _spectrum(envelope)
        picture.append(_in_picture(bins_hz, spectrum))
        row = {"start_s": start_s, "time_s": start_s + window_s / 2}
        for name, hertz in rates.items():
            found = None if silent else detect_rate(envelope, rate_hz, hertz)
            row |= {f"{name}_depth": found.depth if found else np.nan, f"{name}_p": found.p_value if found else np.nan}
        strongest_hz = np.nan if silent else _strongest(bins_hz, spectrum)
        depth = envelope_depth(envelope, rate_hz, strongest_hz) if np.isfinite(strongest_hz) else np.nan
        rows.append(row | {"strongest_hz": strongest_hz, "strongest_depth": depth})
    return pd.DataFrame(rows), np.stack(picture)


def rates_found(table: pd.DataFrame, same_hz: float = 1.0) -> list[dict[str, float]]:
    """The strongest rate over time in stretches: `from_s`, `to_s`, `start_hz`, `end_hz` and the median `depth`.

    A stretch, of two windows or more, is steady (less than 0.05 Hz of change from one to the next), or a glide (less
    than `same_hz`); any other change, or a window where nothing stands out, ends it.
    """
    found = table[["time_s", "strongest_hz", "strongest_depth"]].to_numpy(dtype=np.float64)
    change_hz = np.abs(np.diff(found[:, 1]))
    kinds = np.select([change_hz < STEADY_HZ, change_hz < same_hz], ["steady", "glide"], "")
    stretches = []
    for kind, group in itertools.groupby(range(len(kinds)), key=lambda i: str(kinds[i])):
        changes = list(group)
        if kind:  # a steady stretch and the glide after it share the window between them
            times_s, rates_hz, depths = found[changes[0] : changes[-1] + 2].T
            of_ends = {"from_s": times_s[0], "to_s": times_s[-1], "start_hz": rates_hz[0], "end_hz": rates_hz[-1]}
            stretches.append({name: float(v) for name, v in (of_ends | {"depth": np.median(depths)}).items()})
    return stretches


def _slow_envelope_of(blocks: Iterable[FloatArray], sample_rate: int) -> Array:
    """The slow envelope `[n]` of the mono mix of a stream, measured in pieces, each with a margin of its neighbours."""
    step = slow_step(sample_rate)
    size, margin = (step * round(seconds * sample_rate / step) for seconds in (PIECE_S, MARGIN_S))
    pieces, held, before = [], np.zeros(0, np.float32), 0
    for block in itertools.chain(blocks, [None]):
        if block is not None:
            held = np.concatenate([held, block.mean(axis=0)])
        while len(held) > (before if block is None else before + size + margin):
            envelope, _ = slow_envelope(held[: before + size + margin], sample_rate)
            pieces.append(envelope[before // step : (before + size) // step])
            held, before = held[before + size - margin :], margin
    return np.concatenate(pieces or [np.zeros(0)])


def _spectrum(envelope: Array) -> Array:
    """Depth at each bin of a Hann window, zero-padded to four times its length."""
    window = scipy.signal.windows.hann(len(envelope), sym=False)
    mean = float(envelope @ window) / window.sum()
    waves = scipy.fft.rfft((envelope - mean) * window, PADDING * len(envelope))
    return np.asarray(2.0 * np.abs(waves) / window.sum() / mean)


def _in_picture(bins_hz: Array, spectrum: Array) -> Array:
    """The largest depth within each step of `PICTURE_RATES_HZ`."""
    ratio = PICTURE_RATES_HZ[1] / PICTURE_RATES_HZ[0]
    edges_hz = PICTURE_RATES_HZ[0] * ratio ** (np.arange(len(PICTURE_RATES_HZ) + 1) - 0.5)
    edges = np.round(edges_hz / bins_hz[1]).astype(int)
    return np.asarray(np.maximum.reduceat(spectrum[: edges[-1]], edges[:-1]))


def _strongest(bins_hz: Array, spectrum: Array) -> float:
    """The rate, 1-100 Hz, of the deepest peak that stands far out of the 3 Hz (or 40 bins) around it; NaN for none."""
    power = spectrum**2
    coarse = slice(2 * PADDING, None, PADDING)  # from what the mean, taken away, leaves whole
    width = max(41, round(3.0 / bins_hz[PADDING]))
    beside = scipy.ndimage.median_filter(power[coarse], width, mode="mirror") / np.log(2.0)
    floor = np.interp(bins_hz, bins_hz[coarse], beside)
    peaks, _ = scipy.signal.find_peaks(power, height=PEAK_OVER_FLOOR * floor)
    peaks = peaks[(bins_hz[peaks] >= 1.0) & (bins_hz[peaks] <= 100.0)]
    if not len(peaks):
        return np.nan
    peak = peaks[power[peaks].argmax()]
    left, middle, right = np.log(power[peak - 1 : peak + 2] + 1e-300)
    return float((peak + 0.5 * (left - right) / (left - 2.0 * middle + right)) * bins_hz[1])
