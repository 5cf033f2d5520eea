"""Files of a model: weights as safetensors with the configuration beside them; a model for other conditions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ctxaudio import __version__
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import child_path, read_json, write_json, written_whole
from ctxaudio.model.discriminator import Discriminator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.provenance import ATTRIBUTION, Credit, write_attribution

FORMAT = 9
#: The generator that ships with the package.
BASE = Path(__file__).parent.parent / "base" / "base.safetensors"
#: Beside it, what judged its courses in the end: fine-tuning goes on with both sides of the game.
DISCRIMINATOR = "discriminator.safetensors"
#: Names of conditions go into file names and tables.
LONGEST_NAME = 100
#: No weight tells whether so many were meant, and each takes as long as the sound itself.
MOST_PHASE_ROUNDS = 100


def save_generator(path: Path, generator: Generator, context: str, facts: dict[str, Any], half: bool = False) -> Path:
    """Write `path` (safetensors), the same name with `.json`: configuration, modulation, hash and `facts`, and beside
    them `ATTRIBUTION.md`.

    `facts` says how the model came about: steps, seconds, clips per condition, licences. `half` as `encoded_weights`.
    """
    encoded = encoded_weights(generator, half)
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
        write_json(path.with_suffix(".json"), content)  # what can't be written as JSON leaves the earlier model alone
    credits = [Credit(of["clip"], of["title"], of["uploader"], of["licence"]) for of in facts.get("attribution", [])]
    said = f"The sound that the generator {path.name} was trained on."
    write_attribution(path.with_name(ATTRIBUTION), credits, said)
    return path


def encoded_weights(network: nn.Module, half: bool) -> bytes:
    """The bytes of a safetensors file; `half` stores 16-bit floats, but for the partials' frequencies."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    if half:
        exact = ("bank.partials_hz",)
        weights = {n: t.half() if t.is_floating_point() and n not in exact else t for n, t in weights.items()}
    return safetensors.torch.save(weights)


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
        what = "not a whole safetensors file (truncated, or a pickle, which is never loaded)"
        raise CtxAudioError(f"{path} is {what}: train it again") from error
    about = read_json(beside)
    try:
        if (there := about["format"]) != FORMAT:
            of = f"an {'earlier' if there < FORMAT else 'later'} ctxaudio (format {there}, this one reads {FORMAT})"
            mend = "train into the same folder again, or leave out --model_path to use the base"
            raise CtxAudioError(f"{path} is of {of}: {mend}")
        config = GeneratorConfig(**{**about["config"], "conditions": tuple(about["config"]["conditions"])})
        check_conditions(beside, config.conditions)
        check_sizes(config, weights)
        generator = Generator(config, ModulationProfile.from_dict(about["profile"]))
        generator.load_state_dict({n: t.float() if t.is_floating_point() else t for n, t in weights.items()})
        described = about["weights_sha256"]
        texts = [about["context"], *(text for credit in about.get("attribution", []) for text in credit.values())]
        counts = about.get("licences", {}).values()
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(count, int) for count in counts):
            raise TypeError("context, licences or attribution")
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
        misfit = f"{path} does not fit the configuration in {beside.name}: use the pair as trained"
        raise CtxAudioError(misfit) from error
    if hashlib.sha256(encoded).hexdigest() != described:
        raise CtxAudioError(f"{path} is not the file that {beside.name} describes: use the pair as trained")
    return generator.eval(), about


def check_conditions(path: Path, conditions: tuple[str, ...]) -> None:
    """Refuse names of conditions that are no plain file names: a shared model must not write outside its folder."""
    for name in conditions:
        with suppress(ClipError):
            child_path(path.parent, name)
            if len(name) <= LONGEST_NAME and name.isprintable():
                continue
        raise CtxAudioError(f"{path} has a condition named {name!r}, which is no plain file name: don't use it")


def check_sizes(config: GeneratorConfig, weights: dict[str, Tensor]) -> None:
    """Compare all that decides how much memory a generator takes with the weights, before it is made."""
    c, places = config, config.style_count
    expected = {
        "bank.texture": (places, c.texture_dim),
        "bank.level": (places, c.bins),
        "bank.mixing": (places, c.components, c.courses),
        "bank.partials_hz": (places, c.partials),
        "embedding.weight": (len(c.conditions), 32),
        "to_middle.weight": (c.middle_width, c.slow_width, 1),
        "to_fast.weight": (c.fast_width, c.middle_width, 1),
        "head.weight": (c.courses, c.frame_width, 1),
    }
    if any(weights[name].shape != shape for name, shape in expected.items()):
        raise ValueError("sizes")
    if weights["to_style.0.weight"].shape[1] < c.latent_dim or not 0 <= c.phase_rounds <= MOST_PHASE_ROUNDS:
        raise ValueError("latent_dim or phase_rounds")


def for_conditions(
    given: Generator, conditions: Sequence[str], profile: ModulationProfile, style_count: int | None = None
) -> Generator:
    """A generator of `conditions` with the weights of `given`, and the styles that it has of them.

    A condition of the same name keeps its embedding; a new one starts from the mean of the given ones. Eigen-spectra
    and texture statistics are those of `given`, so its courses and codes mean what they did. With `style_count` the
    bank has that many places, all unused.
    """
    names = given.config.conditions
    chosen = torch.tensor([names[c] in conditions if c >= 0 else False for c in given.bank.conditions.tolist()])
    count = max(1, int(chosen.sum())) if style_count is None else style_count
    generator = Generator(replace(given.config, conditions=tuple(conditions), style_count=count), profile)
    own = ("bank.", "modulation.", "embedding.")
    shared = {name: value for name, value in given.state_dict().items() if not name.startswith(own)}
    embedding = rows_for(given.embedding.weight.detach(), names, conditions)
    generator.load_state_dict({**generator.state_dict(), **shared, "embedding.weight": embedding})
    with torch.no_grad():
        if style_count is None and chosen.any():
            old = given.bank.conditions[chosen].tolist()
            generator.bank.fill(given.bank.at(chosen), torch.tensor([tuple(conditions).index(names[c]) for c in old]))
    return generator


def rows_for(rows: Tensor, names: Sequence[str], conditions: Sequence[str]) -> Tensor:
    """Of `rows`, one for each of `names`, those of `conditions`; for a name that is not there the mean."""
    return torch.stack([rows[names.index(name)] if name in names else rows.mean(0) for name in conditions])


def load_discriminator(
    path: Path, names: Sequence[str], discriminator: Discriminator, conditions: Sequence[str]
) -> None:
    """Give a discriminator of `conditions` the weights at `path`, which are of one of `names`."""
    count = len(names)
    weights = {name: tensor.float() for name, tensor in safetensors.torch.load(path.read_bytes()).items()}
    for name, tensor in weights.items():
        if ".condition." in name:
            weights[name] = rows_for(tensor, names, conditions)
        elif name.endswith("given.parametrizations.weight.original"):
            weights[name] = torch.cat([rows_for(tensor[:, :count].T, names, conditions).T, tensor[:, count:]], 1)
            u, v = (name.replace("original", f"0._{side}") for side in "uv")  # of its spectral norm
            weights[v] = F.normalize(weights[u] @ weights[name], dim=0)
    discriminator.load_state_dict(weights)
