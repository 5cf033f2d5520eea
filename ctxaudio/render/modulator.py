"""A modulation profile applied to a stream of blocks: the layer's signal for sound of any length, and tones on top."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.modulation.kernels import band_kernel, emphasis_kernel
from ctxaudio.modulation.profile import ModulationProfile, Rate
from ctxaudio.modulation.schedule import Schedule
from ctxaudio.render.envelope_gain import envelope_gain
from ctxaudio.render.filtering import CentredFilter
from ctxaudio.render.tones import tone_block, tone_lufs, tone_track
from ctxaudio.render.tracks import Track


@dataclass(frozen=True)
class Modulation:
    """A profile, and a schedule where its one rate (of the envelope, or of its one tone) changes over time.

    Raises `CtxAudioError` for a schedule without exactly one rate or tone to move.
    """

    profile: ModulationProfile
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        if self.schedule is not None and len(self.profile.rates) + len(self.profile.tones) != 1:
            raise CtxAudioError("a schedule moves one rate: give a profile with one rate or one tone")

    def channels(self, of_sound: int) -> int:
        """Channels that come out: two for a binaural tone, else those of the sound."""
        return max([of_sound, *(tone.channels for tone in self.profile.tones)])

    def as_heard(self) -> Modulation:
        """What is to be recorded of it: with a schedule, the profile as it is at minute 0, and no depth in a sham."""
        if self.schedule is None:
            return self
        depth = max([r.depth for r in self.profile.rates] + [t.depth for t in self.profile.tones])
        heard = self._audible(self.schedule, depth)
        return Modulation(self.profile.at(heard.steps[0].rate_hz, heard.steps[0].depth), heard)

    def rates_hz(self) -> tuple[float, ...]:
        """The rates of the schedule, which the profile does not name."""
        return tuple(step.rate_hz for step in self.schedule.steps if step.depth > 0.0) if self.schedule else ()

    def rate_tracks(self) -> list[Track]:
        return [self._track(rate) for rate in self.profile.rates]

    def tone_tracks(self) -> list[Track]:
        if self.schedule is None:
            return [tone_track(tone) for tone in self.profile.tones]
        pulses = [tone.pulse if tone.kind == "isochronic" else None for tone in self.profile.tones]
        return [
            replace(Track.scheduled(self._audible(self.schedule, tone.depth), pulse), jitter=tone.jitter)
            for tone, pulse in zip(self.profile.tones, pulses, strict=True)
        ]

    def _track(self, rate: Rate) -> Track:
        if self.schedule is None:
            return Track.steady(rate)
        return Track.scheduled(self._audible(self.schedule, rate.depth), rate.pulse, rate.jitter)

    @staticmethod
    def _audible(schedule: Schedule, depth: float) -> Schedule:
        """The schedule, or its sham where the profile asks for depth 0."""
        if depth > 0.0:
            return schedule
        return replace(schedule, steps=tuple(replace(step, depth=0.0) for step in schedule.steps))


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
        profile = modulation.profile
        self._sample_rate = sample_rate
        self._channels = modulation.channels(channels)
        self._position = start_sample
        self._rates = modulation.rate_tracks()
        self._emphasis: CentredFilter | None = None
        self._band: CentredFilter | None = None
        if profile.carriers:
            for carrier in profile.carriers:
                if carrier.frequency_hz >= sample_rate / 2:
                    raise CtxAudioError(
                        f"carrier {carrier.frequency_hz:g} Hz needs a sample rate above {sample_rate} Hz"
                    )
            frequencies = torch.tensor([carrier.frequency_hz for carrier in profile.carriers], dtype=torch.float64)
            depths = torch.tensor([carrier.depth for carrier in profile.carriers], dtype=torch.float64)
            kernel = emphasis_kernel(frequencies, depths, sample_rate).numpy()
            self._emphasis = CentredFilter(kernel.astype(np.float32), channels)
        if profile.audio_band_hz is not None and profile.rates:
            kernel = band_kernel(*profile.audio_band_hz, sample_rate).numpy()
            self._band = CentredFilter(kernel.astype(np.float32), channels)
        if profile.tones and sound_lufs is None:
            raise CtxAudioError("tones need the loudness of the sound that their level refers to")
        # a sound that goes to both ears is 3 dB louder for it (BS.1770 sums the channels)
        reference = (sound_lufs or 0.0) + 10.0 * np.log10(self._channels / channels)
        self._tones = [
            (tone, track, 10.0 ** ((reference + tone.level_db - tone_lufs(tone, sample_rate, self._channels)) / 20.0))
            for tone, track in zip(profile.tones, modulation.tone_tracks(), strict=True)
        ]

    def process(self, block: FloatArray) -> FloatArray:
        if self._emphasis is not None:
            plain, added = self._emphasis.process(block)
            block = plain + added
        if self._band is None:
            return self._finish(block, block)
        return self._finish(*self._band.process(block))

    def flush(self) -> FloatArray:
        """What the kernels still hold back."""
        block = np.zeros((0, 0), dtype=np.float32)
        parts = []
        if self._emphasis is not None:
            plain, added = self._emphasis.flush()
            block = plain + added
            parts.append(self._finish(block, block) if self._band is None else self._finish(*self._band.process(block)))
        if self._band is not None:
            parts.append(self._finish(*self._band.flush()))
        return np.concatenate(parts, axis=1) if parts else np.zeros((self._channels, 0), dtype=np.float32)

    def _finish(self, sound: FloatArray, moving: FloatArray) -> FloatArray:
        length = sound.shape[1]
        if self._rates:
            gain = envelope_gain(self._rates, self._position, length, self._sample_rate)
            sound = sound * gain if moving is sound else sound + (gain - 1.0) * moving
        if len(sound) < self._channels:
            sound = np.repeat(sound, self._channels, axis=0)
        for tone, track, amplitude in self._tones:
            sound = sound + np.float32(amplitude) * tone_block(tone, track, self._position, length, self._sample_rate)
        self._position += length
        return np.asarray(sound, dtype=np.float32)
