"""The score by which training keeps the best generator: kernel distance to real clips, condition by condition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.distances import equal_weights, kernel_form
from ctxaudio.evaluation.features import texture_features
from ctxaudio.files import FloatArray
from ctxaudio.workers import one_blas_thread

ByCondition = Mapping[str, Sequence[FloatArray]]


def kernel_score(real: ByCondition, sample_rate: int) -> Callable[[ByCondition], dict[str, float]]:
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
    with one_blas_thread():
        forms = {
            condition: kernel_form([texture_features(clip, sample_rate) for clip in clips])
            for condition, clips in real.items()
            if len(clips) >= 2
        }
    if not forms:
        raise CtxAudioError("a score needs two real clips of a condition")

    def score(generated: ByCondition) -> dict[str, float]:
        scores = {}
        with one_blas_thread():
            for condition, form in forms.items():
                clips = [texture_features(clip, sample_rate) for clip in generated.get(condition, ())]
                if len(clips) >= 2:
                    weights = equal_weights(len(real[condition])), equal_weights(len(clips))
                    scores[condition] = float(form(clips, *weights)[0])
        return scores

    return score
