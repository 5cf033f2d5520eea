"""Players and controls, without a browser: what they hold, and what moving a control does."""

from __future__ import annotations

import base64
import io
import re
import struct

import ipywidgets
import numpy as np
import pytest
import soundfile
from IPython.core.formatters import DisplayFormatter

from ctxaudio import plots
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.abx import AbxTest
from ctxaudio.signal.loudness import integrated_lufs, set_loudness
from ctxaudio.widgets import Playlist, Rendering, Simulation, Sound, abx_test, explore, play, playlist

RATE = 8000


def tone(amplitude: float = 0.25, seconds: float = 1.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def embedded_audio(html: str) -> list[tuple[np.ndarray, int]]:
    found = re.findall(r'<audio controls[^>]*? src="data:audio/wav;base64,([^"]+)"', html)
    return [soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32") for data in found]


def chart(height: float) -> plots.Picture:
    return plots.bars({"row": {"height": int(height)}})


def test_player_holds_the_samples_at_their_own_level() -> None:
    [(samples, sample_rate)] = embedded_audio(play(tone(0.01), RATE, "Faint").player())
    assert sample_rate == RATE
    np.testing.assert_allclose(samples, tone(0.01), atol=2 / 32768)


def test_a_small_player_holds_a_fraction_of_the_bytes_within_half_a_decibel() -> None:
    sound = play(tone(0.25, 4.0), RATE, "Rain", small=True)
    [data] = re.findall(r'<audio controls[^>]*? src="data:audio/mpeg;base64,([^"]+)"', sound.player())
    held = base64.b64decode(data)
    assert len(held) < 0.4 * len(sound.wav()) and len(play(np.resize(tone(), 4 * 22050), 22050).mp3()) < 36_000
    samples, sample_rate = soundfile.read(io.BytesIO(held), dtype="float32")
    assert sample_rate == RATE and sound.line() == play(tone(0.25, 4.0), RATE, "Rain").line()
    assert abs(20 * np.log10(samples[RATE : 3 * RATE].std() / tone(0.25).std())) < 0.5
    assert playlist({"a": tone()}, RATE, small=True).sounds[0].small


def test_text_line_gives_length_peak_and_loudness() -> None:
    samples, lufs = set_loudness(tone(0.25, 4.0), RATE, lufs=-27.0)
    line = play(samples, RATE, "Rain").line()
    assert line == f"<Rain: 4.00 s at 8000 Hz, peak {20 * np.log10(samples.max()):.1f} dBFS, -27.0 LUFS>"
    assert lufs == pytest.approx(-27.0, abs=0.05)
    assert play(tone(0.5, 0.2), RATE).line() == "<sound: 0.20 s at 8000 Hz, peak -6.0 dBFS, too short for LUFS>"
    assert "-0.0" not in play(tone(0.9999), RATE).line()


def test_display_gives_html_and_text() -> None:
    data, _ = DisplayFormatter().format(play(tone(), RATE, "Rain"))
    assert set(data) == {"text/html", "text/plain"}
    assert data["text/plain"] == play(tone(), RATE, "Rain").line()
    assert len(embedded_audio(data["text/html"])) == 1


def test_stereo_keeps_both_channels() -> None:
    stereo = np.stack([tone(0.1), tone(0.2)])
    [(samples, _)] = embedded_audio(play(stereo, RATE).player())
    np.testing.assert_allclose(samples.T, stereo, atol=2 / 32768)
    assert "1.00 s at 8000 Hz, peak -14.0 dBFS" in play(stereo, RATE).line()


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (tone(1.2), "peak 1.2 is outside -1..1"),
        (np.array([0.0, np.nan], np.float32), "outside -1..1"),
        (np.zeros(0, np.float32), "expected samples"),
        (np.zeros((100, 2), np.float32), "expected samples"),
    ],
)
def test_unplayable_samples_are_refused(samples: np.ndarray, says: str) -> None:
    with pytest.raises(CtxAudioError, match=says):
        play(samples, RATE, "Rain")


def test_titles_cannot_break_the_page() -> None:
    bundle = play(tone(), RATE, '<script>"x"</script>')._repr_mimebundle_()
    assert "<script>" not in bundle["text/html"]
    assert 'aria-label="&lt;script&gt;&quot;x&quot;' in bundle["text/html"]


