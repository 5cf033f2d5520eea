"""The modulation of a sound of any length over time, in constant memory: a night of sound as well as a clip."""

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
from ctxaudio.evaluation.folders import finite, without_mathtext, write_results
from ctxaudio.evaluation.measures import MIN_DURATION_S, check_measurable, named_rates
from ctxaudio.files import FloatArray, writable_folder
from ctxaudio.plots import modulation_spectrogram
from ctxaudio.signal.audio import AudioReader
from ctxaudio.signal.cochlea import MARGIN_S, samples_per_slow_sample, slow_envelope
from ctxaudio.signal.envelope import Array, detect_rates, envelope_depth
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
    by_channel = table.filter(regex="^strongest_depth_").sub(table["strongest_depth"], axis=0)
    differ = (by_channel.abs().median() > 0.05).any()
    shown = depths if differ else dict(list(depths.items())[:1])
    title = without_mathtext(source.stem)
    picture = modulation_spectrogram(table["time_s"].to_numpy(), PICTURE_RATES_HZ, shown, title)
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
) -> tuple[pd.DataFrame, dict[str, Array]]:
    """Measure the envelope of a stream of `blocks` `[channels, any length]` in windows of `window_s`.

    The table has a row every `step_s` (half a window if not given): `start_s`, `time_s` (the centre), for each rate
    target and each of `rates_hz` its `_depth` and `_p` (F test), and the strongest rate found whatever it is,
    `strongest_hz` and `strongest_depth` (NaN where none stands out); for several channels of all this the mono sum,
    and `strongest_depth_left` and `_right`: a binaural beat is in the sum only. A window of T seconds tells rates 1/T
    apart, and a rate that glides within it is smeared. A silent window is NaN throughout.

    Beside the table, `{"mono sum": [rows, R], "left": ...}` is the depth at `PICTURE_RATES_HZ`: the largest within
    each step, so that a line between two steps isn't missed.

    Raises `CtxAudioError` for a window under 2 s, and for a sound shorter than a window.
    """
    if not window_s >= MIN_DURATION_S:
        raise CtxAudioError(f"window {window_s:g} s is too short to measure rates of 1 Hz and up: 2 s or more")
    rates = named_rates(rates_hz)
    rate_hz = sample_rate / samples_per_slow_sample(sample_rate)
    rows, pictures, names = [], [], ["mono"]
    step_s = window_s / 2 if step_s is None else step_s
    for start_s, envelopes in _windows(_slow_envelopes(blocks, sample_rate), rate_hz, window_s, step_s):
        if len(envelopes) > 1:
            channels = ["left", "right"] if len(envelopes) == 3 else [f"channel_{n}" for n in range(1, len(envelopes))]
            names = ["mono sum", *channels]
        bins_hz = np.asarray(np.fft.rfftfreq(PADDING * envelopes.shape[1], 1.0 / rate_hz), dtype=np.float64)
        spectra = [_spectrum(envelope) for envelope in envelopes]
        pictures.append([_in_picture(bins_hz, spectrum) for spectrum in spectra])
        row = {"start_s": start_s, "time_s": start_s + window_s / 2}
        for name, hertz in rates.items():
            found = detect_rates(envelopes[0], rate_hz, [hertz])[0] if envelopes[0].mean() > SILENCE else None
            row |= {f"{name}_depth": found.depth if found else np.nan, f"{name}_p": found.p_value if found else np.nan}
        row["strongest_hz"] = strongest_hz = _strongest(bins_hz, spectra[0])
        for name, envelope in zip(names, envelopes, strict=True):
            heard = np.isfinite(strongest_hz) and envelope.mean() > SILENCE
            depth = envelope_depth(envelope, rate_hz, strongest_hz) if heard else np.nan
            row["strongest_depth" if name is names[0] else f"strongest_depth_{name}"] = depth
        rows.append(row)
    if not rows:
        raise CtxAudioError(f"the sound is shorter than a window of {window_s:g} s: choose a shorter one")
    return pd.DataFrame(rows), dict(zip(names, np.stack(pictures, axis=1), strict=True))


def rates_found(table: pd.DataFrame, same_hz: float = 1.0) -> list[dict[str, float]]:
    """The strongest rate over time in stretches: `from_s`, `to_s`, `start_hz`, `end_hz` and the median `depth`.

    A stretch is steady (from one window to the next less than 0.05 Hz of change), or a glide (less than `same_hz`); any
    other change, or a window where nothing stands out, ends it.
    """
    stretches = []
    found = table[["time_s", "strongest_hz", "strongest_depth"]].to_numpy(dtype=np.float64)
    change_hz = np.abs(np.diff(found[:, 1]))
    kinds = np.select([change_hz < STEADY_HZ, change_hz < same_hz], ["steady", "glide"], "")
    start = 0
    for end in range(1, len(found) + 1):
        if end < len(found) and kinds[end - 1] and (end - 1 == start or kinds[end - 1] == kinds[end - 2]):
            continue
        times_s, rates_hz, depths = found[start:end].T
        if np.isfinite(rates_hz).all():
            stretch = {"from_s": times_s[0], "to_s": times_s[-1], "start_hz": rates_hz[0], "end_hz": rates_hz[-1]}
            stretches.append({name: float(v) for name, v in (stretch | {"depth": np.median(depths)}).items()})
        # A steady stretch and the glide after it share the window between them.
        start = end - 1 if end < len(found) and kinds[end - 1] else end
    return stretches


def _slow_envelopes(blocks: Iterable[FloatArray], sample_rate: int) -> Iterator[Array]:
    """Slow envelopes `[views, n]` of a stream, one piece after another: of its mono sum and its channels, or of its
    one channel. Each piece is measured once, with a margin of its neighbours."""
    step = samples_per_slow_sample(sample_rate)
    size, margin = (step * round(seconds * sample_rate / step) for seconds in (PIECE_S, MARGIN_S))
    held, before = np.zeros((1, 0), np.float32), 0
    for block in itertools.chain(blocks, [None]):
        if block is not None:
            held = np.concatenate([held, block], axis=1) if held.size else block
        while held.shape[1] > (before if block is None else before + size + margin):
            piece = held[:, : before + size + margin]
            views = piece if len(piece) == 1 else np.concatenate([piece.mean(axis=0, keepdims=True), piece])
            envelopes = np.stack([slow_envelope(view, sample_rate)[0] for view in views])
            yield envelopes[:, before // step : (before + size) // step]
            held, before = held[:, before + size - margin :], margin


def _windows(pieces: Iterable[Array], rate_hz: float, window_s: float, step_s: float) -> Iterator[tuple[float, Array]]:
    """Windows `[views, n]` of what `pieces` are together, and the second at which each begins: every `step_s`."""
    length, number, first = round(window_s * rate_hz), 0, 0
    held: Array | None = None
    for piece in pieces:
        held = piece if held is None else np.concatenate([held, piece], axis=1)
        while (start := round(number * step_s * rate_hz)) + length <= first + held.shape[1]:
            yield number * step_s, held[:, start - first : start - first + length]
            number += 1
        held, first = held[:, max(0, start - first) :], max(first, start)


def _spectrum(envelope: Array) -> Array:
    """Depth at each bin of a Hann window, zero-padded to four times its length; NaN for silence."""
    padded = PADDING * len(envelope)
    if not envelope.mean() > SILENCE:
        return np.full(padded // 2 + 1, np.nan)
    window = scipy.signal.windows.hann(len(envelope), sym=False)
    mean = float(envelope @ window) / window.sum()
    waves = scipy.fft.rfft((envelope - mean) * window, padded)
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
