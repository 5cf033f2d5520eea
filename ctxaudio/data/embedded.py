"""The embedded corpus: synthetic clips in the FSD50K layout, so that everything runs with no download at all.

The sounds are made, not recorded: good for a first run, a test or a lesson; real FSD50K clips are better.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ctxaudio.data.planted import Planted, Row, corpus_rows
from ctxaudio.data.recipes.drums import DRUMS
from ctxaudio.data.recipes.grains import SAMPLE_RATE, Samples, fade
from ctxaudio.data.recipes.notes import NOTES
from ctxaudio.data.recipes.textures import TEXTURES, Recipe
from ctxaudio.errors import CtxAudioError
from ctxaudio.files import FloatArray, child_path, read_json, writable_folder, write_json, written_whole
from ctxaudio.signal.audio import write_audio

VERSION = 3
MANIFEST = "embedded_corpus.json"
RATINGS = "pp_pnp_ratings_FSD50K.json"

_DRUM = ("Drum", "Percussion", "Musical_instrument", "Music")
_PARENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Rain": ("Water",),
        "Thunder": ("Thunderstorm",),
        "Waves_and_surf": ("Ocean", "Water"),
        "Wind": (),
        "Cricket": ("Insect", "Wild_animals", "Animal"),
        "Mechanical_fan": ("Mechanisms",),
        "Stream": ("Water",),
        "Trickle_and_dribble": ("Liquid",),
        "Computer_keyboard": ("Typing", "Domestic_sounds_and_home_sounds"),
        "Tick-tock": ("Clock", "Mechanisms"),
        "Chirp_and_tweet": ("Bird_vocalization_and_bird_call_and_bird_song", "Bird", "Wild_animals", "Animal"),
        "Crackle": ("Fire",),
        "Purr": ("Cat", "Domestic_animals_and_pets", "Animal"),
        "Harp": ("Plucked_string_instrument", "Musical_instrument", "Music"),
        "Electric_guitar": ("Guitar", "Plucked_string_instrument", "Musical_instrument", "Music"),
        "Drum_kit": ("Percussion", "Musical_instrument", "Music"),
        "Snare_drum": _DRUM,
        "Bass_drum": _DRUM,
        "Tabla": _DRUM,
        "Hi-hat": ("Cymbal", "Percussion", "Musical_instrument", "Music"),
        "Clapping": ("Hands", "Human_group_actions"),
        "Gong": ("Percussion", "Musical_instrument", "Music"),
        "Bell": (),
        "Church_bell": ("Bell",),
        "Wind_chime": ("Chime", "Bell"),
        "Organ": ("Keyboard_(musical)", "Musical_instrument", "Music"),
        "Bowed_string_instrument": ("Musical_instrument", "Music"),
    }
)
# AudioSet identifiers, as in FSD50K's vocabulary.csv: a label, its id, and so on.
_LABELS_AND_MIDS = """
Rain /m/06mb1 Water /m/0838f Thunder /m/0ngt1 Thunderstorm /m/0jb2l Waves_and_surf /m/034srq Ocean /m/05kq4 Wind
/m/03m9d0z Cricket /m/09xqv Insect /m/03vt0 Wild_animals /m/01280g Animal /m/0jbk Mechanical_fan /m/02x984l
Mechanisms /t/dd00077 Stream /m/0j6m2 Trickle_and_dribble /m/07pqc89 Liquid /m/04k94 Computer_keyboard /m/01m2v
Typing /m/0316dw Domestic_sounds_and_home_sounds /t/dd00071 Tick-tock /m/07qjznl Clock /m/01x3z Chirp_and_tweet
/m/07pggtn Bird_vocalization_and_bird_call_and_bird_song /m/020bb7 Bird /m/015p6 Crackle /m/07pzfmf Fire /m/02_41
Purr /m/02yds9 Cat /m/01yrx Domestic_animals_and_pets /m/068hy Harp /m/03m5k Plucked_string_instrument /m/0fx80y
Musical_instrument /m/04szw Music /m/04rlf Drum_kit /m/02hnl Drum /m/026t6 Percussion /m/0l14md Snare_drum /m/06rvn
Bass_drum /m/0bm02 Tabla /m/01p970 Hi-hat /m/03qtq Cymbal /m/01qbl Clapping /m/0l15bq Hands /m/0k65p
Human_group_actions /t/dd00012 Electric_guitar /m/02sgy Guitar /m/0342h Gong /m/0mbct Bell /m/0395lw Church_bell
/m/03w41f Wind_chime /m/026fgl Chime /m/0f8s22 Organ /m/013y1f Keyboard_(musical) /m/05148p4 Bowed_string_instrument
/m/0l14_3
""".split()  # noqa: SIM905
_MIDS: Mapping[str, str] = MappingProxyType(dict(zip(_LABELS_AND_MIDS[::2], _LABELS_AND_MIDS[1::2], strict=True)))


def _finished(recipe: Recipe) -> Callable[[np.random.Generator, float], FloatArray]:
    """Centre a recipe's samples, fade their ends in 10 ms and set a peak between 0.5 and 0.9, drawn per clip."""

    def clip(rng: np.random.Generator, duration_s: float) -> FloatArray:
        length = round(duration_s * SAMPLE_RATE)
        samples: Samples = recipe(rng, length)
        samples = (samples - samples.mean()) * fade(length, 0.01, 0.01)
        return (samples * (rng.uniform(0.5, 0.9) / np.abs(samples).max())).astype(np.float32)

    clip.__doc__ = recipe.__doc__
    return clip


