"""Recipes for drums: single hits, and the patterns that are played with them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from ctxaudio.data.recipes.grains import (
    SAMPLE_RATE,
    Samples,
    add_at,
    at_level,
    band_noise,
    glide,
    impulses_at,
    log_uniform,
    ring,
    room,
)
from ctxaudio.data.recipes.textures import Recipe


def kick_hit(rng: np.random.Generator) -> Samples:
    """A falling sine with a click of the beater."""
    seconds = np.arange(int(0.5 * SAMPLE_RATE)) / SAMPLE_RATE
    end_hz, drop_hz = rng.uniform(45, 65), rng.uniform(60, 160)
    body = np.sin(2 * np.pi * glide(end_hz + drop_hz * np.exp(-seconds / 0.025))) * np.exp(
        -seconds / rng.uniform(0.08, 0.18)
    )
    click = band_noise(rng, seconds.size, 800, 4000) * np.exp(-seconds / 0.004)
    return body + rng.uniform(0.05, 0.15) * click


def snare_hit(rng: np.random.Generator) -> Samples:
    """Two modes of the head and the rattle of the wires."""
    seconds = np.arange(int(0.4 * SAMPLE_RATE)) / SAMPLE_RATE
    blow = impulses_at([0.0], [1.0], seconds.size)
    head_hz = rng.uniform(165, 230)
    head = ring(blow, head_hz, 0.25) + 0.6 * ring(blow, 1.65 * head_hz, 0.18)
    wires = band_noise(rng, seconds.size, 1500, 9000, 9.0) * np.exp(-seconds / rng.uniform(0.04, 0.09))
    return head / np.abs(head).max() * 0.6 + rng.uniform(0.25, 0.45) * wires


def hat_hit(rng: np.random.Generator, open_s: float) -> Samples:
    """Six inharmonic metal tones and noise above 6 kHz, damped in `open_s`."""
    seconds = np.arange(int(max(0.1, 4 * open_s) * SAMPLE_RATE)) / SAMPLE_RATE
    tones = np.sign(np.sin(2 * np.pi * np.outer(rng.uniform(3000, 9000, 6), seconds))).sum(axis=0) / 6
    noise = band_noise(rng, seconds.size, 6500, 13000, 30.0)
    bright = np.diff(tones, prepend=0.0) * 0.5 + 0.5 * noise
    return bright * np.exp(-seconds / open_s)


def tabla_hits(rng: np.random.Generator) -> tuple[Samples, Samples, Samples]:
    """Na (a ringing, nearly harmonic head), tin (the same, damped differently) and ge (a bass that bends upwards)."""
    seconds = np.arange(int(0.9 * SAMPLE_RATE)) / SAMPLE_RATE
    blow, pitch_hz = impulses_at([0.0], [1.0], seconds.size), rng.uniform(240, 360)
    slap = band_noise(rng, seconds.size, 1000, 6000) * np.exp(-seconds / 0.004)
    high = [
        sum(gain * ring(blow, pitch_hz * order, 0.9 / order**0.6) for order, gain in enumerate(gains, 1))
        for gains in ((0.2, 1.0, 0.8, 0.4, 0.25), (1.0, 0.5, 0.15, 0.1, 0.05))
    ]
    bend_hz = rng.uniform(70, 95) * (1 + 0.35 * (1 - np.exp(-seconds / 0.12)))
    ge = np.sin(2 * np.pi * glide(bend_hz)) * np.exp(-seconds / 0.22)
    na, tin = (at_level(np.asarray(tone), 0.15) + 0.15 * slap for tone in high)
    return na, tin, 0.6 * ge + 0.08 * slap


def beats(rng: np.random.Generator, length: int) -> Samples:
    """Times in seconds of the sixteenths that fill the clip, at 90 to 140 beats a minute."""
    return np.arange(0.03, length / SAMPLE_RATE - 0.1, 15 / rng.uniform(90, 140))


def pattern(
    rng: np.random.Generator, times_s: Samples, length: int, hit: Samples, chances: tuple[float, ...]
) -> Samples:
    """Play `hit` on the sixteenths of `times_s`, step n of the bar with probability `chances[n]` (cycled)."""
    total = np.zeros(length)
    for n, time_s in enumerate(times_s):
        if rng.random() < chances[n % len(chances)]:
            add_at(total, time_s, rng.uniform(0.7, 1.0) * hit)
    return total


def bass_drum(rng: np.random.Generator, length: int) -> Samples:
    return room(rng, pattern(rng, beats(rng, length), length, kick_hit(rng), (1, 0, 0, 0.1)), 0.3, 0.05)


def snare_drum(rng: np.random.Generator, length: int) -> Samples:
    chances = (1, 0.1, 0.4, 0.2) if rng.random() < 0.5 else (0, 0, 0, 0, 1, 0, 0, 0.15)
    return room(rng, pattern(rng, beats(rng, length), length, snare_hit(rng), chances), 0.5, 0.15)


def hi_hat(rng: np.random.Generator, length: int) -> Samples:
    times_s, closed_s = beats(rng, length), log_uniform(rng, 0.02, 0.05)
    closed = pattern(rng, times_s, length, hat_hit(rng, closed_s), (1, 0.3, 0.9, 0.3))
    return closed + pattern(rng, times_s, length, hat_hit(rng, rng.uniform(0.12, 0.25)), (0, 0, 0.15, 0))


def drum_kit(rng: np.random.Generator, length: int) -> Samples:
    """Bass drum on one and three, snare on two and four, hi-hat on eighths."""
    times_s = beats(rng, length)
    kick = pattern(rng, times_s, length, kick_hit(rng), (1, 0, 0, 0.15, 0, 0, 0.3, 0.1, 1, 0, 0.4, 0, 0, 0, 0.2, 0))
    snare = pattern(rng, times_s, length, snare_hit(rng), (0, 0, 0, 0, 1, 0, 0, 0.15))
    hat = pattern(rng, times_s, length, hat_hit(rng, log_uniform(rng, 0.02, 0.07)), (1, 0.15, 0.95, 0.15))
    return room(rng, kick + 0.8 * snare + 0.35 * hat, 0.4, 0.1)


def tabla(rng: np.random.Generator, length: int) -> Samples:
    times_s = beats(rng, length)
    na, tin, ge = tabla_hits(rng)
    total = pattern(rng, times_s, length, na, (0.9, 0.1, 0.5, 0.2)) + pattern(
        rng, times_s, length, tin, (0.1, 0.4, 0.2, 0.4)
    )
    return room(rng, total + pattern(rng, times_s, length, ge, (0.9, 0, 0.1, 0.1, 0.2, 0, 0.4, 0)), 0.4, 0.1)


DRUMS: Mapping[str, Recipe] = MappingProxyType(
    {
        "Drum_kit": drum_kit,
        "Snare_drum": snare_drum,
        "Bass_drum": bass_drum,
        "Hi-hat": hi_hat,
        "Tabla": tabla,
    }
)
