"""What a run is: the arguments that every command and notebook shares, and where its files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ctxaudio.contexts import ALL, CONTEXTS, Context, context_named
from ctxaudio.options import Options, option

DEFAULT_DATA_DIR = Path("./data")


@dataclass(frozen=True)
class Run(Options):
    """The common arguments, with the names and defaults of the command line; strings are taken for the paths.

    Raises `CtxAudioError` for an unknown context or a value out of range.
    """

    context: str = option("sleep", f"one of {', '.join(CONTEXTS)}, or all", choices=(*CONTEXTS, ALL.name))
    data_dir: Path = option(
        DEFAULT_DATA_DIR, "FSD50K folder or your own sound; the embedded corpus if ./data holds none"
    )
    output_dir: Path = option(Path("./output"), "folder for everything that is written")
    sample_rate: int = option(22050, "in hertz", least=8000, most=48000)
    duration: float = option(4.0, "length of a generated clip in seconds", least=0.4, most=600.0)
    latent_dim: int = option(100, "size of the generator's latent", least=1, most=4096)
    #: What every generator of random numbers takes, also multiplied as in `generate_clips`.
    seed: int = option(0, "the same seed gives the same run on the same machine", least=0, most=2**31 - 1)

    @property
    def about(self) -> Context:
        return context_named(self.context)

    @property
    def model_path(self) -> Path:
        return self.output_dir / "models" / "generator_final.safetensors"

    @property
    def generated_dir(self) -> Path:
        return self.output_dir / "generated"

    @property
    def analysis_dir(self) -> Path:
        return self.output_dir / "analysis"


Common = Annotated[Run, {"title": "common arguments"}]
