"""The data and the words in pictures of sounds and of measures."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from matplotlib.figure import Figure

from ctxaudio import plots
from ctxaudio.contexts import BANDS
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.schedule import Schedule, Step

RATE = 16000
TIME_S = np.arange(2 * RATE) / RATE


def line(figure: Figure, label: str) -> np.ndarray:
    return next(
        np.asarray(drawn.get_ydata()) for axis in figure.axes for drawn in axis.lines if drawn.get_label() == label
    )


def tone(frequency_hz: float, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * frequency_hz * TIME_S)).astype(np.float32)


def words(figure: Figure) -> str:
    found = [text.get_text() for axis in figure.axes for text in axis.texts]
    found += [text for axis in figure.axes for text in (axis.get_title("left"), axis.get_xlabel(), axis.get_ylabel())]
    found += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join(found)


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


def test_modulation_spectra_are_lines_or_the_median_of_clips_and_crosses_for_what_was_asked() -> None:
    rates_hz, depths = np.arange(1.0, 101.0), np.random.default_rng(0).uniform(0.0, 0.1, (5, 100))
    figure = plots.modulation_spectra({"one": depths[0], "$all$": depths}, rates_hz, "Rain", {6.0: 0.3})
    (axis,) = figure.axes
    np.testing.assert_array_equal(line(figure, "one"), depths[0])
    np.testing.assert_allclose(line(figure, r"\$all\$: median, 80 % of 5 clips"), np.median(depths, axis=0))
    shaded = axis.collections[1].get_paths()[0].vertices[:, 1]
    assert (shaded.min(), shaded.max()) == pytest.approx(
        (np.percentile(depths, 10, axis=0).min(), np.percentile(depths, 90, axis=0).max())
    )
    asked = next(drawn for drawn in axis.lines if drawn.get_label() == "asked for")
    assert asked.get_xydata().tolist() == [[6.0, 0.3]]
    assert axis.get_xscale() == "log" and all(band in words(figure) for band in BANDS)


def test_distances_go_from_the_floor_to_noise_and_leave_out_what_is_unknown() -> None:
    found = {"generated": 42.0, "generated_low": 37.0, "generated_high": 47.0, "real_floor": 3.0, "matched_noise": None}
    figure = plots.distances({"Rain": found})
    axis = figure.axes[0]
    assert {drawn.get_label(): drawn.get_xdata()[0] for drawn in axis.lines[:-1]} == {
        "other real clips (floor)": 3.0,
        "generated": 42.0,
    }
    drawn = [segment[:, 0].tolist() for lines in axis.collections for segment in lines.get_segments()]
    assert drawn == [[37.0, 47.0]]
    assert figure.alt.endswith("left is nearer: Rain other real clips (floor) 3, generated 42")


def test_distances_have_the_shapes_and_colours_that_the_capstone_names() -> None:
    found = {"generated": 42.0, "real_floor": 3.0, "matched_noise": 90.0}
    looks = [
        (one.get_label(), one.get_marker(), one.get_color()) for one in plots.distances({"Rain": found}).axes[0].lines
    ]
    assert looks[:3] == [  # "the red diamond is what your model made", says notebook 8
        ("other real clips (floor)", "o", plots.BLUE),
        ("generated", "D", plots.RED),
        ("noise of the same spectrum (ceiling)", "^", plots.GREEN),
    ]


def test_a_timeline_has_the_plan_as_lines_and_measures_as_dots() -> None:
    schedule = Schedule((Step(0.0, 10.0, 0.5), Step(1.0, 6.0, 0.2)), glide_s=60.0)
    rate, depth, level = plots.timeline(schedule, 2.0, 6.0, {"rate": ([30.0, 90.0], [10.1, 8.2])}).axes
    assert rate.lines[0].get_ydata()[[0, -1]].tolist() == [10.0, 6.0]
    np.testing.assert_array_equal(rate.lines[1].get_xydata(), [[0.5, 10.1], [1.5, 8.2]])
    assert depth.lines[0].get_ydata()[-1] == 0.2 and len(depth.lines) == 1
    middle = level.lines[0].get_ydata()[1000]
    assert middle == 0.0 and level.lines[0].get_ydata()[-1] < -40.0


def test_a_timeline_names_conditions_and_draws_levels() -> None:
    steps = Step(0.0, 9.0, 0.5), Step(1.0, 9.0, 0.5, -6.0, "Mild_rain")
    picture = plots.timeline(Schedule(steps, glide_s=30.0), 2.0, 0.0)
    assert picture.alt.endswith("over time, Mild rain from minute 1")
    assert picture.axes[0].texts[0].get_text() == "Mild rain"
    assert picture.axes[2].lines[0].get_ydata()[-1] == pytest.approx(-6.0)
