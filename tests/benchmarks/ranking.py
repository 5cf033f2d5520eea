"""Does our kernel score put sets of sound in the order in which a trained judge does?

.venv/bin/python tests/benchmarks/ranking.py --data FSD50K_DIR --judge PYTHON JUDGE.PY --work DIR [--models MODEL ...]

For each label makes folders of sound of very different quality out of real clips of the dev set: the clips themselves,
their STFT magnitudes with the phase of noise at several resolutions, clips in noise, other labels' clips, noise with
the same spectrum, white noise; and clips of each of the models that know the label. The judge is a program that takes
`--data --split --label --fake` and prints JSON with a kernel distance ("kad"), smaller is better. Prints Spearman's
rank correlation of its distance with ours, and with the statistics that training minimises for comparison. Folders and
the judge's answers are kept in `--work`, so that a second call measures anew with our side only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.signal
import scipy.stats
import torch

from ctxaudio.data.fsd50k import read_index
from ctxaudio.data.prepare import decode_clip
from ctxaudio.errors import ClipError
from ctxaudio.evaluation.distances import kernel_distance, matched_noise, sound_distance
from ctxaudio.files import FloatArray
from ctxaudio.model.checkpoint import BASE, load_generator
from ctxaudio.modulation.profile import ModulationProfile
from ctxaudio.render.generate import generate_clips, trained_conditions
from ctxaudio.signal.audio import write_audio
from ctxaudio.signal.stft import griffin_lim, stft

RATE = 22050
CLIP_S = 4.0
CLIPS = 20
LABELS = ("Rain", "Waves_and_surf", "Wind", "Cricket", "Stream", "Chirp_and_tweet", "Crackle")
Degradation = Callable[[FloatArray, int], FloatArray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="FSD50K folder, dev and eval")
    parser.add_argument("--judge", nargs="+", required=True, help="the command that starts the judge")
    parser.add_argument("--work", type=Path, required=True, help="for the folders and the answers; kept")
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="generator_final.safetensors, any number")
    parser.add_argument("--labels", nargs="*", default=LABELS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    make_folders(options.data, options.work, options.labels, options.models)
    rows = []
    for label in options.labels:
        real = labelled(options.data, ("eval",), label)
        split = "eval" if len(real) >= 5 else "both"
        real = real if split == "eval" else labelled(options.data, ("dev", "eval"), label)
        folders = sorted(path for path in (options.work / label).iterdir() if path.is_dir())
        trained = trained_statistics(real)
        for folder in folders:
            clips = [decode_clip(path, RATE) for path in sorted(folder.glob("*.wav"))]
            rows.append(
                {
                    "label": label,
                    "set": folder.name,
                    "judge": asked(options.judge, options.data, split, label, folder)["kad"],
                    "ours": sound_distance(real, clips, RATE),
                    "training's": kernel_distance(*normalised(trained, trained_statistics(clips))),
                }
            )
    table = pd.DataFrame(rows)
    table.to_csv(options.work / "ranking.csv", index=False)
    print(table.round(0).to_string(index=False))
    print(correlations(table).round(2).to_string())


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's correlation with the judge per label, their mean, and over all sets of all labels."""
    measures = ["ours", "training's"]
    per_label = {
        label: [scipy.stats.spearmanr(part["judge"], part[name]).statistic for name in measures]
        for label, part in table.groupby("label", sort=False)
    }
    result = pd.DataFrame(per_label, index=measures).T
    result.loc["mean"] = result.mean()
    result.loc["all sets"] = [scipy.stats.spearmanr(table["judge"], table[name]).statistic for name in measures]
    return result


