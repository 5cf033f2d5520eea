"""The frequency modulation layer: rates in the envelope, carriers in the spectrum, exact and differentiable.

    y(t) = x(t) (1 + sum_k m_k(t) w_k(t)) / sqrt(1 + sum_k m_k^2 var(w_k))

w_k is a sine, or pulses that are on for half a cycle, of exactly f_k hertz (never the nearest bin), m_k the modulation
index in 0..1, and the divisor keeps the power of a sound that does not itself fluctuate at f_k. (A rate of 1-100 Hz as
*waveform content* would be infrasound.) Carriers (432, 528 Hz) are audible frequencies: a bell in the spectrum, up to
12 dB at depth 1. Source: amplitude modulation as in Viemeister 1979 (temporal modulation transfer functions).

`modulated` does the same over a stream of blocks, and lays tones on top. Two tones f - r/2 and f + r/2 beat at r when
they meet: in the air (monaural) or, one in each ear, in the listener (binaural; then no ear hears anything go up and
down). Oster 1973, doi:10.1038/scientificamerican1073-94. Notebook: 03_frequency_modulation_layer.ipynb
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self

import numpy as np
import scipy.fft
import torch
from torch import Tensor, nn

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.modulation.profile import ModulationProfile, Rate, Tone
from ctxaudio.modulation.schedule import Modulation, Schedule
from ctxaudio.signal.loudness import integrated_lufs

CARRIER_BOOST_DB = 12.0
CARRIER_WIDTH_HZ = 10.0
BELL_S = 0.25
RAMP_S = 0.01  # of pulses, so that they do not click; where a cycle is too short for them they shrink
# How a jittered rate wanders: slow sines whose periods share no multiple, at phases that share none either.
WANDER_HZ = (0.071, 0.127, 0.233, 0.419)
WANDER_TURNS = (0.0, 0.382, 0.764, 0.146)


@dataclass(frozen=True)
class Track:
    """A wave over time: rate and depth follow straight lines between `knots` (seconds, hertz, depth).

    Turns, the integral of the rate, have a closed form: no state, no drift, the same at hour eight wherever one begins.
    """

    knots: tuple[tuple[float, float, float], ...]
    phase: float = 0.0
    pulse: bool = False
    jitter: float = 0.0

    @classmethod
    def of(cls, part: Rate | Tone, schedule: Schedule | None = None) -> Self:
        """The track of a rate or tone, steady or as `schedule` moves it."""
        knots = ((0.0, part.rate_hz, part.depth),) if schedule is None else tuple(schedule.knots())
        phase, pulse = (part.phase, part.pulse) if isinstance(part, Rate) else (0.0, part.kind == "isochronic")
        return cls(knots, phase, pulse, part.jitter)

    def at(self, time_s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rate in hertz, depth, and turns since 0 s, at `time_s` `[T]` (float64); the rate without its jitter."""
        begins, rates_hz, depths = torch.tensor(self.knots, dtype=torch.float64, device=time_s.device).T.contiguous()
        spans = begins.diff()
        turns = torch.cat([begins[:1], (0.5 * (rates_hz[1:] + rates_hz[:-1]) * spans).cumsum(0)])
        still = begins.new_zeros(1)  # after the last knot nothing changes
        rate_slopes, depth_slopes = (torch.cat([values.diff() / spans, still]) for values in (rates_hz, depths))
        k = (torch.searchsorted(begins, time_s, right=True) - 1).clamp_min(0)
        since = time_s - begins[k]
        turned = turns[k] + since * (rates_hz[k] + 0.5 * rate_slopes[k] * since)
        if self.jitter:
            swing_hz = self.jitter * self.knots[0][1] * math.sqrt(2.0 / len(WANDER_HZ))
            for slow_hz, offset in zip(WANDER_HZ, WANDER_TURNS, strict=True):
                ahead = torch.sin(2.0 * math.pi * (slow_hz * time_s + offset))
                turned = turned + swing_hz / (2.0 * math.pi * slow_hz) * ahead
        return rates_hz[k] + rate_slopes[k] * since, depths[k] + depth_slopes[k] * since, turned


