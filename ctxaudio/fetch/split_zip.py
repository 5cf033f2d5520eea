"""Reading a split zip (`zip -s`) straight from its parts, and unpacking it though nobody vouches for it.

A split archive is a single one cut into parts, but each offset in its directory counts from the part in which the
entry begins (PKWARE APPNOTE 6.3.10, 4.3 and 8.5). Here the parts look like one long file, which zipfile reads and
checks (local headers, CRC); only the offsets have to be mended.
"""

from __future__ import annotations

import io
import re
import shutil
import stat
import struct
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import written_whole

_END_BYTES = 22  # of the record that ends a split archive, which has no comment
_CHUNK = 1 << 18
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OUTSIDE = re.compile(r"[\\:\0]|(^|/)\.{0,2}(/|$)")
_LOCATOR64 = struct.Struct("<4sIQI")  # zip64's, just before that


class SplitZip(zipfile.ZipFile):
    """A split zip whose parts, in order, have `sizes` bytes; `part(number)`, from 0, gives the path of one to be read.

    `directory` is the end of the archive as an earlier `SplitZip` had it in the attribute of that name: with it, no
    part is asked for until an entry is read. The `header_offset` of an entry counts from the start of the first part.

    Raises `zipfile.BadZipFile` where the directory is damaged.
    """

    def __init__(self, sizes: Sequence[int], part: Callable[[int], Path], directory: bytes = b"") -> None:
        self._row = _Row(sizes, part, directory)
        super().__init__(io.BufferedReader(self._row, _CHUNK))
        here = self._row.starts[self._row.number_at(self.start_dir)]  # zipfile takes every offset to count from here
        for entry in self.infolist():
            if entry.volume < len(sizes):
                entry.header_offset += self._row.starts[entry.volume] - here
            if entry.volume >= len(sizes) or not 0 <= entry.header_offset < self.start_dir:
                raise zipfile.BadZipFile(f"entry {entry.filename!r} begins outside the archive")
        offsets = sorted({entry.header_offset for entry in self.infolist()})
        self._end_of = dict(pairwise([*offsets, self.start_dir]))
        for entry in self.infolist():
            if hasattr(entry, "_end_offset"):  # newer Pythons compare it with the entry's own end
                entry._end_offset = self._end_of[entry.header_offset]
        assert self.fp is not None
        self.fp.seek(self.start_dir)
        self.directory = directory or self.fp.read()

    def parts_of(self, entry: zipfile.ZipInfo) -> range:
        """The numbers of the parts that hold an entry: from its header to the next entry's or the directory."""
        end = self._end_of[entry.header_offset]
        return range(self._row.number_at(entry.header_offset), self._row.number_at(end - 1) + 1)


def expected_entries(
    archive: zipfile.ZipFile, wanted: str, most_bytes: int, name: str = "the archive"
) -> tuple[list[zipfile.ZipInfo], list[str]]:
    """Entries whose whole name matches the regular expression `wanted`, in the order of their bytes, and other names.

    Raises `CtxAudioError` before anything is written where any entry at all points outside the folder (`..`, an
    absolute name, a drive letter, a backslash), is a link or a device, comes twice, is encrypted or packed in a
    way other than stored or deflated, or where the wanted ones unpack to more than `most_bytes`: a bomb.
    """
    names: set[str] = set()
    expected, others, total = [], [], 0
    for entry in archive.infolist():
        is_wanted = re.fullmatch(wanted, entry.filename, re.ASCII) is not None
        total += entry.file_size if is_wanted else 0
        reasons = {
            "its name points outside the folder": _OUTSIDE.search(entry.orig_filename.removesuffix("/")),
            "it is a link or a device": stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR),
            "it is encrypted": entry.flag_bits & 1,
            f"its packing method {entry.compress_type} is unknown": entry.compress_type not in _PACKINGS,
            "its name comes twice": entry.filename.casefold() in names,
            f"with it the archive unpacks to more than {most_bytes} bytes": total > most_bytes,
        }
        for reason in (reason for reason, found in reasons.items() if found):
            raise CtxAudioError(f"refusing {name}, nothing is written: entry {entry.orig_filename!r}: {reason}")
        names.add(entry.filename.casefold())
        if is_wanted:
            expected.append(entry)
        elif not entry.is_dir():
            others.append(entry.filename)
    return sorted(expected, key=lambda entry: entry.header_offset), others


def is_unpacked(entry: zipfile.ZipInfo, folder: Path) -> bool:
    """Whether the entry lies under `folder` already with the right size and CRC."""
    path, crc = folder / entry.filename, 0
    if not path.is_file() or path.stat().st_size != entry.file_size:
        return False
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            crc = zlib.crc32(piece, crc)
    return crc == entry.CRC


def unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, source: str = "the archive") -> None:
    """Write one of `expected_entries` under `folder`, under its name only once its CRC is right.

    Raises `CtxAudioError` where its bytes in `source` (for the message) are damaged or the disk is full.
    """
    try:
        with written_whole(folder / entry.filename) as aside, archive.open(entry) as packed, aside.open("wb") as file:
            shutil.copyfileobj(packed, file, _CHUNK)
            if file.tell() != entry.file_size:
                raise zipfile.BadZipFile(f"it holds {file.tell()} bytes, not {entry.file_size}")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        reason = f"{entry.filename} is damaged in {source}: {error}"
        raise CtxAudioError(f"{reason}; remove that and fetch it again") from error


class _Row(io.RawIOBase):
    """The parts one after the other as one file, of which `tail` (empty: the end record) is here without them."""

    def __init__(self, sizes: Sequence[int], part: Callable[[int], Path], tail: bytes) -> None:
        self.starts = (0, *accumulate(sizes))
        self._part = part
        self._at = max(0, self.starts[-1] - _END_BYTES - _LOCATOR64.size)
        self._tail = b""
        self._tail = tail or self._undivided(self.readall())

    def number_at(self, at: int) -> int:
        """The number of the part that byte `at` of the row lies in."""
        return bisect_right(self.starts, at) - 1

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.starts[-1]}[whence] + offset
        if at < 0:
            raise OSError(f"can't seek to {at}")
        self._at = at
        return at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        tail_start, size = self.starts[-1] - len(self._tail), len(buffer)
        if self._at >= tail_start:
            piece = self._tail[self._at - tail_start :][:size]
        else:
            number = self.number_at(self._at)
            stop = min(self.starts[number + 1], tail_start)
            with self._part(number).open("rb") as file:  # kept open, a deleted part would still take up disk space
                file.seek(self._at - self.starts[number])
                piece = file.read(min(size, stop - self._at))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _undivided(self, end: bytes) -> bytes:
        """The end records; zipfile refuses a zip64 locator that counts in parts."""
        locator, rest = end[:-_END_BYTES], end[-_END_BYTES:]
        if locator.startswith(b"PK\x06\x07"):
            mark, number, offset, _ = _LOCATOR64.unpack(locator)
            locator = _LOCATOR64.pack(mark, 0, self.starts[min(number, len(self.starts) - 1)] + offset, 1)
        return locator + rest
