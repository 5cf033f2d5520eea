"""Bringing the clips a context needs, and no others, into the FSD50K layout.

A clip lies in `.fetching` until it is checked, and takes its place in one step, when `manifest.json` names it already.
So whatever ends a fetch, each clip in its place is whole and its licence is on record, and the next goes on from there.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool  # its threads don't hold up a Ctrl-C
from pathlib import Path

import soundfile
from filelock import FileLock, Timeout

from ctxaudio.data.fsd50k import Subset, read_tables
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.fetch.credits import RECORD_DOI, Manifest, read_manifest
from ctxaudio.fetch.hub import REPOSITORY, Hub, HubFile, hub_path
from ctxaudio.fetch.network import DigestError, Network, bytes_bar, digest_of
from ctxaudio.fetch.plan import Candidate, FetchPlan, FetchRequest, plan_fetch
from ctxaudio.fetch.zenodo import check_space, fetch_tables
from ctxaudio.files import writable_folder
from ctxaudio.signal.audio import read_audio

STAGING_DIR = ".fetching"
SET_ASIDE_DIR = "set_aside"
ROOM_FOR_TABLES = 10_000_000
WORKERS = 4  # more would meet the hub's rate limits


@dataclass
class Fetched:
    """What a fetch did: clips brought now and there before, bytes that came, and clips set aside with the reason."""

    plan: FetchPlan
    brought: int = 0
    there_before: int = 0
    bytes: int = 0
    seconds: float = 0.0
    set_aside: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        there = f", {self.there_before} were there already" if self.there_before else ""
        lines = [f"fetched {self.brought} clips, {self.bytes / 1e6:.1f} MB in {self.seconds:.0f} s{there}"]
        lines += [f"set aside {clip_id}: {reason}" for clip_id, reason in self.set_aside.items()]
        missing = len(self.plan.chosen) - self.brought - self.there_before
        lines += [f"{missing} fewer than planned: their conditions have no other clips"] if missing else []
        return "\n".join(lines)


def fetch_clips(request: FetchRequest, network: Network) -> Fetched:
    """Bring ground truth and metadata from the Zenodo record and the request's clips from the hub under its data_dir.

    Every clip is checked: sha256, decodes, 44.1 kHz mono, 0.3-30 s. A bad one goes to `data_dir/set_aside`, and the
    next of its condition takes its place. A clip in its place with the right sha256 is not fetched again.

    Raises `CtxAudioError` for faults of the network, the hub or the disk, where another fetch is at work in
    data_dir, and where no clip can be fetched; what has come by then stays.
    """
    began, data_dir = time.monotonic(), writable_folder(request.data_dir)
    try:
        with FileLock(data_dir / ".fetch.lock", timeout=0):  # the system frees that of a process that dies
            fetch_tables(data_dir, network)
            hub, manifest = Hub(network), read_manifest(data_dir)
            fetched = Fetched(plan_fetch(request, read_tables(data_dir, request.subset), hub, manifest))
            manifest.source = {"repository": REPOSITORY, "commit": hub.commit, "record": RECORD_DOI}
            absent = [candidate.size for candidate in fetched.plan.chosen if not candidate.clip.path.is_file()]
            check_space(data_dir, sum(absent) + ROOM_FOR_TABLES)
            try:
                _bring_all(fetched, hub, manifest)
            finally:
                manifest.forget_deleted(data_dir)
                manifest.write(data_dir)
            shutil.rmtree(data_dir / STAGING_DIR, ignore_errors=True)
    except Timeout as error:
        raise CtxAudioError(f"another fetch is at work in {data_dir}: wait for it to end") from error
    except OSError as error:
        raise CtxAudioError(f"{error.filename or data_dir}: {error.strerror}; mend that and start again") from error
    fetched.seconds = time.monotonic() - began
    return fetched


def dry_run(request: FetchRequest, network: Network) -> FetchPlan:
    """What `fetch_clips` would choose. Nothing changes in data_dir: tables it lacks go to a temporary folder."""
    names = ("ground_truth/{0}.csv", "ground_truth/vocabulary.csv", "metadata/{0}_clips_info_FSD50K.json")
    has_tables = all((request.data_dir / f"FSD50K.{name.format(request.subset)}").is_file() for name in names)
    with tempfile.TemporaryDirectory(prefix="ctxaudio-") as aside:
        folder = request.data_dir if has_tables else Path(aside)
        if not has_tables:
            fetch_tables(folder, network)
        return plan_fetch(request, read_tables(folder, request.subset), Hub(network), read_manifest(request.data_dir))


def check_clip(path: Path) -> None:
    """Raise `ClipError` where a file isn't what every clip of FSD50K is: whole, WAV, 44.1 kHz, mono, 0.3-30 s."""
    try:
        about = soundfile.info(path)
    except (OSError, soundfile.SoundFileError) as error:
        raise ClipError("not readable as audio") from error
    if (about.format, about.samplerate, about.channels) != ("WAV", 44_100, 1):
        raise ClipError(f"{about.format}, {about.samplerate} Hz, {about.channels} channels: not WAV, 44100 Hz, mono")
    with path.open("rb") as file:
        promised = int.from_bytes(file.read(8)[4:], "little") + 8
    if promised > path.stat().st_size:
        raise ClipError(f"cut off: {path.stat().st_size} bytes of {promised}")
    samples, _ = read_audio(path)
    seconds = samples.shape[1] / 44_100
    if not 0.25 <= seconds <= 30.05:  # FSD50K rounds
        raise ClipError(f"{seconds:.2f} s long: FSD50K's clips have 0.3-30 s")


