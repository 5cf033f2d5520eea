"""Training on several devices or machines: processes started and joined by Lightning Fabric.

Each process draws crops of its own; the gradients are averaged in one all-reduce an update, so that all hold the
same weights. Fabric's own wrapping of modules (`DistributedDataParallel`) is left aside: it counts on one backward
pass a forward pass, while here two networks take turns on the same sound.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor

from ctxaudio.errors import CtxAudioError
from ctxaudio.training.engine import Engine

Result = TypeVar("Result")


class FabricEngine(Engine):
    """`devices` processes on each of `num_nodes` machines, this one being the `rank`-th of `world_size`.

    On one machine the others are started from here with the same command line; with several machines start each
    with the variables that Fabric reads (NODE_RANK, MASTER_ADDR, MASTER_PORT), or all with torchrun.
    """

    def __init__(self, device: str, precision: str, devices: int, num_nodes: int) -> None:
        kind = torch.device(device)
        if kind.index is not None:
            raise CtxAudioError(f"--device {device} is one device: give --device {kind.type} with --devices {devices}")
        found = torch.cuda.device_count() if kind.type == "cuda" else devices
        if devices > found:
            raise CtxAudioError(f"--devices {devices}: this machine has {found} of {kind.type}")
        self.fabric: Fabric = Fabric(accelerator=kind.type, devices=devices, num_nodes=num_nodes, strategy="ddp")
        self.fabric.launch()
        super().__init__(str(self.fabric.device), precision)
        self.rank, self.world_size = self.fabric.global_rank, self.fabric.world_size

    def average(self, tensors: list[Tensor]) -> None:
        whole = torch.cat([tensor.flatten() for tensor in tensors])
        mean = self.fabric.all_reduce(whole, reduce_op="mean")
        assert isinstance(mean, Tensor)
        for tensor, part in zip(tensors, mean.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def any(self, flag: bool) -> bool:
        count = self.fabric.all_reduce(torch.tensor(float(flag), device=self.device), reduce_op="sum")
        assert isinstance(count, Tensor)
        return float(count) > 0

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        together = self.fabric.all_gather(tensor.to(self.device))
        assert isinstance(together, Tensor)
        return [part.clone() for part in together.cpu()]

    def broadcast(self, made: Callable[[], Result]) -> Result:
        sent: Any = self.fabric.broadcast(made() if self.rank == 0 else None, src=0)
        return sent
