"""FSD50K's record on Zenodo: the tables alone, or everything, checked by md5 and CRC.

The audio is in split zips (`zip -s`): one archive cut into parts, where each offset in the directory counts from the
start of the part in which the entry begins (PKWARE APPNOTE 6.3.10, 4.3 and 8.5), which `zipfile` doesn't expect. The
parts come into one file, one after the other.
"""

from __future__ import annotations

import io
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.network import Network, part_path
from ctxaudio.files import read_json, writable_folder, write_json, written_whole

ARCHIVES_DIR = ".archives"
RECORD_ID = "4060432"
TABLES = ("ground_truth", "metadata")
_END_BYTES = 22  # of the record that ends a split archive, which has no comment
# RuntimeError: an encrypted entry, or (NotImplementedError) a packing or version that zipfile doesn't know.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, UnicodeDecodeError, struct.error)
_LOCATOR64 = struct.Struct("<4sIQI")  # zip64's, just before that


class Part(NamedTuple):
    """A file of the record: its name, size in bytes and md5 in hex."""

    name: str
    size: int
    md5: str


class Archive(NamedTuple):
    """A zip and its parts in the order of their bytes: .z01, .z02, ..., and .zip last.

    Only entries whose whole name matches the regular expression `wanted` are unpacked, and at most `unpacked_bytes`.
    """

    name: str
    wanted: str
    unpacked_bytes: int
    parts: tuple[Part, ...]


# As the record publishes them. Unpacked there are 108.3 h of 16-bit mono at 44.1 kHz (dev 80.4 h, eval 27.9 h).
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
_UNPACKED = {  # which names, and at most how many bytes
    "ground_truth": (r"[\w-]+\.csv", 1 << 25),
    "metadata": (r"(collection/)?[\w-]+\.(json|csv)", 1 << 28),
    "doc": (r"[\w-]+(\.(md|txt|pdf|html))?", 1 << 24),
    "dev_audio": (r"\d+\.wav", 26_000_000_000),
    "eval_audio": (r"\d+\.wav", 9_200_000_000),
}
FSD50K_RECORD = {
    name: Archive(f"FSD50K.{name}", rf"FSD50K\.{name}/{names}", size, tuple(p for p in _PARTS if f".{name}." in p.name))
    for name, (names, size) in _UNPACKED.items()
}


def bytes_needed(archives: Sequence[Archive], data_dir: Path) -> tuple[int, int]:
    """Bytes to download, and free in `data_dir` at the worst moment, to fetch those of `archives` not there yet."""
    download = room = kept = 0
    for archive in archives:
        if not _listing(archive, data_dir).is_file():
            size = sum(part.size for part in archive.parts)
            download, room = download + size, max(room, kept + archive.unpacked_bytes + size)
            kept += archive.unpacked_bytes
    return download, room


def fetch_archives(archives: Sequence[Archive], data_dir: Path, network: Network) -> None:
    """Bring and unpack `archives` under `data_dir`, one after the other; an archive's zips go when all of it is there.

    Interrupted at any moment, the next call goes on: what is here is not fetched again, what is unpacked not unpacked
    again (its CRC is checked). Raises `CtxAudioError` where the disk has too little room, before anything is fetched,
    and for faults of the network, the disk or the record.
    """
    check_space(writable_folder(data_dir), bytes_needed(archives, data_dir)[1])
    for archive in archives:
        _fetch_archive(archive, data_dir, network)


def check_space(data_dir: Path, needed: int) -> None:
    """Raise `CtxAudioError` where `data_dir` has less than `needed` bytes free."""
    free = shutil.disk_usage(data_dir).free
    if needed > free:
        has = f"{data_dir} has {free / 1e9:.2f} GB free and the fetch needs {needed / 1e9:.2f} GB"
        raise CtxAudioError(f"{has}: free space, choose another data_dir, one split or fewer clips")


