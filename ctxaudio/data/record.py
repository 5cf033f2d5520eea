"""FSD50K's Zenodo record as plain data: every file with its bytes and md5, and what each archive may hold.

Fonseca et al. 2022, doi:10.5281/zenodo.4060432. The sizes and md5 sums are those the record publishes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

RECORD_ID = "4060432"
ZENODO = "https://zenodo.org"
ENDPOINT_VARIABLE = "ZENODO_ENDPOINT"
_WHOLE_PART = 3_221_225_472


@dataclass(frozen=True)
class RecordFile:
    """One file of the record: its name, size in bytes and md5 in hex."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True)
class Archive:
    """A zip archive in one or more parts, in the order of their bytes: .z01, .z02, ..., and .zip last.

    Only entries whose whole name matches the regular expression `names` are unpacked. `unpacked_bytes` is what
    they come to together, rounded up; an entry beyond `largest_bytes`, or more than `unpacked_bytes` in all, is
    taken for a bomb and refused.
    """

    name: str
    parts: tuple[RecordFile, ...]
    names: str
    unpacked_bytes: int
    largest_bytes: int

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True)
class Record:
    """The archives of the record. Audio comes subset by subset; the tables (7 MB) are needed for anything at all."""

    dev_audio: Archive
    eval_audio: Archive
    ground_truth: Archive
    metadata: Archive
    doc: Archive


# 108.3 h of 16-bit mono at 44.1 kHz (dev 80.4 h, eval 27.9 h) with 44 bytes of header a clip, rounded up; clips
# are at most 30 s, 2.7 MB.
FSD50K_RECORD = Record(
    dev_audio=Archive(
        "FSD50K.dev_audio",
        (
            RecordFile("FSD50K.dev_audio.z01", _WHOLE_PART, "faa7cf4cc076fc34a44a479a5ed862a3"),
            RecordFile("FSD50K.dev_audio.z02", _WHOLE_PART, "8f9b66153e68571164fb1315d00bc7bc"),
            RecordFile("FSD50K.dev_audio.z03", _WHOLE_PART, "1196ef47d267a993d30fa98af54b7159"),
            RecordFile("FSD50K.dev_audio.z04", _WHOLE_PART, "d088ac4e11ba53daf9f7574c11cccac9"),
            RecordFile("FSD50K.dev_audio.z05", _WHOLE_PART, "81356521aa159accd3c35de22da28c7f"),
            RecordFile("FSD50K.dev_audio.zip", 2_306_663_327, "c480d119b8f7a7e32fdb58f3ea4d6c5a"),
        ),
        r"FSD50K\.dev_audio/[0-9]+\.wav",
        unpacked_bytes=26_000_000_000,
        largest_bytes=64 << 20,
    ),
    eval_audio=Archive(
        "FSD50K.eval_audio",
        (
            RecordFile("FSD50K.eval_audio.z01", _WHOLE_PART, "3090670eaeecc013ca1ff84fe4442aeb"),
            RecordFile("FSD50K.eval_audio.zip", 3_037_675_767, "6fa47636c3a3ad5c7dfeba99f2637982"),
        ),
        r"FSD50K\.eval_audio/[0-9]+\.wav",
        unpacked_bytes=9_200_000_000,
        largest_bytes=64 << 20,
    ),
    ground_truth=Archive(
        "FSD50K.ground_truth",
        (RecordFile("FSD50K.ground_truth.zip", 334_701, "ca27382c195e37d2269c4c866dd73485"),),
        r"FSD50K\.ground_truth/[A-Za-z0-9_-]+\.csv",
        unpacked_bytes=32 << 20,
        largest_bytes=32 << 20,
    ),
    metadata=Archive(
        "FSD50K.metadata",
        (RecordFile("FSD50K.metadata.zip", 6_700_838, "b9ea0c829a411c1d42adb9da539ed237"),),
        r"FSD50K\.metadata/(collection/)?[A-Za-z0-9_-]+\.(json|csv)",
        unpacked_bytes=256 << 20,
        largest_bytes=128 << 20,
    ),
    doc=Archive(
        "FSD50K.doc",
        (RecordFile("FSD50K.doc.zip", 6_984, "3516162b82dc2945d3e7feba0904e800"),),
        r"FSD50K\.doc/[A-Za-z0-9_-]+(\.(md|txt|pdf|html))?",
        unpacked_bytes=16 << 20,
        largest_bytes=16 << 20,
    ),
)


def record_url(name: str) -> str:
    """Where the file `name` of the record lies. `ZENODO_ENDPOINT` in the environment stands in for Zenodo (a mirror).

    >>> record_url("FSD50K.doc.zip")
    'https://zenodo.org/records/4060432/files/FSD50K.doc.zip?download=1'
    """
    endpoint = os.environ.get(ENDPOINT_VARIABLE) or ZENODO
    return f"{endpoint.rstrip('/')}/records/{RECORD_ID}/files/{name}?download=1"
