"""Beds: sound without end and without joints, in blocks, each made from the seed and its number alone.

A block can be made without those before it, so a session can be taken up anywhere. Neighbouring pieces overlap and
are crossfaded with equal power: they are independent, so their powers add and the level stays. Two pieces that are one
recording going on are copies where they overlap, and there the amplitudes add up.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import torch

from ctxaudio.data.prepare import seamless_loop
from ctxaudio.files import FloatArray
from ctxaudio.model.generator import Generator
from ctxaudio.model.style import Style
from ctxaudio.modulation.layer import modulated
from ctxaudio.modulation.schedule import Modulation, Schedule
from ctxaudio.render.generate import LUFS, trained_condition, trained_conditions
from ctxaudio.signal.audio import AudioReader, fade_gain, resample
from ctxaudio.signal.loudness import loudness_of
from ctxaudio.workers import made_in_order

BLOCK_S = 10.0
FADE_S = 1.0
PIECES_A_SCENE = 120
WARM_UP_S = 1.0


class Bed(ABC):
    """Blocks `[channels, block_samples]` at `sample_rate`, each at about -27 LUFS."""

    level_db = 0.0  #: how much louder its blocks are instead
    goes_on = False  #: each piece begins with what ends the one before
    conditions: tuple[str, ...] = ()  #: what a generator makes of it

    def __init__(self, sample_rate: int, channels: int, seed: int) -> None:
        self.sample_rate, self.channels, self.seed = sample_rate, channels, seed
        self.block_samples, self.fade_samples = round(BLOCK_S * sample_rate), round(FADE_S * sample_rate)
        self.piece_samples = self.block_samples + self.fade_samples

    @abstractmethod
    def piece(self, number: int) -> FloatArray:
        """Piece `number`, `[channels, piece_samples]`: its end is faded into the next."""

    def blocks(self, first: int = 0) -> Iterator[FloatArray]:
        """Blocks from number `first` on, without end; the next pieces are made meanwhile, on both cores."""
        angle = (np.arange(self.fade_samples, dtype=np.float32) + 0.5) / self.fade_samples * (np.pi / 2)
        power = 2 if self.goes_on else 1
        rising, falling = np.sin(angle) ** power, np.cos(angle) ** power
        tail = self.piece(first - 1)[:, self.block_samples :] if first else None
        for piece in made_in_order(self.piece, count(first)):
            if tail is not None:
                piece[:, : self.fade_samples] = rising * piece[:, : self.fade_samples] + falling * tail
            tail = piece[:, self.block_samples :]
            yield np.float32(10.0 ** (self.level_db / 20.0)) * piece[:, : self.block_samples]


class GeneratedBed(Bed):
    """Pieces from a trained generator; their style goes from one to another in twenty minutes.

    Two channels share the courses that the network makes and have noise of their own (decorrelated stereo). To each
    condition that `schedule` names it crosses over with equal power, within the schedule's glide (10 s or more).
    """

    def __init__(
        self, generator: Generator, condition: int | str, channels: int, seed: int, schedule: Schedule | None = None
    ) -> None:
        super().__init__(generator.config.sample_rate, channels, seed)
        self.generator = generator.eval()
        asked, trained = trained_condition(generator, condition), trained_conditions(generator)
        first = asked if asked >= 0 else trained[int(np.random.default_rng((seed,)).integers(len(trained)))]
        later = schedule.conditions() if schedule else []
        named = {0.0: first} | {second: trained_condition(generator, name) for second, name in later}
        self.crossings = list(named.items())
        self.condition = self.crossings[0][1]
        self.conditions = tuple(generator.config.conditions[index] for index in dict.fromkeys(named.values()))
        self.glide_s = max(schedule.glide_s if schedule else 0.0, BLOCK_S)

    def conditions_at(self, second: float) -> list[tuple[int, float]]:
        """The conditions that are heard then, each with its amplitude."""
        begun = [crossing for crossing in self.crossings if crossing[0] <= second][-2:]
        (_, before), (begins, condition) = begun[0], begun[-1]
        way = min(1.0, (second - begins) / self.glide_s)
        if before == condition or way == 1.0:
            return [(condition, 1.0)]
        return [(before, float(np.cos(way * np.pi / 2))), (condition, float(np.sin(way * np.pi / 2)))]

    def character(self, number: int, condition: int) -> tuple[torch.Tensor, Style]:
        """Latent `[1, L]` and style of a piece: on the way from one scene's to the next, in steps too small
        to be heard. Halfway the latent keeps its length, as the powers of two independent ones add."""
        scene, place = divmod(number, PIECES_A_SCENE)
        way, size = place / PIECES_A_SCENE, (1, self.generator.config.latent_dim)
        randoms = [np.random.default_rng((self.seed, here, 0)) for here in (scene, scene + 1)]
        latents = [torch.from_numpy(random.standard_normal(size)) for random in randoms]
        this, following = (self.generator.bank(latent.float(), torch.tensor([condition])) for latent in latents)
        latent = np.cos(way * np.pi / 2) * latents[0] + np.sin(way * np.pi / 2) * latents[1]
        return latent.float(), this.crossfade(following, way)

    def piece(self, number: int) -> FloatArray:
        parts = []
        for condition, share in self.conditions_at((number + 0.5) * BLOCK_S):
            # noise of its own for each condition, so that the powers of two add
            own = (1,) if condition == self.condition else (2, condition)
            drawn = np.random.default_rng((self.seed, number, *own)).integers(2**62)
            random, labels = torch.Generator().manual_seed(int(drawn)), torch.tensor([condition])
            with torch.inference_mode():
                latent, style = self.character(number, condition)
                sound = self.generator.unmodulated(latent, labels, self.piece_samples, style, random, self.channels)
            made = np.asarray(sound.numpy(), np.float32)
            lufs = loudness_of([made], self.sample_rate, self.channels, "what the generator made")
            parts.append(np.float32(share) * (made * np.float32(10.0 ** ((LUFS - lufs) / 20.0))))
        return np.asarray(np.sum(parts, axis=0))


class RecordingBed(Bed):
    """A recording: from start to end where it is long enough for `seconds`, else excerpts of it in random order.

    With a gap it is heard now and then instead: the whole of it, or an excerpt of 10 s, and about `gap_s` of silence.

    Raises `CtxAudioError` for a recording that is silent, and as `AudioReader` for one that can't be read.
    """

    def __init__(
        self, path: Path, channels: int, seed: int, seconds: float, sample_rate: int | None = None, gap_s: float = 0.0
    ) -> None:
        reader = AudioReader(path)
        self.path, self.native_rate, self.frames = path, reader.sample_rate, reader.frames
        super().__init__(sample_rate or self.native_rate, channels, seed)
        lufs = loudness_of(map(self._converted, reader.blocks(BLOCK_S)), self.sample_rate, channels, path)
        self.gain = np.float32(10.0 ** ((LUFS - lufs) / 20.0))
        self.needed = round((BLOCK_S + FADE_S) * self.native_rate)
        self.every = 1 + math.ceil(gap_s / BLOCK_S)
        self.goes_on = self.every == 1 and self.frames >= (seconds + FADE_S) * self.native_rate

    def piece(self, number: int) -> FloatArray:
        """An excerpt at the recording's own rate, resampled; a short recording is folded into a loop first."""
        if number % self.every:
            return np.zeros((self.channels, self.piece_samples), dtype=np.float32)
        start = round(number * BLOCK_S * self.native_rate)
        if not self.goes_on:
            start = int(np.random.default_rng((self.seed, number)).integers(max(1, self.frames - self.needed + 1)))
        excerpt = with_channels(next(AudioReader(self.path).blocks(BLOCK_S + FADE_S, start)), self.channels)
        if self.every > 1:
            # after the second in which a piece is faded in, which would take the attack
            samples = excerpt.shape[1]
            excerpt = excerpt * fade_gain(0, samples, samples, round(0.01 * self.native_rate) if start else 0, 0)
            excerpt = np.pad(excerpt, ((0, 0), (round(FADE_S * self.native_rate), 0)))[:, : self.needed]
        elif self.frames < self.needed:
            fade = round(min(FADE_S, self.frames / self.native_rate / 4) * self.native_rate)
            loops = [seamless_loop(channel, fade) for channel in excerpt]
            at = int(np.random.default_rng((self.seed, number, 1)).integers(len(loops[0])))
            excerpt = np.stack([loop[(at + np.arange(self.needed)) % len(loop)] for loop in loops])
        piece = self._converted(excerpt)[:, : self.piece_samples]
        return np.pad(piece, ((0, 0), (0, self.piece_samples - piece.shape[1]))) * self.gain

    def _converted(self, sound: FloatArray) -> FloatArray:
        """To the bed's channels and rate."""
        rows = with_channels(sound, self.channels)
        return np.stack([resample(row, self.native_rate, self.sample_rate) for row in rows])


def with_channels(sound: FloatArray, channels: int) -> FloatArray:
    """`[C, T]` as `[channels, T]`: one channel is the mean of all, two are the first two or the one twice."""
    if channels == 1:
        return sound.mean(axis=0, keepdims=True, dtype=np.float32)
    return np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound[:2]


def rendered_blocks(
    beds: Sequence[Bed], modulation: Modulation, total_samples: int, start_sample: int = 0
) -> Iterator[FloatArray]:
    """Modulated blocks `[channels, T]` of the sum of `beds`, the samples `start_sample` .. `total_samples`.

    Taken up in the middle, it begins with the block before, so that no kernel misses its past.
    """
    bed = beds[0]
    first = max(0, (start_sample - round(WARM_UP_S * bed.sample_rate)) // bed.block_samples)
    together = zip(*(each.blocks(first) for each in beds), strict=True)
    mixed = (np.asarray(np.sum(blocks, axis=0, dtype=np.float32)) for blocks in together)
    at = first * bed.block_samples
    for block in modulated(mixed, modulation, bed.sample_rate, bed.channels, LUFS, at):
        yield block[:, max(0, start_sample - at) : total_samples - at]
        at += block.shape[1]
        if at >= total_samples:
            return
