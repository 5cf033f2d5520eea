"""Sets of generated sound beside real sound: distances, diversity, memorisation, separability.

Every figure stands beside the same figure of real clips, or of noise. Where a set is too small for a figure, that is
said in `notes`, and the figure is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ctxaudio.analysis.diversity import median_pairwise_distance
from ctxaudio.analysis.embeddings import Embedding
from ctxaudio.analysis.memorisation import Copy, nearness, suspicious_copies
from ctxaudio.analysis.separability import ConditionClassifier, recall_across_folds
from ctxaudio.analysis.set_distances import SetDistances, both_noises, kernel_and_frechet
from ctxaudio.analysis.yardstick import texture_windows
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluate.material import RealSound, Sounds
from ctxaudio.files import FloatArray
from ctxaudio.signal.sinusoids import Array

TEXTURE = "texture"
#: Windows in the middle of a clip that it is compared with other clips by: those of 4 s.
MIDDLE_WINDOWS = 3
Rows = dict[str, list[Array]]


@dataclass(frozen=True)
class ConditionFigures:
    """What was found of one condition; None where its clips are too few.

    `kernel` (x1000) and `frechet` are by features: `texture`, and each embedding. `nearest` are median distances to
    the nearest training clip, `recall` shares of clips that a classifier trained on real ones tells right.
    """

    condition: str
    real_clips: int
    training_clips: int
    generated_clips: int
    floor_of: str
    kernel: dict[str, SetDistances] = field(default_factory=dict)
    frechet: dict[str, SetDistances] = field(default_factory=dict)
    diversity: float | None = None
    real_diversity: float | None = None
    nearest: float | None = None
    held_out_nearest: float | None = None
    copies: list[Copy] = field(default_factory=list)
    recall: float | None = None
    real_recall: float | None = None

    @property
    def memorisation_ratio(self) -> float | None:
        """Generated beside held-out real clips: about 1 is as new as they are, far below 1 is learnt by heart."""
        return self.nearest / self.held_out_nearest if self.nearest is not None and self.held_out_nearest else None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "memorisation_ratio": self.memorisation_ratio}


@dataclass(frozen=True)
class Evaluation:
    """All conditions; `notes` say what could not be measured and why."""

    conditions: list[ConditionFigures]
    notes: list[str]


def evaluate(
    real: RealSound,
    generated: Sounds,
    sample_rate: int,
    embeddings: Mapping[str, Embedding] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Compare generated with real clips of the same conditions, each alone.

    The real-to-real floor is the distance of the training clips (other recordings) to the real ones, or, where there
    are none, that of halves of the real ones. Conditions without real or generated clips are noted and left out.
    """
    notes: list[str] = []
    features: dict[str, Embedding] = {TEXTURE: texture_windows, **(embeddings or {})}
    shared = [name for name in generated if generated[name] and real.reference.get(name)]
    for name in sorted({*generated, *real.reference} - set(shared)):
        missing = "generated" if not generated.get(name) else "real"
        notes.append(f"{name}: left out, there is no {missing} clip")
    if not shared:
        raise CtxAudioError(f"nothing to compare: {'; '.join(notes) or 'no clips'}")
    rows = {
        kind: {name: _rows(clips.get(name, {}), texture_windows, sample_rate) for name in shared}
        for kind, clips in (("real", real.reference), ("training", real.training), ("generated", generated))
    }
    recalls = _recalls({kind: {n: [_middle(r) for r in of[n]] for n in shared} for kind, of in rows.items()}, notes)
    found = []
    for name in shared:
        sets = real.reference[name], real.training.get(name, {}), generated[name]
        kernel, frechet = _distances(name, sets, features, sample_rate, seed, notes)
        held, training, made = (
            [_middle(row) for row in rows[kind][name]] for kind in ("real", "training", "generated")
        )
        near, held_out_near = (None, None)
        copies: list[Copy] = []
        if training:
            near, held_out_near = nearness(made, held, training)
            copies = suspicious_copies(sets[2], sets[0], sets[1], sample_rate)
        else:
            notes.append(f"{name}: no training clips beside the real ones, so nothing is said of memorisation")
        found.append(
            ConditionFigures(
                name,
                len(held),
                len(training),
                len(made),
                "training clips" if len(training) >= 2 else "halves of the real clips" if len(held) >= 4 else "",
                kernel,
                frechet,
                median_pairwise_distance(made) if len(made) >= 2 else None,
                median_pairwise_distance(held) if len(held) >= 2 else None,
                near,
                held_out_near,
                copies,
                recalls[1].get(name),
                recalls[0].get(name),
            )
        )
    return Evaluation(found, notes)


def _distances(
    name: str,
    sets: tuple[Mapping[str, FloatArray], Mapping[str, FloatArray], Mapping[str, FloatArray]],
    features: Mapping[str, Embedding],
    sample_rate: int,
    seed: int,
    notes: list[str],
) -> tuple[dict[str, SetDistances], dict[str, SetDistances]]:
    real, training, generated = (list(clips.values()) for clips in sets)
    few = [f"{len(clips)} {kind}" for kind, clips in (("real", real), ("generated", generated)) if len(clips) < 2]
    if few:
        notes.append(f"{name}: {' and '.join(few)} clip: a distance and a diversity need two")
        return {}, {}
    if len(training) < 2 and len(real) < 4:
        notes.append(f"{name}: no real-to-real floor: it needs two training clips or four real ones")
    matched, white = both_noises(real, seed)
    kernel, frechet = {}, {}
    for kind, embed in features.items():
        rows = [[embed(clip, sample_rate) for clip in clips] for clips in (real, training, generated, matched, white)]
        kernel[kind], frechet[kind] = kernel_and_frechet(rows[0], rows[1], rows[2], rows[3], rows[4], seed)
    return kernel, frechet


def _recalls(rows: Mapping[str, Rows], notes: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Recall of real clips that the classifier hasn't learnt from, and of generated ones, by condition."""
    learnt = {name: clips for name, clips in rows["training"].items() if len(clips) >= 2}
    told = {name: clips for name, clips in rows["real"].items() if len(clips) >= 2}
    if len(learnt) >= 2:
        classifier = ConditionClassifier(learnt)
        real = classifier.recall({name: rows["real"][name] for name in learnt})
        return real, classifier.recall({name: rows["generated"][name] for name in learnt})
    if len(told) >= 2:
        made = ConditionClassifier(told).recall({name: rows["generated"][name] for name in told})
        return recall_across_folds(told), made
    notes.append("separability needs two conditions with two real clips each")
    return {}, {}


def _rows(clips: Mapping[str, FloatArray], embed: Embedding, sample_rate: int) -> list[Array]:
    return [embed(clip, sample_rate) for clip in clips.values()]


def _middle(rows: Array) -> Array:
    """The windows in the middle: long clips would differ less from each other than short ones do."""
    start = max(0, (len(rows) - MIDDLE_WINDOWS) // 2)
    return rows[start : start + MIDDLE_WINDOWS]
