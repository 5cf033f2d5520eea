"""The manifest and attribution of the whole record, as `fetch --all` leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ctxaudio.data.fetch import RECORD_DOI
from ctxaudio.data.fsd50k import Clip, Subset, read_index
from ctxaudio.data.manifest import FetchedClip, read_manifest, without_the_deleted, write_manifest
from ctxaudio.data.plan import seconds_of
from ctxaudio.errors import CtxAudioError


def credit_whole(data_dir: Path, subsets: Sequence[Subset]) -> int:
    """Write `manifest.json` and `ATTRIBUTION.md` for every clip of `subsets` in `data_dir`; gives how many are new.

    Their sha256 stays empty: md5 of the archives and CRC of each file were checked when they came.
    """
    manifest = without_the_deleted(read_manifest(data_dir), data_dir)
    clips = []
    for subset in subsets:
        index = read_index(data_dir, subset)
        for clip in index.clips:
            if clip.clip_id in (index.on_disk or ()) and (subset, clip.clip_id) not in manifest.clips:
                clips.append(_on_record(clip, subset))
    manifest = replace(manifest, source={**manifest.source, "record": RECORD_DOI})
    write_manifest(data_dir, manifest.with_clips(clips))
    return len(clips)


def _on_record(clip: Clip, subset: Subset) -> FetchedClip:
    try:
        size = clip.path.stat().st_size
    except OSError as error:
        raise CtxAudioError(f"can't read {clip.path}: {error.strerror}") from error
    return FetchedClip(
        clip_id=clip.clip_id,
        subset=subset,
        split=clip.split,
        title=clip.title,
        uploader=clip.uploader,
        licence=clip.licence,
        sha256="",
        bytes=size,
        seconds=round(seconds_of(size), 3),
        selected={},
    )
