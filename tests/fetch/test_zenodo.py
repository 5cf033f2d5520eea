from __future__ import annotations

import errno
import pickle
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import CutAfter, LoopbackServer, Stall, Status, WrongByte
from split_archives import split_parts, zipped
from zenodo_layout import ZenodoLayout, told_of, tree, write_zenodo_layout

from ctxaudio.data.fsd50k import is_fsd50k, read_index
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch import zenodo
from ctxaudio.fetch.network import Network
from ctxaudio.fetch.zenodo import ARCHIVES_DIR, FSD50K_RECORD, TABLES, bytes_needed, fetch_archives

PART_BYTES = 128 << 10  # several clips each, as in the record


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> ZenodoLayout:
    return write_zenodo_layout(tmp_path_factory.mktemp("zenodo"), clips=24, part_bytes=PART_BYTES)


@pytest.fixture
def server(layout: ZenodoLayout, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    with LoopbackServer(layout.routes) as serving:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("ZENODO_ENDPOINT", serving.url)
        monkeypatch.setattr(zenodo, "FSD50K_RECORD", layout.record)
        yield serving


def quick() -> Network:
    return Network(progress=False, attempts=3, first_wait_s=0.01, longest_wait_s=0.02, silence_s=4.0)


def fetch(layout: ZenodoLayout, folder: Path, *subsets: Any) -> None:
    fetch_archives(layout.archives(subsets or ("dev", "eval")), folder, quick())


def archives_bytes(layout: ZenodoLayout) -> int:
    return sum(part.size for archive in layout.archives() for part in archive.parts)


def parts_in(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / ARCHIVES_DIR).iterdir() if path.suffix != ".json")


def test_the_whole_record_arrives_and_no_archive_is_left(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path
) -> None:
    assert len(layout.record["dev_audio"].parts) > 5
    assert bytes_needed(layout.archives(), tmp_path)[0] == archives_bytes(layout)
    fetch(layout, tmp_path)
    assert tree(tmp_path) == tree(layout.folder)
    assert parts_in(tmp_path) == []
    assert server.sent() == archives_bytes(layout)
    assert is_fsd50k(tmp_path)
    assert len(read_index(tmp_path).clips) == 24


def test_a_second_call_fetches_nothing_and_a_lost_clip_only_its_archive(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path
) -> None:
    fetch(layout, tmp_path)
    asked = len(server.log)
    fetch(layout, tmp_path)
    assert len(server.log) == asked
    assert bytes_needed(layout.archives(), tmp_path) == (0, 0)
    damaged, *_, lost = sorted((tmp_path / "FSD50K.dev_audio").iterdir())
    lost.unlink()
    damaged.write_bytes(bytes(damaged.stat().st_size))  # of the right size, as a power cut may leave it
    fetch(layout, tmp_path)
    assert tree(tmp_path) == tree(layout.folder)
    assert len(server.log) - asked == len(layout.record["dev_audio"].parts)


def test_one_subset_comes_alone(layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path) -> None:
    fetch(layout, tmp_path, "eval")
    assert len(list((tmp_path / "FSD50K.eval_audio").iterdir())) == 12
    assert not (tmp_path / "FSD50K.dev_audio").exists()


def test_the_tables_come_alone_once_and_are_mended(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path
) -> None:
    def call() -> int:
        before = len(server.log)
        fetch_archives([zenodo.FSD50K_RECORD[name] for name in TABLES], tmp_path, quick())
        return len(server.log) - before

    expected = {name: content for name, content in tree(layout.folder).items() if "ground" in name or "meta" in name}
    assert (call(), call()) == (2, 0)
    assert tree(tmp_path) == expected
    (tmp_path / "FSD50K.ground_truth" / "dev.csv").write_text("fname,labels,mids,split\n")
    assert (call(), call()) == (1, 0)
    assert tree(tmp_path) == expected


def test_every_fault_of_the_network_is_overcome_and_little_is_fetched_twice(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path
) -> None:
    names = [part.name for part in layout.record["dev_audio"].parts]
    faults = [CutAfter(30_000), Status(429, 0), Status(503), WrongByte(100), Stall(30.0, after=20_000)]
    for name, fault in zip(names, faults, strict=False):
        server.fail(layout.route(name), fault)
    server.fail(layout.route(names[-1]), CutAfter(10))
    fetch(layout, tmp_path)
    assert tree(tmp_path) == tree(layout.folder)
    assert server.sent() <= archives_bytes(layout) + PART_BYTES + 30_000 + 20_000 + 10


