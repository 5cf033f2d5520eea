"""The design's reference beside ours: a waveform GAN with auxiliary classifier, on the same clips for the same minutes.

    python tests/benchmarks/waveform_gan.py --context sleep --data_dir DIR --max_minutes 10 --output_dir OUT

Writes OUT/generated/CONDITION/*.wav (20 clips a condition) and OUT/waveform_gan.json (steps, seconds, parameters).

The networks are WaveGAN's for 65 536 samples (Donahue et al. 2019, arXiv:1802.04208, model size 64: six strided
convolutions of length 25, phase shuffle), begun from 22 frames in place of 16, so that 4 s at 22 050 Hz come out.
Condition and classifier are AC-GAN's (Odena et al. 2017, arXiv:1610.09585). At the output stands the frequency
modulation layer that the reference asks for; real clips go through it too, as in our own training.

Two losses: `ac-gan` (the default: what the reference describes, its rate 0.0002 and its lambda_aux, one update of each
network a step) and `wgan-gp` (as WaveGAN was published: five critic updates a step, gradient penalty 10, Adam 0.0001
with betas 0.5 and 0.9). The first gets many times as many generator updates into the same minutes.
"""

from __future__ import annotations

import argparse
import itertools
import math
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio.data.prepare import Batch, ClipBatches, PreparedClips, prepare_clips
from ctxaudio.files import write_json
from ctxaudio.modulation.layer import FrequencyModulationLayer
from ctxaudio.modulation.profile import ModulationProfile, context_profile
from ctxaudio.options import Run, add_dataclass, from_options
from ctxaudio.pipeline import find_data, select_context
from ctxaudio.render.generate import LUFS, TRUE_PEAK_DB
from ctxaudio.signal.audio import write_audio
from ctxaudio.signal.loudness import LevelMeter

KERNEL, STRIDE, LAYERS = 25, 4, 6
SHORTEST_FRAMES = 16
EMBEDDING = 32
CRITIC_UPDATES = 5
GRADIENT_PENALTY = 10.0


def frames_of(samples: int) -> int:
    """How many frames the first layer makes so that `samples` come out: 16 give 65 536.

    >>> frames_of(65536), frames_of(4 * 22050)
    (16, 22)
    """
    return math.ceil(samples / STRIDE**LAYERS)


class WaveGenerator(nn.Module):
    """`(latent [B, L], condition [B])` to sound `[B, samples]` in -1..1; `size` is WaveGAN's model size."""

    def __init__(self, conditions: int, samples: int, latent_dim: int = 100, size: int = 64) -> None:
        super().__init__()
        self.samples, self.frames = samples, frames_of(samples)
        self.embedding = nn.Embedding(conditions, EMBEDDING)
        widths = [32 * size, 16 * size, 8 * size, 4 * size, 2 * size, size, 1]
        self.dense = nn.Linear(latent_dim + EMBEDDING, self.frames * widths[0])
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(before, after, KERNEL, STRIDE, padding=11, output_padding=1)
            for before, after in itertools.pairwise(widths)
        )
        self.apply(glorot)

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        x = self.dense(torch.cat([latent, self.embedding(condition)], 1)).unflatten(1, (-1, self.frames))
        for layer in self.layers:
            x = layer(F.relu(x))
        return torch.tanh(x[:, 0, : self.samples])


class WaveDiscriminator(nn.Module):
    """Sound `[B, samples]` to a verdict `[B]` and logits of the conditions `[B, conditions]`."""

    def __init__(self, conditions: int, samples: int, size: int = 64) -> None:
        super().__init__()
        self.frames = frames_of(samples)
        widths = [1, size, 2 * size, 4 * size, 8 * size, 16 * size, 32 * size]
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, KERNEL, STRIDE, padding=11) for before, after in itertools.pairwise(widths)
        )
        self.verdict = nn.Linear(self.frames * widths[-1], 1)
        self.naming = nn.Linear(self.frames * widths[-1], conditions)
        self.apply(glorot)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        x = F.pad(sound, (0, self.frames * STRIDE**LAYERS - sound.shape[1]))[:, None]
        for number, layer in enumerate(self.layers, 1):
            x = F.leaky_relu(layer(x), 0.2)
            if number < LAYERS - 1:
                x = shuffle_phase(x)
        return self.verdict(x.flatten(1))[:, 0], self.naming(x.flatten(1))


