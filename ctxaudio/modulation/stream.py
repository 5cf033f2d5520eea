"""Modulation of a stream of blocks, of any length, with one running phase: the layer's signal, and tones on top.

Two tones f - r/2 and f + r/2 beat at r when they meet: in the air (monaural) or, one in each ear, in the listener
(binaural; then no ear hears anything go up and down). Oster 1973, doi:10.1038/scientificamerican1073-94.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.modulation.layer import FrequencyModulationLayer, Track, envelope_gain
from ctxaudio.modulation.profile import ModulationProfile, Rate, Tone
from ctxaudio.modulation.schedule import Schedule
from ctxaudio.signal.loudness import integrated_lufs


@dataclass(frozen=True)
class Modulation:
    """A profile, and a schedule where its one rate (of the envelope, or of its one tone) changes over time.

    The schedule of a sham (all depths of the profile 0) becomes one too. Raises `CtxAudioError` for a schedule without
    exactly one rate or tone to move.
    """

    profile: ModulationProfile
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        if self.schedule is None:
            return
        if len(self.profile.rates) + len(self.profile.tones) != 1:
            raise CtxAudioError("a schedule moves one rate: give a profile with one rate or one tone")
        moved: tuple[Rate | Tone, ...] = (*self.profile.rates, *self.profile.tones)
        if not any(part.depth > 0.0 for part in moved):
            still = tuple(replace(step, depth=0.0) for step in self.schedule.steps)
            object.__setattr__(self, "schedule", replace(self.schedule, steps=still))

    @property
    def at_start(self) -> ModulationProfile:
        """The profile to record: with a schedule, rate and depth are those of minute 0."""
        if self.schedule is None:
            return self.profile
        return self.profile.at(self.schedule.steps[0].rate_hz, self.schedule.steps[0].depth)

    def channels(self, of_sound: int) -> int:
        """Channels that come out: two for a binaural tone, else those of the sound."""
        return max([of_sound, *(tone.channels for tone in self.profile.tones)])


class Modulator:
    """Blocks `[channels, T]` at `sample_rate` in, modulated blocks `[modulation.channels(channels), T']` out.

    The sum of what `process` and `flush` return is as long as what went in; `start_sample` is where in time the
    stream begins. `sound_lufs` is the loudness of what goes in, to which the levels of tones refer.
    """

    def __init__(
        self,
        modulation: Modulation,
        sample_rate: int,
        channels: int,
        sound_lufs: float | None = None,
        start_sample: int = 0,
    ) -> None:
        tones = modulation.profile.tones
        if tones and sound_lufs is None:
            raise CtxAudioError("tones need the loudness of the sound that their level refers to")
        self._sample_rate = sample_rate
        self._channels = modulation.channels(channels)
        self._schedule = modulation.schedule
        toneless = replace(modulation.profile, tones=())
        self._layer = FrequencyModulationLayer(toneless, sample_rate, schedule=modulation.schedule)
        self._reach = len(self._layer.emphasis()) // 2
        # what the kernel needs to either side of the next sample that goes out; there is silence before the first
        self._waiting = np.zeros((channels, self._reach), dtype=np.float32)
        self._position = start_sample
        # a sound that goes to both ears is 3 dB louder for it (BS.1770 sums the channels)
        reference = (sound_lufs or 0.0) + 10.0 * math.log10(self._channels / channels)
        self._tones = [
            (tone, 10.0 ** ((reference + tone.level_db - tone_lufs(tone, sample_rate, self._channels)) / 20.0))
            for tone in tones
        ]

    def process(self, block: FloatArray) -> FloatArray:
        waiting = np.concatenate([self._waiting, block], axis=1)
        ready = max(0, waiting.shape[1] - 2 * self._reach)
        self._waiting = waiting[:, ready:]
        if not ready:
            return np.zeros((self._channels, 0), dtype=np.float32)
        with torch.inference_mode():
            modulated = self._layer(torch.from_numpy(waiting), start_sample=self._position - self._reach)
        sound = modulated[:, self._reach : self._reach + ready].numpy()
        if len(sound) < self._channels:
            sound = np.repeat(sound, self._channels, axis=0)
        for tone, amplitude in self._tones:
            added = tone_block(tone, self._position, ready, self._sample_rate, self._schedule)
            sound = sound + np.float32(amplitude) * added
        if self._schedule and any(step.level_db for step in self._schedule.steps):
            time_s = np.arange(self._position, self._position + ready) / self._sample_rate
            seconds, levels_db = np.array(self._schedule.levels()).T
            level_db = np.interp(time_s, seconds, levels_db)
            sound = sound * (10.0 ** (level_db / 20.0)).astype(np.float32)
        self._position += ready
        return sound

    def flush(self) -> FloatArray:
        """What the kernel still holds back."""
        return self.process(np.zeros((len(self._waiting), self._reach), dtype=np.float32))


def tone_block(tone: Tone, start: int, length: int, sample_rate: int, schedule: Schedule | None = None) -> FloatArray:
    """`[tone.channels, length]` of the tone from sample `start` on, each channel with the power of a sine of peak 1."""
    track = Track.of(tone, schedule)
    samples = torch.arange(start, start + length, dtype=torch.float64)
    carrier = 2.0 * math.pi * ((tone.carrier_hz / sample_rate * samples) % 1.0)
    if tone.kind in ("am", "isochronic"):
        return (torch.sin(carrier) * envelope_gain([track], start, length, sample_rate)).float().numpy()
    _, depth, turns = track.at(samples / sample_rate)
    # half of the beat's turns to either side of the carrier; in the control there is no second tone to beat with
    half = math.pi * turns if any(depth > 0.0 for _, _, depth in track.knots) else torch.zeros_like(turns)
    ears = torch.stack([torch.sin(carrier - half), torch.sin(carrier + half)])
    if tone.kind == "monaural":
        ears = (ears[:1] + depth * ears[1:]) / torch.sqrt(1.0 + depth.square())
    return ears.float().numpy()


def tone_lufs(tone: Tone, sample_rate: int, channels: int) -> float:
    """Loudness in LUFS of the unscaled tone in a file of `channels`, all of which carry it."""
    steady = np.sin(2.0 * np.pi * tone.carrier_hz / sample_rate * np.arange(2 * sample_rate)).astype(np.float32)
    return integrated_lufs(steady, sample_rate) + 10.0 * math.log10(channels)
