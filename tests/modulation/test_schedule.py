"""Schedules from text and YAML, what they move, and how deep is comfortable; mistakes are one line."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ctxaudio.contexts import CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import Carrier, ModulationProfile, Rate, Tone
from ctxaudio.modulation.schedule import (
    Mixed,
    Modulation,
    Night,
    Schedule,
    Step,
    band_of,
    example_nights,
    parse_schedule,
    read_night,
    read_schedule,
)

STEP = "steps:\n- {minute: 0, rate_hz: 10}\n"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
STEPS = (Step(0.0, 10.0, 0.2, condition="Rain"), Step(20.0, 0.5, 0.3, level_db=-6.0, condition="Wind"))


@pytest.mark.parametrize(
    "night",
    [
        Night(Schedule(STEPS[:1])),
        Night(
            Schedule(STEPS, 30.0), 90.0, 12.0, (Mixed(Path("sounds/a bird.wav"), -12.0, 30.0), Mixed(Path("b"), 0.0))
        ),
    ],
)
def test_what_is_written_is_read_again_from_anywhere(night: Night, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("plans/night.yaml")
    path.parent.mkdir()
    night.write(path)
    found = read_night(path)
    assert [mixed.path.resolve() for mixed in found.mix] == [mixed.path.resolve() for mixed in night.mix]
    assert replace(found, mix=()) == replace(night, mix=())
    assert [replace(mixed, path="") for mixed in found.mix] == [replace(mixed, path="") for mixed in night.mix]
    assert str(tmp_path) not in path.read_text()


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_context_has_examples_that_its_model_can_render(context: str) -> None:
    nights = example_nights(context)
    assert len(nights) >= 2
    for night in nights.values():
        assert night.modulation.schedule == night.schedule and night.minutes and night.fade_s
        assert {name for _, name in night.schedule.conditions()} <= set(CONTEXTS[context].conditions)
        assert night.schedule.steps[0].condition and night.schedule.steps[-1].minute < night.minutes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minutes: soon\n", "'soon'"),
        ("fade_s: [1]\n", "as numbers"),
        ("mix: rain.wav\n", "mix as file, level_db, gap_s"),
        ("mix:\n- {level_db: 3}\n", "'file'"),
        ("mix:\n- {file: {a: b}, level_db: 3}\n", "mix as file"),
        ("pace: 3\n", "unknown entry 'pace'; known are minutes, fade_s, glide_s, steps, mix"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "night.yaml"
    path.write_text(STEP + text)
    with pytest.raises(CtxAudioError, match=r"night\.yaml") as raised:
        read_night(path)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_depths_beyond_comfort_are_refused() -> None:
    with pytest.raises(CtxAudioError, match="roughness"):
        _ = Night(Schedule((Step(0, 10.0), Step(1, 40.0, 0.9)))).modulation


def test_bands_of_rates_and_conditions_of_a_model() -> None:
    assert [band_of(rate_hz) for rate_hz in (0.5, 2.5, 8.0, 40.0)] == ["", "delta", "theta", "gamma"]
    known = Night(Schedule(STEPS)).with_conditions(["Wind"])
    assert [step.condition for step in known.schedule.steps] == [None, "Wind"]


def test_a_schedule_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text(
        "glide_s: 30\nsteps:\n- {minute: 0, band: alpha, rate_hz: 10, depth: 0.3}\n- {minute: 20, band: delta}\n"
    )
    assert read_schedule(path) == Schedule((Step(0.0, 10.0, 0.3), Step(20.0, 2.0, 0.2)), glide_s=30.0)
    assert parse_schedule("0:alpha 10 0.3, 20:delta", glide_s=30.0) == read_schedule(path)


def test_levels_and_conditions_go_with_the_steps(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text(STEP + "- {minute: 1, rate_hz: 6, level_db: -6, condition: Rain}\nglide_s: 30\n")
    schedule = read_night(path).schedule
    assert schedule.levels() == [(0.0, 0.0), (60.0, 0.0), (90.0, -6.0)]
    assert schedule.conditions() == [(60.0, "Rain")]
    with pytest.raises(CtxAudioError, match=r"night\.yaml names a condition, .*: only a session has those"):
        read_schedule(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps:\n- {minute: 0, rate_hz: 6, level_db: 21}\n", "level_db 21.0 must be at least -60 and at most 20"),
        ("steps:\n- {minute: 0, rate_hz: 6, condition: [1]}\n", "is no condition"),
        (BOMB + "steps: [*i]\n", "unknown entry 'a'"),
        (STEP + "- {minute: 2024-01-01, rate_hz: 6}\n", "2024-01-01"),
        ("steps:\n- {minute: !!int abc, rate_hz: 6}\n", "'abc'"),
        (f"steps:\n- {{minute: 0, rate_hz: {'1' * 400}}}\n", "must be above 0 and at most 100"),
        (f"steps:\n- {{minute: {'9' * 5000}, rate_hz: 6}}\n", "minute inf must be at least 0 and at most 1440"),
        ("steps:\n- {minute: 0, rate_hz: .nan}\n", "'.nan'"),
        ("steps:\n- !!python/object/apply:os.system [exit]\n", "is not a step"),
        ("steps:\n- {minute: 0, rate_hz: [1, 2]}\n", "as numbers"),
        ("steps:\n- {rate_hz: 6}\n", "is not a step"),
        ("steps:\n- {minute: 0}\n", "needs rate_hz or band"),
        ("steps:\n- {minute: 0, band: omega}\n", "unknown band 'omega'"),
        (STEP + "? [a]\n: b\n", "not valid YAML"),
        (STEP + "pace: 3\n", "unknown entry 'pace'"),
        ("steps: " + "[" * 15_000, "not valid YAML"),
        ("steps:\n" + "- {minute: 0, rate_hz: 6}\n" * 5000, "over 20000 bytes"),
        ("\x00", "not valid YAML"),
        ("", "needs `steps:`"),
    ],
)
def test_a_hostile_file_is_one_short_line_at_once(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "night.yaml"
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(CtxAudioError, match=r"night\.yaml") as raised:
        read_schedule(path)
    assert time.process_time() - started < 2.0
    assert message in str(raised.value) and "\n" not in str(raised.value) and len(str(raised.value)) < 700


@pytest.mark.skipif(os.name == "nt", reason="named pipes are POSIX")
def test_a_pipe_is_no_schedule(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(CtxAudioError, match="not a file"):
        read_schedule(tmp_path / "pipe.yaml")


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


def test_a_schedule_in_words_names_each_step() -> None:
    schedule = parse_schedule("0:alpha 10, 20:theta 6 0.3, 40:off")
    said = Modulation(ModulationProfile((Rate(10.0, 0.2),)), schedule).text()
    assert said == "10 Hz m 0.2 from 0 min, 6 Hz m 0.3 from 20 min, none from 40 min"
    said = Modulation(ModulationProfile((Rate(10.0, 0.2),), (Carrier(432.0, 0.5),)), schedule).text()
    assert said.startswith("10 Hz m 0.2, carrier 432 Hz m 0.5 from 0 min") and said.endswith("0.5 from 40 min")
    assert Modulation(ModulationProfile((Rate(2.5, 0.2),)).sham()).text() == "none (sham of 2.5 Hz)"


def test_depths_are_summed_over_a_range_and_tones_are_not_limited() -> None:
    with pytest.raises(CtxAudioError, match=r"^depth 0\.4 at 30 Hz and above is over 0\.3 \(roughness\): less"):
        Modulation(ModulationProfile((Rate(40.0, 0.2), Rate(60.0, 0.2)))).check_comfort()
    moving = Modulation(ModulationProfile((Rate(6.0, 0.1),)), parse_schedule("0:6 0.2, 1:6 0.6"))
    with pytest.raises(CtxAudioError, match=r"depth 0\.6 at 2-15 Hz is over 0\.5"):
        moving.check_comfort()
    Modulation(ModulationProfile(tones=(Tone("am", 40.0),)), moving.schedule).check_comfort()
