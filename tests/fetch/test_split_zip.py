from __future__ import annotations

import io
import stat
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_archives import SMALLEST_PART, ZIP, split_parts, zipped

from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.split_zip import SplitZip
from ctxaudio.fetch.zenodo import expected_entries, is_unpacked, unpack

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


def opened(paths: list[Path], asked: list[int] | None = None, directory: bytes = b"") -> SplitZip:
    """`asked` collects the numbers of the parts that are read."""

    def part(number: int) -> Path:
        (asked if asked is not None else []).append(number)
        return paths[number]

    return SplitZip([path.stat().st_size for path in paths], part, directory)


def read_all(paths: list[Path]) -> dict[str, bytes]:
    with opened(paths) as archive:
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
        assert len(opened(paths).directory) > paths[-1].stat().st_size, "the directory itself is split"


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


def test_only_the_parts_of_an_entry_are_asked_for(tmp_path: Path) -> None:
    paths, asked = three_parts(tmp_path), list[int]()
    directory = opened(paths, asked).directory
    assert set(asked) == {2}
    asked.clear()
    archive = opened(paths, asked, directory)
    assert asked == []
    spans = {entry.filename: list(archive.parts_of(entry)) for entry in archive.infolist()}
    assert spans["a/0.wav"] == [0]
    assert spans["a/2.wav"] == [0, 1]
    for name, span in spans.items():
        asked.clear()
        assert len(opened(paths, asked, directory).read(name)) == 900
        assert sorted(set(asked)) == span


@pytest.mark.parametrize("wrong", [[1, 0, 2], [0, 2, 1]])
def test_swapped_parts_are_noticed_and_nothing_is_unpacked(tmp_path: Path, wrong: list[int]) -> None:
    paths = three_parts(tmp_path)
    with pytest.raises((CtxAudioError, zipfile.BadZipFile)):
        archive = opened([paths[number] for number in wrong])
        for entry in expected_entries(archive, r"a/\d\.wav", 1 << 20)[0]:
            unpack(archive, entry, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_an_archive_without_its_end_is_refused(tmp_path: Path) -> None:
    paths = three_parts(tmp_path)
    paths[2].write_bytes(paths[2].read_bytes()[:-10])
    with pytest.raises(zipfile.BadZipFile):
        opened(paths)


@pytest.mark.parametrize("where", [b"PK\x01\x02", b"PK\x06\x06"])
def test_a_damaged_directory_is_noticed(tmp_path: Path, where: bytes) -> None:
    parts = split_parts(zipped({"a/1.wav": noise(500)}), [200], zip64=True)
    parts[-1] = parts[-1].replace(where, b"XXXX")
    with pytest.raises(zipfile.BadZipFile):
        opened(written(tmp_path, parts))


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


def unpack_all(archive: zipfile.ZipFile, folder: Path, total: int = 2000) -> list[str]:
    entries, others = expected_entries(archive, r"a/\w+\.wav", total)
    for entry in entries:
        unpack(archive, entry, folder)
    return others


HOSTILE = {
    "up": ("../b.wav", stat.S_IFREG, "points outside"),
    "up in the middle": ("a/../../b.wav", stat.S_IFREG, "points outside"),
    "absolute": ("/b.wav", stat.S_IFREG, "points outside"),
    "drive": ("C:/b.wav", stat.S_IFREG, "points outside"),
    "backslash": ("a\\..\\..\\b.wav", stat.S_IFREG, "points outside"),
    "here": ("a/./b.wav", stat.S_IFREG, "points outside"),
    "two slashes": ("a//b.wav", stat.S_IFREG, "points outside"),
    "symbolic link": ("a/b.wav", stat.S_IFLNK, "a link or a device"),
    "device": ("a/b.wav", stat.S_IFCHR, "a link or a device"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_entry_stops_everything_before_a_byte_is_written(tmp_path: Path, kind: str) -> None:
    name, mode, says = HOSTILE[kind]
    target = tmp_path / "one" / "two"
    archive = archive_of(("a/1.wav", b"good"), (entry_with(name, mode | 0o644), b"../../outside"))
    with pytest.raises(CtxAudioError, match=rf"nothing is written: entry .*{says}"):
        unpack_all(archive, target)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a/b.wav", "a/B.wav"])
def test_a_name_that_comes_twice_is_refused(tmp_path: Path, second: str) -> None:
    with pytest.raises(CtxAudioError, match="comes twice"):
        unpack_all(archive_of(("a/b.wav", b"one"), (second, b"two")), tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_encrypted_and_oddly_packed_entries_are_refused(tmp_path: Path) -> None:
    for change, says in ((("flag_bits", 1), "encrypted"), (("compress_type", 12), "packing method 12")):
        archive = archive_of(("a/b.wav", b"one"))
        setattr(archive.infolist()[0], *change)
        with pytest.raises(CtxAudioError, match=says):
            unpack_all(archive, tmp_path)


def test_bombs_that_tell_their_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CtxAudioError, match="more than 2000 bytes"):
        unpack_all(archive_of(("a/b.wav", bytes(2001))), tmp_path)
    with pytest.raises(CtxAudioError, match="more than 2000 bytes"):
        unpack_all(archive_of(*((f"a/{i}.wav", bytes(900)) for i in range(3))), tmp_path)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("told", [10, 5000])
def test_an_entry_that_lies_about_its_size_leaves_nothing(tmp_path: Path, told: int) -> None:
    bomb = zipped({"a/b.wav": bytes(3000)})
    crc, packed, real = struct.unpack_from("<3I", bomb, 14)
    forged = bomb.replace(struct.pack("<3I", crc, packed, real), struct.pack("<3I", crc, packed, told))
    with pytest.raises(CtxAudioError, match=r"a/b\.wav is damaged in the archive"):
        unpack_all(zipfile.ZipFile(io.BytesIO(forged)), tmp_path, total=6000)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_harmless_names_that_nobody_expects_stay_packed(tmp_path: Path) -> None:
    archive = archive_of(("a/", b""), ("a/1.wav", b"good"), ("a/notes.txt", b"hm"), ("__MACOSX/a/1.wav", b"?"))
    assert unpack_all(archive, tmp_path) == ["a/notes.txt", "__MACOSX/a/1.wav"]
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")] == ["a/1.wav"]


def test_what_lies_there_counts_only_with_size_and_crc(tmp_path: Path) -> None:
    archive = archive_of(("a/1.wav", b"good"))
    entry = archive.infolist()[0]
    assert not is_unpacked(entry, tmp_path)
    unpack(archive, entry, tmp_path)
    assert is_unpacked(entry, tmp_path)
    (tmp_path / "a" / "1.wav").write_bytes(b"gone")
    assert not is_unpacked(entry, tmp_path)
