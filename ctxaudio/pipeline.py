"""The steps of a run, as the notebooks and the command line call them: prepare, train, generate, judge."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from ctxaudio.data.embedded import write_embedded_corpus
from ctxaudio.data.fsd50k import is_fsd50k, read_index
from ctxaudio.data.prepare import PreparedClips, prepare_clips
from ctxaudio.data.selection import Selection, SelectionOptions, has_sound, select_clips, select_folder, selection_table
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluation.evaluate import figures_of_merit, held_out_sound
from ctxaudio.files import only_one, read_json, writable_folder, write_json
from ctxaudio.model.checkpoint import save_generator
from ctxaudio.model.generator import Generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.options import DEFAULT_DATA, Run
from ctxaudio.plots import save_figure, spectrograms
from ctxaudio.render.generate import generate_clips, model_for, trained_conditions, write_clips
from ctxaudio.signal.audio import write_audio
from ctxaudio.training import loop
from ctxaudio.training.base import begin_training, facts_of, load_given
from ctxaudio.training.config import Start, TrainingConfig
from ctxaudio.training.state import LATEST, Training, checkpoint
from ctxaudio.workers import check_device

#: Real clips of a condition that a generator is judged by.
REAL_CLIPS = 20


class DataSource(NamedTuple):
    """The folder a run reads, one line that says what it is, and whether it is FSD50K or the user's own sound."""

    folder: Path
    embedded: bool
    description: str
    own: bool = False


def find_data(run: Run) -> DataSource:
    """The run's data folder: FSD50K, or a plain folder of audio. Where the default folder is neither, the embedded
    corpus, synthesised on the spot; a folder that was *given* and is neither is an error that `select_context` raises.
    """
    given, folder = run.data_dir != DEFAULT_DATA, run.data_dir
    if is_fsd50k(folder) or (given and (not folder.is_dir() or any(folder.glob("FSD50K.*")))):
        return DataSource(folder, False, f"data: recordings in {folder}")
    if given or has_sound(folder):
        return DataSource(folder, False, f"data: your own sound in {folder}", own=True)
    folder = write_embedded_corpus(run.output_dir / "embedded_corpus", run.about.conditions, run.seed)
    told = f"synthesised, no recordings (no FSD50K in {run.data_dir}; set data_dir)"
    return DataSource(folder, True, f"data: embedded corpus, {told}")


def select_context(run: Run, source: DataSource, options: SelectionOptions | None = None) -> Selection:
    """The clips of the run's context in `source` that are as `options` say (None: all).

    The conditions of your own sound are its sub-folders, not the context's. Raises `CtxAudioError` for `options` with
    it, for a folder that is neither FSD50K nor audio, and for one that takes the output too.
    """
    if source.own:
        if options not in (None, SelectionOptions()):
            raise CtxAudioError(f"{source.folder} is your own sound: labels, licences and ratings are FSD50K's")
        if source.folder.resolve() == run.output_dir.resolve():
            raise CtxAudioError(f"output_dir {run.output_dir} is the folder of your sound: choose another output_dir")
        return select_folder(source.folder, run.about, apart_from=run.output_dir)
    return select_clips(read_index(source.folder), run.about, options)


def prepare(
    run: Run, num_workers: int = 4, progress: bool = True, options: SelectionOptions | None = None
) -> PreparedClips:
    """Select and prepare the clips of the run's context; prints which data it uses, and what was left out and why."""
    writable_folder(run.output_dir)
    source = find_data(run)
    print(source.description, flush=True)
    selection = select_context(run, source, options)
    print(selection_table(selection), flush=True)
    clips = prepare_clips(selection, run.output_dir / "prepared", run.sample_rate, num_workers, progress)
    for skipped in clips.skipped:
        print(f"skipped {skipped.clip_id}: {skipped.reason}")
    return clips


