from __future__ import annotations

import hashlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loopback import CutAfter, Fault, IgnoreRange, LoopbackServer, Request, Response, Stall, Status, WrongByte

from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.network import Network, part_path

CONTENT = np.random.default_rng(1).bytes(3_000_000)
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
QUICK = Network(progress=False, attempts=4, first_wait_s=0.01, longest_wait_s=0.02, silence_s=1.5)
LOST = 64 * 1024  # what a break can lose of what was sent: one piece on its way


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with LoopbackServer({"/a.zip": CONTENT}) as serving:
        yield serving


def fetch(server: LoopbackServer, path: Path, network: Network = QUICK, digest: str = MD5) -> None:
    network.download(server.url + "/a.zip", path, len(CONTENT), digest)


def test_it_arrives_once_and_is_not_fetched_again(server: LoopbackServer, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.zip"
    fetch(server, path)
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert [(request.method, request.range) for request in server.log] == [("GET", None)]
    assert list(path.parent.iterdir()) == [path]


# name: faults, requests that bring it in the end, bytes sent in vain at most
FAULTS: dict[str, tuple[list[Fault], int, int]] = {
    "cut once": ([CutAfter(1_000_000)], 2, LOST),
    "cut before the first byte": ([CutAfter(0)], 2, 0),
    "cut thrice": ([CutAfter(500_000)] * 3, 4, 3 * LOST),
    "429": ([Status(429, retry_after=0)], 2, 0),
    "429 without a wait": ([Status(429)], 2, 0),
    "503 thrice": ([Status(503)] * 3, 4, 0),
    "500 after a cut": ([CutAfter(1_500_000), Status(500)], 3, LOST),
    "wrong byte": ([WrongByte(2_000_000)], 2, len(CONTENT)),
    "wrong byte in what is resumed": ([CutAfter(1_000_000), WrongByte(10)], 2, LOST),
    "stall": ([Stall(30.0, after=1_200_000)], 2, LOST),
    "stall before the first byte": ([Stall(30.0)], 2, 0),
    "no ranges": ([CutAfter(1_000_000), IgnoreRange()], 2, 1_000_000),
}


@pytest.mark.parametrize("name", FAULTS)
def test_it_arrives_whole_through(server: LoopbackServer, tmp_path: Path, name: str) -> None:
    faults, requests, in_vain = FAULTS[name]
    server.fail("/a.zip", *faults)
    fetch(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert len(server.requests_of("/a.zip")) == requests
    assert len(CONTENT) <= server.sent("/a.zip") <= len(CONTENT) + in_vain
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]


def test_a_break_that_brought_a_megabyte_is_not_the_last(server: LoopbackServer, tmp_path: Path) -> None:
    server.fail("/a.zip", CutAfter(1_200_000), CutAfter(1_200_000))
    fetch(server, tmp_path / "a.zip", Network(progress=False, attempts=2, first_wait_s=0.01))
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_cut_goes_on_from_the_byte_where_the_part_ends(server: LoopbackServer, tmp_path: Path) -> None:
    part_path(tmp_path / "a.zip").write_bytes(CONTENT[:1_234_567])
    fetch(server, tmp_path / "a.zip")
    assert [request.range for request in server.log] == ["bytes=1234567-"]
    assert server.sent() == len(CONTENT) - 1_234_567


def test_a_whole_part_only_needs_its_name(server: LoopbackServer, tmp_path: Path) -> None:
    part_path(tmp_path / "a.zip").write_bytes(CONTENT)
    fetch(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.log == []


@pytest.mark.parametrize("left", [CONTENT + b"more", bytes(1000), CONTENT[:-1] + b"?"])
def test_a_part_of_something_else_is_thrown_away(server: LoopbackServer, tmp_path: Path, left: bytes) -> None:
    part_path(tmp_path / "a.zip").write_bytes(left)
    fetch(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [CutAfter(1_000_000), WrongByte(10), IgnoreRange()])
@pytest.mark.parametrize("kept", [0, 1_234_567, len(CONTENT)])
def test_what_comes_before_the_start_stays(server: LoopbackServer, tmp_path: Path, kept: int, fault: Fault) -> None:
    path, before = tmp_path / "joined", b"the first part"
    part_path(path).write_bytes(before + CONTENT[:kept])
    server.fail("/a.zip", fault)
    QUICK.append(server.url + "/a.zip", path, len(CONTENT), MD5, start=len(before))
    assert part_path(path).read_bytes() == before + CONTENT


def test_a_md5_that_is_wrong_twice_is_an_error_and_leaves_nothing(server: LoopbackServer, tmp_path: Path) -> None:
    with pytest.raises(CtxAudioError, match=r"a\.zip: md5 is not 0{32} in two downloads"):
        fetch(server, tmp_path / "a.zip", digest="md5:" + "0" * 32)
    assert len(server.log) == 2
    assert [path.suffix for path in tmp_path.iterdir() if path.stat().st_size] == []


def test_refusals_are_errors_at_once(server: LoopbackServer, tmp_path: Path) -> None:
    server.fail("/a.zip", Status(403))
    with pytest.raises(CtxAudioError, match="the server answers 403 Forbidden"):
        fetch(server, tmp_path / "a.zip")
    with pytest.raises(CtxAudioError, match=r"the server offers 3000000, not the file's 5 bytes from 0 on"):
        QUICK.download(server.url + "/a.zip", tmp_path / "b.zip", 5, MD5)
    with pytest.raises(CtxAudioError, match=r"zenodo\.org/a\.zip: Invalid URL"):
        QUICK.download("zenodo.org/a.zip", tmp_path / "c.zip", 5, MD5)
    assert len(server.log) == 2
    assert [path.suffix for path in tmp_path.iterdir() if path.stat().st_size] == []


def test_a_server_that_says_nonsense_about_ranges_is_left_and_the_part_kept(tmp_path: Path) -> None:
    for content_range in ("bytes 7-9/3000000", "bytes */3000000", ""):
        answer = Response(b"abc", 206, {"Content-Range": content_range})
        part_path(tmp_path / "a.zip").write_bytes(CONTENT[:1000])
        with LoopbackServer({"/a.zip": answer}) as server, pytest.raises(CtxAudioError, match="from 1000 on"):
            fetch(server, tmp_path / "a.zip")
        assert part_path(tmp_path / "a.zip").read_bytes() == CONTENT[:1000]


def test_when_the_network_is_gone_the_part_waits_for_it(server: LoopbackServer, tmp_path: Path) -> None:
    server.fail("/a.zip", Stall(30.0, after=2_000_000))
    network = Network(progress=False, attempts=3, first_wait_s=0.01, silence_s=0.2)
    server.fail("/a.zip", *[Status(503)] * 3)
    with pytest.raises(CtxAudioError, match=r"503 Service .*, 3 times in a row; .* what has come is kept"):
        fetch(server, tmp_path / "a.zip", network)
    server.close()
    with pytest.raises(CtxAudioError, match=r"no connection, 3 times in a row; .* what has come is kept"):
        fetch(server, tmp_path / "a.zip", network)
    kept = part_path(tmp_path / "a.zip").stat().st_size
    assert 2_000_000 - LOST <= kept <= 2_000_000
    with LoopbackServer({"/a.zip": CONTENT}) as back:
        fetch(back, tmp_path / "a.zip")
        assert back.sent() == len(CONTENT) - kept
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_goes_on_in_the_next_process(
    server: LoopbackServer, tmp_path: Path, ending: signal.Signals
) -> None:
    path = tmp_path / "a.zip"
    server.fail("/a.zip", Stall(30.0, after=1_900_000))
    call = (
        "import signal; from pathlib import Path; from ctxaudio.fetch.network import Network\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"Network().download({server.url + '/a.zip'!r}, Path({str(path)!r}), {len(CONTENT)}, {MD5!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", call], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: part_path(path).exists() and part_path(path).stat().st_size > 1_700_000)
    finally:
        process.send_signal(ending)
        assert process.wait(20) != 0
    kept = part_path(path).stat().st_size
    assert not path.exists()
    assert 1_700_000 < kept <= 1_900_000
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requests_of("/a.zip")[1].sent == len(CONTENT) - kept


def wait_for(condition: object, patience_s: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_a_full_disk_is_one_line_and_the_part_is_kept(server: LoopbackServer, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))  # the system refuses to write more, as on a full disk
    try:
        with pytest.raises(
            CtxAudioError, match=r"can't write .*a\.zip: File too large; free space or mend that and start again"
        ):
            fetch(server, tmp_path / "a.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "a.zip").exists()
    kept = part_path(tmp_path / "a.zip").stat().st_size
    assert 900_000 < kept <= 1_000_000
    fetch(server, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.log[-1].range == f"bytes={kept}-"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def test_waits_double_up_to_a_bound_and_differ(server: LoopbackServer, tmp_path: Path, slept: list[float]) -> None:
    server.fail("/a.zip", *[Status(503)] * 7)
    fetch(server, tmp_path / "a.zip", Network(progress=False, first_wait_s=1.0, longest_wait_s=10.0))
    longest = [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert len(slept) == 7
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(slept, longest, strict=True))
    assert len(set(slept)) == 7


def test_what_the_server_asks_for_is_waited_within_bounds(
    server: LoopbackServer, tmp_path: Path, slept: list[float]
) -> None:
    for asked in (7, "99999", "Fri, 27 Nov 2026 07:28:00 GMT", "soon"):
        server.fail("/a.zip", Status(429, retry_after=asked))
    fetch(server, tmp_path / "a.zip", Network(progress=False, first_wait_s=0.5, longest_wait_s=0.5))
    assert slept[:2] == [7.0, 300.0]
    assert all(0.25 <= wait <= 0.5 for wait in slept[2:])
    assert len(slept) == 4


def test_the_hubs_rate_limit_is_waited_for_where_it_is_used_up(slept: list[float]) -> None:
    limits = ['"api";r=0;t=55', '"api";r=9;t=55']

    def busy(request: Request) -> Response:
        return Response(status=429, headers={"RateLimit": limits.pop(0)}) if limits else Response(b'{"sha": "abc"}')

    with LoopbackServer({"/api": busy}) as server:
        assert QUICK.ask("GET", server.url + "/api", lambda answer: answer["sha"]) == "abc"
    assert slept[0] == 55.0
    assert slept[1] <= 0.02


@pytest.mark.parametrize("body", [b"<html>Welcome to the hotel</html>", b"[]", b'{"id": 1}'])
def test_an_answer_that_cannot_be_understood_is_one_line(body: bytes) -> None:
    with LoopbackServer({"/api": body}) as server, pytest.raises(CtxAudioError, match=r"/api: .*") as error:
        QUICK.ask("GET", server.url + "/api", lambda answer: answer["sha"])
    assert "\n" not in str(error.value)
    assert len(server.log) == 1


def test_progress_tells_rate_and_trouble_and_can_be_silent(
    server: LoopbackServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server.fail("/a.zip", CutAfter(1_000_000), IgnoreRange())
    url = server.url + "/a.zip"
    replace(QUICK, progress=True).append(url, tmp_path / "a.zip", len(CONTENT), MD5, shown_as="a.zip")
    out, shown = capfd.readouterr()
    assert out == ""
    assert "a.zip" in shown
    assert "B/s" in shown
    assert "a.zip: the connection broke; trying again in 0 s" in shown
    server.fail("/a.zip", Status(503), WrongByte(5))
    QUICK.append(url, tmp_path / "b.zip", len(CONTENT), MD5, shown_as="b.zip")
    assert capfd.readouterr() == ("", "")


def test_the_servers_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ZENODO_ENDPOINT", "HF_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    assert (Network().zenodo, Network().hub) == ("https://zenodo.org", "https://huggingface.co")
    monkeypatch.setenv("ZENODO_ENDPOINT", "http://127.0.0.1:9/")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:8")
    assert (Network().zenodo, Network().hub) == ("http://127.0.0.1:9", "http://127.0.0.1:8")