def _bring_all(fetched: Fetched, hub: Hub, manifest: Manifest) -> None:
    """Bring the plan's clips, and for each bad one the next of its condition, where there is one."""
    plan, todo = fetched.plan, list(fetched.plan.chosen)
    data_dir, subset, context = plan.request.data_dir, plan.request.subset, plan.selection.context
    chosen = set(todo)
    spare = {i: iter([c for c in queue if c not in chosen]) for i, queue in plan.queues.items()}
    with bytes_bar("fetching clips", 0, hub.network.progress) as bar, ThreadPool(WORKERS) as pool:
        while todo:
            for c in todo:
                manifest.add(c.clip, subset, c.sha256, c.size, {context.name: context.conditions[c.condition]})
            manifest.write(data_dir)
            bar.total += sum(candidate.size for candidate in todo)
            bad = []
            for candidate, path, reason in pool.imap_unordered(lambda c: _bring(c, hub, data_dir, subset), todo):
                clip, was_there = candidate.clip, path == candidate.clip.path
                fetched.bytes += 0 if was_there else candidate.size
                bar.update(candidate.size)
                if reason:
                    bad.append(candidate.condition)
                    fetched.set_aside[clip.clip_id] = reason
                    manifest.put_aside(clip.clip_id, subset, reason, candidate.sha256 if path else "")
                else:
                    fetched.there_before += was_there
                    fetched.brought += not was_there
                if path and (reason or not was_there):
                    place = data_dir / SET_ASIDE_DIR / clip.path.name if reason else clip.path
                    place.parent.mkdir(exist_ok=True)
                    path.replace(place)
            todo = [following for condition in bad if (following := next(spare[condition], None))]


def _bring(candidate: Candidate, hub: Hub, data_dir: Path, subset: Subset) -> tuple[Candidate, Path | None, str]:
    """The candidate, where its file lies now (None: it never came right), and why it can't be used, if so."""
    path = candidate.clip.path
    try:
        if not (path.is_file() and digest_of(path, "sha256") == candidate.sha256):
            file = HubFile(hub_path(candidate.clip.clip_id, subset), candidate.size, candidate.sha256)
            path = hub.download(file, data_dir / STAGING_DIR)
        check_clip(path)
    except DigestError as error:
        return candidate, None, str(error)
    except ClipError as error:
        return candidate, path, str(error).removeprefix(f"{path}: ")
    return candidate, path, ""
