"""Where a generator's weights begin: the base that ships with the package, another model, or nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ctxaudio.data.batches import Batches
from ctxaudio.errors import CtxAudioError
from ctxaudio.model.eigenspectra import log_magnitude
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.style_bank import Style
from ctxaudio.modulation.profile import ModulationProfile

BASE = Path(__file__).parent.parent / "base" / "base.safetensors"

#: A crop from a pause in its clip, which is at -26 dB on the whole, is no style to generate a sound of.
QUIETEST_STYLE_DB = -60.0
AT_ONCE = 32
#: Every third frame of a crop is enough to fit eigen-spectra to.
FRAMES_APART = 3


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
    shared = {
        name: value
        for name, value in given.state_dict().items()
        if not name.startswith(("bank.", "modulation.", "embedding."))
    }
    generator.load_state_dict({**generator.state_dict(), **shared})
    rows = given.embedding.weight.detach()
    with torch.no_grad():
        for i, name in enumerate(conditions):
            generator.embedding.weight[i] = rows[names.index(name)] if name in names else rows.mean(0)
        if style_count is None and chosen.any():
            style = Style(*(given.bank.get_buffer(name)[chosen] for name in Style._fields))
            old = given.bank.conditions[chosen].tolist()
            generator.bank.fill(style, torch.tensor([tuple(conditions).index(names[c]) for c in old]))
    return generator


def draw_crops(batches: Batches, count: int) -> tuple[Tensor, Tensor]:
    """`count` crops `[N, T]` of training clips and their conditions `[N]`, but for those from a pause."""
    drawn = [batches.next() for _ in range(math.ceil(count / len(batches.next().audio)))]
    crops, conditions = torch.cat([b.audio for b in drawn])[:count], torch.cat([b.condition for b in drawn])[:count]
    audible = crops.square().mean(1) > 10 ** (QUIETEST_STYLE_DB / 10)
    return crops[audible], conditions[audible]


@torch.no_grad()
def fit_spectra_and_statistics(generator: Generator, crops: Tensor) -> None:
    """Fit what a generator from scratch needs, and one from a base has: eigen-spectra and texture statistics."""
    config = generator.config
    pictures = [log_magnitude(part, config.n_fft, config.hop)[..., ::FRAMES_APART] for part in crops.split(AT_ONCE)]
    generator.spectra.fit(torch.cat(pictures))
    found = [
        generator.spectra.analyse(log_magnitude(part, config.n_fft, config.hop), config.courses).courses
        for part in crops.split(AT_ONCE)
    ]
    generator.statistics.fit(torch.cat(found))


@torch.no_grad()
def fill_bank(generator: Generator, crops: Tensor, conditions: Tensor) -> None:
    """Put the styles of `crops` `[N, T]` of `conditions` `[N]` into the generator's bank."""
    styles = [generator.style_of(part) for part in crops.split(AT_ONCE)]
    generator.bank.fill(Style(*map(torch.cat, zip(*styles, strict=True))), conditions)


def check_same_shape(path: Path, given: GeneratorConfig, wanted: GeneratorConfig, mend: str) -> None:
    """Refuse to start from the model at `path` where its sample rate, latent or widths are not the `wanted` ones."""
    widths = ("slow_width", "middle_width", "fast_width", "frame_width")
    for name in ("sample_rate", "latent_dim", *widths):
        there, here = getattr(given, name), getattr(wanted, name)
        if there != here:
            option = "size" if name in widths else name
            raise CtxAudioError(f"{path.name} has {name} {there}, not {here}: {mend}, or leave out --{option}")
