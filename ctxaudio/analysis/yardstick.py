"""Our own yardstick: how far generated sound is from real sound of its label, without any trained weights.

Features are the statistics of `signal.auditory_texture` in windows of `WINDOW_S`, half overlapping: as many rows a
clip as it has windows. Windows, not clips, because a label may have a handful of clips only, and because a clip's
length must not show in its features. Each kind of statistic is divided by its typical deviation, and counts alike
however many members it has; nothing is fitted to the real clips at hand, of which there may be three. All this was
chosen by how it ranks sets of sound beside a trained judge (`tests/benchmarks/ranking.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ctxaudio.analysis.distance import kernel_distance
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal.auditory_texture import auditory_texture
from ctxaudio.signal.sinusoids import Array

WINDOW_S = 2.0
#: Root mean square deviation of each kind of statistic among real windows of one label, over seven labels.
TYPICAL_DEVIATION = {
    "level": 0.23,
    "spread": 0.17,
    "skew": 0.46,
    "kurtosis": 0.25,
    "rates": 0.67,
    "together": 0.13,
    "together_at_rates": 0.30,
}


def texture_windows(clip: FloatArray, sample_rate: int) -> Array:
    """Features `[n, K]` of the `n` windows of a clip `[T]`, one window of a short one; K is the same for all clips.

    Raises `CtxAudioError` for samples that are empty or not mono.
    """
    kinds = auditory_texture(clip, sample_rate, WINDOW_S)
    alike = [values / (TYPICAL_DEVIATION[name] * np.sqrt(values.shape[1])) for name, values in kinds.items()]
    return np.concatenate(alike, axis=1)


class Yardstick:
    """Kernel distances to real clips, set up once and asked often, as training does.

    Args:
        real: real clips `[T]` by condition; a condition with one window only can't be scored and is left out.
        sample_rate: of all clips, in hertz.

    Raises `CtxAudioError` where no condition is left.

    >>> random = np.random.default_rng(0)
    >>> def noises(): return [random.standard_normal(88200).astype(np.float32) for _ in range(4)]
    >>> scores = Yardstick({3: noises()}, 22050).score({3: noises(), 4: noises()})
    >>> list(scores), abs(scores[3]) < 100
    ([3], True)
    """

    def __init__(self, real: Mapping[int, Sequence[FloatArray]], sample_rate: int) -> None:
        windows = {condition: stacked_windows(clips, sample_rate) for condition, clips in real.items() if len(clips)}
        self.real = {condition: rows for condition, rows in windows.items() if len(rows) >= 2}
        if not self.real:
            raise CtxAudioError(f"a yardstick needs two real clips of a condition, or one longer than {WINDOW_S:g} s")
        self.sample_rate = sample_rate

    def score(self, generated: Mapping[int, Sequence[FloatArray]]) -> dict[int, float]:
        """Kernel distance x1000 of the generated clips `[T]` of each condition to its real ones: lower is better.

        Conditions without real clips, and those with fewer than two windows, are left out.
        """
        scores = {}
        for condition in sorted(generated.keys() & self.real.keys()):
            if len(generated[condition]):
                rows = stacked_windows(generated[condition], self.sample_rate)
                if len(rows) >= 2:
                    scores[condition] = kernel_distance(self.real[condition], rows)
        return scores


def stacked_windows(clips: Sequence[FloatArray], sample_rate: int) -> Array:
    """Features `[n, K]` of all windows of one clip or more."""
    return np.concatenate([texture_windows(clip, sample_rate) for clip in clips])
