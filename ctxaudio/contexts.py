"""Contexts, brainwave bands and target frequencies with the evidence grade of each claim, read from `contexts.toml`.

Two axes, never mixed: a *rate* (1-100 Hz) is how fast the envelope of a sound goes up and down; a *carrier* (432,
528 Hz) is an audible frequency. Nothing here is a health claim.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from ctxaudio.errors import unknown

Grade = Literal["A", "B", "C", "D", "X"]
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Evidence:
    """What is known about a claim: its grade, one sentence, and where to read it.

    Grades: A replicated human data, B limited but real support, C contested or mixed, D unsupported or pilot data
    only, X wrong as physics.
    """

    grade: Grade
    says: str
    source: str


@dataclass(frozen=True)
class Band:
    """A brainwave band, used here as a range of envelope *rates* from `low_hz` to `high_hz`."""

    name: str
    low_hz: float
    high_hz: float
    association: str
    evidence: Evidence

    @property
    def middle_hz(self) -> float:
        """The rate in the middle of the band, on a logarithmic axis."""
        return math.sqrt(self.low_hz * self.high_hz)

    def rates_hz(self, count: int = 3) -> tuple[float, ...]:
        """`count` rates inside the band, evenly spaced on a logarithmic axis, in hertz."""
        return tuple(self.low_hz * (self.high_hz / self.low_hz) ** ((i + 0.5) / count) for i in range(count))


@dataclass(frozen=True)
class Target:
    """A named frequency: a `rate` is carried by the envelope, a `carrier` is heard as a tone."""

    name: str
    frequency_hz: float
    kind: Literal["rate", "carrier"]
    title: str
    evidence: Evidence


@dataclass(frozen=True)
class Context:
    """What a sound is for: its FSD50K labels in a fixed order, what to keep out, how to modulate.

    `conditions` is the order of `--focus_condition` and of the model's label embedding. `band_depths` and
    `target_depths` are the default modulation (modulation index, 0..1). A context of several has them as `parts`.
    """

    name: str
    conditions: tuple[str, ...]
    vetoes: tuple[str, ...]
    band_depths: Mapping[str, float]
    target_depths: Mapping[str, float]
    evidence: Evidence
    parts: tuple[Context, ...] = ()


def _entries(kind: Callable[..., Entry], tables: Mapping[str, Any], **more: Any) -> Mapping[str, Entry]:
    """An object of `kind` for each table: lists as tuples, `evidence` as `Evidence`."""
    made = {}
    for name, table in tables.items():
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()} | more
        made[name] = kind(name, **fields | {"evidence": Evidence(**fields["evidence"])})
    return made


_DATA = tomllib.loads((Path(__file__).parent / "contexts.toml").read_text(encoding="utf-8"))

SAFE_LISTENING: str = _DATA["safe_listening"]
VETOES_EVERYWHERE: tuple[str, ...] = tuple(_DATA["vetoes_everywhere"])
BANDS = _entries(Band, _DATA["bands"], evidence=_DATA["band_evidence"])
TARGETS = _entries(Target, _DATA["targets"])
CONTEXTS = _entries(Context, _DATA["contexts"])
#: The evidence for ways of modulating other than plain amplitude modulation.
METHODS = {name: Evidence(**method) for name, method in _DATA["methods"].items()}

#: One model for every context: the conditions of all, each once. It modulates nothing: each would ask for other rates.
ALL = Context(
    "all",
    tuple(dict.fromkeys(label for context in CONTEXTS.values() for label in context.conditions)),
    vetoes=(),
    band_depths={},
    target_depths={},
    evidence=Evidence("D", "No claim of its own: every context whose sounds it holds has one.", "ctxaudio contexts"),
    parts=tuple(CONTEXTS.values()),
)


def context_named(name: str) -> Context:
    """The context of that name, or `ALL`; raises `CtxAudioError` naming the choices for any other."""
    if name not in CONTEXTS and name != ALL.name:
        raise unknown("context", name, [*CONTEXTS, ALL.name])
    return CONTEXTS.get(name, ALL)


def catalogue() -> dict[str, Any]:
    """All of this as plain dictionaries, ready for JSON; `all` is the one model for every context."""
    every = {context.name: asdict(context) for context in (*CONTEXTS.values(), ALL)}
    for described in every.values():
        del described["name"], described["parts"]
    return {
        "contexts": {name: every[name] for name in CONTEXTS},
        "all": every[ALL.name],
        "bands": {name: asdict(band) for name, band in BANDS.items()},
        "targets": {name: asdict(target) for name, target in TARGETS.items()},
        "methods": {name: asdict(method) for name, method in METHODS.items()},
        "vetoes_everywhere": VETOES_EVERYWHERE,
        "safe_listening": SAFE_LISTENING,
    }
