"""`manifest.json` and `ATTRIBUTION.md`: what `fetch` brought, why, under which licence, and what it set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctxaudio.data.fsd50k import Clip, Subset, audio_folder, clips_on_disk, read_index
from ctxaudio.data.licences import FSD50K_CREDIT
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, write_json
from ctxaudio.provenance import ATTRIBUTION, Credit, write_attribution

MANIFEST = "manifest.json"
FORMAT = 1
RECORD_DOI = "https://doi.org/10.5281/zenodo.4060432"

Key = tuple[str, str]


@dataclass
class Manifest:
    """The clips of a folder by (subset, id), those set aside, and where they come from; rows as the JSON has them."""

    clips: dict[Key, dict[str, Any]] = field(default_factory=dict)
    set_aside: dict[Key, dict[str, Any]] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)

    def add(self, clip: Clip, subset: Subset, sha256: str, size: int, selected: dict[str, str]) -> None:
        """Add a clip of `size` bytes, chosen for `selected` ({context: label}) besides what it was before."""
        key = (subset, clip.clip_id)
        earlier = self.clips.get(key, {"selected": {}})["selected"]
        about = {name: getattr(clip, name) for name in ("split", "title", "uploader", "licence")}
        file = {"sha256": sha256, "bytes": size, "seconds": round(seconds_of(size), 3)}
        self.clips[key] = {"clip_id": clip.clip_id, "subset": subset, **about, **file, "selected": earlier | selected}
        self.set_aside.pop(key, None)

    def put_aside(self, clip_id: str, subset: Subset, reason: str, sha256: str) -> None:
        """Note why a clip is not used; `sha256` is empty where it never arrived as it should."""
        self.clips.pop((subset, clip_id), None)
        entry = {"clip_id": clip_id, "subset": subset, "reason": reason, "sha256": sha256}
        self.set_aside[subset, clip_id] = entry

    def write(self, data_dir: Path) -> None:
        """Write `manifest.json` and `ATTRIBUTION.md`."""
        clips = [self.clips[key] for key in sorted(self.clips)]
        content = {"format": FORMAT, "source": self.source, "clips": clips, "set_aside": [*self.set_aside.values()]}
        write_json(data_dir / MANIFEST, content)
        credits = [Credit(c["clip_id"], c["title"], c["uploader"], c["licence"]) for c in clips]
        write_attribution(data_dir / ATTRIBUTION, credits, FSD50K_CREDIT)

    def forget_deleted(self, data_dir: Path) -> None:
        """Forget clips that are no longer in the folder (or, after an interruption, not yet)."""
        there = {subset: clips_on_disk(audio_folder(data_dir, subset)) for subset in ("dev", "eval")}
        self.clips = {key: row for key, row in self.clips.items() if key[1] in there[key[0]]}


def read_manifest(data_dir: Path) -> Manifest:
    """The folder's manifest, empty where there is none; raises `CtxAudioError` for a damaged one."""
    path = data_dir / MANIFEST
    if not path.exists():
        return Manifest()
    content = read_json(path)
    try:
        clips, aside = ({(row["subset"], row["clip_id"]): row for row in content[n]} for n in ("clips", "set_aside"))
        manifest = Manifest(clips, aside, dict(content["source"]))
        manifest.forget_deleted(data_dir)
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}")
    except (KeyError, TypeError, ValueError) as error:
        raise CtxAudioError(f"{path} is not a manifest of this version ({error}): move it away") from error
    return manifest


def credit_whole(data_dir: Path, subsets: Sequence[Subset]) -> None:
    """Write manifest and attribution of every clip of `subsets` in `data_dir`, as `fetch_whole` brought them.

    Their sha256 stays empty: md5 of the archives and CRC of each file were checked when they came.
    """
    manifest = read_manifest(data_dir)
    manifest.source["record"] = RECORD_DOI
    for subset in subsets:
        index = read_index(data_dir, subset)
        for clip in index.clips:
            if clip.clip_id in (index.on_disk or ()) and (subset, clip.clip_id) not in manifest.clips:
                manifest.add(clip, subset, "", clip.path.stat().st_size, {})
    manifest.write(data_dir)


def seconds_of(size: int) -> float:
    """Duration in seconds of an FSD50K clip of `size` bytes: 16-bit mono at 44.1 kHz with a header of 44 bytes.

    >>> seconds_of(44 + 2 * 44100 * 3)
    3.0
    """
    return max(0, size - 44) / 88_200
