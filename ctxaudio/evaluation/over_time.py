"""The modulation of a sound of any length over time, in constant memory: a night of sound as well as a clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.fft
import scipy.ndimage
import scipy.signal
from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.folders import finite, without_mathtext, write_results
from ctxaudio.evaluation.measures import MIN_DURATION_S, channel_names, check_measurable, named_rates
from ctxaudio.files import FloatArray, writable_folder
from ctxaudio.plots import modulation_spectrogram
from ctxaudio.signal.audio import AudioReader
from ctxaudio.signal.cochlea import slow_envelope
from ctxaudio.signal.envelope import Array, detect_rates, envelope_depth
from ctxaudio.signal.loudness import LevelMeter

#: Rates of the picture, evenly spaced on a logarithm: 100 Hz is 180 steps of 2.6 % above 1 Hz.
PICTURE_RATES_HZ: Array = np.geomspace(1.0, 100.0, 181)
PADDING = 4  # even, so that the last bin is at half the rate
#: In power; in noise hardly one window in a hundred has such a peak.
PEAK_OVER_FLOOR = 25.0
STEADY_HZ = 0.05


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
    content = {
        "file": source.name,
        "duration_s": duration_s,
        **finite(whole),
        "window_s": window_s,
        "step_s": step_s,
        "found": table.attrs["found"],
        "medians": finite(table.drop(columns=["start_s", "time_s"]).median()),
    }
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
    length = round(window_s * sample_rate)
    step = max(1, round((window_s / 2 if step_s is None else step_s) * sample_rate))
    rows, pictures, names, start = [], [], ["mono"], 0
    held: FloatArray | None = None
    for block in blocks:
        held = block if held is None else np.concatenate([held, block], axis=1)
        while held.shape[1] >= length:
            window = held[:, :length]
            if len(window) > 1:
                window = np.concatenate([window.mean(axis=0, keepdims=True), window])
                names = ["mono sum", *channel_names(len(window) - 1)]
            envelopes = {name: slow_envelope(view, sample_rate) for name, view in zip(names, window, strict=True)}
            spectra = {name: _spectrum(envelope) for name, (envelope, _) in envelopes.items()}
            rate_hz = envelopes[names[0]][1]
            rows.append(
                {"start_s": start / sample_rate, **_row(envelopes, rates, _strongest(spectra[names[0]], rate_hz))}
            )
            pictures.append({name: _in_picture(spectrum, rate_hz) for name, spectrum in spectra.items()})
            held = held[:, step:]
            start += step
    if not rows:
        raise CtxAudioError(f"the sound is shorter than a window of {window_s:g} s: choose a shorter one")
    table = pd.DataFrame(rows)
    table.insert(1, "time_s", table["start_s"] + window_s / 2)
    return table, {name: np.stack([picture[name] for picture in pictures]) for name in names}


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


def _row(
    envelopes: Mapping[str, tuple[Array, float]], rates: Mapping[str, float], strongest_hz: float
) -> dict[str, float]:
    """What a window's `envelopes` (the mono sum first, each with its sample rate) have at `rates`, and at the strongest
    one, which is NaN where there is none."""
    mono, rate_hz = next(iter(envelopes.values()))
    row: dict[str, float] = {}
    for name, hertz in rates.items():
        found = detect_rates(mono, rate_hz, [hertz])[0] if mono.mean() > 0.0 else None
        row |= {f"{name}_depth": found.depth if found else np.nan, f"{name}_p": found.p_value if found else np.nan}
    row["strongest_hz"] = strongest_hz
    for name, (envelope, _) in envelopes.items():
        column = "strongest_depth" if envelope is mono else f"strongest_depth_{name}"
        heard = np.isfinite(strongest_hz) and envelope.mean() > 0.0
        row[column] = envelope_depth(envelope, rate_hz, strongest_hz) if heard else np.nan
    return row


def _spectrum(envelope: Array) -> Array:
    """Depth at each bin of a Hann window, zero-padded to four times its length; NaN for silence."""
    padded = PADDING * len(envelope)
    if not envelope.mean() > 0.0:
        return np.full(padded // 2 + 1, np.nan)
    window = scipy.signal.windows.hann(len(envelope), sym=False)
    mean = float(envelope @ window) / window.sum()
    waves = scipy.fft.rfft((envelope - mean) * window, padded)
    return np.asarray(2.0 * np.abs(waves) / window.sum() / mean)


def _in_picture(spectrum: Array, rate_hz: float) -> Array:
    """The largest depth within each step of `PICTURE_RATES_HZ`."""
    ratio = PICTURE_RATES_HZ[1] / PICTURE_RATES_HZ[0]
    edges_hz = PICTURE_RATES_HZ[0] * ratio ** (np.arange(len(PICTURE_RATES_HZ) + 1) - 0.5)
    edges = np.round(edges_hz / _bin_hz(spectrum, rate_hz)).astype(int)
    return np.asarray(np.maximum.reduceat(spectrum[: edges[-1]], edges[:-1]))


def _strongest(spectrum: Array, rate_hz: float) -> float:
    """The rate, 1-100 Hz, of the deepest peak that stands far out of the 3 Hz (or 40 bins) around it; NaN for none."""
    power = spectrum**2
    bin_hz = _bin_hz(spectrum, rate_hz)
    bins_hz = np.arange(len(power)) * bin_hz
    coarse = slice(2 * PADDING, None, PADDING)  # from what the mean, taken away, leaves whole
    width = max(41, round(3.0 / (bin_hz * PADDING)))
    beside = scipy.ndimage.median_filter(power[coarse], width, mode="mirror") / np.log(2.0)
    floor = np.interp(bins_hz, bins_hz[coarse], beside)
    peaks, _ = scipy.signal.find_peaks(power, height=PEAK_OVER_FLOOR * floor)
    peaks = peaks[(bins_hz[peaks] >= 1.0) & (bins_hz[peaks] <= 100.0)]
    if not len(peaks):
        return np.nan
    peak = peaks[power[peaks].argmax()]
    left, middle, right = np.log(power[peak - 1 : peak + 2] + 1e-300)
    return float((peak + 0.5 * (left - right) / (left - 2.0 * middle + right)) * bin_hz)


def _bin_hz(spectrum: Array, rate_hz: float) -> float:
    return rate_hz / (2 * (len(spectrum) - 1))
