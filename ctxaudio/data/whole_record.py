"""Bringing FSD50K from its Zenodo record: the tables alone, or everything, part by part.

A part is deleted as soon as all that begins, lies or ends in it is unpacked, so that at most three parts (the
last, and two that share a clip) lie beside the clips: there is never a merged archive. There is no state but the
files themselves and each archive's directory (a few MB, kept), from which a later call sees what is missing and
which parts it still needs.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tqdm import tqdm

from ctxaudio.data.download import PATIENCE, Patience, download, part_path
from ctxaudio.data.fsd50k import Subset
from ctxaudio.data.record import FSD50K_RECORD, Archive, Record, record_url
from ctxaudio.data.split_zip import Parts, find_directory, mended_directory, open_split_zip
from ctxaudio.data.unpack import expected_entries, is_unpacked, unpack, unpacked_path
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import writable_folder, written_whole

ARCHIVES_DIR = ".archives"


@dataclass(frozen=True)
class Brought:
    """What became of an archive: files unpacked now, files that were whole before, unexpected names left packed."""

    archive: str
    unpacked: int
    whole_before: int
    left_packed: tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """What a fetch would need, in bytes: to download, free on the disk at the worst moment, more on it in the end."""

    download_bytes: int
    peak_bytes: int
    kept_bytes: int


def fetch_tables(
    data_dir: Path, *, record: Record = FSD50K_RECORD, progress: bool = True, patience: Patience = PATIENCE
) -> tuple[Brought, ...]:
    """Bring `FSD50K.ground_truth/` and `FSD50K.metadata/` (7 MB) under `data_dir`, md5 and CRC checked.

    Files that are whole already are not fetched again: a second call uses no network.

    Raises `CtxAudioError` where the network, the disk or the record is at fault.
    """
    archives = (record.ground_truth, record.metadata)
    return tuple(_bring(_Local(archive, data_dir), False, progress, patience) for archive in archives)


def fetch_whole(
    data_dir: Path,
    subsets: Sequence[Subset] = ("dev", "eval"),
    *,
    keep_archives: bool = False,
    record: Record = FSD50K_RECORD,
    progress: bool = True,
    patience: Patience = PATIENCE,
) -> tuple[Brought, ...]:
    """Bring the tables, the documents and all clips of `subsets` under `data_dir`, one subset after the other.

    Interrupted at any moment, the next call goes on: what is unpacked and whole is neither fetched nor unpacked
    again (its CRC is checked), a part that is half there is completed. `keep_archives` keeps the parts in
    `data_dir/.archives`.

    Raises `CtxAudioError` where the disk has too little room, before anything is fetched, and for faults of the
    network, the disk or the record.
    """
    writable_folder(data_dir)
    needed = estimate_whole(data_dir, subsets, keep_archives=keep_archives, record=record).peak_bytes
    free = shutil.disk_usage(data_dir).free
    if needed > free:
        raise CtxAudioError(
            f"{data_dir} has {free / 1e9:.1f} GB free and the fetch needs {needed / 1e9:.1f} GB: "
            "free space, choose another data_dir, or fetch one split or the clips of one context"
        )
    archives = _archives(record, subsets)
    return tuple(_bring(_Local(archive, data_dir), keep_archives, progress, patience) for archive in archives)


def estimate_whole(
    data_dir: Path,
    subsets: Sequence[Subset] = ("dev", "eval"),
    *,
    keep_archives: bool = False,
    record: Record = FSD50K_RECORD,
) -> Estimate:
    """What `fetch_whole` would need now, given what lies in `data_dir` (sizes only are looked at). Changes nothing.

    >>> estimate = estimate_whole(Path("no-such-folder"), ["eval"])
    >>> f"{estimate.download_bytes / 1e9:.2f} GB to fetch, {estimate.peak_bytes / 1e9:.1f} GB needed"
    '6.27 GB to fetch, 15.8 GB needed'
    """
    download_bytes = peak_bytes = kept_bytes = 0
    for archive in _archives(record, subsets):
        local = _Local(archive, data_dir)
        missing, needed = local.missing_bytes_and_parts()
        to_fetch = sum(local.bytes_to_fetch(number) for number in needed)
        archives_bytes = to_fetch if keep_archives else min(to_fetch, local.most_held_bytes())
        download_bytes += to_fetch
        peak_bytes = max(peak_bytes, kept_bytes + missing + archives_bytes)
        kept_bytes += missing + (to_fetch if keep_archives else 0)
    return Estimate(download_bytes, peak_bytes, kept_bytes)


def _archives(record: Record, subsets: Sequence[Subset]) -> list[Archive]:
    audio = {"dev": record.dev_audio, "eval": record.eval_audio}
    return [record.ground_truth, record.metadata, record.doc, *(audio[subset] for subset in dict.fromkeys(subsets))]


class _Local:
    """An archive of the record as far as it is here: its parts, its kept directory, its unpacked files."""

    def __init__(self, archive: Archive, data_dir: Path) -> None:
        self.archive = archive
        self.data_dir = data_dir
        folder = data_dir / ARCHIVES_DIR
        self.paths = [folder / part.name for part in archive.parts]
        self.directory_path = folder / f"{archive.name}.{archive.parts[-1].md5[:8]}.directory"

    def parts(self) -> Parts:
        return Parts(self.paths, [part.size for part in self.archive.parts])

    def entries(self, zipped: zipfile.ZipFile) -> tuple[list[zipfile.ZipInfo], list[str]]:
        about = self.archive
        try:
            return expected_entries(zipped, about.names, about.largest_bytes, about.unpacked_bytes)
        except CtxAudioError as error:
            raise CtxAudioError(f"{about.name}: {error}") from error

    def parts_of(self, entries: Sequence[zipfile.ZipInfo], zipped: zipfile.ZipFile) -> dict[str, range]:
        """The part numbers that hold each entry: from its header to the next entry's or the directory."""
        parts = self.parts()
        starts = sorted({entry.header_offset for entry in zipped.infolist()} | {zipped.start_dir})
        stop_of = dict(pairwise([*starts, max(starts[-1], parts.starts[-1])]))
        return {e.filename: parts.covering(e.header_offset, stop_of[e.header_offset]) for e in entries}

    def missing_bytes_and_parts(self) -> tuple[int, list[int]]:
        """Bytes still to be unpacked, as far as sizes tell, and the numbers of the parts they lie in."""
        everything = range(len(self.paths))
        if not self.directory_path.is_file():
            return self.archive.unpacked_bytes, list(everything)
        with open_split_zip(self.parts(), self.directory_path.read_bytes()) as zipped:
            entries, _ = self.entries(zipped)
            missing = [e for e in entries if _size(unpacked_path(e, self.data_dir)) != e.file_size]
            needed = {number for span in self.parts_of(missing, zipped).values() for number in span}
        return sum(e.file_size for e in missing), sorted(needed)

    def is_here(self, number: int) -> bool:
        return _size(self.paths[number]) == self.archive.parts[number].size

    def bytes_to_fetch(self, number: int) -> int:
        begun = _size(part_path(self.paths[number]))
        return 0 if self.is_here(number) else max(0, self.archive.parts[number].size - begun)

    def most_held_bytes(self) -> int:
        """Bytes of the last part, which tells what is where, and of the two that an entry may straddle."""
        *others, last = (part.size for part in self.archive.parts)
        return last + sum(sorted(others)[-2:])


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _bring(local: _Local, keep_archives: bool, progress: bool, patience: Patience) -> Brought:
    """Fetch and unpack what is missing of one archive, deleting each part as soon as nothing needs it."""

    def fetch(number: int) -> None:
        part = local.archive.parts[number]
        download(record_url(part.name), local.paths[number], part.size, part.md5, progress=progress, patience=patience)

    directory = _directory(local, fetch)
    with open_split_zip(local.parts(), directory) as zipped:
        entries, left_packed = local.entries(zipped)
        _remove_written_aside({unpacked_path(entry, local.data_dir).parent for entry in entries})
        checking = tqdm(entries, f"checking {local.archive.name}", unit="file", leave=False, disable=not progress)
        missing = [entry for entry in checking if not is_unpacked(entry, local.data_dir)]
        parts_of = local.parts_of(missing, zipped)
        waiting = {entry.filename: entry for entry in missing}
        for number in range(len(local.paths)):
            if any(number in parts_of[name] for name in waiting):
                fetch(number)
                here = {i for i in range(len(local.paths)) if local.is_here(i)}
                ready = [entry for name, entry in waiting.items() if here.issuperset(parts_of[name])]
                for entry in tqdm(ready, f"unpacking {local.archive.name}", unit="file", disable=not progress):
                    lies_in = " and ".join(str(local.paths[i]) for i in parts_of[entry.filename])
                    unpack(zipped, entry, local.data_dir, lies_in)
                    del waiting[entry.filename]
            if not keep_archives:
                _delete_parts(local, {i for name in waiting for i in parts_of[name]})
    return Brought(local.archive.name, len(missing), len(entries) - len(missing), tuple(left_packed))


def _directory(local: _Local, fetch: Callable[[int], None]) -> bytes:
    """The archive's mended directory: the kept one, or read from the end of its last part, and kept."""
    if not local.directory_path.is_file():
        fetch(len(local.paths) - 1)
        parts = local.parts()
        found = find_directory(parts)
        for number in parts.covering(found.start, found.start + found.size):
            fetch(number)
        with written_whole(local.directory_path) as aside:
            aside.write_bytes(mended_directory(parts))
    return local.directory_path.read_bytes()


def _delete_parts(local: _Local, needed: set[int]) -> None:
    """Delete the parts that nothing needs, once what came out of them is safe from a power cut."""
    done = [path for i, path in enumerate(local.paths) if i not in needed and path.exists()]
    if done:
        os.sync()
    for path in done:
        path.unlink()


def _remove_written_aside(folders: set[Path]) -> None:
    """What a killed run was writing: see `written_whole`."""
    for folder in folders:
        for left in folder.glob(".writing-*"):
            left.unlink(missing_ok=True)
