"""What a run is: the arguments that every command and notebook shares, and where its files lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctxaudio.contexts import BANDS, TARGETS, Context, context_named
from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.folder import holds_sound, select_folder
from ctxaudio.data.fsd50k import is_fsd50k, read_index
from ctxaudio.data.selection import Selection, SelectionOptions, select_clips
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import ModulationProfile, modulation_profile

DEFAULT_DATA_DIR = Path("./data")


@dataclass(frozen=True)
class Run:
    """The common arguments, with the names and defaults of the command line; strings are taken for the paths.

    Raises `CtxAudioError` for an unknown context or a value out of range.
    """

    context: str = "sleep"
    data_dir: Path = DEFAULT_DATA_DIR
    output_dir: Path = Path("./output")
    sample_rate: int = 22050
    duration: float = 4.0
    latent_dim: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", Path(self.data_dir))
        object.__setattr__(self, "output_dir", Path(self.output_dir))
        context_named(self.context)
        if not 8000 <= self.sample_rate <= 48000:
            raise CtxAudioError(f"sample_rate {self.sample_rate} is outside 8000-48000 Hz")
        if not 0.4 <= self.duration <= 600.0:
            raise CtxAudioError(f"duration {self.duration:g} is outside 0.4-600 s")
        if not 1 <= self.latent_dim <= 4096:
            raise CtxAudioError(f"latent_dim {self.latent_dim} is outside 1-4096")
        if not 0 <= self.seed < 2**31:  # what every generator of random numbers takes, also multiplied as in generate
            raise CtxAudioError(f"seed {self.seed} is outside 0-{2**31 - 1}")

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


@dataclass(frozen=True)
class DataSource:
    """The folder a run reads, one line that says what it is, and whether it is FSD50K or the user's own sound."""

    folder: Path
    embedded: bool
    description: str
    own: bool = False


def find_data(run: Run) -> DataSource:
    """The run's data folder: FSD50K, or a plain folder of audio. Where the default folder is neither, the embedded
    corpus, synthesised on the spot.

    A folder that was *given* and is neither is an error (raised by `select_context`), never replaced.
    """
    given, folder = run.data_dir != DEFAULT_DATA_DIR, run.data_dir
    if is_fsd50k(folder) or (given and (not folder.is_dir() or any(folder.glob("FSD50K.*")))):
        return DataSource(folder, False, f"data: recordings in {folder}")
    if given or holds_sound(folder):
        return DataSource(folder, False, f"data: your own sound in {folder}", own=True)
    folder = write_embedded_corpus(run.output_dir / "embedded_corpus", run.about.conditions, run.seed)
    return DataSource(
        folder, True, f"data: embedded corpus, synthesised, no recordings (no FSD50K in {run.data_dir}; set data_dir)"
    )


def select_context(run: Run, source: DataSource, options: SelectionOptions | None = None) -> Selection:
    """The clips of the run's context in `source` that are as `options` say (None: all).

    The conditions of your own sound are its sub-folders, not the context's, and there are no options for it. Raises
    `CtxAudioError` for these, for a folder that is neither FSD50K nor audio, and for one that takes the output too.
    """
    if source.own:
        if options is not None:
            raise CtxAudioError(f"{source.folder} is your own sound: labels, licences and ratings are FSD50K's")
        if source.folder.resolve() == run.output_dir.resolve():
            raise CtxAudioError(f"output_dir {run.output_dir} is the folder of your sound: choose another output_dir")
        return select_folder(source.folder, run.about, apart_from=run.output_dir)
    return select_clips(read_index(source.folder), run.about, options)


def chosen_profile(context: Context, bands: Sequence[str] | None, targets: Sequence[str] | None) -> ModulationProfile:
    """A profile from `NAME=DEPTH` texts; None keeps the context's default for that axis, an empty list switches it off.

    >>> from ctxaudio.contexts import CONTEXTS
    >>> chosen_profile(CONTEXTS["sleep"], [], ["earth=0.5"]).rates
    ()
    """
    band_depths = context.band_depths if bands is None else parse_depths("band", bands, BANDS)
    target_depths = context.target_depths if targets is None else parse_depths("target", targets, TARGETS)
    return modulation_profile(band_depths, target_depths)


def parse_depths(kind: str, texts: Sequence[str], known: Mapping[str, object]) -> dict[str, float]:
    """`["alpha=0.3"]` to `{"alpha": 0.3}`; raises `CtxAudioError` for anything else."""
    depths = {}
    for text in texts:
        name, _, depth = text.partition("=")
        try:
            depths[name] = float(depth)
        except ValueError:
            raise CtxAudioError(f"{kind} {text!r} is not NAME=DEPTH, such as {next(iter(known))}=0.3") from None
    return depths
