"""Players, and sliders beside a figure, without a browser: what they hold, and what moving one does."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import ipywidgets
import numpy as np
import pytest
import soundfile
from IPython.core.formatters import DisplayFormatter

from ctxaudio import plots, widgets
from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.loudness import set_loudness
from ctxaudio.widgets import Playlist, Sound, explore

RATE = 8000


def tone(amplitude: float = 0.25, seconds: float = 1.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def text_of(sound: Sound) -> str:
    return str(sound._repr_mimebundle_()["text/plain"])


def held_by(sound: Sound, kind: str) -> bytes:
    [data] = re.findall(rf'<audio controls[^>]*? src="data:{kind};base64,([^"]+)"', sound.player())
    return base64.b64decode(data)


def embedded_audio(html: str) -> list[tuple[np.ndarray, int]]:
    found = re.findall(r'<audio controls[^>]*? src="data:audio/wav;base64,([^"]+)"', html)
    return [soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32") for data in found]


def test_player_holds_the_samples_at_their_own_level() -> None:
    [(samples, sample_rate)] = embedded_audio(Sound(tone(0.01), RATE, "Faint").player())
    assert sample_rate == RATE
    np.testing.assert_allclose(samples, tone(0.01), atol=2 / 32768)


def test_a_small_player_holds_a_fraction_of_the_bytes_within_half_a_decibel() -> None:
    # 110 kbit/s, which keeps the depth of fast rates: 55 kB for four seconds
    sound = Sound(tone(0.25, 4.0), RATE, "Rain", small=True)
    held = held_by(sound, "audio/mpeg")
    assert len(held) < 0.4 * len(held_by(Sound(tone(0.25, 4.0), RATE), "audio/wav"))
    assert len(held_by(Sound(np.resize(tone(), 4 * 22050), 22050, small=True), "audio/mpeg")) < 60_000
    samples, sample_rate = soundfile.read(io.BytesIO(held), dtype="float32")
    assert sample_rate == RATE and text_of(sound) == text_of(Sound(tone(0.25, 4.0), RATE, "Rain"))
    assert abs(20 * np.log10(samples[RATE : 3 * RATE].std() / tone(0.25).std())) < 0.5
    assert Playlist({"a": tone()}, RATE, small=True).sounds[0].small


def test_text_line_gives_length_peak_and_loudness() -> None:
    samples, lufs = set_loudness(tone(0.25, 4.0), RATE, lufs=-27.0)
    line = text_of(Sound(samples, RATE, "Rain"))
    assert line == f"<Rain: 4.00 s at 8000 Hz, peak {20 * np.log10(samples.max()):.1f} dBFS, -27.0 LUFS>"
    assert lufs == pytest.approx(-27.0, abs=0.05)
    assert text_of(Sound(tone(0.5, 0.2), RATE)) == "<sound: 0.20 s at 8000 Hz, peak -6.0 dBFS, too short for LUFS>"
    assert "-0.0" not in text_of(Sound(tone(0.9999), RATE))


def test_display_gives_html_and_text() -> None:
    data, _ = DisplayFormatter().format(Sound(tone(), RATE, "Rain"))
    assert set(data) == {"text/html", "text/plain"}
    assert data["text/plain"] == text_of(Sound(tone(), RATE, "Rain"))
    assert len(embedded_audio(data["text/html"])) == 1


def test_stereo_keeps_both_channels() -> None:
    stereo = np.stack([tone(0.1), tone(0.2)])
    [(samples, _)] = embedded_audio(Sound(stereo, RATE).player())
    np.testing.assert_allclose(samples.T, stereo, atol=2 / 32768)
    assert "1.00 s at 8000 Hz, peak -14.0 dBFS" in text_of(Sound(stereo, RATE))


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (tone(1.2), "peak 1.2 is outside -1..1"),
        (np.array([0.0, np.nan], np.float32), "outside -1..1"),
        (np.zeros(0, np.float32), "expected samples"),
        (np.zeros((100, 2), np.float32), "expected samples"),
        (np.array(0.5, np.float32), "expected samples"),
    ],
)
def test_unplayable_samples_are_refused(samples: np.ndarray, says: str) -> None:
    with pytest.raises(CtxAudioError, match=says):
        Sound(samples, RATE, "Rain")


def test_titles_cannot_break_the_page() -> None:
    bundle = Sound(tone(), RATE, '<script>"x"</script>')._repr_mimebundle_()
    assert "<script>" not in bundle["text/html"]
    assert 'aria-label="&lt;script&gt;&quot;x&quot;' in bundle["text/html"]


def test_playlist_is_one_row_and_one_line_a_sound() -> None:
    listed = Playlist({"Rain": tone(0.1), "Wind & sea": tone(0.2)}, RATE)
    bundle = listed._repr_mimebundle_()
    assert [len(samples) for samples, _ in embedded_audio(bundle["text/html"])] == [RATE, RATE]
    assert "Wind &amp; sea" in bundle["text/html"]
    assert bundle["text/plain"].split("\n")[1].startswith("<Wind & sea: 1.00 s")


def test_a_blind_playlist_shows_titles_and_nothing_that_tells_the_sounds_apart() -> None:
    bundle = Playlist({"A": tone(0.1), "B": tone(0.2)}, RATE, facts=False)._repr_mimebundle_()
    assert bundle["text/plain"] == "<A>\n<B>"
    assert not any(told in bundle["text/html"] for told in ("dBFS", "LUFS", "peak"))
    assert len(embedded_audio(bundle["text/html"])) == 2


def test_a_player_stops_the_others_of_the_page_when_it_starts() -> None:
    page = Sound(tone(), RATE, "Rain").player()
    assert "onplay=" in page and "if (other !== this) other.pause()" in page
    assert 'preload="none"' in Sound(tone(), RATE).player(preload="none")


def render(height: float, gain: float) -> tuple[plots.Picture, Sound]:
    if height > 8:
        raise CtxAudioError("too <high>")
    return plots.bars({"row": {"height": height}}), Sound(np.full(RATE, gain, np.float32), RATE, "Tone", small=True)


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    shown: list[Any] = []
    monkeypatch.setattr(widgets, "display", lambda *parts: shown.extend(parts))
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
    assert figure.alt == "clips: row height 3" and text_of(sound).startswith("<Tone: 1.00 s at 8000 Hz, peak -6.0 dBFS")


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
