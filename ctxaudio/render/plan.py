"""What a session is made of: a generator or a recording as its bed, recordings mixed in, and their credits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ctxaudio import __version__
from ctxaudio.contexts import context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.model.checkpoint import BASE, for_conditions, load_generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.modulation.stream import Modulation
from ctxaudio.provenance import ModelOrigin, Provenance, claims_of, source_file
from ctxaudio.render.beds import Bed, GeneratedBed, Layer, RecordingBed
from ctxaudio.render.finish import Finish
from ctxaudio.render.session import Session


@dataclass(frozen=True)
class Source:
    """The bed of a session: a trained generator, or a recording."""

    bed: Bed
    context: str | None
    conditions: tuple[str, ...] = ()
    model: ModelOrigin | None = None
    recording: Path | None = None


def generated_source(model_path: Path | None, condition: int, channels: int, seed: int, context: str | None) -> Source:
    """A generator's endless sound of one condition (-1: one of those it knows, by the seed).

    Without a path it is the base that ships with ctxaudio, for `context` (None: sleep). Raises `CtxAudioError` for a
    model that can't be loaded, is of another `context` than the one given, or has not learned the condition.
    """
    generator, about = load_generator(model_path or BASE)
    if model_path is None:
        named = context_named(context or "sleep")
        generator = for_conditions(generator, named.conditions, ModulationProfile())
        about = {**about, "context": named.name}
    if context not in (None, about["context"]):
        raise CtxAudioError(f"{model_path} was trained for context {about['context']!r}, not {context!r}")
    bed = GeneratedBed(generator, condition, channels, seed)
    name = generator.config.conditions[bed.condition]
    return Source(bed, about["context"], (name,), ModelOrigin.from_about(about))


def recorded_source(path: Path, channels: int, seed: int, minutes: float, context: str | None) -> Source:
    """A recording, from start to end or in excerpts (`RecordingBed`)."""
    return Source(RecordingBed(path, channels, seed, 60.0 * minutes), context, recording=path)


def parse_mix(text: str) -> tuple[Path, float]:
    """`FILE=-6`: a recording and its level in dB beside the bed.

    >>> parse_mix("birds.wav=-6")[1]
    -6.0
    """
    name, _, level = text.rpartition("=")
    try:
        level_db = float(level)
    except ValueError:
        name = ""
        level_db = 0.0
    if not name or not -60.0 <= level_db <= 20.0:
        raise CtxAudioError(f"{text!r} is not FILE=DB with DB in -60..20, such as birds.wav=-6")
    return Path(name), level_db


def plan_session(
    source: Source,
    modulation: Modulation,
    minutes: float,
    finish: Finish,
    mix: Sequence[tuple[Path, float]] = (),
    seed: int = 0,
) -> tuple[Session, Provenance]:
    """The session, and what it will say of itself. Its settings decide whether an interrupted one can be taken up."""
    bed = source.bed
    layers = [Layer(bed)]
    for number, (path, level_db) in enumerate(mix, 1):
        more = RecordingBed(path, bed.channels, seed + number, 60.0 * minutes, bed.sample_rate)
        layers.append(Layer(more, level_db))
    recordings = [*([source.recording] if source.recording else []), *(path for path, _ in mix)]
    described = tuple(source_file(path) for path in recordings)
    settings: dict[str, Any] = {
        "ctxaudio": __version__,
        "minutes": minutes,
        "channels": bed.channels,
        "sample_rate": bed.sample_rate,
        "seed": seed,
        "conditions": source.conditions,
        "model_sha256": source.model.sha256 if source.model else None,
        "recordings": [described_one["sha256"] for described_one in described],
        "mix_db": [level_db for _, level_db in mix],
        "profile": asdict(modulation.at_start),
        "schedule": modulation.schedule and asdict(modulation.schedule),
    }
    made = Provenance(
        "session",
        claims_of(
            context_named(source.context) if source.context else None,
            modulation.at_start,
            modulation.scheduled_rates_hz,
        ),
        modulation.at_start,
        source.context,
        source.conditions,
        seed,
        source.model,
        described,
        {**settings, "finish": asdict(finish)},
        schedule=modulation.schedule,
    )
    return Session(layers, modulation, minutes, finish, settings), made
