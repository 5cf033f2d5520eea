"""Kill -9 at any moment: nothing is torn, and what is started again ends up as if it had never been stopped.

`python -m pytest tests/fuzz --all` kills 200 times, every second time right before a change to a file.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
import torch
from forks import Outcome
from inputs import SMALL, Pool
from loopback import LoopbackServer
from small_fsd50k import sleep_rows, small_fsd50k

from ctxaudio.errors import CtxAudioError
from ctxaudio.fetch.zenodo import FSD50K_RECORD
from ctxaudio.model.checkpoint import load_generator

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are of forks")
TABLE = ("command", "kills", "while it worked", "torn", "other than never stopped")
#: Kills in all, and those that run with the other tests.
KILLS = {"train": (50, 1), "session": (50, 2), "generate": (50, 2), "fetch": (50, 2)}
TRAIN = "train --data_dir CORPUS --output_dir out --num_epochs 3 --batch_size 2 --num_workers 1 --duration 0.5 "
TRAIN += "--save_interval 1 --log_interval 1 --overwrite"
COMMANDS = {
    "train": f"{TRAIN} --from_scratch",
    "session": "session --model_path MODEL --minutes 1 --seed 5 --output_path out/s.flac",
    "generate": "generate --model_path MODEL --num_samples 6 --duration 2 --output_dir out",
    "fetch": "fetch --data_dir out",
}
LIMITS = {"cpu_s": 120, "wall_s": 600.0}
LATEST = Path("out/checkpoints/latest.pt")
#: What a training says of time, and what the machine may do at another pace.
CLOCKS = ("seconds",)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A small FSD50K on loopback; the code that makes `fetch` ask there."""
    small = small_fsd50k(sleep_rows(), folder)
    with LoopbackServer(small.routes) as server:
        zips = {name: str(folder / f"{FSD50K_RECORD[name].name}.zip") for name in ("ground_truth", "metadata")}
        yield f"""
import os
from pathlib import Path
from zenodo_layout import told_of
from ctxaudio.fetch import zenodo
os.environ.update(ZENODO_ENDPOINT={server.url!r}, HF_ENDPOINT={server.url!r})
zenodo.FSD50K_RECORD = {{k: told_of(zenodo.FSD50K_RECORD[k], [Path(path)]) for k, path in {zips!r}.items()}}
"""


@pytest.mark.parametrize("job", COMMANDS)
def test_a_kill_at_any_moment_loses_nothing(
    job: str, pool: Pool, tmp_path: Path, table: Callable[..., None], request: pytest.FixtureRequest
) -> None:
    kills = KILLS[job][0 if request.config.getoption("--all", default=False) else 1]
    places = {"CORPUS": str(pool.inputs.corpus), "MODEL": str(pool.inputs.model)}
    command = [places.get(word, word) for word in COMMANDS[job].split()]
    with served(tmp_path / "served") if job == "fetch" else nullcontext(SMALL) as setup:
        never = tmp_path / "never" / "out"
        never.mkdir(parents=True)
        whole = pool.run(command, never.parent, setup=setup, **LIMITS)
        assert whole.code == 0, whole
        wanted, torn, other, working = kept(never), [], [], 0
        for number in range(kills):
            rng = random.Random(f"{job} {number}")
            moment = {"kill_after_s": rng.uniform(0.0, whole.wall_s)}
            if number % 2:
                moment = {"kill_at_write": rng.randint(1, whole.changes)}
            here = tmp_path / str(number)
            (here / "out").mkdir(parents=True)
            if job == "train" and number % 3 == 2:  # over an earlier training, which is not to be taken up
                earlier = [*command[:-1], "--seed", "9", command[-1]]
                shutil.rmtree(here / "out")
                shutil.copytree(an_earlier(pool, earlier, tmp_path), here / "out")
            before = checkpoint.read_bytes() if (checkpoint := here / LATEST).exists() else None
            working += pool.run(command, here, setup=setup, **LIMITS, **moment).code == -9
            torn += [f"{job} {number} {moment}: {found}" for found in torn_in(here / "out")]
            done = again(job, command, here, pool, setup, before)
            if done.code != 0 or kept(here / "out") != wanted:
                names = {name for name, value in kept(here / "out").items() if value != wanted.get(name)}
                names |= wanted.keys() - kept(here / "out").keys()
                other.append(f"{job} {number} {moment}: {sorted(names)} {done.err[-300:]}")
            left = [path.name for path in here.rglob(".writing-*")] + [path.name for path in here.rglob(".preparing*")]
            torn += [f"{job} {number} {moment}: {left} is left"] if left else []
            shutil.rmtree(here)
    table(TABLE, (job, kills, working, len(torn), len(other)))
    if torn or other:
        pytest.fail("\n".join([*torn, *other]), pytrace=False)


def an_earlier(pool: Pool, command: list[str], folder: Path) -> Path:
    """A finished training with another seed, made once."""
    if not (folder / "earlier").exists():
        (folder / "earlier").mkdir()
        assert pool.run(command, folder / "earlier", setup=SMALL, **LIMITS).code == 0
    return folder / "earlier" / "out"


def again(job: str, command: list[str], here: Path, pool: Pool, setup: str, before: bytes | None) -> Outcome:
    """What a person would type: the same again; a training is taken up, or begun anew where it had not begun."""
    checkpoint = here / LATEST
    if job == "train" and checkpoint.exists() and checkpoint.read_bytes() != before:
        return pool.run([*command[:-1], "--resume"], here, setup=setup, **LIMITS)
    overwriting = ["--overwrite"] if job in ("generate", "session") else []
    return pool.run([*command, *overwriting], here, setup=setup, **LIMITS)


def torn_in(folder: Path) -> list[str]:
    """Files that are there under their own name and not whole."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_bytes())
            elif path.suffix in (".wav", ".flac"):
                assert len(soundfile.read(path)[0])
            elif path.suffix == ".csv":
                assert path.read_bytes().endswith(b"\n")
            elif path.suffix == ".pt":
                torch.load(path, weights_only=True)
            elif path.suffix == ".safetensors":
                load_generator(path)
        except CtxAudioError as error:
            if "is not the file that" not in str(error):  # of the pair, one is new: said so, and mended by --resume
                found.append(f"{path.name}: {error}")
        except Exception as error:
            found.append(f"{path.name}: {error!r}")
    return found


def kept(folder: Path) -> dict[str, Any]:
    """All that is left in a folder, without what the clock says and the locks."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".json":
            found[name] = timeless(json.loads(path.read_bytes()))
        elif path.suffix == ".csv" and path.parent.name == "logs":
            found[name] = pd.read_csv(path).drop(columns=list(CLOCKS), errors="ignore").to_csv()
        elif path.suffix != ".pt" and not path.name.endswith(".lock") and path.suffix != ".png":
            found[name] = hash(path.read_bytes())
    return found


def timeless(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: timeless(value) for name, value in content.items() if name not in CLOCKS}
    return [timeless(value) for value in content] if isinstance(content, list) else content
