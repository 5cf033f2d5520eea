"""Two processes on the CPU through Lightning Fabric (extra `distributed`)."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import ctxaudio
from ctxaudio.data.batches import ClipBatches
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.training.config import TrainingConfig
from ctxaudio.training.engine import Engine, engine_for
from ctxaudio.training.state import resume

pytest.importorskip("lightning_fabric", reason="the extra `distributed` is not installed")

import two_processes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two_conditions(clips: PreparedClips) -> PreparedClips:
    kept = tuple(replace(clip, condition=min(1, clip.condition)) for clip in clips.clips)
    return replace(clips, clips=kept, condition_names=("Rain", "Wind"))


@pytest.fixture(scope="module")
def done(folder: Path, two_conditions: PreparedClips) -> dict[str, Any]:
    torch.save(two_conditions, folder / "clips.pt")
    batch = ClipBatches(two_conditions, "train", 44100, 4, torch.Generator().manual_seed(3)).next()
    torch.save(batch, folder / "batch.pt")
    command = [sys.executable, two_processes.__file__, str(folder)]
    package = Path(ctxaudio.__file__).parent.parent  # this one, whichever is installed
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(package)}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return torch.load(folder / "done.pt")


def test_both_hold_the_same_weights_though_they_drew_different_crops(done: dict[str, Any]) -> None:
    first, second = done["trained"]
    assert torch.equal(first, second)
    assert not torch.equal(*done["first_crops"])


def test_two_halves_of_a_batch_are_as_the_whole_in_one_process(
    done: dict[str, Any], folder: Path, two_conditions: PreparedClips
) -> None:
    batch = torch.load(folder / "batch.pt", weights_only=False)
    whole = two_processes.without_noise(two_conditions, Engine(), batch)
    start = two_processes.weights(two_processes.begin(two_conditions, Engine()))
    moved = (whole - start).abs()
    assert float(moved.max()) > 1e-4
    first, second = done["halved"]
    assert torch.equal(first, second)
    # Adam divides by the gradient's size: where that is next to nothing, rounding may turn a step round
    assert float(((first - whole).abs() > 1e-5).float().mean()) < 0.02
    assert float((first - whole).norm() / (whole - start).norm()) < 0.05


def test_a_run_of_two_is_taken_up_by_two_and_by_no_other_number(
    done: dict[str, Any], folder: Path, two_conditions: PreparedClips
) -> None:
    assert torch.equal(done["resumed"][0], done["trained"][0])
    assert [float(same) for same in done["same_crops_after"]] == [1.0, 1.0]
    with pytest.raises(CtxAudioError, match="is of 2 processes, not 1: resume with as many devices"):
        resume(two_processes.begin(two_conditions, Engine()), folder / "run")


def test_only_the_first_writes_and_what_one_says_all_hear(done: dict[str, Any], folder: Path) -> None:
    assert done["one_says_yes"] == [True, False] and done["broadcast"] == 0
    written = sorted(path.name for path in (folder / "run").rglob("*") if path.is_file())
    assert written == ["best.json", "best.safetensors", "latest.pt", "losses.csv", "scores.csv"]


def test_more_devices_than_there_are_is_said() -> None:
    with pytest.raises(CtxAudioError, match="is not to be had here"):
        engine_for(TrainingConfig(device="cuda:0" if torch.cuda.is_available() else "cuda", devices=64))
