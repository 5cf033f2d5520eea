"""Run by test_distributed.py: trains in two processes on the CPU and writes `FOLDER/done.pt`.

Lightning Fabric starts the second with the same command line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ctxaudio.data.batches import Batch, ClipBatches
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.pretrained import draw_crops, fill_bank, fit_spectra_and_statistics
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.training import loop
from ctxaudio.training.config import TrainingConfig
from ctxaudio.training.engine import Engine, engine_for
from ctxaudio.training.state import Training, resume

SMALL = GeneratorConfig(
    ("Rain", "Wind"),
    components=8,
    courses=5,
    texture_dim=4,
    partials=2,
    slow_width=16,
    middle_width=16,
    fast_width=16,
    frame_width=16,
    style_count=4,
)
CONFIG = TrainingConfig(batch_size=2, num_epochs=1, log_interval=1, devices=2, score_interval=1)


class ThreeSteps(ClipBatches):
    steps_per_epoch = 3


def begin(clips: PreparedClips, engine: Engine) -> Training:
    torch.manual_seed(CONFIG.seed)
    random = torch.Generator().manual_seed(CONFIG.seed)
    batches = ThreeSteps(clips, "train", 44100, CONFIG.batch_size, random)
    generator = Generator(SMALL, ModulationProfile())
    crops, conditions = draw_crops(batches, SMALL.style_count)
    fit_spectra_and_statistics(generator, crops)
    fill_bank(generator, crops, conditions)
    return loop.begin(generator, batches, random, clips.context, CONFIG, engine)


def weights(training: Training) -> torch.Tensor:
    networks = (training.generator, training.discriminator, training.averaged)
    return torch.cat([p.detach().flatten() for network in networks for p in network.parameters()])


def without_noise(clips: PreparedClips, engine: Engine, batch: Batch) -> torch.Tensor:
    """Weights after two steps on `batch`, latents and noise the same for all crops: what is left of chance is these."""
    training = begin(clips, engine)
    chance = torch.randn, torch.rand, torch.randint

    def same_for_all(draw: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def drawn(*shape: Any, **named: Any) -> torch.Tensor:
            rows, *row = shape[0] if isinstance(shape[0], (tuple, torch.Size)) else shape
            named["generator"] = torch.Generator().manual_seed(0)
            return draw(row, **named).expand(rows, *row).clone()

        return drawn

    torch.randn, torch.rand = map(same_for_all, chance[:2])  # type: ignore[assignment]
    torch.randint = lambda high, shape: torch.zeros(shape, dtype=torch.long)  # type: ignore[assignment]
    try:
        for _ in range(2):
            loop.training_step(training, batch, CONFIG)
    finally:
        torch.randn, torch.rand, torch.randint = chance
    return weights(training)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    clips = torch.load(folder / "clips.pt", weights_only=False)
    whole = torch.load(folder / "batch.pt", weights_only=False)
    engine = engine_for(CONFIG)
    half = slice(2 * engine.rank, 2 * engine.rank + 2)
    halved = without_noise(clips, engine, Batch(whole.audio[half], whole.condition[half], whole.clip[half]))

    training = begin(clips, engine)
    first_crops = training.batches.next().clip
    loop.train(training, CONFIG, folder / "run", progress=False, score=lambda generator: {"Rain": float(training.step)})
    resumed = resume(begin(clips, engine), folder / "run")
    crops_after = resumed.batches.next().audio, training.batches.next().audio
    results = {
        "halved": engine.gathered(halved),
        "trained": engine.gathered(weights(training)),
        "first_crops": engine.gathered(first_crops),
        "resumed": engine.gathered(weights(resumed)),
        "same_crops_after": engine.gathered(torch.tensor(float(torch.equal(*crops_after)))),
        "one_says_yes": [engine.any(engine.rank == 1), engine.any(False)],
        "broadcast": engine.broadcast(lambda: engine.rank),
    }
    if engine.rank == 0:
        torch.save(results, folder / "done.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
