"""The training loop: read it from `train` downwards.

Notebook: 05_cgan_training.ipynb
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ctxaudio.data.prepare import Batch, Batches
from ctxaudio.errors import CtxAudioError
from ctxaudio.model import losses
from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.generator import Generator
from ctxaudio.training.config import TrainingConfig
from ctxaudio.training.state import TERMS, Training, checkpoint, preserve_rng, write_logs
from ctxaudio.workers import finishing_on_ctrl_c

SECONDS_BETWEEN_LINES = 30.0
LARGEST_GRADIENT = 5.0
#: Adam's rate in both networks, beside `lr`, whose default is the published design's.
LR_FACTOR = 2.0
LARGEST_SHARE_OF_SAMPLES = 0.05
#: No statistic of a crop is aimed at further out than this, in deviations over the crops.
LARGEST_DEVIATION = 8.0
#: Fakes of different styles and latents beside the real crops of those styles, 1 being as different: .3 or more in
#: ordinary trainings; of a generator that ignores both what is left is chance, under .05.
LEAST_DIVERSITY = 0.1
#: Rows of the log in a row that must all be collapsed or exploded, and steps before a generator can be.
ROWS = 3
LEARNT_BY = 100
#: The largest ordinary loss is about 3.
LARGEST_LOSS = 20.0


def train(
    training: Training,
    config: TrainingConfig,
    output_dir: Path,
    on_samples: Callable[[Training], None] | None = None,
    progress: bool = True,
) -> Training:
    """Train until `num_epochs`, `max_minutes` or Ctrl-C, whichever comes first.

    Writes `output_dir/checkpoints/latest.pt` every `save_interval` epochs and at the end, `logs/losses.csv`, and
    calls `on_samples` every `sample_interval` epochs (with `max_minutes` less often, where that would take more than
    a twentieth of them), which does not change what is trained. Shows a progress bar, or without `progress` prints a
    line every half minute.

    Raises `CtxAudioError` when the losses stop being numbers or explode, and when the generator makes the same of every
    style and latent (`trouble`).
    """
    steps_per_epoch = training.batches.steps_per_epoch
    started = time.monotonic() - training.seconds
    budget = math.inf if config.max_minutes is None else 60.0 * config.max_minutes
    sampled_at, sampling_s, printed_at = -math.inf, 0.0, time.monotonic()
    training.generator.train()
    training.interrupted = False
    total = config.num_epochs * steps_per_epoch
    bar = tqdm(total=total, initial=training.step, disable=not progress, unit="step", desc="train")

    with bar, finishing_on_ctrl_c() as asked_to_stop:
        while training.epoch < config.num_epochs and training.seconds < budget and not training.interrupted:
            values = training_step(training, training.batches.next(), config)
            training.step += 1
            training.seconds = time.monotonic() - started
            if training.step % config.log_interval == 0:
                line = log(training, values)
                bar.set_postfix_str(line)
                if not progress and time.monotonic() - printed_at > SECONDS_BETWEEN_LINES:
                    printed_at = time.monotonic()
                    print(f"{training.seconds:5.0f} s, step {training.step}: {line}", flush=True)
                if wrong := trouble(training.history):
                    write_logs(training, output_dir)  # the last checkpoint stays as it was before
                    raise CtxAudioError(wrong)
            if training.step % steps_per_epoch == 0:
                training.epoch += 1
                soon = training.seconds - sampled_at < sampling_s / LARGEST_SHARE_OF_SAMPLES
                if on_samples and training.epoch % config.sample_interval == 0 and not (soon and config.max_minutes):
                    with preserve_rng(training.device):
                        on_samples(training)
                    sampled_at = time.monotonic() - started
                    sampling_s = sampled_at - training.seconds
                if training.epoch % config.save_interval == 0:
                    checkpoint(training, output_dir)
            training.seconds = time.monotonic() - started
            bar.update()
            training.interrupted = asked_to_stop()
    checkpoint(training, output_dir)
    return training


def training_step(training: Training, batch: Batch, config: TrainingConfig) -> dict[str, Tensor]:
    """One update of the discriminator and one of the generator; returns the losses and the fakes' diversity.

    The game is played on what courses do to the spectrum. Modulation and phase come after that, in real and fake
    alike, so rendering both would cost most of a step and could tell the discriminator nothing more.
    """
    generator, discriminator = training.generator, training.discriminator
    audio, condition = batch.audio.to(training.device), batch.condition.to(training.device)
    with torch.no_grad():
        real, statistics, style = generator.analyse(audio)

    def take() -> Tensor:
        noise = generator.noise_courses(style.mixing, audio.shape[1])
        latent = torch.randn(len(audio), generator.config.latent_dim, device=training.device)
        return generator.courses(latent, condition, style, noise)

    fake = take()
    shown, made = generator.bands(real, style), generator.bands(fake, style)
    with torch.no_grad():  # a second take of each style tells what chance makes differ from what is wrong
        again = generator.statistics(take())

    verdict_real = discriminator(shown, condition, style.texture)
    verdict_fake = discriminator(made.detach(), condition, style.texture)
    hinge = losses.discriminator_hinge(verdict_real, verdict_fake)
    naming_real = losses.condition_loss(verdict_real, condition)
    descend(hinge + config.lambda_aux * naming_real, training.discriminator_optimizer)

    discriminator.requires_grad_(False)
    verdict = discriminator(made, condition, style.texture)
    adversarial = losses.generator_hinge(verdict)
    naming = losses.condition_loss(verdict, condition)
    found = generator.statistics(fake)
    target = statistics.clamp(-LARGEST_DEVIATION, LARGEST_DEVIATION)
    texture = losses.energy_loss(found, again, target, generator.statistics.weight)
    total = config.lambda_adversarial * (adversarial + config.lambda_aux * naming) + config.lambda_texture * texture
    descend(total, training.generator_optimizer, LARGEST_GRADIENT)
    discriminator.requires_grad_(True)
    update_average(training.averaged, generator, training.step, config.ema_decay)
    return {
        "discriminator": hinge.detach(),
        "adversarial": adversarial.detach(),
        "condition": naming.detach(),
        "texture": texture.detach(),
        "diversity": diversity(generator.statistics.code(found.detach()), style.texture),
    }


def descend(loss: Tensor, optimizer: torch.optim.Optimizer, largest_norm: float = math.inf) -> None:
    """One update of the optimizer's parameters down the gradient of `loss`, the gradient's norm limited."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if largest_norm < math.inf:
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], largest_norm)
    optimizer.step()


