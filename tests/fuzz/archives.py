"""Hostile zips in the place of FSD50K's, as if they had been downloaded just now."""

from __future__ import annotations

import io
import random
import stat
import struct
import warnings
import zipfile
from pathlib import Path

from split_archives import split_parts, zipped
from spoil import mangled

#: The record is told the size and sum of what lies there, which is joined as a fetch joins it: no network is asked.
SETUP = """
import os
from pathlib import Path
from zenodo_layout import told_of
from ctxaudio.fetch import zenodo
os.environ["ZENODO_ENDPOINT"] = "http://127.0.0.1:9"
there = Path("data/.archives")
zenodo.FSD50K_RECORD = {
    name: told_of(archive, sorted(there.glob(f"{archive.name}.z*"))) for name, archive in zenodo.FSD50K_RECORD.items()
}
for archive in zenodo.FSD50K_RECORD.values():
    parts = [there / part.name for part in archive.parts]
    (there / f"{archive.name}.joined").write_bytes(b"".join(path.read_bytes() for path in parts))
    for path in parts:
        path.unlink()
"""
NAMES = (
    *("../evil.csv", "/evil.csv", "a/../../../evil", "FSD50K.{0}/../../evil.csv", "FSD50K.{0}\\dev.csv", "C:/evil"),
    *("FSD50K.{0}/dev.csv", "FSD50K.{0}/\u0661.wav", "FSD50K.{0}/1.wav\n", "FSD50K.{0}/", "FSD50K.{0}/.csv", "nul"),
    *("FSD50K.{0}/" + "9" * 300 + ".wav", "FSD50K.{0}/" + "x" * 300 + ".csv", "FSD50K.{0}/1.wav/2.wav"),
)
CLIP = b'{"title": "rain", "uploader": "ann", "license": "http://creativecommons.org/publicdomain/zero/1.0/"}'
WHOLE = {
    "ground_truth": {
        "dev.csv": b'fname,labels,mids,split\n1,"Rain,Water","/m/06mb1,/m/0838f",train\n',
        "eval.csv": b"fname,labels,mids\n2,Rain,/m/06mb1\n",
        "vocabulary.csv": b"0,Rain,/m/06mb1\n1,Water,/m/0838f\n",
    },
    "metadata": {
        "dev_clips_info_FSD50K.json": b'{"1": ' + CLIP + b"}",
        "eval_clips_info_FSD50K.json": b"{}",
        "pp_pnp_ratings_FSD50K.json": b"{}",
    },
    "doc": {"README.md": b"FSD50K\n"},
    "dev_audio": {"1.wav": bytes(3000)},
    "eval_audio": {"2.wav": bytes(3000)},
}


def hostile_fetch(rng: random.Random, here: Path) -> tuple[list[str], str]:
    """Write the archives below `here`, one of them spoiled; the command that unpacks them, and what must run first."""
    folder = here / "data" / ".archives"
    folder.mkdir(parents=True)
    chosen = rng.choice(list(WHOLE))
    for name, members in WHOLE.items():
        content = zipped({f"FSD50K.{name}/{member}": body for member, body in members.items()})
        if name == chosen:
            content = _hostile(rng, name, content)
        parts = [content]
        if rng.random() < 0.3 and len(content) > 400:
            try:
                parts = split_parts(content, [rng.randrange(50, len(content) - 200)], zip64=rng.random() < 0.5)
            except (zipfile.BadZipFile, struct.error, AssertionError, NotImplementedError, ValueError):
                parts = [content[:100], content[100:]]
        for number, part in enumerate(parts, 1):
            suffix = "zip" if number == len(parts) else f"z{number:02d}"
            (folder / f"FSD50K.{name}.{suffix}").write_bytes(part)
    return ["fetch", "--all", "--data_dir", "data"], SETUP


def _hostile(rng: random.Random, name: str, content: bytes) -> bytes:
    fault = rng.randrange(9)
    if fault < 3:
        return mangled(rng, content)
    if fault == 3:
        at = content.rfind(b"PK\x01\x02")
        return content[:at] + mangled(rng, content[at:])
    if fault == 4:
        field = rng.choice((8, 10, 24, 28, 30, 34, 42))  # flags, packing, size, lengths, disk, offset
        at = content.find(b"PK\x01\x02") + field
        return content[:at] + struct.pack("<H", rng.choice((0, 1, 8, 12, 99, 0xFFFF))) + content[at + 2 :]
    if fault == 5:
        return content.replace(b"FSD50K.", rng.choice((b"FSD50K\xff", b"../../.", b"FSD50K/", b"\0SD50K.")))
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        for member, body in WHOLE[name].items():
            archive.writestr(f"FSD50K.{name}/{member}", mangled(rng, body) if rng.random() < 0.4 else body)
        for _ in range(rng.choice((1, 1, 3, 3000))):
            entry = zipfile.ZipInfo(rng.choice(NAMES).format(name))
            entry.external_attr = rng.choice((stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR)) + 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, rng.choice((b"", b"../../evil", bytes(80_000), b"x" * 3000)))
        if fault == 8:
            archive.writestr(f"FSD50K.{name}/3.wav", bytes(70 << 20))  # over what the record may unpack to
    return file.getvalue()
