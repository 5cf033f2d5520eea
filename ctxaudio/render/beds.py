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
from typing import NamedTuple

import numpy as np
import torch

from ctxaudio.data.batches import seamless_loop
from ctxaudio.files import FloatArray
from ctxaudio.model.generator import Generator
from ctxaudio.model.style_bank import Style
from ctxaudio.modulation.layer import modulated
from ctxaudio.modulation.schedule import Modulation
from ctxaudio.render.generate import LUFS, trained_condition, trained_conditions
from ctxaudio.signal.audio import AudioReader, fade_gain, resample
from ctxaudio.signal.loudness import loudness_of
from ctxaudio.workers import made_in_order

BLOCK_S = 10.0
FADE_S = 1.0
PIECES_A_SCENE = 120
WARM_UP_S = 1.0


class Bed(ABC):
    """Blocks `[channels, block_samples]` at `sample_rate`, each at about -27 LUFS.

    `goes_on`: each piece begins with what ends the one before.
    """

    goes_on = False

    def __init__(self, sample_rate: int, channels: int, seed: int) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self.seed = seed
        self.block_samples = round(BLOCK_S * sample_rate)
        self.fade_samples = round(FADE_S * sample_rate)

    @abstractmethod
    def piece(self, number: int) -> FloatArray:
        """Piece `number`, `[channels, block_samples + fade_samples]`: its end is faded into the next."""

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
            yield piece[:, : self.block_samples]


def random_of(seed: int, *numbers: int) -> np.random.Generator:
    """A generator of random numbers for one place: the same whatever was drawn before."""
    return np.random.default_rng((seed, *numbers))


class GeneratedBed(Bed):
    """Pieces from a trained generator; their style goes from one to another in twenty minutes.

    Two channels share the courses that the network makes and have noise of their own (decorrelated stereo). At each
    (seconds, condition) of `crossings` it crosses over to that condition, with equal power, within `glide_s`.
    """

    def __init__(
        self,
        generator: Generator,
        condition: int | str,
        channels: int,
        seed: int,
        crossings: Sequence[tuple[float, str]] = (),
        glide_s: float = BLOCK_S,
    ) -> None:
        super().__init__(generator.config.sample_rate, channels, seed)
        self.generator = generator.eval()
        asked, trained = trained_condition(generator, condition), trained_conditions(generator)
        first = asked if asked >= 0 else trained[int(random_of(seed).integers(len(trained)))]
        later = [(second, trained_condition(generator, name)) for second, name in crossings]
        self.crossings = later if later and later[0][0] == 0.0 else [(0.0, first), *later]
        self.condition = self.crossings[0][1]
        self.glide_s = max(glide_s, BLOCK_S)

    def conditions_at(self, second: float) -> list[tuple[int, float]]:
        """The conditions that are heard then, each with its amplitude."""
        k = max(k for k, (begins, _) in enumerate(self.crossings) if begins <= second)
        begins, condition = self.crossings[k]
        before = self.crossings[max(0, k - 1)][1]
        way = min(1.0, (second - begins) / self.glide_s)
        if before == condition or way == 1.0:
            return [(condition, 1.0)]
        return [(before, float(np.cos(way * np.pi / 2))), (condition, float(np.sin(way * np.pi / 2)))]

    def character(self, number: int, condition: int | None = None) -> tuple[torch.Tensor, Style]:
        """Latent `[1, L]` and style of a piece: on the way from one scene's to the next, in steps too small
        to be heard. Halfway the latent keeps its length, as the powers of two independent ones add."""
        scene, place = divmod(number, PIECES_A_SCENE)
        way = place / PIECES_A_SCENE
        labels = torch.tensor([self.condition if condition is None else condition])
        latents = [
            torch.from_numpy(random_of(self.seed, here, 0).standard_normal((1, self.generator.config.latent_dim)))
            for here in (scene, scene + 1)
        ]
        this, following = (self.generator.bank(latent.float(), labels) for latent in latents)
        latent = np.cos(way * np.pi / 2) * latents[0] + np.sin(way * np.pi / 2) * latents[1]
        return latent.float(), this.crossfade(following, way)

    def piece(self, number: int) -> FloatArray:
        parts = self.conditions_at((number + 0.5) * BLOCK_S)
        return np.sum([np.float32(share) * self._piece_of(number, condition) for condition, share in parts], axis=0)

    def _piece_of(self, number: int, condition: int) -> FloatArray:
        # noise of its own for each condition, so that the powers of two add
        own = (1,) if condition == self.condition else (2, condition)
        random = torch.Generator().manual_seed(int(random_of(self.seed, number, *own).integers(2**62)))
        length = self.block_samples + self.fade_samples
        with torch.inference_mode():
            latent, style = self.character(number, condition)
            labels = torch.tensor([condition])
            sound = self.generator.unmodulated(latent, labels, length, style, random, self.channels)
        made = np.asarray(sound.numpy(), np.float32)
        lufs = loudness_of([made], self.sample_rate, self.channels, "what the generator made")
        return made * np.float32(10.0 ** ((LUFS - lufs) / 20.0))


