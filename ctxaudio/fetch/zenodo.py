"""Bringing FSD50K from its Zenodo record: the tables alone, or everything, part by part.

The record's archives are split zips (`zip -s`), read straight from their parts. A part is fetched when a file in it
is wanted and deleted as soon as nothing more is, so that at most three parts (the last, and two that share a clip)
lie beside the clips. There is no state but the files themselves and each archive's directory (a few MB, kept), from
which a later call sees what is missing and which parts it still needs.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from ctxaudio.data.fsd50k import Subset
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.network import Network, part_path
from ctxaudio.fetch.split_zip import SplitZip
from ctxaudio.files import writable_folder, written_whole

ARCHIVES_DIR = ".archives"
RECORD_ID = "4060432"
_CHUNK = 1 << 18
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class RecordFile(NamedTuple):
    """One file of the record: its name, size in bytes and md5 in hex."""

    name: str
    size: int
    md5: str


class Archive(NamedTuple):
    """A zip archive in one or more parts, in the order of their bytes: .z01, .z02, ..., and .zip last.

    Only entries whose whole name matches the regular expression `wanted` are unpacked. Together they come to at most
    `unpacked_bytes`; more is taken for a bomb and refused.
    """

    wanted: str
    unpacked_bytes: int
    parts: tuple[RecordFile, ...]

    @property
    def name(self) -> str:
        return self.parts[-1].name.removesuffix(".zip")


# The sizes and md5 sums that the record publishes. Unpacked there are 108.3 h of 16-bit mono at 44.1 kHz (dev 80.4 h,
# eval 27.9 h) with 44 bytes of header a clip, rounded up.
_FILES = (
    RecordFile("FSD50K.ground_truth.zip", 334_701, "ca27382c195e37d2269c4c866dd73485"),
    RecordFile("FSD50K.metadata.zip", 6_700_838, "b9ea0c829a411c1d42adb9da539ed237"),
    RecordFile("FSD50K.doc.zip", 6_984, "3516162b82dc2945d3e7feba0904e800"),
    RecordFile("FSD50K.dev_audio.z01", 3_221_225_472, "faa7cf4cc076fc34a44a479a5ed862a3"),
    RecordFile("FSD50K.dev_audio.z02", 3_221_225_472, "8f9b66153e68571164fb1315d00bc7bc"),
    RecordFile("FSD50K.dev_audio.z03", 3_221_225_472, "1196ef47d267a993d30fa98af54b7159"),
    RecordFile("FSD50K.dev_audio.z04", 3_221_225_472, "d088ac4e11ba53daf9f7574c11cccac9"),
    RecordFile("FSD50K.dev_audio.z05", 3_221_225_472, "81356521aa159accd3c35de22da28c7f"),
    RecordFile("FSD50K.dev_audio.zip", 2_306_663_327, "c480d119b8f7a7e32fdb58f3ea4d6c5a"),
    RecordFile("FSD50K.eval_audio.z01", 3_221_225_472, "3090670eaeecc013ca1ff84fe4442aeb"),
    RecordFile("FSD50K.eval_audio.zip", 3_037_675_767, "6fa47636c3a3ad5c7dfeba99f2637982"),
)

Record = Mapping[str, Archive]
FSD50K_RECORD: Record = {
    name: Archive(rf"FSD50K\.{name}/{wanted}", size, tuple(file for file in _FILES if f".{name}." in file.name))
    for name, wanted, size in (
        ("ground_truth", r"[\w-]+\.csv", 1 << 25),
        ("metadata", r"(collection/)?[\w-]+\.(json|csv)", 1 << 28),
        ("doc", r"[\w-]+(\.(md|txt|pdf|html))?", 1 << 24),
        ("dev_audio", r"\d+\.wav", 26_000_000_000),
        ("eval_audio", r"\d+\.wav", 9_200_000_000),
    )
}


class Brought(NamedTuple):
    """What became of an archive: files unpacked now, files that were whole before, unexpected names left packed."""

    archive: str
    unpacked: int
    whole_before: int
    left_packed: tuple[str, ...]


class Estimate(NamedTuple):
    """What a fetch would need, in bytes: to download, free on the disk at the worst moment, more on it in the end."""

    download_bytes: int
    peak_bytes: int
    kept_bytes: int


def fetch_tables(data_dir: Path, network: Network, record: Record = FSD50K_RECORD) -> None:
    """Bring `FSD50K.ground_truth/` and `FSD50K.metadata/` (7 MB) under `data_dir`, md5 and CRC checked.

    Files that are whole already are not fetched again: a second call uses no network.

    Raises `CtxAudioError` where the network, the disk or the record is at fault.
    """
    for name in ("ground_truth", "metadata"):
        _Local(record[name], data_dir, network).bring(keep_archives=False)


def fetch_whole(
    data_dir: Path,
    network: Network,
    subsets: Sequence[Subset] = ("dev", "eval"),
    keep_archives: bool = False,
    record: Record = FSD50K_RECORD,
) -> list[Brought]:
    """Bring the tables, the documents and all clips of `subsets` under `data_dir`, one subset after the other.

    Interrupted at any moment, the next call goes on: what is unpacked and whole is neither fetched nor unpacked
    again (its CRC is checked), a part that is half there is completed. `keep_archives` keeps the parts in
    `data_dir/.archives`.

    Raises `CtxAudioError` where the disk has too little room, before anything is fetched, and for faults of the
    network, the disk or the record.
    """
    writable_folder(data_dir)
    needed, free = estimate_whole(data_dir, subsets, keep_archives, record).peak_bytes, shutil.disk_usage(data_dir).free
    if needed > free:
        raise CtxAudioError(
            f"{data_dir} has {free / 1e9:.1f} GB free and the fetch needs {needed / 1e9:.1f} GB: "
            "free space, choose another data_dir, or fetch one split or the clips of one context"
        )
    return [_Local(archive, data_dir, network).bring(keep_archives) for archive in _archives(record, subsets)]


def estimate_whole(
    data_dir: Path,
    subsets: Sequence[Subset] = ("dev", "eval"),
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
        missing, to_fetch, most_held = _Local(archive, data_dir, Network()).estimate()
        download_bytes += to_fetch
        peak_bytes = max(peak_bytes, kept_bytes + missing + (to_fetch if keep_archives else most_held))
        kept_bytes += missing + (to_fetch if keep_archives else 0)
    return Estimate(download_bytes, peak_bytes, kept_bytes)


def _archives(record: Record, subsets: Sequence[Subset]) -> list[Archive]:
    return [record[name] for name in ("ground_truth", "metadata", "doc", *(f"{subset}_audio" for subset in subsets))]


class _Local:
    """An archive of the record as far as it is here: its parts, its kept directory, its unpacked files."""

    def __init__(self, archive: Archive, data_dir: Path, network: Network) -> None:
        self.archive, self.data_dir, self.network = archive, data_dir, network
        folder = data_dir / ARCHIVES_DIR
        self.paths = [folder / part.name for part in archive.parts]
        self.directory_path = folder / f"{archive.name}.{archive.parts[-1].md5[:8]}.end"

    def fetch(self, number: int) -> Path:
        """The path of a part, which is fetched if it isn't here."""
        path, part = self.paths[number], self.archive.parts[number]
        url = f"{self.network.zenodo}/records/{RECORD_ID}/files/{part.name}?download=1"
        self.network.download(url, path, part.size, part.md5, progress=True)
        return path

    def open(self) -> tuple[SplitZip, list[zipfile.ZipInfo], list[str]]:
        """The archive, and of its entries those to be unpacked, in the order of their bytes, and all other files.

        Its directory is kept beside the parts, so that another call needs no part for this.
        """
        kept = self.directory_path.read_bytes() if self.directory_path.is_file() else b""
        try:
            zipped = SplitZip([part.size for part in self.archive.parts], self.fetch, kept)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            path = self.directory_path if kept else self.paths[-1]
            raise CtxAudioError(f"{path} is damaged: {error}; remove it and fetch it again") from error
        if not kept:
            with written_whole(self.directory_path) as aside:
                aside.write_bytes(zipped.directory)
        try:
            return zipped, *expected_entries(zipped, self.archive.wanted, self.archive.unpacked_bytes)
        except CtxAudioError as error:
            raise CtxAudioError(f"{self.archive.name}: {error}") from error

    def estimate(self) -> tuple[int, int, int]:
        """Bytes still to be unpacked, as far as sizes tell, to be fetched, and of parts held at once at most."""
        missing, needed = self.archive.unpacked_bytes, set(range(len(self.paths)))
        if self.directory_path.is_file():
            zipped, entries, _ = self.open()
            absent = [entry for entry in entries if _size(self.data_dir / entry.filename) != entry.file_size]
            missing = sum(entry.file_size for entry in absent)
            needed = {number for entry in absent for number in zipped.parts_of(entry)}
        sizes = [part.size for part in self.archive.parts]
        here = [max(_size(path), _size(part_path(path))) for path in self.paths]
        to_fetch = sum(max(0, sizes[number] - here[number]) for number in needed)
        *others, last = sizes  # the last, and the two that an entry may straddle
        return missing, to_fetch, min(to_fetch, last + sum(sorted(others)[-2:]))

    def bring(self, keep_archives: bool) -> Brought:
        """Fetch and unpack what is missing, deleting each part as soon as nothing needs it."""
        zipped, entries, others = self.open()
        for folder in {(self.data_dir / entry.filename).parent for entry in entries}:
            for left in folder.glob(".writing-*"):  # by a killed run: see `written_whole`
                left.unlink(missing_ok=True)
        silent = not self.network.progress
        checking = tqdm(entries, f"checking {self.archive.name}", unit="file", leave=False, disable=silent)
        missing = [entry for entry in checking if not is_unpacked(entry, self.data_dir)]
        first_needed = [*(zipped.parts_of(entry)[0] for entry in missing), len(self.paths)]
        self._delete_parts(0 if keep_archives else first_needed[0])
        for i, entry in enumerate(tqdm(missing, f"unpacking {self.archive.name}", unit="file", disable=silent)):
            parts = [str(self.fetch(number)) for number in zipped.parts_of(entry)]
            unpack(zipped, entry, self.data_dir, " and ".join(parts))
            self._delete_parts(0 if keep_archives else first_needed[i + 1])
        return Brought(self.archive.name, len(missing), len(entries) - len(missing), tuple(others))

    def _delete_parts(self, before: int) -> None:
        """Delete the parts before one, once what came out of them is safe from a power cut."""
        done = [path for path in self.paths[:before] if path.exists()]
        if done:
            os.sync()
        for path in done:
            path.unlink()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def expected_entries(archive: zipfile.ZipFile, wanted: str, most_bytes: int) -> tuple[list[zipfile.ZipInfo], list[str]]:
    """The entries whose whole name matches the regular expression `wanted`, in the order of their bytes in the
    archive, and the names of all other files, which are harmless but not wanted.

    Raises `CtxAudioError` before anything is written where any entry at all points outside the folder (`..`, an
    absolute name, a drive letter, a backslash), is a link or a device, comes twice, is encrypted or packed in a
    way other than stored or deflated, or where they unpack to more than `most_bytes`: a bomb.
    """
    seen: set[str] = set()
    expected, others, total = [], [], 0
    for entry in archive.infolist():
        is_wanted = re.fullmatch(wanted, entry.filename, re.ASCII) is not None
        total += entry.file_size if is_wanted else 0
        outside = re.search(r"[\\:\0]|(^|/)\.{0,2}(/|$)", entry.orig_filename.removesuffix("/")) is not None
        kind = stat.S_IFMT(entry.external_attr >> 16)
        for refused, reason in (
            (outside, "its name points outside the folder"),
            (kind not in (0, stat.S_IFREG, stat.S_IFDIR), "it is a link or a device, not a file"),
            (entry.flag_bits & 1, "it is encrypted"),
            (entry.compress_type not in _PACKINGS, f"its packing method {entry.compress_type} is unknown"),
            (entry.filename.casefold() in seen, "its name comes twice"),
            (total > most_bytes, f"with it the archive unpacks to more than {most_bytes} bytes"),
        ):
            if refused:
                raise CtxAudioError(
                    f"refusing the archive, nothing is written: entry {entry.orig_filename!r}: {reason}"
                )
        seen.add(entry.filename.casefold())
        if is_wanted:
            expected.append(entry)
        elif not entry.is_dir():
            others.append(entry.filename)
    return sorted(expected, key=lambda entry: entry.header_offset), others


def is_unpacked(entry: zipfile.ZipInfo, folder: Path) -> bool:
    """Whether the entry lies under `folder` already with the right size and CRC."""
    path, crc = folder / entry.filename, 0
    if _size(path) != entry.file_size or not path.is_file():
        return False
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            crc = zlib.crc32(piece, crc)
    return crc == entry.CRC


def unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, source: str = "the archive") -> None:
    """Write one of `expected_entries` under `folder`: aside first, then under its name once its CRC is right.

    Raises `CtxAudioError` where its bytes in `source` (for the message) are damaged or the disk is full; nothing
    is left under its name then.
    """
    try:
        with written_whole(folder / entry.filename) as aside, archive.open(entry) as packed, aside.open("wb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)
            if file.tell() != entry.file_size:
                raise zipfile.BadZipFile(f"it holds {file.tell()} bytes, not {entry.file_size}")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        reason = f"{entry.filename} is damaged in {source}: {error}"
        raise CtxAudioError(f"{reason}; remove that and fetch it again") from error
