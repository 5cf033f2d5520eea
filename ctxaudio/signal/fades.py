"""Fades: a sound of known length begins and ends in silence, without a step, whichever block is asked for."""

from __future__ import annotations

import numpy as np

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray


def fade_gain(start: int, length: int, total: int, fade_in_samples: int, fade_out_samples: int) -> FloatArray:
    """Gain `[length]` in 0..1 for the samples from `start` on, of a sound of `total` samples.

    Raised cosines: 0 at the first and at the last sample of the sound, 1 between the fades, half-way at half their
    length. A fade of 0 samples is none.

    Raises `CtxAudioError` for fades that are longer together than the sound, and for samples that it has not.

    >>> fade_gain(0, 8, 8, fade_in_samples=2, fade_out_samples=4).round(2).tolist()
    [0.0, 0.5, 1.0, 1.0, 0.8500000238418579, 0.5, 0.15000000596046448, 0.0]
    """
    if min(fade_in_samples, fade_out_samples) < 0 or fade_in_samples + fade_out_samples > total:
        raise CtxAudioError(
            f"fades of {fade_in_samples} and {fade_out_samples} samples don't fit into a sound of {total}: shorten them"
        )
    if not 0 <= start <= start + length <= total:
        raise CtxAudioError(f"samples {start} to {start + length} are not in a sound of {total}")
    gain = np.ones(length, np.float32)
    rising = max(0, min(length, fade_in_samples - start))
    gain[:rising] *= _raised_cosine(np.arange(start, start + rising), fade_in_samples)
    falling = max(0, min(length, total - fade_out_samples - start))
    to_end = total - 1 - np.arange(start + falling, start + length)
    gain[falling:] *= _raised_cosine(to_end, fade_out_samples)
    return gain


def _raised_cosine(steps: np.typing.NDArray[np.int64], fade_samples: int) -> FloatArray:
    turns = steps / max(fade_samples, 1)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * turns), dtype=np.float32)
