"""Tones that carry a rate: amplitude modulation, isochronic pulses, monaural and binaural beats.

Two tones f - r/2 and f + r/2 beat at r when they meet: in the air (monaural) or, one in each ear, in the listener
(binaural; then no ear hears anything go up and down). Oster 1973, doi:10.1038/scientificamerican1073-94.
"""

from __future__ import annotations

import numpy as np

from ctxaudio.files import FloatArray
from ctxaudio.modulation.profile import Rate, Tone
from ctxaudio.render.envelope_gain import envelope_gain
from ctxaudio.render.tracks import Track, rotation
from ctxaudio.signal.loudness import integrated_lufs


def tone_track(tone: Tone) -> Track:
    """The steady track of a tone without a schedule."""
    pulse = tone.pulse if tone.kind == "isochronic" else None
    return Track.steady(Rate(tone.rate_hz, tone.depth, 0.0, pulse, tone.jitter))


def tone_block(tone: Tone, track: Track, start: int, length: int, sample_rate: int) -> FloatArray:
    """`[tone.channels, length]` of the tone from sample `start` on, each channel with the power of a sine of peak 1."""
    if tone.kind in ("am", "isochronic"):
        wave = _carrier(tone, start, length, sample_rate).imag
        return (wave * envelope_gain([track], start, length, sample_rate))[None]
    # half of the beat's turns to either side of the carrier
    beat = np.empty(length, dtype=np.complex64)
    depth = np.empty(length, dtype=np.float32)
    offset = 0
    for piece in track.pieces(start, length, sample_rate):
        here = slice(offset, offset + piece.length)
        beat[here] = np.exp(1j * (np.pi * (piece.turns_at(sample_rate) % 2.0)).astype(np.float32))
        depth[here] = piece.depth_at(sample_rate)
        offset += piece.length
    if tone.depth == 0.0:  # the control: no second tone to beat with
        beat[:] = 1.0
    carrier = _carrier(tone, start, length, sample_rate)
    lower, higher = (carrier * beat.conj()).imag, (carrier * beat).imag
    if tone.kind == "binaural":
        return np.stack([lower, higher]).astype(np.float32)
    return ((lower + depth * higher) / np.sqrt(1.0 + depth**2)).astype(np.float32)[None]


def _carrier(tone: Tone, start: int, length: int, sample_rate: int) -> np.ndarray[tuple[int], np.dtype[np.complex64]]:
    cycles = tone.carrier_hz / sample_rate
    return rotation((cycles * start) % 1.0, cycles, length)


def tone_lufs(tone: Tone, sample_rate: int, channels: int) -> float:
    """Loudness in LUFS of the unscaled tone in a file of `channels`, all of which carry it."""
    steady = _carrier(tone, 0, 2 * sample_rate, sample_rate).imag
    return integrated_lufs(steady, sample_rate) + 10.0 * float(np.log10(channels))
