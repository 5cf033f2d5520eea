"""`manifest.json`: what `fetch` brought into a folder, why, under which licence, and what it set aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ctxaudio.data.attribution import ATTRIBUTION, FSD50K_CREDIT, Credit, freesound_link, write_attribution
from ctxaudio.data.fsd50k import clips_on_disk
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, write_json

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class FetchedClip:
    """A clip in the folder; `selected` is {context: label} that it was chosen for, `licence` a URI."""

    clip_id: str
    subset: str
    split: str
    title: str
    uploader: str
    licence: str
    sha256: str
    bytes: int
    seconds: float
    selected: Mapping[str, str]


@dataclass(frozen=True)
class SetAside:
    """A clip that was fetched and is not used, and why; `sha256` is empty where it never arrived as it should."""

    clip_id: str
    subset: str
    reason: str
    sha256: str = ""


@dataclass(frozen=True)
class Manifest:
    """The clips of a folder by (subset, id), those set aside, and where they come from."""

    clips: Mapping[tuple[str, str], FetchedClip] = field(default_factory=dict)
    set_aside: Mapping[tuple[str, str], SetAside] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)

    def with_clips(self, clips: Sequence[FetchedClip]) -> Manifest:
        """With `clips` added; what an earlier fetch chose them for stays, and they are set aside no longer."""
        known, set_aside = dict(self.clips), dict(self.set_aside)
        for clip in clips:
            key = (clip.subset, clip.clip_id)
            earlier = known[key].selected if key in known else {}
            known[key] = replace(clip, selected={**earlier, **clip.selected})
            set_aside.pop(key, None)
        return replace(self, clips=known, set_aside=set_aside)

    def with_set_aside(self, clip: SetAside) -> Manifest:
        key = (clip.subset, clip.clip_id)
        others = {other: known for other, known in self.clips.items() if other != key}
        return replace(self, clips=others, set_aside={**self.set_aside, key: clip})


def read_manifest(data_dir: Path) -> Manifest:
    """The folder's manifest, empty where there is none; raises `CtxAudioError` for a damaged one."""
    path = data_dir / MANIFEST
    if not path.exists():
        return Manifest()
    content = read_json(path)
    try:
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
        clips = [FetchedClip(**entry) for entry in content["clips"]]
        set_aside = [SetAside(**entry) for entry in content["set_aside"]]
        source = dict(content["source"])
    except (KeyError, TypeError, ValueError) as error:
        raise CtxAudioError(f"{path} is not a manifest of this version ({error}): move it away") from error
    return Manifest(
        {(clip.subset, clip.clip_id): clip for clip in clips},
        {(clip.subset, clip.clip_id): clip for clip in set_aside},
        source,
    )


def write_manifest(data_dir: Path, manifest: Manifest) -> None:
    """Write `manifest.json` and `ATTRIBUTION.md`."""
    clips = sorted(manifest.clips.values(), key=lambda clip: (clip.subset, clip.clip_id))
    content: dict[str, Any] = {
        "format": FORMAT,
        "source": dict(manifest.source),
        "clips": [asdict(clip) for clip in clips],
        "set_aside": [asdict(clip) for clip in manifest.set_aside.values()],
    }
    write_json(data_dir / MANIFEST, content)
    credits = [Credit(c.clip_id, c.title, c.uploader, c.licence, freesound_link(c.clip_id)) for c in clips]
    write_attribution(data_dir / ATTRIBUTION, credits, FSD50K_CREDIT)


def without_the_deleted(manifest: Manifest, data_dir: Path) -> Manifest:
    """Without clips that are no longer in the folder (or, after a kill, not yet)."""
    there = {subset: clips_on_disk(data_dir / f"FSD50K.{subset}_audio") for subset in ("dev", "eval")}
    kept = {key: clip for key, clip in manifest.clips.items() if clip.clip_id in there[clip.subset]}
    return replace(manifest, clips=kept)
