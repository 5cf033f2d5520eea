"""All measures of one clip as one flat row: level, colour, the bands and rates of its envelope, carriers.

Measured by Hilbert envelope and least squares, which share no code with the modulation layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import librosa
import numpy as np
import scipy.fft
import scipy.signal

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.cochlea import band_envelopes, centre_frequencies_hz, slow_envelope
from ctxaudio.signal.envelope import Array, detect_rates, detect_rates_in_bands
from ctxaudio.signal.filters import resample
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db

MIN_DURATION_S = 2.0
#: Below it, K-weighting and the auditory bands have no room.
MIN_SAMPLE_RATE = 4000
INFRASOUND_HZ = 20.0
LOWEST_POWER = 1e-20
#: Quieter bands than this against the loudest one hold the noise of 16 bits, or another band's skirt.
QUIETEST_BAND_DB = -60.0
#: A rate given by hand is the target itself when it is as near as this: a profile written to two decimals.
SAME_RATE_HZ = 0.005
RATE_TARGETS: Mapping[str, float] = {t.name: t.frequency_hz for t in TARGETS.values() if t.kind == "rate"}
CARRIER_TARGETS: Mapping[str, float] = {t.name: t.frequency_hz for t in TARGETS.values() if t.kind == "carrier"}
#: For MoSQITo: BS.1770 reads a mono tone of 1 kHz as its rms, so a tone whose rms is 0 dBFS then has 87 dB SPL.
ASSUMED_LEVEL = "a playback level at which -27 LUFS is 60 dB SPL"
FULL_SCALE_PA = 2e-5 * 10.0 ** (87.0 / 20.0)


def analyse_clip(
    samples: FloatArray, sample_rate: int, rates_hz: Sequence[float] = (), psychoacoustics: bool = False
) -> dict[str, float]:
    """Measure `samples` (`[T]`, or `[channels, T]`: then the mono mix, but for the level) at `sample_rate` in hertz.

    Keys, in this order:

    - `duration_s`, `lufs` (integrated, BS.1770), `true_peak_db` (dBTP), both of stereo as it is;
    - `infrasound_share` (of the waveform's energy below 20 Hz, 0..1), `spectral_centroid_hz` and
      `spectral_flatness` (0..1), means over frames;
    - for each band `<band>_envelope_depth`: rms modulation depth of the *envelope* over the rates in the band, in steps
      of one cycle per clip;
    - for each rate target `<target>_depth` (modulation index at the exact rate), `<target>_floor` (rms depth at
      neighbouring rates), `<target>_p` (F test against neighbours); then in the bands of hearing (gammatone, one
      ERB apart; those within 60 dB of the loudest) `<target>_largest_band_depth`, `<target>_largest_band_hz` (where
      that is) and `<target>_bands_p` (the bands' F tests combined); the same for each of `rates_hz`, as
      `rate_<number>_hz_depth` ...;
    - for each carrier `<target>_prominence_db` (against the frequencies 10-60 Hz away);
    - with `psychoacoustics`, those of `psychoacoustic_measures`.

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
    row |= _rate_measures(mono, sample_rate, (envelope, envelope_rate_hz), named_rates(rates_hz))
    row |= {
        f"{name}_prominence_db": carrier_prominence_db(mono, sample_rate, hz) for name, hz in CARRIER_TARGETS.items()
    }
    return row | (psychoacoustic_measures(mono, sample_rate) if psychoacoustics else {})


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


def combined_p(p_values: Sequence[float]) -> float:
    """One p-value for several that need not be independent, such as those of overlapping bands.

    The Cauchy combination test (Liu & Xie 2020, doi:10.1080/01621459.2018.1554485); a single small value among
    many suffices. Values above 0.99 count as 0.99, so that one of them can't outweigh the rest.

    >>> round(combined_p([0.3, 0.3, 0.3]), 9), round(combined_p([1e-6, 0.5, 0.9]), 8)
    (0.3, 3e-06)
    """
    capped = np.clip(np.asarray(p_values, dtype=np.float64), 1e-300, 0.99)
    # The cotangent keeps its digits where the tangent of nearly a right angle loses them.
    return float(np.arctan2(1.0, np.mean(1.0 / np.tan(np.pi * capped))) / np.pi)


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


def psychoacoustic_measures(mono: FloatArray, sample_rate: int) -> dict[str, float]:
    """Of `mono` `[T]`, at the assumed playback level, by MoSQITo (some two seconds for a clip of four):

    `loudness_sone` (ISO 532-1, stationary), `sharpness_acum` (DIN 45692; 0 for silence), `roughness_asper` (Daniel &
    Weber 1997, mean over frames of 200 ms). Raises `CtxAudioError` where MoSQITo isn't installed.
    """
    mosqito = mosqito_metrics()
    pascals = resample(mono, sample_rate, 48000).astype(np.float64) * FULL_SCALE_PA
    sone, specific, _ = mosqito.loudness_zwst(pascals, 48000)
    acum = mosqito.sharpness_din_from_loudness(sone, specific) if sone > 0.0 else 0.0
    asper, *_ = mosqito.roughness_dw(pascals, 48000, overlap=0.5)
    return {"loudness_sone": float(sone), "sharpness_acum": float(acum), "roughness_asper": float(np.mean(asper))}


def mosqito_metrics() -> Any:
    """MoSQITo's module of sound quality metrics; raises `CtxAudioError` that says how to install it."""
    try:
        from mosqito import sq_metrics
    except ImportError as error:
        needed = "loudness in sone and roughness need MoSQITo"
        raise CtxAudioError(f"{needed}: pip install 'ctxaudio[psychoacoustics]'") from error
    return sq_metrics


def _rate_measures(
    mono: FloatArray, sample_rate: int, envelope: tuple[Array, float], rates: Mapping[str, float]
) -> dict[str, float]:
    """The measures of each of `rates` (name to hertz) in `mono` `[T]`, whose slow envelope is given, and its bands."""
    centres_hz = centre_frequencies_hz(sample_rate)
    bands, bands_rate_hz = band_envelopes(mono, sample_rate, centres_hz)
    level = bands.mean(axis=1)
    heard = level > level.max() * 10.0 ** (QUIETEST_BAND_DB / 20.0)
    row: dict[str, float] = {}
    groups = _fitted_together(rates, len(mono) / sample_rate)
    in_whole = {group: detect_rates(*envelope, group) for group in set(groups.values())}
    by_band = {group: detect_rates_in_bands(bands[heard], bands_rate_hz, group) for group in in_whole}
    for name, group in groups.items():
        place = group.index(rates[name])
        whole, in_bands = in_whole[group][place], by_band[group][place]
        depths = np.array([band.depth for band in in_bands])
        row |= {f"{name}_depth": whole.depth, f"{name}_floor": whole.floor, f"{name}_p": whole.p_value}
        row[f"{name}_largest_band_depth"] = float(depths.max())
        row[f"{name}_largest_band_hz"] = float(centres_hz[heard][depths.argmax()])
        row[f"{name}_bands_p"] = combined_p([band.p_value for band in in_bands])
    return row


def _fitted_together(rates: Mapping[str, float], duration_s: float) -> dict[str, tuple[float, ...]]:
    """For each of `rates` the hertz that it is fitted with, so that none leaks into it: all that `duration_s` can tell
    apart from it and from each other."""
    groups = {}
    for name, rate_hz in rates.items():
        group = [rate_hz]
        for other_hz in rates.values():
            if all(abs(other_hz - one) * duration_s >= 1.0 for one in group):
                group.append(other_hz)
        groups[name] = tuple(hz for hz in rates.values() if hz in group)
    return groups
