"""Unpacking an archive that nobody vouches for: only expected names, bounded sizes, every file whole or not there."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import written_whole

_CHUNK = 1 << 18
_MOST_ENTRIES = 200_000


def expected_entries(
    archive: zipfile.ZipFile, names: str, largest_bytes: int, total_bytes: int
) -> tuple[list[zipfile.ZipInfo], list[str]]:
    """The entries whose whole name matches the regular expression `names`, in the order of their bytes in the
    archive, and the names of all other files, which are harmless but not wanted.

    Raises `CtxAudioError` before anything is written where any entry at all points outside the folder (`..`, an
    absolute name, a drive letter, a backslash), is a link or a device, comes twice, is encrypted or packed in a
    way other than stored or deflated, or where the sizes are beyond the bounds: a bomb.
    """
    everything = archive.infolist()
    if len(everything) > _MOST_ENTRIES:
        raise CtxAudioError(f"refusing the archive: it has {len(everything)} entries")
    seen: set[str] = set()
    expected, others, total = [], [], 0
    for entry in everything:
        reason = _hostile(entry) or ("its name comes twice" if entry.filename.casefold() in seen else "")
        seen.add(entry.filename.casefold())
        wanted = re.fullmatch(names, entry.filename) is not None
        total += entry.file_size if wanted else 0
        if wanted and entry.file_size > largest_bytes:
            reason = reason or f"it is {entry.file_size} bytes, beyond {largest_bytes}"
        if total > total_bytes:
            reason = reason or f"with it the archive unpacks to more than {total_bytes} bytes"
        if reason:
            raise CtxAudioError(f"refusing the archive, nothing is written: entry {entry.orig_filename!r}: {reason}")
        if wanted:
            expected.append(entry)
        elif not entry.is_dir():
            others.append(entry.filename)
    return sorted(expected, key=lambda entry: entry.header_offset), others


def _hostile(entry: zipfile.ZipInfo) -> str:
    name = entry.orig_filename
    if not name or any(mark in name for mark in ("\\", ":", "\0")) or name.startswith("/"):
        return "its name points outside the folder"
    if any(piece in ("", ".", "..") for piece in name.removesuffix("/").split("/")):
        return "its name points outside the folder"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a link or a device, not a file"
    if entry.flag_bits & 1:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"its packing method {entry.compress_type} is unknown"
    return ""


def is_unpacked(entry: zipfile.ZipInfo, folder: Path) -> bool:
    """Whether the entry lies under `folder` already with the right size and CRC."""
    path = unpacked_path(entry, folder)
    if not path.is_file() or path.stat().st_size != entry.file_size:
        return False
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            crc = zlib.crc32(piece, crc)
    return crc == entry.CRC


def unpacked_path(entry: zipfile.ZipInfo, folder: Path) -> Path:
    """Where an entry of `expected_entries` belongs."""
    return folder.joinpath(*PurePosixPath(entry.filename).parts)


def unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, source: str = "the archive") -> None:
    """Write one of `expected_entries` under `folder`: aside first, then under its name once its CRC is right.

    Raises `CtxAudioError` where its bytes in `source` (for the message) are damaged or the disk is full; nothing
    is left under its name then.
    """
    try:
        with written_whole(unpacked_path(entry, folder)) as aside:
            with archive.open(entry) as packed, aside.open("wb") as file:
                shutil.copyfileobj(packed, file, _CHUNK)
            if aside.stat().st_size != entry.file_size:
                raise zipfile.BadZipFile(f"it holds {aside.stat().st_size} bytes, not {entry.file_size}")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        reason = f"{entry.filename} is damaged in {source}: {error}"
        raise CtxAudioError(f"{reason}; remove that and fetch it again") from error
