from __future__ import annotations

import io
import os
import resource
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import FloatArray
from ctxaudio.signal import audio
from ctxaudio.signal.audio import (
    AudioReader,
    audio_writer,
    encode_audio,
    fade_gain,
    high_pass,
    read_audio,
    resample,
    write_audio,
)

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
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_in_blocks_is_read_in_blocks(tmp_path, name, channels):
    samples = noise(channels)
    write(tmp_path / name, samples)
    assert soundfile.info(tmp_path / name).subtype == "PCM_16"
    sound = AudioReader(tmp_path / name)
    assert (sound.sample_rate, sound.channels, sound.frames) == (RATE, channels, samples.shape[1])
    blocks = list(sound.blocks(0.77))
    assert [block.shape[1] for block in blocks] == [6160] * 4 + [1760]
    assert np.abs(np.concatenate(blocks, axis=1) - samples).max() <= 2.0**-16 * 1.001


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.opus"])
def test_blocks_whole_arrays_and_bytes_are_one_file(tmp_path, name):
    """Whatever a sound is written by, its samples are rounded alike."""
    blocks, whole = write(tmp_path / name, noise(), comment="c"), tmp_path / ("b" + name)
    write_audio(whole, noise(), RATE, comment="c")
    encoded = io.BytesIO(encode_audio(noise(), RATE, whole.suffix))
    expected = read_audio(blocks)[0]
    lossless = name.endswith((".wav", ".flac"))
    for again in (read_audio(whole)[0], soundfile.read(encoded, dtype="float32")[0].T):
        # vorbis cuts its blocks by what it is given at once
        assert again.shape == expected.shape and abs(again.std() / expected.std() - 1) <= (0 if lossless else 0.05)
        assert np.array_equal(again, expected) or not lossless


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "a.mp3"])
def test_a_compressed_file_keeps_length_level_and_comment(tmp_path, name, channels):
    rate = 22050
    samples = 0.2 * np.sin(2 * np.pi * 700 * np.arange(160_000, dtype=np.float32) / rate) + noise(channels, 20.0, 0.01)
    write_audio(tmp_path / name, samples, rate, comment="made here: é")
    again, its_rate = read_audio(tmp_path / name)
    assert its_rate == (48000 if name == "a.opus" else rate)
    assert again.shape == (channels, round(160_000 * its_rate / rate))
    assert abs(20 * np.log10(again.std() / samples.std())) < 0.25
    assert abs(20 * np.log10(np.abs(again).max() / np.abs(samples).max())) < 1.0
    assert soundfile.SoundFile(tmp_path / name).comment == "made here: é"
    assert (tmp_path / name).stat().st_size < 0.45 * samples.size * 2


@pytest.mark.parametrize("name", ["a.ogg", "a.opus", "a.mp3"])
def test_compression_takes_no_more_than_a_fifth_of_a_decibel_off_a_depth(tmp_path, name):
    t = np.arange(12 * RATE) / RATE
    carrier = noise(1, 12.0, 0.04)
    modulated = (carrier * (1.0 + 0.3 * np.cos(2 * np.pi * 14.1 * t))).astype(np.float32)

    def depth(samples: np.ndarray) -> complex:
        write_audio(tmp_path / name, samples, RATE)
        sound, rate = read_audio(tmp_path / name)
        phase = 2 * np.pi * 14.1 * np.arange(sound.shape[1]) / rate
        wave = np.stack([np.ones_like(phase), np.cos(phase), np.sin(phase)], 1)
        mean, *parts = np.linalg.lstsq(wave, np.abs(scipy.signal.hilbert(sound[0])), rcond=None)[0]
        return complex(*parts) / mean

    # the carrier's own envelope at that rate, through the same codec, is no modulation
    assert 20 * np.log10(abs(depth(modulated) - depth(carrier)) / 0.3) == pytest.approx(0.0, abs=0.2)


def test_a_rate_that_a_format_does_not_know_is_refused_before_the_work(tmp_path):
    with pytest.raises(CtxAudioError, match=r"a\.mp3: \.mp3 can't hold 96000 Hz: choose \.flac"):
        write_audio(tmp_path / "a.mp3", noise(), 96000)
    assert audio.audio_format(Path("a.opus"), 22050)["format"] == "OGG" and list(tmp_path.iterdir()) == []


