"""How fast, beside a floor. Not part of `make test`:

.venv/bin/python -m pytest tests/benchmarks --benchmark-columns=median,iqr -p no:cacheprovider
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from ctxaudio.contexts import CONTEXTS
from ctxaudio.data.prepare import Batch
from ctxaudio.evaluation.analysis import analyse_clip, batch_analyze_frequencies
from ctxaudio.evaluation.over_time import analyse_file
from ctxaudio.files import FloatArray
from ctxaudio.model.checkpoint import BASE, for_conditions, load_generator
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.profile import context_profile
from ctxaudio.modulation.schedule import Modulation
from ctxaudio.render.beds import GeneratedBed
from ctxaudio.render.generate import generate_clips, write_clips
from ctxaudio.render.session import Finish, Session, modulate_file, render_session
from ctxaudio.signal.audio import AudioReader, audio_writer
from ctxaudio.signal.loudness import LevelMeter, set_loudness
from ctxaudio.signal.stft import inverse_stft, stft
from ctxaudio.training import loop
from ctxaudio.training.config import TrainingConfig

RATE, SECONDS = 22050, 4.0
SLEEP = CONTEXTS["sleep"]
Benchmark = Callable[[Callable[[], object]], object]


@pytest.fixture(scope="module")
def generator() -> Generator:
    """The base that ships, for sleep."""
    return for_conditions(load_generator(BASE)[0], SLEEP.conditions, context_profile(SLEEP)).eval()


def test_floor_noise_through_stft_and_back(benchmark: Benchmark) -> None:
    noise = torch.randn(1, round(SECONDS * RATE))
    assert benchmark(lambda: inverse_stft(stft(noise, 512, 256), 512, 256, noise.shape[1])) is not None


def test_generation_of_fifty_clips_one_at_a_time_with_modulation_loudness_and_writing(
    benchmark: Benchmark, generator: Generator, tmp_path: Path
) -> None:
    """As `ctxaudio generate` does it, with credits for fifty training clips in each file's JSON: 200 s of sound."""
    credits = [{"clip": f"{i}", "title": "rain", "uploader": "someone", "licence": "cc0"} for i in range(50)]
    about = {"context": "sleep", "ctxaudio": "0", "weights_sha256": "0" * 64, "attribution": credits}

    def generate() -> list[Path]:
        return write_clips(generate_clips(generator, 50, SECONDS), tmp_path, about, overwrite=True)

    assert len(benchmark.pedantic(generate, rounds=5, warmup_rounds=1)) == 50


def test_generation_of_fifty_clips_one_at_a_time_with_modulation_and_loudness(
    benchmark: Benchmark, generator: Generator
) -> None:
    """200 s of sound, kept in memory."""
    clips = benchmark.pedantic(lambda: list(generate_clips(generator, 50, SECONDS)), rounds=5, warmup_rounds=1)
    assert len(clips) == 50


def test_the_network_alone_of_one_clip(benchmark: Benchmark, generator: Generator) -> None:
    latent, condition = torch.randn(1, 100), torch.tensor([0])
    with torch.inference_mode():
        style = generator.bank(latent, condition)
        normalised = generator.noise_spectrum(torch.randn(1, round(SECONDS * RATE)))[1]
        noise = generator.spectra.courses_of_noise(normalised, style.mixing)
        assert benchmark(lambda: generator.courses(latent, condition, style, noise)) is not None


def test_a_training_step_of_sixteen_crops(benchmark: Benchmark, generator: Generator) -> None:
    class Crops:
        steps_per_epoch = 1

        def next(self) -> Batch:
            return Batch(0.05 * torch.randn(16, 2 * RATE), torch.arange(16) % 5, torch.arange(16))

    config = TrainingConfig()
    training = loop.begin(copy.deepcopy(generator), Crops(), torch.Generator(), "sleep", config)
    batch = training.batches.next()
    values = benchmark.pedantic(lambda: loop.training_step(training, batch, config), rounds=10, warmup_rounds=2)
    assert bool(values["texture"].isfinite())


def test_a_session_of_ten_minutes_of_stereo(benchmark: Benchmark, generator: Generator, tmp_path: Path) -> None:
    modulation = Modulation(context_profile(SLEEP))
    session = Session(GeneratedBed(generator, 0, 2, 0), modulation, 10.0, Finish(fade_s=10.0))
    out = tmp_path / "night.flac"
    benchmark.pedantic(lambda: render_session(session, out, progress=False), rounds=3)
    assert soundfile.info(out).frames == 600 * RATE


