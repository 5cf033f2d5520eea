"""The data and the words behind each figure; that it can be drawn in any thread and saved whole."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure

from ctxaudio import plots
from ctxaudio.contexts import BANDS, TARGETS
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
    figure = plots.spectrogram(tone(2000.0), RATE, "Two_kilohertz")
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


def test_clip_grid_keeps_one_scale_for_all_clips() -> None:
    """A clip 20 dB quieter is drawn 20 dB darker: nothing is normalised clip by clip."""
    figure = plots.clip_grid(
        {"loud": tone(1000.0), "quiet": tone(1000.0, 0.05), **{f"{i}": tone(500) for i in "ab"}}, RATE
    )
    images = [axis.images[0] for axis in figure.axes if axis.images and axis.get_visible()][:4]
    assert images[0].get_array().max() - images[1].get_array().max() == pytest.approx(20.0, abs=0.1)
    assert len({image.get_clim() for image in images}) == 1
    assert sum(axis.get_visible() for axis in figure.axes) == 4 + 1  # the colour bar
    with pytest.raises(CtxAudioError, match="no clips"):
        plots.clip_grid({}, RATE)


def test_silence_can_be_drawn() -> None:
    levels_db = plots.spectrogram(np.zeros(RATE, np.float32), RATE).axes[0].images[0].get_array()
    assert np.isfinite(levels_db).all()


def test_envelope_names_the_depth_of_each_fit() -> None:
    modulated = (1 + 0.4 * np.sin(2 * np.pi * 6.0 * TIME_S)) * tone(1000.0)
    figure = plots.envelope(modulated.astype(np.float32), RATE, [6.0, 2.5], "Tone")
    assert "fit at 6 Hz: depth 0.40" in words(figure)
    assert "fit at 2.5 Hz: depth 0.00" in words(figure)
    curve = line(figure, "fit at 6 Hz: depth 0.40")
    np.testing.assert_allclose(curve, 1 + 0.4 * np.sin(2 * np.pi * 6.0 * TIME_S), atol=0.01)


def test_modulation_spectra_peak_at_the_exact_target_rate() -> None:
    modulated = (1 + 0.3 * np.sin(2 * np.pi * 7.83 * TIME_S)) * tone(1000.0)
    figure = plots.modulation_spectra({"modulated": modulated.astype(np.float32), "plain": tone(1000.0)}, RATE)
    drawn = next(drawn for drawn in figure.axes[0].lines if drawn.get_label() == "modulated")
    assert np.asarray(drawn.get_xdata())[np.argmax(drawn.get_ydata())] == 7.83
    assert np.max(drawn.get_ydata()) == pytest.approx(0.3, abs=0.01)
    assert line(figure, "plain").max() < 0.02
    assert all(band in words(figure) for band in BANDS)


def test_band_chart_shows_every_band_and_target_on_its_own_axis() -> None:
    rates, pitches = plots.band_chart().axes
    assert {text.get_text().split("\n")[0] for text in rates.texts} == set(BANDS) | {
        target.name.replace("_", " ") for target in TARGETS.values() if target.kind == "rate"
    }
    assert {text.get_text() for text in pitches.texts} == {"earth\n432 Hz", "solfeggio\n528 Hz"}
    assert rates.get_xlim() == (1.0, 100.0)
    assert pitches.get_xlim() == (20.0, 20000.0)


def test_losses_draw_each_column_against_the_epoch() -> None:
    history = pd.DataFrame({"epoch": [1, 2, 3], "generator": [3.0, 2.0, 1.5], "discriminator": [1.0, 0.9, 0.8]})
    figure = plots.losses(history)
    assert line(figure, "generator").tolist() == [3.0, 2.0, 1.5]
    assert [drawn.get_label() for drawn in figure.axes[0].lines] == ["generator", "discriminator"]
    with pytest.raises(CtxAudioError, match="no losses"):
        plots.losses(history[["epoch"]])


def test_counts_write_the_number_at_each_bar() -> None:
    figure = plots.counts({"Rain": 41, "Waves_and_surf": 30}, "Clips per condition")
    assert [bar.get_width() for bar in figure.axes[0].patches] == [41, 30]
    assert {"41", "30"} <= set(words(figure).split("\n"))
    assert figure.alt == "Clips per condition: Rain 41, Waves_and_surf 30"


def test_analysis_summary_shows_the_medians() -> None:
    columns = [f"{t.name}_{part}" for t in TARGETS.values() for part in ("depth", "floor", "prominence_db")]
    columns += [f"{band}_envelope_depth" for band in BANDS]
    values = np.random.default_rng(0).uniform(0.1, 0.2, (5, len(columns)))
    table = pd.DataFrame(values, columns=columns)
    rates_hz = np.arange(1.0, 100.0)
    spectra = np.random.default_rng(1).uniform(0.0, 0.1, (5, len(rates_hz)))
    figure = plots.analysis_summary(table, rates_hz, spectra, "sleep")
    bars = [bar.get_height() for bar in figure.axes[1].patches]
    assert bars == pytest.approx([table[f"{band}_envelope_depth"].median() for band in BANDS])
    np.testing.assert_allclose(line(figure, "median"), np.median(spectra, axis=0))
    assert len(figure.axes) == 4


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


def test_comparison_summary_shows_both_folders_and_stars_what_differs() -> None:
    rates = {"meditation": 6.0, "rate_10_hz": 10.0}
    random = np.random.default_rng(0)
    tables = {name: pd.DataFrame({f"{r}_depth": random.random(5) for r in rates}) for name in ("modulated", "sham")}
    comparison = pd.DataFrame({"measure": [f"{r}_depth" for r in rates], "asked": [0.3, np.nan], "p_holm": [0.01, 0.5]})
    rates_hz = np.arange(1.0, 100.0)
    spectra = {name: random.uniform(0.0, 0.1, (5, len(rates_hz))) for name in tables}
    figure = plots.comparison_summary(comparison, tables, rates, rates_hz, spectra)
    depths, _ = figure.axes
    assert [tick.get_text() for tick in depths.get_xticklabels()] == ["6*", "10"]
    np.testing.assert_allclose(line(figure, "modulated"), tables["modulated"]["meditation_depth"])
    np.testing.assert_allclose(line(figure, "sham: median, 80 % of clips"), np.median(spectra["sham"], axis=0))


def test_a_picture_shows_itself_with_its_alternative_text() -> None:
    figure = plots.spectrogram(tone(500.0), RATE, "Rain")
    data, metadata = DisplayFormatter().format(figure)
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "<figure: spectrogram of Rain>"
    assert metadata["image/png"]["alt"] == "spectrogram of Rain"


def test_figures_are_saved_whole_and_by_suffix(tmp_path: Path) -> None:
    plots.save_figure(plots.band_chart(), tmp_path / "new" / "bands.png")
    plots.save_figure(plots.band_chart(), tmp_path / "bands.svg")
    assert (tmp_path / "new" / "bands.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "bands.svg").read_text()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CtxAudioError, match="can't write"):
        plots.save_figure(plots.band_chart(), tmp_path / "file" / "bands.png")


def test_threads_draw_the_same_picture() -> None:
    alone = plots.band_chart().png()
    with ThreadPoolExecutor(3) as pool:
        assert all(png == alone for png in pool.map(lambda _: plots.band_chart().png(), range(6)))


def test_pyplot_is_never_imported() -> None:
    code = "import sys, ctxaudio.plots as p; p.band_chart().png(); sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_abx_scores_shows_what_guessing_gives_and_where_each_listener_stands() -> None:
    figure = plots.abx_scores([0.03125, 0.15625, 0.3125, 0.3125, 0.15625, 0.03125], 5, {"guessing": 2, "hearing": 5})
    axis = figure.axes[0]
    heights = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in axis.patches}
    assert heights == {0: 0.03125, 1: 0.15625, 2: 0.3125, 3: 0.3125, 4: 0.15625, 5: 0.03125}
    assert {note.get_text(): note.xy[0] for note in axis.texts} == {"guessing": 2, "hearing": 5}
    threshold = next(drawn for drawn in axis.lines if drawn.get_linestyle() == "--")
    assert list(threshold.get_xdata()) == [4.5, 4.5]
    assert "5 right answers needed" in figure.alt


def test_losses_are_drawn_over_steps_where_there_are_any() -> None:
    figure = plots.losses(pd.DataFrame({"step": [10.0, 20.0], "epoch": [1, 1], "texture": [0.3, 0.2]}))
    (drawn,) = figure.axes[0].lines
    assert (drawn.get_xdata().tolist(), drawn.get_ydata().tolist()) == ([10.0, 20.0], [0.3, 0.2])
    assert figure.axes[0].get_xlabel() == "step"