def flac_of_total(path: Path, total: int) -> Path:
    """A FLAC whose header says that it holds `total` samples: 0 where it was streamed."""
    content = bytearray(write(path, noise(1)).read_bytes())
    content[21] = content[21] & 0xF0 | total >> 32  # the last 36 bits of the block STREAMINFO that come before its MD5
    content[22:26] = (total & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(content)
    return path


@given(start=st.integers(0, 26400), stop=st.integers(0, 30000))
@settings(deadline=None, max_examples=20)
def test_a_streamed_flac_is_read_though_its_header_names_no_length(tmp_path_factory, start, stop):
    path = tmp_path_factory.getbasetemp() / "streamed.flac"
    whole = read_audio(write(path, noise(1)))[0]
    flac_of_total(path, 0)
    sound = AudioReader(path)
    assert sound.frames == whole.shape[1] and sound.duration_s == 3.3
    for _ in range(2):
        blocks = list(sound.blocks(0.5, start, stop))
        assert np.array_equal(np.concatenate([whole[:, :0], *blocks], axis=1), whole[:, start:stop])
    if start < min(stop, 26400):
        assert np.array_equal(read_audio(path, start, stop)[0], whole[:, start:stop])


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path):
    """2**36 samples would be 256 GB; the file is a cut one, or too long to hold, but no MemoryError."""
    path = flac_of_total(tmp_path / "long.flac", 2**36 - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ClipError, match=r"long\.flac: 68719476735 .* too many to hold at once"):
        read_audio(path)
    with pytest.raises(ClipError, match=r"long\.flac: cut off after 3\.3 s"):
        list(AudioReader(path).blocks(1e6))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize("rate", [1, 30, 999, 768_001, 2**31 - 1])
def test_a_sample_rate_of_no_sound_is_refused(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), rate)
    with pytest.raises(ClipError, match=f"a.wav: sample rate {rate} Hz is outside 1000-768000"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_pipes_and_devices_are_refused_before_they_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", Path("/dev/zero"), tmp_path):
        with pytest.raises(ClipError, match="not a file"):
            AudioReader(path)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX")
def test_names_that_are_no_text_and_names_too_long(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav"))
    write_audio(path, noise(), RATE)
    assert read_audio(path)[0].shape == noise().shape
    with pytest.raises(ClipError, match="File name too long"):
        AudioReader(tmp_path / ("long" * 80 + ".wav"))
    with pytest.raises(CtxAudioError, match="File name too long"):
        write_audio(tmp_path / ("long" * 80 + ".wav"), noise(), RATE)


@given(start=st.integers(0, 26400), seconds=st.floats(0.0, 5.0))
@settings(deadline=None, max_examples=20)
def test_reading_may_begin_anywhere(tmp_path_factory, start, seconds):
    path = tmp_path_factory.getbasetemp() / "anywhere.flac"
    if not path.exists():
        write(path, noise())
    whole, _ = read_audio(path)
    sound = AudioReader(path)
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


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("share", [0.0, 1e-4, 0.5, 0.9999])
def test_a_full_disk_is_told(tmp_path, name, share):
    """The disk is full in the header, in the samples, and in what the encoder had held back to the end."""
    path = write(tmp_path / name, noise())
    room = int(share * path.stat().st_size)
    path.unlink()

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))  # the system refuses to write more, as on a full disk
    try:
        with pytest.raises(CtxAudioError, match=f"can't write .*{name}: File too large"):
            write(tmp_path / name, noise())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_no_other_format_is_written(tmp_path):
    with pytest.raises(CtxAudioError, match=r"can't write a\.aiff: choose a name that ends in \.wav, \.flac, \.ogg"):
        write(tmp_path / "a.aiff", noise())


