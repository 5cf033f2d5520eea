from sounds import gusts, windows

from ctxaudio.evaluation.recall import ConditionClassifier, recall_across_folds


def test_the_classifier_tells_conditions_apart_and_notices_swapped_ones():
    real = {"slow": windows([gusts(s, 3.0) for s in range(6)]), "fast": windows([gusts(s, 20.0) for s in range(6)])}
    fresh = {"slow": windows([gusts(9, 3.0)]), "fast": windows([gusts(9, 20.0)]), "other": []}
    assert ConditionClassifier(real).recall(fresh) == {"slow": 1.0, "fast": 1.0}
    assert ConditionClassifier(real).recall({"slow": fresh["fast"]}) == {"slow": 0.0}
    assert recall_across_folds(real) == {"slow": 1.0, "fast": 1.0}
