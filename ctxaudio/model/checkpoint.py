"""Files of a model: weights as safetensors with the configuration beside them, training state as a checkpoint."""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from ctxaudio.errors import CtxAudioError
from ctxaudio.files import read_json, write_json, written_whole
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.signal.profile import ModulationProfile
from ctxaudio.version import __version__

FORMAT = 6


def save_generator(path: Path, generator: Generator, context: str, facts: dict[str, Any]) -> Path:
    """Write `path` (safetensors) and the same name with `.json`: configuration, modulation, hash and `facts`.

    `facts` says how the model came about: steps, seconds, clips per condition, licences.
    """
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()}
    encoded = safetensors.torch.save(weights)
    content = {
        "format": FORMAT,
        "ctxaudio": __version__,
        "context": context,
        "config": asdict(generator.config),
        "profile": asdict(generator.modulation.profile),
        "weights_sha256": hashlib.sha256(encoded).hexdigest(),
        **facts,
    }
    with written_whole(path) as aside:
        aside.write_bytes(encoded)
    write_json(path.with_suffix(".json"), content)
    return path


def load_generator(path: Path) -> tuple[Generator, dict[str, Any]]:
    """The generator and its JSON; raises `CtxAudioError` for a file that is missing, truncated, a pickle or foreign."""
    if not path.is_file():
        raise CtxAudioError(f"no model at {path}: train one, or give --model_path")
    beside = path.with_suffix(".json")
    if not beside.is_file():
        raise CtxAudioError(f"{path} has no configuration beside it: put {beside.name} back")
    try:
        encoded = path.read_bytes()
        weights = safetensors.torch.load(encoded)
    except (OSError, safetensors.SafetensorError) as error:
        raise CtxAudioError(
            f"{path} is not a whole safetensors file (truncated, or a pickle, which is never loaded): train it again"
        ) from error
    about = read_json(beside)
    try:
        if about["format"] != FORMAT:
            raise CtxAudioError(f"{beside} has format {about['format']}, this version reads {FORMAT}: train it again")
        config = GeneratorConfig(**{**about["config"], "conditions": tuple(about["config"]["conditions"])})
        generator = Generator(config, ModulationProfile.from_dict(about["profile"]))
        generator.load_state_dict(weights)
        described = about["weights_sha256"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CtxAudioError(
            f"{path} does not fit the configuration in {beside.name}: use the pair as trained"
        ) from error
    if hashlib.sha256(encoded).hexdigest() != described:
        raise CtxAudioError(f"{path} is not the file that {beside.name} describes: use the pair as trained")
    return generator.eval(), about


def save_state(path: Path, state: dict[str, Any]) -> None:
    encoded = io.BytesIO()
    torch.save(state, encoded)
    with written_whole(path) as aside:
        aside.write_bytes(encoded.getbuffer())


def load_state(path: Path) -> dict[str, Any]:
    """A training checkpoint, read with `weights_only=True`."""
    if not path.is_file():
        raise CtxAudioError(f"nothing to resume: no checkpoint at {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for a damaged file, none of them its own
        raise CtxAudioError(f"{path} is damaged or no checkpoint of ours: start again without --resume") from error
    if not isinstance(state, dict):
        raise CtxAudioError(f"{path} holds no training state: start again without --resume")
    return state
