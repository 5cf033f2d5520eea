"""A night as YAML: what is written is read again, examples hold, and mistakes are one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctxaudio.contexts import CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.schedule import Schedule, Step
from ctxaudio.render.night import Night, band_of, example_nights, read_night, with_conditions
from ctxaudio.render.session import Mixed

STEP = "steps:\n- {minute: 0, rate_hz: 10}\n"
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
    assert [mixed[1:] for mixed in found.mix] == [mixed[1:] for mixed in night.mix]
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
        ("fade_s: [1]\n", "give minutes and fade_s as numbers"),
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
    known = with_conditions(Night(Schedule(STEPS)), ["Wind"])
    assert [step.condition for step in known.schedule.steps] == [None, "Wind"]
