"""The training loop: read it from `train` downwards.

Notebook: 04_cgan_training.ipynb
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from ctxaudio.data.batches import Batch, ClipBatches
from ctxaudio.data.prepare import PreparedClips
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import written_whole
from ctxaudio.model import losses
from ctxaudio.model.checkpoint import load_state, save_state
from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.interruption import finishing_the_step_on_ctrl_c
from ctxaudio.model.styles import StyleSpace, fit_style_space
from ctxaudio.signal.profile import ModulationProfile
from ctxaudio.signal.texture import TextureStatistics

SECONDS_BETWEEN_LINES = 30.0
HISTORY_COLUMNS = ("step", "epoch", "seconds", "discriminator", "adversarial", "condition", "texture", "features")


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how hard to train; names and defaults are those of the command line.

    `max_minutes` None: until `num_epochs` are done. `crop_s` is the length of a training crop: the generator
    makes any length, and two seconds hold the texture at half the cost of four.
    """

    batch_size: int = 16
    num_epochs: int = 100
    lr: float = 0.0002
    lambda_aux: float = 1.0
    log_interval: int = 10
    sample_interval: int = 1
    save_interval: int = 10
    max_minutes: float | None = None
    seed: int = 0
    device: str = "cpu"
    crop_s: float = 2.0
    lambda_texture: float = 4.0
    lambda_features: float = 2.0
    ema_decay: float = 0.99

    def __post_init__(self) -> None:
        positive = {
            name: getattr(self, name)
            for name in ("batch_size", "num_epochs", "lr", "log_interval", "sample_interval", "save_interval")
        }
        for name, value in positive.items():
            if not value > 0:
                raise CtxAudioError(f"{name} {value} must be above 0")
        if self.lambda_aux < 0:
            raise CtxAudioError(f"lambda_aux {self.lambda_aux} must not be negative")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise CtxAudioError(f"max_minutes {self.max_minutes} must be above 0")


Losses = dict[str, float]
ParamList = tuple[Tensor, ...] | list[Tensor]


@dataclass
class Training:
    """Everything that changes while training, so that a checkpoint is all of it."""

    generator: Generator
    discriminator: Discriminator
    average: AveragedModel
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    space: StyleSpace
    batches: ClipBatches
    random: torch.Generator
    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    history: list[Losses] = field(default_factory=list)
    interrupted: bool = False
    init_from: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> Generator:
        """The generator to keep: the moving average of the weights, which wobbles less than the last step."""
        module = self.average.module
        assert isinstance(module, Generator)
        return module


def begin(clips: PreparedClips, profile: ModulationProfile, model: GeneratorConfig, config: TrainingConfig) -> Training:
    """Fresh networks, their optimisers, and the style bank filled from crops of the training clips."""
    torch.manual_seed(config.seed)
    random = torch.Generator().manual_seed(config.seed)
    crop = round(config.crop_s * clips.sample_rate)
    batches = ClipBatches(clips, "train", crop, config.batch_size, random)
    generator = Generator(model, profile).to(config.device)
    discriminator = Discriminator(model).to(config.device)
    drawn = [batches.next() for _ in range(math.ceil(model.style_count / config.batch_size))]
    crops = torch.cat([batch.audio for batch in drawn]).to(config.device)
    conditions = torch.cat([batch.condition for batch in drawn]).to(config.device)
    space = fit_style_space(TextureStatistics(clips.sample_rate).to(config.device), crops, model.style_dim)
    with torch.no_grad():
        kept = model.style_count
        generator.bank.fill(space.style(space.normalised(crops[:kept])), conditions[:kept])
    return Training(
        generator,
        discriminator,
        AveragedModel(generator, multi_avg_fn=moving_average(config.ema_decay), use_buffers=False),
        torch.optim.Adam(generator.parameters(), lr=4 * config.lr, betas=(0.5, 0.95)),
        torch.optim.Adam(discriminator.parameters(), lr=2 * config.lr, betas=(0.5, 0.95)),
        space,
        batches,
        random,
    )


def moving_average(decay: float) -> Callable[[ParamList, ParamList, Tensor | int], None]:
    """Exponential moving average, faster in the beginning, so that a short training doesn't keep the first weights."""

    @torch.no_grad()
    def average(averaged: ParamList, current: ParamList, count: Tensor | int) -> None:
        steps = int(count)
        torch._foreach_lerp_(averaged, current, 1.0 - min(decay, (1 + steps) / (10 + steps)))

    return average


def training_step(training: Training, batch: Batch, config: TrainingConfig) -> dict[str, Tensor]:
    """One update of the discriminator and one of the generator; gives back the five losses."""
    generator, discriminator = training.generator, training.discriminator
    audio, condition = batch.audio.to(config.device), batch.condition.to(config.device)

    # What the discriminator sees as real gets the same modulation as the fakes, at phases of its own:
    # otherwise the rates themselves would give the fakes away.
    modulation = generator.modulation
    with torch.no_grad():
        normalised = training.space.normalised(audio)
        style = training.space.style(normalised)
        real = modulation(audio, modulation.random_phases(len(audio)))

    latent = torch.randn(len(audio), generator.config.latent_dim, device=config.device)
    bed = generator.unmodulated(latent, condition, audio.shape[1], style)
    fake = modulation(bed, modulation.random_phases(len(audio)))

    training.discriminator_optimizer.zero_grad(set_to_none=True)
    verdict_real = discriminator(real, condition, style)
    verdict_fake = discriminator(fake.detach(), condition, style)
    hinge = losses.discriminator_hinge(verdict_real, verdict_fake)
    (hinge + config.lambda_aux * losses.condition_loss(verdict_real, condition)).backward()
    training.discriminator_optimizer.step()

    training.generator_optimizer.zero_grad(set_to_none=True)
    discriminator.requires_grad_(False)
    verdict = discriminator(fake, condition, style)
    adversarial = losses.generator_hinge(verdict)
    naming = losses.condition_loss(verdict, condition)
    features = losses.feature_distance(verdict_real, verdict)
    texture = F.smooth_l1_loss(training.space.normalised(bed), normalised.clamp(-8, 8))
    total = adversarial + config.lambda_aux * naming
    total = total + config.lambda_texture * texture + config.lambda_features * features
    total.backward()
    discriminator.requires_grad_(True)
    torch.nn.utils.clip_grad_norm_(generator.parameters(), 5.0)
    training.generator_optimizer.step()
    training.average.update_parameters(generator)
    return {
        "discriminator": hinge.detach(),
        "adversarial": adversarial.detach(),
        "condition": naming.detach(),
        "texture": texture.detach(),
        "features": features.detach(),
    }


