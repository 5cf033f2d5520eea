"""From a trained generator to sound at a set loudness, and to files that say where they come from."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ctxaudio.contexts import Context, context_named
from ctxaudio.errors import CtxAudioError, did_you_mean
from ctxaudio.files import FloatArray, child_path, read_json, writable_folder, write_json
from ctxaudio.model.checkpoint import BASE, for_conditions, load_generator
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.layer import FrequencyModulationLayer
from ctxaudio.modulation.profile import ModulationProfile, context_profile
from ctxaudio.modulation.schedule import Modulation
from ctxaudio.provenance import Provenance, json_beside
from ctxaudio.signal.audio import write_audio
from ctxaudio.signal.loudness import LevelMeter, LoudnessGain
from ctxaudio.workers import made_in_order

LUFS = -27.0
TRUE_PEAK_DB = -6.0
#: Seconds between the stretches of the path along which a jittered rate wanders: all its periods are far shorter.
STRETCH_S = 97.0


def model_for(
    path: Path | None, context: str | None = None, sample_rate: int | None = None, latent_dim: int | None = None
) -> tuple[Generator, dict[str, Any]]:
    """The generator at `path`, or without one the base for `context` (None: sleep), and what stands beside it.

    Prints which it is. Raises `CtxAudioError` as `load_generator`, and where the model was trained for another context,
    sample rate or latent than is given.
    """
    path = path or BASE
    if path == BASE:
        generator, about = base_for(context_named(context or "sleep"))
        told = "the base that ships with ctxaudio, never trained on clips of yours (train fine-tunes it for"
        print(f"model: {told} {about['context']})", flush=True)
    else:
        generator, about = load_generator(path)
        print(f"model: {path}", flush=True)
    known = asdict(generator.config) | {"context": about["context"]}
    for name, value in {"context": context, "sample_rate": sample_rate, "latent_dim": latent_dim}.items():
        if value not in (None, known[name]):
            told = f"{path.name} was trained with {name} {known[name]}, not {value}"
            raise CtxAudioError(f"{told}: leave out --{name}")
    return generator, about


def base_for(context: Context) -> tuple[Generator, dict[str, Any]]:
    """The base with the conditions and modulation of `context`, and what stands beside it."""
    generator, about = load_generator(BASE)
    generator = for_conditions(generator, context.conditions, context_profile(context)).eval()
    return generator, {**about, "context": context.name}


class GeneratedClip(NamedTuple):
    """`samples` `[T]` in -1..1, what they are of, and the levels reached."""

    samples: FloatArray
    sample_rate: int
    condition: str
    profile: ModulationProfile
    seed: int
    reached: LoudnessGain


def trained_conditions(generator: Generator) -> list[int]:
    """The conditions that the training data held, as indices: the others have no style to generate from."""
    return sorted({int(c) for c in generator.bank.conditions.tolist() if c >= 0})


def trained_condition(generator: Generator, asked: int | str) -> int:
    """The index of a condition asked for by name or index; -1 is any. `CtxAudioError` for one that has no styles."""
    names, trained = generator.config.conditions, trained_conditions(generator)
    by_name = {name.casefold(): i for i, name in enumerate(names)}
    given = str(asked).strip().casefold()
    index = by_name.get(given, int(given) if given == "-1" or given.isdecimal() else None)
    if index != -1 and index not in trained:
        known = ", ".join(f"{i} {names[i]}" for i in trained)
        meant = did_you_mean(str(asked), [names[i] for i in trained])
        raise CtxAudioError(f"the model has seen no clip of condition {asked}{meant}: choose from -1 random, {known}")
    return index


def generate_clips(
    generator: Generator,
    num_samples: int,
    duration_s: float = 4.0,
    focus_condition: int | str = -1,
    seed: int = 0,
    profile: ModulationProfile | None = None,
    lufs: float = LUFS,
) -> Iterator[GeneratedClip]:
    """Clips of `duration_s` as they are made, each from a seed of its own: the third is the same among any number.

    `focus_condition` is a name or an index; -1 goes round the trained conditions from a random start. Without `profile`
    they have the modulation that the generator was trained with; a jittered rate wanders otherwise in each clip. (Seven
    parameters: they are the options of `ctxaudio generate`.)

    Raises `CtxAudioError` for a condition that the training data did not hold, and for values out of range.
    """
    if not 0.4 <= duration_s <= 600.0:
        raise CtxAudioError(f"duration {duration_s:g} s is outside 0.4-600 s")
    asked = trained_condition(generator, focus_condition)
    config, trained = generator.config, trained_conditions(generator)
    modulated = generator.modulation.profile if profile is None else profile
    modulation = FrequencyModulationLayer(modulated, config.sample_rate)
    # From the same start, all clips would have one wrong rate: in a few seconds a slow rate hardly wanders.
    stretch = round(STRETCH_S * config.sample_rate) if any(rate.jitter for rate in modulated.rates) else 0
    device = next(generator.parameters()).device
    first = int(torch.randint(len(trained), (), generator=torch.Generator().manual_seed(seed)))

    def make(number: int) -> GeneratedClip:
        random = torch.Generator().manual_seed(seed * 100_003 + number)
        chosen = asked if asked >= 0 else trained[(first + number) % len(trained)]
        latent = torch.randn(1, config.latent_dim, generator=random).to(device)
        condition, length = torch.tensor([chosen], device=device), round(duration_s * config.sample_rate)
        with torch.inference_mode():
            bed = generator.unmodulated(latent, condition, length, random=random)
            samples = modulation(bed.cpu(), start_sample=number * stretch)[0].numpy()
        gain = LevelMeter(config.sample_rate, blocks=[samples]).gain_to(lufs, TRUE_PEAK_DB)
        name = config.conditions[chosen]
        return GeneratedClip(gain.applied_to(samples), config.sample_rate, name, modulated, seed, gain)

    return made_in_order(make, range(num_samples))


def write_clips(
    clips: Iterable[GeneratedClip], folder: Path, about: dict[str, Any], overwrite: bool = False
) -> list[Path]:
    """Write `CONTEXT_01_CONDITION.wav` ..., each with its `Provenance` within and beside it, and `generated.json`.

    `about` is what stands beside the model's weights. All are written aside and moved into `folder` once the last is
    there; `overwrite` then removes those of an earlier call. Raises `CtxAudioError` where such clips are there and
    `overwrite` is not, and where a JSON of someone else's would be overwritten.
    """
    earlier = earlier_clips(writable_folder(folder))
    if earlier and not overwrite:
        there = f"{folder} holds {len(earlier)} clips of an earlier generate"
        raise CtxAudioError(f"{there}: pass --overwrite to replace them, or choose another --output_dir")
    aside, context, entries, profile = folder / ".generating", about["context"], [], ModulationProfile()
    shutil.rmtree(aside, ignore_errors=True)  # what a killed call left
    try:
        for number, clip in enumerate(clips, 1):
            profile, name = clip.profile, f"{context}_{number:02d}_{clip.condition}.wav"
            facts: dict[str, Any] = {"settings": {"clip": number}, "reached": clip.reached}
            made = Provenance("generate", Modulation(profile), context, (clip.condition,), clip.seed, about, **facts)
            json_beside(folder / name)
            write_audio(child_path(aside, name), clip.samples, clip.sample_rate, made.comment())
            made.write_beside(aside / name)
            levels = {"lufs": round(clip.reached.lufs, 2), "true_peak_db": round(clip.reached.true_peak_db, 2)}
            entries.append({"file": name, "condition": clip.condition, "seed": clip.seed, **levels})
        write_json(aside / "generated.json", {"context": context, "profile": asdict(profile), "clips": entries})
        for written in aside.iterdir():
            written.replace(folder / written.name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    paths = [folder / str(entry["file"]) for entry in entries]
    for path in set(earlier).difference(paths):
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink()
    return paths


def earlier_clips(folder: Path) -> list[Path]:
    """The clips in `folder` whose JSON says that `generate` wrote them, whether or not it came to its end."""
    found = []
    for beside in sorted(folder.glob("*_[0-9][0-9]*_*.json")):
        with suppress(CtxAudioError):  # someone else's
            if read_json(beside).get("made_by") == "ctxaudio generate":
                found.append(beside.with_suffix(".wav"))
    return found
