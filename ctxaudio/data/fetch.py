"""Bringing the clips a context needs, and no others, into the FSD50K layout.

A clip lies in `.fetching` until it is checked and `manifest.json` names it; only then it takes its place, in one
step. So whatever ends a fetch, each clip in its place is whole and its licence is on record, and the next fetch
goes on from what is there.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.pool import ThreadPool  # its threads don't hold up a Ctrl-C
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from ctxaudio.data.clip_check import check_clip
from ctxaudio.data.download import PATIENCE, Patience
from ctxaudio.data.fsd50k import read_tables
from ctxaudio.data.hub import REPOSITORY, Hub, HubFile, hub_path, sha256_of
from ctxaudio.data.manifest import (
    FetchedClip,
    Manifest,
    SetAside,
    read_manifest,
    without_the_deleted,
    write_manifest,
)
from ctxaudio.data.plan import Candidate, FetchPlan, FetchRequest, plan_fetch
from ctxaudio.data.record import FSD50K_RECORD, Record
from ctxaudio.data.whole_record import fetch_tables
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import writable_folder

STAGING_DIR = ".fetching"
SET_ASIDE_DIR = "set_aside"
SAVED_EVERY_S = 2.0
ROOM_FOR_TABLES = 10_000_000
RECORD_DOI = "https://doi.org/10.5281/zenodo.4060432"
WORKERS = 4  # more would meet the hub's rate limits


@dataclass(frozen=True)
class Fetched:
    """What a fetch did: clips brought now and there before, bytes that came, and clips set aside."""

    plan: FetchPlan
    brought: int
    there_before: int
    bytes: int
    seconds: float
    set_aside: tuple[SetAside, ...]

    def __str__(self) -> str:
        there = f", {self.there_before} were there already" if self.there_before else ""
        lines = [f"fetched {self.brought} clips, {self.bytes / 1e6:.1f} MB in {self.seconds:.0f} s{there}"]
        lines += [f"set aside {clip.clip_id}: {clip.reason}" for clip in self.set_aside]
        missing = len(self.plan.chosen) - self.brought - self.there_before
        lines += [f"{missing} fewer than planned: their conditions have no other clips"] if missing else []
        return "\n".join(lines)


def fetch_clips(
    request: FetchRequest,
    *,
    endpoint: str | None = None,
    record: Record | None = None,
    workers: int = WORKERS,
    progress: bool = True,
    patience: Patience = PATIENCE,
) -> Fetched:
    """Bring ground truth and metadata from the Zenodo record and the request's clips from the hub under its data_dir.

    Every clip is checked: sha256, decodes, 44.1 kHz mono, 0.3-30 s. A bad one goes to `data_dir/set_aside`, and the
    next of its condition takes its place. `manifest.json` and `ATTRIBUTION.md` are written, with what earlier fetches
    brought. A clip in its place with the right sha256 is not fetched again. `endpoint` None is the hub or
    `HF_ENDPOINT`, `record` None FSD50K's.

    Raises `CtxAudioError` for faults of the network, the hub or the disk, where another fetch is at work in
    data_dir, and where no clip can be fetched; what has come by then stays.
    """
    began = time.monotonic()
    with _only_fetch(writable_folder(request.data_dir)):
        fetch_tables(request.data_dir, record=record or FSD50K_RECORD, progress=progress, patience=patience)
        index = read_tables(request.data_dir, request.subset)
        hub = Hub(endpoint, patience, progress)
        manifest = without_the_deleted(read_manifest(request.data_dir), request.data_dir)
        plan = plan_fetch(request, index, hub, manifest)
        fetching = _Fetching(plan, hub, manifest)
        fetching.run(workers, progress)
        shutil.rmtree(request.data_dir / STAGING_DIR, ignore_errors=True)
    return Fetched(
        plan=plan,
        brought=fetching.brought,
        there_before=fetching.there_before,
        bytes=fetching.bytes,
        seconds=time.monotonic() - began,
        set_aside=tuple(fetching.set_aside),
    )


def dry_run(
    request: FetchRequest,
    *,
    endpoint: str | None = None,
    record: Record | None = None,
    progress: bool = True,
    patience: Patience = PATIENCE,
) -> FetchPlan:
    """What `fetch_clips` would choose. Nothing changes in data_dir: tables it lacks go to a temporary folder.

    Raises `CtxAudioError` as `fetch_clips` does.
    """
    hub = Hub(endpoint, patience, progress)
    manifest = without_the_deleted(read_manifest(request.data_dir), request.data_dir)
    with tempfile.TemporaryDirectory(prefix="ctxaudio-") as aside:
        folder = request.data_dir
        if not _has_tables(request):
            folder = Path(aside)
            fetch_tables(folder, record=record or FSD50K_RECORD, progress=progress, patience=patience)
        return plan_fetch(request, read_tables(folder, request.subset), hub, manifest)


@dataclass(frozen=True)
class _Arrival:
    """A clip that came, or was there: where it lies now, or why it can't be used."""

    candidate: Candidate
    path: Path | None
    seconds: float = 0.0
    reason: str = ""


