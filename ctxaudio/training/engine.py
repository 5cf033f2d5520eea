"""What a training runs on: one device and one precision, so that the loop need not know which.

`model.fabric_engine` is the same over several devices or machines.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.utils._pytree import tree_map

from ctxaudio.errors import CtxAudioError
from ctxaudio.training.config import TrainingConfig

Result = TypeVar("Result")

HALF = {"bf16": torch.bfloat16, "16": torch.float16}


class Engine:
    """One device.

    Args:
        device: cpu, cuda, cuda:1 ...
        precision: "32"; "bf16" or "16" for `torch.autocast`, "16" with scaled losses (Micikevicius et al. 2018,
            arXiv:1710.03740), for its smallest number is 6e-8.

    Raises `CtxAudioError` for a device that is not there.
    """

    rank = 0
    world_size = 1

    def __init__(self, device: str = "cpu", precision: str = "32") -> None:
        self.device = existing_device(device)
        self.half = HALF.get(precision)
        self.scaler = GradScaler(self.device.type, enabled=precision == "16")
        if self.device.type == "cuda":
            # 32 means 32 (no TF32) and the same run twice; the other precisions are asked for because they are fast
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.half is not None
            torch.backends.cudnn.benchmark = self.half is not None
            torch.backends.cudnn.deterministic = self.half is None

    def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """`function(*arguments)` in the engine's precision; the tensors that come out are in 32 bits again."""
        if self.half is None:
            return function(*arguments)
        with torch.autocast(self.device.type, self.half):
            result = function(*arguments)
        return tree_map(in_32_bits, result)

    def descend(self, loss: Tensor, optimizer: torch.optim.Optimizer, largest_norm: float = math.inf) -> None:
        """One update of the optimizer's parameters down the gradient of `loss`, the gradient's norm limited."""
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        moved = [p for group in optimizer.param_groups for p in group["params"]]
        for p in moved:
            if p.grad is None:  # a batch without partials leaves their gains alone here, and another process may not
                p.grad = torch.zeros_like(p)
        self.average([p.grad for p in moved if p.grad is not None])
        self.scaler.unscale_(optimizer)
        if largest_norm < math.inf:
            torch.nn.utils.clip_grad_norm_(moved, largest_norm)
        self.scaler.step(optimizer)
        self.scaler.update()

    def average(self, tensors: list[Tensor]) -> None:
        """Put the mean over all processes in the place of each tensor; with one process nothing is to do."""

    def any(self, flag: bool) -> bool:
        """Whether any process says so; all get the same answer."""
        return flag

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """`tensor` of each process, in the order of ranks."""
        return [tensor]

    def broadcast(self, made: Callable[[], Result]) -> Result:
        """What the first process makes, for all."""
        return made()

    def random_state(self) -> Tensor:
        """The state of torch's own random numbers, those of the device included, as bytes."""
        state = torch.get_rng_state()
        return torch.cat([state, torch.cuda.get_rng_state(self.device)]) if self.device.type == "cuda" else state

    def set_random_state(self, state: Tensor) -> None:
        size = len(torch.get_rng_state())
        torch.set_rng_state(state[:size])
        if self.device.type == "cuda" and len(state) > size:
            torch.cuda.set_rng_state(state[size:], self.device)

    @contextlib.contextmanager
    def preserve_rng(self) -> Iterator[None]:
        """Inside, random numbers may be drawn: the training goes on as if none had been."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            yield

    @contextlib.contextmanager
    def rank_zero_stdout(self) -> Iterator[None]:
        """Inside, only the first process prints."""
        with contextlib.nullcontext() if self.rank == 0 else contextlib.redirect_stdout(io.StringIO()):
            yield


def in_32_bits(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.is_floating_point() else value


def existing_device(name: str) -> torch.device:
    """The device of that name; raises `CtxAudioError` where it is not to be had."""
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise CtxAudioError(f"device {name!r} is not to be had here: use --device cpu") from error
    return torch.device(name)


def engine_for(config: TrainingConfig) -> Engine:
    """One device, or where `config` wants more, Lightning Fabric's processes (extra `distributed`)."""
    if config.devices == config.num_nodes == 1:
        return Engine(config.device, config.precision)
    existing_device(config.device)
    try:
        from ctxaudio.training.fabric_engine import FabricEngine
    except ImportError as error:
        mend = "pip install 'ctxaudio[distributed]'"
        raise CtxAudioError(f"--devices and --num_nodes need {error.name}: {mend}") from error
    return FabricEngine(config.device, config.precision, config.devices, config.num_nodes)