def asked(judge: Sequence[str], data: Path, split: str, label: str, folder: Path) -> dict[str, float]:
    """What the judge says of a folder, or said when it was asked before: "kad", "hit@5" and the rest."""
    answer = folder.with_suffix(".json")
    if not answer.exists():
        command = [*judge, "--data", str(data), "--split", split, "--label", label, "--fake", str(folder)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        answer.write_text(said.splitlines()[-1])
    found: dict[str, float] = json.loads(answer.read_text())
    return found


def labelled(data: Path, subsets: Sequence[str], label: str) -> list[FloatArray]:
    """All usable clips of a label, whole."""
    found = []
    for subset in subsets:
        for clip in read_index(data, subset).clips:  # type: ignore[arg-type]
            if label in clip.labels:
                try:
                    found.append(decode_clip(clip.path, RATE))
                except ClipError as error:
                    print(f"left out: {error}")
    return found


def make_folders(data: Path, work: Path, labels: Sequence[str], models: Sequence[Path]) -> None:
    dev = {label: [middle(clip) for clip in labelled(data, ("dev",), label)[:CLIPS]] for label in labels}
    for label in labels:
        for name, degraded in degradations().items():
            keep(work / label / name, (degraded(clip, seed) for seed, clip in enumerate(dev[label])))
        for other in labels:
            if other != label:
                keep(work / label / f"real_{other}", dev[other])
    for path in models:
        generator, about = load_generator(path)
        for condition in trained_conditions(generator):
            label = generator.config.conditions[condition]
            if label in labels:
                made = generate_clips(generator, CLIPS, CLIP_S, condition, 0, ModulationProfile())
                name = f"model_{about['context']}_{about['weights_sha256'][:6]}"
                keep(work / label / name, (clip.samples for clip in made))


def keep(folder: Path, clips: Iterator[FloatArray] | Sequence[FloatArray]) -> None:
    if not folder.exists():
        for number, clip in enumerate(clips):
            write_audio(folder / f"{number:02d}.wav", 0.5 * clip / np.abs(clip).max(), RATE)


def middle(clip: FloatArray) -> FloatArray:
    length = round(CLIP_S * RATE)
    start = max(0, (len(clip) - length) // 2)
    return clip[start : start + length]


def degradations() -> dict[str, Degradation]:
    return {
        "real": lambda clip, seed: clip,
        **{f"noise_phase_{n}": partial(noise_phase, n_fft=n) for n in (128, 256, 512, 1024, 2048)},
        "two_phase_steps_512": partial(noise_phase, n_fft=512, phase_steps=2),
        "gain_times_noise_512": partial(noise_phase, n_fft=512, spread=1.0),
        "gain_times_noise_2048": partial(noise_phase, n_fft=2048, spread=1.0),
        "in_noise_10_db": partial(in_noise, level_db=-10.0),
        "in_noise_0_db": partial(in_noise, level_db=0.0),
        "under_2_khz": low_passed,
        "spectrum_matched": lambda clip, seed: matched_noise(clip, np.random.default_rng(seed)),
        "white": lambda clip, seed: white(len(clip), seed),
    }


def white(length: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(length).astype(np.float32)


def noise_phase(
    clip: FloatArray, seed: int, n_fft: int, phase_steps: int = 0, spread: float = 0.0, overlap: int = 4
) -> FloatArray:
    """The clip's magnitudes with the phase of noise; `spread` 1 multiplies them with the noise's magnitudes as well."""
    hop = n_fft // overlap
    clip = np.tile(clip, -(-n_fft // len(clip)))
    magnitude = stft(torch.from_numpy(clip)[None], n_fft, hop).abs()
    noise = stft(torch.from_numpy(white(len(clip), seed))[None], n_fft, hop)
    return griffin_lim(magnitude * noise.abs() ** spread, noise, n_fft, hop, len(clip), phase_steps)[0].numpy()


def in_noise(clip: FloatArray, seed: int, level_db: float) -> FloatArray:
    return clip + np.float32(10 ** (level_db / 20) * clip.std()) * white(len(clip), seed)


def low_passed(clip: FloatArray, seed: int) -> FloatArray:
    sections = scipy.signal.butter(6, 2000.0, fs=RATE, output="sos")
    return np.asarray(scipy.signal.sosfiltfilt(sections, clip), dtype=np.float32)


def trained_statistics(clips: Sequence[FloatArray]) -> np.ndarray:
    """Per clip of 2 s or more, the statistics that training minimises."""
    base, rows = load_generator(BASE)[0], []
    with torch.no_grad():
        for clip in clips:
            level = clip / max(float(np.sqrt(np.mean(clip**2))), 1e-9) * 0.05
            level = np.pad(middle(level), (0, max(0, 2 * RATE - len(level))))
            rows.append(base.analyse(torch.from_numpy(level.astype(np.float32))[None])[1][0])
    return torch.stack(rows).double().numpy()


def normalised(real: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation = real.mean(0), real.std(0) + 0.05
    return tuple(np.clip((rows - mean) / deviation, -8, 8) for rows in (real, other))  # type: ignore[return-value]


if __name__ == "__main__":
    main()
