"""Transforms and powers keep 32 bits where `torch.autocast` halves the rest: a power of 1e-8 has no place in 16."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])


def in_float32(function: Function) -> Function:
    """Make `function` take its half-precision tensors in 32 bits, and work in 32 bits, under `torch.autocast` as well.

    >>> product = in_float32(torch.matmul)
    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     product(torch.ones(1, 1), torch.ones(1, 1, dtype=torch.bfloat16)).dtype
    torch.float32
    """

    @functools.wraps(function)
    def whole(*given: Any, **named: Any) -> Any:
        device = next(value.device.type for value in given if isinstance(value, Tensor))
        if not torch.is_autocast_enabled(device):
            return function(*given, **named)
        with torch.autocast(device, enabled=False):
            named = {name: whole_precision(value) for name, value in named.items()}
            return function(*(whole_precision(value) for value in given), **named)

    return whole  # type: ignore[return-value]


def whole_precision(value: Any) -> Any:
    half = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value
