"""Small real parts that several tests share: prepared clips of two conditions, and a tiny trained model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ctxaudio import pipeline
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.options import Run
from ctxaudio.training.config import Start, TrainingConfig

# Threads that wait for each other on a busy machine take many times as long as one.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An FSD50K folder with a few synthesised clips of three sleep conditions."""
    return write_embedded_corpus(tmp_path_factory.mktemp("recordings"), ["Rain", "Cricket", "Wind"], clips_per_label=4)


@pytest.fixture(scope="session")
def clips(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedClips:
    return pipeline.prepare(Run(data_dir=recordings, output_dir=tmp_path_factory.mktemp("prepared")), 1, progress=False)


@pytest.fixture(scope="session")
def trained(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose generator has been trained for two epochs, with samples and checkpoint."""
    run = Run(data_dir=recordings, output_dir=tmp_path_factory.mktemp("trained"), duration=2.0)
    config = TrainingConfig(batch_size=4, num_epochs=2, save_interval=1, log_interval=1, num_workers=1)
    pipeline.train(run, config, Start(from_scratch=True), progress=False)
    return run