@torch.no_grad()
def update_average(averaged: Generator, current: Generator, step: int, decay: float) -> None:
    """Exponential moving average of weights, faster in the beginning, so that a short training doesn't keep the first
    ones; those after step 0 are taken as they are."""
    share = 1.0 - min(decay, (1 + step) / (10 + step)) if step else 1.0
    torch._foreach_lerp_(list(averaged.parameters()), list(current.parameters()), share)


def log(training: Training, values: dict[str, Tensor]) -> str:
    """Add a row to the history and return it as text."""
    row = {name: float(value) for name, value in values.items()}
    training.history.append({"step": training.step, "epoch": training.epoch, "seconds": training.seconds, **row})
    return f"D {row['discriminator']:.2f} G {row['adversarial']:.2f} texture {row['texture']:.3f}"


def diversity(fake: Tensor, real: Tensor) -> Tensor:
    """Mean deviation over a batch of the fakes' texture codes `[B, S]` beside that of the real crops'."""
    return fake.std(0).mean() / real.std(0).mean().clamp_min(1e-6)


def trouble(history: list[dict[str, float]]) -> str:
    """What should stop the training, in a line, or nothing."""
    newest, last = history[-1], history[-ROWS:]
    step = newest["step"]
    if not all(math.isfinite(newest[name]) for name in TERMS):
        return f"training diverged at step {step:.0f} (a loss is not a number): lower --lr, or --resume earlier"
    for name in TERMS[:-1]:
        if len(last) == ROWS and all(abs(row[name]) > LARGEST_LOSS for row in last):
            size = f"the {name} loss is {newest[name]:.3g}, ordinary is under 3"
            return f"training diverged at step {step:.0f} ({size}): lower --lr"
    if len(last) == ROWS and last[0]["step"] >= LEARNT_BY and all(r["diversity"] < LEAST_DIVERSITY for r in last):
        share = f"generated textures differ {newest['diversity']:.2f} times as much as the clips do"
        mend = "lower --lr, raise --lambda_texture or --batch_size, or begin anew with another --seed"
        return f"mode collapse at step {step:.0f}: {share}: {mend}"
    return ""


def begin(
    generator: Generator, batches: Batches, random: torch.Generator, context: str, config: TrainingConfig
) -> Training:
    """A fresh discriminator, optimisers and average for `generator`, whose style bank is filled already."""
    generator = generator.to(config.device)
    discriminator = Discriminator(generator.config).to(config.device)
    averaged = copy.deepcopy(generator).requires_grad_(False)
    mine, theirs = (
        torch.optim.Adam(network.parameters(), lr=LR_FACTOR * config.lr, betas=(0.5, 0.95))
        for network in (generator, discriminator)
    )
    device = torch.device(config.device)
    return Training(generator, discriminator, averaged, mine, theirs, batches, random, context, device)
