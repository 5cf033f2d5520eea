"""Schedules from text, what they move, and how deep is comfortable."""

import pytest

from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import Carrier, ModulationProfile, Rate, Tone
from ctxaudio.modulation.schedule import Modulation, parse_schedule


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


def test_a_schedule_moves_one_rate_and_a_sham_stays_one() -> None:
    schedule = parse_schedule("0:alpha 10, 20:theta 6 0.3, 40:off")
    with pytest.raises(CtxAudioError, match="a schedule moves one rate"):
        Modulation(ModulationProfile((Rate(6.0, 0.1), Rate(8.0, 0.1))), schedule)
    sham = Modulation(ModulationProfile((Rate(6.0, 0.1),)).sham(), schedule)
    assert sham.schedule is not None and not any(step.depth for step in sham.schedule.steps)


def test_a_schedule_in_words_names_each_step_and_what_stays() -> None:
    profile = ModulationProfile((Rate(10.0, 0.2),), (Carrier(432.0, 0.5),))
    said = Modulation(profile, parse_schedule("0:alpha 10, 20:theta 6 0.3, 40:off")).text()
    assert said == "10 Hz m 0.2 from 0 min, 6 Hz m 0.3 from 20 min, none from 40 min, carrier 432 Hz m 0.5"
    assert Modulation(ModulationProfile((Rate(2.5, 0.2),)).sham()).text() == "none (sham of 2.5 Hz)"


def test_depths_are_summed_over_a_range_and_tones_are_not_limited() -> None:
    with pytest.raises(CtxAudioError, match=r"^depth 0\.4 at 30 Hz and above is over 0\.3 \(roughness\): less"):
        Modulation(ModulationProfile((Rate(40.0, 0.2), Rate(60.0, 0.2)))).check_comfort()
    moving = Modulation(ModulationProfile((Rate(6.0, 0.1),)), parse_schedule("0:6 0.2, 1:6 0.6"))
    with pytest.raises(CtxAudioError, match=r"depth 0\.6 at 2-15 Hz is over 0\.5"):
        moving.check_comfort()
    Modulation(ModulationProfile(tones=(Tone("am", 40.0),)), moving.schedule).check_comfort()
