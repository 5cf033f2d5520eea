"""Everything that changes while training, and its checkpoint: a training taken up is as one that never stopped."""

from __future__ import annotations

import io
import zipfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ctxaudio.data.prepare import Batches
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import written_whole
from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.generator import Generator

#: What each step gives a number for, and the columns of the log.
TERMS = ("discriminator", "adversarial", "condition", "texture", "diversity")
HISTORY_COLUMNS = ("step", "epoch", "seconds", *TERMS)
LATEST = Path("checkpoints") / "latest.pt"
#: The parts of a training that give and take a state of their own, and its counts.
STATEFUL = ("generator", "discriminator", "averaged", "generator_optimizer", "discriminator_optimizer")
COUNTS = ("step", "epoch", "seconds")


@dataclass
class Training:
    """Networks, optimisers, sources of randomness, and what came of them so far.

    `averaged`, the moving average of the generator's weights, is the one to keep: it wobbles less than the last step.
    """

    generator: Generator
    discriminator: Discriminator
    averaged: Generator
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    batches: Batches
    random: torch.Generator
    context: str
    device: torch.device
    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False
    init_from: dict[str, Any] = field(default_factory=dict)


def random_state(device: torch.device) -> Tensor:
    """The state of torch's own random numbers, those of the device included, as bytes."""
    state = torch.get_rng_state()
    return torch.cat([state, torch.cuda.get_rng_state(device)]) if device.type == "cuda" else state


def set_random_state(device: torch.device, state: Tensor) -> None:
    size = len(torch.get_rng_state())
    torch.set_rng_state(state[:size])
    if device.type == "cuda" and len(state) > size:
        torch.cuda.set_rng_state(state[size:], device)


def preserve_rng(device: torch.device) -> AbstractContextManager[None]:
    """Inside, random numbers may be drawn: the training goes on as if none had been."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def checkpoint(training: Training, output_dir: Path) -> None:
    """Write the whole training state and the logs."""
    state = {
        **{name: getattr(training, name).state_dict() for name in STATEFUL},
        "batch_random": training.random.get_state(),
        "torch_random": random_state(training.device),
        "progress": {name: getattr(training, name) for name in COUNTS},
        "history": training.history,
        "conditions": training.generator.config.conditions,
        "init_from": training.init_from,
    }
    encoded = io.BytesIO()
    torch.save(state, encoded)
    with written_whole(output_dir / LATEST) as aside:
        aside.write_bytes(encoded.getbuffer())
    write_logs(training, output_dir)


def write_logs(training: Training, output_dir: Path) -> None:
    """`logs/losses.csv`."""
    with written_whole(output_dir / "logs" / "losses.csv") as aside:
        pd.DataFrame(training.history, columns=list(HISTORY_COLUMNS)).to_csv(aside, index=False)


def load_state(path: Path) -> dict[str, Any]:
    """A training checkpoint, read with `weights_only=True`."""
    if not path.is_file():
        raise CtxAudioError(f"nothing to resume: no checkpoint at {path}")
    try:
        with zipfile.ZipFile(path) as archive:  # torch looks at no checksum: damaged weights would be trained on
            if damaged := archive.testzip():
                raise ValueError(damaged)
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch.load raises many kinds for a damaged file, none of them its own
        raise CtxAudioError(f"{path} is damaged or no checkpoint of ours: start again without --resume") from error


def resume(training: Training, output_dir: Path) -> Training:
    """Take up the run whose checkpoint lies in `output_dir`; raises `CtxAudioError` if there is none or it differs."""
    path = output_dir / LATEST
    state = load_state(path)
    try:
        if tuple(state["conditions"]) != training.generator.config.conditions:
            raise ValueError("other conditions")
        for name in STATEFUL:
            getattr(training, name).load_state_dict(state[name])
        for name in COUNTS:
            setattr(training, name, state["progress"][name])
        training.history, training.init_from = list(state["history"]), dict(state["init_from"])
        training.random.set_state(state["batch_random"])
        set_random_state(training.device, state["torch_random"])
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        mend = "resume with the context, sizes and ctxaudio it was begun with"
        raise CtxAudioError(f"{path} is of another configuration: {mend}") from error
    for optimizer in (training.generator_optimizer, training.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"]  # of this run, not of the checkpoint
    return training
