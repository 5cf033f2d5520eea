"""What stands in the way: the network, or the head that turns its picture into sound?

.venv/bin/python tests/benchmarks/heads.py --data FSD50K_DIR --judge PYTHON JUDGE.PY --work DIR

Gives the head what no network could give it better: the magnitudes of real crops of the dev set, four seconds each,
as many as a model is judged by. With the phase of noise, at several windows, hops and rounds of Griffin & Lim 1984,
a trained judge then says how far that sound is from real recordings. Beside it the crops themselves, which no model
of these recordings should be expected to beat; their magnitudes with the phase of clicks, as the generator makes them,
where a crop has clicks; and what a model would give that knows only the average spectrum and how much each bin moves.
Prints a line a label and head; folders and answers are kept in `--work`.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ranking import CLIP_S, CLIPS, LABELS, RATE, Degradation, asked, keep, labelled, noise_phase, white

from ctxaudio.files import FloatArray
from ctxaudio.signal.clicks import clickiness, clicky
from ctxaudio.signal.movement import DEVIATION_OF_NOISE, MEAN_OF_NOISE
from ctxaudio.signal.stft import log_power, shaped_noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="FSD50K folder, dev and eval")
    parser.add_argument("--judge", nargs="+", required=True, help="the command that starts the judge")
    parser.add_argument("--work", type=Path, required=True, help="for the folders and the answers; kept")
    parser.add_argument("--labels", nargs="*", default=LABELS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for label in options.labels:
        split = "eval" if len(labelled(options.data, ("eval",), label)) >= 5 else "both"
        crops = random_crops(labelled(options.data, ("dev",), label))
        for name, head in heads().items():
            folder = options.work / label / name
            keep(folder, [head(crop, seed) for seed, crop in enumerate(crops)])
            said = asked(options.judge, options.data, split, label, folder)
            rows.append({"label": label, "head": name, "hit@5": said["hit@5"], "kad": said["kad"]})
    table = pd.DataFrame(rows)
    table.to_csv(options.work / "heads.csv", index=False)
    for column in ("kad", "hit@5"):
        print(table.pivot_table(index="head", columns="label", values=column, sort=False).round(2).to_string())


def random_crops(clips: list[FloatArray]) -> list[FloatArray]:
    """As many crops as are judged; a clip is likelier the longer it is, up to four crops, as in training."""
    chance, length = np.random.default_rng(0), round(CLIP_S * RATE)
    weights = np.array([min(max(len(clip), length), 4 * length) for clip in clips], dtype=float)
    crops = []
    for _ in range(CLIPS):
        clip = clips[chance.choice(len(clips), p=weights / weights.sum())]
        clip = np.tile(clip, -(-length // len(clip)))
        start = chance.integers(len(clip) - length + 1)
        crops.append(clip[start : start + length])
    return crops


def heads() -> dict[str, Degradation]:
    """By name `window/hop`, with `+n` for n phase steps."""
    return {
        "the crops themselves": lambda crop, seed: crop,
        **{f"{n}/{n // 4}": partial(noise_phase, n_fft=n) for n in (256, 512, 1024)},
        **{f"{n}/{n // 2}": partial(noise_phase, n_fft=n, overlap=2) for n in (256, 512, 1024)},
        "512/256+1": partial(noise_phase, n_fft=512, overlap=2, phase_steps=1),
        "512/128+1": partial(noise_phase, n_fft=512, phase_steps=1),
        "512/128+2": partial(noise_phase, n_fft=512, phase_steps=2),
        "512/256 clicks": clicking,
        "average": average,
    }


def clicking(crop: FloatArray, seed: int) -> FloatArray:
    """The crop's magnitudes with the phase of noise and, as much as it is of clicks, of clicks."""
    sound, noise = torch.from_numpy(crop)[None], torch.from_numpy(white(len(crop), seed))[None]
    chance = torch.rand(1, 1 + len(crop) // 256, generator=torch.Generator().manual_seed(seed))
    level = 0.5 * log_power(sound, 512, 256, 1e-12)
    carrier = clicky(noise, chance, clickiness(sound, 512, 256), 256)
    return shaped_noise(level, torch.zeros_like(level), noise, 512, 256, carrier=carrier)[0].numpy()


def average(crop: FloatArray, seed: int) -> FloatArray:
    """Noise whose bins have the crop's mean and deviation of log-magnitude, and no course in time."""
    level = 0.5 * log_power(torch.from_numpy(crop)[None], 512, 256, 1e-12)
    noise = torch.from_numpy(white(len(crop), seed))[None]
    spread = (level.std(2, keepdim=True) / DEVIATION_OF_NOISE).expand_as(level)
    mean = (level.mean(2, keepdim=True) - MEAN_OF_NOISE * spread[..., :1]).expand_as(level)
    return shaped_noise(mean, spread, noise, 512, 256)[0].numpy()


if __name__ == "__main__":
    main()