def test_killed_in_the_middle_of_every_part_it_goes_on(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path
) -> None:
    """`kill -9` in the second, sixth, ... archive part: one process each, and the last call brings the rest."""
    told = tmp_path / "record.pickle"
    told.write_bytes(pickle.dumps(layout.archives()))
    folder = tmp_path / "data"
    call = (
        "import pickle; from pathlib import Path; from ctxaudio.fetch.network import Network\n"
        "from ctxaudio.fetch.zenodo import fetch_archives\n"
        f"archives = pickle.loads(Path({str(told)!r}).read_bytes())\n"
        f"fetch_archives(archives, Path({str(folder)!r}), Network(progress=False))"
    )
    stalled = [part.name for part in layout.record["dev_audio"].parts[1::4]] + [layout.record["metadata"].parts[0].name]
    for name in stalled:
        server.fail(layout.route(name), Stall(60.0, after=layout.routes[layout.route(name)].stat().st_size // 2))
    for _ in stalled:
        process = subprocess.Popen([sys.executable, "-c", call])
        end = time.monotonic() + 20.0
        while not stands_still(server):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        server.log[-1].method = "KILLED"
        assert tree(folder).items() <= tree(layout.folder).items()
    fetch(layout, folder)
    assert tree(folder) == tree(layout.folder)
    assert parts_in(folder) == []
    assert all(len(server.requests_of(route)) == 1 for route in layout.routes), "each part was asked for once more only"
    assert server.sent() <= archives_bytes(layout) + len(stalled) * PART_BYTES


def stands_still(server: LoopbackServer) -> bool:
    """Whether the last request stands still half way, with what was sent read by the client."""
    if not server.log or server.log[-1].method != "GET" or server.log[-1].status == 0:
        return False
    sent = server.log[-1].sent
    time.sleep(0.15)
    return 0 < sent == server.log[-1].sent and sent != int(server.routes[server.log[-1].path].stat().st_size)


@pytest.mark.parametrize("entry", [0, 3, 9, 17, 21])
def test_interrupted_at_an_entry_no_part_is_fetched_twice(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: int
) -> None:
    count, real = 0, shutil.copyfileobj

    def copy(source: Any, target: Any, length: int = 0) -> None:
        nonlocal count
        count += 1
        if count == entry + 1:
            target.write(source.read(100))
            raise KeyboardInterrupt
        real(source, target, length)

    monkeypatch.setattr(zenodo.shutil, "copyfileobj", copy)
    with pytest.raises(KeyboardInterrupt):
        fetch(layout, tmp_path)
    whole = tree(layout.folder)
    assert tree(tmp_path).items() <= whole.items()
    fetch(layout, tmp_path)
    assert tree(tmp_path) == whole
    assert server.sent() == archives_bytes(layout)


def test_stopped_right_before_an_archive_is_deleted_the_next_call_deletes_it(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.unlink

    def stop(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == ARCHIVES_DIR and path.suffix == ".joined" and path.is_file():
            raise KeyboardInterrupt
        real(path, missing_ok)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", stop)
        fetch(layout, tmp_path)
    assert any(path.suffix == ".joined" for path in parts_in(tmp_path))
    fetch(layout, tmp_path)
    assert parts_in(tmp_path) == []
    assert tree(tmp_path) == tree(layout.folder)
    assert server.sent() == archives_bytes(layout)


def test_a_full_disk_while_unpacking_is_one_line_and_nothing_looks_whole(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Any, target: Any, length: int = 0) -> None:
        target.write(source.read(100))
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zenodo.shutil, "copyfileobj", copy)
        with pytest.raises(CtxAudioError, match=r"can't write .*: No space left on device; free space"):
            fetch(layout, tmp_path)
    assert tree(tmp_path) == {}
    fetch(layout, tmp_path)
    assert tree(tmp_path) == tree(layout.folder)
    assert server.sent() == archives_bytes(layout)


def test_too_little_room_is_told_before_a_byte_is_fetched(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = bytes_needed(layout.archives(), tmp_path)[1]
    usage = shutil.disk_usage(tmp_path)._replace(free=needed - 1)
    monkeypatch.setattr(zenodo.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CtxAudioError, match=r"has 0\.\d+ GB free and the fetch needs 0\.\d+ GB: free space, choose"):
        fetch(layout, tmp_path)
    assert server.log == []
    monkeypatch.setattr(zenodo.shutil, "disk_usage", lambda _: usage._replace(free=needed))
    fetch(layout, tmp_path)


def test_the_room_needed_is_never_exceeded(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes on the disk are at their most just before the parts of an archive are deleted."""
    sizes = {name: len(content) for name, content in tree(layout.folder).items()}
    archives = [
        archive._replace(unpacked_bytes=sum(size for name, size in sizes.items() if archive.name in name))
        for archive in layout.archives()
    ]
    told = bytes_needed(archives, tmp_path)
    seen: list[int] = []
    real = zenodo.write_json

    def write(*given: Any) -> None:
        files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"]
        seen.append(sum(path.stat().st_size for path in files))
        real(*given)

    monkeypatch.setattr(zenodo, "write_json", write)
    fetch_archives(archives, tmp_path, quick())
    assert len(seen) == len(archives)
    assert max(seen) <= told[1] <= sum(sizes.values()) + archives_bytes(layout)
    assert told[0] == server.sent()


def served_as_dev(layout: ZenodoLayout, folder: Path, parts: list[bytes]) -> tuple[ZenodoLayout, dict[str, Path]]:
    paths = [folder / f"FSD50K.dev_audio.z{i:02d}" for i in range(1, len(parts))] + [folder / "FSD50K.dev_audio.zip"]
    folder.mkdir()
    for path, content in zip(paths, parts, strict=True):
        path.write_bytes(content)
    record = {**layout.record, "dev_audio": told_of(layout.record["dev_audio"], paths)}
    routes = {layout.route(path.name): path for path in paths}
    return replace(layout, record=record), routes


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["FSD50K.dev_audio/1.wav", "../../FSD50K.dev_audio/2.wav"], ""),
        (["FSD50K.dev_audio/1.wav", "FSD50K.dev_audio/\u00e9.wav"], r"dev_audio\.joined is damaged: .*utf-8"),
    ],
)
def test_a_hostile_archive_with_the_right_md5_writes_only_clips(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path, names: list[str], says: str
) -> None:
    parts = split_parts(zipped({name: bytes(500) for name in names}), [100])
    parts = [part.replace("\u00e9".encode(), b"\xff\xff") for part in parts]
    hostile, routes = served_as_dev(layout, tmp_path / "served", parts)
    server.routes |= routes
    with pytest.raises(CtxAudioError, match=says) if says else nullcontext():
        fetch(hostile, tmp_path / "one" / "data", "dev")
    audio = [name for name in tree(tmp_path / "one" / "data") if "audio" in name]
    assert audio == ([] if says else ["FSD50K.dev_audio/1.wav"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "served"]
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["data"]


def test_an_archive_damaged_before_it_was_published_is_named(
    layout: ZenodoLayout, server: LoopbackServer, tmp_path: Path
) -> None:
    whole = zipped({f"FSD50K.dev_audio/{i}.wav": bytes([i]) * 3000 for i in range(3)}, zipfile.ZIP_STORED)
    parts = split_parts(whole, [4000, 4000])
    parts[0] = parts[0][:3500] + b"?" + parts[0][3501:]
    damaged, routes = served_as_dev(layout, tmp_path / "served", parts)
    server.routes |= routes
    with pytest.raises(CtxAudioError, match=r"_audio\.joined is damaged: .*1\.wav.*; remove it and"):
        fetch(damaged, tmp_path / "data", "dev")
    assert sorted(path.name for path in (tmp_path / "data" / "FSD50K.dev_audio").iterdir()) == ["0.wav"]


def test_the_record_is_complete() -> None:
    parts = [part for archive in FSD50K_RECORD.values() for part in archive.parts]
    assert len({part.md5 for part in parts}) == len({part.name for part in parts}) == 11
    assert all(len(part.md5) == 32 and part.size > 0 for part in parts)
    assert round(sum(part.size for part in parts) / 1e9, 2) == 24.68
    assert all(archive.parts[-1].name == f"{archive.name}.zip" for archive in FSD50K_RECORD.values())
