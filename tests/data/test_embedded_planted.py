"""What misleads in the embedded corpus is there, is heard, is written down, and follows from the seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctxaudio.contexts import ALL, CONTEXTS, context_named
from ctxaudio.data.embedded import PLANTED_FROM, corpus_rows, planted, planted_in, synthetic_clip, write_embedded_corpus
from ctxaudio.data.fsd50k import Index, licence_name, read_index, read_ratings
from ctxaudio.data.selection import SelectionOptions, select_clips
from ctxaudio.signal.audio import read_audio

EVERY_CONTEXT = pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embedded_corpus(tmp_path_factory.mktemp("corpus"), CONTEXTS["sleep"].conditions, seed=3)


@pytest.fixture(scope="module")
def index(corpus: Path) -> Index:
    return read_index(corpus)


def samples_of(corpus: Path, name: str) -> np.ndarray:
    return read_audio(corpus / "FSD50K.dev_audio" / f"{name}.wav")[0][0].astype(float)


def share_below_20_hz(samples: np.ndarray) -> float:
    energy = np.abs(np.fft.rfft(samples)) ** 2
    return float(energy[np.fft.rfftfreq(samples.size, 1 / 44100) < 20].sum() / energy.sum())


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """The largest correlation of two sounds at any delay, without what lies below 20 Hz: 1 for the same recording."""
    size = first.size + second.size
    spectra = [np.fft.rfft(samples, size) for samples in (first, second)]
    audible = np.fft.rfftfreq(size, 1 / 44100) >= 20
    energies = [np.sum(np.abs(spectrum * audible) ** 2) for spectrum in spectra]
    correlation = np.fft.irfft(spectra[0] * np.conj(spectra[1]) * audible, size) * size / 2
    return float(np.abs(correlation).max() / np.sqrt(energies[0] * energies[1]))


@EVERY_CONTEXT
@pytest.mark.parametrize("seed", range(3))
def test_the_tables_mislead_in_every_context(context, seed):
    rows = corpus_rows(context.conditions, PLANTED_FROM, seed)
    found = planted(rows)
    assert len({row.name for row in rows}) == len(rows)
    assert {licence_name(row.licence) for row in rows} == {"cc0", "cc-by", "cc-by-nc", "sampling+"}
    assert all(row.uploader.startswith("invented_") and row.title and row.votes for row in rows)
    sides = {side: {row.uploader for row in rows if row.split == side} for side in ("train", "val")}
    assert len(sides["train"] & sides["val"]) >= len(context.conditions)
    assert len(found["wrong"]) == len(found["same_recording"]) == 2
    assert found["rumble"] == [row.name for row in rows if row.rumble]
    assert len(found["rumble"]) == 2 * len(context.conditions)
    by_name = {row.name: row for row in rows}
    for name, heard in found["wrong"].items():
        assert by_name[name].sounds[0][0] == heard not in by_name[name].labels
    (_, cut), (original, stolen) = found["same_recording"]
    assert by_name[cut].title.endswith(", cut")
    assert (by_name[original].split, by_name[stolen].split) == ("train", "val")
    assert by_name[original].uploader != by_name[stolen].uploader


@EVERY_CONTEXT
def test_uploaders_can_be_kept_apart_in_every_context_and_clips_move_both_ways(context, tmp_path):
    index = read_index(write_embedded_corpus(tmp_path, context.conditions))
    selection = select_clips(index, context)
    before = {clip.clip_id: clip.split for clip in index.clips}
    moves = {(before[clip.clip_id], clip.split) for clip in selection.clips}
    assert moves == {("train", "train"), ("val", "val"), ("val", "train"), ("train", "val")}
    assert selection.not_apart == 0 and selection.moved >= len(context.conditions)
    assert len([left for left in selection.left_out if "vetoed" in left.reason]) == 1
    assert selection.without_condition >= 3


def test_the_same_seed_plants_the_same_and_another_something_else():
    labels = ALL.conditions
    assert corpus_rows(labels, 8, 1) == corpus_rows(labels, 8, 1)
    assert planted(corpus_rows(labels, 8, 1)) != planted(corpus_rows(labels, 8, 2))


def test_a_small_corpus_is_what_it_looks_like():
    rows = corpus_rows(["Rain", "Wind"], PLANTED_FROM - 1, 0)
    assert planted(rows) == {"wrong": {}, "same_recording": [], "rumble": []} and len(rows) == 2 * 7 + 1
    assert {row.uploader for row in rows} == {"ctxaudio"} and not any(row.rumble for row in rows)
    assert {row.votes for row in rows} == {(1.0, 1.0)}


def test_what_is_written_down_is_what_was_planted(corpus):
    assert planted_in(corpus) == planted(corpus_rows(sorted(CONTEXTS["sleep"].conditions), 8, 3))
    assert planted_in(corpus / "FSD50K.dev_audio") is None


def test_rumble_is_most_of_those_clips_and_little_of_the_others(corpus, index):
    rumble = planted_in(corpus)["rumble"]
    for clip in index.clips:
        share = share_below_20_hz(samples_of(corpus, clip.clip_id))
        assert (share > 0.3) == (clip.clip_id in rumble), clip.clip_id


def test_the_same_recording_is_heard_twice(corpus):
    for first, second in planted_in(corpus)["same_recording"]:
        assert alike(samples_of(corpus, first), samples_of(corpus, second)) > 0.8
        assert alike(samples_of(corpus, first), samples_of(corpus, "Wind-001")) < 0.4


def test_votes_tell_of_one_wrong_label_and_not_of_the_other(corpus, index):
    ratings = read_ratings(read_index(corpus))
    assert set(ratings) == {clip.clip_id for clip in index.clips}
    votes = [next(iter(ratings[name].values())) for name in planted_in(corpus)["wrong"]]
    assert votes == [[0.5, 0.0], [1.0, 1.0]]
    sure = select_clips(index, context_named("sleep"), SelectionOptions(rating="present"))
    named = {clip.clip_id for clip in sure.clips}
    assert [name in named for name in planted_in(corpus)["wrong"]] == [False, True]


def test_the_sounds_of_the_recipes_are_as_before(corpus):
    """What is planted is beside or below 20 Hz: a clip without rumble is the recipe's own."""
    rumble = planted_in(corpus)["rumble"]
    plain = [f"Cricket-{i:03d}" for i in range(8) if f"Cricket-{i:03d}" not in rumble]
    for name in plain:
        np.testing.assert_allclose(
            samples_of(corpus, name), synthetic_clip("Cricket", 3, int(name[-3:])), atol=2 / 32768
        )
    assert len(plain) == 6
