"""Peaks stay under the ceiling, the rest stays as it was, wherever the stream is cut."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.files import FloatArray
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.modulation.stream import Modulation
from ctxaudio.provenance import Provenance
from ctxaudio.render import finish
from ctxaudio.render.finish import REACH_S, Finish, Format, write_finished
from ctxaudio.signal.loudness import integrated_lufs, true_peak_db

RATE = 16000


def crackle(seconds: float = 3.0, channels: int = 2) -> FloatArray:
    """Noise with a few clicks that stand far above it."""
    random = np.random.default_rng(0)
    sound = 0.05 * random.standard_normal((channels, round(seconds * RATE)))
    places = random.integers(0, sound.shape[1], 12)
    sound[random.integers(0, channels, 12), places] += random.choice([-1.0, 1.0], 12) * random.uniform(0.6, 0.95, 12)
    return sound.astype(np.float32)


def limited(sound: FloatArray, cuts: list[int], ceiling_db: float = -6.0) -> FloatArray:
    return np.concatenate(list(finish.limited(np.split(sound, cuts, axis=1), ceiling_db, RATE)), axis=1)


def test_the_true_peak_stays_under_the_ceiling_and_quiet_parts_are_untouched() -> None:
    sound = crackle()
    out = limited(sound, [5000, 30_000])
    assert out.shape == sound.shape
    assert true_peak_db(sound) > -2.0
    assert -6.6 < true_peak_db(out) <= -6.0
    loud = np.abs(sound).max(0) > 0.3
    near = np.convolve(loud, np.ones(2 * round(2.5 * REACH_S * RATE) + 1), "same") > 0
    np.testing.assert_allclose(out[:, ~near], sound[:, ~near], atol=1e-6)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(np.abs(sound) > 0.01, out / sound, np.nan)
    assert np.nanmax(np.abs(gain[0] - gain[1])) < 1e-4  # the channels share it
    assert np.nanmax(gain) <= 1.0 + 1e-5


@given(st.lists(st.integers(0, 3 * RATE), max_size=5).map(sorted))
@settings(max_examples=15, deadline=None)
def test_where_the_stream_is_cut_makes_no_difference(cuts: list[int]) -> None:
    sound = crackle()
    out = limited(sound, cuts)
    assert out.shape == sound.shape and true_peak_db(out) <= -6.0
    np.testing.assert_allclose(out, limited(sound, []), atol=2e-3)


def test_quiet_sound_passes_unchanged() -> None:
    sound = (0.05 * np.random.default_rng(1).standard_normal((1, RATE))).astype(np.float32)
    np.testing.assert_array_equal(limited(sound, [100, 7000]), sound)


def test_a_few_peaks_do_not_make_the_whole_quieter(tmp_path) -> None:
    sound = crackle(30.0)
    layout = Format(RATE, 2, sound.shape[1])
    made = Provenance("modulate", Modulation(ModulationProfile()), None)
    reached = {
        limit_db: write_finished(
            lambda: iter(np.array_split(sound, 4, axis=1)), layout, Finish(-20.0, limit_db=limit_db),
            tmp_path / f"{limit_db}.wav", made,
        ).reached
        for limit_db in (0.0, 6.0)
    }  # fmt: skip
    written, _ = soundfile.read(tmp_path / "6.0.wav", dtype="float32")
    assert reached[0.0].lufs < -20.5
    assert reached[6.0].lufs == pytest.approx(-20.0, abs=0.01)
    assert integrated_lufs(written.T, RATE) == pytest.approx(-20.0, abs=0.1)
    assert true_peak_db(written.T) <= -6.0