def train(
    training: Training,
    config: TrainingConfig,
    output_dir: Path,
    on_samples: Callable[[Training], None] | None = None,
    progress: bool = True,
) -> Training:
    """Train until `num_epochs`, `max_minutes` or Ctrl-C, whichever comes first.

    Writes `output_dir/checkpoints/latest.pt` every `save_interval` epochs and at the end, `logs/losses.csv`, and
    calls `on_samples` every `sample_interval` epochs. Shows a progress bar, or without `progress` prints a line
    every half minute. Raises `CtxAudioError` when the losses stop being numbers.
    """
    steps_per_epoch = training.batches.steps_per_epoch
    started = time.monotonic() - training.seconds
    budget = math.inf if config.max_minutes is None else 60.0 * config.max_minutes
    bar = tqdm(total=config.num_epochs * steps_per_epoch, initial=training.step, disable=not progress, unit="step")
    bar.set_description("train")
    said = started
    with finishing_the_step_on_ctrl_c() as asked_to_stop:
        while training.epoch < config.num_epochs and training.seconds < budget and not training.interrupted:
            training.generator.train()
            for _ in range(training.step % steps_per_epoch, steps_per_epoch):
                values = training_step(training, training.batches.next(), config)
                training.step += 1
                training.seconds = time.monotonic() - started
                bar.update()
                if training.step % config.log_interval == 0:
                    line = log(training, values)
                    bar.set_postfix_str(line)
                    if not progress and time.monotonic() - said > SECONDS_BETWEEN_LINES:
                        said = time.monotonic()
                        print(f"{training.seconds:5.0f} s, step {training.step}: {line}", flush=True)
                if asked_to_stop():
                    training.interrupted = True
                if training.interrupted or training.seconds >= budget:
                    break
            if training.step % steps_per_epoch == 0:
                training.epoch += 1
                if on_samples and training.epoch % config.sample_interval == 0:
                    on_samples(training)
                if training.epoch % config.save_interval == 0:
                    checkpoint(training, output_dir)
    bar.close()
    checkpoint(training, output_dir)
    return training


def log(training: Training, values: dict[str, Tensor]) -> str:
    """Add a row to the history and give it back as text; raises `CtxAudioError` if a loss is not a number."""
    row = {name: float(value) for name, value in values.items()}
    if not all(math.isfinite(value) for value in row.values()):
        raise CtxAudioError(
            f"training diverged at step {training.step} (a loss is not a number): lower --lr or --resume an earlier run"
        )
    training.history.append({"step": training.step, "epoch": training.epoch, "seconds": training.seconds, **row})
    return f"D {row['discriminator']:.2f} G {row['adversarial']:.2f} texture {row['texture']:.3f}"


def checkpoint(training: Training, output_dir: Path) -> None:
    """Write the whole training state and the log of the losses."""
    save_state(
        output_dir / "checkpoints" / "latest.pt",
        {
            "generator": training.generator.state_dict(),
            "discriminator": training.discriminator.state_dict(),
            "average": training.average.state_dict(),
            "generator_optimizer": training.generator_optimizer.state_dict(),
            "discriminator_optimizer": training.discriminator_optimizer.state_dict(),
            "batch_random": training.random.get_state(),
            "torch_random": torch.get_rng_state(),
            "progress": {"step": training.step, "epoch": training.epoch, "seconds": training.seconds},
            "history": training.history,
            "conditions": training.generator.config.conditions,
            "init_from": training.init_from,
        },
    )
    with written_whole(output_dir / "logs" / "losses.csv") as aside, aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, HISTORY_COLUMNS)
        writer.writeheader()
        writer.writerows(training.history)


def resume(training: Training, output_dir: Path) -> Training:
    """Take up the run whose checkpoint lies in `output_dir`; raises `CtxAudioError` if there is none or it differs."""
    path = output_dir / "checkpoints" / "latest.pt"
    state = load_state(path)
    try:
        if tuple(state["conditions"]) != training.generator.config.conditions:
            raise ValueError("other conditions")
        training.init_from = state["init_from"]
        training.generator.load_state_dict(state["generator"])
        training.discriminator.load_state_dict(state["discriminator"])
        training.average.load_state_dict(state["average"])
        training.generator_optimizer.load_state_dict(state["generator_optimizer"])
        training.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CtxAudioError(
            f"{path} is of another configuration: resume with the context and sizes it was begun with"
        ) from error
    training.random.set_state(state["batch_random"])
    torch.set_rng_state(state["torch_random"])
    training.step, training.epoch = state["progress"]["step"], state["progress"]["epoch"]
    training.seconds, training.history = state["progress"]["seconds"], state["history"]
    return training
