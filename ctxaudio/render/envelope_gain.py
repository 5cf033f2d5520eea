"""The envelope gain of several tracks at once, as `signal.modulation` defines it, for any stretch of time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ctxaudio.modulation.profile import Pulse
from ctxaudio.modulation.waves import mean_and_variance, pulses
from ctxaudio.render.tracks import Piece, Track, rotation

Gain = npt.NDArray[np.float32]


def envelope_gain(tracks: Sequence[Track], start: int, length: int, sample_rate: int) -> Gain:
    """`(1 + sum m w) / rms` `[length]` from sample `start` on, so that steady sound keeps its power."""
    numerator = np.ones(length, dtype=np.float32)
    mean = np.ones(length, dtype=np.float32) if any(track.pulse for track in tracks) else 1.0
    variance: npt.NDArray[np.float32] | float = 0.0
    for track in tracks:
        offset, varies = 0, np.zeros(length, dtype=np.float32)
        for piece in track.pieces(start, length, sample_rate):
            here = slice(offset, offset + piece.length)
            depth = piece.depth_at(sample_rate)
            numerator[here] += depth * wave(piece, track.phase, track.pulse, sample_rate)
            wave_mean, wave_variance = mean_and_variance(track.pulse, piece.rate_hz)
            if wave_mean:
                mean[here] += depth * wave_mean  # type: ignore[index]
            varies[here] = np.square(depth) * wave_variance
            offset += piece.length
        variance = variance + (float(varies[0]) if length and (varies == varies[0]).all() else varies)
    return np.asarray(numerator / np.sqrt(np.square(mean) + variance), dtype=np.float32)


def wave(piece: Piece, phase: float, pulse: Pulse | None, sample_rate: int) -> npt.NDArray[np.float32]:
    """The wave between -1 and 1, `[piece.length]`."""
    shift = phase / (2.0 * math.pi)
    if pulse is None and piece.is_steady:
        return rotation(piece.turns + shift, piece.rate_hz / sample_rate, piece.length).imag
    turns = (piece.turns_at(sample_rate) + shift) % 1.0
    if pulse is None:
        return np.sin((2.0 * np.pi * turns).astype(np.float32))
    ramp = pulse.ramp_turns(piece.rate_hz)
    return pulses(torch.from_numpy(turns), pulse.duty, ramp).numpy().astype(np.float32)
