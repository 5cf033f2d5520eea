"""Runs the command line in forks of one process that has everything imported: a case takes its own time and no more.

`Forks` is the side of the tests. What it starts is this file, which reads one JSON line a case and answers with one:
exit code, processor seconds, peak memory, and every path that was written to. In a fork the command is killed after
`cpu_s` of processor time, `wall_s` in all, `kill_after_s`, or before its `kill_at_write`-th change to a file.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

CPU_S = 10
WALL_S = 120.0
MEMORY_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Outcome:
    """What became of a command: `code` is negative for a signal; `written` are the paths of its `changes` to files."""

    code: int
    cpu_s: float
    wall_s: float
    peak_bytes: int
    changes: int
    written: list[str]
    out: str
    err: str

    @property
    def kind(self) -> str:
        """The column of the table that it counts for."""
        if self.cpu_s >= CPU_S or self.code in (-9, -24):
            return "over 10 s"
        if self.peak_bytes >= MEMORY_BYTES:
            return "over 2 GB"
        if self.code not in (0, 2, 130) or "Traceback" in self.err:
            return "traceback"
        lines = self.err.count("\n")
        if self.code == 0:
            return "accepted" if lines == 0 else "noisy"
        return "one line" if lines == 1 and self.err.startswith("ctxaudio") else "noisy"


class Forks:
    """A process to run commands in; a context manager."""

    def __init__(self, home: Path) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1,localhost"}
        environment |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, str(Path(__file__)), str(home)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # which ends it
        self._process.stdin = None
        self._process.wait()

    def run(self, arguments: list[str], folder: Path, **limits: Any) -> Outcome:
        """The command with these arguments in `folder`; `limits` are those of the module, and `setup`, code to run
        first."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(
            json.dumps({"arguments": arguments, "folder": str(folder), **limits}), file=self._process.stdin, flush=True
        )
        answer = self._process.stdout.readline()
        assert answer, "the process that forks has died"
        return Outcome(**json.loads(answer))


def serve(home: Path) -> None:
    """Answer cases until standard input ends."""
    import resource

    # where it has trained in an earlier test, torch hands down the place of its cache in the environment
    os.environ |= {"MPLCONFIGDIR": str(home), "TMPDIR": str(home), "TORCHINDUCTOR_CACHE_DIR": str(home)}
    sys.dont_write_bytecode = True
    import torch

    torch.set_num_threads(1)
    import numpy as np

    import ctxaudio
    from ctxaudio.plots import save_figure, spectrograms

    for module in pkgutil.walk_packages(ctxaudio.__path__, "ctxaudio."):
        if not module.name.startswith(("ctxaudio.course", "ctxaudio.widgets", "ctxaudio.__main__")):
            importlib.import_module(module.name)
    save_figure(spectrograms({"Rain": np.ones(22050, np.float32)}, 22050), home / "first.png")  # fonts and librosa
    for line in sys.stdin:
        case = json.loads(line)
        with (
            (home / "out").open("w+b") as out,
            (home / "err").open("w+b") as err,
            (home / "paths").open("w+b") as paths,
        ):
            began = time.monotonic()
            child = os.fork()
            if child == 0:
                for number, file in enumerate((out, err), 1):
                    os.dup2(file.fileno(), number)
                cpu_s = case.get("cpu_s", CPU_S)
                resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                in_fork(case, paths.fileno())
            wall_s, kill_after_s = case.get("wall_s", WALL_S), case.get("kill_after_s")
            while True:
                done, status, used = os.wait4(child, os.WNOHANG)
                if done:
                    break
                if time.monotonic() - began > (wall_s if kill_after_s is None else kill_after_s):
                    os.kill(child, 9)
                time.sleep(0.002)
            texts = []
            for file in (out, err, paths):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "surrogateescape"))
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "cpu_s": used.ru_utime + used.ru_stime,
            "wall_s": time.monotonic() - began,
            "peak_bytes": 1024 * used.ru_maxrss,
            "changes": texts[2].count("\0"),
            "written": sorted(set(filter(None, texts[2].split("\0")))),
            "out": texts[0],
            "err": texts[1],
        }
        print(json.dumps(answer), flush=True)


def in_fork(case: dict[str, Any], paths: int) -> None:
    """Run the command and end the process as Python would."""
    import resource
    import traceback

    code = 1
    try:
        arguments = [os.fsdecode(argument.encode("utf-8", "surrogateescape")) for argument in case["arguments"]]
        os.chdir(case["folder"])
        exec(case.get("setup", ""), {})
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 4 * MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # rather than the whole machine's memory
        watch(paths, case.get("kill_at_write"))
        from ctxaudio.cli import main

        code = main(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def beneath(path: Any, folder: Any) -> Any:
    """A path as `shutil.rmtree` gives it, from the descriptor of its folder."""
    if not isinstance(folder, int) or folder < 0:
        return path
    return Path(f"/proc/self/fd/{folder}").readlink() / os.fsdecode(path)


def watch(paths: int, kill_at_write: int | None) -> None:
    """Note every path that is written to, and kill the process right before change number `kill_at_write`."""
    changes = 0
    pathless = (int, type(None))

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, pathless) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                return
            changed = [path]
        elif event in ("os.rename", "os.link", "os.symlink"):
            changed = list(arguments[:2])
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod"):
            changed = [beneath(arguments[0], arguments[-1])]
        else:
            return
        for path in changed:
            if not isinstance(path, pathless):
                changes += 1
                if changes == kill_at_write:
                    os.kill(os.getpid(), 9)
                os.write(paths, os.path.abspath(os.fsencode(path)) + b"\0")  # noqa: PTH100

    sys.addaudithook(note)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
