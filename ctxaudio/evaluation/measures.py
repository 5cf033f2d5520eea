"""All measures of one clip as one flat row: level, colour, bands and targets."""

from __future__ import annotations

from collections.abc import Sequence

import librosa
import numpy as np
import scipy.fft

from ctxaudio.contexts import BANDS, TARGETS
from ctxaudio.errors import ClipError
from ctxaudio.evaluation.carriers import carrier_level_db, carrier_prominences_db
from ctxaudio.evaluation.rates import LOWEST_DB, RATE_TARGETS, ear_measures, named_rates, rate_measures
from ctxaudio.files import FloatArray
from ctxaudio.signal.cochlea import slow_envelope
from ctxaudio.signal.envelope import Array, modulation_spectrum
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db

MIN_DURATION_S = 2.0
INFRASOUND_HZ = 20.0
#: Rates of a clip's modulation spectrum: a quarter of a hertz apart, and the targets themselves, which lie between.
SPECTRUM_RATES_HZ: Array = np.union1d(np.arange(1.0, 100.25, 0.25), list(RATE_TARGETS.values()))


def analyse_clip(samples: FloatArray, sample_rate: int, rates_hz: Sequence[float] = ()) -> dict[str, float]:
    """Measure `samples` (`[T]`, or `[channels, T]`: then the mono mix, but for the level) at `sample_rate` in hertz.

    Keys, in this order:

    - `duration_s`, `lufs` (integrated, BS.1770), `true_peak_db` (dBTP), both of stereo as it is;
    - `infrasound_share` (of the waveform's energy below 20 Hz, 0..1), `spectral_centroid_hz` and
      `spectral_flatness` (0..1), means over frames, as librosa has them;
    - for each band `<band>_waveform_energy_db`: the share of the *waveform's* energy at these frequencies, re all
      of it: the naive measure, inaudible whatever it says; and `<band>_envelope_depth`: rms modulation depth of
      the *envelope* over the rates in the band, in steps of one cycle per clip;
    - for each rate target `<target>_depth` (modulation index at the exact rate), `<target>_floor` (rms depth at
      neighbouring rates), `<target>_depth_db` (20 log10 of the depth), `<target>_p` (F test against neighbours);
      then in the bands of hearing (gammatone, one ERB apart; those within 60 dB of the loudest)
      `<target>_median_band_depth`, `<target>_largest_band_depth`, `<target>_largest_band_hz` (where that is) and
      `<target>_bands_p` (the bands' F tests combined); the same for each of `rates_hz`, as
      `rate_<number>_hz_depth` ...;
    - for each carrier `<target>_level_db` (dBFS as a steady tone) and `<target>_prominence_db` (against
      the frequencies 10-60 Hz away);
    - only where the channels differ, `<target>_depth_left` and `<target>_depth_right`: a binaural beat is in neither.

    Raises `ClipError` for a clip shorter than 2 s (slow rates would have too few cycles) or silent, and
    `CtxAudioError` for a sample rate too low for the carriers and for a rate that the clip is too short for.
    """
    return clip_row_and_spectrum(samples, sample_rate, rates_hz)[0]


def clip_row_and_spectrum(
    samples: FloatArray, sample_rate: int, rates_hz: Sequence[float] = ()
) -> tuple[dict[str, float], Array]:
    """`analyse_clip`, and the modulation depths `[R]` at `SPECTRUM_RATES_HZ`; errors as there."""
    mono = mono_mix(samples)
    duration_s = len(mono) / sample_rate
    if duration_s < MIN_DURATION_S:
        raise ClipError(f"{duration_s:.2f} s is too short to measure rates of 1 Hz and up: give {MIN_DURATION_S:g} s")
    if not mono.any():
        raise ClipError("digital silence: nothing to measure")
    heard = samples if samples.ndim == 1 or len(samples) == 2 else mono
    envelope, envelope_rate_hz = slow_envelope(mono, sample_rate)
    rates = named_rates(rates_hz)
    row = {
        "duration_s": duration_s,
        "lufs": integrated_lufs(heard, sample_rate),
        "true_peak_db": true_peak_db(heard, sample_rate),
        **_colour(mono, sample_rate),
        **_band_depths(envelope, envelope_rate_hz),
        **rate_measures(mono, envelope, envelope_rate_hz, sample_rate, rates),
        **_carrier_targets(mono, sample_rate),
        **ear_measures(samples, sample_rate, rates),
    }
    return row, modulation_spectrum(envelope, envelope_rate_hz, SPECTRUM_RATES_HZ)


def mono_mix(samples: FloatArray) -> FloatArray:
    """Mean of the channels: `[T]` of `[T]` or `[channels, T]`."""
    return samples if samples.ndim == 1 else np.asarray(samples.mean(axis=0), dtype=np.float32)


def _colour(mono: FloatArray, sample_rate: int) -> dict[str, float]:
    energy = np.abs(scipy.fft.rfft(mono.astype(np.float64))) ** 2
    total = energy.sum()
    bins_hz = np.arange(len(energy)) * (sample_rate / len(mono))
    magnitude = np.abs(librosa.stft(mono))
    frequencies_hz = librosa.fft_frequencies(sr=sample_rate)
    level = magnitude.sum(axis=0)
    centroid = (frequencies_hz @ magnitude) / np.where(level > 0.0, level, 1.0)
    power = np.maximum(magnitude**2, 1e-10)  # librosa's own floor
    flatness = np.exp(np.log(power).mean(axis=0)) / power.mean(axis=0)
    row = {
        "infrasound_share": float(energy[bins_hz < INFRASOUND_HZ].sum() / total),
        "spectral_centroid_hz": float(centroid.mean()),
        "spectral_flatness": float(flatness.mean()),
    }
    for name, band in BANDS.items():
        share = energy[(bins_hz >= band.low_hz) & (bins_hz < band.high_hz)].sum() / total
        row[f"{name}_waveform_energy_db"] = float(10.0 * np.log10(max(share, 10.0 ** (LOWEST_DB / 10.0))))
    return row


def _band_depths(envelope: Array, envelope_rate_hz: float) -> dict[str, float]:
    step_hz = envelope_rate_hz / len(envelope)
    # Rates one cycle per clip apart are the bins of an FFT, and independent: their mean square is the band's power.
    waves = scipy.fft.rfft(envelope)
    depths = 2.0 * np.abs(waves) / waves[0].real
    row = {}
    for name, band in BANDS.items():
        first, end = (int(np.ceil(limit_hz / step_hz - 1e-6)) for limit_hz in (band.low_hz, band.high_hz))
        row[f"{name}_envelope_depth"] = float(np.sqrt(np.mean(depths[first:end] ** 2)))
    return row


def _carrier_targets(mono: FloatArray, sample_rate: int) -> dict[str, float]:
    carriers = {target.name: target.frequency_hz for target in TARGETS.values() if target.kind == "carrier"}
    row = {}
    prominences = carrier_prominences_db(mono, sample_rate, list(carriers.values()))
    for (name, frequency_hz), prominence_db in zip(carriers.items(), prominences, strict=True):
        row[f"{name}_level_db"] = carrier_level_db(mono, sample_rate, frequency_hz)
        row[f"{name}_prominence_db"] = prominence_db
    return row
