"""Where a sound comes from and what is claimed for it: a comment in the file, a JSON beside it, credits as text.

`claims_of` says which graded claims a sound rests on, `Provenance` how one file came about, `write_attribution` whose
recordings are in a model or a folder, as CC-BY asks.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any, NamedTuple

from ctxaudio import __version__
from ctxaudio.contexts import BANDS, METHODS, SAFE_LISTENING, TARGETS, Context, Evidence, context_named
from ctxaudio.data.fsd50k import LICENCES, licence_name
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, write_json, write_text
from ctxaudio.modulation.profile import Tone
from ctxaudio.modulation.schedule import Modulation
from ctxaudio.signal.loudness import LoudnessGain

ATTRIBUTION = "ATTRIBUTION.md"
_MARKUP = re.compile(r"([\\`*_\[\]<>|#&])")

#: A rate or carrier this near to a target is that target.
SAME_RATE_HZ = 0.005
SAME_CARRIER_HZ = 0.5
COMMENT_CHARACTERS = 1990  # WAV keeps 2000 bytes
PART_CHARACTERS = 140  # of each part of a comment that is longer: then it fits


def claims_of(context: Context | None, modulation: Modulation) -> dict[str, Evidence]:
    """The claims behind a sound, each with its evidence: its context, and every target, band and method that its
    modulation touches.

    A rate that is a target's is that target; any other counts for its band. What has depth 0 is not there.

    >>> from ctxaudio.contexts import CONTEXTS
    >>> from ctxaudio.modulation.profile import context_profile
    >>> claims = claims_of(CONTEXTS["sleep"], Modulation(context_profile(CONTEXTS["sleep"])))
    >>> {claim: evidence.grade for claim, evidence in claims.items()}
    {'context sleep': 'D', 'target deep_sleep (2.5 Hz)': 'D', 'band delta (1-4 Hz)': 'B'}
    """
    profile, steps = modulation.at_start, modulation.schedule.steps if modulation.schedule else ()
    moving = [part for part in profile.parts if part.depth > 0.0]
    rates_hz = {part.rate_hz for part in (*moving, *(step for step in steps if step.depth > 0.0))}
    carriers_hz = {carrier.frequency_hz for carrier in profile.carriers if carrier.depth > 0.0}
    carriers_hz |= {tone.carrier_hz for tone in profile.tones}
    claims = {f"context {context.name}": context.evidence} if context is not None else {}
    for target in TARGETS.values():
        given, width_hz = (rates_hz, SAME_RATE_HZ) if target.kind == "rate" else (carriers_hz, SAME_CARRIER_HZ)
        if met := {hz for hz in given if abs(hz - target.frequency_hz) <= width_hz}:
            claims[f"target {target.name} ({target.frequency_hz:g} Hz)"] = target.evidence
            given -= met
    for band in BANDS.values():
        if any(band.low_hz <= hz < band.high_hz for hz in rates_hz):
            claims[f"band {band.name} ({band.low_hz:g}-{band.high_hz:g} Hz)"] = band.evidence
    kinds = {part.kind if isinstance(part, Tone) else part.pulse and "isochronic" for part in moving}
    used = {f"{kind} {'pulses' if kind == 'isochronic' else 'beats'}" for kind in kinds}
    return claims | {name: evidence for name, evidence in METHODS.items() if name in used}


def evidence_line(claims: Mapping[str, Evidence]) -> str:
    """What a person is told with every sound: the grade of each claim, and where to read more."""
    graded = ", ".join(f"{claim} {evidence.grade}" for claim, evidence in claims.items()) or "nothing claimed"
    return f"evidence grades: {graded} (what they mean, and how to listen safely: ctxaudio contexts)"


@dataclass(frozen=True)
class Provenance:
    """How one file came about.

    Args:
        made_by: the command: generate, modulate or session.
        conditions: the labels that were generated.
        model: what stands beside the generator's weights, whose clips are in it among them.
        sources: recordings that the sound is made from, each as `source_file` describes it.
        settings: whatever else it takes to make the file again, ready for JSON.
        reached: loudness and true peak of the file.
    """

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
        return claims_of(None if self.context is None else context_named(self.context), self.modulation)

    def comment(self) -> str:
        """One line of ASCII under 2000 bytes, with all that must stay with a file that travels without its JSON."""
        model, reached = self.model, self.reached
        trained_on = licences_text(model.get("licences", {})) if model else ""
        graded = ", ".join(f"{claim} {evidence.grade}" for claim, evidence in self.claims.items())
        parts = [
            f"ctxaudio {__version__} {self.made_by}",
            f"context {self.context}" if self.context else "",
            f"condition {', '.join(self.conditions)}" if self.conditions else "",
            f"modulation {self.modulation.text()}",
            f"from {', '.join(str(source['file']) for source in self.sources)}" if self.sources else "",
            f"seed {self.seed}" if self.seed is not None else "",
            f"{reached.lufs:.1f} LUFS, {reached.true_peak_db:.1f} dBTP" if reached and isfinite(reached.lufs) else "",
            f"model {model['weights_sha256'][:12]}, trained on {trained_on}" if model else "",
            "credits in the JSON beside the file" if model or self.sources else "",
            f"evidence grades: {graded}" if graded else "",
        ]
        plain = ["".join(c if c.isprintable() else " " for c in part).split() for part in parts]
        said = [" ".join(words).encode("ascii", "backslashreplace").decode() for words in plain if words]
        listening = f"safe listening: {SAFE_LISTENING}"
        if len("; ".join([*said, listening])) > COMMENT_CHARACTERS:
            said = [part if len(part) <= PART_CHARACTERS else f"{part[: PART_CHARACTERS - 3]}..." for part in said]
        return "; ".join([*said, listening])

    def as_json(self) -> dict[str, Any]:
        """Everything, ready for JSON; the loudness of silence is null."""
        model = self.model and {
            "sha256": self.model["weights_sha256"],
            "ctxaudio": self.model["ctxaudio"],
            "context": self.model["context"],
            "licences": self.model.get("licences", {}),
            "attribution": self.model.get("attribution", ()),
        }
        reached = self.reached
        lufs, true_peak_db = (reached.lufs, reached.true_peak_db) if reached else (nan, nan)
        return {
            "made_by": f"ctxaudio {self.made_by}",
            "ctxaudio": __version__,
            "context": self.context,
            "conditions": list(self.conditions),
            "seed": self.seed,
            "profile": asdict(self.modulation.at_start),
            "schedule": self.modulation.schedule and asdict(self.modulation.schedule),
            "settings": dict(self.settings),
            "lufs": round(lufs, 2) if isfinite(lufs) else None,
            "true_peak_db": round(true_peak_db, 2) if isfinite(true_peak_db) else None,
            "evidence": [{"subject": claim, **asdict(evidence)} for claim, evidence in self.claims.items()],
            "safe_listening": SAFE_LISTENING,
            "sources": [dict(source) for source in self.sources],
            "model": model,
        }

    def summary(self, audio: Path) -> str:
        """For the command line: the file, its modulation and the levels reached, and below it `evidence_line`."""
        reached = self.reached
        levels = f"; {reached.lufs:.1f} LUFS, {reached.true_peak_db:.1f} dBTP" if reached else ""
        return f"{audio}: modulation {self.modulation.text()}{levels}\n{evidence_line(self.claims)}"

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
    """Name, size in bytes and SHA-256 of a recording, for `Provenance.sources`."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}") from error


