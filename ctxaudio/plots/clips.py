"""Pictures of samples: spectrograms and envelopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import librosa
import numpy as np

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.plots.style import BLUE, GREEN, INK, ORANGE, PURPLE, RED, Picture, label_axis
from ctxaudio.signal.envelope import fit_envelope, hilbert_envelope

DYNAMIC_RANGE_DB = 80.0
HOP = 256
ENVELOPE_LOW_PASS_HZ = 40.0


def spectrogram(samples: FloatArray, sample_rate: int, title: str = "") -> Picture:
    """Mel spectrogram of `samples` `[T]`: decibels below its loudest point, time in seconds, frequency in hertz."""
    return clip_grid({title: samples}, sample_rate)


def clip_grid(clips: Mapping[str, FloatArray], sample_rate: int) -> Picture:
    """Mel spectrograms of `{title: samples [T]}` side by side, three to a row, on one common scale of decibels."""
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
        label_axis(axis, title.replace("_", " "), "time (s)", "frequency (Hz)")
        axis.grid(False)
        axis.set_yticks(librosa.hz_to_mel(ticks_hz), [str(tick) for tick in ticks_hz])
        axis.label_outer()
    for axis in axes[len(clips) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(clips) - columns) : len(clips)]:
        axis.xaxis.set_tick_params(labelbottom=True)
    picture.colorbar(image, ax=axes.tolist(), label="level (dB re loudest)", aspect=30, pad=0.01)
    return picture


def envelope(samples: FloatArray, sample_rate: int, rates_hz: Sequence[float] = (), title: str = "") -> Picture:
    """Waveform and envelope of `samples` `[T]`; below them the envelope over its mean with a fit at each of `rates_hz`.

    The envelope is drawn without what is faster than 40 Hz; the fits are to all of it.
    """
    picture = Picture(f"envelope of {title}" if title else "envelope", 4.6)
    above, below = picture.subplots(2, 1, sharex=True)
    time_s = np.arange(len(samples)) / sample_rate
    raw = hilbert_envelope(samples, sample_rate)
    smooth = hilbert_envelope(samples, sample_rate, ENVELOPE_LOW_PASS_HZ)
    above.plot(time_s, samples, color="#C8C8C8", linewidth=0.4, rasterized=True)
    above.plot(time_s, smooth, color=INK, linewidth=1.4)
    label_axis(above, title, "", "amplitude\n(1 = full scale)")
    below.plot(time_s, smooth / raw.mean(), color=INK, linewidth=1.0, label="envelope")
    for rate_hz, colour in zip(rates_hz, (RED, BLUE, GREEN, ORANGE, PURPLE) * len(rates_hz), strict=False):
        fit = fit_envelope(raw, sample_rate, [rate_hz])
        curve = fit.curve(len(samples), sample_rate) / fit.mean
        below.plot(time_s, curve, color=colour, linewidth=2, label=f"fit at {rate_hz:g} Hz: depth {fit.depths[0]:.2f}")
    below.set_xlim(0.0, len(samples) / sample_rate)
    below.set_ylim(0.0, None)
    label_axis(below, "", "time (s)", "envelope\n(1 = its mean)")
    picture.legend(loc="outside lower center", ncols=4, frameon=False)
    return picture
