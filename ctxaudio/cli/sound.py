"""The commands that make sound: generate, modulate, session. What takes long to import they import when they run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from ctxaudio.contexts import context_named
from ctxaudio.errors import CtxAudioError
from ctxaudio.modulation.profile import ToneKind, chosen_profile, method_profile, named_profile
from ctxaudio.modulation.schedule import DEFAULT_DEPTH, Modulation, Schedule, parse_schedule, read_night, read_schedule
from ctxaudio.options import Common, Options, check_free, on_a_terminal, option

if TYPE_CHECKING:
    from ctxaudio.render.session import Finish

#: Rare peaks of a long night may be limited by this much.
LIMIT_DB = 6.0
_EMPHASIS = "replaces the context's default; nothing after it switches that off"


@dataclass(frozen=True)
class Generation(Options):
    """What is generated, beside the common arguments; `given` are the names of those that were not left out."""

    model_path: Path | None = option(None, "generator_final.safetensors; without it the base that ships with ctxaudio")
    num_samples: int = option(5, "clips", least=1)
    focus_condition: str = option("-1", "name or index of the condition; -1 random", metavar="CONDITION")
    overwrite: bool = option(False, "replace the clips of an earlier generate in the folder")
    beyond_comfort: bool = option(False, "allow depths that are rough or pump")
    bands: tuple[str, ...] | None = option(None, f"such as alpha=0.3; {_EMPHASIS}", metavar="NAME=DEPTH")
    targets: tuple[str, ...] | None = option(None, f"such as earth=0.5; {_EMPHASIS}", metavar="NAME=DEPTH")
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Files:
    input: Path = option(..., "any format that libsndfile reads, mono or stereo", metavar="IN", flag="input")
    output: Path = option(..., "a .wav, .flac, .ogg, .opus or .mp3 file", metavar="OUT", flag="output")
    overwrite: bool = option(False, "replace OUT if it is there already")


@dataclass(frozen=True)
class Asked:
    context: str | None = option(None, "sleep, focus, relaxation, energy or meditation, for its default profile")
    profile: str | None = option(None, "a band, a target, a context, or sham")
    method: ToneKind | None = option(None, "instead of a profile: one rate by this method")
    rate_hz: float | None = option(None, "with --method: envelope rate, above 0 to 100 Hz")
    depth: float | None = option(None, "modulation index m, 0..1 (am, isochronic 0.5; beats 1; bands and targets 0.3)")
    carrier_hz: float | None = option(None, "carrier of a tone laid over the sound (beats: 250)")
    tone_db: float = option(-10.0, "loudness of that tone beside the sound's")
    control: Literal["sham", "jittered"] | None = option(
        None, "same sound and loudness, no modulation or unstable rates"
    )
    schedule: str | None = option(
        None, 'rates over time, "0:alpha 10, 20:theta 6, 40:delta 2.5" (minutes), or a YAML file'
    )
    beyond_comfort: bool = option(False, "allow depths that are rough or conspicuous")


@dataclass(frozen=True)
class Level:
    lufs: str = option("-27", "integrated loudness (BS.1770), or off to keep the level")
    true_peak: float = option(-6.0, "ceiling in dBTP")
    fade_s: float = option(0.0, "raised-cosine fades at both ends, in seconds")


@dataclass(frozen=True)
class Session(Options):
    """What a session is made of, beside modulation and level; what is not `given` a schedule's file may say."""

    output_path: Path = option(..., "a .flac, .wav, .ogg, .opus or .mp3 file")
    model_path: Path | None = option(None, "the generator that makes the bed; without it the base that ships")
    input: Path | None = option(None, "instead: a recording as the bed, in excerpts if it is shorter")
    minutes: float = option(60.0, "length of the session")
    seed: int = option(0, "the same seed gives the same session", least=0, most=2**31 - 1)
    focus_condition: str = option("-1", "name or index of the condition; -1: one by the seed", metavar="CONDITION")
    channels: int = option(2, "2: decorrelated stereo", least=1, most=2)
    restart: bool = option(False, "throw an unfinished session of this name away")
    overwrite: bool = option(False, "replace a finished file of this name")
    given: frozenset[str] = frozenset()


Modulating = Annotated[Asked, {"title": "modulation (default: the profile of the context)"}]


def generate(run: Common, asked: Generation) -> None:
    """Generate WAV files with a trained generator."""
    from tqdm import tqdm

    from ctxaudio.provenance import Provenance
    from ctxaudio.render.generate import generate_clips, model_for, write_clips

    # what is left at its default, the model knows
    of_run = (getattr(run, n) if n in asked.given else None for n in ("context", "sample_rate", "latent_dim"))
    generator, about = model_for(asked.model_path, *of_run)
    context, profile = context_named(about["context"]), generator.modulation.profile
    if asked.bands is not None or asked.targets is not None:
        profile = chosen_profile(context, asked.bands, asked.targets)
    modulation = Modulation(profile)
    if not asked.beyond_comfort:
        modulation.check_comfort()
    clips = generate_clips(generator, asked.num_samples, run.duration, asked.focus_condition, run.seed, profile)
    shown = tqdm(clips, "generating", asked.num_samples, unit="clip", delay=1, disable=not on_a_terminal())
    for path in write_clips(shown, run.output_dir, about, asked.overwrite):
        print(path)
    print(Provenance("generate", modulation, context.name).evidence_line())


