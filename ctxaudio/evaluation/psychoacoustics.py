"""Loudness, sharpness and roughness as heard, by MoSQITo: the optional extra `psychoacoustics`.

These need a level in pascals, which a file doesn't have. So a playback level is *assumed*: -27 LUFS at 60 dB SPL, a
quiet living room. Fluctuation strength is missing: no kept Python library has it (MoSQITo 1.2 doesn't).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.filters import resample

ASSUMED_LEVEL = "a playback level at which -27 LUFS is 60 dB SPL"
#: Of a tone whose rms is 0 dBFS (1.0), at that playback level: BS.1770 reads a mono tone of 1 kHz as its rms.
FULL_SCALE_DB_SPL = 87.0
REFERENCE_PA = 2e-5
SAMPLE_RATE = 48000  # the standards' filters are defined for it


def psychoacoustic_measures(mono: FloatArray, sample_rate: int) -> dict[str, float]:
    """Of `mono` `[T]`, at the assumed playback level:

    - `loudness_sone`: ISO 532-1 (Zwicker) for stationary sound;
    - `sharpness_acum`: DIN 45692, from that loudness; 0 where there is none;
    - `roughness_asper`: Daniel & Weber 1997, the mean over frames of 200 ms. 1 asper is 1 kHz, 60 dB, 70 Hz at depth 1.

    Takes some two seconds for a clip of four. Raises `CtxAudioError` where MoSQITo isn't installed.
    """
    mosqito = mosqito_metrics()
    pascals = resample(mono, sample_rate, SAMPLE_RATE).astype(np.float64)
    pascals *= REFERENCE_PA * 10.0 ** (FULL_SCALE_DB_SPL / 20.0)
    sone, specific, _ = mosqito.loudness_zwst(pascals, SAMPLE_RATE)
    acum = mosqito.sharpness_din_from_loudness(sone, specific) if sone > 0.0 else 0.0
    asper, *_ = mosqito.roughness_dw(pascals, SAMPLE_RATE, overlap=0.5)
    return {
        "loudness_sone": float(sone),
        "sharpness_acum": float(acum),
        "roughness_asper": float(np.mean(asper)),
    }


def mosqito_metrics() -> Any:
    """MoSQITo's module of sound quality metrics; raises `CtxAudioError` that says how to install it."""
    try:
        from mosqito import sq_metrics
    except ImportError as error:
        raise CtxAudioError(
            "loudness in sone and roughness need MoSQITo: pip install 'ctxaudio[psychoacoustics]'"
        ) from error
    return sq_metrics