class RecordingBed(Bed):
    """A recording: from start to end where it is long enough for `seconds`, else excerpts of it in random order.

    With a gap it is heard now and then instead: the whole of it, or an excerpt of 10 s, and about `gap_s` of silence.

    Raises `CtxAudioError` for a recording that is silent, and as `AudioReader` for one that can't be read.
    """

    def __init__(
        self, path: Path, channels: int, seed: int, seconds: float, sample_rate: int | None = None, gap_s: float = 0.0
    ) -> None:
        reader = AudioReader(path)
        self.native_rate, self.frames = reader.sample_rate, reader.frames
        super().__init__(sample_rate or self.native_rate, channels, seed)
        self.path = path
        lufs = loudness_of(map(self._converted, reader.blocks(BLOCK_S)), self.sample_rate, channels, path)
        self.gain = np.float32(10.0 ** ((LUFS - lufs) / 20.0))
        self.needed = round((BLOCK_S + FADE_S) * self.native_rate)
        self.every = 1 + math.ceil(gap_s / BLOCK_S)
        self.goes_on = self.every == 1 and self.frames >= (seconds + FADE_S) * self.native_rate

    def piece(self, number: int) -> FloatArray:
        """An excerpt at the recording's own rate, resampled; a short recording is folded into a loop first."""
        length = self.block_samples + self.fade_samples
        piece = np.zeros((self.channels, length), dtype=np.float32)
        if number % self.every:
            return piece
        if self.goes_on:
            start = round(number * BLOCK_S * self.native_rate)
        else:
            start = int(random_of(self.seed, number).integers(max(1, self.frames - self.needed + 1)))
        found = next(AudioReader(self.path).blocks(self.needed / self.native_rate, start))
        excerpt = with_channels(found, self.channels)
        if self.every > 1:
            # after the second in which a piece is faded in, which would take the attack
            samples = excerpt.shape[1]
            excerpt = excerpt * fade_gain(0, samples, samples, round(0.01 * self.native_rate) if start else 0, 0)
            excerpt = np.pad(excerpt, ((0, 0), (round(FADE_S * self.native_rate), 0)))[:, : self.needed]
        elif self.frames < self.needed:
            fade = round(min(FADE_S, self.frames / self.native_rate / 4) * self.native_rate)
            loops = [seamless_loop(channel, fade) for channel in excerpt]
            at = int(random_of(self.seed, number, 1).integers(len(loops[0])))
            excerpt = np.stack([loop[(at + np.arange(self.needed)) % len(loop)] for loop in loops])
        resampled = self._converted(excerpt)
        piece[:, : min(length, resampled.shape[1])] = resampled[:, :length]
        return piece * self.gain

    def _converted(self, sound: FloatArray) -> FloatArray:
        """To the bed's channels and rate."""
        rows = with_channels(sound, self.channels)
        return np.stack([resample(row, self.native_rate, self.sample_rate) for row in rows])


def with_channels(sound: FloatArray, channels: int) -> FloatArray:
    """`[C, T]` as `[channels, T]`: one channel is the mean of all, two are the first two or the one twice."""
    if channels == 1:
        return sound.mean(axis=0, keepdims=True, dtype=np.float32)
    return np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound[:2]


class Layer(NamedTuple):
    """A bed at `level_db` beside -27 LUFS."""

    bed: Bed
    level_db: float = 0.0


def rendered_blocks(
    layers: Sequence[Layer], modulation: Modulation, total_samples: int, start_sample: int = 0
) -> Iterator[FloatArray]:
    """Modulated blocks `[channels, T]` of the sum of `layers`, the samples `start_sample` .. `total_samples`.

    Taken up in the middle, it begins with the block before, so that no kernel misses its past.
    """
    bed, lufs = layers[0].bed, LUFS + layers[0].level_db
    first = max(0, (start_sample - round(WARM_UP_S * bed.sample_rate)) // bed.block_samples)
    gains = [np.float32(10.0 ** (layer.level_db / 20.0)) for layer in layers]
    mixed = (
        np.asarray(np.sum([gain * block for gain, block in zip(gains, blocks, strict=True)], axis=0, dtype=np.float32))
        for blocks in zip(*(layer.bed.blocks(first) for layer in layers), strict=True)
    )
    at = first * bed.block_samples
    for block in modulated(mixed, modulation, bed.sample_rate, bed.channels, lufs, at):
        yield block[:, max(0, start_sample - at) : total_samples - at]
        at += block.shape[1]
        if at >= total_samples:
            return
