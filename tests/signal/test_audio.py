from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal import audio
from ctxaudio.signal.audio import AudioReader, audio_writer, read_audio

RATE = 8000


def noise(channels: int = 2, seconds: float = 3.3, level: float = 0.1) -> FloatArray:
    samples = np.random.default_rng(0).standard_normal((channels, round(seconds * RATE)))
    return np.clip(level * samples, -1, 1).astype(np.float32)


def write(path: Path, samples: FloatArray, block: int = 5000, **settings) -> Path:
    with audio_writer(path, RATE, samples.shape[0], **settings) as out:
        for start in range(0, samples.shape[1], block):
            out.write(samples[:, start : start + block])
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "A.WAV"])
@pytest.mark.parametrize(("bits", "step"), [(16, 2.0**-15), (24, 2.0**-23)])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_in_blocks_is_read_in_blocks(tmp_path, name, bits, step, channels):
    samples = noise(channels)
    write(tmp_path / name, samples, bits=bits)
    assert soundfile.info(tmp_path / name).subtype == f"PCM_{bits}"
    with AudioReader(tmp_path / name) as sound:
        assert (sound.sample_rate, sound.channels, sound.frames) == (RATE, channels, samples.shape[1])
        blocks = list(sound.blocks(0.77))
        assert [block.shape[1] for block in blocks] == [6160] * 4 + [1760]
    assert np.abs(np.concatenate(blocks, axis=1) - samples).max() <= step / 2 * 1.001


@given(start=st.integers(0, 26400), seconds=st.floats(0.0, 5.0))
@settings(deadline=None, max_examples=20)
def test_reading_may_begin_anywhere(tmp_path_factory, start, seconds):
    path = tmp_path_factory.getbasetemp() / "anywhere.flac"
    if not path.exists():
        write(path, noise())
    whole, _ = read_audio(path)
    with AudioReader(path) as sound:
        blocks = list(sound.blocks(max(seconds, 0.05), start))
    assert np.array_equal(np.concatenate([whole[:, :0], *blocks], axis=1), whole[:, start:])


def test_a_file_read_and_written_again_is_the_same_samples(tmp_path):
    loud = np.array([[-1.0, 1.0 - 2.0**-15, 0.0, 2.0**-15]], np.float32)
    first, _ = read_audio(write(tmp_path / "first.wav", np.concatenate([noise(1), loud], axis=1)))
    again, _ = read_audio(write(tmp_path / "again.flac", first))
    assert np.array_equal(first, again) and first.min() == -1.0


def test_full_scale_does_not_wrap_round(tmp_path):
    samples, _ = read_audio(write(tmp_path / "a.wav", np.ones((1, 10), np.float32)))
    assert samples.min() > 0.9999


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_the_comment_comes_back(tmp_path, name):
    with soundfile.SoundFile(write(tmp_path / name, noise(), comment="c" * 2000)) as sound:
        assert sound.comment == "c" * 2000


def test_a_comment_that_wav_would_lose_is_refused(tmp_path):
    with pytest.raises(CtxAudioError, match="holds 2000 bytes, not 2001"):
        write(tmp_path / "a.wav", noise(), comment="c" * 2001)
    write(tmp_path / "a.flac", noise(), comment="c" * 2001)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.01, -1.01])
def test_samples_that_no_file_should_hold_leave_none(tmp_path, bad):
    samples = noise()
    samples[1, 12345] = bad
    with pytest.raises(CtxAudioError, match=r"refusing to write .*a\.wav: .* at 1\.2 s is not"):
        write(tmp_path / "a.wav", samples)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_failure_leaves_the_earlier_file_as_it_was(tmp_path, name):
    before = write(tmp_path / name, noise()).read_bytes()
    with pytest.raises(KeyboardInterrupt), audio_writer(tmp_path / name, RATE, 1) as out:
        out.write(noise(1))
        raise KeyboardInterrupt
    assert (tmp_path / name).read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
@pytest.mark.parametrize("share", [0.0, 1e-4, 0.5, 0.9999])
def test_a_full_disk_is_told(tmp_path, monkeypatch, name, share):
    """The disk is full in the header, in the samples, and in what the encoder had held back to the end."""
    path = write(tmp_path / name, noise())
    room = share * path.stat().st_size
    path.unlink()

    class SmallDisk:
        def __init__(self, file):
            self.file, self.seek, self.tell = file, file.seek, file.tell

        def write(self, content):
            if self.file.tell() + len(content) > room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(content)

    sink = audio._Sink
    monkeypatch.setattr(audio, "_Sink", lambda file: sink(SmallDisk(file)))
    with pytest.raises(CtxAudioError, match=f"can't write .*{name}: No space left on device"):
        write(tmp_path / name, noise())
    assert list(tmp_path.iterdir()) == []


def test_no_other_format_is_written(tmp_path):
    with pytest.raises(CtxAudioError, match=r"can't write a\.mp3: choose a name that ends in \.wav or \.flac"):
        write(tmp_path / "a.mp3", noise())


def test_wav_above_4_gb_becomes_rf64_or_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "WAV_LIMIT_BYTES", 4 * 10_000)
    samples = noise()
    write(tmp_path / "a.wav", samples, frames=samples.shape[1], comment="long")
    with soundfile.SoundFile(tmp_path / "a.wav") as sound:
        assert (sound.format, sound.frames, sound.comment) == ("RF64", samples.shape[1], "long")
    with pytest.raises(CtxAudioError, match=r"above 4 GB.*choose a name with \.flac"):
        write(tmp_path / "b.wav", samples)


def test_a_block_of_another_shape_is_refused(tmp_path):
    with pytest.raises(CtxAudioError, match="has 2 channels"), audio_writer(tmp_path / "a.wav", RATE, 2) as out:
        out.write(noise(1))


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan] * 9000), RATE, "FLOAT")
    cut = write(tmp_path / "cut.flac", noise()).read_bytes()
    (tmp_path / "cut.flac").write_bytes(cut[: len(cut) // 2])
    expected = {
        "absent.wav": "no such file",
        "text.wav": "not readable as audio",
        "empty.wav": "holds no samples",
        "nan.wav": "NaN",
        "cut.flac": "after 1.",
    }
    for name, message in expected.items():
        with pytest.raises(ClipError, match=f"{name}: .*{message}"), AudioReader(tmp_path / name) as sound:
            list(sound.blocks(0.5))


def test_other_formats_are_read(tmp_path):
    for name in ("a.ogg", "a.mp3", "a.aiff"):
        soundfile.write(tmp_path / name, noise(2).T, RATE)
        with AudioReader(tmp_path / name) as sound:
            frames = sum(block.shape[1] for block in sound.blocks(0.5))
        assert frames == sound.frames and abs(frames - 26400) < 2500