def envelope_gain(
    tracks: Sequence[Track],
    start: int,
    length: int,
    sample_rate: int,
    depths: Tensor | None = None,
    phases: Tensor | None = None,
) -> Tensor:
    """The gain `[B, length]` of all `tracks` together from sample `start` on: steady sound keeps its power.

    `depths` `[K]` are those of the steady tracks instead of their own; the gain is differentiable in them, and of their
    type and on their device. `phases` `[B, K]` (radians) are instead of the tracks' own, for which B is 1.
    """
    depths = torch.tensor([track.knots[0][2] for track in tracks]) if depths is None else depths
    if phases is None:
        phases = torch.tensor([[track.phase for track in tracks]], dtype=torch.float64, device=depths.device)
    sines = [k for k, track in enumerate(tracks) if len(track.knots) == 1 and not track.pulse and not track.jitter]
    rates_hz = torch.tensor([tracks[k].knots[0][1] for k in sines], dtype=torch.float64, device=depths.device)
    wave = sum_of_sines(rates_hz, depths[sines], phases[:, sines], start, length, sample_rate)
    variance = (depths[sines].square() * 0.5).sum()
    time_s = torch.arange(start, start + length, device=depths.device, dtype=torch.float64) / sample_rate
    for k, track in enumerate(tracks):
        if k in sines:
            continue
        rate_hz, depth, turns = track.at(time_s)
        m = depths[k] if len(track.knots) == 1 else depth.to(depths.dtype)
        turns, ramp = turns + phases[:, k, None] / (2.0 * math.pi), (RAMP_S * rate_hz).clamp_max(0.5)
        shape = pulses(turns, ramp) if track.pulse else torch.sin(2.0 * math.pi * turns)
        wave = wave + m * shape.to(depths.dtype)
        # A raised-cosine ramp of width r has mean square 3r/8 where a step would have r/2.
        variance = variance + m.square() * ((1.0 - ramp).to(depths) if track.pulse else 0.5)
    return ((1.0 + wave) / torch.sqrt(1.0 + variance)).expand(len(phases), length)


