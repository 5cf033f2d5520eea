from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxaudio.errors import CtxAudioError
from ctxaudio.signal.fades import fade_gain


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 60), st.lists(st.integers(0, 180), max_size=4))
def test_blocks_join_to_the_fades_of_the_whole(rising: int, falling: int, steady: int, cuts: list[int]) -> None:
    total = rising + steady + falling
    whole = fade_gain(0, total, total, rising, falling)
    borders = [0, *sorted(min(cut, total) for cut in cuts), total]
    blocks = [fade_gain(a, b - a, total, rising, falling) for a, b in pairwise(borders)]
    assert np.array_equal(np.concatenate(blocks), whole)


@given(st.integers(1, 500), st.integers(1, 500))
def test_a_fade_goes_from_nothing_to_all_and_its_reverse_is_the_other(rising: int, falling: int) -> None:
    gain = fade_gain(0, 1200, 1200, rising, falling)
    assert gain[0] == gain[-1] == 0.0 and gain.max() == 1.0 and gain.min() >= 0.0
    assert (np.diff(gain[: rising + 1]) > 0).all() and (gain[rising : 1200 - falling] == 1.0).all()
    assert np.array_equal(gain[::-1], fade_gain(0, 1200, 1200, falling, rising))
    # no step above what the steepest point of the cosine has
    assert np.abs(np.diff(gain)).max() <= np.pi / 2 / min(rising, falling) + 1e-6


def test_fades_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CtxAudioError, match="don't fit into a sound of 100"):
        fade_gain(0, 10, 100, 60, 41)
    with pytest.raises(CtxAudioError, match="samples 95 to 105"):
        fade_gain(95, 10, 100, 0, 0)
