"""Where a sound comes from and what is claimed for it: a comment in the file, a JSON beside it, credits as text."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ctxaudio import __version__
from ctxaudio.contexts import BANDS, METHODS, SAFE_LISTENING, TARGETS, Evidence, context_named
from ctxaudio.data.fsd50k import FSD50K_CREDIT, LICENCES, licence_name
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, write_json, write_text
from ctxaudio.modulation.schedule import Modulation

if TYPE_CHECKING:  # fetching, which writes credits, needs no torch
    from ctxaudio.signal.loudness import LoudnessGain

ATTRIBUTION = "ATTRIBUTION.md"
#: A rate or carrier this near to a target is that target.
SAME_RATE_HZ = 0.005
SAME_CARRIER_HZ = 0.5
COMMENT_CHARACTERS = 1990  # WAV keeps 2000 bytes
PART_CHARACTERS = 140  # of each part of a comment that is longer: then it fits


@dataclass(frozen=True)
class Provenance:
    """How one file came about: by which command, of which `conditions`, and with which `settings` besides, to make it
    again; `model` is what stands beside the generator's weights, `sources` are recordings as `source_file` describes
    them. `reached` has its loudness and true peak."""

    made_by: str
    modulation: Modulation
    context: str | None = None
    conditions: tuple[str, ...] = ()
    seed: int | None = None
    model: Mapping[str, Any] | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    reached: LoudnessGain | None = None

    @property
    def claims(self) -> dict[str, Evidence]:
        """The claims behind the sound, each with its evidence: its context, and every target, band and method that its
        modulation touches. A rate that is a target's is that target; any other counts for its band. What has depth 0 is
        not there."""
        profile, schedule = self.modulation.at_start, self.modulation.schedule
        steps = schedule.steps if schedule else ()
        rates_hz = {part.rate_hz for part in (*profile.parts, *steps) if part.depth > 0.0}
        carriers_hz = {carrier.frequency_hz for carrier in profile.carriers if carrier.depth > 0.0}
        carriers_hz |= {tone.carrier_hz for tone in profile.tones}
        claims = {f"context {self.context}": context_named(self.context).evidence} if self.context is not None else {}
        for target in TARGETS.values():
            given, width_hz = (rates_hz, SAME_RATE_HZ) if target.kind == "rate" else (carriers_hz, SAME_CARRIER_HZ)
            if met := {hz for hz in given if abs(hz - target.frequency_hz) <= width_hz}:
                claims[f"target {target.name} ({target.frequency_hz:g} Hz)"] = target.evidence
                given -= met
        for band in BANDS.values():
            if any(band.low_hz <= hz < band.high_hz for hz in rates_hz):
                claims[f"band {band.name} ({band.low_hz:g}-{band.high_hz:g} Hz)"] = band.evidence
        used = {"isochronic" for rate in profile.rates if rate.pulse and rate.depth > 0.0}
        used |= {tone.kind for tone in profile.tones if tone.depth > 0.0}
        return claims | {name: evidence for name, evidence in METHODS.items() if name.split()[0] in used}

    @property
    def graded(self) -> str:
        """The grade of each claim."""
        return ", ".join(f"{claim} {evidence.grade}" for claim, evidence in self.claims.items())

    def evidence_line(self) -> str:
        """What a person is told with every sound: the grade of each claim, and where to read more."""
        graded = self.graded or "nothing claimed"
        return f"evidence grades: {graded} (what they mean, and how to listen safely: ctxaudio contexts)"

    def comment(self) -> str:
        """One line of ASCII under 2000 bytes, with all that must stay with a file that travels without its JSON."""
        model, reached = self.model, self.reached
        parts = [
            f"ctxaudio {__version__} {self.made_by}",
            self.context and f"context {self.context}",
            self.conditions and f"condition {', '.join(self.conditions)}",
            f"modulation {self.modulation.text()}",
            self.sources and f"from {', '.join(str(source['file']) for source in self.sources)}",
            self.seed is not None and f"seed {self.seed}",
            reached and isfinite(reached.lufs) and f"{reached.lufs:.1f} LUFS, {reached.true_peak_db:.1f} dBTP",
            model and f"model {model['weights_sha256'][:12]}, trained on {_licences(model.get('licences', {}))}",
            (model or self.sources) and "credits in the JSON beside the file",
            self.graded and f"evidence grades: {self.graded}",
            f"safe listening: {SAFE_LISTENING}",
        ]
        plain = ["".join(c if c.isprintable() else " " for c in part).split() for part in parts if part]
        *said, listening = [" ".join(words).encode("ascii", "backslashreplace").decode() for words in plain if words]
        if len("; ".join([*said, listening])) > COMMENT_CHARACTERS:
            said = [part if len(part) <= PART_CHARACTERS else f"{part[: PART_CHARACTERS - 3]}..." for part in said]
        return "; ".join([*said, listening])

    def as_json(self) -> dict[str, Any]:
        """Everything, ready for JSON; the loudness of silence is null."""
        levels = {name: getattr(self.reached, name, nan) for name in ("lufs", "true_peak_db")}
        model, schedule, kept = self.model, self.modulation.schedule, ("ctxaudio", "context", "licences", "attribution")
        return {
            "made_by": f"ctxaudio {self.made_by}",
            "ctxaudio": __version__,
            "context": self.context,
            "conditions": self.conditions,
            "seed": self.seed,
            "profile": asdict(self.modulation.at_start),
            "schedule": schedule and asdict(schedule),
            "settings": dict(self.settings),
            **{name: round(level, 2) if isfinite(level) else None for name, level in levels.items()},
            "evidence": [{"subject": claim, **asdict(evidence)} for claim, evidence in self.claims.items()],
            "safe_listening": SAFE_LISTENING,
            "sources": self.sources,
            "model": model and {"sha256": model["weights_sha256"]} | {name: model.get(name) for name in kept},
        }

    def summary(self, audio: Path) -> str:
        """For the command line: the file, its modulation and the levels reached, and below it `evidence_line`."""
        reached = self.reached
        levels = f"; {reached.lufs:.1f} LUFS, {reached.true_peak_db:.1f} dBTP" if reached else ""
        return f"{audio}: modulation {self.modulation.text()}{levels}\n{self.evidence_line()}"

    def write_beside(self, audio: Path) -> Path:
        """Write `as_json` beside the file `audio`; raises `CtxAudioError` as `json_beside` does."""
        path = json_beside(audio)
        write_json(path, {"file": audio.name, **self.as_json()})
        return path


def json_beside(audio: Path) -> Path:
    """NAME.json for NAME.wav or NAME.flac: call it before hours of work.

    Raises `CtxAudioError` where a file of that name is there and would be lost: no provenance, or another file's.
    """
    path = audio.with_suffix(".json")
    about = read_json(path) if path.exists() else {"made_by": "ctxaudio "}
    of = Path(str(about.get("file", audio.name))).name
    if not str(about.get("made_by", "")).startswith("ctxaudio ") or (of != audio.name and path.with_name(of).exists()):
        raise CtxAudioError(f"{path} would be overwritten and is another file's: choose another name than {audio.name}")
    return path


def source_file(path: Path) -> dict[str, Any]:
    """Name, size in bytes and SHA-256 of a recording that has been read, for `Provenance.sources`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}


