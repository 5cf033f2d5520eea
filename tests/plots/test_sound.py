"""The data and the words in pictures of sounds."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from matplotlib.figure import Figure

from ctxaudio import plots
from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError

RATE = 16000
TIME_S = np.arange(2 * RATE) / RATE


def tone(frequency_hz: float, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * frequency_hz * TIME_S)).astype(np.float32)


def words(figure: Figure) -> str:
    found = [text.get_text() for axis in figure.axes for text in axis.texts]
    found += [text for axis in figure.axes for text in (axis.get_title("left"), axis.get_xlabel(), axis.get_ylabel())]
    found += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join(found)


def line(figure: Figure, label: str) -> np.ndarray:
    return next(
        np.asarray(drawn.get_ydata()) for axis in figure.axes for drawn in axis.lines if drawn.get_label() == label
    )


def test_spectrogram_puts_a_tone_at_its_frequency() -> None:
    figure = plots.spectrograms({"Two_kilohertz": tone(2000.0)}, RATE)
    axis = figure.axes[0]
    levels_db = axis.images[0].get_array()
    low, high = axis.get_ylim()
    row = int(levels_db.mean(axis=1).argmax())
    centre_mel = low + (row + 0.5) / len(levels_db) * (high - low)
    assert librosa.mel_to_hz(centre_mel) == pytest.approx(2000.0, rel=0.04)
    assert levels_db.max() == pytest.approx(0.0, abs=0.01)
    assert "Two kilohertz" in words(figure)
    assert axis.get_xlim() == pytest.approx((0.0, 2.0), abs=0.02)
    assert axis.get_xlabel() == "time (s)"
    assert axis.get_ylabel() == "frequency (Hz)"


def test_spectrograms_keep_one_scale_for_all_clips() -> None:
    """A clip 20 dB quieter is drawn 20 dB darker: nothing is normalised clip by clip."""
    figure = plots.spectrograms(
        {"loud": tone(1000.0), "quiet": tone(1000.0, 0.05), **{f"{i}": tone(500) for i in "ab"}}, RATE
    )
    images = [axis.images[0] for axis in figure.axes if axis.images and axis.get_visible()][:4]
    assert images[0].get_array().max() - images[1].get_array().max() == pytest.approx(20.0, abs=0.1)
    assert len({image.get_clim() for image in images}) == 1
    assert sum(axis.get_visible() for axis in figure.axes) == 4 + 1  # the colour bar
    with pytest.raises(CtxAudioError, match="no clips"):
        plots.spectrograms({}, RATE)


def test_silence_can_be_drawn() -> None:
    levels_db = plots.spectrograms({"": np.zeros(RATE, np.float32)}, RATE).axes[0].images[0].get_array()
    assert np.isfinite(levels_db).all()


def test_modulation_spectra_peak_at_the_exact_target_rate() -> None:
    modulated = (1 + 0.3 * np.sin(2 * np.pi * 7.83 * TIME_S)) * tone(1000.0)
    figure = plots.modulation_spectra({"modulated": modulated.astype(np.float32), "plain": tone(1000.0)}, RATE)
    drawn = next(drawn for drawn in figure.axes[0].lines if drawn.get_label() == "modulated")
    assert np.asarray(drawn.get_xdata())[np.argmax(drawn.get_ydata())] == 7.83
    assert np.max(drawn.get_ydata()) == pytest.approx(0.3, abs=0.01)
    assert line(figure, "plain").max() < 0.02
    assert all(band in words(figure) for band in BANDS)


def test_modulation_spectrogram_puts_a_line_at_its_rate_and_time() -> None:
    rates_hz = np.geomspace(1.0, 100.0, 181)
    depths = np.full((24, 181), 0.003)
    depths[:12, 90] = 0.5  # 10 Hz, the middle of the logarithm
    depths[-1] = np.nan
    times_s = np.arange(24) * 600.0 + 300.0
    figure = plots.modulation_spectrogram(times_s, rates_hz, {"mono sum": depths, "left": depths / 10}, "night")
    above, below = figure.axes[:2]
    image = above.images[0]
    left, right, low, high = image.get_extent()
    assert (left, right) == pytest.approx((0.0, 4.0))
    row = int(np.nanargmax(image.get_array()[:, 0]))
    assert 2 ** (low + (row + 0.5) / 181 * (high - low)) == pytest.approx(10.0)
    assert image.get_array()[row, 0] == pytest.approx(20 * np.log10(0.5))
    assert image.get_clim() == below.images[0].get_clim()
    assert {"night: mono sum", "night: left", "time (hours); dotted: the rate targets"} <= set(
        words(figure).split("\n")
    )
