"""Where a sound comes from, carried by the file itself: a comment in its metadata, and a JSON of its name beside it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any, Self

from ctxaudio.data.licences import licence_name
from ctxaudio.errors import CtxAudioError
from ctxaudio.evidence import SAFE_LISTENING, Claim
from ctxaudio.files import read_json, write_json
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.modulation.schedule import Schedule
from ctxaudio.signal.loudness import LoudnessGain
from ctxaudio.version import __version__

COMMENT_CHARACTERS = 1990  # WAV keeps 2000 bytes
PART_CHARACTERS = (500, 140)  # at most so many for a part of the comment; the second fits whatever the parts are


@dataclass(frozen=True)
class ModelOrigin:
    """The generator behind a sound and whose clips are in it: `attribution` has an entry a clip, as its JSON does."""

    sha256: str
    ctxaudio: str
    context: str
    licences: Mapping[str, int]
    attribution: Sequence[Mapping[str, str]]

    @classmethod
    def from_about(cls, about: Mapping[str, Any]) -> Self:
        """From what `load_generator` gives beside the generator."""
        return cls(
            about["weights_sha256"],
            about["ctxaudio"],
            about["context"],
            about.get("licences", {}),
            about.get("attribution", ()),
        )


@dataclass(frozen=True)
class Provenance:
    """How one file came about.

    Args:
        made_by: the command: generate, modulate or session.
        claims: from `ctxaudio.evidence.claims_of`.
        conditions: the labels that were generated.
        sources: recordings that the sound is made from, each as `source_file` describes it.
        settings: whatever else it takes to make the file again, ready for JSON.
        reached: loudness and true peak of the file.
        schedule: how rate and depth change; `profile` then is that of minute 0.
    """

    made_by: str
    claims: tuple[Claim, ...]
    profile: ModulationProfile
    context: str | None = None
    conditions: tuple[str, ...] = ()
    seed: int | None = None
    model: ModelOrigin | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    reached: LoudnessGain | None = None
    schedule: Schedule | None = None

    def reaching(self, gain: LoudnessGain) -> Self:
        return replace(self, reached=gain)

    def comment(self) -> str:
        """One line of ASCII under 2000 bytes, with all that must stay with a file that travels without its JSON."""
        model, reached = self.model, self.reached
        parts = [
            f"ctxaudio {__version__} {self.made_by}",
            f"context {self.context}" if self.context else "",
            f"condition {', '.join(self.conditions)}" if self.conditions else "",
            f"modulation {modulation_text(self.profile, self.schedule)}",
            f"from {', '.join(str(source['file']) for source in self.sources)}" if self.sources else "",
            f"seed {self.seed}" if self.seed is not None else "",
            f"{reached.lufs:.1f} LUFS, {reached.true_peak_db:.1f} dBTP" if reached and isfinite(reached.lufs) else "",
            f"model {model.sha256[:12]}, trained on {licences_text(model.licences)}" if model else "",
            "credits in the JSON beside the file" if model or self.sources else "",
            "evidence grades: " + ", ".join(f"{claim.subject} {claim.evidence.grade}" for claim in self.claims)
            if self.claims
            else "",
        ]
        said = [_plain(part) for part in parts if part]
        comments = (
            "; ".join([*(_shortened(part, most) for part in said), f"safe listening: {SAFE_LISTENING}"])
            for most in PART_CHARACTERS
        )
        return next(comment for comment in comments if len(comment) <= COMMENT_CHARACTERS)

    def as_json(self) -> dict[str, Any]:
        """Everything, ready for JSON; the loudness of silence is null."""
        reached = self.reached
        return {
            "made_by": f"ctxaudio {self.made_by}",
            "ctxaudio": __version__,
            "context": self.context,
            "conditions": list(self.conditions),
            "seed": self.seed,
            "profile": asdict(self.profile),
            "schedule": self.schedule and asdict(self.schedule),
            "settings": dict(self.settings),
            "lufs": _rounded(reached.lufs) if reached else None,
            "true_peak_db": _rounded(reached.true_peak_db) if reached else None,
            "evidence": [{"subject": claim.subject, **asdict(claim.evidence)} for claim in self.claims],
            "safe_listening": SAFE_LISTENING,
            "sources": [dict(source) for source in self.sources],
            "model": vars(self.model) if self.model else None,  # no copy: its credits are many
        }

    def summary(self, audio: Path) -> str:
        """A line for the command line: the file, its modulation and the levels reached."""
        reached = self.reached
        levels = f"; {reached.lufs:.1f} LUFS, {reached.true_peak_db:.1f} dBTP" if reached else ""
        return f"{audio}: modulation {modulation_text(self.profile, self.schedule)}{levels}"

    def write_beside(self, audio: Path) -> Path:
        """Write `as_json` beside the file `audio`; raises `CtxAudioError` as `json_beside` does."""
        path = json_beside(audio)
        write_json(path, {"file": audio.name, **self.as_json()})
        return path


def json_beside(audio: Path) -> Path:
    """NAME.json for NAME.wav or NAME.flac: call it before hours of work.

    Raises `CtxAudioError` where a file of that name is there and is no provenance: it would be lost.

    >>> json_beside(Path("night.flac")).name
    'night.json'
    """
    path = audio.with_suffix(".json")
    if path.exists() and not str(read_json(path).get("made_by", "")).startswith("ctxaudio "):
        raise CtxAudioError(f"{path} would be overwritten and is not ctxaudio's: choose another name than {audio.name}")
    return path


def source_file(path: Path) -> dict[str, Any]:
    """Name, size in bytes and SHA-256 of a recording, for `Provenance.sources`."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"file": path.name, "bytes": path.stat().st_size, "sha256": digest}
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}") from error


