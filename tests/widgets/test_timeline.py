"""The editor of a night, without a browser: what its fields hold is the night, and mistakes are said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctxaudio.contexts import CONTEXTS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.schedule import Step
from ctxaudio.render.night import Mixed, Night, example_nights, read_night
from ctxaudio.widgets import Sound, timeline
from ctxaudio.widgets.timeline import NightEditor, picture_of_night, plan_night


def heard(night: Night, minute: float) -> Sound:
    if minute > 40:
        raise CtxAudioError("too <late>")
    return Sound(np.zeros(8000, np.float32), 8000, f"{len(night.schedule.steps)} steps at {minute:g}", small=True)


def editor_of(path: Path, context: str = "sleep") -> NightEditor:
    nights = example_nights(context)
    if not path.exists():
        next(iter(nights.values())).write(path)
    return NightEditor(path, nights, CONTEXTS[context].conditions, heard)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "night.yaml"


@pytest.fixture
def editor(path: Path) -> NightEditor:
    return editor_of(path)


def test_every_example_is_shown_and_saved_as_it_is(tmp_path: Path) -> None:
    for context in CONTEXTS:
        path = tmp_path / f"{context}.yaml"
        editor = editor_of(path, context)
        for name, night in example_nights(context).items():
            editor.example.label = name
            assert editor.night == night == read_night(path)
            assert f'alt="{picture_of_night(night).alt}"' in editor.drawn.value


def test_what_is_typed_is_drawn_and_saved_for_the_command_line(editor: NightEditor, path: Path) -> None:
    assert editor.status.value.startswith('<div role="status">4 steps, 60 minutes, saved; to render it: ')
    assert f"ctxaudio session --schedule {path} --output_path night.flac" in editor.status.value
    drawn = editor.drawn.value
    editor.text.value = """# mine
minutes: 50
fade_s: 5
steps:
- {minute: 0, rate_hz: 20, depth: 0.3, condition: Waves_and_surf}
- {minute: 5, band: delta}
mix: [{file: birds.wav, level_db: -12, gap_s: 30}]
"""
    first, second = editor.night.schedule.steps
    assert first == Step(0.0, 20.0, 0.3, condition="Waves_and_surf") and second.rate_hz == pytest.approx(2.0)
    assert editor.night.mix == (Mixed(path.with_name("birds.wav"), -12.0, 30.0),)
    assert editor.drawn.value != drawn and (editor.minute.max, editor.night.fade_s) == (50.0, 5.0)
    assert read_night(path) == editor.night and path.read_text(encoding="utf-8") == editor.text.value


def test_a_mistake_is_said_and_the_last_night_and_the_file_stay(editor: NightEditor, path: Path) -> None:
    before, drawn, saved = editor.night, editor.drawn.value, path.read_text(encoding="utf-8")
    for typed, says in (
        (saved.replace("minute: 10", "minute: 0"), f"{path}: schedule: minutes 0, 0, 25, 45: put them in order"),
        (saved.replace("depth: 0.2", "depth: 0.9"), "beyond_comfort"),
        (saved.replace("Rain", "Gong"), "the model does not know &#x27;Gong&#x27;: choose from Rain, "),
        ("steps: [", f"{path} is not valid YAML"),
    ):
        editor.text.value = typed
        assert says in editor.status.value and 'role="alert"' in editor.status.value, says
        assert editor.night == before and editor.drawn.value == drawn and path.read_text(encoding="utf-8") == saved
        assert list(path.parent.iterdir()) == [path]
    editor.text.value = saved
    assert 'role="status"' in editor.status.value and editor.night == before


def test_what_was_saved_is_shown_again_with_its_comments_and_mistakes(path: Path) -> None:
    path.write_text("# mine\nsteps: [{minute: 0, rate_hz: 6}]\n")
    editor = editor_of(path)
    assert editor.text.value.startswith("# mine") and editor.night == read_night(path)
    editor.example.label = "A whole night"
    assert editor.night.minutes == 480.0 == read_night(path).minutes
    editor.example.label = "as saved"
    assert editor.text.value.startswith("# mine") and path.read_text() == editor.text.value
    path.write_text("steps: [{minute: 1, rate_hz: 6}]\n")
    assert "the first step must be at minute 0" in editor_of(path).status.value


def test_a_preview_plays_at_once_and_fails_in_a_line(editor: NightEditor) -> None:
    editor.minute.value = 30.0
    editor.hear.click()
    assert "4 steps at 30" in editor.played.value and "autoplay" in editor.played.value
    editor.minute.value = 50.0
    editor.hear.click()
    assert "too &lt;late&gt;" in editor.status.value


def test_every_field_has_a_name(editor: NightEditor) -> None:
    for one in (editor.text, editor.example, editor.minute, editor.hear):
        assert one.description


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