def sum_of_sines(rates_hz: Tensor, depths: Tensor, phases: Tensor, start: int, length: int, sample_rate: int) -> Tensor:
    """Sum over k of `depths` `[K]` x sin(2 pi `rates_hz` `[K]` t + `phases` `[B, K]`), `[B, length]`, from `start` on.

    With n = row * columns + column, exp(iwn) is the product of a factor per row and one per column: a matrix product of
    sqrt(T) rows and columns. Angles are worked out in float64, exact at any time.
    """
    columns = math.isqrt(max(length - 1, 0)) + 1
    rows = -(-length // columns)
    cycles = rates_hz[:, None] / sample_rate
    first = start + columns * torch.arange(rows, device=rates_hz.device, dtype=torch.float64)
    down = 2.0 * math.pi * ((cycles * first) % 1.0)
    along = 2.0 * math.pi * (cycles * torch.arange(columns, device=rates_hz.device, dtype=torch.float64))
    kind = torch.promote_types(depths.dtype, torch.complex64)
    weights = torch.polar(depths.expand(len(phases), -1), phases.to(depths.dtype))
    row_factors = weights[:, :, None] * torch.polar(torch.ones_like(down), down).to(kind)
    turning = row_factors.transpose(1, 2) @ torch.polar(torch.ones_like(along), along).to(kind)
    return turning.imag.flatten(1)[:, :length]


def pulses(turns: Tensor, ramp_turns: Tensor) -> Tensor:
    """Pulses between -1 and 1 with raised-cosine ramps, at `turns` (in cycles, any shape), on around a quarter turn."""
    from_centre = ((turns - 0.25 + 0.5) % 1.0 - 0.5).abs()
    along_ramp = ((from_centre - (0.5 - ramp_turns) / 2.0) / ramp_turns).clamp(0.0, 1.0)
    return torch.cos(math.pi * along_ramp)


class FrequencyModulationLayer(nn.Module):
    """Apply the rates and carriers of a `ModulationProfile` to sound `[B, T]`; differentiable in sound and depths.

    Args:
        profile: the rates and carriers; their frequencies are fixed. Without tones, which `modulated` adds.
        sample_rate: of the sound, in hertz; must be above twice every carrier.
        learnable: make the depths parameters, clamped to 0..1 when applied.
        schedule: moves rate and depth of all rates over time instead.
    """

    rates_hz: Tensor
    phases: Tensor
    carriers_hz: Tensor

    def __init__(
        self, profile: ModulationProfile, sample_rate: int, learnable: bool = False, schedule: Schedule | None = None
    ) -> None:
        super().__init__()
        for carrier in profile.carriers:
            if carrier.frequency_hz >= sample_rate / 2:
                raise CtxAudioError(f"carrier {carrier.frequency_hz:g} Hz needs a sample rate above {sample_rate} Hz")
        if profile.tones:
            raise CtxAudioError("the layer modulates sound and adds none: render tones with ctxaudio modulate")
        self.profile, self.sample_rate = profile, sample_rate
        self.tracks = [Track.of(rate, schedule) for rate in profile.rates]
        self.register_buffer("rates_hz", torch.tensor([t.knots[0][1] for t in self.tracks], dtype=torch.float64))
        self.register_buffer("phases", torch.tensor([t.phase for t in self.tracks], dtype=torch.float64))
        self.register_buffer("carriers_hz", torch.tensor([c.frequency_hz for c in profile.carriers]))
        self.rate_depths = nn.Parameter(torch.tensor([t.knots[0][2] for t in self.tracks]), requires_grad=learnable)
        self.carrier_depths = nn.Parameter(torch.tensor([c.depth for c in profile.carriers]), requires_grad=learnable)

    def emphasis(self) -> Tensor:
        """The kernel `[2 H + 1]` of what the carriers *add* to the sound, empty without any: zero-phase.

        Gaussian bells of depth x 12 dB with a standard deviation of 10 Hz, so 0.25 s hold all of their response. All
        depths zero give zeros, exactly.
        """
        if not len(self.carriers_hz):
            return self.carrier_depths
        depths, half = self.carrier_depths.clamp(0.0, 1.0), round(BELL_S * self.sample_rate)
        at_hz = torch.fft.rfftfreq(4 * half, 1.0 / self.sample_rate, device=depths.device, dtype=depths.dtype)
        distance = (at_hz - self.carriers_hz.to(depths.dtype)[:, None]) / CARRIER_WIDTH_HZ
        boost_db = (CARRIER_BOOST_DB * depths[:, None] * torch.exp(-0.5 * distance**2)).sum(0)
        added = torch.expm1(boost_db * (math.log(10.0) / 20.0))
        response = torch.fft.irfft(added.to(torch.promote_types(depths.dtype, torch.complex64)), 4 * half)
        return torch.cat([response[-half:], response[: half + 1]])

    def forward(self, samples: Tensor, phases: Tensor | None = None, start_sample: int = 0) -> Tensor:
        """`samples` `[B, T]` from `start_sample` of one running phase, or of `phases` `[B, K]` in radians."""
        length, added = samples.shape[-1], self.emphasis()
        if half := len(added) // 2:
            padded = scipy.fft.next_fast_len(length + 2 * half, real=True)
            spectrum = torch.fft.rfft(samples, padded) * torch.fft.rfft(added.to(samples.dtype), padded)
            samples = samples + torch.fft.irfft(spectrum, padded)[..., half : half + length]
        if not self.tracks:
            return samples
        depths, phases = self.rate_depths.clamp(0.0, 1.0), self.phases[None] if phases is None else phases
        gain = envelope_gain(self.tracks, start_sample, length, self.sample_rate, depths, phases)
        return samples * gain.to(samples.dtype)


def modulated(
    blocks: Iterable[FloatArray],
    modulation: Modulation,
    sample_rate: int,
    channels: int,
    sound_lufs: float | None = None,
    start_sample: int = 0,
) -> Iterator[FloatArray]:
    """Blocks `[channels, T]` at `sample_rate` as modulated ones `[modulation.channels(channels), T']`, as long in all.

    `start_sample` is where in time they begin. `sound_lufs` is their loudness, to which the levels of tones refer.
    """
    tones, schedule, ears = modulation.profile.tones, modulation.schedule, modulation.channels(channels)
    if tones and sound_lufs is None:
        raise CtxAudioError("tones need the loudness of the sound that their level refers to")
    layer = FrequencyModulationLayer(replace(modulation.profile, tones=()), sample_rate, schedule=schedule)
    amplitudes = []
    for tone in tones:
        steady = np.sin(2.0 * np.pi * tone.carrier_hz / sample_rate * np.arange(2 * sample_rate)).astype(np.float32)
        channel_lufs = (sound_lufs or 0.0) - 10.0 * math.log10(channels)  # BS.1770 adds the channels up
        gain_db = channel_lufs + tone.level_db - integrated_lufs(steady, sample_rate)
        amplitudes.append(np.float32(10.0 ** (gain_db / 20.0)))
    levels = np.array(schedule.levels() if schedule else [(0.0, 0.0)])
    # what the kernel needs to either side of the next sample that goes out; there is silence before the first
    reach, at = len(layer.emphasis()) // 2, start_sample
    waiting = silence = np.zeros((channels, reach), dtype=np.float32)
    for block in chain(blocks, [silence]):
        waiting = np.concatenate([waiting, block], axis=1)
        ready = waiting.shape[1] - 2 * reach
        if ready <= 0:
            continue
        with torch.inference_mode():
            sound = layer(torch.from_numpy(waiting), start_sample=at - reach)[:, reach : reach + ready].numpy()
        if len(sound) < ears:
            sound = np.repeat(sound, ears, axis=0)
        for tone, amplitude in zip(tones, amplitudes, strict=True):
            sound = sound + amplitude * tone_block(tone, at, ready, sample_rate, schedule)
        if levels[:, 1].any():
            level_db = np.interp(np.arange(at, at + ready) / sample_rate, *levels.T)
            sound = sound * (10.0 ** (level_db / 20.0)).astype(np.float32)
        yield sound
        waiting, at = waiting[:, ready:], at + ready


def tone_block(tone: Tone, start: int, length: int, sample_rate: int, schedule: Schedule | None = None) -> FloatArray:
    """The tone from sample `start` on, `[1, length]` or for two ears `[2, length]`, each with the power of a sine of
    peak 1."""
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
