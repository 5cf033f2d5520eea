"""The steps of a run, as the notebooks and the command line call them: prepare, train, generate, judge."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ctxaudio.contexts import condition_index
from ctxaudio.data.prepare import PreparedClips, prepare_clips
from ctxaudio.data.selection import Selection, selection_table
from ctxaudio.errors import CtxAudioError
from ctxaudio.evaluate import figures_of_merit
from ctxaudio.files import writable_folder, write_json, write_wav
from ctxaudio.generate import generate_clips, trained_conditions, write_clips
from ctxaudio.model import training as loop
from ctxaudio.model.checkpoint import load_generator, save_generator
from ctxaudio.model.generator import Generator, GeneratorConfig
from ctxaudio.model.training import Training, TrainingConfig
from ctxaudio.plots import clip_grid, save_figure
from ctxaudio.run import DataSource, Run, find_data, select_context
from ctxaudio.signal.modulation import ModulationProfile, context_profile


def select(run: Run) -> tuple[DataSource, Selection]:
    """The run's data and the clips of its context in it; prints which data it uses and what was left out."""
    writable_folder(run.output_dir)
    source = find_data(run)
    print(source.description, flush=True)
    selection = select_context(run, source)
    print(selection_table(selection), flush=True)
    return source, selection


def prepare(run: Run, num_workers: int = 4, progress: bool = True) -> PreparedClips:
    """Select and prepare the clips of the run's context; prints what `select` does, and the clips it had to skip."""
    _, selection = select(run)
    clips = prepare_clips(selection, run.output_dir / "prepared", run.sample_rate, num_workers, progress)
    for skipped in clips.skipped:
        print(f"skipped {skipped.clip_id}: {skipped.reason}")
    return clips


def begin_training(run: Run, config: TrainingConfig, clips: PreparedClips, resume: bool = False) -> Training:
    """Networks ready to train on `clips`, fresh or taken up from the checkpoint in the run's folder."""
    check_device(config.device)
    checkpoint = run.output_dir / "checkpoints" / "latest.pt"
    if checkpoint.exists() and not resume:
        print(f"starting anew; the earlier training in {checkpoint.parent} will be replaced (--resume takes it up)")
    model = GeneratorConfig(run.about.conditions, run.sample_rate, run.latent_dim)
    training = loop.begin(clips, context_profile(run.about), model, config)
    return loop.resume(training, run.output_dir) if resume else training


def train(
    run: Run, config: TrainingConfig, num_workers: int = 4, resume: bool = False, progress: bool = True
) -> Training:
    """Prepare, train, and save the generator to `run.model_path`; Ctrl-C ends training early and still saves it."""
    check_device(config.device)  # before the clips are prepared, which may take minutes
    check_context_of_model(run)
    clips = prepare(run, num_workers, progress)
    training = begin_training(run, config, clips, resume)
    loop.train(training, config, run.output_dir, lambda state: save_samples(run, state), progress)
    save_model(run, training, config, clips)
    if training.interrupted:
        print(f"interrupted after {training.step} steps; --resume goes on from there")
    return training


def save_model(run: Run, training: Training, config: TrainingConfig, clips: PreparedClips) -> Path:
    """Write the averaged generator and, beside it, how it came about and whose clips it was trained on."""
    used = [clips.clips[i] for i in clips.of("train")]
    facts: dict[str, Any] = {
        "training": {
            "config": asdict(config),
            "steps": training.step,
            "epochs": training.epoch,
            "seconds": round(training.seconds, 1),
            "seconds_per_step": round(training.seconds / max(1, training.step), 4),
            "interrupted": training.interrupted,
        },
        "clips": clips.counts(),
        "licences": dict(Counter(clip.licence for clip in used).most_common()),
        "attribution": [
            {"clip": clip.clip_id, "title": clip.title, "uploader": clip.uploader, "licence": clip.licence}
            for clip in used
        ],
    }
    path = save_generator(run.model_path, training.best, run.context, facts)
    print(f"generator: {path} ({training.step} steps, {training.seconds:.0f} s)", flush=True)
    return path


def save_samples(run: Run, training: Training) -> None:
    """A clip of each trained condition as WAV and one picture of their spectrograms, under `samples/epoch_NNNN`."""
    generator = training.best.eval()
    folder = run.output_dir / "samples" / f"epoch_{training.epoch:04d}"
    pictures = {}
    for condition in trained_conditions(generator):
        clip = next(generate_clips(generator, 1, run.duration, condition, run.seed))
        write_wav(folder / f"{clip.condition}.wav", clip.samples, run.sample_rate)
        pictures[clip.condition] = clip.samples
    save_figure(clip_grid(pictures, run.sample_rate), folder / "spectrograms.png")


def generate(
    run: Run,
    num_samples: int = 5,
    focus_condition: int = -1,
    model_path: Path | None = None,
    profile: ModulationProfile | None = None,
    folder: Path | None = None,
) -> list[Path]:
    """Generate WAV files with the run's model (or `model_path`) into `folder` (or the run's `generated`)."""
    condition_index(run.about, focus_condition)
    generator, about = load_model(run, model_path)
    clips = list(generate_clips(generator, num_samples, run.duration, focus_condition, run.seed, profile))
    used = profile if profile is not None else generator.modulation.profile
    return write_clips(clips, run.sample_rate, folder or run.generated_dir, about, used)


def judge(run: Run, clips: PreparedClips) -> dict[str, Any]:
    """The figures of merit of the run's generator, written to `analysis/figures_of_merit.json` as well."""
    generator, _ = load_model(run)
    figures = figures_of_merit(generator, clips, run.seed)
    write_json(run.analysis_dir / "figures_of_merit.json", figures)
    return figures


def load_model(run: Run, model_path: Path | None = None) -> tuple[Generator, dict[str, Any]]:
    """The run's generator and what stands beside it; raises `CtxAudioError` if it was trained for other settings."""
    path = model_path or run.model_path
    generator, about = load_generator(path)
    trained = {
        "context": about["context"],
        "sample_rate": generator.config.sample_rate,
        "latent_dim": generator.config.latent_dim,
    }
    for name, value in trained.items():
        if getattr(run, name) != value:
            raise CtxAudioError(
                f"{path} was trained with {name} {value}, not {getattr(run, name)}: pass --{name} {value}"
            )
    return generator, about


def check_context_of_model(run: Run) -> None:
    """Refuse to train over a model of another context."""
    if run.model_path.exists():
        _, about = load_generator(run.model_path)
        if about["context"] != run.context:
            raise CtxAudioError(
                f"{run.model_path} is of context {about['context']!r}: choose another output_dir for {run.context!r}"
            )


def check_device(device: str) -> None:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CtxAudioError(f"device {device!r} is not to be had here: use --device cpu") from error
