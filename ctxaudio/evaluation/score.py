"""The score by which training keeps the best generator: kernel distance to real clips, condition by condition."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.distances import equal_weights, kernel_form
from ctxaudio.evaluation.features import texture_features
from ctxaudio.files import FloatArray
from ctxaudio.signal.blas import one_blas_thread

Condition = TypeVar("Condition", bound=Hashable)
ByCondition = Mapping[Condition, Sequence[FloatArray]]


def kernel_score(
    real: ByCondition[Condition], sample_rate: int
) -> Callable[[ByCondition[Condition]], dict[Condition, float]]:
    """A function that gives the kernel distance x1000 of generated clips `[T]` of each condition: lower is better.

    The features of the real clips are computed once. Conditions with fewer than two clips, real or generated, are left
    out. Raises `CtxAudioError` where no condition has two real clips.

    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> def noises(): return [random.standard_normal(88200).astype(np.float32) for _ in range(4)]
    >>> scores = kernel_score({"Rain": noises(), "Wind": noises()[:1]}, 22050)({"Rain": noises(), "Wind": noises()})
    >>> list(scores), abs(scores["Rain"]) < 100
    (['Rain'], True)
    """
    enough = {condition: clips for condition, clips in real.items() if len(clips) >= 2}
    if not enough:
        raise CtxAudioError("a score needs two real clips of a condition")
    with one_blas_thread():
        forms = {
            condition: (kernel_form([texture_features(clip, sample_rate) for clip in clips]), equal_weights(len(clips)))
            for condition, clips in enough.items()
        }

    def score(generated: ByCondition[Condition]) -> dict[Condition, float]:
        scores = {}
        with one_blas_thread():
            for condition, (form, real_weights) in forms.items():
                clips = [texture_features(clip, sample_rate) for clip in generated.get(condition, ())]
                if len(clips) >= 2:
                    scores[condition] = float(form(clips, real_weights, equal_weights(len(clips)))[0])
        return scores

    return score
