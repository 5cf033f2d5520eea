from __future__ import annotations

import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hub_layout import cdn_path, hub_path, resolve_path
from loopback import CutAfter, Fault, LoopbackServer, Request, Response, Stall, Status, WrongByte
from small_fsd50k import BY, NC, Row, SmallFSD50K, quick, script_of, sleep_rows, small_fsd50k, wav
from zenodo_layout import RECORDINGS, tree, write_zenodo_layout

from ctxaudio import pipeline
from ctxaudio.cli import main
from ctxaudio.contexts import context_named
from ctxaudio.data.fsd50k import DEFAULT_LICENCES, read_index
from ctxaudio.data.selection import SelectionOptions, select_clips, selection_table
from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch import clips as fetching
from ctxaudio.fetch import zenodo
from ctxaudio.fetch.clips import Fetch, Fetched, fetch_clips
from ctxaudio.options import Run

SLEEP = context_named("sleep")
FREE = SelectionOptions(licences=DEFAULT_LICENCES)
Serving = Callable[[SmallFSD50K], AbstractContextManager[LoopbackServer]]


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Serving:
    """Serve a small FSD50K."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")

    @contextmanager
    def serve(small: SmallFSD50K) -> Iterator[LoopbackServer]:
        monkeypatch.setattr(zenodo, "FSD50K_RECORD", small.record)
        with LoopbackServer(small.routes) as server:
            yield server

    return serve


def fetch(
    server: LoopbackServer, folder: Path, options: SelectionOptions = FREE, context: str = "sleep", **wanted: Any
) -> Fetched:
    return fetch_clips(Fetch(context, folder, **wanted), options, quick(server))


def clips_in(folder: Path, subset: str = "dev") -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (folder / f"FSD50K.{subset}_audio").glob("*.wav")}


def credited(folder: Path) -> set[str]:
    return set(re.findall(r"clip (\d+),", credits_of(folder)))


def credits_of(folder: Path) -> str:
    return (folder / "ATTRIBUTION.md").read_text()


def check_whole(small: SmallFSD50K, folder: Path) -> dict[str, bytes]:
    """Every clip in its place is what was sent, and credited."""
    found = clips_in(folder)
    assert all(content == small.content(clip_id) for clip_id, content in found.items())
    if found:
        assert found.keys() <= credited(folder)
    return found


def cdn_bytes(server: LoopbackServer) -> int:
    return sum(request.sent for request in server.log if request.path.startswith("/cdn/"))


def test_a_fetch_brings_the_clips_of_a_context_with_their_licences(tmp_path: Path, serving: Serving) -> None:
    vetoed = Row("7", "Rain,Thunder", content=wav(seed=7))
    other = Row("8", "Meow", content=wav(seed=8))
    wrong = Row("121351", "Rain", content=wav(seed=9))
    small = small_fsd50k([*sleep_rows(), vetoed, other, wrong], tmp_path / "served")
    folder = tmp_path / "data"
    with serving(small) as server:
        fetched = fetch(server, folder, max_clips=9)
        assert cdn_bytes(server) == fetched.bytes == sum(map(len, clips_in(folder).values()))
        assert {request.headers.get("authorization") for request in server.log} == {None}
        again = fetch(server, folder, max_clips=9)
        assert (again.brought, again.there_before, again.bytes) == (0, 9, 0)
        assert cdn_bytes(server) == fetched.bytes, "nothing is fetched twice"
    found = check_whole(small, folder)
    assert Counter(clip_id[0] for clip_id in found) == {"1": 3, "2": 3, "3": 3}
    assert not {"7", "8", "121351"} & found.keys()
    assert credited(folder) == found.keys()
    row = next(row for row in small.rows if row.clip_id == max(found))
    assert re.search(rf'"Cricket .*" by {row.uploader}, clip {row.clip_id}, .*{row.licence}', credits_of(folder))
    assert not list(folder.rglob("*.part"))
    assert "3 more clips" in selection_table(select_clips(read_index(folder), SLEEP))
    prepared = pipeline.prepare(Run("sleep", folder, tmp_path / "run"), 1, progress=False)
    assert {clip.clip_id for clip in prepared.clips} == found.keys()
    assert prepared.skipped == ()


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the folder of real recordings is not beside the repository")
def test_real_recordings_arrive_as_they_are(tmp_path: Path, serving: Serving) -> None:
    index = read_index(RECORDINGS)
    some = [clip for clip in select_clips(index, SLEEP).clips if clip.path.stat().st_size < 500_000]
    rows = [Row(c.clip_id, ",".join(c.labels), c.split, c.uploader, c.licence, c.path.read_bytes()) for c in some]
    small = small_fsd50k(rows, tmp_path / "served")
    with serving(small) as server:
        fetched = fetch(server, tmp_path / "data", max_clips=12, options=SelectionOptions())
    assert fetched.brought == 12
    assert len(check_whole(small, tmp_path / "data")) == 12


def test_a_dry_run_tells_and_brings_no_clip(tmp_path: Path, serving: Serving) -> None:
    small = small_fsd50k([*sleep_rows(), Row("9", "Rain", licence=NC, content=wav(seed=9))], tmp_path / "served")
    folder = tmp_path / "data"
    with serving(small) as server:

        def planned() -> str:
            return fetch(server, folder, max_clips=6, dry_run=True).plan

        told = planned()
        assert {path.name for path in folder.glob("[!.]*")} == {"FSD50K.ground_truth", "FSD50K.metadata"}
        assert cdn_bytes(server) == 0
        fetched = fetch(server, folder, max_clips=6)
        before = tree(tmp_path)
        assert planned() == told == str(fetched.plan)
        assert tree(tmp_path) == before
    lines = {line.split()[0]: line.split() for line in told.splitlines()}
    assert told.startswith("context sleep: 6 clips (4 cc0, 2 cc-by)")
    assert lines["condition"] == ["condition", "clips", "of", "hours", "MB"]
    assert lines["Rain"][1:3] == ["2", "4"]
    megabytes = sum(map(len, clips_in(folder).values())) / 1e6
    assert lines["all"][1:5] == ["6", "12", "0.00", f"{megabytes:.1f}"]
    assert lines["Mechanical_fan"][1:] == ["0", "0", "0.00", "0.0"]
    assert "left out: 1 licence cc-by-nc" in told


def test_a_clip_the_hub_lacks_is_left_out_before_anything_is_fetched(tmp_path: Path, serving: Serving) -> None:
    rows = [replace(row, on_hub=row.clip_id != "1000") for row in sleep_rows()]
    small = small_fsd50k(rows, tmp_path / "served")
    with serving(small) as server:
        fetched = fetch(server, tmp_path / "data")
    assert fetched.brought == 11
    assert "left out: 1 not in the hub's copy" in str(fetched.plan)


@pytest.mark.parametrize(
    "faults",
    [
        (CutAfter(20_000),),
        (Status(429, retry_after=0),),
        (Status(503), Status(500)),
        (WrongByte(1000),),
        (Stall(5.0, after=10_000),),
    ],
    ids=lambda faults: type(faults[0]).__name__ + str(getattr(faults[0], "code", "")),
)
def test_every_clip_arrives_whole_in_spite_of(faults: tuple[Fault, ...], tmp_path: Path, serving: Serving) -> None:
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    with serving(small) as server:
        for row in small.rows[:4]:
            server.fail(cdn_path(row.content), *faults)
        fetched = fetch(server, tmp_path / "data")
        assert all(server.next_fault(cdn_path(row.content)) is None for row in small.rows), "every fault was met"
    assert fetched.brought == 12
    assert len(check_whole(small, tmp_path / "data")) == 12


def test_a_clip_that_never_arrives_right_is_one_line_and_tried_again_next_time(
    tmp_path: Path, serving: Serving
) -> None:
    small = small_fsd50k(sleep_rows(conditions=["Rain"]), tmp_path / "served")
    folder = tmp_path / "data"
    with serving(small) as server:
        server.fail(cdn_path(small.rows[0].content), WrongByte(100), WrongByte(100))
        with pytest.raises(CtxAudioError, match=r"1000\.wav: sha256 is not .* in two downloads"):
            fetch(server, folder)
        assert "1000" not in check_whole(small, folder)
        fetch(server, folder)
    assert len(check_whole(small, folder)) == 4


@pytest.mark.parametrize(("status", "says"), [(503, "answers 503"), (429, "answers 429"), (403, "answers 403")])
def test_a_hub_that_stays_away_is_one_line_and_what_came_stays(
    status: int, says: str, tmp_path: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "WORKERS", 1)
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    with serving(small) as server:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        last = small.rows[-1]
        server.fail(cdn_path(last.content), *[Status(status, 0)] * 40)
        with pytest.raises(CtxAudioError, match=rf"{says} .*start again later, what has come is kept") as error:
            fetch(server, tmp_path / "data")
        assert "\n" not in str(error.value)
        check_whole(small, tmp_path / "data")
        while server.next_fault(cdn_path(last.content)):
            pass
        fetch(server, tmp_path / "data")
        whole = [request for request in server.log if request.path.startswith("/cdn/") and request.status == 200]
        assert max(Counter(request.path for request in whole).values()) == 1, "nothing came twice"
    assert len(check_whole(small, tmp_path / "data")) == 12


def test_the_network_goes_in_the_middle_and_comes_back(
    tmp_path: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    counted: Counter[str] = Counter()
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with serving(small) as server:

        def gone(request: Request) -> Response:
            threading.Thread(target=server.close).start()
            server.closing.wait()
            return Response(status=503)

        server.routes[resolve_path(hub_path("3002"))] = gone
        with pytest.raises(CtxAudioError, match=r"(no connection|answers 503).*start again later"):
            fetch(server, tmp_path / "data")
        counted.update(r.path for r in server.log if r.path.startswith("/cdn/") and r.sent)
    before = check_whole(small, tmp_path / "data")
    assert len(before) < 12
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    with serving(small) as server:
        # in a process of its own, as on the command line: threads of the first may still be trying here
        subprocess.run(script_of(small, server, ["--data_dir", str(tmp_path / "data")]), check=True)
        counted.update(r.path for r in server.log if r.path.startswith("/cdn/"))
    assert len(check_whole(small, tmp_path / "data")) == 12
    assert sum(counted.values()) <= 12 + 4, "only what was on its way when the network went may come again"


def test_kill_9_and_start_again(tmp_path: Path, serving: Serving) -> None:
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    folder = tmp_path / "data"
    stalled = small.rows[5]
    with serving(small) as server:
        server.fail(cdn_path(stalled.content), Stall(60.0, after=9_000))
        command = script_of(small, server, ["--data_dir", str(folder)])
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        wait_until(lambda: len(clips_in(folder)) >= 6)
        process.kill()
        process.communicate()
        had = [*check_whole(small, folder), *(path.stem for path in folder.rglob("*.wav"))]
        asked_before = len(server.log)
        fetched = fetch(server, folder)
        assert fetched.brought + fetched.there_before == 12
        asked = {request.path for request in server.log[asked_before:]}
        assert len(had) >= 6
        assert not asked & {cdn_path(small.content(clip_id)) for clip_id in had}, "nothing comes twice"
    assert len(check_whole(small, folder)) == 12


def test_ctrl_c_ends_at_once_with_130_and_keeps_what_came(tmp_path: Path, serving: Serving) -> None:
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    folder = tmp_path / "data"
    with serving(small) as server:
        server.fail(cdn_path(small.rows[5].content), Stall(60.0, after=9_000))
        as_usual = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        process = subprocess.Popen(
            script_of(small, server, ["--data_dir", str(folder)], as_usual), stderr=subprocess.PIPE, text=True
        )
        wait_until(lambda: len(clips_in(folder)) >= 11)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "ctxaudio: interrupted"
    assert len(check_whole(small, folder)) == 11


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path: Path, serving: Serving) -> None:
    rows = [*sleep_rows(conditions=["Wind"]), Row("5", "Rain", content=wav(6.0), uploader="big")]
    small = small_fsd50k(rows, tmp_path / "served")
    folder = tmp_path / "data"
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))"
    with serving(small) as server:
        done = run_script(small, server, ["--data_dir", str(folder)], full)
        assert done.returncode == 2
        assert re.fullmatch(r"ctxaudio: can't write .*: File too large; free space .* start again, .*\n", done.stderr)
        assert "5" not in check_whole(small, folder)
        fetch(server, folder)
    assert len(check_whole(small, folder)) == 5


def test_too_little_room_is_said_before_a_clip_is_fetched(
    tmp_path: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    monkeypatch.setattr(fetching, "ROOM_FOR_TABLES", 10**18)
    with serving(small) as server:
        with pytest.raises(CtxAudioError, match=r"GB free and the fetch needs"):
            fetch(server, tmp_path / "data")
        assert cdn_bytes(server) == 0


def test_hostile_names_in_the_table_reach_neither_the_network_nor_the_disk(tmp_path: Path, serving: Serving) -> None:
    names = ["../../outside", "/etc/outside", "..\\outside", "C:outside", "a/b", "", "outside" * 40, "\u96e8" * 90]
    hostile = [Row(name, "Rain", content=wav(seed=i), on_hub=False) for i, name in enumerate(names)]
    small = small_fsd50k([*sleep_rows(), *hostile], tmp_path / "served")
    with serving(small) as server:
        fetched = fetch(server, tmp_path / "data")
        assert not any("outside" in request.path or b"outside" in request.body for request in server.log)
    assert fetched.brought == 12
    assert {path.name for path in tmp_path.iterdir()} == {"served", "data"}
    assert "left out: 1 file name '../../outside.wav' points outside" in str(fetched.plan)


def test_two_contexts_share_a_folder_and_its_credits(tmp_path: Path, serving: Serving) -> None:
    fans = [Row(str(70 + i), "Mechanical_fan", content=wav(seed=i), uploader=f"f{i}") for i in range(2)]
    streams = [Row(str(80 + i), "Stream", content=wav(seed=9 + i), uploader=f"s{i}", licence=BY) for i in range(2)]
    small = small_fsd50k([*sleep_rows(), *fans, *streams], tmp_path / "served")
    folder = tmp_path / "data"
    with serving(small) as server:
        fetch(server, folder)
        second = fetch(server, folder, context="focus")
    assert (second.brought, second.there_before) == (2, 2)
    assert len(check_whole(small, folder)) == 16
    (folder / "FSD50K.dev_audio" / "1000.wav").unlink()
    with serving(small) as server:
        fetch(server, folder, context="focus")
    assert credited(folder) == clips_in(folder).keys() and "1000" not in credited(folder)


def test_a_damaged_clip_in_its_place_is_fetched_again(tmp_path: Path, serving: Serving) -> None:
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    with serving(small) as server:
        fetch(server, tmp_path / "data")
        place = tmp_path / "data" / "FSD50K.dev_audio" / "2000.wav"
        place.write_bytes(place.read_bytes()[:-100])
        again = fetch(server, tmp_path / "data")
    assert (again.brought, again.there_before) == (1, 11)
    assert len(check_whole(small, tmp_path / "data")) == 12


def test_eval_clips_go_to_the_eval_folder(tmp_path: Path, serving: Serving) -> None:
    evaluation = [Row(str(500 + i), "Rain", content=wav(seed=i)) for i in range(3)]
    small = small_fsd50k(sleep_rows(), tmp_path / "served", evaluation)
    with serving(small) as server:
        fetch(server, tmp_path / "data", split="eval", max_clips=2)
    assert len(clips_in(tmp_path / "data", "eval")) == 2
    assert not (tmp_path / "data" / "FSD50K.dev_audio").exists()
    assert credited(tmp_path / "data") == clips_in(tmp_path / "data", "eval").keys()


def test_the_options_choose_the_clips(tmp_path: Path, serving: Serving) -> None:
    rows = [
        Row("1", "Rain", content=wav(0.4, 1), licence=NC),
        Row("2", "Rain", content=wav(0.4, 2)),
        Row("3", "Rain", content=wav(0.9, 3)),
        Row("4", "Rain", content=wav(0.9, 4), votes=(1.0, 0.5)),
        Row("5", "Meow", content=wav(0.9, 5)),
        Row("6", "Rain", content=wav(0.9, 6)),
    ]
    small = small_fsd50k(rows, tmp_path / "served")

    def brought(name: str, **options: Any) -> set[str]:
        fetch(server, tmp_path / name, options=SelectionOptions(**options))
        return set(clips_in(tmp_path / name))

    with serving(small) as server:
        assert brought("a") == {"1", "2", "3", "4", "6"}
        assert brought("b", licences=("cc-by-nc",)) == {"1"}
        assert brought("c", exclude=("6",)) == {"1", "2", "3", "4"}
        assert brought("d", rating="present") == {"1", "2", "3", "6"}
        assert brought("e", labels=("Meow",)) == {"5"}
        with pytest.raises(CtxAudioError, match="none of 6 clips is usable for context 'sleep'"):
            brought("f", licences=("sampling+",))


def test_a_second_fetch_into_the_same_folder_is_refused(tmp_path: Path, serving: Serving) -> None:
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    (tmp_path / "data").mkdir()
    with (
        serving(small) as server,
        FileLock(tmp_path / "data" / ".fetch.lock"),
        pytest.raises(CtxAudioError, match="another fetch is at work"),
    ):
        fetch(server, tmp_path / "data")


def test_the_command_fetches_and_says_what_it_did(tmp_path: Path, serving: Serving) -> None:
    small = small_fsd50k(sleep_rows(), tmp_path / "served")
    arguments = ["--data_dir", str(tmp_path / "data"), "--max_clips", "6", "--licenses", "cc0"]
    with serving(small) as server:
        planned = run_script(small, server, [*arguments, "--dry_run"])
        assert not (tmp_path / "data" / "FSD50K.dev_audio").exists()
        done = run_script(small, server, arguments)
    assert (planned.returncode, done.returncode, planned.stderr, done.stderr) == (0, 0, "", "")
    assert planned.stdout.splitlines()[-1] == "dry run: no clip was fetched"
    assert done.stdout.startswith(planned.stdout.removesuffix("dry run: no clip was fetched\n"))
    assert "\nfetched 6 clips, " in done.stdout
    found = check_whole(small, tmp_path / "data")
    assert len(found) == 6
    assert all(int(clip_id) % 2 == 0 for clip_id in found), "only CC0"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--context", "party"], "unknown context 'party'"),
        (["--licenses", "gpl"], "unknown licences 'gpl': choose one of cc0"),
        (["--licenses", ""], "licences is empty"),
        (["--max_clips", "0"], "max_clips 0 must be at least 1"),
        (["--labels", " , "], "labels is empty"),
        (["--all", "--labels", "Rain", "--max_clips", "3"], "leave out --max_clips and what chooses"),
    ],
)
def test_a_mistake_is_one_line_and_2(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_the_whole_record_can_be_planned_without_a_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--all", "--split", "eval", "--dry_run", "--data_dir", str(tmp_path / "data")]) == 0
    assert "whole record: 6.27 GB to fetch, 15.8 GB of room needed" in capsys.readouterr().out
    assert not (tmp_path / "data").exists()


def test_the_whole_record_has_its_credits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = write_zenodo_layout(tmp_path / "zenodo", clips=4)
    monkeypatch.setattr(zenodo, "FSD50K_RECORD", layout.record)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    folder = tmp_path / "data"
    with LoopbackServer(layout.routes) as server:
        monkeypatch.setenv("ZENODO_ENDPOINT", server.url)
        assert main(["fetch", "--all", "--data_dir", str(folder)]) == 0
    assert "whole record: 0." in capsys.readouterr().out
    assert credited(folder) == clips_in(folder).keys() | clips_in(folder, "eval").keys()


def wait_until(reached: Callable[[], bool], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def run_script(
    small: SmallFSD50K, server: LoopbackServer, arguments: list[str], before: str = ""
) -> subprocess.CompletedProcess[str]:
    command = script_of(small, server, arguments, before)
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