def modulate(files: Files, asked: Modulating, level: Annotated[Level, {"title": "level"}]) -> None:
    """Apply a modulation profile to any audio file, of any length: envelope rates, pulses, beats, carriers."""
    from ctxaudio.render.session import modulate_file

    check_free(files.output, files.overwrite or files.output == files.input)  # which is refused whatever is said
    schedule = read_schedule(Path(asked.schedule)) if asked.schedule and is_yaml(asked.schedule) else None
    modulation = modulation_of(asked, asked.context, schedule)
    made = modulate_file(files.input, files.output, modulation, finish_of(level), asked.context, on_a_terminal())
    print(made.summary(files.output))


def session(wanted: Session, asked: Modulating, level: Annotated[Level, {"title": "level", "fade_s": 10.0}]) -> None:
    """Render hours of seamless sound from a trained generator or a recording into one file; an interrupted call goes
    on."""
    from ctxaudio.provenance import json_beside
    from ctxaudio.render.beds import Bed, GeneratedBed, RecordingBed
    from ctxaudio.render.generate import model_for
    from ctxaudio.render.session import Session as Planned
    from ctxaudio.render.session import render_session
    from ctxaudio.signal.audio import audio_format

    if wanted.model_path is not None and wanted.input is not None:
        raise CtxAudioError("give --model_path or --input (a recording), not both: one of them is the bed")
    path, channels, seed, minutes = wanted.output_path, wanted.channels, wanted.seed, wanted.minutes
    audio_format(path)
    json_beside(path)
    check_free(path, wanted.overwrite)
    night = read_night(Path(asked.schedule)) if asked.schedule and is_yaml(asked.schedule) else None
    if night:
        minutes = minutes if "minutes" in wanted.given else night.minutes
        level = level if "fade_s" in wanted.given else replace(level, fade_s=night.fade_s)
    schedule, mix = (night.schedule, night.mix) if night else (None, ())
    bed: Bed
    context, model = asked.context, None
    if wanted.input is None:
        generator, model = model_for(wanted.model_path, context)
        context, bed = model["context"], GeneratedBed(generator, wanted.focus_condition, channels, seed, schedule)
    else:
        bed = RecordingBed(wanted.input, channels, seed, 60.0 * minutes)
    modulation = modulation_of(asked, context, schedule)
    planned = Planned(bed, modulation, minutes, finish_of(level, LIMIT_DB), mix, context=context, model=model)
    print(f"{minutes:g} minutes of {', '.join(bed.conditions) or wanted.input} into {path}", flush=True)
    print(render_session(planned, path, wanted.restart, on_a_terminal()).summary(path))


def finish_of(level: Level, limit_db: float = 0.0) -> Finish:
    from ctxaudio.render.session import Finish

    try:
        lufs = None if level.lufs == "off" else float(level.lufs)
    except ValueError:
        raise CtxAudioError(f"--lufs {level.lufs!r} is neither a number nor off") from None
    return Finish(lufs, level.true_peak, level.fade_s, limit_db)


def is_yaml(schedule: str) -> bool:
    return Path(schedule).suffix in (".yaml", ".yml")


def modulation_of(asked: Asked, context: str | None, schedule: Schedule | None) -> Modulation:
    """What the arguments ask for, along `schedule` where it was read from a file.

    Raises `CtxAudioError` where they contradict each other or are beyond comfort.
    """
    method, rate_hz, named = asked.method, asked.rate_hz, asked.profile or context
    if asked.schedule is not None:
        schedule = schedule or parse_schedule(asked.schedule, DEFAULT_DEPTH if asked.depth is None else asked.depth)
        method, rate_hz = method or "am", rate_hz or schedule.steps[0].rate_hz
    if method is None:
        for name in ("rate_hz", "carrier_hz"):
            if getattr(asked, name) is not None:
                raise CtxAudioError(f"--{name} goes with --method: am, isochronic, monaural or binaural")
        if named is None:
            raise CtxAudioError("say what to modulate: --context, --profile, or --method with --rate_hz")
        profile = named_profile(named, asked.depth)
    elif asked.profile is not None:
        raise CtxAudioError("give --profile or --method (or a schedule), not both")
    elif rate_hz is None:
        raise CtxAudioError(f"--method {method} needs --rate_hz, such as --rate_hz 6.0")
    else:
        profile = method_profile(method, rate_hz, asked.depth, asked.carrier_hz, asked.tone_db)
    modulation = Modulation(profile, schedule)
    if not asked.beyond_comfort:
        modulation.check_comfort()
    if asked.control:
        modulation = Modulation(profile.sham() if asked.control == "sham" else profile.jittered(), schedule)
    return modulation
