"""The ABX test in a notebook, without a browser: what it says, and what would give X away."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
import soundfile

from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.abx import AbxTest
from ctxaudio.plots import Picture
from ctxaudio.signal.loudness import integrated_lufs
from ctxaudio.widgets import Playlist, abx, abx_test

RATE = 8000


def embedded_audio(html: str) -> list[tuple[np.ndarray, int]]:
    found = re.findall(r'<audio[^>]*? src="data:audio/wav;base64,([^"]+)"', html)
    return [soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32") for data in found]


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was displayed."""
    shown: list[Any] = []
    monkeypatch.setattr(abx, "display", shown.append)
    return shown


def parts(test: AbxTest, displayed: list[Any]) -> Any:
    """The parts of the panel: instructions, A and B, X, buttons, what is said."""
    abx_test(test, pair(), RATE, True)
    return displayed[-1].children


def noise(depth: float, level: float = 0.05) -> np.ndarray:
    time_s = np.arange(2 * RATE) / RATE
    bed = np.random.default_rng(0).standard_normal(len(time_s))
    return (level * bed * (1 + depth * np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


def pair() -> dict[str, np.ndarray]:
    return {"modulated": noise(0.5, 0.1), "sham": noise(0.0)}


def test_an_abx_test_by_buttons_shows_its_result_after_the_last_answer(displayed: list[Any]) -> None:
    test = AbxTest(5, seed=8)
    _about, known, hidden, buttons, said = parts(test, displayed)
    is_a, is_b = buttons.children
    assert [is_a.description, is_b.description] == ["X is A", "X is B"]
    (first, _), (second, _) = embedded_audio(known.value)
    heard = []
    for number in range(1, 6):
        assert f"Trial {number} of 5" in said.value
        assert not any(word in said.value for word in ("right", "modulated", "sham"))
        assert "<img" not in said.value
        [(x, _)] = embedded_audio(hidden.value)
        is_first = np.array_equal(x, first)
        assert is_first or np.array_equal(x, second)
        heard.append(is_first)
        (is_a if is_first == (number > 1) else is_b).click()  # wrong in the first trial, right in the others
    assert len(set(heard)) == 2
    assert "4 of 5 right, p = 0.188; 5 are needed" in said.value
    assert "A was modulated, B was sham" in said.value
    assert '<img alt="ABX test of 5 trials, 5 right answers needed: you 4 right"' in said.value and hidden.value == ""
    assert is_a.disabled and is_b.disabled
    assert test.log()["right"].tolist() == [False, True, True, True, True]


def test_the_player_of_x_is_a_new_one_in_every_trial(displayed: list[Any]) -> None:
    """One that stays would keep its position, and so tell that X is what it was before."""
    test = AbxTest(30, seed=1)
    _about, _known, hidden, buttons, _said = parts(test, displayed)
    seen = []
    while not test.finished:
        seen.append(hidden.value)
        buttons.children[0].click()
    assert len(set(seen)) == 30
    assert len({re.sub(r"trial \d+", "", value) for value in seen}) == 2


def test_neither_loudness_nor_page_tells_x(displayed: list[Any]) -> None:
    _about, known, hidden, *_ = parts(AbxTest(5, seed=0), displayed)
    (first, _), (second, _) = embedded_audio(known.value)
    assert integrated_lufs(first, RATE) == pytest.approx(integrated_lufs(second, RATE), abs=0.02)
    for value in (known.value, hidden.value):
        assert not any(word in re.sub('base64,[^"]+', "", value) for word in ("modulated", "sham", "autoplay"))
    assert len(hidden.value) - len("X of trial 1") * 2 == pytest.approx(len(known.value) / 2, abs=60)


def test_an_abx_test_goes_on_where_it_was(displayed: list[Any]) -> None:
    test = AbxTest(5, seed=0)
    parts(test, displayed)[3].children[0].click()
    *_, said = parts(test, displayed)
    assert "Trial 2 of 5" in said.value


def test_tab_goes_from_button_to_button_and_not_through_the_controls_of_a_browser(displayed: list[Any]) -> None:
    _about, known, hidden, *_ = parts(AbxTest(5, seed=0), displayed)
    for page, labels in ((known.value, ["Play A", "Play B"]), (hidden.value, ["Play X of trial 1"])):
        assert re.findall(r'<button [^>]*aria-label="([^"]+)"', page) == labels and "<audio controls" not in page


def test_without_interaction_simulated_listeners_take_the_test(displayed: list[Any], capsys) -> None:
    test = AbxTest(16, seed=0)
    abx_test(test, pair(), RATE, False)
    assert test.answered == 0
    listed, picture = displayed
    assert isinstance(listed, Playlist) and [sound.title for sound in listed.sounds] == ["modulated", "sham"]
    assert isinstance(picture, Picture) and "12 right answers needed" in picture.alt
    guessing, hearing = capsys.readouterr().out.splitlines()
    assert guessing.startswith("simulated, a listener who guesses: ") and "no difference shown" in guessing
    assert hearing.startswith("simulated, one who hears it") and hearing.endswith("a difference was heard")


@pytest.mark.parametrize(
    ("sounds", "says"),
    [
        ({"one": noise(0.0)}, "compares two sounds, not 1"),
        ({"one": noise(0.0), "other": noise(0.5)[:-1]}, "have shapes"),
        ({"one": noise(0.0), "other": noise(0.0)}, "are the same sound"),
    ],
)
def test_sounds_that_make_no_test_are_refused(sounds: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(CtxAudioError, match=says):
        abx_test(AbxTest(5), sounds, RATE, True)
