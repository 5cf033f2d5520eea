"""Which clips of a context are wanted: the options that `fetch`, `prepare` and `train` share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from ctxaudio.contexts import VETOES_EVERYWHERE, Context
from ctxaudio.data.licences import check_licences
from ctxaudio.errors import CtxAudioError

#: Clips that are not what their labels say, and how that is known.
KNOWN_WRONG: Mapping[str, str] = MappingProxyType(
    {"121351": "beeps, though labelled Stream (MTG/freesound-datasets issue 200)"}
)


@dataclass(frozen=True)
class SelectionOptions:
    """What a clip must be, beyond bearing a label of the context and none that is vetoed.

    labels: the conditions, in place of the context's own (None: those); any labels of the vocabulary.
    licences: short names as in `data.licences` (None: all). `fetch` asks for cc0 and cc-by; clips that are on disk
        already are all used unless you ask, for whoever put them there has chosen.
    min_seconds: shortest duration in seconds.
    rating: "present" keeps a clip only if every vote on its label said present and predominant.
    exclude: ids of clips not to use; known wrong ones by default.

    Raises `CtxAudioError` for a value that is none of these.
    """

    labels: tuple[str, ...] | None = None
    licences: tuple[str, ...] | None = None
    min_seconds: float = 0.0
    rating: Literal["present"] | None = None
    exclude: tuple[str, ...] = tuple(KNOWN_WRONG)

    def __post_init__(self) -> None:
        if self.licences is not None:
            object.__setattr__(self, "licences", check_licences(self.licences))
        if self.labels is not None:
            object.__setattr__(self, "labels", tuple(dict.fromkeys(self.labels)))
            if not self.labels:
                raise CtxAudioError("labels is empty: name one at least, or leave it out for the context's own")
        if not (0.0 <= self.min_seconds < math.inf):
            raise CtxAudioError(f"min_seconds {self.min_seconds:g} must not be negative")
        if self.rating not in (None, "present"):
            raise CtxAudioError(f"rating {self.rating!r} is not 'present', the only one there is")


def wanted_context(context: Context, labels: tuple[str, ...] | None, vocabulary: Mapping[str, str]) -> Context:
    """`context` with `labels` as its conditions (None: as it is).

    In a context of several a label stays with the parts that have it; one that none has goes to all that don't veto it.

    Raises `CtxAudioError` for a label that is not in `vocabulary` (empty: not checked) or that the context vetoes.
    """
    if labels is None:
        return context
    unknown = [label for label in labels if vocabulary and label not in vocabulary]
    if unknown:
        raise CtxAudioError(f"label {', '.join(unknown)} is not in FSD50K's vocabulary.csv; labels are like Rain")
    parts = tuple(
        replace(part, conditions=tuple(label for label in labels if _takes(part, label, context)))
        for part in context.parts or (context,)
    )
    taken = {label for part in parts for label in part.conditions} - set(VETOES_EVERYWHERE)
    if vetoed := [label for label in labels if label not in taken]:
        raise CtxAudioError(f"label {', '.join(vetoed)} is kept out of context {context.name!r}: choose another")
    return replace(context, conditions=labels, parts=parts if context.parts else ())


def _takes(part: Context, label: str, whole: Context) -> bool:
    return label in part.conditions if label in whole.conditions else label not in part.vetoes


def excluded_because(clip_id: str) -> str:
    """Why a clip in `SelectionOptions.exclude` is not used."""
    return f"known wrong: {KNOWN_WRONG[clip_id]}" if clip_id in KNOWN_WRONG else "excluded by --exclude"
