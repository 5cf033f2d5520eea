"""Loudness by ITU-R BS.1770-4: integrated LUFS (through pyloudnorm), true peak, and one linear gain to set both."""

from __future__ import annotations

import numpy as np
import pyloudnorm

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.filters import resample

BLOCK_S = 0.4
TRUE_PEAK_OVERSAMPLING = 4


def integrated_lufs(samples: FloatArray, sample_rate: int) -> float:
    """Integrated loudness of mono `samples` `[T]` in LUFS, gated (ITU-R BS.1770-4).

    `-inf` where no block of 0.4 s passes the absolute gate at -70 LUFS, so for silence too.

    Raises `CtxAudioError` for samples under 0.4 s (one gating block), not mono, or not finite.

    >>> t = np.arange(48000) / 48000
    >>> round(integrated_lufs(np.sin(2 * np.pi * 997 * t).astype(np.float32), 48000), 1)  # the standard's own tone
    -3.0
    """
    _check_finite_mono(samples)
    if len(samples) < BLOCK_S * sample_rate:
        raise CtxAudioError(
            f"loudness needs at least {BLOCK_S} s of sound (one BS.1770 block), not {len(samples) / sample_rate:.3f} s"
        )
    # De Man's filters follow the standard to 0.01 dB at 48 kHz; pyloudnorm's default ones read 0.04 dB low.
    meter = pyloudnorm.Meter(sample_rate, filter_class="DeMan", block_size=BLOCK_S)
    return float(meter.integrated_loudness(samples.astype(np.float64)))


def true_peak_db(samples: FloatArray, sample_rate: int) -> float:
    """Peak of the waveform between the samples `[T]`, in dBTP, by four-fold oversampling (BS.1770-4 annex 2).

    `-inf` for silence. Raises `CtxAudioError` for samples that are not mono, empty or not finite.

    >>> quarter_rate_tone = np.sin(2 * np.pi * (np.arange(4000) / 4 + 1 / 8)).astype(np.float32)
    >>> round(float(20 * np.log10(quarter_rate_tone.max())), 1)  # the samples miss the crests
    -3.0
    >>> abs(round(true_peak_db(quarter_rate_tone[1000:3000] * np.hanning(2000), 8000), 1))
    0.0
    """
    peak = _true_peak(samples, sample_rate)
    return float(20.0 * np.log10(peak)) if peak > 0.0 else -np.inf


def set_loudness(
    samples: FloatArray, sample_rate: int, lufs: float = -27.0, true_peak_db: float = -6.0
) -> tuple[FloatArray, float]:
    """Scale `samples` `[T]` by one gain to `lufs`, or less where the true peak would pass `true_peak_db` (dBTP).

    Nothing is compressed: dynamics and envelope depth stay as they are. Returns the scaled samples `[T]` and
    the loudness reached in LUFS, measured on them.

    Raises `CtxAudioError` for silent samples (below -70 LUFS throughout) and as `integrated_lufs` does.
    """
    if integrated_lufs(samples, sample_rate) == -np.inf:
        raise CtxAudioError("can't set the loudness of silence (nothing above -70 LUFS)")
    # At full scale first: in a quiet sound the gate at -70 LUFS would hide parts that count once it is louder.
    at_full_scale = samples / _true_peak(samples, sample_rate)
    loudness_gain = 10.0 ** ((lufs - integrated_lufs(at_full_scale, sample_rate)) / 20.0)
    scaled = (at_full_scale * min(loudness_gain, 10.0 ** (true_peak_db / 20.0))).astype(np.float32)
    return scaled, integrated_lufs(scaled, sample_rate)


def _true_peak(samples: FloatArray, sample_rate: int) -> float:
    _check_finite_mono(samples)
    oversampled = resample(samples, sample_rate, TRUE_PEAK_OVERSAMPLING * sample_rate)
    # The resampler smooths the very first and last sample, so look at the samples themselves as well.
    return max(float(np.abs(oversampled).max()), float(np.abs(samples).max()))


def _check_finite_mono(samples: FloatArray) -> None:
    if samples.ndim != 1 or samples.size == 0:
        raise CtxAudioError(f"expected mono samples [T] with T >= 1, not an array of shape {samples.shape}")
    if not np.isfinite(samples).all():
        raise CtxAudioError("can't measure the loudness of samples that hold NaN or infinity")