def test_wav_above_4_gb_becomes_rf64_or_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "WAV_LIMIT_BYTES", 4 * 10_000)
    samples = noise()
    write(tmp_path / "a.wav", samples, frames=samples.shape[1], comment="long")
    with soundfile.SoundFile(tmp_path / "a.wav") as sound:
        assert (sound.format, sound.frames, sound.comment) == ("RF64", samples.shape[1], "long")
    with pytest.raises(CtxAudioError, match=r"above 4 GB.*choose a name with \.flac"):
        write(tmp_path / "b.wav", samples)


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "headless.raw").write_bytes(bytes(1000))
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan] * 9000), RATE, "FLOAT")
    cut = write(tmp_path / "cut.flac", noise()).read_bytes()
    (tmp_path / "cut.flac").write_bytes(cut[: len(cut) // 2])
    expected = {
        "absent.wav": "no such file",
        "headless.raw": "not readable as audio",
        "text.wav": "not readable as audio",
        "empty.wav": "holds no samples",
        "nan.wav": "NaN",
        "cut.flac": "readable as audio|cut off after 1.",
    }
    for name, message in expected.items():
        with pytest.raises(ClipError, match=f"{name}: .*{message}"):
            list(AudioReader(tmp_path / name).blocks(0.5))


def test_other_formats_are_read(tmp_path):
    for name in ("a.ogg", "a.mp3", "a.aiff"):
        soundfile.write(tmp_path / name, noise(2).T, RATE)
        sound = AudioReader(tmp_path / name)
        frames = sum(block.shape[1] for block in sound.blocks(0.5))
        assert frames == sound.frames and abs(frames - 26400) < 2500


def tone(frequency_hz: float, sample_rate: int, duration_s: float = 2.0) -> FloatArray:
    t = np.arange(round(duration_s * sample_rate)) / sample_rate
    return np.sin(2 * np.pi * frequency_hz * t).astype(np.float32)


def gain_db(before: FloatArray, after: FloatArray) -> float:
    """Gain over the middle half, away from the edges."""
    middle = slice(len(before) // 4, -len(before) // 4)
    return float(10 * np.log10(np.mean(after[middle] ** 2) / np.mean(before[middle] ** 2)))


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100])
def test_high_pass_removes_5_hz_and_leaves_440_hz(sample_rate: int) -> None:
    rumble, note = tone(5, sample_rate), tone(440, sample_rate)
    assert gain_db(rumble, high_pass(rumble, sample_rate)) <= -40
    assert abs(gain_db(note, high_pass(note, sample_rate))) < 0.1


def test_high_pass_is_6_db_down_at_the_cutoff_as_two_butterworth_passes_are() -> None:
    at_cutoff = tone(20, 8000, duration_s=4.0)
    assert gain_db(at_cutoff, high_pass(at_cutoff, 8000)) == pytest.approx(-6.02, abs=0.1)


def test_high_pass_has_no_delay() -> None:
    note = tone(440, 8000)
    correlation = scipy.signal.correlate(high_pass(note, 8000), note)
    assert int(np.argmax(correlation)) == len(note) - 1


def test_high_pass_agrees_with_scipy_away_from_the_edges() -> None:
    noise = np.random.default_rng(0).standard_normal(32000).astype(np.float32)
    sections = scipy.signal.butter(4, 20.0, "highpass", fs=8000, output="sos")
    expected = scipy.signal.sosfiltfilt(sections, noise.astype(np.float64))
    np.testing.assert_allclose(high_pass(noise, 8000)[8000:-8000], expected[8000:-8000], atol=1e-5)


@given(st.integers(1, 40), st.floats(-1, 1))
@settings(deadline=None, max_examples=30)
def test_high_pass_takes_any_length_and_removes_a_constant(length: int, level: float) -> None:
    filtered = high_pass(np.full(length, level, dtype=np.float32), 44100)
    assert filtered.shape == (length,)
    assert filtered.dtype == np.float32
    np.testing.assert_allclose(filtered, 0.0, atol=1e-5)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44100, 22050), (48000, 22050), (8000, 22050), (22050, 44100)])
def test_a_resampled_tone_is_the_tone_at_the_new_rate(from_rate: int, to_rate: int) -> None:
    resampled = resample(tone(1000, from_rate), from_rate, to_rate)
    expected = tone(1000, to_rate)
    assert resampled.shape == expected.shape
    assert resampled.dtype == np.float32
    middle = slice(to_rate // 2, -to_rate // 2)
    np.testing.assert_allclose(resampled[middle], expected[middle], atol=1e-4)


def test_resample_agrees_with_scipy_on_noise_below_the_transition_band() -> None:
    noise = np.random.default_rng(1).standard_normal(44100)
    sections = scipy.signal.butter(12, 6000, fs=44100, output="sos")
    noise = scipy.signal.sosfiltfilt(sections, noise).astype(np.float32)
    expected = scipy.signal.resample_poly(noise, 1, 2, window=("kaiser", 12.0))
    difference = resample(noise, 44100, 22050)[2000:-2000] - expected[2000:-2000]
    assert np.sqrt(np.mean(difference**2)) < 1e-3 * np.sqrt(np.mean(expected**2))


def test_resample_keeps_out_what_would_fold_back() -> None:
    folded = resample(tone(15000, 44100), 44100, 22050)
    assert np.abs(folded[2000:-2000]).max() < 1e-4


def test_resample_to_the_same_rate_is_a_copy() -> None:
    note = tone(440, 8000)
    copy = resample(note, 8000, 8000)
    np.testing.assert_array_equal(copy, note)
    assert not np.shares_memory(copy, note)


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
