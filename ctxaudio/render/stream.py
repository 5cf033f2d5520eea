"""Sound as a stream of blocks: beds and layers mixed, modulated with one running phase, cut to length and faded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ctxaudio.files import FloatArray
from ctxaudio.render.beds import LUFS, Bed
from ctxaudio.render.modulator import Modulation, Modulator

WARM_UP_S = 1.0


@dataclass(frozen=True)
class Layer:
    """A bed at `level_db` beside -27 LUFS."""

    bed: Bed
    level_db: float = 0.0


def mixed_blocks(layers: Sequence[Layer], first: int = 0) -> Iterator[FloatArray]:
    """The sum of the layers' blocks from number `first` on, each at its level."""
    gains = [np.float32(10.0 ** (layer.level_db / 20.0)) for layer in layers]
    for blocks in zip(*(layer.bed.blocks(first) for layer in layers), strict=True):
        yield np.sum([gain * block for gain, block in zip(gains, blocks, strict=True)], axis=0, dtype=np.float32)


def rendered_blocks(
    layers: Sequence[Layer], modulation: Modulation, total_samples: int, start_sample: int = 0
) -> Iterator[FloatArray]:
    """Modulated blocks `[channels, T]` that join up to the samples `start_sample` .. `total_samples`.

    Taken up in the middle, it begins with the block before, so that no kernel misses its past.
    """
    bed = layers[0].bed
    first = max(0, (start_sample - round(WARM_UP_S * bed.sample_rate)) // bed.block_samples)
    begins = first * bed.block_samples
    modulator = Modulator(modulation, bed.sample_rate, bed.channels, LUFS + layers[0].level_db, begins)
    skip, left = start_sample - begins, total_samples - start_sample
    for block in mixed_blocks(layers, first):
        ready = modulator.process(block)
        kept = ready[:, skip : skip + left]
        skip = max(0, skip - ready.shape[1])
        left -= kept.shape[1]
        if kept.shape[1]:
            yield kept
        if left <= 0:
            return