def train(
    run: Run,
    config: TrainingConfig,
    start: Start = Start(),
    options: SelectionOptions | None = None,
    progress: bool = True,
) -> Training:
    """Prepare, train, and save the generator to `run.model_path`, beside it how it came about and whose sound is in it;
    Ctrl-C ends training early and still saves it.

    Raises `CtxAudioError` while another training writes into the same folder.
    """
    given = load_given(start, run.sample_rate, run.latent_dim)  # a wrong one is refused before clips are prepared
    check_device(config.device)
    with only_one_training(run.output_dir):
        check_context_of_model(run)
        clips = prepare(run, config.num_workers, progress, options)
        training = begin_training(run, config, clips, start, given)
        if not start.resume:  # from here on --resume takes up this training, however soon it is killed
            if (run.output_dir / LATEST).exists():
                print(f"starting anew: the earlier training in {run.output_dir} is replaced", flush=True)
            checkpoint(training, run.output_dir)
        loop.train(training, config, run.output_dir, lambda state: save_samples(run, state), progress)
        facts = facts_of(training, config, clips)
        path = save_generator(run.model_path, training.averaged, run.context, facts)
        print(f"generator: {path} ({training.step} steps, {training.seconds:.0f} s)", flush=True)
        if training.interrupted:
            print(f"interrupted after {training.step} steps; --resume goes on from there")
    return training


def save_samples(run: Run, training: Training) -> None:
    """A clip of each trained condition as WAV and one picture of their spectrograms, under `samples/epoch_NNNN`."""
    generator = training.averaged.eval()
    folder = run.output_dir / "samples" / f"epoch_{training.epoch:04d}"
    pictures = {}
    for condition in trained_conditions(generator):
        clip = next(generate_clips(generator, 1, run.duration, condition, run.seed))
        write_audio(folder / f"{clip.condition}.wav", clip.samples, run.sample_rate)
        pictures[clip.condition] = clip.samples
    save_figure(spectrograms(pictures, run.sample_rate), folder / "spectrograms.png")


def generate(
    run: Run,
    num_samples: int = 5,
    focus_condition: int | str = -1,
    profile: ModulationProfile | None = None,
    folder: Path | None = None,
) -> list[Path]:
    """Generate WAV files with the run's model into `folder` (or the run's `generated`), in place of those of an earlier
    call, as a notebook's cell that is run again wants it."""
    generator, about = load_model(run)
    clips = generate_clips(generator, num_samples, run.duration, focus_condition, run.seed, profile)
    return write_clips(clips, folder or run.generated_dir, about, overwrite=True)


def judge(run: Run, clips: PreparedClips) -> dict[str, Any]:
    """The figures of merit of the run's generator, written to `analysis/figures_of_merit.json` too: its clips beside
    the eval split of the run's data, or else, as `notes` say, beside validation clips.

    Raises `CtxAudioError` where `clips` have other conditions than it was trained on.
    """
    generator, _ = load_model(run)
    if (trained := generator.config.conditions) != clips.condition_names:
        others = f"the clips are of {', '.join(clips.condition_names)}: take those it was trained on, or train again"
        raise CtxAudioError(f"{run.model_path} knows the conditions {', '.join(trained)}, {others}")
    real = held_out_sound(clips, find_data(run).folder, REAL_CLIPS)
    figures = figures_of_merit(generator, real, run.seed)
    write_json(run.analysis_dir / "figures_of_merit.json", figures)
    return figures


def load_model(run: Run) -> tuple[Generator, dict[str, Any]]:
    """The run's generator, or else the base for its context (`model_for`)."""
    return model_for(run.model_path if run.model_path.exists() else None, run.context, run.sample_rate, run.latent_dim)


def check_context_of_model(run: Run) -> None:
    """Refuse to train over a model of another context; one of an earlier format is no obstacle."""
    described = run.model_path.with_suffix(".json")
    if described.exists() and (context := read_json(described).get("context", run.context)) != run.context:
        other = f"{run.model_path} is of context {context!r}"
        raise CtxAudioError(f"{other}: choose another output_dir for {run.context!r}")


def only_one_training(folder: Path) -> AbstractContextManager[None]:
    """Hold the training lock of a folder; raises `CtxAudioError` where another training holds it."""
    busy = f"another training writes into {folder}: wait until it is done, or choose another output_dir"
    return only_one(writable_folder(folder) / ".training.lock", busy)
