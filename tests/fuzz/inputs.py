"""Whole inputs, small and made once, that the cases spoil."""

from __future__ import annotations

import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import soundfile
from forks import Forks, Outcome
from small_model import SHAPE, small_generator

from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.model.checkpoint import save_generator
from ctxaudio.modulation.profile import ModulationProfile, Rate

#: Networks of a few thousand weights, so that a training takes a second.
SMALL = f"""
from functools import partial
from ctxaudio.model.generator import GeneratorConfig
from ctxaudio.training import base
base.GeneratorConfig = partial(GeneratorConfig, **{SHAPE!r})
"""
ONCE = ("--from_scratch", "--num_epochs", "1", "--batch_size", "2", "--num_workers", "1", "--duration", "0.5")
FORMATS = {
    "wav": ("WAV", ("PCM_16", "PCM_24", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM")),
    "flac": ("FLAC", ("PCM_16", "PCM_24")),
    "ogg": ("OGG", ("VORBIS", "OPUS")),
    "opus": ("OGG", ("OPUS",)),
    "mp3": ("MP3", ("MPEG_LAYER_III",)),
    "aiff": ("AIFF", ("PCM_16", "FLOAT")),
    "au": ("AU", ("PCM_16", "FLOAT")),
    "caf": ("CAF", ("PCM_16", "ALAC_16")),
    "w64": ("W64", ("PCM_16",)),
    "rf64": ("RF64", ("PCM_16",)),
}


@dataclass(frozen=True)
class Inputs:
    """Where they lie: `corpus` in FSD50K's layout, `run` of a finished training on it, `model`, and a sound."""

    corpus: Path
    run: Path
    model: Path
    sound: Path


@dataclass(frozen=True)
class Pool:
    """The whole inputs, and as many processes to run cases in as may work at once."""

    inputs: Inputs
    homes: list[Path]
    waiting: SimpleQueue[Forks]

    def run(self, arguments: list[str], folder: Path, **limits: Any) -> Outcome:
        """`Forks.run` of a process that has nothing to do."""
        forks = self.waiting.get()
        try:
            return forks.run(arguments, folder, **limits)
        finally:
            self.waiting.put(forks)


def write_inputs(folder: Path, forks: Forks) -> Inputs:
    corpus = write_embedded_corpus(folder / "corpus", ["Rain", "Wind"], clips_per_label=3)
    profile = ModulationProfile((Rate(6.0, 0.3),))
    (folder / "model").mkdir()
    facts = {
        "attribution": [{"clip": "1", "title": "rain", "uploader": "ann", "licence": "CC0"}],
        "licences": {"CC0": 1},
    }
    model = save_generator(folder / "model" / "m.safetensors", small_generator(profile), "sleep", facts)
    sound = folder / "sound.wav"
    sound.write_bytes(sound_bytes("wav", "PCM_16", 22050, noise(48510)))
    done = forks.run(training(corpus, folder / "run"), folder, setup=SMALL, cpu_s=60, wall_s=600.0)
    assert done.code == 0, done
    return Inputs(corpus, folder / "run", model, sound)


def training(corpus: Path, run: Path) -> list[str]:
    return ["train", "--data_dir", str(corpus), "--output_dir", str(run), *ONCE]


def noise(samples: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, (samples, channels))


def sound_bytes(suffix: str, subtype: str, rate: int, samples: np.ndarray) -> bytes:
    """A file of that kind; WAV where libsndfile refuses the rate or the channels."""
    for kind in ((FORMATS[suffix][0], subtype), ("WAV", "PCM_16")):
        encoded = io.BytesIO()
        try:
            with soundfile.SoundFile(encoded, "w", rate, samples.shape[1], kind[1], format=kind[0]) as file:
                for at in range(0, len(samples), 4096):  # libvorbis overflows the stack of a thread on many
                    file.write(samples[at : at + 4096])
            return encoded.getvalue()
        except (soundfile.SoundFileError, ValueError, AssertionError, OverflowError):
            continue
    return b""


def linked(source: Path, folder: Path) -> Path:
    """A copy whose files are hard links: replace them, don't write into them."""
    return Path(shutil.copytree(source, folder, copy_function=os.link))


def replaced(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def check_sounds(folder: Path, done: Outcome) -> None:
    """No sound that a command reports as made is empty or holds NaN."""
    if done.code == 0:
        for path in folder.rglob("*"):
            if path.suffix in (".wav", ".flac", ".ogg", ".opus", ".mp3") and path.is_file():
                samples, _ = soundfile.read(os.fsencode(path))
                assert len(samples) and np.isfinite(samples).all(), path
