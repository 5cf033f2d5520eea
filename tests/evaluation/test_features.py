import ast
import inspect

import numpy as np
import pytest
from sounds import RATE, TIME_S, noise, pulsed, tone

from ctxaudio.evaluation import features as auditory
from ctxaudio.evaluation.features import texture_features
from ctxaudio.signal.envelope import centre_frequencies_hz, modulation_filters


@pytest.mark.parametrize("per_octave", [1.0, 2.0, 3.0])
def test_the_modulation_filters_share_all_movement_between_them(per_octave):
    rates_hz, _ = modulation_filters([0.0], per_octave)
    between_hz = np.geomspace(rates_hz[0], rates_hz[-1], 500)
    power = (modulation_filters(between_hz, per_octave)[1] ** 2).sum(axis=0)
    np.testing.assert_allclose(power, 1.0, atol=1e-12)
    np.testing.assert_allclose(modulation_filters(rates_hz, per_octave)[1], np.eye(len(rates_hz)), atol=1e-12)
    assert rates_hz[0] == 0.5 and rates_hz[-1] <= 100.0 < rates_hz[-1] * 2 ** (1 / per_octave)


def test_the_modulation_filters_let_a_still_envelope_pass_nowhere():
    assert not modulation_filters([0.0])[1].any()


@pytest.mark.parametrize("rate_hz", [2.0, 8.0, 32.0])
@pytest.mark.parametrize("frequency_hz", [1000.0, 4000.0])
def test_an_am_tone_moves_its_modulation_channel_in_its_band(rate_hz, frequency_hz):
    statistics = auditory.auditory_texture(tone(frequency_hz, rate_hz, 0.5), RATE, 2.0)
    centres_hz = centre_frequencies_hz(RATE, auditory.LOWEST_BAND_HZ)
    band = int(np.abs(centres_hz - frequency_hz).argmin())
    by_rate = statistics["rates"].reshape(len(centres_hz), -1)[band]
    assert modulation_filters([0.0])[0][by_rate.argmax()] == pytest.approx(rate_hz)
    assert np.exp(by_rate.max()) > 0.7, "most of the band's movement, the rest at harmonics and beside it"


def test_the_spread_is_the_coefficient_of_variation_of_the_compressed_envelope():
    statistics = auditory.auditory_texture(tone(1000.0, 4.0, 0.5), RATE, 2.0)
    band = int(np.abs(centre_frequencies_hz(RATE, auditory.LOWEST_BAND_HZ) - 1000.0).argmin())
    envelope = (1 + 0.5 * np.sin(2 * np.pi * 4.0 * TIME_S)) ** auditory.COMPRESSION
    assert np.exp(statistics["spread"][0, band]) == pytest.approx(envelope.std() / envelope.mean() + 0.01, rel=0.02)


def test_bands_that_pulse_together_are_correlated_and_those_of_noise_are_not():
    together, apart = (
        auditory.auditory_texture(sound.astype(np.float32), RATE, 2.0)["together"][0, -40:].mean()
        for sound in (pulsed(1), noise(1))
    )
    assert together > 0.8 and abs(apart) < 0.15


def test_level_does_not_count():
    np.testing.assert_allclose(texture_features(pulsed(1), RATE), texture_features(0.01 * pulsed(1), RATE), atol=1e-3)


@pytest.mark.parametrize("seconds", [0.35, 1.0, 2.0, 3.1])
def test_clips_of_any_length_have_the_same_features_more_windows_at_most(seconds):
    rows = texture_features(noise(0, seconds), RATE)
    assert rows.shape == (max(1, int(np.ceil(seconds - 1))), texture_features(noise(0), RATE).shape[1])
    assert np.isfinite(rows).all()


def test_silence_and_clicks_have_finite_features():
    click = np.zeros(RATE, np.float32)
    click[100] = 1.0
    for sound in (np.zeros(RATE, np.float32), click):
        assert np.isfinite(texture_features(sound, RATE)).all()


def test_the_features_share_no_code_with_what_training_minimises():
    imported = {
        node.module for node in ast.walk(ast.parse(inspect.getsource(auditory))) if isinstance(node, ast.ImportFrom)
    }
    assert imported and not imported & {"ctxaudio.signal.texture", "ctxaudio.signal.stft"}
