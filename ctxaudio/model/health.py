"""Is a training still worth its time? Silence, mode collapse, divergence and a beaten generator, each said in a line.

The bounds were set by looking at ordinary trainings on real recordings (sleep, focus and meditation, 300 to 700
steps at the default rate), and leave them a wide berth; the figures stand beside each bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ctxaudio.model.generator import Generator
from ctxaudio.model.styles import OUTLIER, StyleSpace

PROBE_INTERVAL = 50
PROBED_CONDITIONS = 5
LATENTS = 4
#: Training clips are at -26 dBFS. The quietest condition of fakes was at -35 untrained and between -47 (bells, of which
#: most is silence) and -24 from the 100th step on.
SILENT_DB = -70.0
#: Fakes of different latents against training clips, 1 being as different. 0.2 to 0.6 untrained, as the style has the
#: spectrum; a generator that had to learn all of it had 0 to 0.1 (what is left of chance), 0.2 to 0.5 after 100 steps,
#: 0.34 to 0.75 from the 150th on. With the latent ignored it stays at 0 to 0.1.
LEAST_DIVERSITY = 0.12
#: 300 steps at the default rate, after which a generator ought to tell latents apart: twice what it took.
LEARNT_BY = 300 * 0.0002
#: The largest loss seen was 2.3, in 3500 steps.
LARGEST_LOSS = 20.0
#: The hinge loss of the discriminator stayed within 0.9..2.4; at 0 every fake is told from every clip.
BEATEN_BELOW = 0.1
BEATEN_STEPS = 200
TERMS = ("discriminator", "adversarial", "condition", "texture", "features")

Row = dict[str, float]


@dataclass(frozen=True)
class RealSpread:
    """How much the training clips of each condition differ: `excess` of pairs of clips over pairs of crops of one
    clip (mean squared distances of normalised texture statistics), and the latter, `own`."""

    excess: dict[int, float]
    own: dict[int, float]

    @property
    def tells(self) -> bool:
        """Whether clips differ enough to expect it of fakes; crops of a single clip say nothing about latents."""
        return sum(self.excess.values()) > 0.25 * sum(self.own.values())


def real_spread(normalised: Tensor, condition: Tensor, clip: Tensor) -> RealSpread:
    """The spread of crops with statistics `[N, K]`, conditions `[N]` and clips `[N]` (which crop is of which clip)."""
    z = normalised.clamp(-OUTLIER, OUTLIER)
    distance = torch.cdist(z, z).square()
    together = condition[:, None] == condition[None]
    same_clip = clip[:, None] == clip[None]
    same_clip.fill_diagonal_(False)
    other_clip = together & (clip[:, None] != clip[None])
    excess, own = {}, {}
    for c in sorted(set(condition.tolist())):
        of_c = (condition == c)[:, None]
        within, between = distance[same_clip & of_c], distance[other_clip & of_c]
        own[c] = float(within.mean()) if len(within) else 0.0
        excess[c] = max(0.0, float(between.mean()) - own[c]) if len(between) else 0.0
    return RealSpread(excess, own)


@dataclass
class Health:
    """What was found so far: `rows` with `step`, `level_db` (quietest condition) and `diversity` (1: as clips)."""

    real: RealSpread
    rows: list[Row] = field(default_factory=list)
    beaten: bool = False

    def not_a_number(self, newest: Row) -> str:
        if all(math.isfinite(newest[name]) for name in TERMS):
            return ""
        step = int(newest["step"])
        return f"training diverged at step {step} (a loss is not a number): lower --lr, or --resume an earlier run"

    def explosion(self, history: list[Row]) -> str:
        """What to say of a loss that is out of all proportion in the last three rows, or nothing."""
        for name in TERMS:
            if len(history) >= 3 and all(abs(row[name]) > LARGEST_LOSS for row in history[-3:]):
                newest = history[-1]
                return (
                    f"training diverged at step {newest['step']:.0f} (the {name} loss is {newest[name]:.3g}, "
                    f"ordinary is under 3): lower --lr"
                )
        return ""

    def says_beaten(self, history: list[Row]) -> str:
        """Once, where the discriminator has won for long: no reason to stop, for the texture still teaches."""
        newest = int(history[-1]["step"])
        recent = [row["discriminator"] for row in history if row["step"] > newest - BEATEN_STEPS]
        if self.beaten or newest < BEATEN_STEPS or sum(recent) >= BEATEN_BELOW * len(recent):
            return ""
        self.beaten = True
        return (
            f"step {newest}: the discriminator tells every fake for {BEATEN_STEPS} steps (its loss is "
            f"{sum(recent) / len(recent):.3f}): the generator learns from the texture alone; try --augment 0.3"
        )

    def look_at_sound(self, generator: Generator, space: StyleSpace, step: int, samples: int, lr: float) -> str:
        """Listen to some latents of some conditions, and say what is wrong with them, or nothing.

        Adds a row. All randomness is its own, seeded by the step: training goes on as if nobody had listened.
        """
        levels, spread = probe(generator, space, step, samples)
        quietest = min(levels, key=lambda c: levels[c])
        expected = sum(self.real.excess.get(c, 0.0) for c in spread)
        found = max(0.0, sum(spread[c] for c in spread if self.real.excess.get(c, 0.0) > 0))
        diversity = math.sqrt(found / expected) if expected > 0 else math.nan
        self.rows.append({"step": step, "level_db": levels[quietest], "diversity": diversity})
        if not levels[quietest] > SILENT_DB:
            return (
                f"silence at step {step}: {generator.config.conditions[quietest]} is generated at "
                f"{levels[quietest]:.0f} dB, the clips are at -26: lower --lr, or begin anew with another --seed"
            )
        if self.real.tells and step * lr >= LEARNT_BY and all(r["diversity"] < LEAST_DIVERSITY for r in self.rows[-2:]):
            return (
                f"mode collapse at step {step}: sounds of different latents differ {diversity:.2f} times as much as "
                "the clips do: lower --lr, raise --lambda_texture or --batch_size, or begin anew with another --seed"
            )
        return ""


@torch.no_grad()
def probe(
    generator: Generator, space: StyleSpace, step: int, samples: int
) -> tuple[dict[int, float], dict[int, float]]:
    """Level in dBFS, and what different latents add to the squared distance of two takes of one, by condition.

    Of many conditions, five at a time take turns.
    """
    trained = sorted({int(c) for c in generator.bank.conditions.tolist() if c >= 0})
    first = PROBED_CONDITIONS * (step // PROBE_INTERVAL)
    chosen = {trained[(first + i) % len(trained)] for i in range(PROBED_CONDITIONS)}
    random = torch.Generator().manual_seed(step)
    device = generator.bank.keys.device
    levels, spread = {}, {}
    for condition in sorted(chosen):
        latent = torch.randn(LATENTS, generator.config.latent_dim, generator=random).repeat(2, 1).to(device)
        sound = generator.unmodulated(
            latent, torch.full((len(latent),), condition, device=device), samples, None, random
        )
        levels[condition] = 10.0 * math.log10(float(sound.square().mean()) + 1e-20)
        first_take, second_take = space.normalised(sound).clamp(-OUTLIER, OUTLIER).chunk(2)
        distance = torch.cdist(first_take, second_take).square()
        noise = distance.diagonal().mean()
        between = (distance.sum() - distance.diagonal().sum()) / (LATENTS * (LATENTS - 1))
        spread[condition] = float(between - noise)
    return levels, spread
