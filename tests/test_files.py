"""Nothing half-written, nothing left behind, and one line for a path that no file can have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import child_path, read_json, writable_folder, write_json, written_whole


def test_a_failure_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"kept": 1})
    with pytest.raises(KeyboardInterrupt), written_whole(tmp_path / "a.json") as aside:
        aside.write_text("half")
        raise KeyboardInterrupt
    assert read_json(tmp_path / "a.json") == {"kept": 1} and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name != "posix", reason="leftovers are told by locks of POSIX")
def test_what_a_killed_writer_left_is_cleared_and_what_another_is_writing_is_not(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from ctxaudio.files import written_whole
with written_whole(Path(sys.argv[1])) as aside:
    aside.write_text("half")
    print(aside.name, flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), 9)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "theirs.txt")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        name = writer.stdout.readline().strip()
        clearing = "from ctxaudio.files import write_json; from pathlib import Path; import sys\n"
        clearing += "write_json(Path(sys.argv[1]), {})"
        subprocess.run([sys.executable, "-c", clearing, str(tmp_path / "mine.json")], check=True)
        assert (tmp_path / name).read_text() == "half"
        writer.stdin.close()
        assert writer.wait() == -9 and (tmp_path / name).exists()
    write_json(tmp_path / "mine.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_who_may_read(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == mode


def test_a_path_that_cannot_become_a_file_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    paths = [Path(), tmp_path / "folder.json", tmp_path / ("long" * 80), tmp_path / "folder.json" / ("s." + 250 * "x")]
    if os.name == "posix":
        paths.append(Path("/dev/null"))
    for path in paths:
        with pytest.raises(CtxAudioError, match="can't write "), written_whole(path):
            pytest.fail("work was done for nothing")
    assert Path(os.devnull).exists() and list((tmp_path / "folder.json").iterdir()) == []


def test_json_that_holds_a_lone_surrogate_is_written_and_read(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"title": "rain \ud83c"})
    assert read_json(tmp_path / "a.json") == {"title": "rain ?"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"a":' * 100_000, "is not valid JSON"),
        (b'{"a": ' + b"1" * 10_000 + b"}", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"{} {}", "is not valid JSON"),
        (b"[1]", "holds list, not a JSON object"),
    ],
)
def test_what_is_no_json_object_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(CtxAudioError, match=f"a.json {says}"):
        read_json(tmp_path / "a.json")


def test_json_is_read_from_files_only(tmp_path: Path) -> None:
    with pytest.raises(CtxAudioError, match=r"can't read .*absent\.json: no such file"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(CtxAudioError, match=r"can't read .*: not a file"):
        read_json(tmp_path)
    with pytest.raises(CtxAudioError, match="File name too long"):
        read_json(tmp_path / ("long" * 80))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.json")
        with pytest.raises(CtxAudioError, match=r"can't read .*pipe\.json: not a file"):
            read_json(tmp_path / "pipe.json")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "c:", "a\0", "x" * 256, "é" * 128, "rain \ud83c"])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClipError, match="file name"):
        child_path(tmp_path, name)
    assert child_path(tmp_path, "x" * 255).parent == tmp_path


def test_a_folder_is_proven_writable(tmp_path: Path) -> None:
    assert writable_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(CtxAudioError, match="can't write into"):
        writable_folder(tmp_path / "file" / "sub")
