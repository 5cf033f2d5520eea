"""Rates and carriers as asked for, exact and differentiable; block by block the same, and tones that beat."""

import math

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pulse_depth import expected_depth

from ctxaudio.contexts import CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.modulation.layer import (
    CARRIER_BOOST_DB,
    FrequencyModulationLayer,
    Track,
    envelope_gain,
    modulated,
    tone_block,
)
from ctxaudio.modulation.profile import Carrier, ModulationProfile, Rate, Tone, context_profile, modulation_profile
from ctxaudio.modulation.schedule import Modulation, Schedule, Step, parse_schedule
from ctxaudio.signal.envelope import Array, envelope_depth, hilbert_envelope, joint_depths
from ctxaudio.signal.loudness import integrated_lufs

RATE = 22050
LOW_RATE = 8000
PROFILES = {
    **{name: context_profile(context) for name, context in CONTEXTS.items()},
    "pulses": ModulationProfile((Rate(7.83, 0.6, 0.4, True),)),
    "jittered": ModulationProfile((Rate(6.0, 0.5), Rate(10.0, 0.2, 1.0, True))).jittered(),
    "all": ModulationProfile((Rate(10.0, 0.3),), (Carrier(432.0, 0.7), Carrier(528.0, 0.2))),
}


def tone(frequency_hz: float, seconds: float, sample_rate: int = RATE) -> torch.Tensor:
    time_s = torch.arange(round(seconds * sample_rate), dtype=torch.float64) / sample_rate
    return torch.sin(2 * math.pi * frequency_hz * time_s)[None]


@pytest.mark.parametrize("rate_hz", [1.0, 2.5, 6.0, 7.83, 14.1, 40.0, 99.0])
@pytest.mark.parametrize("depth", [0.1, 0.5, 1.0])
def test_a_tone_gets_exactly_the_rate_and_depth_asked_for(rate_hz, depth):
    layer = FrequencyModulationLayer(ModulationProfile((Rate(rate_hz, depth),)), RATE)
    envelope = hilbert_envelope(layer(tone(1000.0, 4.0))[0].numpy(), RATE)
    inner = slice(RATE // 10, -RATE // 10)  # a Hilbert envelope is wrong near the ends
    assert joint_depths(envelope[inner], RATE, [rate_hz])[0] == pytest.approx(depth, abs=2e-3)


def test_it_matches_the_closed_form_sample_by_sample():
    rates = (Rate(7.83, 0.3, 0.4), Rate(2.5, 0.2, 2.0))
    layer = FrequencyModulationLayer(ModulationProfile(rates), RATE)
    time_s = np.arange(RATE) / RATE
    gain = 1 + sum(r.depth * np.sin(2 * np.pi * r.rate_hz * time_s + r.phase) for r in rates)
    expected = gain / math.sqrt(1 + (0.3**2 + 0.2**2) / 2)
    np.testing.assert_allclose(layer(torch.ones(1, RATE))[0].numpy(), expected, atol=2e-6)


def test_it_keeps_the_power_of_steady_noise():
    noise = torch.randn(1, 20 * RATE, generator=torch.Generator().manual_seed(0))
    out = FrequencyModulationLayer(modulation_profile({"alpha": 0.5}, {"deep_sleep": 0.5}), RATE)(noise)
    assert 10 * math.log10(float(out.square().mean() / noise.square().mean())) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)
def test_with_all_depths_zero_it_is_the_identity(context):
    asked = context_profile(context)
    silent = ModulationProfile(
        tuple(Rate(rate.rate_hz, 0.0) for rate in asked.rates),
        tuple(Carrier(c.frequency_hz, 0.0) for c in asked.carriers),
    )
    noise = torch.randn(2, RATE)
    assert torch.equal(FrequencyModulationLayer(silent, RATE)(noise), noise)


