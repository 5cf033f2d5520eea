"""Bringing FSD50K from its Zenodo record: the tables alone, or everything, part by part.

The record's archives are split zips, read straight from their parts. A part is fetched when a file in it is wanted
and deleted as soon as nothing more is, so that at most three (the last, and two that share a clip) lie beside the
clips. There is no state but the files themselves and each archive's directory (a few MB, kept), from which a later
call sees what is missing and which parts it still needs.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from ctxaudio.data.fsd50k import Subset
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.network import Network, part_path
from ctxaudio.fetch.split_zip import SplitZip, expected_entries, is_unpacked, unpack
from ctxaudio.files import writable_folder, written_whole

ARCHIVES_DIR = ".archives"
RECORD_ID = "4060432"
TABLES = ("ground_truth", "metadata")


class Part(NamedTuple):
    """A file of the record: its name, size in bytes and md5 in hex."""

    name: str
    size: int
    md5: str


class Archive(NamedTuple):
    """A zip archive and its parts in the order of their bytes: .z01, .z02, ..., and .zip last.

    Only entries whose whole name matches the regular expression `wanted` are unpacked. Together they come to at most
    `unpacked_bytes`; more is taken for a bomb and refused.
    """

    name: str
    wanted: str
    unpacked_bytes: int
    parts: tuple[Part, ...]


# The sizes and md5 sums that the record publishes. Unpacked there are 108.3 h of 16-bit mono at 44.1 kHz (dev 80.4 h,
# eval 27.9 h) with 44 bytes of header a clip, rounded up.
_PARTS = (
    Part("FSD50K.ground_truth.zip", 334_701, "ca27382c195e37d2269c4c866dd73485"),
    Part("FSD50K.metadata.zip", 6_700_838, "b9ea0c829a411c1d42adb9da539ed237"),
    Part("FSD50K.doc.zip", 6_984, "3516162b82dc2945d3e7feba0904e800"),
    Part("FSD50K.dev_audio.z01", 3_221_225_472, "faa7cf4cc076fc34a44a479a5ed862a3"),
    Part("FSD50K.dev_audio.z02", 3_221_225_472, "8f9b66153e68571164fb1315d00bc7bc"),
    Part("FSD50K.dev_audio.z03", 3_221_225_472, "1196ef47d267a993d30fa98af54b7159"),
    Part("FSD50K.dev_audio.z04", 3_221_225_472, "d088ac4e11ba53daf9f7574c11cccac9"),
    Part("FSD50K.dev_audio.z05", 3_221_225_472, "81356521aa159accd3c35de22da28c7f"),
    Part("FSD50K.dev_audio.zip", 2_306_663_327, "c480d119b8f7a7e32fdb58f3ea4d6c5a"),
    Part("FSD50K.eval_audio.z01", 3_221_225_472, "3090670eaeecc013ca1ff84fe4442aeb"),
    Part("FSD50K.eval_audio.zip", 3_037_675_767, "6fa47636c3a3ad5c7dfeba99f2637982"),
)

FSD50K_RECORD = {
    name: Archive(
        f"FSD50K.{name}", rf"FSD50K\.{name}/{wanted}", size, tuple(p for p in _PARTS if f".{name}." in p.name)
    )
    for name, wanted, size in (
        ("ground_truth", r"[\w-]+\.csv", 1 << 25),
        ("metadata", r"(collection/)?[\w-]+\.(json|csv)", 1 << 28),
        ("doc", r"[\w-]+(\.(md|txt|pdf|html))?", 1 << 24),
        ("dev_audio", r"\d+\.wav", 26_000_000_000),
        ("eval_audio", r"\d+\.wav", 9_200_000_000),
    )
}


class Estimate(NamedTuple):
    """What a fetch would need: bytes to download, free on the disk at the worst moment, more on it in the end."""

    download_bytes: int
    peak_bytes: int
    kept_bytes: int


class Brought(NamedTuple):
    """What became of an archive: files unpacked now, files that were whole before, unexpected names left packed."""

    archive: str
    unpacked: int
    whole_before: int
    left_packed: tuple[str, ...]


def fetch_tables(data_dir: Path, network: Network) -> None:
    """Bring `FSD50K.ground_truth/` and `FSD50K.metadata/` (7 MB) as `fetch_archives` does: twice uses no network."""
    for name in TABLES:
        _Local(FSD50K_RECORD[name], data_dir, network).bring()


def archives_of(subsets: Sequence[Subset]) -> list[Archive]:
    """The archives with the tables, the documents and all clips of `subsets`."""
    return [FSD50K_RECORD[name] for name in (*TABLES, "doc", *(f"{subset}_audio" for subset in subsets))]


def estimate(archives: Sequence[Archive], data_dir: Path, keep_archives: bool = False) -> Estimate:
    """What `fetch_archives` would need now, given what lies in `data_dir` (sizes only are looked at). Changes nothing.

    >>> needed = estimate(archives_of(["eval"]), Path("no-such-folder"))
    >>> f"{needed.download_bytes / 1e9:.2f} GB to fetch, {needed.peak_bytes / 1e9:.1f} GB needed"
    '6.27 GB to fetch, 15.8 GB needed'
    """
    download = peak = kept = 0
    for archive in archives:
        missing, to_fetch, held = _Local(archive, data_dir, Network()).needs()
        download += to_fetch
        peak = max(peak, kept + missing + (to_fetch if keep_archives else held))
        kept += missing + (to_fetch if keep_archives else 0)
    return Estimate(download, peak, kept)


def fetch_archives(
    archives: Sequence[Archive], data_dir: Path, network: Network, keep_archives: bool = False
) -> list[Brought]:
    """Bring and unpack `archives` under `data_dir`, one after the other.

    Interrupted at any moment, the next call goes on: what is unpacked and whole is neither fetched nor unpacked
    again (its CRC is checked), a part that is half there is completed. `keep_archives` keeps the parts in
    `data_dir/.archives`. Raises `CtxAudioError` where the disk has too little room, before anything is fetched, and
    for faults of the network, the disk or the record.
    """
    check_space(writable_folder(data_dir), estimate(archives, data_dir, keep_archives).peak_bytes)
    return [_Local(archive, data_dir, network).bring(keep_archives) for archive in archives]


def check_space(data_dir: Path, needed: int) -> None:
    """Raise `CtxAudioError` where `data_dir` has less than `needed` bytes free."""
    free = shutil.disk_usage(data_dir).free
    if needed > free:
        has = f"{data_dir} has {free / 1e9:.2f} GB free and the fetch needs {needed / 1e9:.2f} GB"
        raise CtxAudioError(f"{has}: free space, choose another data_dir, one split or fewer clips")


class _Local:
    """An archive of the record as far as it is here: its parts, its kept directory, its unpacked files."""

    def __init__(self, archive: Archive, data_dir: Path, network: Network) -> None:
        self.archive, self.data_dir, self.network = archive, data_dir, network
        self.sizes = [part.size for part in archive.parts]
        self.paths = [data_dir / ARCHIVES_DIR / part.name for part in archive.parts]
        self.directory_path = data_dir / ARCHIVES_DIR / f"{archive.name}.{archive.parts[-1].md5[:8]}.end"

    def fetch(self, number: int) -> Path:
        """The path of a part, which is fetched if it isn't here."""
        path, part = self.paths[number], self.archive.parts[number]
        url = f"{self.network.zenodo}/records/{RECORD_ID}/files/{part.name}?download=1"
        self.network.download(url, path, part.size, part.md5, progress=True)
        return path

    def open(self) -> tuple[SplitZip, list[zipfile.ZipInfo], list[str]]:
        """The archive and its `expected_entries`; the directory is kept, so that this needs no part another time."""
        kept = self.directory_path.read_bytes() if self.directory_path.is_file() else b""
        try:
            zipped = SplitZip(self.sizes, self.fetch, kept)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            path = self.directory_path if kept else self.paths[-1]
            raise CtxAudioError(f"{path} is damaged: {error}; remove it and fetch it again") from error
        if not kept:
            with written_whole(self.directory_path) as aside:
                aside.write_bytes(zipped.directory)
        return zipped, *expected_entries(zipped, self.archive.wanted, self.archive.unpacked_bytes, self.archive.name)

    def needs(self) -> tuple[int, int, int]:
        """Bytes still to be unpacked, as far as sizes tell, to be fetched, and of parts held at once at most."""
        missing, needed = self.archive.unpacked_bytes, set(range(len(self.paths)))
        if self.directory_path.is_file():
            zipped, entries, _ = self.open()
            absent = [entry for entry in entries if _size(self.data_dir / entry.filename) != entry.file_size]
            missing = sum(entry.file_size for entry in absent)
            needed = {number for entry in absent for number in zipped.parts_of(entry)}
        here = [max(_size(path), _size(part_path(path))) for path in self.paths]
        to_fetch = sum(max(0, self.sizes[number] - here[number]) for number in needed)
        *others, last = self.sizes  # the last, and the two that an entry may straddle
        return missing, to_fetch, min(to_fetch, last + sum(sorted(others)[-2:]))

    def bring(self, keep_archives: bool = False) -> Brought:
        """Fetch and unpack what is missing, deleting each part as soon as nothing needs it."""
        zipped, entries, others = self.open()
        for folder in {(self.data_dir / entry.filename).parent for entry in entries}:
            for left in folder.glob(".writing-*"):  # by a killed run: see `written_whole`
                left.unlink(missing_ok=True)
        name, silent = self.archive.name, not self.network.progress
        checked = tqdm(entries, f"checking {name}", unit="file", leave=False, disable=silent)
        missing = [entry for entry in checked if not is_unpacked(entry, self.data_dir)]
        first_needed = [*(zipped.parts_of(entry)[0] for entry in missing), len(self.paths)]
        self._delete_parts(0 if keep_archives else first_needed[0])
        for i, entry in enumerate(tqdm(missing, f"unpacking {name}", unit="file", disable=silent)):
            parts = [str(self.fetch(number)) for number in zipped.parts_of(entry)]
            unpack(zipped, entry, self.data_dir, " and ".join(parts))
            self._delete_parts(0 if keep_archives else first_needed[i + 1])
        return Brought(name, len(missing), len(entries) - len(missing), tuple(others))

    def _delete_parts(self, before: int) -> None:
        """Delete the parts before one, once what came out of them is safe from a power cut."""
        done = [path for path in self.paths[:before] if path.exists()]
        if done:
            os.sync()
        for path in done:
            path.unlink()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
