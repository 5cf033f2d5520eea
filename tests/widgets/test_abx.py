"""The ABX test: chances that agree with scipy and with counting, and the widget, without a browser: an order by lot,
no result before its time, and nothing that would give X away."""

from __future__ import annotations

import base64
import io
import itertools
import math
import re
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.loudness import integrated_lufs
from ctxaudio.widgets import Playlist, abx
from ctxaudio.widgets.abx import abx_test, chance_of, correct_needed, drawn_order, result

RATE = 8000


@given(st.integers(1, 60).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_p_is_the_share_of_all_series_of_guesses_that_do_as_well(score: tuple[int, int]) -> None:
    correct, trials = score
    as_well = sum(math.comb(trials, right) for right in range(correct, trials + 1))
    assert chance_of(correct, trials) == pytest.approx(as_well / 2**trials, rel=1e-9)


def test_p_agrees_with_every_series_of_six_answers_counted_out() -> None:
    right = [sum(series) for series in itertools.product((0, 1), repeat=6)]
    for correct in range(7):
        counted = sum(number >= correct for number in right) / len(right)
        assert chance_of(correct, 6) == pytest.approx(counted)


@given(st.integers(5, 100))
def test_the_needed_number_passes_and_one_fewer_does_not(trials: int) -> None:
    needed = correct_needed(trials)
    assert chance_of(needed, trials) < 0.05 <= chance_of(needed - 1, trials)
    assert chance_of(needed, trials, hit_rate=1.0) == 1.0
    assert chance_of(12, 16, hit_rate=0.75) == pytest.approx(0.63, abs=0.005)


def test_four_trials_can_show_nothing() -> None:
    assert chance_of(4, 4) == pytest.approx(1 / 16)
    for trials in (4, 101):
        with pytest.raises(CtxAudioError, match=f"{trials} trials of an ABX test"):
            correct_needed(trials)


def test_the_line_says_what_follows_and_no_more() -> None:
    assert result(12, 16) == "12 of 16 right, p = 0.0384; 12 are needed for p < 0.05: a difference was heard"
    says = "12 are needed for p < 0.05: no difference shown (nor is it shown that there is none)"
    assert result(11, 16).endswith(says) and result(9, 16) == f"9 of 16 right, p = 0.402; {says}"


def test_each_trial_is_a_coin_of_its_own() -> None:
    """Not half of each (then the last could be worked out), and none depends on the one before."""
    heads = np.array([[letter == "A" for letter in drawn_order(16)] for _ in range(6000)])
    assert heads.mean() == pytest.approx(0.5, abs=0.01)
    assert (heads[:, 1:] == heads[:, :-1]).mean() == pytest.approx(0.5, abs=0.01)
    assert heads.sum(axis=1).std() == pytest.approx(2.0, abs=0.1)  # that of a binomial; 0 if balanced


def embedded_audio(html: str) -> list[tuple[np.ndarray, int]]:
    found = re.findall(r'<audio[^>]*? src="data:audio/wav;base64,([^"]+)"', html)
    return [soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32") for data in found]


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was displayed."""
    shown: list[Any] = []
    monkeypatch.setattr(abx, "display", shown.append)
    return shown


def parts(trials: int, displayed: list[Any]) -> Any:
    """The parts of the panel: instructions, A and B, X, buttons, what is said."""
    abx_test(pair(), RATE, trials, True)
    return displayed[-1].children


def noise(depth: float, level: float = 0.05) -> np.ndarray:
    time_s = np.arange(2 * RATE) / RATE
    bed = np.random.default_rng(0).standard_normal(len(time_s))
    return (level * bed * (1 + depth * np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


def pair() -> dict[str, np.ndarray]:
    return {"modulated": noise(0.5, 0.1), "sham": noise(0.0)}


def test_an_abx_test_by_buttons_shows_its_result_after_the_last_answer(displayed: list[Any], monkeypatch) -> None:
    monkeypatch.setattr(abx, "drawn_order", lambda trials: [*"ABBAB"][:trials])
    _about, known, hidden, buttons, said = parts(5, displayed)
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
    assert heard == [True, False, False, True, False]
    before = said.value
    is_a.click()
    assert said.value == before, "a click after the last answer is none"
    assert "4 of 5 right, p = 0.188; 5 are needed" in said.value
    assert "A was modulated, B was sham" in said.value
    assert hidden.value == "" and is_a.disabled and is_b.disabled
    assert "X was     A B B A B\nyou said  B B B A B" in said.value


def test_the_player_of_x_is_a_new_one_in_every_trial(displayed: list[Any]) -> None:
    """One that stays would keep its position, and so tell that X is what it was before."""
    _about, _known, hidden, buttons, _said = parts(30, displayed)
    seen = []
    while hidden.value:
        seen.append(hidden.value)
        buttons.children[0].click()
    assert len(set(seen)) == 30
    assert len({re.sub(r"trial \d+", "", value) for value in seen}) == 2


def test_neither_loudness_nor_page_tells_x(displayed: list[Any]) -> None:
    _about, known, hidden, *_ = parts(5, displayed)
    (first, _), (second, _) = embedded_audio(known.value)
    assert integrated_lufs(first, RATE) == pytest.approx(integrated_lufs(second, RATE), abs=0.02)
    for value in (known.value, hidden.value):
        assert not any(word in re.sub('base64,[^"]+', "", value) for word in ("modulated", "sham", "autoplay"))
    assert len(hidden.value) - len("X of trial 1") * 2 == pytest.approx(len(known.value) / 2, abs=60)


def test_tab_goes_from_button_to_button_and_not_through_the_controls_of_a_browser(displayed: list[Any]) -> None:
    _about, known, hidden, *_ = parts(5, displayed)
    for page, labels in ((known.value, ["Play A", "Play B"]), (hidden.value, ["Play X of trial 1"])):
        assert re.findall(r'<button [^>]*aria-label="([^"]+)"', page) == labels and "<audio controls" not in page


def test_without_interaction_the_sounds_are_listed(displayed: list[Any], capsys) -> None:
    abx_test(pair(), RATE, 16, False)
    (listed,) = displayed
    assert isinstance(listed, Playlist) and [sound.title for sound in listed.sounds] == ["modulated", "sham"]
    assert capsys.readouterr().out == "12 of 16 right answers are needed for p < 0.05\n"


@pytest.mark.parametrize(
    ("sounds", "says"),
    [
        ({"one": noise(0.0)}, r"compares two sounds of one length, not of the shapes \[\(16000,\)\]"),
        (
            {"one": noise(0.0), "other": noise(0.5)[:-1]},
            r"compares two sounds of one length, not of the shapes \[\(16000,\), \(15999,\)\]",
        ),
        ({"one": noise(0.0), "other": noise(0.0)}, "are the same sound"),
    ],
)
def test_sounds_that_make_no_test_are_refused(sounds: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(CtxAudioError, match=says):
        abx_test(sounds, RATE, 5, True)
