"""Profiles by name and by method, from texts and from JSON, and those that make no sense."""

import math
from dataclasses import asdict

import pytest

from ctxaudio.contexts import CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import (
    Carrier,
    ModulationProfile,
    Rate,
    chosen_profile,
    context_profile,
    method_profile,
    modulation_profile,
    named_profile,
)


def test_bands_are_three_rates_and_targets_rates_or_carriers() -> None:
    profile = modulation_profile({"alpha": 0.3}, {"deep_sleep": 0.2, "earth": 0.5})
    rates = [(round(rate.rate_hz, 2), round(rate.depth, 2)) for rate in profile.rates]
    assert rates == [(8.67, 0.1), (10.2, 0.1), (11.99, 0.1), (2.5, 0.2)]
    assert profile.carriers == (Carrier(432.0, 0.5),)


def test_profiles_by_name_method_and_text() -> None:
    assert named_profile("meditation").rates[-1].rate_hz == 6.0
    assert method_profile("am", 6.0).rates == (Rate(6.0, 0.5),)
    assert chosen_profile(CONTEXTS["sleep"], [], ["earth=0.5"]).rates == ()


EVERYTHING = ModulationProfile(
    (Rate(7.83, 0.25, 1.5), Rate(4.0, 0.5, pulse=True), Rate(10.0, 0.2, jitter=0.3)),
    (Carrier(432.0, 0.4), Carrier(528.0, 1.0)),
)


@pytest.mark.parametrize(
    "profile", [*map(context_profile, CONTEXTS.values()), method_profile("binaural", 6.0), EVERYTHING]
)
def test_a_profile_survives_its_json(profile: ModulationProfile) -> None:
    assert ModulationProfile.from_dict(asdict(profile)) == profile


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rate(7.83, 1.5), "depth 1.5 must be at least 0 and at most 1"),
        (lambda: Rate(120.0, 0.5), "rate_hz 120.0 must be above 0 and at most 100"),
        (lambda: Rate(math.nan, 0.5), "rate_hz nan must be above 0"),
        (lambda: Rate(5.0, math.nan), "depth nan must be"),
    ],
)
def test_values_out_of_range_are_named(make, message):
    with pytest.raises(CtxAudioError, match=message):
        ModulationProfile((make(),))


def test_depths_that_would_turn_the_envelope_over_are_refused():
    with pytest.raises(CtxAudioError, match=r"sum to 1\.2"):
        modulation_profile({"alpha": 0.6}, {"deep_sleep": 0.6})


def test_unknown_bands_and_targets_are_answered_with_the_choices():
    with pytest.raises(CtxAudioError, match=r"unknown band 'sigma'.*: choose one of delta"):
        modulation_profile({"sigma": 0.1}, {})
    with pytest.raises(CtxAudioError, match="unknown target '440'"):
        modulation_profile({}, {"440": 0.1})
