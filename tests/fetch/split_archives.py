"""Making split zips to test with: with Debian's `zip -s` where it is installed, and with a splitter of our own."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

ZIP = shutil.which("zip")
SMALLEST_PART = 64 << 10  # of `zip -s`
_ENTRY = struct.Struct("<4s6H3I5H2I")


def zipped(contents: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A single zip of {name: content}."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def split_parts(whole: bytes, part_sizes: Sequence[int], zip64: bool = False) -> list[bytes]:
    """A single zip cut after parts of these sizes, the rest being the last part, with the disk numbers mended.

    As `zip -s` does, the first part begins with the mark of split archives, and offsets count within parts. With
    `zip64` sizes and offsets move to extra fields and to a zip64 end record.
    """
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        count, old_start = len(archive.infolist()), archive.start_dir
    body = b"PK\x07\x08" + whole[:old_start]
    starts = list(accumulate(part_sizes, initial=0))

    def place(offset: int) -> tuple[int, int]:
        disk = max(i for i, start in enumerate(starts) if start <= offset)
        return disk, offset - starts[disk]

    directory, at = b"", old_start
    for _ in range(count):
        fields = list(_ENTRY.unpack_from(whole, at))
        name = whole[at + _ENTRY.size : at + _ENTRY.size + fields[10]]
        at += _ENTRY.size + sum(fields[10:13])
        disk, offset = place(fields[16] + 4)
        extra = struct.pack("<2H3Q", 1, 24, fields[9], fields[8], offset) if zip64 else b""
        fields[13], fields[16] = disk, offset
        if zip64:
            fields[8], fields[9], fields[16] = 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF
        fields[11], fields[12] = len(extra), 0
        directory += _ENTRY.pack(*fields) + name + extra
    first_disk, offset = place(len(body))
    row = body + directory
    numbers = (count, count, len(directory), offset)
    if zip64:
        disk64, offset64 = place(len(row))
        last = place(len(row) + 76)[0]
        row += struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, last, first_disk, *numbers)
        row += struct.pack("<4sIQI", b"PK\x06\x07", disk64, offset64, last + 1)
        numbers, first_disk = (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF), 0xFFFF
    last = place(len(row))[0]
    row += struct.pack("<4s4H2IH", b"PK\x05\x06", 0xFFFF if zip64 else last, first_disk, *numbers, 0)
    assert starts[-1] <= len(row) - 22 - (76 if zip64 else 0), "the end records must lie in the last part"
    return [row[a:b] for a, b in zip(starts, [*starts[1:], len(row)], strict=True)]


def write_split_zip(folder: Path, name: str, source: Path, part_bytes: int | None) -> list[Path]:
    """Zip `source / name` to `folder / name.zip` (and .z01, ... where `part_bytes` is given), with `zip` if found."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.zip"
    if ZIP is not None:
        split = [] if part_bytes is None else ["-s", f"{part_bytes // 1024}k"]
        subprocess.run([ZIP, "-q", "-r", *split, str(target.resolve()), name], cwd=source, check=True)
        return [*sorted(folder.glob(f"{name}.z[0-9]*")), target]
    files = [path for path in sorted((source / name).rglob("*")) if path.is_file()]
    whole = zipped({str(path.relative_to(source)): path.read_bytes() for path in files})
    if part_bytes is None:
        target.write_bytes(whole)
        return [target]
    parts = split_parts(whole, [part_bytes] * ((len(whole) - 1000) // part_bytes))
    paths = [*(folder / f"{name}.z{i:02d}" for i in range(1, len(parts))), target]
    for path, content in zip(paths, parts, strict=True):
        path.write_bytes(content)
    return paths
