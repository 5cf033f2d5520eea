"""Players, without a browser: what they hold."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile
from IPython.core.formatters import DisplayFormatter

from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.loudness import set_loudness
from ctxaudio.widgets import Playlist, play, playlist

RATE = 8000


def tone(amplitude: float = 0.25, seconds: float = 1.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def embedded_audio(html: str) -> list[tuple[np.ndarray, int]]:
    found = re.findall(r'<audio controls[^>]*? src="data:audio/wav;base64,([^"]+)"', html)
    return [soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32") for data in found]


def test_player_holds_the_samples_at_their_own_level() -> None:
    [(samples, sample_rate)] = embedded_audio(play(tone(0.01), RATE, "Faint").player())
    assert sample_rate == RATE
    np.testing.assert_allclose(samples, tone(0.01), atol=2 / 32768)


def test_a_small_player_holds_a_fraction_of_the_bytes_within_half_a_decibel() -> None:
    sound = play(tone(0.25, 4.0), RATE, "Rain", small=True)
    [data] = re.findall(r'<audio controls[^>]*? src="data:audio/mpeg;base64,([^"]+)"', sound.player())
    held = base64.b64decode(data)
    assert (
        len(held) < 0.4 * len(play(tone(0.25, 4.0), RATE).encoded())
        and len(play(np.resize(tone(), 4 * 22050), 22050, small=True).encoded()) < 36_000
    )
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


def test_a_player_stops_the_others_of_the_page_when_it_starts() -> None:
    page = play(tone(), RATE, "Rain").player()
    assert "onplay=" in page and "if (other !== this) other.pause()" in page
    assert 'preload="none"' in play(tone(), RATE).player(preload="none")
