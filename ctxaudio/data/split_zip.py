"""Reading a split zip (`zip -s`) straight from its parts, with no merged copy on the disk.

Python's zipfile reads single archives only. A split archive is a single one cut into parts, but its directory
counts from the part in which an entry begins. Here the parts look like one long file that ends in a mended
directory, which zipfile then reads and checks (local headers, CRC). Format: PKWARE APPNOTE 6.3.10, 4.3.12-4.3.16
and 8.5; it is what Info-ZIP's `zip -s` writes, with and without zip64 records.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from ctxaudio.errors import CtxAudioError

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_EXTRA64 = struct.Struct("<2H3Q")
_LONGEST_COMMENT = (1 << 16) - 1
_LARGEST_DIRECTORY = 64 << 20
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF


class Parts:
    """The parts of a split zip in order (.z01, .z02, ..., .zip last), as one row of bytes.

    With `sizes` (bytes of each) a part may be absent as long as nothing is read from it. Reading from one that
    is missing or has another size raises `CtxAudioError`; so does a missing one at once where `sizes` are not given.
    """

    def __init__(self, paths: Sequence[Path], sizes: Sequence[int] | None = None) -> None:
        self.paths = tuple(paths)
        self.sizes = tuple(_size_of(path) for path in self.paths) if sizes is None else tuple(sizes)
        self.starts = tuple(accumulate(self.sizes, initial=0))

    def covering(self, start: int, stop: int) -> range:
        """The numbers (from 0) of the parts that hold the bytes from `start` to before `stop`."""
        first = bisect_right(self.starts, start) - 1
        return range(first, max(first, bisect_right(self.starts, stop - 1) - 1) + 1)

    def place(self, part: int, offset: int) -> int:
        """Where byte `offset` of part number `part` lies in the whole row."""
        if not 0 <= part < len(self.paths) or offset > self.sizes[part]:
            raise _damaged(self.paths[-1], f"it points to byte {offset} of part {part + 1} of {len(self.paths)}")
        return self.starts[part] + offset

    def read(self, start: int, size: int) -> bytes:
        """Exactly `size` bytes from `start` on."""
        with _OneFile(self, b"", self.starts[-1]) as row:
            row.seek(start)
            content = io.BufferedReader(row).read(size)
        if len(content) < size:
            raise _damaged(self.paths[-1], "it ends too early")
        return content


@dataclass(frozen=True)
class EndRecord:
    """What the end of the last part tells: where the directory lies in the row of parts, its bytes and entries."""

    start: int
    size: int
    count: int


def find_directory(parts: Parts) -> EndRecord:
    """Read the end record in the last part (and the zip64 one, where there is one).

    Raises `CtxAudioError` where there is none, or it tells of another number of parts.
    """
    last, row_end = parts.paths[-1], parts.starts[-1]
    tail_start = max(parts.starts[-2], row_end - _LONGEST_COMMENT - _END.size)
    tail = parts.read(tail_start, row_end - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise _damaged(last, "it is not the last part of a zip archive")
    _, disk, first_disk, _, count, size, offset, _ = _END.unpack_from(tail, at)
    locator = tail[at - _LOCATOR64.size : at] if at >= _LOCATOR64.size else b""
    if locator.startswith(b"PK\x06\x07"):
        _, disk64, offset64, _ = _LOCATOR64.unpack(locator)
        end64 = parts.read(parts.place(disk64, offset64), _END64.size)
        if not end64.startswith(b"PK\x06\x06"):
            raise _damaged(last, "its zip64 end record is not where it should be")
        _, _, _, _, disk, first_disk, _, count, size, offset = _END64.unpack(end64)
    elif _FULL16 in (disk, count) or _FULL32 in (size, offset):
        raise _damaged(last, "its zip64 end record is missing")
    if disk + 1 != len(parts.paths):
        raise CtxAudioError(f"{last} ends an archive of {disk + 1} parts, not {len(parts.paths)}: fetch them all")
    if size > _LARGEST_DIRECTORY:
        raise CtxAudioError(f"{last}: refusing a directory of {size} bytes")
    start = parts.place(first_disk, offset)
    if start + size > row_end:
        raise _damaged(last, "its directory is cut off")
    return EndRecord(start, size, count)


def mended_directory(parts: Parts) -> bytes:
    """The directory and end records that make the row of parts, up to where its own directory starts, a single zip."""
    found = find_directory(parts)
    content = parts.read(found.start, found.size)
    entries: list[bytes] = []
    at = 0
    for _ in range(found.count):
        if content[at : at + 4] != b"PK\x01\x02" or len(content) - at < _ENTRY.size:
            raise _damaged(parts.paths[-1], f"entry {len(entries) + 1} of its directory is unreadable")
        fields = list(_ENTRY.unpack_from(content, at))
        name_size, extra_size, comment_size = fields[10:13]
        name_end = at + _ENTRY.size + name_size
        packed, unpacked, offset, part = _wide_fields(fields, content[name_end : name_end + extra_size])
        fields[8], fields[9], fields[16] = _FULL32, _FULL32, _FULL32
        fields[11], fields[12], fields[13] = _EXTRA64.size, 0, 0
        extra = _EXTRA64.pack(1, _EXTRA64.size - 4, unpacked, packed, parts.place(part, offset))
        entries.append(_ENTRY.pack(*fields) + content[at + _ENTRY.size : name_end] + extra)
        at = name_end + extra_size + comment_size
    directory = b"".join(entries)
    version = 45  # zip64
    count, size = len(entries), len(directory)
    end64 = _END64.pack(b"PK\x06\x06", _END64.size - 12, version, version, 0, 0, count, count, size, found.start)
    locator = _LOCATOR64.pack(b"PK\x06\x07", 0, found.start + size, 1)
    end = _END.pack(b"PK\x05\x06", 0, 0, _FULL16, _FULL16, _FULL32, _FULL32, 0)
    return directory + end64 + locator + end


def open_split_zip(parts: Parts, directory: bytes) -> zipfile.ZipFile:
    """The archive in `parts` with the `directory` that `mended_directory` made of it, perhaps in an earlier run.

    `header_offset` and `compress_size` of its entries count in the row of parts (see `Parts.covering`). Reading
    an entry raises `CtxAudioError` where one of its parts is missing, and zipfile's errors where it is damaged.
    """
    if len(directory) < _END.size + _LOCATOR64.size + _END64.size:
        raise _damaged(parts.paths[-1], "its directory is cut off")
    end64_at = len(directory) - _END.size - _LOCATOR64.size - _END64.size
    start = _END64.unpack_from(directory, end64_at)[-1]
    try:
        return zipfile.ZipFile(io.BufferedReader(_OneFile(parts, directory, start), 1 << 18))
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise _damaged(parts.paths[-1], str(error)) from error


class _OneFile(io.RawIOBase):
    """The first `start` bytes of the row of parts, then `ending`: read-only and seekable."""

    def __init__(self, parts: Parts, ending: bytes, start: int) -> None:
        self._parts = parts
        self._ending = ending
        self._start = start
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._start + len(self._ending)}[whence]
        if origin + offset < 0:
            raise ValueError(f"can't seek to {origin + offset}")
        self._at = origin + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        size = len(buffer)
        if self._at >= self._start:
            piece = self._ending[self._at - self._start : self._at - self._start + size]
        else:
            number = self._parts.covering(self._at, self._at + 1)[0]
            stop = min(self._parts.starts[number + 1], self._start)
            piece = self._read_part(number, min(size, stop - self._at))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _read_part(self, number: int, size: int) -> bytes:
        path = self._parts.paths[number]
        try:
            with path.open("rb") as file:  # kept open, a deleted part would still take its room on the disk
                if (found := os.fstat(file.fileno()).st_size) != self._parts.sizes[number]:
                    raise _damaged(path, f"it has {found} bytes, not {self._parts.sizes[number]}")
                file.seek(self._at - self._parts.starts[number])
                return file.read(size)
        except OSError as error:
            raise CtxAudioError(f"can't read {path}: {error.strerror}; fetch that part again") from error


def _wide_fields(fields: Sequence[int], extra: bytes) -> tuple[int, int, int, int]:
    """Packed size, size, offset and part of an entry: where one is all ones, the zip64 extra field has it (4.5.3)."""
    wide, at = b"", 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = extra[at + 4 : at + 4 + size]
        at += 4 + size
    values = []
    for value, full, layout in (
        (fields[9], _FULL32, "<Q"),
        (fields[8], _FULL32, "<Q"),
        (fields[16], _FULL32, "<Q"),
        (fields[13], _FULL16, "<I"),
    ):
        width = struct.calcsize(layout)
        if value == full and len(wide) >= width:
            (value,), wide = struct.unpack_from(layout, wide), wide[width:]
        values.append(value)
    unpacked, packed, offset, part = values
    return packed, unpacked, offset, part


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}; fetch that part again") from error


def _damaged(path: Path, reason: str) -> CtxAudioError:
    return CtxAudioError(f"{path} is damaged or in the wrong place: {reason}; remove it and fetch it again")