def _licences(licences: Mapping[str, int]) -> str:
    """How many clips are under which licence; a licence that has no short name is given as it is."""
    clips: Counter[str] = Counter()
    for licence, count in licences.items():
        name = licence_name(licence)
        clips[licence if name == "unknown" else name] += count
    each = ", ".join(f"{count} {name}" for name, count in clips.most_common())
    return f"{clips.total()} clips ({each})" if clips else "clips of unknown licence"


class Credit(NamedTuple):
    """Whose a clip is; `licence` is its URI, or what the metadata say instead."""

    clip_id: str
    title: str
    uploader: str
    licence: str


def freesound_link(clip_id: str) -> str:
    """The page of an FSD50K clip, whose id is Freesound's; empty for an id that can't be."""
    return f"https://freesound.org/s/{clip_id}/" if clip_id.isascii() and clip_id.isdigit() else ""


def write_attribution(path: Path, credits: Iterable[Credit], about: str) -> None:
    """Write `about` and the credits as Markdown, a section a licence, each clip once: title, uploader, id, link and
    licence, as CC-BY asks; of FSD50K's clips also that they are."""
    once = {credit.clip_id: credit for credit in credits}
    about += f" {FSD50K_CREDIT}" if any(map(freesound_link, once)) else ""
    lines = ["# Attribution", "", about]
    for name, heading in LICENCES.items():
        those = [credit for credit in once.values() if licence_name(credit.licence) == name]
        lines += ["", f"## {heading}: {len(those)} clips", ""] if those else []
        for credit in sorted(those, key=lambda credit: credit.clip_id.zfill(20)):
            clip_id, title, uploader, licence = map(_without_markup, credit)
            named = f'"{title}"' if title else "Untitled"
            parts = [f"{named} by {uploader or 'an unnamed uploader'}", f"clip {clip_id}"]
            parts += [freesound_link(credit.clip_id), licence or "unknown"]
            lines.append(f"- {', '.join(filter(None, parts))}")
    write_text(path, "\n".join(lines) + "\n")


def _without_markup(text: str) -> str:
    """Text from the metadata, in one line and with nothing that Markdown or HTML would act on."""
    line = " ".join(text.split())
    return line if re.fullmatch(r"https?://[\w./+%-]+", line) else re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", line)
