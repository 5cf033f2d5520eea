"""The editor of a night, without a browser: what its fields hold is the night, and mistakes are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctxaudio.contexts import BANDS, CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.schedule import Step
from ctxaudio.render.night import Night, example_nights, parse_night, read_night
from ctxaudio.render.session import Mixed
from ctxaudio.widgets import Sound, play, timeline
from ctxaudio.widgets.timeline import NightEditor, picture_of_night, plan_night


def heard(night: Night, minute: float) -> Sound:
    if minute > 40:
        raise CtxAudioError("too <late>")
    return play(np.zeros(8000, np.float32), 8000, f"{len(night.schedule.steps)} steps at {minute:g}", small=True)


@pytest.fixture
def editor(tmp_path: Path) -> NightEditor:
    known = CONTEXTS["sleep"].conditions
    return NightEditor(example_nights("sleep", known), known, heard, tmp_path / "night.yaml")


def typed(editor: NightEditor, before: str, after: str) -> None:
    assert before in editor.plan.value
    editor.plan.value = editor.plan.value.replace(before, after)


def test_every_example_is_shown_as_it_is() -> None:
    for context, about in CONTEXTS.items():
        nights = example_nights(context, about.conditions)
        editor = NightEditor(nights, about.conditions, heard, Path("night.yaml"))
        for name, night in nights.items():
            editor.example.value = name
            assert editor.plan.value == night and editor.night == editor.read() == parse_night(night, Path("x"))
            assert f'alt="{picture_of_night(editor.night).alt}"' in editor.drawn.value


def test_steps_are_typed_added_and_removed(editor: NightEditor) -> None:
    typed(editor, "band: alpha, rate_hz: 10.0, depth: 0.2", "band: delta, depth: 0.3")
    assert editor.night.schedule.steps[0] == Step(0.0, 2.0, 0.3, condition="Waves_and_surf")
    typed(editor, "- {minute: 10,", "- {minute: 5, rate_hz: 8}\n- {minute: 10,")
    assert [step.minute for step in editor.night.schedule.steps] == [0.0, 5.0, 10.0, 25.0, 45.0]
    typed(editor, "- {minute: 5, rate_hz: 8}\n", "")
    assert [step.minute for step in editor.night.schedule.steps] == [0.0, 10.0, 25.0, 45.0]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("minute: 10", "minute: 0", "minutes 0, 0, 25, 45: put them in order"),
        ("depth: 0.2", "depth: 0.9", "beyond_comfort"),
        ("depth: 0.2", "depth: deep", "night.yaml: could not convert string to float"),
        ("condition: Rain", "condition: Rein", "no clip of condition Rein (did you mean Rain?): choose from Rain"),
        ("steps:", "steps: [", "night.yaml is not valid YAML"),
    ],
)
def test_a_mistake_is_said_and_the_last_night_stays(editor: NightEditor, before: str, after: str, says: str) -> None:
    night, drawn, plan = editor.night, editor.drawn.value, editor.plan.value
    typed(editor, before, after)
    assert says in editor.status.value and 'role="alert"' in editor.status.value
    assert editor.night == night and editor.drawn.value == drawn
    editor.buttons["Save"].click()
    assert says in editor.status.value and not Path(editor.file.value).exists()
    editor.plan.value = plan
    assert editor.status.value == '<div role="status">4 steps, 60 minutes.</div>' and editor.night == night


def test_a_night_is_saved_for_the_command_line_and_loaded(editor: NightEditor, tmp_path: Path) -> None:
    typed(editor, "minutes: 60", "mix: [{file: birds.wav, level_db: -12, gap_s: 30}]\nminutes: 50")
    editor.buttons["Save"].click()
    saved = read_night(tmp_path / "night.yaml")
    assert saved == editor.night and saved.mix == (Mixed(tmp_path / "birds.wav", -12.0, 30.0),) and saved.minutes == 50
    assert f"ctxaudio session --schedule {tmp_path / 'night.yaml'}" in editor.status.value
    editor.example.value = "A whole night"
    assert editor.night.minutes == editor.minute.max == 480.0 and not editor.night.mix
    editor.buttons["Load"].click()
    assert editor.night == editor.read() == saved
    editor.file.value = str(tmp_path / "none.yaml")
    editor.buttons["Load"].click()
    assert "none.yaml" in editor.status.value and editor.night == saved


def test_a_preview_plays_at_once_and_fails_in_a_line(editor: NightEditor) -> None:
    editor.minute.value = 30.0
    editor.buttons["Hear 20 s"].click()
    assert "4 steps at 30" in editor.played.value and "autoplay" in editor.played.value
    editor.minute.value = 50.0
    editor.buttons["Hear 20 s"].click()
    assert "too &lt;late&gt;" in editor.status.value


def test_every_field_has_a_name_and_what_may_be_typed_is_said(editor: NightEditor) -> None:
    for field in (editor.plan, editor.file, editor.example, editor.minute):
        assert field.description
    about = editor.panel.children[0].children[0].children[1].value
    assert all(name in about for name in (*BANDS, *CONTEXTS["sleep"].conditions, *Step.__dataclass_fields__))


def test_without_a_reader_the_example_is_drawn_and_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(timeline, "display", lambda *parts: shown.extend(parts))
    editor = plan_night("sleep", tmp_path / "night.yaml", interactive=False)
    picture, sound = shown
    assert picture.alt.startswith("rate, depth and level of a session over time, Waves and surf from minute 0")
    assert sound.line().startswith("<20 s from minute 0, without the fade: 20.00 s at 22050 Hz")
    assert np.std(sound.samples[:, :22050]) > 0.5 * np.std(sound.samples), "it is heard from its first second"
    editor.save()
    typed(editor, "minutes: 60", "minutes: 30")
    editor.save()
    again = plan_night("sleep", tmp_path / "night.yaml", interactive=False)
    assert again.example.value == "as saved" and again.night == editor.night and again.night.minutes == 30.0
