"""The embedded corpus: whole, repeatable, in FSD50K's layout, and with the physics its labels ask for."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks, welch

from ctxaudio.contexts import CONTEXTS, context_named
from ctxaudio.data import embedded, synthesis
from ctxaudio.data.embedded import MANIFEST, RECIPES, synthetic_clip, write_embedded_corpus
from ctxaudio.data.fsd50k import is_fsd50k, read_index
from ctxaudio.data.selection import select_clips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json
from ctxaudio.signal.audio import read_audio

RATE = synthesis.SAMPLE_RATE


@lru_cache
def drawn(label: str, seed: int = 0) -> np.ndarray:
    return synthetic_clip(label, seed, 0)


def spectrum(label: str) -> tuple[np.ndarray, np.ndarray]:
    return welch(drawn(label), RATE, nperseg=8192)


def flatness(label: str) -> float:
    """Geometric over arithmetic mean of the power from 100 Hz to 10 kHz: 1 for white noise, near 0 for partials."""
    frequencies_hz, power = spectrum(label)
    power = power[(frequencies_hz > 100) & (frequencies_hz < 10000)]
    return float(np.exp(np.mean(np.log(power))) / np.mean(power))


def envelope(samples: np.ndarray, rate_hz: int = 1000) -> np.ndarray:
    """Absolute values, averaged down to `rate_hz`, without their mean."""
    step = RATE // rate_hz
    means = np.abs(samples[: samples.size // step * step]).reshape(-1, step).mean(axis=1)
    return means - means.mean()


def autocorrelation(values: np.ndarray) -> np.ndarray:
    product = np.fft.irfft(np.abs(np.fft.rfft(values, 2 * values.size)) ** 2)[: values.size]
    return product / product[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)
def test_every_condition_of_every_context_has_a_recipe(context):
    assert set(context.conditions) <= set(RECIPES)


@pytest.mark.parametrize("label", RECIPES)
def test_a_clip_is_finite_audible_centred_and_unclipped(label):
    clip = drawn(label)
    assert clip.dtype == np.float32 and clip.ndim == 1
    assert 4 * RATE <= clip.size <= 6 * RATE
    assert 0.49 < np.abs(clip).max() < 1.0
    assert abs(clip.mean()) < 0.01
    assert np.sqrt(np.mean(clip.astype(float) ** 2)) > 0.005


@pytest.mark.parametrize("label", RECIPES)
def test_a_recipe_repeats_bit_for_bit_and_keeps_its_duration(label):
    first, again = (RECIPES[label](synthesis.Sound(np.random.default_rng(3), 33075)) for _ in range(2))
    assert first.shape == (round(0.75 * RATE),)
    np.testing.assert_array_equal(first, again)


def test_a_clip_repeats_bit_for_bit():
    np.testing.assert_array_equal(synthetic_clip("Wind", 5, 2), synthetic_clip("Wind", 5, 2))


def test_seed_index_and_label_each_make_another_clip():
    clips = [synthetic_clip(*which) for which in (("Rain", 0, 0), ("Rain", 1, 0), ("Rain", 0, 1), ("Stream", 0, 0))]
    shortest = min(clip.size for clip in clips)
    correlation = np.corrcoef([clip[:shortest] for clip in clips])
    assert np.abs(correlation - np.eye(4)).max() < 0.1


# What the labels mean in physics.


def test_crickets_sing_above_2_khz():
    frequencies_hz, power = spectrum("Cricket")
    assert power[frequencies_hz > 2000].sum() > 0.9 * power.sum()


def test_wind_lies_low_and_rain_reaches_high():
    def centroid_hz(label: str) -> float:
        frequencies_hz, power = spectrum(label)
        return float((frequencies_hz * power).sum() / power.sum())

    assert centroid_hz("Wind") < 500 < 1000 < centroid_hz("Rain")


@pytest.mark.parametrize("label", ["Bell", "Church_bell", "Gong", "Wind_chime", "Organ"])
def test_partials_are_far_less_flat_than_rain(label):
    assert flatness(label) < 0.1 * flatness("Rain")


@pytest.mark.parametrize("seed", range(4))
def test_a_clock_ticks_at_one_steady_period(seed):
    similar = autocorrelation(envelope(drawn("Tick-tock", seed)))
    peaks, _ = find_peaks(similar[150:1100], height=0.25, distance=80)
    period_s = (150 + peaks[0]) / 1000
    assert min(abs(period_s - known) for known in (0.2, 0.25, 0.3, 0.4, 0.5)) < 0.004
    rain = autocorrelation(envelope(drawn("Rain", seed)))
    assert rain[150:1100].max() < similar[150 + peaks[0]]


def test_a_purr_pulses_at_about_25_hz():
    power = np.abs(np.fft.rfft(envelope(drawn("Purr")), 20000)) ** 2
    rates_hz = np.arange(power.size) * 1000 / 20000
    above_breath = rates_hz > 10
    assert 21 < rates_hz[above_breath][np.argmax(power[above_breath])] < 29


def test_fire_has_a_heavier_tail_than_rain_and_rain_than_noise():
    def kurtosis(label: str) -> float:
        clip = drawn(label).astype(float)
        return float(np.mean(clip**4) / np.mean(clip**2) ** 2)

    assert kurtosis("Crackle") > 20 > kurtosis("Rain") > 3.05


def test_waves_swell_slowly_and_rain_hardly():
    def slow_depth(label: str) -> float:
        loud = np.sqrt(uniform_filter1d(drawn(label).astype(float) ** 2, RATE // 2))
        return float(loud.std() / loud.mean())

    assert slow_depth("Waves_and_surf") > 2 * slow_depth("Rain")


# Building blocks against closed forms.


def test_shaped_noise_has_the_levels_asked_for():
    noise = synthesis.Sound(np.random.default_rng(0), 10 * RATE).noise({500: 0.0, 1000: -20.0})
    frequencies_hz, power = welch(noise, RATE, nperseg=4096)
    low, high = (power[(frequencies_hz > a) & (frequencies_hz < b)].mean() for a, b in ((200, 450), (1100, 4000)))
    assert 10 * np.log10(high / low) == pytest.approx(-20, abs=0.5)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(1.0)


def test_ring_is_the_decaying_sine_of_the_formula():
    impulse = np.eye(1, 4410)[0]
    seconds = np.arange(4410) / RATE
    np.testing.assert_allclose(
        synthesis.ring(impulse, 700.0, 0.1), np.sin(2 * np.pi * 700 * seconds) * 10 ** (-3 * seconds / 0.1), atol=1e-9
    )


def test_a_grain_across_either_end_is_cut():
    total = np.zeros(10)
    synthesis.add_at(total, -2 / RATE, np.arange(1.0, 5.0))
    synthesis.add_at(total, 8 / RATE, np.ones(5))
    synthesis.add_at(total, 1.0, np.ones(5))
    np.testing.assert_array_equal(total, [3, 4, 0, 0, 0, 0, 0, 0, 1, 1])


# The corpus as files.


def test_the_corpus_is_read_as_fsd50k_with_a_quarter_for_validation(tmp_path):
    folder = write_embedded_corpus(tmp_path / "corpus", ["Wind", "Bell"], clips_per_label=4)
    assert is_fsd50k(folder)
    clips = list(read_index(folder).clips)
    assert [(clip.labels[0], clip.split) for clip in clips].count(("Wind", "train")) == 3
    assert [(clip.labels[0], clip.split) for clip in clips].count(("Wind", "val")) == 1
    assert {clip.uploader for clip in clips} == {"ctxaudio"}
    assert {clip.licence for clip in clips} == {"http://creativecommons.org/publicdomain/zero/1.0/"}
    for clip in clips:
        samples, sample_rate = read_audio(clip.path)
        assert sample_rate == RATE and samples.shape[0] == 1


def test_tables_are_quoted_leaf_first_and_agree_with_the_vocabulary(tmp_path):
    folder = write_embedded_corpus(tmp_path / "corpus", ["Cricket"], clips_per_label=1)
    header, row = (folder / "FSD50K.ground_truth" / "dev.csv").read_text().splitlines()
    assert header == "fname,labels,mids,split"
    assert '"Cricket,Insect,Wild_animals,Animal","/m/09xqv,/m/03vt0,/m/01280g,/m/0jbk"' in row
    with (folder / "FSD50K.ground_truth" / "vocabulary.csv").open() as table:
        vocabulary = list(csv.reader(table))
    assert [row[0] for row in vocabulary] == [str(i) for i in range(len(vocabulary))]
    assert {"Cricket", "Insect", "Wild_animals", "Animal"} <= {row[1] for row in vocabulary}
    assert {row[1]: row[2] for row in vocabulary}["Cricket"] == "/m/09xqv"


def test_thunder_comes_with_rain_and_a_veto_drops_it(tmp_path):
    sleep = context_named("sleep")
    folder = write_embedded_corpus(tmp_path / "corpus", ["Rain", "Wind"], clips_per_label=1)
    selection = select_clips(read_index(folder), sleep)
    assert sorted(clip.labels[0] for clip in selection.clips) == ["Rain", "Wind"]
    assert [left.clip_id for left in selection.left_out] == ["Thunder-Rain-000"]


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)
def test_no_context_vetoes_the_labels_of_its_own_clips(context):
    smeared = {
        label
        for condition in context.conditions
        for label in (condition, *embedded._LABELS[condition]["parents"].split())
    }
    assert not smeared & set(context.vetoes)


def test_a_clip_is_the_same_whichever_labels_are_asked_for(tmp_path):
    alone = contents(write_embedded_corpus(tmp_path / "alone", ["Bell"], clips_per_label=1))
    among = contents(write_embedded_corpus(tmp_path / "among", ["Wind", "Bell"], clips_per_label=1))
    name = "FSD50K.dev_audio/Bell-000.wav"
    assert alone[name] == among[name]


def test_the_same_corpus_is_left_as_it_is_and_another_takes_its_place(tmp_path):
    folder = write_embedded_corpus(tmp_path, ["Bell"], clips_per_label=2)
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    write_embedded_corpus(folder, ["Bell"], clips_per_label=2)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == written
    write_embedded_corpus(folder, ["Wind"], clips_per_label=1)
    assert [clip.clip_id for clip in read_index(folder).clips] == ["Wind-000"]


def test_an_interrupted_corpus_is_not_taken_for_whole(tmp_path, monkeypatch):
    whole = contents(write_embedded_corpus(tmp_path / "whole", ["Bell"], clips_per_label=3))
    written, write_audio = [], embedded.write_audio

    def power_cut(path, *rest):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write_audio(path, *rest)

    monkeypatch.setattr(embedded, "write_audio", power_cut)
    with pytest.raises(KeyboardInterrupt):
        write_embedded_corpus(tmp_path / "cut", ["Bell"], clips_per_label=3)
    assert read_json(tmp_path / "cut" / MANIFEST)["whole"] is False
    monkeypatch.setattr(embedded, "write_audio", write_audio)
    assert contents(write_embedded_corpus(tmp_path / "cut", ["Bell"], clips_per_label=3)) == whole


def test_two_runs_write_one_corpus(tmp_path, capsys):
    with ThreadPoolExecutor(3) as pool:
        folders = list(pool.map(lambda _: write_embedded_corpus(tmp_path / "corpus", ["Bell"], 1, 2), range(3)))
    assert contents(folders[0]) == contents(write_embedded_corpus(tmp_path / "alone", ["Bell"], 1, 2))
    assert "waiting for another run" in capsys.readouterr().out


def test_a_lost_clip_is_written_again(tmp_path):
    folder = write_embedded_corpus(tmp_path, ["Bell"], clips_per_label=1)
    before = contents(folder)
    (folder / "FSD50K.dev_audio" / "Bell-000.wav").unlink()
    assert contents(write_embedded_corpus(folder, ["Bell"], clips_per_label=1)) == before


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "FSD50K.dev_audio").mkdir()
    with pytest.raises(CtxAudioError, match="choose an empty or new folder"):
        write_embedded_corpus(tmp_path, ["Bell"])
    assert [path.name for path in tmp_path.iterdir()] == ["FSD50K.dev_audio"]


def test_a_label_without_a_recipe_is_named(tmp_path):
    with pytest.raises(CtxAudioError, match="no recipe for label 'Kazoo'"):
        write_embedded_corpus(tmp_path, ["Kazoo"])
