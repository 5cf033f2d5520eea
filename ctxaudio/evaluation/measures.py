"""All measures of one clip as one flat row: level, colour, the bands and rates of its envelope, carriers.

Measured by Hilbert envelope and least squares, which share no code with the modulation layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import librosa
import numpy as np
import scipy.fft
import scipy.signal

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.envelope import Array, detect_rate, slow_envelope
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db

MIN_DURATION_S = 2.0
#: Below it, K-weighting has no room.
MIN_SAMPLE_RATE = 4000
INFRASOUND_HZ = 20.0
LOWEST_POWER = 1e-20
#: A rate given by hand is the target itself when it is as near as this: a profile written to two decimals.
SAME_RATE_HZ = 0.005
RATE_TARGETS: Mapping[str, float] = {t.name: t.frequency_hz for t in TARGETS.values() if t.kind == "rate"}
CARRIER_TARGETS: Mapping[str, float] = {t.name: t.frequency_hz for t in TARGETS.values() if t.kind == "carrier"}


def analyse_clip(samples: FloatArray, sample_rate: int, rates_hz: Sequence[float] = ()) -> dict[str, float]:
    """Measure `samples` (`[T]`, or `[channels, T]`: then the mono mix, but for the level) at `sample_rate` in hertz.

    Keys, in this order:

    - `duration_s`, `lufs` (integrated, BS.1770), `true_peak_db` (dBTP), both of stereo as it is;
    - `infrasound_share` (of the waveform's energy below 20 Hz, 0..1), `spectral_centroid_hz` and
      `spectral_flatness` (0..1), means over frames;
    - for each band `<band>_envelope_depth`: rms modulation depth of the *envelope* over the rates in the band, in steps
      of one cycle per clip;
    - for each rate target `<target>_depth` (modulation index at the exact rate), `<target>_floor` (rms depth at
      neighbouring rates), `<target>_p` (F test against neighbours); the same for each of `rates_hz`, as
      `rate_<number>_hz_depth` ...;
    - for each carrier `<target>_prominence_db` (against the frequencies 10-60 Hz away).

    Raises `ClipError` for a clip that is silent, shorter than 2 s (slow rates would have too few cycles) or sampled
    below 4 kHz, and `CtxAudioError` for a rate that the clip is too short for.
    """
    mono = mono_mix(samples)
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
        "infrasound_share": float(energy[bins_hz < INFRASOUND_HZ].sum() / energy.sum()),
        "spectral_centroid_hz": float(librosa.feature.spectral_centroid(S=magnitude, sr=sample_rate).mean()),
        "spectral_flatness": float(librosa.feature.spectral_flatness(S=magnitude).mean()),
    }
    envelope, envelope_rate_hz = slow_envelope(mono, sample_rate)
    # Rates one cycle per clip apart are the bins of an FFT, and independent: their mean square is the band's power.
    waves = scipy.fft.rfft(envelope)
    depths, step_hz = 2.0 * np.abs(waves) / waves[0].real, envelope_rate_hz / len(envelope)
    for name, band in BANDS.items():
        first, end = (int(np.ceil(limit_hz / step_hz - 1e-6)) for limit_hz in (band.low_hz, band.high_hz))
        row[f"{name}_envelope_depth"] = float(np.sqrt(np.mean(depths[first:end] ** 2)))
    row |= _rate_measures(envelope, envelope_rate_hz, named_rates(rates_hz))
    prominences = {name: carrier_prominence_db(mono, sample_rate, hz) for name, hz in CARRIER_TARGETS.items()}
    return row | {f"{name}_prominence_db": value for name, value in prominences.items()}


def mono_mix(samples: FloatArray) -> FloatArray:
    """Mean of the channels: `[T]` of `[T]` or `[channels, T]`."""
    return samples if samples.ndim == 1 else np.asarray(samples.mean(axis=0), dtype=np.float32)


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

    >>> list(named_rates([10.0, 6.0]))
    ['schumann', 'focus', 'deep_sleep', 'meditation', 'rate_10_hz']
    """
    for rate_hz in rates_hz:
        if not 0.0 < rate_hz <= 100.0:
            raise CtxAudioError(f"rate {rate_hz:g} Hz is outside 0-100 Hz")
    others = [r for r in rates_hz if all(abs(r - known) > SAME_RATE_HZ for known in RATE_TARGETS.values())]
    return {**RATE_TARGETS, **{f"rate_{rate_hz:g}_hz": float(rate_hz) for rate_hz in others}}


def carrier_prominence_db(samples: FloatArray, sample_rate: int, frequency_hz: float) -> float:
    """Power density within 5 Hz of `frequency_hz` over that 10 to 60 Hz away, in dB; around 0 for plain noise.

    The neighbourhood counts by its median, so that one partial in it doesn't hide the carrier; dividing by ln 2
    turns the median of a noise spectrum (exponentially distributed) into its mean. `samples` is `[T]`; 0.0 where
    the neighbourhood and the carrier are both silent. Raises `CtxAudioError` where the neighbourhood leaves
    0..`sample_rate`/2.
    """
    if not 60.0 <= frequency_hz <= sample_rate / 2 - 60.0:
        raise CtxAudioError(
            f"carrier {frequency_hz:g} Hz with 60 Hz to either side doesn't fit between 0 and {sample_rate / 2:g} Hz: "
            "use a higher sample rate"
        )
    bins_hz, power = scipy.signal.periodogram(samples, sample_rate, "hann")
    away_hz = np.abs(bins_hz - frequency_hz)
    beside = np.median(power[(away_hz >= 10.0) & (away_hz <= 60.0)]) / np.log(2.0)
    return float(10.0 * np.log10(max(power[away_hz <= 5.0].mean(), LOWEST_POWER) / max(beside, LOWEST_POWER)))


def _rate_measures(envelope: Array, envelope_rate_hz: float, rates: Mapping[str, float]) -> dict[str, float]:
    """Depth, floor and p of each of `rates` (name to hertz) in a slow envelope `[T]`.

    Each is fitted together with all others that the length can tell apart from it and from each other, so that none
    leaks into it.
    """
    duration_s = len(envelope) / envelope_rate_hz
    row: dict[str, float] = {}
    for name, rate_hz in rates.items():
        others: list[float] = []
        for other_hz in rates.values():
            if all(abs(other_hz - one) * duration_s >= 1.0 for one in (rate_hz, *others)):
                others.append(other_hz)
        found = detect_rate(envelope, envelope_rate_hz, rate_hz, others)
        row |= {f"{name}_depth": found.depth, f"{name}_floor": found.floor, f"{name}_p": found.p_value}
    return row