def test_playlist_is_one_row_and_one_line_a_sound() -> None:
    listed = playlist({"Rain": tone(0.1), "Wind & sea": tone(0.2)}, RATE)
    bundle = listed._repr_mimebundle_()
    assert isinstance(listed, Playlist)
    assert [len(samples) for samples, _ in embedded_audio(bundle["text/html"])] == [RATE, RATE]
    assert "Wind &amp; sea" in bundle["text/html"]
    assert bundle["text/plain"].split("\n")[1].startswith("<Wind & sea: 1.00 s")


def test_a_blind_playlist_shows_titles_and_nothing_that_tells_the_sounds_apart() -> None:
    bundle = playlist({"A": tone(0.1), "B": tone(0.2)}, RATE, facts=False)._repr_mimebundle_()
    assert bundle["text/plain"] == "<A>\n<B>"
    assert not any(told in bundle["text/html"] for told in ("dBFS", "LUFS", "peak"))
    assert len(embedded_audio(bundle["text/html"])) == 2


def test_without_interaction_the_initial_values_are_drawn_once() -> None:
    calls: list[dict[str, float]] = []

    def render(**values: float) -> tuple[plots.Picture, Sound]:
        calls.append(values)
        return chart(values["height"]), play(tone(values["gain"]), RATE, "Tone")

    shown = explore(render, interactive=False, height=(3, 1, 9), gain=ipywidgets.FloatSlider(value=0.5, max=1.0))
    assert calls == [{"height": 3, "gain": 0.5}]
    assert isinstance(shown, Rendering)
    data, metadata = DisplayFormatter().format(shown)
    assert struct.unpack(">I", data["image/png"][16:20])[0] > 100  # the width in the PNG header
    assert "<img alt=" in data["text/html"]
    assert len(embedded_audio(data["text/html"])) == 1
    assert data["text/plain"] == "<figure: clips: row height 3>\n" + play(tone(0.5), RATE, "Tone").line()
    assert metadata["image/png"]["alt"] == "clips: row height 3"


def test_a_figure_alone_needs_no_html() -> None:
    data, _ = DisplayFormatter().format(explore(chart, False, height=(3, 1, 9)))
    assert set(data) == {"image/png", "text/plain"}


def test_moving_a_slider_renders_again() -> None:
    def render(height: int, gain: float) -> tuple[plots.Picture, Sound]:
        return chart(height), play(tone(gain), RATE)

    box = explore(render, True, height=(3, 1, 9), gain=(0.5, 0.0, 1.0))
    height, gain, image, below = box.children
    picture = bytes(image.value)
    assert picture.startswith(b"\x89PNG")
    gain.value = 0.25
    assert bytes(image.value) == picture
    assert embedded_audio(below.value)[0][0].max() == pytest.approx(0.25, abs=0.01)
    height.value = 7
    assert bytes(image.value) != picture
    assert bytes(image.value) == chart(7).png()


def test_no_widget_that_stalls_a_notebook_run() -> None:
    box = explore(chart, True, height=(3, 1, 9))
    assert not any(isinstance(child, ipywidgets.Output) for child in box.children)


def test_sound_alone_hides_the_image() -> None:
    gain, image, below = explore(lambda gain: play(tone(gain), RATE), True, gain=(0.5, 0.0, 1.0)).children
    assert image.layout.display == "none"
    assert len(embedded_audio(below.value)) == 1
    assert gain.continuous_update is False


def test_an_error_is_shown_and_raised_and_the_next_value_recovers() -> None:
    def render(height: int) -> plots.Picture:
        if height > 5:
            raise CtxAudioError("too <high>")
        return chart(height)

    slider, image, below = explore(render, True, height=(3, 1, 9)).children
    with pytest.raises(CtxAudioError, match="too <high>"):
        slider.value = 8
    assert "CtxAudioError: too &lt;high&gt;" in below.value
    assert "#B00020" in below.value
    slider.value = 4
    assert below.value == ""
    assert bytes(image.value) == chart(4).png()


def test_controls_are_made_from_tuples_and_named_with_units() -> None:
    given = ipywidgets.Dropdown(options=["Rain", "Wind"])
    sliders = {"count": (3, 1, 9), "rate_hz": (2.5, 1.0, 21.0), "f": given, "render": (1, 0, 2)}
    count, rate, dropdown, *_ = explore(lambda **_: chart(1), True, **sliders).children
    assert isinstance(count, ipywidgets.IntSlider)
    assert isinstance(rate, ipywidgets.FloatSlider)
    assert (rate.value, rate.min, rate.max, rate.step) == (2.5, 1.0, 21.0, 0.2)
    assert rate.description == "rate (Hz)"
    assert dropdown is given
    assert dropdown.description == "f"


