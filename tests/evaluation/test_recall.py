from sounds import gusts, windows

from ctxaudio.evaluation.recall import fit_classifier, recall, recall_across_folds


def test_the_classifier_tells_conditions_apart_and_notices_swapped_ones():
    real = {"slow": windows([gusts(s, 3.0) for s in range(6)]), "fast": windows([gusts(s, 20.0) for s in range(6)])}
    fresh = {"slow": windows([gusts(9, 3.0)]), "fast": windows([gusts(9, 20.0)]), "other": []}
    assert recall(fit_classifier(real), fresh) == {"slow": 1.0, "fast": 1.0}
    assert recall(fit_classifier(real), {"slow": fresh["fast"]}) == {"slow": 0.0}
    assert recall_across_folds(real) == {"slow": 1.0, "fast": 1.0}
