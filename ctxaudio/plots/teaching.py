"""Pictures that the notebooks explain with: thresholds of hearing a rate, methods side by side, depths being learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ctxaudio.files import FloatArray
from ctxaudio.modulation.comfort import LIMITS
from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, SKY, Picture, label_axis, log_axis
from ctxaudio.signal.cochlea import band_envelopes, centre_frequencies_hz
from ctxaudio.signal.envelope import Array, envelope_depth, fit_envelope, hilbert_envelope

LINES = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, INK)
#: Depths in dB (20 log10 m) from which listeners notice modulation of broadband noise: -26 to -23 dB up to 50-60 Hz,
#: some -6 dB at 500 Hz. Viemeister 1979 (doi:10.1121/1.383531) in the reading of a lecture of the University of
#: Washington (depts.washington.edu/sphsc461/temp_res); between 55 and 500 Hz a straight line is drawn.
NOTICED_DB = (-26.0, -23.0)
NOTICED_FROM_HZ, NOTICED_UP_TO_HZ = 2.0, 55.0
NOTICED_AT_500_HZ_DB = -6.0
EDGE_S = 0.1


def modulation_thresholds(asked: Mapping[str, tuple[float, float]], title: str = "") -> Picture:
    """Depth against rate: where modulation of noise is noticed, where it is too much, `{name: (rate_hz, depth)}`."""
    listed = ", ".join(f"{depth:.2g} at {rate_hz:.4g} Hz" for rate_hz, depth in asked.values())
    picture = Picture(f"temporal modulation transfer function and comfort limits; asked for: {listed}", 4.4)
    axis = picture.subplots()
    axis.fill_between([NOTICED_FROM_HZ, NOTICED_UP_TO_HZ], *NOTICED_DB, color=SKY, alpha=0.6, linewidth=0)
    axis.plot(
        [NOTICED_UP_TO_HZ, 500.0],
        [sum(NOTICED_DB) / 2, NOTICED_AT_500_HZ_DB],
        color=SKY,
        linewidth=3,
        label="noticed in noise (Viemeister 1979, as read in a lecture)",
    )
    edges_hz = [max(low_hz, 1.0) for low_hz, _, _ in LIMITS] + [100.0]
    limits_db = [float(20.0 * np.log10(limit)) for _, limit, _ in LIMITS]
    axis.stairs(limits_db, edges_hz, baseline=None, color=RED, linewidth=2, label="comfort limit of the package")
    axis.vlines([4.0, 70.0], -40.0, 0.0, color=INK, linewidth=0.9, linestyle=":")
    for rate_hz, said in ((4.0, "pumping\nstrongest"), (70.0, "roughness\nstrongest")):
        axis.text(rate_hz * 1.05, -38.5, said, color=INK, va="bottom")
    for (name, (rate_hz, depth)), colour in zip(asked.items(), LINES * len(asked), strict=False):
        axis.plot(rate_hz, 20.0 * np.log10(depth), "o", color=colour, markersize=8, markeredgecolor="white", label=name)
    label_axis(axis, title, "rate of the envelope (Hz)", "depth (dB, 20 log m)")
    log_axis(axis, (1, 2, 5, 10, 20, 50, 100, 200, 500))
    axis.set_ylim(-40.0, 0.5)
    right = axis.secondary_yaxis("right")
    depths = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
    right.set_yticks([float(20.0 * np.log10(depth)) for depth in depths], [f"{depth:g}" for depth in depths])
    right.set_ylabel("depth m")
    picture.legend(loc="outside lower center", ncols=3, frameon=False)
    return picture


def side_by_side(
    methods: Mapping[str, FloatArray], sample_rate: int, rate_hz: float, start_s: float, stop_s: float
) -> Picture:
    """Waveform and envelope at each ear and of the mono sum, a row for each of `{name: samples [T] or [2, T]}`.

    Drawn from `start_s` to `stop_s`; each panel says what depth a fit at `rate_hz` finds in the whole of it.
    """
    picture = Picture(f"{', '.join(methods)}: each ear and the mono sum", 1.0 + 1.35 * len(methods))
    axes = picture.subplots(len(methods), 3, squeeze=False, sharex=True, sharey=True)
    for row, (name, samples) in zip(axes, methods.items(), strict=True):
        left, right = samples if samples.ndim == 2 else (samples, samples)
        for axis, ear, heard in zip(
            row, ("left ear", "right ear", "mono sum"), (left, right, (left + right) / 2), strict=True
        ):
            _outline(axis, heard, sample_rate, rate_hz, start_s, stop_s)
            label_axis(axis, f"{name}: {ear}" if axis is row[0] else ear, "time (s)", "amplitude")
            axis.label_outer()
    return picture


def _outline(
    axis: Axes, samples: npt.NDArray[np.floating], sample_rate: int, rate_hz: float, start_s: float, stop_s: float
) -> None:
    envelope = hilbert_envelope(samples, sample_rate)
    inner = slice(round(EDGE_S * sample_rate), -round(EDGE_S * sample_rate))  # a Hilbert envelope rings at the ends
    # Pulses and beats have harmonics, which would leak into a fit of the rate alone.
    depth = fit_envelope(envelope[inner], sample_rate, [rate_hz, 2 * rate_hz, 3 * rate_hz]).depths[0]
    shown = slice(round(start_s * sample_rate), round(stop_s * sample_rate))
    time_s = np.arange(len(samples))[shown] / sample_rate
    axis.plot(time_s, samples[shown], color="#C8C8C8", linewidth=0.4, rasterized=True)
    axis.plot(time_s, envelope[shown], color=RED, linewidth=1.6)
    axis.set_xlim(start_s, stop_s)
    axis.text(
        0.98, 0.03, f"depth {depth:.2f}", transform=axis.transAxes, ha="right", va="bottom", color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0},
    )  # fmt: skip


def depth_by_auditory_band(sounds: Mapping[str, FloatArray], sample_rate: int, rate_hz: float) -> Picture:
    """Depth at `rate_hz` in each band of hearing (gammatone filters), one line for each of `{name: samples [T]}`."""
    picture = Picture(f"depth at {rate_hz:g} Hz in each band of hearing: {', '.join(sounds)}", 3.4)
    axis = picture.subplots()
    centres_hz = centre_frequencies_hz(sample_rate)
    for (name, samples), colour in zip(sounds.items(), LINES * len(sounds), strict=False):
        envelopes, envelope_rate_hz = band_envelopes(samples, sample_rate, centres_hz)
        depths = [envelope_depth(envelope, envelope_rate_hz, rate_hz) for envelope in envelopes]
        axis.plot(centres_hz, depths, color=colour, marker="o", markersize=3, label=name)
    label_axis(axis, "", "centre of the band of hearing (Hz)", f"depth at {rate_hz:g} Hz")
    log_axis(axis, [tick for tick in (125, 250, 500, 1000, 2000, 4000, 8000) if tick <= centres_hz[-1] * 1.2])
    axis.set_ylim(0.0, None)
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def depth_against_rate(
    curves: Mapping[str, npt.ArrayLike], rates_hz: Array, marked_hz: Sequence[float] = (), title: str = ""
) -> Picture:
    """Depths `[R]` at neighbouring `rates_hz` `[R]`, one line for each of `{name: depths}`; `marked_hz` dotted."""
    picture = Picture(f"depth against rate: {', '.join(curves)}", 3.2)
    axis = picture.subplots()
    for (name, depths), colour in zip(curves.items(), LINES * len(curves), strict=False):
        axis.plot(rates_hz, depths, color=colour, linewidth=1.6, label=name)
    for marked in marked_hz:
        axis.axvline(marked, color=INK, linewidth=0.9, linestyle=":")
    label_axis(axis, title, "rate that is fitted (Hz)", "depth (0 to 1)")
    axis.set(xlim=(rates_hz[0], rates_hz[-1]), ylim=(0.0, None))
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture


def learning(paths: Mapping[str, Sequence[float]], aim: float, title: str = "") -> Picture:
    """Depths over the steps of an optimiser, one line for each of `{name: depth at each step}`, and the `aim`."""
    last = ", ".join(f"{name} ends at {path[-1]:.2f}" for name, path in paths.items())
    picture = Picture(f"depths being learnt; {last}", 3.2)
    axis = picture.subplots()
    axis.axhline(aim, color=INK, linewidth=1.2, linestyle="--", label="hidden depth")
    for (name, path), colour in zip(paths.items(), LINES * len(paths), strict=False):
        axis.plot(path, color=colour, linewidth=1.6, label=name)
    label_axis(axis, title, "step of the optimiser", "depth (0 to 1)")
    picture.legend(loc="outside right upper", frameon=False)
    return picture


def curves(drawn: Mapping[str, npt.ArrayLike], across: npt.ArrayLike, across_label: str, upwards: str) -> Picture:
    """One line over `across` `[N]` for each of `{name: values [N]}`, every other one dashed."""
    picture = Picture(f"{upwards} over {across_label}: {', '.join(drawn)}", 3.2)
    axis = picture.subplots()
    for number, (name, values) in enumerate(drawn.items()):
        style = "--" if number % 2 else "-"
        axis.plot(np.asarray(across), np.asarray(values), style, color=LINES[number % 7], linewidth=1.8, label=name)
    label_axis(axis, "", across_label, upwards)
    picture.legend(loc="outside right upper", frameon=False)
    return picture


def clouds(samples: Mapping[str, npt.ArrayLike]) -> Picture:
    """Points in a plane, a panel for each of `{title: points [N, 2]}`, all on the scale of the first."""
    picture = Picture(f"points in a plane: {', '.join(samples)}", 3.4)
    axes = picture.subplots(1, len(samples), squeeze=False, sharex=True, sharey=True)[0]
    reach = 1.25 * float(np.abs(np.asarray(next(iter(samples.values())))).max())
    for axis, (title, points), colour in zip(axes, samples.items(), LINES * len(samples), strict=False):
        axis.plot(*np.asarray(points).T, ".", color=colour, markersize=3, alpha=0.5)
        label_axis(axis, title, "first coordinate", "second coordinate" if axis is axes[0] else "")
        axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    return picture


def courses(drawn: Mapping[str, npt.ArrayLike], frame_rate: float, shown: int = 3) -> Picture:
    """The first courses over time, a row for each of `{title: courses [K, frames]}`, in deviations of a course."""
    picture = Picture(f"the first {shown} courses of {', '.join(drawn)}", 0.6 + 1.25 * len(drawn))
    axes = picture.subplots(len(drawn), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
    for axis, (title, values) in zip(axes, drawn.items(), strict=True):
        for number, course in enumerate(np.asarray(values)[:shown]):
            time_s = np.arange(len(course)) / frame_rate
            axis.plot(time_s, course, color=LINES[number % 7], linewidth=1.0, label=f"course {number + 1}")
        label_axis(axis, title.replace("_", " "), "time (s)", "deviations")
        axis.label_outer()
        axis.set_ylabel("deviations")
    axes[0].set_xlim(0.0, time_s[-1])
    picture.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    return picture
