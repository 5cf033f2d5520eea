"""Controls, without a browser: what they are, and what moving one does. Predictions are tested with lessons."""

from __future__ import annotations

import base64
import re
from typing import Any

import ipywidgets
import numpy as np
import pytest

from ctxaudio import plots
from ctxaudio.errors import CtxAudioError
from ctxaudio.widgets import Sound, controls, explore, play

RATE = 8000


def render(height: float, gain: float) -> tuple[plots.Picture, Sound]:
    if height > 8:
        raise CtxAudioError("too <high>")
    return plots.bars({"row": {"height": height}}), play(np.full(RATE, gain, np.float32), RATE, "Tone", small=True)


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    shown: list[Any] = []
    monkeypatch.setattr(controls, "display", lambda *parts: shown.extend(parts))
    return shown


def parts(displayed: list[Any]) -> tuple[Any, ...]:
    """Height, gain, player and figure."""
    height, gain, _at_once, played, drawn = all_parts(displayed)
    return height, gain, played, drawn


def all_parts(displayed: list[Any]) -> tuple[Any, ...]:
    explore(render, True, height=(3, 1, 9), gain=(0.5, 0.0, 1.0))
    (box,) = displayed
    beside, drawn = box.children
    return (*beside.children, drawn)


def drawn_height(drawn: Any) -> bytes:
    return base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', drawn.value)[1])


def test_without_interaction_the_initial_values_are_drawn_once(displayed: list[Any]) -> None:
    explore(render, False, height=(3, 1, 9), gain=(0.5, 0.0, 1.0))
    figure, sound = displayed
    assert figure.alt == "clips: row height 3.0" and sound.line().startswith("<Tone: 1.00 s at 8000 Hz, peak -6.0 dBFS")


def test_moving_a_slider_draws_and_sounds_again(displayed: list[Any]) -> None:
    height, gain, played, drawn = parts(displayed)
    before = drawn.value
    assert "peak -6.0 dBFS" in played.value and drawn_height(drawn).startswith(b"\x89PNG")
    gain.value = 0.25
    assert drawn.value == before and "peak -12.0 dBFS" in played.value
    height.value = 7.0
    assert drawn_height(drawn) == plots.bars({"row": {"height": height.value}}).png()
    assert 'alt="clips: row height 7' in drawn.value and gain.continuous_update is False


def test_a_change_plays_at_once_where_that_is_asked_for(displayed: list[Any]) -> None:
    _height, gain, at_once, played, _drawn = all_parts(displayed)
    assert "autoplay" not in played.value
    at_once.value = True
    gain.value = 0.25
    assert "<audio controls autoplay " in played.value and "pause()" in played.value


def test_controls_and_player_stand_beside_the_figure_which_is_half_a_window_high_at_most(displayed: list[Any]) -> None:
    *_, drawn = parts(displayed)
    assert isinstance(displayed[0], ipywidgets.HBox) and "max-height:50vh" in drawn.value


def test_an_error_is_shown_and_raised_and_the_next_value_recovers(displayed: list[Any]) -> None:
    height, _gain, played, drawn = parts(displayed)
    with pytest.raises(CtxAudioError, match="too <high>"):
        height.value = 9.0
    assert "CtxAudioError: too &lt;high&gt;" in played.value
    height.value = 5.0
    assert "Tone" in played.value and 'alt="clips: row height 5' in drawn.value


def test_a_rate_moves_on_a_logarithm_and_everything_has_a_label(displayed: list[Any]) -> None:
    def of_rate(rate_hz: float, depth: float) -> tuple[plots.Picture, Sound]:
        return render(rate_hz, depth)

    explore(of_rate, True, rate_hz=(2.5, 1.0, 100.0), depth=(0.5, 0.0, 1.0))
    rate, depth, *_ = displayed[0].children[0].children
    assert isinstance(rate, ipywidgets.FloatLogSlider) and isinstance(depth, ipywidgets.FloatSlider)
    assert (rate.value, rate.min, rate.max) == (2.5, 0.0, 2.0)
    assert (rate.description, rate.tooltip, depth.description) == ("rate (Hz)", "rate (Hz)", "depth")


@pytest.mark.parametrize("control", [(5, 1, 3), (1, 1, 1), (1, 2), 0.5, ("a", 1, 2)])
def test_wrong_controls_are_named(control: Any) -> None:
    with pytest.raises(CtxAudioError, match=r"'height' must be \(value, lowest, highest\) in order"):
        explore(render, True, height=control, gain=(0.5, 0.0, 1.0))