@pytest.mark.parametrize(
    ("control", "says"),
    [
        ((5, 1, 3), "must lie in 1..3"),
        ((1, 1, 1), "must differ"),
        ((1, 2), "three numbers"),
        (0.5, "ipywidgets control"),
        (ipywidgets.HTML, "ipywidgets control"),
    ],
)
def test_wrong_controls_are_named(control: object, says: str) -> None:
    with pytest.raises(CtxAudioError, match=f"'height'.*{says}"):
        explore(chart, True, height=control)


def test_render_must_return_something_to_show() -> None:
    with pytest.raises(CtxAudioError, match="render must return a figure, a sound or"):
        explore(lambda height: height, False, height=(1, 0, 2))


def noise(depth: float, level: float = 0.05) -> np.ndarray:
    time_s = np.arange(2 * RATE) / RATE
    bed = np.random.default_rng(0).standard_normal(len(time_s))
    return (level * bed * (1 + depth * np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


def pair() -> dict[str, np.ndarray]:
    return {"modulated": noise(0.5, 0.1), "sham": noise(0.0)}


def test_an_abx_test_by_buttons_shows_its_result_after_the_last_answer() -> None:
    test = AbxTest(5, seed=8)
    _about, known, hidden, buttons, said, image = abx_test(test, pair(), RATE, True).children
    is_a, is_b = buttons.children
    assert [is_a.description, is_b.description] == ["X is A", "X is B"]
    (first, _), (second, _) = embedded_audio(known.value)
    heard = []
    for number in range(1, 6):
        assert f"Trial {number} of 5" in said.value
        assert not any(word in said.value for word in ("right", "modulated", "sham"))
        assert image.layout.display == "none"
        [(x, _)] = embedded_audio(hidden.value)
        is_first = np.array_equal(x, first)
        assert is_first or np.array_equal(x, second)
        heard.append(is_first)
        (is_a if is_first == (number > 1) else is_b).click()  # wrong in the first trial, right in the others
    assert len(set(heard)) == 2
    assert "4 of 5 right, p = 0.188; 5 are needed" in said.value
    assert "A was modulated, B was sham" in said.value
    assert bytes(image.value).startswith(b"\x89PNG") and image.layout.display is None
    assert is_a.disabled and is_b.disabled
    assert test.log()["right"].tolist() == [False, True, True, True, True]


def test_the_player_of_x_is_a_new_one_in_every_trial() -> None:
    """One that stays would keep its position, and so tell that X is what it was before."""
    test = AbxTest(30, seed=1)
    _about, _known, hidden, buttons, _said, _image = abx_test(test, pair(), RATE, True).children
    seen = []
    while not test.finished:
        seen.append(hidden.value)
        buttons.children[0].click()
    assert len(set(seen)) == 30
    assert len({re.sub(r"trial \d+", "", value) for value in seen}) == 2


def test_neither_loudness_nor_page_tells_x() -> None:
    _about, known, hidden, *_ = abx_test(AbxTest(5, seed=0), pair(), RATE, True).children
    (first, _), (second, _) = embedded_audio(known.value)
    assert integrated_lufs(first, RATE) == pytest.approx(integrated_lufs(second, RATE), abs=0.02)
    for value in (known.value, hidden.value):
        assert not any(word in re.sub('base64,[^"]+', "", value) for word in ("modulated", "sham", "autoplay"))
    assert len(hidden.value) - len("X of trial 1") * 2 == pytest.approx(len(known.value) / 2, abs=60)


def test_an_abx_test_goes_on_where_it_was() -> None:
    test = AbxTest(5, seed=0)
    abx_test(test, pair(), RATE, True).children[3].children[0].click()
    *_, said, _image = abx_test(test, pair(), RATE, True).children
    assert "Trial 2 of 5" in said.value


def test_without_interaction_simulated_listeners_take_the_test() -> None:
    test = AbxTest(16, seed=0)
    shown = abx_test(test, pair(), RATE, False)
    assert isinstance(shown, Simulation)
    assert test.answered == 0
    data, metadata = DisplayFormatter().format(shown)
    lines = data["text/plain"].split("\n")
    assert [line.split(":")[0] for line in lines] == [
        "<modulated",
        "<sham",
        "simulated, a listener who guesses",
        "simulated, one who hears it in 9 of 10 trials",
    ]
    assert "no difference shown" in lines[2] and lines[3].endswith("a difference was heard")
    assert len(embedded_audio(data["text/html"])) == 2 and "<img alt=" in data["text/html"]
    assert struct.unpack(">I", data["image/png"][16:20])[0] > 100
    assert "12 right answers needed" in metadata["image/png"]["alt"]


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