def test_chunks_with_one_running_phase_are_the_whole():
    layer = FrequencyModulationLayer(ModulationProfile((Rate(7.83, 0.5), Rate(14.1, 0.4))), RATE)
    noise = torch.randn(1, 50_000)
    parts = [layer(noise[:, at : at + 7000], start_sample=at) for at in range(0, 50_000, 7000)]
    torch.testing.assert_close(torch.cat(parts, dim=1), layer(noise), rtol=0, atol=1e-6)


def test_the_phase_is_exact_after_eight_hours():
    layer = FrequencyModulationLayer(ModulationProfile((Rate(14.1, 1.0),)), RATE)
    start = 8 * 3600 * RATE
    time_s = np.arange(start, start + 1000) / RATE
    expected = (1 + np.sin(2 * np.pi * 14.1 * time_s)) / math.sqrt(1.5)
    np.testing.assert_allclose(layer(torch.ones(1, 1000), start_sample=start)[0].numpy(), expected, atol=1e-4)


def test_each_sound_of_a_batch_gets_its_own_phase():
    layer = FrequencyModulationLayer(ModulationProfile((Rate(5.0, 0.5),)), RATE)
    out = layer(torch.ones(2, RATE), phases=torch.tensor([[0.0], [math.pi]], dtype=torch.float64))
    torch.testing.assert_close(out.mean(0), torch.full((RATE,), 1 / math.sqrt(1.125)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("frequency_hz", [432.0, 528.0])
def test_a_carrier_is_boosted_by_its_depth_in_decibels_and_its_surroundings_are_not(frequency_hz):
    def gain_db(heard_hz: float) -> float:
        sound = tone(heard_hz, 2.0)
        out = FrequencyModulationLayer(ModulationProfile(carriers=(Carrier(frequency_hz, 0.5),)), RATE)(sound)
        inner = slice(RATE // 2, -RATE // 2)
        return 10 * math.log10(float(out[0, inner].square().mean() / sound[0, inner].square().mean()))

    assert gain_db(frequency_hz) == pytest.approx(0.5 * CARRIER_BOOST_DB, abs=0.05)
    assert gain_db(frequency_hz + 60.0) == pytest.approx(0.0, abs=0.05)


def test_the_emphasis_has_no_phase_shift_and_does_not_wrap_round():
    click = torch.zeros(1, RATE, dtype=torch.float64)
    click[0, 40] = 1.0
    added = (FrequencyModulationLayer(ModulationProfile(carriers=(Carrier(432.0, 1.0),)), RATE)(click) - click)[
        0
    ].detach()
    assert int(added.abs().argmax()) == 40
    assert float(added[-RATE // 10 :].abs().max()) < 1e-3 * float(added.abs().max())


def test_gradients_reach_the_sound_and_the_depths():
    profile = ModulationProfile((Rate(8.0, 0.3), Rate(20.0, 0.2)), (Carrier(100.0, 0.5),))
    layer = FrequencyModulationLayer(profile, 400, learnable=True).double()
    sound = torch.randn(1, 60, dtype=torch.float64, requires_grad=True)

    def apply(sound, rate_depths, carrier_depths):
        return torch.func.functional_call(
            layer, {"rate_depths": rate_depths, "carrier_depths": carrier_depths}, (sound,)
        )

    assert torch.autograd.gradcheck(apply, (sound, layer.rate_depths, layer.carrier_depths))


def test_gradient_descent_finds_the_depth_of_modulated_noise():
    noise = torch.randn(1, 2 * RATE, generator=torch.Generator().manual_seed(2))
    wanted = FrequencyModulationLayer(ModulationProfile((Rate(7.83, 0.42),)), RATE)(noise)
    layer = FrequencyModulationLayer(ModulationProfile((Rate(7.83, 0.1),)), RATE, learnable=True)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        (layer(noise) - wanted).square().mean().backward()
        optimizer.step()
    assert layer.rate_depths.item() == pytest.approx(0.42, abs=0.005)


@given(
    rate_hz=st.floats(0.5, 100.0),
    depth=st.floats(0.0, 1.0),
    length=st.integers(1, 3000),
    sample_rate=st.sampled_from([8000, 22050, 44100]),
)
@settings(max_examples=40, deadline=None)
def test_any_profile_gives_finite_sound_of_the_same_length(rate_hz, depth, length, sample_rate):
    profile = ModulationProfile((Rate(rate_hz, depth),), (Carrier(432.0, depth),))
    out = FrequencyModulationLayer(profile, sample_rate)(torch.ones(2, length))
    assert out.shape == (2, length) and bool(out.isfinite().all())


def test_infrasound_is_no_carrier_and_a_carrier_needs_its_sample_rate():
    with pytest.raises(CtxAudioError, match=r"frequency_hz 7\.83 must be at least 20"):
        ModulationProfile(carriers=(Carrier(7.83, 0.5),))
    with pytest.raises(CtxAudioError, match="needs a sample rate"):
        FrequencyModulationLayer(ModulationProfile(carriers=(Carrier(5000.0, 0.5),)), 8000)


def test_the_naive_bin_scaling_changes_nothing_that_can_be_heard_and_the_layer_does():
    noise = torch.randn(1, 4 * RATE, generator=torch.Generator().manual_seed(3))
    spectrum = torch.fft.rfft(noise)
    bins_hz = torch.fft.rfftfreq(4 * RATE, 1 / RATE)
    spectrum[:, (bins_hz >= 8) & (bins_hz <= 13)] *= 3
    naive = torch.fft.irfft(spectrum, 4 * RATE)
    audible = scipy.signal.butter(8, 20.0, "highpass", fs=RATE, output="sos")

    def audible_change(changed):
        before, after = (scipy.signal.sosfiltfilt(audible, x[0].numpy()) for x in (noise, changed))
        return float(np.std(after - before) / np.std(before))

    assert audible_change(naive) < 0.01
    assert audible_change(FrequencyModulationLayer(modulation_profile({"alpha": 0.3}, {}), RATE)(noise)) > 0.1


def test_gradient_descent_finds_the_depth_of_modulated_sound_at_its_exact_rate():
    sound = torch.randn(1, 4 * 2000, generator=torch.Generator().manual_seed(0))
    heard = FrequencyModulationLayer(ModulationProfile((Rate(7.83, 0.4),)), 2000)(sound)
    neighbours = (7.33, 7.83, 8.33)
    layer = FrequencyModulationLayer(ModulationProfile(tuple(Rate(r, 0.1) for r in neighbours)), 2000, learnable=True)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        (layer(sound) - heard).square().mean().backward()
        optimizer.step()
    assert layer.rate_depths.clamp(0, 1).tolist() == pytest.approx([0.0, 0.4, 0.0], abs=0.01)


def test_the_layer_gives_pulses_their_depth_and_gradients():
    layer = FrequencyModulationLayer(ModulationProfile((Rate(5.0, 0.6, 0.2, True),)), 400, learnable=True).double()
    out = layer(torch.ones(1, 4000, dtype=torch.float64))[0].detach()
    assert float((out.max() - out.min()) / (out.max() + out.min())) == pytest.approx(0.6, abs=1e-6)
    sound = torch.randn(1, 80, dtype=torch.float64)

    def apply(depths):
        return torch.func.functional_call(layer, {"rate_depths": depths}, (sound,))

    assert torch.autograd.gradcheck(apply, (layer.rate_depths,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModulationProfile((Rate(6.0, 0.6), Rate(8.0, 0.6))), "sum to 1.2"),
        (lambda: Tone("binaural", 6.0, 800.0), "on 200-500 Hz"),
        (lambda: Tone("binaural", 40.0), "not heard"),
        (lambda: Tone("binaural", 6.0, depth=0.5), "has no depth"),
        (lambda: Tone("stereo", 6.0), "unknown kind 'stereo'"),
        (lambda: FrequencyModulationLayer(ModulationProfile(tones=(Tone("am", 6.0),)), RATE), "adds none"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(CtxAudioError, match=message):
        make()


def noise(seconds: float, channels: int = 1, seed: int = 0) -> FloatArray:
    return (0.1 * np.random.default_rng(seed).standard_normal((channels, round(seconds * LOW_RATE)))).astype(np.float32)


def gain_of(track: Track, length: int) -> Array:
    return envelope_gain([track], 0, length, LOW_RATE)[0].numpy().astype(np.float64)


def rendered(modulation: Modulation, sound: FloatArray, cuts: list[int], **rest: float) -> FloatArray:
    blocks = np.split(sound, cuts, axis=1)
    return np.concatenate(list(modulated(blocks, modulation, LOW_RATE, len(sound), **rest)), axis=1)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_renderer_gives_the_layers_signal_in_blocks(profile: ModulationProfile) -> None:
    sound = noise(3.0)
    whole = FrequencyModulationLayer(profile, LOW_RATE)(torch.from_numpy(sound)).detach().numpy()
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
    gain = gain_of(Track.of(rate), 100 * LOW_RATE)
    assert envelope_depth(gain, LOW_RATE, rate_hz) == pytest.approx(expected_depth(rate), abs=2e-4)
    assert np.mean(gain**2) == pytest.approx(1.0, abs=2e-3)
    assert (gain.max() - gain.min()) / (gain.max() + gain.min()) == pytest.approx(0.8, abs=0.01)


def test_pulses_do_not_click() -> None:
    gain = gain_of(Track.of(Rate(10.0, 1.0, 0.0, True)), LOW_RATE)
    assert np.abs(np.diff(gain)).max() < 1.1 * gain.max() * math.pi / 2 / (0.01 * LOW_RATE)


def test_a_schedule_glides_without_a_jump_and_reaches_each_rate() -> None:
    schedule = Schedule((Step(0, 10.0, 0.5), Step(1, 6.0, 0.2), Step(2, 2.5, 0.4)), glide_s=10.0)
    track = Track(tuple(schedule.knots()))
    gain = gain_of(track, 180 * LOW_RATE)
    assert np.abs(np.diff(gain)).max() < 1.1 * 2 * math.pi * 10.0 * 0.5 / LOW_RATE
    for begins, rate_hz, depth in ((0, 10.0, 0.5), (75, 6.0, 0.2), (135, 2.5, 0.4)):
        part = gain[begins * LOW_RATE : (begins + 40) * LOW_RATE]
        assert envelope_depth(part, LOW_RATE, rate_hz) == pytest.approx(depth, abs=1e-3)
    # turns are the integral of the rate, by the trapezoidal rule over the knots
    turns = 60 * 10 + 10 * 8 + 50 * 6 + 10 * 4.25 + 50 * 2.5
    assert float(track.at(torch.tensor([180.0], dtype=torch.float64))[2]) == pytest.approx(turns, abs=1e-9)


def test_a_stretch_from_the_middle_is_the_middle_of_the_whole() -> None:
    modulation = Modulation(ModulationProfile((Rate(10.0, 0.5),)), parse_schedule("0:10 0.5, 0.5:6 0.2", glide_s=5))
    sound = noise(60.0)
    whole = rendered(modulation, sound, [])
    at = 33 * LOW_RATE + 17
    part = rendered(modulation, sound[:, at : at + 5000], [1000], start_sample=at)
    np.testing.assert_allclose(part, whole[:, at : at + 5000], atol=1e-6)


def test_the_phase_of_a_gain_is_exact_after_eight_hours() -> None:
    start = 8 * 3600 * 22050
    gain = envelope_gain([Track.of(Rate(14.1, 1.0))], start, 1000, 22050)[0]
    time_s = np.arange(start, start + 1000) / 22050
    np.testing.assert_allclose(gain, (1 + np.sin(2 * np.pi * 14.1 * time_s)) / math.sqrt(1.5), atol=1e-5)


@pytest.mark.parametrize("rate_hz", [2.5, 6.0, 10.0])
def test_a_monaural_beat_has_the_envelope_of_two_tones(rate_hz: float) -> None:
    for depth in (1.0, 0.5):
        tone = Tone("monaural", rate_hz, 400.0, depth)
        block = tone_block(tone, 0, 10 * LOW_RATE, LOW_RATE)[0]
        time_s = np.arange(10 * LOW_RATE) / LOW_RATE
        low, high = (2 * np.pi * (400.0 + side * rate_hz / 2) * time_s for side in (-1, 1))
        np.testing.assert_allclose(block, (np.sin(low) + depth * np.sin(high)) / math.sqrt(1 + depth**2), atol=2e-4)
    # the envelope of two equal tones is a rectified cosine, whose fundamental is two thirds of its mean
    equal = tone_block(Tone("monaural", rate_hz, 400.0), 0, 10 * LOW_RATE, LOW_RATE)[0]
    assert envelope_depth(hilbert_envelope(equal, LOW_RATE)[LOW_RATE:-LOW_RATE], LOW_RATE, rate_hz) == pytest.approx(
        2 / 3, abs=3e-3
    )


def test_a_binaural_beat_is_flat_in_each_ear_and_beats_in_the_sum() -> None:
    tone = Tone("binaural", 6.0, 250.0)
    left, right = tone_block(tone, 12_345, 10 * LOW_RATE, LOW_RATE)
    for ear in (left, right):
        assert envelope_depth(hilbert_envelope(ear, LOW_RATE)[LOW_RATE:-LOW_RATE], LOW_RATE, 6.0) < 1e-3
    both = hilbert_envelope(left + right, LOW_RATE)[LOW_RATE:-LOW_RATE]
    assert envelope_depth(both, LOW_RATE, 6.0) == pytest.approx(2 / 3, abs=3e-3)


@pytest.mark.parametrize("kind", ["am", "isochronic", "monaural", "binaural"])
def test_a_tone_lies_at_its_level_below_the_sound_and_starts_anywhere(kind: str) -> None:
    tone = Tone(kind, 10.0, 300.0, level_db=-12.0)  # type: ignore[arg-type]
    silence = np.zeros((2, 12 * LOW_RATE), dtype=np.float32)
    modulation = Modulation(ModulationProfile(tones=(tone,)))
    alone = rendered(modulation, silence, [5000], sound_lufs=-27.0)
    assert integrated_lufs(alone[0], LOW_RATE) + 10 * math.log10(2) == pytest.approx(-39.0, abs=0.1)
    later = rendered(modulation, silence[:, :4000], [], sound_lufs=-27.0, start_sample=9000)
    np.testing.assert_allclose(later, alone[:, 9000:13_000], atol=1e-6)
    sham = rendered(Modulation(modulation.profile.sham()), silence, [], sound_lufs=-27.0)
    assert integrated_lufs(sham[0], LOW_RATE) == pytest.approx(integrated_lufs(alone[0], LOW_RATE), abs=0.15)
    assert envelope_depth(hilbert_envelope(sham.sum(0), LOW_RATE)[LOW_RATE:-LOW_RATE], LOW_RATE, 10.0) < 1e-3


def test_the_jittered_control_keeps_its_depth_but_not_its_line() -> None:
    exact, jittered = (gain_of(Track.of(Rate(6.0, 0.5, jitter=jitter)), 120 * LOW_RATE) for jitter in (0.0, 0.3))
    assert np.std(jittered) == pytest.approx(np.std(exact), rel=0.02)
    assert envelope_depth(jittered, LOW_RATE, 6.0) < 0.2 * envelope_depth(exact, LOW_RATE, 6.0)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_tones_loudness_counts_all_channels(channels: int) -> None:
    modulation = Modulation(ModulationProfile(tones=(Tone("am", 10.0, 997.0, level_db=-10.0),)))
    out = rendered(modulation, np.zeros((channels, 8 * LOW_RATE), np.float32), [], sound_lufs=-20.0)
    assert integrated_lufs(out, LOW_RATE) == pytest.approx(-30.0, abs=0.1)


def test_tones_need_the_loudness_of_the_sound() -> None:
    with pytest.raises(CtxAudioError, match="tones need the loudness"):
        next(modulated([], Modulation(ModulationProfile(tones=(Tone("am", 10.0),))), LOW_RATE, 1))
