"""From a trained generator to sound at a set loudness, and to files that say where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ctxaudio.contexts import context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, writable_folder, write_json, write_wav
from ctxaudio.model.generator import PHASE_STEPS, Generator
from ctxaudio.signal.loudness import set_loudness
from ctxaudio.signal.modulation import FrequencyModulationLayer, ModulationProfile

LUFS = -27.0
TRUE_PEAK_DB = -6.0


@dataclass(frozen=True)
class GeneratedClip:
    """`samples` `[T]` in -1..1 at the generator's sample rate, the condition they are of and the loudness reached."""

    samples: FloatArray
    condition: str
    seed: int
    lufs: float


def trained_conditions(generator: Generator) -> list[int]:
    """The conditions that the training data held, as indices: the others have no style to generate from."""
    return sorted({int(c) for c in generator.bank.conditions.tolist() if c >= 0})


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
        profile: what to modulate; None takes the profile that the generator was trained with.

    Raises `CtxAudioError` for a condition that the training data did not hold, and for values out of range.
    """
    if num_samples < 1:
        raise CtxAudioError(f"num_samples {num_samples} must be at least 1")
    if not 0.4 <= duration_s <= 600.0:
        raise CtxAudioError(f"duration {duration_s:g} s is outside 0.4-600 s")
    names, trained = generator.config.conditions, trained_conditions(generator)
    if focus_condition >= 0 and focus_condition not in trained:
        known = ", ".join(f"{i} {names[i]}" for i in trained)
        raise CtxAudioError(f"the model has seen no clip of condition {focus_condition}: choose from {known}")
    sample_rate = generator.config.sample_rate
    modulation = FrequencyModulationLayer(generator.modulation.profile if profile is None else profile, sample_rate)
    device = next(generator.parameters()).device
    first = int(torch.randint(len(trained), (), generator=torch.Generator().manual_seed(seed)))
    for number in range(num_samples):
        random = torch.Generator().manual_seed(seed * 100_003 + number)
        chosen = focus_condition if focus_condition >= 0 else trained[(first + number) % len(trained)]
        latent = torch.randn(1, generator.config.latent_dim, generator=random).to(device)
        with torch.no_grad():
            bed = generator.unmodulated(
                latent,
                torch.tensor([chosen], device=device),
                round(duration_s * sample_rate),
                None,
                random,
                PHASE_STEPS,
            )
            samples = modulation(bed.cpu())[0].numpy()
        samples, reached = set_loudness(samples, sample_rate, lufs, TRUE_PEAK_DB)
        yield GeneratedClip(samples, names[chosen], seed, reached)


def write_clips(
    clips: Sequence[GeneratedClip], sample_rate: int, folder: Path, about: dict[str, Any], profile: ModulationProfile
) -> list[Path]:
    """Write `CONTEXT_01_CONDITION.wav` ... and `generated.json`, which says how each came about.

    `about` is what stands beside the model's weights. Each file's comment names the context, condition, seed,
    model and training licences.
    """
    writable_folder(folder)
    context = context_named(about["context"])
    model = about["weights_sha256"][:12]
    licences = ", ".join(about.get("licences", {})) or "unknown"
    paths = []
    for number, clip in enumerate(clips, 1):
        path = folder / f"{context.name}_{number:02d}_{clip.condition}.wav"
        comment = (
            f"ctxaudio {about['ctxaudio']}; context {context.name}; condition {clip.condition}; seed {clip.seed}; "
            f"model {model}; trained on clips under: {licences}; "
            f"evidence grade {context.evidence.grade}; no health claim"
        )
        write_wav(path, clip.samples, sample_rate, comment)
        paths.append(path)
    entries = [
        {"file": path.name, "condition": clip.condition, "seed": clip.seed, "lufs": round(clip.lufs, 2)}
        for path, clip in zip(paths, clips, strict=True)
    ]
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
