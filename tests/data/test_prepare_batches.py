from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.data.fsd50k import Clip
from ctxaudio.data.prepare import ClipBatches, MixedBatches, PreparedClips, seamless_loop
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray

SAMPLE_RATE = 1000


def prepared_from(folder: Path, clips: list[tuple[FloatArray, int, str]]) -> PreparedClips:
    """Clips given as (samples, condition, split), with four conditions of which the last never has clips."""
    samples = np.memmap(folder / "samples", dtype=np.float32, mode="w+", shape=(sum(len(clip[0]) for clip in clips),))
    listed, offset = [], 0
    for i, (audio, condition, split) in enumerate(clips):
        samples[offset : offset + len(audio)] = audio
        listed.append(Clip(str(i), Path(), (), split, "", "", "CC0", 0, None, condition, offset, len(audio)))
        offset += len(audio)
    return PreparedClips(SAMPLE_RATE, "sleep", ("Rain", "Wind", "Cricket", "Fan"), tuple(listed), samples, ())


def ramp(length: int, start: float = 0.0) -> FloatArray:
    return (start + np.arange(length) / 100_000).astype(np.float32)


def batches(prepared: PreparedClips, crop: int, size: int = 8, split: str = "train", seed: int = 0) -> ClipBatches:
    return ClipBatches(prepared, split, crop, size, torch.Generator().manual_seed(seed))


def test_a_batch_has_the_documented_shapes_and_only_clips_of_its_split(tmp_path: Path) -> None:
    prepared = prepared_from(tmp_path, [(ramp(500), 0, "train"), (ramp(500), 0, "val"), (ramp(300), 2, "train")])
    drawn = batches(prepared, crop=200)
    for _ in range(20):
        batch = drawn.next()
        assert batch.audio.shape == (8, 200)
        assert batch.audio.dtype == torch.float32
        assert batch.condition.dtype == batch.clip.dtype == torch.int64
        assert set(batch.clip.tolist()) <= {0, 2}
        assert batch.condition.tolist() == [prepared.clips[i].condition for i in batch.clip.tolist()]


def test_a_long_clip_gives_crops_of_itself_from_all_over(tmp_path: Path) -> None:
    prepared = prepared_from(tmp_path, [(ramp(500), 0, "train")])
    audio = batches(prepared, crop=450, size=256).next().audio.numpy()
    starts = np.rint(audio[:, 0] * 100_000).astype(int)
    for row, start in zip(audio, starts, strict=True):
        np.testing.assert_array_equal(row, ramp(500)[start : start + 450])
    assert set(starts) >= {0, 50}
    assert starts.max() == 50


def test_conditions_are_drawn_evenly_and_clips_by_their_length_up_to_four_crops(tmp_path: Path) -> None:
    clips = [(ramp(300), 0, "train") for _ in range(20)] + [(ramp(100), 1, "train"), (ramp(900), 1, "train")]
    batch = batches(prepared_from(tmp_path, clips), crop=100, size=4000).next()
    share = torch.bincount(batch.condition, minlength=4) / 4000
    assert share[:2].tolist() == pytest.approx([0.5, 0.5], abs=0.04)
    assert share[2:].tolist() == [0.0, 0.0]
    long_share = (batch.clip == 21).sum() / (batch.condition == 1).sum()
    assert float(long_share) == pytest.approx(0.8, abs=0.04), "nine crops long, but it counts as four"


def test_a_condition_with_one_clip_comes_as_often_as_one_with_forty(tmp_path: Path) -> None:
    clips = [(ramp(800), 0, "train") for _ in range(40)] + [(ramp(90), 1, "train")]
    drawn = batches(prepared_from(tmp_path, clips), crop=100, size=4000).next()
    share = torch.bincount(drawn.condition, minlength=4) / 4000
    assert share.tolist() == pytest.approx([0.5, 0.5, 0.0, 0.0], abs=0.03)
    assert set(drawn.clip[drawn.condition == 1].tolist()) == {40}
    assert len(set(drawn.clip[drawn.condition == 0].tolist())) == 40


def test_the_generator_state_decides_everything(tmp_path: Path) -> None:
    clips = [(ramp(length), length % 3, "train") for length in (50, 150, 220, 400, 800)]
    prepared = prepared_from(tmp_path, clips)
    generator = torch.Generator().manual_seed(5)
    drawn = ClipBatches(prepared, "train", 200, 6, generator)
    drawn.next()
    state = generator.get_state()
    expected = [drawn.next() for _ in range(3)]
    torch.manual_seed(99)
    resumed = ClipBatches(prepared, "train", 200, 6, torch.Generator().manual_seed(0))
    resumed._generator.set_state(state)
    for batch in expected:
        again = resumed.next()
        assert torch.equal(again.audio, batch.audio)
        assert torch.equal(again.clip, batch.clip)
    assert not torch.equal(expected[0].audio, expected[1].audio)