RECIPES: Mapping[str, Callable[[np.random.Generator, float], FloatArray]] = MappingProxyType(
    {label: _finished(recipe) for label, recipe in {**TEXTURES, **NOTES, **DRUMS}.items()}
)


def synthetic_clip(label: str, seed: int, index: int) -> FloatArray:
    """Clip number `index` of `label`: mono float32 `[T]` in -1..1 at 44.1 kHz, 4 to 6 s.

    The same arguments give the same samples, whatever else is asked for.

    >>> clip = synthetic_clip("Bell", seed=0, index=0)
    >>> 4 * 44100 <= clip.size <= 6 * 44100
    True
    """
    rng = np.random.default_rng([seed, int.from_bytes(hashlib.sha256(label.encode()).digest()[:8]), index])
    return RECIPES[label](rng, rng.uniform(4.0, 6.0))


def write_embedded_corpus(folder: Path, labels: Sequence[str], seed: int = 0, clips_per_label: int = 8) -> Path:
    """Write synthetic clips of `labels` into `folder` in the layout of FSD50K and give the folder back.

    A quarter of each label's clips are `val`, the rest `train`. With Rain comes one clip of rain and thunder,
    which a veto on thunder drops. From eight clips a label the corpus misleads as FSD50K does, see `data.planted`.
    A folder that already holds this very corpus is left as it is.

    Raises `CtxAudioError` for a label without a recipe, for no labels or fewer than one clip, and for a folder
    that holds something else.
    """
    unknown = [label for label in labels if label not in RECIPES]
    if unknown:
        raise CtxAudioError(f"no recipe for label {unknown[0]!r}: the embedded corpus has {', '.join(RECIPES)}")
    if not labels or clips_per_label < 1:
        raise CtxAudioError(
            f"{len(labels)} labels of {clips_per_label} clips make no corpus: ask for one or more of each"
        )
    rows, planted = corpus_rows(sorted(set(labels)), clips_per_label, seed)
    names = [row.name for row in rows]
    pairs = [list(pair) for pair in planted.same_recording]
    found = {"wrong": dict(planted.wrong), "same_recording": pairs, "rumble": list(planted.rumble)}
    manifest = {"version": VERSION, "seed": seed, "clips_per_label": clips_per_label, "planted": found}
    manifest |= {"clips": names, "whole": True}
    before = _manifest_before(folder)
    if before == manifest and all((_audio_folder(folder) / f"{name}.wav").is_file() for name in names):
        return folder
    # Said before the first clip is written: should the writing stop half-way, the next run starts afresh.
    write_json(
        writable_folder(folder) / MANIFEST,
        {**manifest, "clips": sorted({*before.get("clips", []), *names}), "whole": False},
    )
    for name in before.get("clips", []):
        child_path(_audio_folder(folder), f"{name}.wav").unlink(missing_ok=True)
    for row in rows:
        write_audio(_audio_folder(folder) / f"{row.name}.wav", _heard(row, seed), SAMPLE_RATE)
    _write_tables(folder, rows)
    write_json(folder / MANIFEST, manifest)
    return folder


