"""Synthetic sounds of different kinds, and their features, for the tests of the evaluation."""

from __future__ import annotations

import numpy as np

from ctxaudio.evaluation.distances import texture_features

RATE = 22050
TIME_S = np.arange(2 * RATE) / RATE


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    return (0.05 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def pulsed(seed: int, rate_hz: float = 5.0) -> np.ndarray:
    return noise(seed) * (np.sin(2 * np.pi * rate_hz * TIME_S + seed) > 0.5)


def gusts(seed: int, rate_hz: float = 4.0, seconds: float = 2.0) -> np.ndarray:
    """Noise whose level goes up and down at random, about `rate_hz` times a second: no two are alike in time."""
    random = np.random.default_rng(seed + 1000)
    count = round(seconds * rate_hz * 2) + 2
    level = np.interp(np.arange(round(seconds * RATE)) * (count - 1) / (seconds * RATE), np.arange(count),
                      random.lognormal(0.0, 1.0, count))  # fmt: skip
    return (noise(seed, seconds) * level).astype(np.float32)


def tone(frequency_hz: float, rate_hz: float, depth: float) -> np.ndarray:
    sound = (1 + depth * np.sin(2 * np.pi * rate_hz * TIME_S)) * np.sin(2 * np.pi * frequency_hz * TIME_S)
    return (0.1 * sound).astype(np.float32)


def windows(clips: list[np.ndarray]) -> list[np.ndarray]:
    return [texture_features(clip.astype(np.float32), RATE) for clip in clips]


def modulated_noise(rate_hz: float, depth: float, seed: int = 0, seconds: float = 4.0) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE)) / RATE
    samples = 0.05 * np.random.default_rng(seed).standard_normal(len(time_s))
    return (samples * (1 + depth * np.sin(2 * np.pi * rate_hz * time_s))).astype(np.float32)
