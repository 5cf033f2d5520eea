"""Bringing the clips that a context needs, and no others, into the FSD50K layout, with their licences.

`manifest.json` and `ATTRIBUTION.md` name a clip before it takes its place, in one step. So whatever ends a fetch, each
clip in its place is whole and its licence is on record, and the next fetch goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool  # its threads don't hold up a Ctrl-C
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ctxaudio.data.fsd50k import FSD50K_CREDIT, Clip, Subset, audio_folder, clips_on_disk, read_index, read_tables
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.network import Network, bytes_bar
from ctxaudio.fetch.plan import REPOSITORY, Candidate, FetchPlan, FetchRequest, plan_fetch, seconds_of
from ctxaudio.fetch.zenodo import check_space, fetch_tables
from ctxaudio.files import read_json, writable_folder, write_json
from ctxaudio.provenance import ATTRIBUTION, Credit, write_attribution

MANIFEST = "manifest.json"
RECORD_DOI = "https://doi.org/10.5281/zenodo.4060432"
ROOM_FOR_TABLES = 10_000_000
WORKERS = 4  # more would meet the hub's rate limits


@dataclass
class Fetched:
    """What a fetch did: clips brought now and there before, and bytes that came."""

    plan: FetchPlan
    brought: int = 0
    there_before: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        there = f", {self.there_before} were there already" if self.there_before else ""
        return f"fetched {self.brought} clips, {self.bytes / 1e6:.1f} MB in {self.seconds:.0f} s{there}"


class Manifest:
    """`manifest.json` of a folder: what was fetched, from where, why and under which licence, in rows as the JSON's.

    Raises `CtxAudioError` where it is damaged.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir, self.path = data_dir, data_dir / MANIFEST
        content: dict[str, Any] = read_json(self.path) if self.path.exists() else {"source": {}, "clips": []}
        try:
            self.clips = {(row["subset"], row["clip_id"]): row for row in content["clips"]}
            self.source = dict(content["source"])
            for row in self.clips.values():
                self._credit(row), dict(row["selected"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CtxAudioError(f"{self.path} is not a manifest ({error!r}): move it away") from error

    def add(self, clip: Clip, subset: Subset, sha256: str, size: int, selected: dict[str, str]) -> None:
        """Add a clip of `size` bytes, chosen for `selected` ({context: label}) besides what it was before."""
        earlier = self.clips.get((subset, clip.clip_id), {"selected": {}})["selected"]
        about = {name: getattr(clip, name) for name in ("split", "title", "uploader", "licence")}
        file = {"sha256": sha256, "bytes": size, "seconds": round(seconds_of(size), 3), "selected": earlier | selected}
        self.clips[subset, clip.clip_id] = {"clip_id": clip.clip_id, "subset": subset, **about, **file}

    def write(self) -> None:
        """Write `manifest.json` and `ATTRIBUTION.md`."""
        clips = [self.clips[key] for key in sorted(self.clips)]
        write_json(self.path, {"source": self.source, "clips": clips})
        write_attribution(self.data_dir / ATTRIBUTION, [self._credit(row) for row in clips], FSD50K_CREDIT)

    def forget_deleted(self) -> None:
        """Forget clips that are not in the folder: deleted, or named by a fetch that was interrupted."""
        there = {subset: clips_on_disk(audio_folder(self.data_dir, subset)) for subset in ("dev", "eval")}
        self.clips = {key: row for key, row in self.clips.items() if key[1] in there[key[0]]}

    @staticmethod
    def _credit(row: dict[str, Any]) -> Credit:
        return Credit(row["clip_id"], row["title"], row["uploader"], row["licence"])


def fetch_clips(request: FetchRequest, network: Network, dry_run: bool = False) -> Fetched:
    """Bring ground truth and metadata from the Zenodo record and the request's clips from the hub under its data_dir.

    A clip in its place with the right sha256 is not fetched again. `dry_run` brings the tables only.

    Raises `CtxAudioError` for faults of the network, the hub or the disk, where another fetch is at work in
    data_dir, and where no clip can be fetched; what has come by then stays.
    """
    began, data_dir = time.monotonic(), writable_folder(request.data_dir)
    try:
        with FileLock(data_dir / ".fetch.lock", timeout=0):  # the system frees that of a process that dies
            fetch_tables(data_dir, network)
            manifest = Manifest(data_dir)
            manifest.forget_deleted()
            plan = plan_fetch(request, read_tables(data_dir, request.subset), network)
            fetched = Fetched(plan)
            if dry_run:
                return fetched
            absent = [candidate.size for candidate in plan.chosen if not candidate.clip.path.is_file()]
            check_space(data_dir, sum(absent) + ROOM_FOR_TABLES)
            manifest.source = {"repository": REPOSITORY, "commit": plan.commit, "record": RECORD_DOI}
            context = plan.selection.context
            for chosen in plan.chosen:
                selected = {context.name: context.conditions[chosen.condition]}
                manifest.add(chosen.clip, request.subset, chosen.sha256, chosen.size, selected)
            manifest.write()
            _bring_all(fetched, network)
    except Timeout as error:
        raise CtxAudioError(f"another fetch is at work in {data_dir}: wait for it to end") from error
    except OSError as error:
        raise CtxAudioError(f"{error.filename or data_dir}: {error.strerror}; mend that and start again") from error
    fetched.seconds = time.monotonic() - began
    return fetched


def _bring_all(fetched: Fetched, network: Network) -> None:
    chosen = fetched.plan.chosen

    def bring(candidate: Candidate) -> tuple[int, bool]:
        return candidate.size, network.download(candidate.url, candidate.clip.path, candidate.size, candidate.sha256)

    bar = bytes_bar("fetching clips", sum(candidate.size for candidate in chosen), network.progress)
    with bar, ThreadPool(WORKERS) as pool:
        for size, came in pool.imap_unordered(bring, chosen):
            fetched.brought += came
            fetched.there_before += not came
            fetched.bytes += size if came else 0
            bar.update(size)


def credit_whole(data_dir: Path, subsets: Sequence[Subset]) -> None:
    """Write manifest and attribution of every clip of `subsets` in `data_dir`, as `fetch_archives` brought them.

    Their sha256 stays empty: md5 of the archives and CRC of each file were checked when they came.
    """
    manifest = Manifest(data_dir)
    manifest.source["record"] = RECORD_DOI
    for subset in subsets:
        index = read_index(data_dir, subset)
        for clip in index.clips:
            if clip.clip_id in (index.on_disk or ()) and (subset, clip.clip_id) not in manifest.clips:
                manifest.add(clip, subset, "", clip.path.stat().st_size, {})
    manifest.write()