def planted_in(folder: Path) -> Planted | None:
    """What misleads in the embedded corpus in `folder`; None for any other folder: nobody has written that down."""
    if not (folder / MANIFEST).is_file():
        return None
    planted = read_json(folder / MANIFEST)["planted"]
    pairs = [(first, second) for first, second in planted["same_recording"]]
    return Planted(planted["wrong"], pairs, planted["rumble"])


def _audio_folder(folder: Path) -> Path:
    return folder / "FSD50K.dev_audio"


def _manifest_before(folder: Path) -> dict[str, Any]:
    """The manifest in `folder`, empty for a new folder; refuses a folder with files that are not ours."""
    if (folder / MANIFEST).is_file():
        return read_json(folder / MANIFEST)
    if folder.is_dir() and any(folder.iterdir()):
        raise CtxAudioError(f"{folder} holds files but no embedded corpus: choose an empty or new folder for it")
    return {}


def _heard(row: Row, seed: int) -> FloatArray:
    """The samples of a clip: its sounds, the second softly under the first, with what was planted in them."""
    clips = [synthetic_clip(label, seed, index) for label, index in row.sounds]
    samples = clips[0]
    if len(clips) > 1:
        length = min(clip.size for clip in clips)
        samples = np.asarray(0.7 * clips[0][:length] + 0.2 * clips[1][:length], dtype=np.float32)
    samples = samples[round(row.later_s * SAMPLE_RATE) :]
    if not row.rumble:
        return samples
    noise = rumble(np.random.default_rng([seed, samples.size]), samples.size)
    both = samples + noise * np.sqrt(row.rumble * np.mean(samples.astype(np.float64) ** 2))
    return np.asarray(both * min(1.0, 0.9 / np.abs(both).max()), dtype=np.float32)


def rumble(rng: np.random.Generator, length: int) -> Samples:
    """Noise from 2 to 15 Hz, `[length]`, with a mean square of 1: wind on a microphone, or its handling."""
    frequencies_hz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    inside = (frequencies_hz >= 2.0) & (frequencies_hz <= 15.0)
    spectrum = np.where(inside, rng.standard_normal(inside.size) + 1j * rng.standard_normal(inside.size), 0.0)
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def _smeared(sounds: Sequence[str]) -> list[str]:
    """The sounds and, after each, its parents: FSD50K smears labels upwards. No label comes twice."""
    return list(dict.fromkeys(label for sound in sounds for label in (sound, *_PARENTS[sound])))


def _write_tables(folder: Path, rows: Sequence[Row]) -> None:
    """dev_clips_info, the votes where there are any, vocabulary.csv and dev.csv, as FSD50K writes them."""
    info = {
        row.name: {
            "title": row.title or f"{' and '.join(row.labels)} {row.name.rsplit('-', 1)[1]}",
            "description": "Synthetic sound of the embedded corpus; made by a recipe, not recorded.",
            "tags": ["synthetic", *(label.lower() for label in row.labels)],
            "license": row.licence,
            "uploader": row.uploader,
        }
        for row in rows
    }
    metadata = folder / "FSD50K.metadata"
    write_json(metadata / "dev_clips_info_FSD50K.json", info)
    votes = {row.name: {_MIDS[label]: list(row.votes) for label in row.labels} for row in rows if row.votes}
    (metadata / RATINGS).unlink(missing_ok=True)
    if votes:
        write_json(metadata / RATINGS, votes)
    used = sorted({label for row in rows for label in _smeared(row.labels)})
    vocabulary = "".join(f"{index},{label},{_MIDS[label]}\n" for index, label in enumerate(used))
    with written_whole(folder / "FSD50K.ground_truth" / "vocabulary.csv") as aside:
        aside.write_text(vocabulary, encoding="utf-8")
    with (
        written_whole(folder / "FSD50K.ground_truth" / "dev.csv") as aside,
        aside.open("w", encoding="utf-8", newline="") as table,
    ):
        table.write("fname,labels,mids,split\n")
        # The header and the split are bare, labels and mids quoted, even a single one.
        writer = csv.writer(table, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        for row in rows:
            labels = _smeared(row.labels)
            writer.writerow([row.name, ",".join(labels), ",".join(_MIDS[label] for label in labels), row.split])
