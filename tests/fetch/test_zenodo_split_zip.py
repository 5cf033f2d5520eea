from __future__ import annotations

import io
import stat
import struct
import subprocess
import zipfile
import zlib
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_archives import SMALLEST_PART, ZIP, split_parts, zipped

from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch import zenodo
from ctxaudio.fetch.zenodo import Archive, is_unpacked, split_zip, unpack

needs_zip = pytest.mark.skipif(ZIP is None, reason="Debian's zip is not installed")
NOISE = np.random.default_rng(0)


def noise(size: int) -> bytes:
    return NOISE.bytes(size)


def written(folder: Path, contents: list[bytes]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"a.z{i:02d}" for i in range(1, len(contents))] + [folder / "a.zip"]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def joined(paths: list[Path]) -> zipfile.ZipFile:
    """What the parts hold together; they stay."""
    whole, contents = paths[0].with_name("joined"), [path.read_bytes() for path in paths]
    whole.write_bytes(b"".join(contents))
    return split_zip(whole, [0, *accumulate(map(len, contents[:-1]))])


def read_all(paths: list[Path]) -> dict[str, bytes]:
    with joined(paths) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400), max_size=6),
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
    zip64=st.booleans(),
    stored=st.booleans(),
)
def test_wherever_the_cuts_fall_every_entry_is_read(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cuts: list[int], zip64: bool, stored: bool
) -> None:
    contents = {f"clips/{i}.wav": noise(size) for i, size in enumerate(sizes)}
    whole = zipped(contents, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    room = len(split_parts(whole, [], zip64)[0]) - 22 - 76
    ends = sorted({1 + cut % room for cut in cuts}) if room > 1 else []
    parts = split_parts(whole, [b - a for a, b in zip([0, *ends], ends, strict=False)], zip64)
    assert read_all(written(tmp_path_factory.mktemp("parts"), parts)) == contents


@needs_zip
@pytest.mark.parametrize(("count", "size"), [(12, 60_000), (1500, 100), (3, 200_000)])
def test_what_zip_writes_is_read(tmp_path: Path, count: int, size: int) -> None:
    contents = {f"FSD50K.dev_audio/{i}.wav": noise(size) for i in range(count)}
    (tmp_path / "FSD50K.dev_audio").mkdir()
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    subprocess.run([str(ZIP), "-q", "-r", "-s", "64k", "a.zip", "FSD50K.dev_audio"], cwd=tmp_path, check=True)
    paths = [*sorted(tmp_path.glob("a.z[0-9]*")), tmp_path / "a.zip"]
    assert len(paths) > 3
    assert read_all(paths) == contents
    if count == 1500:
        assert joined(paths).start_dir < sum(path.stat().st_size for path in paths[:-1]), "the directory is split too"


@needs_zip
def test_our_splitter_cuts_as_zip_does(tmp_path: Path) -> None:
    (tmp_path / "n.wav").write_bytes(noise(3 * SMALLEST_PART))
    subprocess.run([str(ZIP), "-q", "-0", "-X", "whole.zip", "n.wav"], cwd=tmp_path, check=True)
    subprocess.run([str(ZIP), "-q", "-0", "-X", "-s", "64k", "split.zip", "n.wav"], cwd=tmp_path, check=True)
    theirs = [path.read_bytes() for path in [*sorted(tmp_path.glob("split.z0*")), tmp_path / "split.zip"]]
    assert split_parts((tmp_path / "whole.zip").read_bytes(), [len(part) for part in theirs[:-1]]) == theirs


def test_an_unsplit_zip_is_read(tmp_path: Path) -> None:
    contents = {"a/1.wav": noise(1000), "a/2.wav": b""}
    (tmp_path / "a.zip").write_bytes(zipped(contents))
    assert read_all([tmp_path / "a.zip"]) == contents


def three_parts(folder: Path) -> list[Path]:
    contents = {f"a/{i}.wav": noise(900) for i in range(6)}
    return written(folder, split_parts(zipped(contents), [2000, 2000]))


@pytest.mark.parametrize("wrong", [[1, 0, 2], [0, 2, 1]])
def test_swapped_parts_are_noticed_and_nothing_is_unpacked(tmp_path: Path, wrong: list[int]) -> None:
    paths = three_parts(tmp_path)
    with pytest.raises((CtxAudioError, zipfile.BadZipFile)):
        archive = joined([paths[number] for number in wrong])
        unpack_all(archive, tmp_path / "out", 1 << 20)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_an_archive_without_its_end_is_refused(tmp_path: Path) -> None:
    paths = three_parts(tmp_path)
    paths[2].write_bytes(paths[2].read_bytes()[:-10])
    with pytest.raises(zipfile.BadZipFile):
        joined(paths)


@pytest.mark.parametrize("where", [b"PK\x01\x02", b"PK\x06\x06"])
def test_a_damaged_directory_is_noticed(tmp_path: Path, where: bytes) -> None:
    parts = split_parts(zipped({"a/1.wav": noise(500)}), [200], zip64=True)
    parts[-1] = parts[-1].replace(where, b"XXXX")
    with pytest.raises(zipfile.BadZipFile):
        joined(written(tmp_path, parts))


def archive_of(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> zipfile.ZipFile:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return zipfile.ZipFile(file)


def entry_with(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


def unpack_all(archive: zipfile.ZipFile, folder: Path, total: int = 2000) -> None:
    unpack(archive, Archive("a", r"a/\w+\.wav", total, ()), folder)


HOSTILE = {
    "up": "../b.wav",
    "up in the middle": "a/../../b.wav",
    "absolute": "/b.wav",
    "drive": "C:/b.wav",
    "backslash": "a\\..\\..\\b.wav",
    "here": "a/./b.wav",
    "two slashes": "a//b.wav",
    "other digits": "a/\u0661.wav",
    "a line break": "a/1.wav\n",
    "another folder": "__MACOSX/a/1.wav",
    "another kind": "a/notes.txt",
    "a folder": "a/",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_only_what_is_expected_is_unpacked(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "one" / "two"
    archive = archive_of(("a/1.wav", b"good"), (entry_with(HOSTILE[kind]), b"../../outside"))
    unpack_all(archive, target)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [target / "a" / "1.wav"]
    assert (target / "a" / "1.wav").read_bytes() == b"good"


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_or_device_is_unpacked_as_the_bytes_it_holds(tmp_path: Path, mode: int) -> None:
    unpack_all(archive_of((entry_with("a/b.wav", mode | 0o644), b"../../outside")), tmp_path)
    assert (tmp_path / "a" / "b.wav").read_bytes() == b"../../outside"
    assert not (tmp_path / "a" / "b.wav").is_symlink()


def test_encrypted_and_oddly_packed_entries_are_refused(tmp_path: Path) -> None:
    for change in (("flag_bits", 1), ("compress_type", 12), ("compress_type", 99)):
        archive = archive_of(("a/b.wav", b"one"))
        setattr(archive.infolist()[0], *change)
        with pytest.raises((CtxAudioError, *zenodo._DAMAGED)):
            unpack_all(archive, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_bombs_that_tell_their_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CtxAudioError, match="2001 bytes, over 2000"):
        unpack_all(archive_of(("a/b.wav", bytes(2001))), tmp_path)
    with pytest.raises(CtxAudioError, match="2700 bytes, over 2000"):
        unpack_all(archive_of(*((f"a/{i}.wav", bytes(900)) for i in range(3))), tmp_path)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("told", [10, 5000])
def test_an_entry_that_lies_about_its_size_leaves_nothing(tmp_path: Path, told: int) -> None:
    bomb = zipped({"a/b.wav": bytes(3000)})
    crc, packed, real = struct.unpack_from("<3I", bomb, 14)
    forged = bomb.replace(struct.pack("<3I", crc, packed, real), struct.pack("<3I", crc, packed, told))
    with pytest.raises((zipfile.BadZipFile, EOFError)):
        unpack_all(zipfile.ZipFile(io.BytesIO(forged)), tmp_path, total=6000)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_lies_there_counts_only_with_size_and_crc(tmp_path: Path) -> None:
    path = tmp_path / "1.wav"
    good = zlib.crc32(b"good")
    assert not is_unpacked(path, 4, good)
    path.write_bytes(b"good")
    assert is_unpacked(path, 4, good)
    assert not is_unpacked(path, 5, good)
    path.write_bytes(b"gone")
    assert not is_unpacked(path, 4, good)
