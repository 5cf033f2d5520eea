"""Block by block, from any start, the renderer gives the layer's signal; tones beat as their closed forms say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pulse_depth import expected_depth

from ctxaudio.contexts import CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.modulation.layer import FrequencyModulationLayer, Track, envelope_gain
from ctxaudio.modulation.profile import Carrier, ModulationProfile, Rate, Tone, context_profile
from ctxaudio.modulation.schedule import Schedule, Step, parse_schedule
from ctxaudio.modulation.stream import Modulation, Modulator, tone_block, tone_lufs
from ctxaudio.signal.envelope import Array, envelope_depth, hilbert_envelope
from ctxaudio.signal.loudness import integrated_lufs

RATE = 8000
PROFILES = {
    **{name: context_profile(context) for name, context in CONTEXTS.items()},
    "pulses": ModulationProfile((Rate(7.83, 0.6, 0.4, True),)),
    "jittered": ModulationProfile((Rate(6.0, 0.5), Rate(10.0, 0.2, 1.0, True))).jittered(),
    "all": ModulationProfile((Rate(10.0, 0.3),), (Carrier(432.0, 0.7), Carrier(528.0, 0.2))),
}


def noise(seconds: float, channels: int = 1, seed: int = 0) -> FloatArray:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))).astype(np.float32)


def gain_of(track: Track, length: int) -> Array:
    return envelope_gain([track], 0, length, RATE)[0].numpy().astype(np.float64)


def rendered(modulation: Modulation, sound: FloatArray, cuts: list[int], **rest: float) -> FloatArray:
    modulator = Modulator(modulation, RATE, len(sound), **rest)
    parts = [modulator.process(part) for part in np.split(sound, cuts, axis=1)]
    return np.concatenate([*parts, modulator.flush()], axis=1)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_renderer_gives_the_layers_signal_in_blocks(profile: ModulationProfile) -> None:
    sound = noise(3.0)
    whole = FrequencyModulationLayer(profile, RATE)(torch.from_numpy(sound)).detach().numpy()
    np.testing.assert_allclose(rendered(Modulation(profile), sound, [100, 101, 9000, 20_000]), whole, atol=2e-6)


@given(st.lists(st.integers(0, 12_000), max_size=6).map(sorted))
@settings(max_examples=20, deadline=None)
def test_where_the_blocks_are_cut_makes_no_difference(cuts: list[int]) -> None:
    profile = ModulationProfile((Rate(7.83, 0.4, 0.0, True),), (Carrier(432.0, 0.5),))
    sound = noise(1.5, channels=2)
    np.testing.assert_allclose(
        rendered(Modulation(profile), sound, cuts), rendered(Modulation(profile), sound, []), atol=2e-6
    )


@pytest.mark.parametrize("pulse", [False, True])
@pytest.mark.parametrize("rate_hz", [2.5, 7.83, 40.0, 80.0])
def test_the_depth_of_pulses_is_their_fourier_coefficient_and_the_power_stays(pulse: bool, rate_hz: float) -> None:
    rate = Rate(rate_hz, 0.8, 0.3, pulse)
    # 100 s hold whole cycles of every rate here
    gain = gain_of(Track.of(rate), 100 * RATE)
    assert envelope_depth(gain, RATE, rate_hz) == pytest.approx(expected_depth(rate), abs=2e-4)
    assert np.mean(gain**2) == pytest.approx(1.0, abs=2e-3)
    assert (gain.max() - gain.min()) / (gain.max() + gain.min()) == pytest.approx(0.8, abs=0.01)


def test_pulses_do_not_click() -> None:
    gain = gain_of(Track.of(Rate(10.0, 1.0, 0.0, True)), RATE)
    assert np.abs(np.diff(gain)).max() < 1.1 * gain.max() * math.pi / 2 / (0.01 * RATE)


def test_a_schedule_glides_without_a_jump_and_reaches_each_rate() -> None:
    schedule = Schedule((Step(0, 10.0, 0.5), Step(1, 6.0, 0.2), Step(2, 2.5, 0.4)), glide_s=10.0)
    track = Track(tuple(schedule.knots()))
    gain = gain_of(track, 180 * RATE)
    assert np.abs(np.diff(gain)).max() < 1.1 * 2 * math.pi * 10.0 * 0.5 / RATE
    for begins, rate_hz, depth in ((0, 10.0, 0.5), (75, 6.0, 0.2), (135, 2.5, 0.4)):
        part = gain[begins * RATE : (begins + 40) * RATE]
        assert envelope_depth(part, RATE, rate_hz) == pytest.approx(depth, abs=1e-3)
    # turns are the integral of the rate, by the trapezoidal rule over the knots
    turns = 60 * 10 + 10 * 8 + 50 * 6 + 10 * 4.25 + 50 * 2.5
    assert float(track.at(torch.tensor([180.0], dtype=torch.float64))[2]) == pytest.approx(turns, abs=1e-9)


def test_a_stretch_from_the_middle_is_the_middle_of_the_whole() -> None:
    modulation = Modulation(ModulationProfile((Rate(10.0, 0.5),)), parse_schedule("0:10 0.5, 0.5:6 0.2", glide_s=5))
    sound = noise(60.0)
    whole = rendered(modulation, sound, [])
    at = 33 * RATE + 17
    part = rendered(modulation, sound[:, at : at + 5000], [1000], start_sample=at)
    np.testing.assert_allclose(part, whole[:, at : at + 5000], atol=1e-6)


def test_the_phase_is_exact_after_eight_hours() -> None:
    start = 8 * 3600 * 22050
    gain = envelope_gain([Track.of(Rate(14.1, 1.0))], start, 1000, 22050)[0]
    time_s = np.arange(start, start + 1000) / 22050
    np.testing.assert_allclose(gain, (1 + np.sin(2 * np.pi * 14.1 * time_s)) / math.sqrt(1.5), atol=1e-5)


@pytest.mark.parametrize("rate_hz", [2.5, 6.0, 10.0])
def test_a_monaural_beat_has_the_envelope_of_two_tones(rate_hz: float) -> None:
    for depth in (1.0, 0.5):
        tone = Tone("monaural", rate_hz, 400.0, depth)
        block = tone_block(tone, 0, 10 * RATE, RATE)[0]
        time_s = np.arange(10 * RATE) / RATE
        low, high = (2 * np.pi * (400.0 + side * rate_hz / 2) * time_s for side in (-1, 1))
        np.testing.assert_allclose(block, (np.sin(low) + depth * np.sin(high)) / math.sqrt(1 + depth**2), atol=2e-4)
    # the envelope of two equal tones is a rectified cosine, whose fundamental is two thirds of its mean
    equal = tone_block(Tone("monaural", rate_hz, 400.0), 0, 10 * RATE, RATE)[0]
    assert envelope_depth(hilbert_envelope(equal, RATE)[RATE:-RATE], RATE, rate_hz) == pytest.approx(2 / 3, abs=3e-3)


def test_a_binaural_beat_is_flat_in_each_ear_and_beats_in_the_sum() -> None:
    tone = Tone("binaural", 6.0, 250.0)
    left, right = tone_block(tone, 12_345, 10 * RATE, RATE)
    for ear in (left, right):
        assert envelope_depth(hilbert_envelope(ear, RATE)[RATE:-RATE], RATE, 6.0) < 1e-3
    both = hilbert_envelope(left + right, RATE)[RATE:-RATE]
    assert envelope_depth(both, RATE, 6.0) == pytest.approx(2 / 3, abs=3e-3)


@pytest.mark.parametrize("kind", ["am", "isochronic", "monaural", "binaural"])
def test_a_tone_lies_at_its_level_below_the_sound_and_starts_anywhere(kind: str) -> None:
    tone = Tone(kind, 10.0, 300.0, level_db=-12.0)  # type: ignore[arg-type]
    silence = np.zeros((2, 12 * RATE), dtype=np.float32)
    modulation = Modulation(ModulationProfile(tones=(tone,)))
    alone = rendered(modulation, silence, [5000], sound_lufs=-27.0)
    assert integrated_lufs(alone[0], RATE) + 10 * math.log10(2) == pytest.approx(-39.0, abs=0.1)
    later = rendered(modulation, silence[:, :4000], [], sound_lufs=-27.0, start_sample=9000)
    np.testing.assert_allclose(later, alone[:, 9000:13_000], atol=1e-6)
    sham = rendered(Modulation(modulation.profile.sham()), silence, [], sound_lufs=-27.0)
    assert integrated_lufs(sham[0], RATE) == pytest.approx(integrated_lufs(alone[0], RATE), abs=0.15)
    assert envelope_depth(hilbert_envelope(sham.sum(0), RATE)[RATE:-RATE], RATE, 10.0) < 1e-3


def test_the_jittered_control_keeps_its_depth_but_not_its_line() -> None:
    exact, jittered = (gain_of(Track.of(Rate(6.0, 0.5, jitter=jitter)), 120 * RATE) for jitter in (0.0, 0.3))
    assert np.std(jittered) == pytest.approx(np.std(exact), rel=0.02)
    assert envelope_depth(jittered, RATE, 6.0) < 0.2 * envelope_depth(exact, RATE, 6.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1:alpha 10", "first step must be at minute 0"),
        ("0:alpha 20", "not in the band alpha"),
        ("0:10, 0:6", "put them in order"),
        ("0:ten", "is not MINUTE"),
        ("", "is not MINUTE"),
        ("0:10 0.2 7", "is not MINUTE"),
        ("0:10 1.5", "depth 1.5 must be"),
        ("0:-1", "must be above 0 and at most 100"),
        ("0:nan", "must be above 0 and at most 100"),
    ],
)
def test_a_wrong_schedule_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(CtxAudioError, match=message):
        parse_schedule(text)


def test_a_profile_survives_its_json() -> None:
    from dataclasses import asdict

    for profile in (*PROFILES.values(), ModulationProfile(tones=(Tone("binaural", 6.0),))):
        assert ModulationProfile.from_dict(asdict(profile)) == profile


def test_a_tones_loudness_counts_both_channels() -> None:
    tone = Tone("am", 10.0, 997.0)
    assert tone_lufs(tone, 48000, 1) == pytest.approx(-3.0, abs=0.05)
    assert tone_lufs(tone, 48000, 2) == pytest.approx(0.0, abs=0.05)
