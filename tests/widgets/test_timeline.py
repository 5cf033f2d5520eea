"""The editor of a night, without a browser: what its fields hold is the night, and mistakes are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctxaudio.contexts import CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.schedule import Mixed, Night, Step, example_nights, read_night
from ctxaudio.widgets import Sound, timeline
from ctxaudio.widgets.timeline import NightEditor, picture_of_night, plan_night


def field(row: Any, name: str) -> Any:
    return next(one for one in row.children if one.description == name)


def heard(night: Night, minute: float) -> Sound:
    if minute > 40:
        raise CtxAudioError("too <late>")
    return Sound(np.zeros(8000, np.float32), 8000, f"{len(night.schedule.steps)} steps at {minute:g}", small=True)


@pytest.fixture
def editor(tmp_path: Path) -> NightEditor:
    return NightEditor(example_nights("sleep"), CONTEXTS["sleep"].conditions, heard, tmp_path / "night.yaml")


def test_every_example_is_shown_as_it_is() -> None:
    for context, about in CONTEXTS.items():
        nights = example_nights(context)
        editor = NightEditor(nights, about.conditions, heard, Path("night.yaml"))
        for name, night in nights.items():
            editor.example.value = name
            assert editor.night == editor.read() == night
            assert f'alt="{picture_of_night(night).alt}"' in editor.drawn.value


def test_steps_are_typed_added_and_removed(editor: NightEditor) -> None:
    first = editor.steps[0]
    field(first, "rate (Hz)").value, field(first, "depth").value = 20.0, 0.3
    assert field(first, "band").value == "beta"
    field(first, "band").value = "delta"
    assert field(first, "rate (Hz)").value == 2.0 and editor.night.schedule.steps[0] == Step(
        0.0, 2.0, 0.3, condition="Waves_and_surf"
    )
    editor.buttons["Add a step"].click()
    assert [step.minute for step in editor.night.schedule.steps] == [0.0, 10.0, 25.0, 45.0, 55.0]
    field(editor.steps[-1], "minute").value = 5.0
    assert [step.minute for step in editor.night.schedule.steps] == [0.0, 5.0, 10.0, 25.0, 45.0]
    editor.steps[1].children[-1].click()
    assert [step.minute for step in editor.night.schedule.steps] == [0.0, 5.0, 25.0, 45.0]


def test_a_mistake_is_said_and_the_last_night_stays(editor: NightEditor) -> None:
    before, drawn = editor.night, editor.drawn.value
    field(editor.steps[1], "minute").value = 0.0
    assert "minutes 0, 0, 25, 45: put them in order" in editor.status.value and 'role="alert"' in editor.status.value
    assert editor.night == before and editor.drawn.value == drawn
    field(editor.steps[1], "minute").value = 10.0
    field(editor.steps[0], "depth").value = 0.9
    assert "beyond_comfort" in editor.status.value
    field(editor.steps[0], "depth").value = 0.2
    assert editor.status.value == '<div role="status">4 steps, 60 minutes.</div>' and editor.night == before


def test_a_night_is_saved_for_the_command_line_and_loaded(editor: NightEditor, tmp_path: Path) -> None:
    editor.buttons["Mix in a recording"].click()
    field(editor.mix[0], "recording").value, field(editor.mix[0], "gap (s)").value = str(tmp_path / "birds.wav"), 30.0
    editor.whole["minutes"].value, editor.whole["fades (s)"].value = 50.0, 5.0
    editor.buttons["Save"].click()
    saved = read_night(tmp_path / "night.yaml")
    assert saved == editor.night and saved.mix == (Mixed(tmp_path / "birds.wav", -12.0, 30.0),)
    assert f"ctxaudio session --schedule {tmp_path / 'night.yaml'}" in editor.status.value
    editor.example.value = "A whole night"
    assert editor.night.minutes == 480.0 and not editor.mix
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


def test_every_field_has_a_name(editor: NightEditor) -> None:
    fields = [one for row in [*editor.steps, *editor.mix] for one in row.children]
    for one in [*fields, *editor.whole.values(), editor.file, editor.example, editor.minute]:
        assert one.tooltip or one.description


def test_without_a_reader_the_example_is_drawn_and_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(timeline, "display", lambda *parts: shown.extend(parts))
    plan_night("sleep", tmp_path / "night.yaml", interactive=False)
    picture, sound = shown
    assert picture.alt.startswith("rate, depth and level of a session over time, Waves and surf from minute 0")
    assert sound._repr_mimebundle_()["text/plain"].startswith(
        "<20 s from minute 0, without the fade: 20.00 s at 22050 Hz"
    )
    assert np.std(sound.samples[:, :22050]) > 0.5 * np.std(sound.samples), "it is heard from its first second"
