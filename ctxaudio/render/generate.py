"""From a trained generator to sound at a set loudness, and to files that say where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ctxaudio.contexts import context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, child_path, writable_folder, write_json
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.layer import FrequencyModulationLayer
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.provenance import ModelOrigin, Provenance, claims_of, json_beside
from ctxaudio.signal.audio import audio_writer
from ctxaudio.signal.loudness import LevelMeter, LoudnessGain
from ctxaudio.workers import made_in_order

LUFS = -27.0
TRUE_PEAK_DB = -6.0
#: Seconds between the stretches of the path along which a jittered rate wanders: all its periods are far shorter.
STRETCH_S = 97.0


@dataclass(frozen=True)
class GeneratedClip:
    """`samples` `[T]` in -1..1 at the generator's sample rate, the condition they are of and the levels reached."""

    samples: FloatArray
    condition: str
    seed: int
    reached: LoudnessGain

    @property
    def lufs(self) -> float:
        return self.reached.lufs


def trained_conditions(generator: Generator) -> list[int]:
    """The conditions that the training data held, as indices: the others have no style to generate from."""
    return sorted({int(c) for c in generator.bank.conditions.tolist() if c >= 0})


def check_condition(generator: Generator, condition: int) -> None:
    """Raise `CtxAudioError` for a condition (index; -1 is any) that the training data did not hold."""
    names, trained = generator.config.conditions, trained_conditions(generator)
    if condition != -1 and condition not in trained:
        known = ", ".join(f"{i} {names[i]}" for i in trained)
        raise CtxAudioError(f"the model has seen no clip of condition {condition}: choose from -1 random, {known}")


def generate_clips(
    generator: Generator,
    num_samples: int,
    duration_s: float = 4.0,
    focus_condition: int = -1,
    seed: int = 0,
    profile: ModulationProfile | None = None,
    lufs: float = LUFS,
) -> Iterator[GeneratedClip]:
    """Yield clips of `duration_s` at `lufs`, each from a seed of its own: the third is the same among any number.

    Args:
        focus_condition: index into the conditions; -1 goes round the trained ones from a random start.
        profile: what to modulate; None takes the profile that the generator was trained with. A jittered rate wanders
            otherwise in each clip.

    Raises `CtxAudioError` for a condition that the training data did not hold, and for values out of range.
    """
    if num_samples < 1:
        raise CtxAudioError(f"num_samples {num_samples} must be at least 1")
    if not 0.4 <= duration_s <= 600.0:
        raise CtxAudioError(f"duration {duration_s:g} s is outside 0.4-600 s")
    check_condition(generator, focus_condition)
    names, trained = generator.config.conditions, trained_conditions(generator)
    sample_rate = generator.config.sample_rate
    modulation = FrequencyModulationLayer(generator.modulation.profile if profile is None else profile, sample_rate)
    # From the same start, all clips would have one wrong rate: in a few seconds a slow rate hardly wanders.
    stretch = round(STRETCH_S * sample_rate) if any(rate.jitter for rate in modulation.profile.rates) else 0
    device = next(generator.parameters()).device
    first = int(torch.randint(len(trained), (), generator=torch.Generator().manual_seed(seed)))

    def make(number: int) -> GeneratedClip:
        random = torch.Generator().manual_seed(seed * 100_003 + number)
        chosen = focus_condition if focus_condition >= 0 else trained[(first + number) % len(trained)]
        latent = torch.randn(1, generator.config.latent_dim, generator=random).to(device)
        condition = torch.tensor([chosen], device=device)
        with torch.inference_mode():
            bed = generator.unmodulated(latent, condition, round(duration_s * sample_rate), random=random)
            samples = modulation(bed.cpu(), start_sample=number * stretch)[0].numpy()
        meter = LevelMeter(sample_rate)
        meter.add(samples)
        gain = meter.gain_to(lufs, TRUE_PEAK_DB)
        return GeneratedClip(gain.applied_to(samples), names[chosen], seed, gain)

    yield from made_in_order(make, range(num_samples))


def write_clips(
    clips: Iterable[GeneratedClip], sample_rate: int, folder: Path, about: dict[str, Any], profile: ModulationProfile
) -> list[Path]:
    """Write `CONTEXT_01_CONDITION.wav` ..., each with its `Provenance` within and beside it, and `generated.json`.

    `about` is what stands beside the model's weights. `generated.json` lists the clips and what they share.

    The clips are written as they come. Raises `CtxAudioError` where a JSON of someone else's would be overwritten.
    """
    writable_folder(folder)
    context = context_named(about["context"])
    made = Provenance(
        "generate", claims_of(context, profile), profile, context.name, model=ModelOrigin.from_about(about)
    )
    paths, entries = [], []
    for number, clip in enumerate(clips, 1):
        path = child_path(folder, f"{context.name}_{number:02d}_{clip.condition}.wav")
        own = replace(
            made, conditions=(clip.condition,), seed=clip.seed, settings={"clip": number}, reached=clip.reached
        )
        json_beside(path)
        with audio_writer(path, sample_rate, 1, own.comment()) as out:
            out.write(clip.samples)
        own.write_beside(path)
        paths.append(path)
        levels = {"lufs": round(clip.lufs, 2), "true_peak_db": round(clip.reached.true_peak_db, 2)}
        entries.append({"file": path.name, "condition": clip.condition, "seed": clip.seed, **levels})
    write_json(
        folder / "generated.json",
        {
            "context": context.name,
            "evidence": asdict(context.evidence),
            "profile": asdict(profile),
            "model_sha256": about["weights_sha256"],
            "ctxaudio": about["ctxaudio"],
            "licences": about.get("licences", {}),
            "clips": entries,
        },
    )
    return paths