def test_a_clip_under_half_the_crop_is_followed_by_silence(tmp_path: Path) -> None:
    prepared = prepared_from(tmp_path, [(ramp(99, start=0.5), 0, "train")])
    for row in batches(prepared, crop=200).next().audio.numpy():
        np.testing.assert_array_equal(row, np.concatenate([ramp(99, start=0.5), np.zeros(101)]))


def test_a_clip_from_half_the_crop_up_goes_round_without_a_click(tmp_path: Path) -> None:
    # Laid end to end this ramp would jump by 1 at every seam; over a fade of 10 samples no step is over a quarter.
    prepared = prepared_from(tmp_path, [(np.linspace(-0.5, 0.5, 1000, dtype=np.float32), 0, "train")])
    audio = batches(prepared, crop=2000, size=16).next().audio.numpy()
    assert np.abs(np.diff(audio, axis=1)).max() < 0.25
    np.testing.assert_array_equal(audio[:, :1010], audio[:, 990:])
    assert len({float(row[0]) for row in audio}) > 4, "the start is random"


@given(st.integers(1, 300), st.integers(0, 50))
@settings(deadline=None, max_examples=50)
def test_a_loop_keeps_the_middle_and_stays_in_range(length: int, fade: int) -> None:
    samples = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    loop = seamless_loop(samples, fade)
    faded = min(fade, length // 2)
    assert loop.shape == (length - faded,)
    assert np.abs(loop).max() <= 1.0
    np.testing.assert_array_equal(loop[faded:], samples[faded : length - faded])


def test_the_crossfade_keeps_the_power_of_noise() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((400, 300)).astype(np.float32)
    loops = np.stack([seamless_loop(row, 100) for row in noise])
    power = np.mean(loops**2, axis=0)
    assert power[:100].mean() == pytest.approx(power[100:].mean(), rel=0.05)
    assert power[:100].min() > 0.7 * power[100:].mean()


@pytest.mark.parametrize(("lengths", "crop", "size", "steps"), [([4000, 4000], 100, 8, 10), ([90], 100, 8, 1)])
def test_an_epoch_holds_as_much_sound_as_the_split(
    tmp_path: Path, lengths: list[int], crop: int, size: int, steps: int
) -> None:
    clips = [(ramp(length), 0, "train") for length in lengths] + [(ramp(9000), 0, "val")]
    assert batches(prepared_from(tmp_path, clips), crop, size).steps_per_epoch == steps


def test_a_split_without_clips_is_named(tmp_path: Path) -> None:
    prepared = prepared_from(tmp_path, [(ramp(500), 0, "train")])
    with pytest.raises(CtxAudioError, match="no prepared clips in the split 'val'"):
        batches(prepared, crop=100, split="val")


def test_mixed_batches_have_their_share_of_recordings_and_the_rest_of_one_corpus_after_another(tmp_path: Path) -> None:
    levels = (0.1, 0.2, 0.3)
    random = torch.Generator().manual_seed(0)
    sources = []
    for i, level in enumerate(levels):
        (tmp_path / str(i)).mkdir()
        prepared = prepared_from(tmp_path / str(i), [(np.full(500, level, np.float32), c, "train") for c in (0, 2)])
        sources.append(ClipBatches(prepared, "train", 200, 10, random))
    recordings, *corpora = sources
    mixed = MixedBatches(recordings, corpora, 0.6, 10, random)
    assert mixed.steps_per_epoch == sum(source.steps_per_epoch for source in sources)
    rest = set()
    for _ in range(20):
        batch = mixed.next()
        heard = batch.audio.mean(1)
        torch.testing.assert_close(heard[:6], torch.full((6,), 0.1))
        assert bool((batch.clip[:6] >= 0).all()) and batch.clip[6:].tolist() == [-1] * 4
        rest.add(tuple(heard[6:].mul(10).round().int().tolist()))
    assert rest == {(2,) * 4, (3,) * 4}
    alone = MixedBatches(None, corpora, 0.6, 10, random).next()
    assert alone.audio.mean(1).min() > 0.15 and alone.clip.tolist() == [-1] * 10
