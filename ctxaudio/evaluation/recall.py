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
from sklearn.pipeline import Pipeline, make_pipeline

from ctxaudio.evaluation.distances import Rows

MOST_AXES = 30
FOLDS = 5
#: The clips of each condition.
Clips = Mapping[str, Rows]


def fit_classifier(real: Clips) -> Pipeline:
    """A classifier of windows `[n, K]`, fitted to the real clips of two conditions or more."""
    rows = np.concatenate([row for clips in real.values() for row in clips])
    labels = np.concatenate([np.repeat(name, len(row)) for name, clips in real.items() for row in clips])
    axes = min(MOST_AXES, len(rows) - 1, rows.shape[1])
    classifier = make_pipeline(PCA(axes, random_state=0), LogisticRegression(class_weight="balanced"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough for a share of right answers
        return classifier.fit(rows, labels)


def predict(classifier: Pipeline, clips: Rows) -> list[str]:
    """The condition of each clip that is likeliest given all its windows."""
    likely = [int(classifier.predict_log_proba(rows).mean(axis=0).argmax()) for rows in clips]
    return [str(classifier.classes_[index]) for index in likely]


def recall(classifier: Pipeline, clips: Clips) -> dict[str, float]:
    """The share of each condition's clips that is predicted to be of it; conditions without clips are left out."""
    return {name: float(np.mean([p == name for p in predict(classifier, own)])) for name, own in clips.items() if own}


def recall_across_folds(real: Clips) -> dict[str, float]:
    """Recall of each fifth of the real clips by a classifier fitted to the rest; two clips a condition or more.

    Clips of one recording fall into several folds: rather too good than too bad.
    """
    folds = min(FOLDS, *(len(clips) for clips in real.values()))
    right: dict[str, list[bool]] = {name: [] for name in real}
    for fold in range(folds):
        kept = {name: [rows for i, rows in enumerate(clips) if i % folds != fold] for name, clips in real.items()}
        classifier = fit_classifier(kept)
        for name, clips in real.items():
            right[name] += [predicted == name for predicted in predict(classifier, clips[fold::folds])]
    return {name: float(np.mean(answers)) for name, answers in right.items()}
