"""Can the conditions of generated clips be told apart, by a classifier that has heard real clips only?

Linear, on principal axes of the texture features: as simple as it can be, because tens of clips teach no more.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ctxaudio.evaluation.distances import Rows
from ctxaudio.signal.sinusoids import Array

MOST_AXES = 30
FOLDS = 5
#: The clips of each condition.
Clips = Mapping[str, Rows]


class ConditionClassifier:
    """Predicts the condition of a clip from its rows `[n, K]`; fitted to real clips of two conditions or more."""

    def __init__(self, real: Clips) -> None:
        rows = [row for clips in real.values() for row in clips]
        labels = np.concatenate([np.repeat(name, len(row)) for name, clips in real.items() for row in clips])
        axes = min(MOST_AXES, len(labels) - 1, rows[0].shape[1])
        self.model = make_pipeline(PCA(axes, random_state=0), LogisticRegression(class_weight="balanced"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # near enough for a share of right answers
            self.model.fit(np.concatenate(rows), labels)

    def predict(self, rows: Array) -> str:
        """The condition that is likeliest given all windows of a clip."""
        return str(self.model.classes_[int(self.model.predict_log_proba(rows).mean(axis=0).argmax())])

    def recall(self, clips: Clips) -> dict[str, float]:
        """The share of each condition's clips that is told right; conditions without clips are left out."""
        return {name: float(np.mean([self.predict(r) == name for r in own])) for name, own in clips.items() if own}


def recall_across_folds(real: Clips) -> dict[str, float]:
    """`ConditionClassifier.recall` of each fifth of the real clips, fitted to the rest; two clips a condition or more.

    Clips of one recording fall into several folds: rather too good than too bad.
    """
    folds = min(FOLDS, *(len(clips) for clips in real.values()))
    right: dict[str, list[bool]] = {name: [] for name in real}
    for fold in range(folds):
        kept = {name: [rows for i, rows in enumerate(clips) if i % folds != fold] for name, clips in real.items()}
        classifier = ConditionClassifier(kept)
        for name, clips in real.items():
            right[name] += [classifier.predict(rows) == name for rows in clips[fold::folds]]
    return {name: float(np.mean(answers)) for name, answers in right.items()}