def licences_text(licences: Mapping[str, int]) -> str:
    """How many clips are under which licence; a licence that has no short name is given as it is.

    >>> licences_text({"http://creativecommons.org/licenses/by/3.0/": 3, "CC0 (synthesised)": 40})
    '43 clips (40 CC0 (synthesised), 3 cc-by)'
    """
    clips: Counter[str] = Counter()
    for licence, count in licences.items():
        name = licence_name(licence)
        clips[licence if name == "unknown" else name] += count
    if not clips:
        return "clips of unknown licence"
    return f"{clips.total()} clips ({', '.join(f'{count} {name}' for name, count in clips.most_common())})"


class Credit(NamedTuple):
    """Whose a clip is; `licence` is its URI, or what the metadata say instead."""

    clip_id: str
    title: str
    uploader: str
    licence: str


def freesound_link(clip_id: str) -> str:
    """The page of an FSD50K clip, whose id is Freesound's; empty for an id that can't be."""
    return f"https://freesound.org/s/{clip_id}/" if clip_id.isascii() and clip_id.isdigit() else ""


def attribution_text(credits: Iterable[Credit], about: str) -> str:
    r"""The credits as Markdown, a section a licence, each clip once: title, uploader, id, link and licence.

    >>> rain = Credit("7", "Rain [take 2]", "ann", "http://creativecommons.org/licenses/by/3.0/")
    >>> print(attribution_text([rain], "Where it comes from.").splitlines()[-1])
    - "Rain \[take 2\]" by ann, clip 7, https://freesound.org/s/7/, http://creativecommons.org/licenses/by/3.0/
    """
    once = {credit.clip_id: credit for credit in credits}
    lines = ["# Attribution", "", about]
    for name, heading in LICENCES.items():
        those = [credit for credit in once.values() if licence_name(credit.licence) == name]
        if those:
            lines += ["", f"## {heading}: {len(those)} clips", ""]
        for credit in sorted(those, key=lambda credit: credit.clip_id.zfill(20)):
            clip_id, title, uploader, licence = map(_without_markup, credit)
            named = f'"{title}"' if title else "Untitled"
            parts = [
                f"{named} by {uploader or 'an unnamed uploader'}",
                f"clip {clip_id}",
                freesound_link(credit.clip_id),
                licence or "unknown",
            ]
            lines.append(f"- {', '.join(filter(None, parts))}")
    return "\n".join(lines) + "\n"


def write_attribution(path: Path, credits: Iterable[Credit], about: str) -> None:
    """Write `attribution_text`; raises `CtxAudioError` where `path` can't be written."""
    write_text(path, attribution_text(credits, about))


def _without_markup(text: str) -> str:
    """Text from the metadata, in one line and with nothing that Markdown or HTML would act on."""
    line = " ".join(text.split())
    return line if re.fullmatch(r"https?://[\w./+%-]+", line) else _MARKUP.sub(r"\\\1", line)
