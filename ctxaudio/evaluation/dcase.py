"""Clips in the form of DCASE 2023 task 7 (Choi et al. 2023, arXiv:2304.12521), for the tools that expect it.

A folder a class with 100 clips `000.wav` to `099.wav`: 4 s, 22 050 Hz, 16 bit, mono. Nothing else lies in these; where
the clips come from stands in their metadata and in `generated.json` beside the folders.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ctxaudio.contexts import context_named
from ctxaudio.files import child_path, writable_folder, write_json
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.provenance import ModelOrigin, Provenance, claims_of
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.signal.audio import audio_writer
from ctxaudio.signal.filters import resample

CLIPS = 100
DURATION_S = 4.0
SAMPLE_RATE = 22050


def write_dcase(
    generator: Generator,
    about: dict[str, Any],
    folder: Path,
    profile: ModulationProfile,
    seed: int = 0,
    clips: int = CLIPS,
) -> dict[str, list[Path]]:
    """Generate and write `clips` clips of each trained condition; gives back the paths by condition.

    `about` is what stands beside the model's weights. Raises `CtxAudioError` where `folder` can't be written to.
    """
    context, rate = context_named(about["context"]), generator.config.sample_rate
    made = Provenance("evaluate", claims_of(context, profile), profile, context.name, seed=seed)
    made = replace(made, model=ModelOrigin.from_about(about))
    written: dict[str, list[Path]] = {}
    for condition in trained_conditions(generator):
        name = generator.config.conditions[condition]
        own = writable_folder(child_path(folder, name))
        written[name] = [own / f"{number:03d}.wav" for number in range(clips)]
        generated = generate_clips(generator, clips, DURATION_S, condition, seed, profile)
        for path, clip in zip(written[name], generated, strict=True):
            samples = resample(clip.samples, rate, SAMPLE_RATE)[: round(DURATION_S * SAMPLE_RATE)]
            comment = replace(made, conditions=(clip.condition,), reached=clip.reached).comment()
            with audio_writer(path, SAMPLE_RATE, 1, comment) as out:
                out.write(samples)
    of_model = {name: about.get(name) for name in ("ctxaudio", "licences", "attribution")}
    said = {"context": context.name, "evidence": asdict(context.evidence), "profile": asdict(profile), "seed": seed}
    folders = {name: len(paths) for name, paths in written.items()}
    manifest = {**said, "model_sha256": about["weights_sha256"], **of_model, "folders": folders}
    write_json(folder / "generated.json", manifest)
    return written