def shuffle_phase(x: Tensor, most: int = 2) -> Tensor:
    """`[B, C, T]` moved by up to `most` frames, the same for the batch, with reflection at the edge it leaves."""
    shift = int(torch.randint(-most, most + 1, ()))
    padded = F.pad(x, (max(shift, 0), max(-shift, 0)), mode="reflect")
    return padded[..., max(-shift, 0) :][..., : x.shape[-1]]


def glorot(module: nn.Module) -> None:
    """The initial weights of the published code (TensorFlow's default), which keep the output audible."""
    if isinstance(module, nn.Linear | nn.Conv1d | nn.ConvTranspose1d):
        nn.init.xavier_uniform_(module.weight)
        assert module.bias is not None
        nn.init.zeros_(module.bias)


@dataclass
class WaveGan:
    """The two networks, their optimisers, the modulation at the output and what has been done."""

    generator: WaveGenerator
    discriminator: WaveDiscriminator
    modulation: FrequencyModulationLayer
    loss: str = "ac-gan"
    lr: float = 0.0002
    lambda_aux: float = 1.0
    latent_dim: int = 100
    steps: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        lr, betas = (self.lr, (0.5, 0.999)) if self.loss == "ac-gan" else (1e-4, (0.5, 0.9))
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), lr, betas)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), lr, betas)

    @property
    def critic_updates(self) -> int:
        return 1 if self.loss == "ac-gan" else CRITIC_UPDATES

    def random_phases(self, sounds: int) -> Tensor:
        """Phases `[B, K]` in radians, uniform, so that no phase becomes a mark of the fakes."""
        return 2.0 * math.pi * torch.rand(sounds, len(self.modulation.phases), dtype=torch.float64)

    def fake(self, condition: Tensor) -> Tensor:
        latent = torch.randn(len(condition), self.latent_dim)
        sound = self.generator(latent, condition)
        return self.modulation(sound, self.random_phases(len(condition)))

    def step(self, batches: Sequence[Batch]) -> dict[str, float]:
        """One generator update after `critic_updates` of the discriminator, one for each of `batches`."""
        for batch in batches:
            with torch.no_grad():
                real = self.modulation(batch.audio, self.random_phases(len(batch.audio)))
                fake = self.fake(batch.condition)
            judged = self.discriminator_loss(real, fake, batch.condition)
            self.discriminator_optimizer.zero_grad(set_to_none=True)
            judged.backward()
            self.discriminator_optimizer.step()
        condition = batches[-1].condition
        self.discriminator.requires_grad_(False)
        verdict, names = self.discriminator(self.fake(condition))
        fooled = F.softplus(-verdict).mean() if self.loss == "ac-gan" else -verdict.mean()
        naming = F.cross_entropy(names, condition)
        self.generator_optimizer.zero_grad(set_to_none=True)
        (fooled + self.lambda_aux * naming).backward()
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        self.steps += 1
        values = {"discriminator": judged, "adversarial": fooled, "condition": naming}
        self.history.append({name: round(float(value.detach()), 4) for name, value in values.items()})
        return self.history[-1]

    def discriminator_loss(self, real: Tensor, fake: Tensor, condition: Tensor) -> Tensor:
        """AC-GAN: cross-entropy of real and fake; WGAN-GP: their difference and the penalty. Both name the sounds."""
        verdict_real, names_real = self.discriminator(real)
        verdict_fake, names_fake = self.discriminator(fake)
        if self.loss == "ac-gan":
            source = F.softplus(-verdict_real).mean() + F.softplus(verdict_fake).mean()
            naming = F.cross_entropy(names_real, condition) + F.cross_entropy(names_fake, condition)
        else:
            source = verdict_fake.mean() - verdict_real.mean() + GRADIENT_PENALTY * self.penalty(real, fake)
            naming = F.cross_entropy(names_real, condition)  # on fakes too it would teach the critic to name noise
        return source + self.lambda_aux * naming

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """How far the slope of the verdict between real and fake is from 1 (Gulrajani et al. 2017)."""
        between = torch.lerp(real, fake, torch.rand(len(real), 1)).requires_grad_()
        slope = torch.autograd.grad(self.discriminator(between)[0].sum(), between, create_graph=True)[0]
        return (slope.norm(dim=1) - 1.0).square().mean()

    @torch.no_grad()
    def write_clips(self, folder: Path, names: Sequence[str], count: int, seed: int) -> None:
        """`count` clips of each condition as `folder/CONDITION/CONDITION_01.wav` at -27 LUFS."""
        rate = self.modulation.sample_rate
        random = torch.Generator().manual_seed(seed)
        for condition, name in enumerate(names):
            for number in range(1, count + 1):
                latent = torch.randn(1, self.latent_dim, generator=random)
                sound = self.modulation(self.generator(latent, torch.tensor([condition])))[0].numpy()
                meter = LevelMeter(rate)
                meter.add(sound)
                levelled = meter.gain_to(LUFS, TRUE_PEAK_DB).applied_to(sound)
                write_audio(folder / name / f"{name}_{number:02d}.wav", levelled, rate)