def split_zip(path: Path, starts: Sequence[int]) -> zipfile.ZipFile:
    """The split zip in the file `path`, where part n begins at byte `starts[n]`; `zipfile.BadZipFile` for damage."""
    with path.open("r+b") as file:  # mend a zip64 locator that counts in parts: zipfile refuses it
        file.seek(max(0, path.stat().st_size - _END_BYTES - _LOCATOR64.size))
        if (locator := file.read(_LOCATOR64.size)).startswith(b"PK\x06\x07"):
            mark, number, offset, _ = _LOCATOR64.unpack(locator)
            file.seek(-_LOCATOR64.size, io.SEEK_CUR)
            file.write(_LOCATOR64.pack(mark, 0, starts[min(number, len(starts) - 1)] + offset, 1))
    zipped = zipfile.ZipFile(path)
    here = max(start for start in starts if start <= zipped.start_dir)  # where zipfile lets every offset begin
    for entry in zipped.infolist():
        entry.header_offset += starts[min(entry.volume, len(starts) - 1)] - here
        if not 0 <= entry.header_offset < zipped.start_dir:
            raise zipfile.BadZipFile(f"entry {entry.filename!r} begins outside the archive")
        if hasattr(entry, "_end_offset"):  # newer Pythons compare it with the entry's own end
            entry._end_offset = zipped.start_dir
    return zipped


def unpack(zipped: zipfile.ZipFile, archive: Archive, folder: Path, progress: bool = False) -> dict[str, list[int]]:
    """Write the entries that are wanted under `folder`, each under its name only once its CRC is right.

    Their names match a strict expression and only their bytes are written, so that no name, link or device gets out.
    Those that are there already are left. The result is size and CRC of each; raises `CtxAudioError` for a bomb.
    """
    entries = [entry for entry in zipped.infolist() if re.fullmatch(archive.wanted, entry.filename, re.ASCII)]
    if (total := sum(entry.file_size for entry in entries)) > archive.unpacked_bytes:
        raise CtxAudioError(f"refusing {archive.name}: it unpacks to {total} bytes, over {archive.unpacked_bytes}")
    for entry in tqdm(entries, f"unpacking {archive.name}", unit="file", disable=not progress):
        path = folder / entry.filename
        if is_unpacked(path, entry.file_size, entry.CRC):
            continue
        with written_whole(path) as aside, zipped.open(entry) as packed, aside.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 18)
            if file.tell() != entry.file_size:
                raise zipfile.BadZipFile(f"{entry.filename} holds {file.tell()} bytes, not {entry.file_size}")
    return {entry.filename: [entry.file_size, entry.CRC] for entry in entries}


def is_unpacked(path: Path, size: int, crc: int) -> bool:
    """Whether `path` has this size and CRC-32."""
    return path.is_file() and path.stat().st_size == size and zlib.crc32(path.read_bytes()) == crc


def _fetch_archive(archive: Archive, data_dir: Path, network: Network) -> None:
    listing, whole = _listing(archive, data_dir), data_dir / ARCHIVES_DIR / f"{archive.name}.joined"
    there = read_json(listing) if listing.is_file() else {}
    if there and all(is_unpacked(data_dir / name, size, crc) for name, (size, crc) in there.items()):
        whole.unlink(missing_ok=True)  # of a call that was killed right before
        return
    *starts, end = accumulate((part.size for part in archive.parts), initial=0)
    coming = part_path(whole)
    try:
        if not whole.is_file() or whole.stat().st_size != end:
            for part, start in zip(archive.parts, starts, strict=True):
                if not coming.is_file() or coming.stat().st_size <= start + part.size:
                    url = f"{network.zenodo}/records/{RECORD_ID}/files/{part.name}?download=1"
                    network.append(url, whole, part.size, f"md5:{part.md5}", start, shown_as=part.name)
            coming.replace(whole)
        with split_zip(whole, starts) as zipped:
            write_json(listing, unpack(zipped, archive, data_dir, network.progress))
        whole.unlink()
    except _DAMAGED as error:
        raise CtxAudioError(f"{whole} is damaged: {error}; remove it and fetch again") from error
    except OSError as error:
        raise CtxAudioError(f"can't write {whole}: {error.strerror}; free space and fetch again") from error


def _listing(archive: Archive, data_dir: Path) -> Path:
    """Where size and CRC of an archive's files are noted once all are unpacked."""
    return data_dir / ARCHIVES_DIR / f"{archive.name}.{archive.parts[-1].md5[:8]}.json"
