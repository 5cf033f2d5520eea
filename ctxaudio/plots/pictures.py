"""Pictures of sounds and of what is measured of them: spectra, analyses, distances, sessions, listening tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import librosa
import numpy as np
import numpy.typing as npt

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.plots import charts
from ctxaudio.plots.charts import COLOURS, INK, RATE_TARGETS, RATE_TICKS_HZ, Picture, label_axis, spaced, verbatim
from ctxaudio.signal.audio import fade_gain
from ctxaudio.signal.envelope import Array

DYNAMIC_RANGE_DB = 80.0
HOP = 256
QUIETEST_DEPTH_DB = -50.0
#: Name, seconds, and the shortest span shown in it.
_TIME_UNITS = (("hours", 3600.0, 7200.0), ("minutes", 60.0, 120.0), ("seconds", 1.0, 0.0))
#: Columns of kernel distances, and what they are called.
DISTANCES = {
    "real_floor": "other real clips (floor)",
    "generated": "generated",
    "matched_noise": "noise of the same spectrum (ceiling)",
    "white_noise": "white noise",
}
QUIETEST_DB = -40.0
_STEPS = 2000
_PLANNED = {"rate": "rate (Hz)", "depth": "depth (0 to 1)", "level": "level (dB)"}


def spectrograms(clips: Mapping[str, FloatArray], sample_rate: int) -> Picture:
    """Mel spectrograms of `{title: samples [T]}` side by side, three to a row.

    Levels are decibels below the loudest point of all clips: no clip is normalised by itself.
    """
    if not clips:
        raise CtxAudioError("no clips to draw: give at least one title and its samples")
    columns = min(3, len(clips))
    rows = -(-len(clips) // columns)
    names = ", ".join(title for title in clips if title)
    picture = Picture(f"spectrogram of {names}" if names else "spectrogram", max(3.2, 2.0 * rows))
    axes = picture.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    powers = [librosa.feature.melspectrogram(y=clip, sr=sample_rate, hop_length=HOP) for clip in clips.values()]
    loudest = max(max(float(power.max()) for power in powers), 1e-10)
    ticks_hz = [tick for tick in (0, 500, 1000, 2000, 4000, 8000, 16000) if tick <= sample_rate / 2]
    for axis, title, power in zip(axes, clips, powers, strict=False):
        levels_db = librosa.power_to_db(power, ref=loudest, top_db=None)
        # Mel bands are even on the mel axis, so an image with ticks at the mel of each frequency is exact.
        extent = (0.0, power.shape[1] * HOP / sample_rate, 0.0, librosa.hz_to_mel(sample_rate / 2))
        image = axis.imshow(levels_db, origin="lower", aspect="auto", extent=extent, cmap="magma")
        image.set_clim(-DYNAMIC_RANGE_DB, 0.0)
        label_axis(axis, spaced(title), "time (s)", "frequency (Hz)")
        axis.grid(False)
        axis.set_yticks(librosa.hz_to_mel(ticks_hz), [str(tick) for tick in ticks_hz])
        axis.label_outer()
    for axis in axes[len(clips) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(clips) - columns) : len(clips)]:
        axis.xaxis.set_tick_params(labelbottom=True)
    picture.colorbar(image, ax=axes.tolist(), label="level (dB re loudest)", aspect=30, pad=0.01)
    return picture


def modulation_spectra(
    spectra: Mapping[str, Array], rates_hz: Array, title: str = "", asked: Mapping[float, float] | None = None
) -> Picture:
    """Modulation depth against rate, 1-100 Hz, with bands and targets marked.

    A line for each of `{name: depths [R]}` at `rates_hz` `[R]`; of `[clips, R]` their median, and shaded where 80 % of
    them are. `asked` are depths asked for, by hertz: a cross each.
    """
    picture = Picture(f"modulation spectrum of {', '.join(spectra)}", 3.8)
    axis = picture.subplots()
    for (name, depths), colour in zip(spectra.items(), COLOURS, strict=False):
        low, middle, high = np.percentile(np.atleast_2d(depths), (10, 50, 90), axis=0)
        several = f": median, 80 % of {len(depths)} clips" if np.ndim(depths) == 2 else ""
        axis.fill_between(rates_hz, low, high, color=colour, alpha=0.2, linewidth=0)
        axis.plot(rates_hz, middle, color=colour, linewidth=1.2, label=verbatim(name) + several)
    if asked:
        axis.plot(list(asked), list(asked.values()), "x", color=INK, label="asked for")
    axis.set_ylim(0.0, None)
    charts.rate_axis(axis, title, "modulation depth (0 to 1)")
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def modulation_spectrogram(times_s: Array, rates_hz: Array, depths: Array, title: str = "") -> Picture:
    """Depth `[W, R]` at each of `rates_hz` `[R]`, evenly spaced on a logarithm, over `times_s` `[W]`.

    Depth is shown in decibels, 20 log10 m, from -50 to 0; NaN is white.
    """
    picture = Picture(f"modulation spectrogram of {title}", 4.0)
    axis = picture.subplots()
    span_s = float(times_s[-1] - times_s[0])
    unit, seconds = next((u, s) for u, s, least in _TIME_UNITS if span_s >= least)
    half_step = (times_s[1] - times_s[0]) / 2 if len(times_s) > 1 else 0.5
    log_hz = np.log2(rates_hz)
    half_rate = (log_hz[1] - log_hz[0]) / 2
    extent = (
        *((times_s[0] - half_step) / seconds, (times_s[-1] + half_step) / seconds),
        *(log_hz[0] - half_rate, log_hz[-1] + half_rate),
    )
    levels_db = 20.0 * np.log10(np.maximum(depths, 1e-6)).T
    image = axis.imshow(levels_db, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="none")
    image.set_clim(QUIETEST_DEPTH_DB, 0.0)
    across = f"time ({unit}); dotted: the rate targets"
    label_axis(axis, verbatim(title), across, "rate of the envelope (Hz)")
    axis.grid(False)
    axis.set_yticks(np.log2(RATE_TICKS_HZ), [str(tick) for tick in RATE_TICKS_HZ])
    for target in RATE_TARGETS:
        axis.axhline(np.log2(target.frequency_hz), color="white", linewidth=0.5, linestyle=":", alpha=0.6)
    picture.colorbar(image, ax=axis, label="modulation depth (dB, 20 log m)", aspect=30, pad=0.01)
    return picture


def distances(by_condition: Mapping[str, Mapping[str, float | None]]) -> Picture:
    """Kernel distance x1000 to real clips, `{condition: {column: distance}}`, from the floor to noise.

    Columns are those of `DISTANCES`, with `_low` and `_high` after them for intervals; None is left out.
    """
    rows = {
        condition: {
            said: (value, found.get(f"{name}_low"), found.get(f"{name}_high"))
            for name, said in DISTANCES.items()
            if (value := found.get(name)) is not None
        }
        for condition, found in by_condition.items()
    }
    picture = charts.intervals(rows, "kernel distance to real clips, x1000: left is nearer")
    generated = ", ".join(f"{name} {found['generated']:.0f}" for name, found in by_condition.items())
    picture.alt = f"kernel distances to real clips: {generated}"
    return picture


def timeline(
    knots: Sequence[tuple[float, float, float]],
    minutes: float,
    fade_s: float,
    measured: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]] | None = None,
    levels: Sequence[tuple[float, float]] = ((0.0, 0.0),),
    conditions: Sequence[tuple[float, str]] = (),
) -> Picture:
    """Rate, depth and level over `minutes` of a session: lines as planned, dots as `measured`.

    `knots` (seconds, hertz, depth) are those of a `Schedule`, `fade_s` the fades of its `Finish`. `measured` has
    (seconds, values) for `rate`, `depth` or `level`; levels are in dB beside the middle of the session. `levels`
    (seconds, dB) are those of the schedule, `conditions` (seconds, name) what is heard from then on.
    """
    heard = "".join(f", {spaced(name)} from minute {second / 60:g}" for second, name in conditions)
    said = "rate, depth and level of a session over time" + (", as measured" if measured else "") + heard
    picture = Picture(said, 5.2)
    axes = picture.subplots(3, 1, sharex=True)
    time_s = np.linspace(0.0, 60.0 * minutes, _STEPS)
    seconds, rates_hz, depths = np.array(knots).T
    fade = round(min(fade_s / (60.0 * minutes), 0.5) * _STEPS)
    level_db = 20.0 * np.log10(np.maximum(fade_gain(0, _STEPS, _STEPS, fade, fade), 1e-6))
    level_db += np.interp(time_s, *np.array(levels).T)
    planned = (np.interp(time_s, seconds, rates_hz), np.interp(time_s, seconds, depths), level_db)
    lowest = ((0.0, None), (0.0, None), (QUIETEST_DB, 6.0))
    for axis, (name, upwards), line, limits in zip(axes, _PLANNED.items(), planned, lowest, strict=True):
        axis.plot(time_s / 60.0, line, color=charts.BLUE, linewidth=1.8, label="planned")
        if measured and name in measured:
            at_s, values = measured[name]
            axis.plot(np.asarray(at_s) / 60.0, values, ".", color=charts.RED, markersize=7, label="measured")
        label_axis(axis, "", "time (minutes)" if axis is axes[-1] else "", upwards)
        axis.set_ylim(*limits)
    for second, name in conditions:
        axes[0].annotate(spaced(name), (second / 60.0, 1.0), xycoords=("data", "axes fraction"), color=INK)
        for axis in axes:
            axis.axvline(second / 60.0, color=INK, linewidth=0.8, linestyle=":")
    axes[0].set_xlim(0.0, minutes)
    if measured:
        picture.legend(*axes[2].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return picture