def test_modulating_ten_minutes_of_stereo(benchmark: Benchmark, tmp_path: Path) -> None:
    source, out = tmp_path / "in.wav", tmp_path / "out.flac"
    soundfile.write(source, hiss(2, 600.0).T, RATE)
    modulation = Modulation(context_profile(SLEEP))
    benchmark.pedantic(lambda: modulate_file(source, out, modulation, Finish(), progress=False), rounds=3)
    assert soundfile.info(out).frames == 600 * RATE


def test_floor_one_fft_and_back_of_one_clip(benchmark: Benchmark) -> None:
    clip = hiss(1, SECONDS)[0]
    assert benchmark(lambda: np.fft.irfft(np.fft.rfft(clip))) is not None


def test_analysis_of_one_clip(benchmark: Benchmark) -> None:
    clip = hiss(1, SECONDS)[0]
    assert benchmark(lambda: analyse_clip(clip, RATE)) is not None


def test_analysis_of_a_folder_of_200_clips(benchmark: Benchmark, tmp_path: Path) -> None:
    """Reading, measuring and writing the table and figure; by as many processes as there are processors."""
    for number in range(200):
        soundfile.write(tmp_path / f"{number:03d}.wav", hiss(1, SECONDS)[0], RATE)
    table = benchmark.pedantic(lambda: batch_analyze_frequencies(tmp_path, progress=False), rounds=3)
    assert len(table) == 200


def test_analysis_over_time_of_ten_minutes_of_stereo(benchmark: Benchmark, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.flac", hiss(2, 600.0).T, RATE)
    table = benchmark.pedantic(lambda: analyse_file(tmp_path / "long.flac"), rounds=2)
    assert len(table) > 30


def hiss(channels: int, seconds: float) -> FloatArray:
    return (0.05 * np.random.default_rng(0).standard_normal((channels, round(seconds * RATE)))).astype(np.float32)


def test_floor_k_weighting_alone_of_one_clip(benchmark: Benchmark) -> None:
    sections, clip = LevelMeter(RATE)._sections, hiss(1, SECONDS)[0]
    assert benchmark(lambda: scipy.signal.sosfilt(sections, clip)) is not None


def test_setting_the_loudness_of_one_clip(benchmark: Benchmark) -> None:
    clip = hiss(1, SECONDS)[0]
    assert benchmark(lambda: set_loudness(clip, RATE)) is not None


@pytest.mark.parametrize("peaks", [False, True])
def test_metering_a_minute_of_stereo(benchmark: Benchmark, peaks: bool) -> None:
    meter = LevelMeter(RATE, 2, peaks)
    minute = hiss(2, 60.0)
    benchmark(lambda: meter.add(minute))
    assert meter.frames >= 60 * RATE


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_floor_libsndfile_alone_writing_a_minute_of_stereo(benchmark: Benchmark, tmp_path: Path, suffix: str) -> None:
    path, minute = tmp_path / f"floor{suffix}", (hiss(2, 60.0).T * 2**15).astype(np.int16)
    benchmark(lambda: soundfile.write(path, minute, RATE, "PCM_16"))
    assert path.stat().st_size > 10**6


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_writing_a_minute_of_stereo(benchmark: Benchmark, tmp_path: Path, suffix: str) -> None:
    path, minute = tmp_path / f"minute{suffix}", hiss(2, 60.0)

    def write() -> None:
        with audio_writer(path, RATE, 2) as out:
            for start in range(0, minute.shape[1], 10 * RATE):
                out.write(minute[:, start : start + 10 * RATE])

    benchmark(write)
    assert path.stat().st_size > 10**6


def test_reading_a_minute_of_stereo_flac(benchmark: Benchmark, tmp_path: Path) -> None:
    with audio_writer(tmp_path / "minute.flac", RATE, 2) as out:
        out.write(hiss(2, 60.0))

    def read() -> int:
        sound = AudioReader(tmp_path / "minute.flac")
        return sum(block.shape[1] for block in sound.blocks())

    assert benchmark(read) == 60 * RATE