def profile_text(profile: ModulationProfile) -> str:
    """The modulation in a few words; m is the depth.

    >>> from ctxaudio.modulation.profile import modulation_profile
    >>> profile_text(modulation_profile({}, {"deep_sleep": 0.2, "earth": 0.5}))
    '2.5 Hz m 0.2, carrier 432 Hz m 0.5'
    >>> profile_text(modulation_profile({}, {"deep_sleep": 0.2}).sham())
    'none (sham of 2.5 Hz)'
    """
    everything = [
        *((f"{r.rate_hz:.4g} Hz{' pulses' if r.pulse else ''}", r.depth, r.jitter) for r in profile.rates),
        *((f"{t.kind} {t.rate_hz:.4g} Hz on {t.carrier_hz:g} Hz", t.depth, t.jitter) for t in profile.tones),
        *((f"carrier {c.frequency_hz:g} Hz", c.depth, 0.0) for c in profile.carriers),
    ]
    if not any(depth > 0.0 for _, depth, _ in everything):
        return f"none (sham of {', '.join(text for text, *_ in everything)})" if everything else "none"
    said = [
        f"{text} m {depth:.2g}" + (f" jittered by {jitter:g}" if jitter else "")
        for text, depth, jitter in everything
        if depth > 0.0
    ]
    band = profile.audio_band_hz
    return ", ".join(said) + (f" (rates in {band[0]:g}-{band[1]:g} Hz only)" if band else "")


def modulation_text(profile: ModulationProfile, schedule: Schedule | None = None) -> str:
    """`profile_text`, or with a schedule the rate and depth of each of its steps, and what stays the same.

    >>> from ctxaudio.modulation.profile import Rate
    >>> from ctxaudio.modulation.schedule import parse_schedule
    >>> modulation_text(ModulationProfile((Rate(10.0, 0.2),)), parse_schedule("0:alpha 10, 20:theta 6 0.3, 40:off"))
    '10 Hz m 0.2 from 0 min, 6 Hz m 0.3 from 20 min, none from 40 min'
    """
    if schedule is None or not any(step.depth > 0.0 for step in schedule.steps):
        return profile_text(profile)
    moving, steady = replace(profile, carriers=()), replace(profile, rates=(), tones=(), audio_band_hz=None)
    steps = [(step.minute, moving.at(step.rate_hz, step.depth)) for step in schedule.steps]
    said = [f"{'none' if at == at.sham() else profile_text(at)} from {minute:g} min" for minute, at in steps]
    return ", ".join([*said, *([profile_text(steady)] if steady.carriers else [])])


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


def _plain(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split()).encode("ascii", "backslashreplace").decode()


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _rounded(level_db: float) -> float | None:
    return round(level_db, 2) if isfinite(level_db) else None
