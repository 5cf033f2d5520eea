"""All measures of one clip as one flat row: level, colour, bands and targets."""

from __future__ import annotations

import librosa
import numpy as np

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import ClipError
from ctxaudio.files import FloatArray
from ctxaudio.signal.carriers import carrier_level_db, carrier_prominence_db
from ctxaudio.signal.envelope import Array, detect_rates, hilbert_envelope, modulation_spectrum
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db

MIN_DURATION_S = 2.0
INFRASOUND_HZ = 20.0
LOWEST_DB = -200.0
_RATE_TARGETS = tuple(target for target in TARGETS.values() if target.kind == "rate")
#: Rates of a clip's modulation spectrum: a quarter of a hertz apart, and the targets themselves, which lie between.
SPECTRUM_RATES_HZ: Array = np.union1d(np.arange(1.0, 100.25, 0.25), [target.frequency_hz for target in _RATE_TARGETS])


def analyse_clip(samples: FloatArray, sample_rate: int) -> dict[str, float]:
    """Measure `samples` (`[T]`, or `[channels, T]`: then the mono mix is measured) at `sample_rate` in hertz.

    Keys, in this order:

    - `duration_s`, `lufs` (integrated, BS.1770), `true_peak_db` (dBTP);
    - `infrasound_share` (of the waveform's energy below 20 Hz, 0..1), `spectral_centroid_hz` and
      `spectral_flatness` (0..1), means over frames (librosa);
    - for each band `<band>_waveform_energy_db`: the share of the *waveform's* energy at these frequencies, re all
      of it: the naive measure, inaudible whatever it says; and `<band>_envelope_depth`: rms modulation depth of
      the *envelope* over the rates in the band, in steps of one cycle per clip;
    - for each rate target `<target>_depth` (modulation index at the exact rate), `<target>_floor` (rms depth at
      neighbouring rates), `<target>_depth_db` (20 log10 of the depth), `<target>_p` (F test against neighbours);
    - for each carrier `<target>_level_db` (dBFS as a steady tone) and `<target>_prominence_db` (against
      the frequencies 10-60 Hz away).

    Raises `ClipError` for a clip shorter than 2 s (slow rates would have too few cycles) or silent, and
    `CtxAudioError` for a sample rate too low for the carriers.
    """
    mono = mono_mix(samples)
    duration_s = len(mono) / sample_rate
    if duration_s < MIN_DURATION_S:
        raise ClipError(f"{duration_s:.2f} s is too short to measure rates of 1 Hz and up: give {MIN_DURATION_S:g} s")
    if not mono.any():
        raise ClipError("digital silence: nothing to measure")
    envelope = hilbert_envelope(mono, sample_rate)
    return {
        "duration_s": duration_s,
        "lufs": integrated_lufs(mono, sample_rate),
        "true_peak_db": true_peak_db(mono, sample_rate),
        **_colour(mono, sample_rate),
        **_bands(mono, envelope, sample_rate),
        **_rate_targets(envelope, sample_rate),
        **_carrier_targets(mono, sample_rate),
    }


def clip_modulation_spectrum(samples: FloatArray, sample_rate: int, rates_hz: Array) -> Array:
    """Modulation depth `[R]` at `rates_hz` `[R]` of `samples` (`[T]` or `[channels, T]`, mono mix)."""
    return modulation_spectrum(hilbert_envelope(mono_mix(samples), sample_rate), sample_rate, rates_hz)


def mono_mix(samples: FloatArray) -> FloatArray:
    """Mean of the channels: `[T]` of `[T]` or `[channels, T]`."""
    return samples if samples.ndim == 1 else np.asarray(samples.mean(axis=0), dtype=np.float32)


def _colour(mono: FloatArray, sample_rate: int) -> dict[str, float]:
    energy = np.abs(np.fft.rfft(mono.astype(np.float64))) ** 2
    below = np.fft.rfftfreq(len(mono), 1.0 / sample_rate) < INFRASOUND_HZ
    magnitude = np.abs(librosa.stft(mono))
    return {
        "infrasound_share": float(energy[below].sum() / energy.sum()),
        "spectral_centroid_hz": float(librosa.feature.spectral_centroid(S=magnitude, sr=sample_rate).mean()),
        "spectral_flatness": float(librosa.feature.spectral_flatness(S=magnitude).mean()),
    }


def _bands(mono: FloatArray, envelope: Array, sample_rate: int) -> dict[str, float]:
    step_hz = sample_rate / len(mono)
    energy = np.abs(np.fft.rfft(mono.astype(np.float64))) ** 2
    bins_hz = np.arange(len(energy)) * step_hz
    row = {}
    for name, band in BANDS.items():
        share = energy[(bins_hz >= band.low_hz) & (bins_hz < band.high_hz)].sum() / energy.sum()
        row[f"{name}_waveform_energy_db"] = float(10.0 * np.log10(max(share, 10.0 ** (LOWEST_DB / 10.0))))
    for name, band in BANDS.items():
        # Rates one cycle per clip apart are independent, so their mean square is the band's modulation power.
        rates_hz = np.arange(np.ceil(band.low_hz / step_hz - 1e-6), np.ceil(band.high_hz / step_hz - 1e-6)) * step_hz
        depths = modulation_spectrum(envelope, sample_rate, rates_hz)
        row[f"{name}_envelope_depth"] = float(np.sqrt(np.mean(depths**2)))
    return row


def _rate_targets(envelope: Array, sample_rate: int) -> dict[str, float]:
    row = {}
    found = detect_rates(envelope, sample_rate, [target.frequency_hz for target in _RATE_TARGETS])
    for target, rate in zip(_RATE_TARGETS, found, strict=True):
        row[f"{target.name}_depth"] = rate.depth
        row[f"{target.name}_floor"] = rate.floor
        row[f"{target.name}_depth_db"] = float(20.0 * np.log10(max(rate.depth, 10.0 ** (LOWEST_DB / 20.0))))
        row[f"{target.name}_p"] = rate.p_value
    return row


def _carrier_targets(mono: FloatArray, sample_rate: int) -> dict[str, float]:
    row = {}
    for target in TARGETS.values():
        if target.kind == "carrier":
            row[f"{target.name}_level_db"] = carrier_level_db(mono, sample_rate, target.frequency_hz)
            row[f"{target.name}_prominence_db"] = carrier_prominence_db(mono, sample_rate, target.frequency_hz)
    return row
