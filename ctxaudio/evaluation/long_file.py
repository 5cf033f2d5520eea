"""`analyse_file`: one sound of any length, a night of it as well, as a table over time and a modulation spectrogram."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.batch import finite
from ctxaudio.evaluation.over_time import MIN_WINDOW_S, PICTURE_RATES_HZ, modulation_over_time, rates_found
from ctxaudio.files import FloatArray, writable_folder, write_json, written_whole
from ctxaudio.plots import modulation_spectrogram, save_figure
from ctxaudio.signal.audio import AudioReader
from ctxaudio.signal.loudness import LevelMeter

BLOCK_S = 4.0
LONGEST_WINDOW_S = 30.0
WINDOWS_IN_SHORT_SOUND = 10
FEW_WINDOWS = 20
DIFFERENT_DEPTH = 0.05


def analyse_file(
    path: str | Path,
    output_dir: str | Path | None = None,
    window_s: float | None = None,
    rates_hz: Sequence[float] = (),
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the modulation of the sound at `path` over time, in constant memory.

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
    with AudioReader(source) as sound:
        if sound.duration_s < MIN_WINDOW_S:
            raise CtxAudioError(
                f"{source}: {sound.duration_s:.2f} s is too short to measure: {MIN_WINDOW_S:g} s or more"
            )
        if window_s is None:
            window_s = max(MIN_WINDOW_S, min(LONGEST_WINDOW_S, sound.duration_s / WINDOWS_IN_SHORT_SOUND))
        if window_s > sound.duration_s:
            raise CtxAudioError(
                f"{source}: a window of {window_s:g} s is longer than the {sound.duration_s:.2f} s of sound"
            )
        step_s = window_s / (2 if sound.duration_s >= FEW_WINDOWS * window_s else 8)
        meter = LevelMeter(sound.sample_rate, sound.channels)
        blocks = _metered(sound, meter, progress)
        over_time = modulation_over_time(blocks, sound.sample_rate, window_s, step_s, rates_hz)
        duration_s = sound.duration_s
    level = meter.unchanged()
    table = over_time.table
    if table["schumann_depth"].isna().all():
        raise CtxAudioError(f"{source}: digital silence: nothing to measure")
    found = rates_found(table)
    table.attrs |= {"found": found, "lufs": level.lufs, "true_peak_db": level.true_peak_db}
    stem = f"{source.stem}_modulation"
    with written_whole(written_to / f"{stem}.csv") as aside:
        table.to_csv(aside, index=False)
    content = {
        "file": source.name,
        "duration_s": duration_s,
        "lufs": finite(level.lufs),
        "true_peak_db": finite(level.true_peak_db),
        "window_s": window_s,
        "step_s": step_s,
        "found": found,
        "medians": {name: finite(value) for name, value in table.drop(columns=["start_s", "time_s"]).median().items()},
    }
    write_json(written_to / f"{stem}.json", content)
    shown = over_time.depths if _ears_differ_from_sum(table) else dict(list(over_time.depths.items())[:1])
    picture = modulation_spectrogram(over_time.times_s, PICTURE_RATES_HZ, shown, source.stem)
    save_figure(picture, written_to / f"{stem}.png")
    return table


def _ears_differ_from_sum(table: pd.DataFrame) -> bool:
    ears = table.filter(regex="^strongest_1_depth_")
    return bool((ears.sub(table["strongest_1_depth"], axis=0).abs().median() > DIFFERENT_DEPTH).any())


def _metered(sound: AudioReader, meter: LevelMeter, progress: bool) -> Iterator[FloatArray]:
    """The blocks of `sound`, each being metered by a second thread while the first measures its envelope."""
    bar = tqdm(total=round(sound.duration_s), desc="analysing", unit="s", disable=not progress)
    with bar, ThreadPoolExecutor(1) as pool:
        for block in sound.blocks(BLOCK_S):
            metering = pool.submit(meter.add, block)
            yield block
            metering.result()
            bar.update(round(block.shape[1] / sound.sample_rate))