def begin(run: Run, clips: PreparedClips, profile: ModulationProfile, options: argparse.Namespace) -> WaveGan:
    """Fresh networks of the published size for the run's duration."""
    torch.manual_seed(run.seed)
    conditions, samples = len(clips.condition_names), round(run.duration * run.sample_rate)
    return WaveGan(
        WaveGenerator(conditions, samples, run.latent_dim, options.size),
        WaveDiscriminator(conditions, samples, options.size),
        FrequencyModulationLayer(profile, run.sample_rate),
        options.loss,
        options.lr,
        options.lambda_aux,
        run.latent_dim,
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_dataclass(parser, Run)
    add = parser.add_argument
    add("--max_minutes", type=float, default=10.0, help="stop after this time")
    add("--max_steps", type=int, default=None, help="or after so many steps, however long they take")
    add("--loss", choices=("ac-gan", "wgan-gp"), default="ac-gan")
    add("--batch_size", type=int, default=8)
    add("--lr", type=float, default=0.0002, help="of ac-gan")
    add("--lambda_aux", type=float, default=1.0)
    add("--size", type=int, default=64, help="WaveGAN's model size")
    add("--num_samples", type=int, default=20, help="clips a condition")
    add("--clips_every", type=int, default=None, metavar="STEPS", help="clips between, under OUT/step_NNNN")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    run = from_options(Run, options)
    source = find_data(run)
    clips = prepare_clips(
        select_context(run, source), run.output_dir / "prepared", run.sample_rate, workers=1, progress=False
    )
    gan = begin(run, clips, context_profile(run.about), options)
    random = torch.Generator().manual_seed(run.seed)
    batches = ClipBatches(clips, "train", gan.generator.samples, options.batch_size, random)
    networks = (("generator", gan.generator), ("discriminator", gan.discriminator))
    parameters = {name: sum(p.numel() for p in network.parameters()) for name, network in networks}
    print(f"{source.description}; {gan.loss}, {parameters}, {torch.get_num_threads()} threads", flush=True)
    seconds, processor = 0.0, time.process_time()
    while seconds < 60 * options.max_minutes and gan.steps < (options.max_steps or math.inf):
        started = time.monotonic()
        values = gan.step([batches.next() for _ in range(gan.critic_updates)])
        seconds += time.monotonic() - started
        print(f"step {gan.steps}, {time.monotonic() - started:.1f} s: {values}", flush=True)
        if options.clips_every and gan.steps % options.clips_every == 0:
            gan.write_clips(
                run.output_dir / f"step_{gan.steps:04d}", clips.condition_names, options.num_samples, run.seed
            )
    gan.write_clips(run.output_dir / "generated", clips.condition_names, options.num_samples, run.seed)
    chosen = ("context", "loss", "batch_size", "lr", "lambda_aux", "size", "seed")
    about = {
        **{name: getattr(options, name) for name in chosen},
        "steps": gan.steps,
        "seconds": round(seconds, 1),
        "seconds_per_step": round(seconds / max(1, gan.steps), 2),
        "processor_seconds": round(time.process_time() - processor, 1),
        "threads": torch.get_num_threads(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "parameters": parameters,
        "conditions": clips.condition_names,
        "clips": clips.counts(),
        "history": gan.history,
    }
    write_json(run.output_dir / "waveform_gan.json", about)


if __name__ == "__main__":
    main()