class _Fetching:
    """One fetch under way: what has come is put in its place and on record every few seconds."""

    def __init__(self, plan: FetchPlan, hub: Hub, manifest: Manifest) -> None:
        self.plan = plan
        self.hub = hub
        self.data_dir = plan.request.data_dir
        self.subset = plan.request.subset
        source = {"repository": REPOSITORY, "commit": hub.commit, "record": RECORD_DOI}
        self.manifest = replace(manifest, source=source)
        self.brought = self.there_before = self.bytes = 0
        self.set_aside: list[SetAside] = []
        self._waiting: list[_Arrival] = []
        self._saved_at = time.monotonic()

    def run(self, workers: int, progress: bool) -> None:
        todo = list(self.plan.chosen)
        spare = {i: iter([c for c in queue if c not in set(todo)]) for i, queue in self.plan.queues.items()}
        here = [c for c in todo if c.clip.path.is_file() and sha256_of(c.clip.path) == c.sha256]
        todo = [c for c in todo if c not in set(here)]
        self._check_space(todo)
        with tqdm(
            total=0, desc="fetching clips", unit="B", unit_scale=True, unit_divisor=1000, disable=not progress
        ) as bar:
            try:
                bad = [
                    arrival for arrival in map(_examined, here, [c.clip.path for c in here]) if not self._take(arrival)
                ]
                self.there_before = len(here) - len(bad)
                todo += _replacements(bad, spare)
                while todo:
                    bar.total += sum(candidate.size for candidate in todo)
                    bad = self._fetch(todo, workers, bar)
                    self.brought += len(todo) - len(bad)
                    todo = _replacements(bad, spare)
            finally:
                self._save()

    def _fetch(self, todo: Sequence[Candidate], workers: int, bar: tqdm[None]) -> list[_Arrival]:
        """Bring the candidates; gives those that can't be used."""
        bad = []
        with ThreadPool(workers) as pool:
            for arrival in pool.imap_unordered(self._bring, todo):
                if not self._take(arrival):
                    bad.append(arrival)
                self.bytes += arrival.candidate.size
                bar.update(arrival.candidate.size)
        return bad

    def _bring(self, candidate: Candidate) -> _Arrival:
        file = HubFile(hub_path(candidate.clip.clip_id, self.subset), candidate.size, candidate.sha256)
        try:
            path = self.hub.download(file, self.data_dir / STAGING_DIR)
        except ClipError as error:
            return _Arrival(candidate, None, reason=str(error))
        return _examined(candidate, path)

    def _take(self, arrival: _Arrival) -> bool:
        """Keep a good clip, set a bad one aside; whether it is good."""
        if arrival.reason:
            self._put_aside(arrival)
            return False
        self._waiting.append(arrival)
        if time.monotonic() - self._saved_at > SAVED_EVERY_S:
            self._save()
        return True

    def _put_aside(self, arrival: _Arrival) -> None:
        clip = arrival.candidate.clip
        sha256 = arrival.candidate.sha256 if arrival.path is not None else ""
        aside = SetAside(clip.clip_id, self.subset, arrival.reason, sha256)
        self.set_aside.append(aside)
        self.manifest = self.manifest.with_set_aside(aside)
        write_manifest(self.data_dir, self.manifest)
        if arrival.path is not None:
            _move(arrival.path, self.data_dir / SET_ASIDE_DIR / clip.path.name)

    def _save(self) -> None:
        """Put on record what waits, then in its place: a clip in its place always has its licence on record."""
        waiting, self._waiting = self._waiting, []
        self.manifest = self.manifest.with_clips([self._on_record(arrival) for arrival in waiting])
        write_manifest(self.data_dir, self.manifest)
        for arrival in waiting:
            if arrival.path is not None and arrival.path != arrival.candidate.clip.path:
                _move(arrival.path, arrival.candidate.clip.path)
        self._saved_at = time.monotonic()

    def _on_record(self, arrival: _Arrival) -> FetchedClip:
        candidate, context = arrival.candidate, self.plan.selection.context
        clip = candidate.clip
        return FetchedClip(
            clip_id=clip.clip_id,
            subset=self.subset,
            split=clip.split,
            title=clip.title,
            uploader=clip.uploader,
            licence=clip.licence,
            sha256=candidate.sha256,
            bytes=candidate.size,
            seconds=round(arrival.seconds, 3),
            selected={context.name: context.conditions[candidate.condition]},
        )

    def _check_space(self, todo: Sequence[Candidate]) -> None:
        needed = sum(candidate.size for candidate in todo) + ROOM_FOR_TABLES
        free = shutil.disk_usage(self.data_dir).free
        if needed > free:
            raise CtxAudioError(
                f"{self.data_dir} has {free / 1e6:.0f} MB free and the clips need {needed / 1e6:.0f} MB: "
                "free space, choose another data_dir or fewer clips"
            )


def _examined(candidate: Candidate, path: Path) -> _Arrival:
    try:
        return _Arrival(candidate, path, check_clip(path))
    except ClipError as error:
        return _Arrival(candidate, path, reason=str(error))


def _replacements(bad: Sequence[_Arrival], spare: Mapping[int, Iterator[Candidate]]) -> list[Candidate]:
    """For each bad clip the next of its condition, where there is one."""
    found = (next(spare[arrival.candidate.condition], None) for arrival in bad)
    return [candidate for candidate in found if candidate is not None]


def _move(source: Path, to: Path) -> None:
    try:
        to.parent.mkdir(exist_ok=True)
        source.replace(to)
    except OSError as error:
        raise CtxAudioError(f"can't write {to}: {error.strerror or error}; mend that and start again") from error


def _has_tables(request: FetchRequest) -> bool:
    names = (
        f"FSD50K.ground_truth/{request.subset}.csv",
        "FSD50K.ground_truth/vocabulary.csv",
        f"FSD50K.metadata/{request.subset}_clips_info_FSD50K.json",
    )
    return all((request.data_dir / name).is_file() for name in names)


@contextmanager
def _only_fetch(data_dir: Path) -> Iterator[None]:
    """Refuse to work beside another fetch in `data_dir`; the system frees the lock of a process that dies."""
    lock = FileLock(data_dir / ".fetch.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CtxAudioError(f"another fetch is at work in {data_dir}: wait for it to end") from error
    except OSError as error:
        raise CtxAudioError(f"can't lock {data_dir}: {error.strerror or error}; choose another folder") from error
    try:
        yield
    finally:
        lock.release()
