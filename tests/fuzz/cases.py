"""The cases: for a kind of input and a number, files in a folder and the command that meets them."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from archives import hostile_fetch
from arguments import arguments, schedules
from inputs import FORMATS, SMALL, Inputs, linked, noise, replaced, sound_bytes
from spoil import VALUES, mangled, spoiled

ENCODED = ("ogg", "opus", "mp3", "caf")
ODD_RATES = (1, 2, 8, 9, 41, 100, 999, 1000, 1001, 4000, 7999, 96_000, 192_000, 768_000, 768_001, 10**7, 2**31 - 1)
TRAIN = "train --data_dir CORPUS --output_dir out --num_epochs 1 --batch_size 2 --num_workers 1 --duration 0.5"
OF_SOUND = (
    "modulate FILE OUT --method am --rate_hz 6",
    "modulate FILE OUT --method binaural --rate_hz 6 --lufs off",
    "modulate FILE OUT --context focus --fade_s 0.5",
    "analyze FILE --output_dir out",
    *2 * ("analyze FOLDER --output_dir out",),
    "analyze FOLDER --against SHAM --output_dir out",
    "session --input FILE --minutes 0.1 --output_path OUT --method am --rate_hz 6",
    "session --model_path MODEL --minutes 0.1 --output_path OUT --schedule MIXED",
    *2 * ("prepare --data_dir in --output_dir out --num_workers 1",),
    "evaluate --model_path MODEL --data_dir in --output_dir out --num_samples 2",
)
OF_MODEL = (
    "generate --model_path MODEL --num_samples 1 --duration 0.5 --output_dir out",
    "generate --model_path MODEL --num_samples 1 --duration 0.5 --output_dir out --focus_condition Rain",
    "session --model_path MODEL --minutes 0.1 --output_path out/s.flac",
    "evaluate --model_path MODEL --data_dir CORPUS --output_dir out --num_samples 2",
    f"{TRAIN} --init_from MODEL",
)
OF_TABLES = (
    *4 * ("prepare --data_dir corpus --output_dir out --num_workers 1",),
    f"{TRAIN.replace('CORPUS', 'corpus')} --from_scratch",
    "evaluate --model_path MODEL --data_dir corpus --output_dir out --num_samples 2",
)
OF_CACHE = ("prepare --data_dir CORPUS --output_dir out --num_workers 1", f"{TRAIN} --from_scratch --overwrite")


@dataclass(frozen=True)
class Case:
    """`arguments` are run in `folder / "here"`; they may write below its folders `out` and `data` only."""

    arguments: list[str]
    setup: str = ""


def case(command: str, **places: object) -> Case:
    """The words of `command`, with what stands for the capital ones."""
    return Case([str(places.get(word, word)) for word in command.split()], SMALL)


Make = Callable[[random.Random, Inputs, Path], Case]


def audio(rng: random.Random, whole: Inputs, here: Path) -> Case:
    suffix = rng.choice(list(FORMATS))
    subtype = rng.choice(FORMATS[suffix][1])
    plain = suffix in ENCODED or rng.random() < 0.6  # libsndfile's encoders crash on oddities
    rate = rng.choice((8000, 16000, 44100, 48000) if plain else ODD_RATES)
    channels = rng.choice((1, 1, 2) if plain else (1, 2, 3, 6, 8, 255))
    seconds = rng.choice((2.1, 2.5)) if rng.random() < 0.8 else rng.choice((0.0, 1 / rate, 0.01, 0.3, 1.0))
    length = min(200_000, round(seconds * rate)) // (channels if channels > 8 else 1)
    samples = noise(length, channels, rng.randrange(99))
    oddity = None if plain else rng.randrange(8)
    if oddity == 0 and len(samples):
        samples[rng.randrange(len(samples))] = rng.choice((np.nan, np.inf, -np.inf, 1e30, 1e-320, 4.0))
    elif oddity == 1:
        samples = samples * rng.choice((0.0, 1e-6, 1e-30, 3.3, 1e20)) + rng.choice((0.0, 0.9))
    content = sound_bytes(suffix, subtype, rate, samples)
    if rng.random() < 0.6:
        content = mangled(rng, content)
    elif suffix == "flac" and len(content) > 26 and rng.random() < 0.5:
        content = content[:21] + bytes([content[21] & 0xF0]) + bytes(4) + content[26:]  # streamed: names no length
    elif rng.random() < 0.1:
        suffix = rng.choice((*FORMATS, "raw", "txt", "json", "WAV"))
    folder = here / "in" if rng.random() < 0.7 else here / "in" / "Rain"
    folder.mkdir(parents=True)
    path = folder / (_odd_name(rng) if rng.random() < 0.15 else f"a.{suffix}")
    special = rng.randrange(40)
    if special == 0:
        os.mkfifo(path)
    elif special == 1:
        path.mkdir()
    elif special == 2:
        path.symlink_to(rng.choice(("/dev/zero", "/dev/full", "/nowhere", path.name, "/proc/self/mem")))
    else:
        path.write_bytes(content)
    if rng.random() < 0.5:
        os.link(whole.sound, folder / "good.wav")
    out = f"out/o.{rng.choice(('wav', 'flac', 'mp3', 'ogg', 'opus'))}"
    sham, mixed = whole.corpus / "FSD50K.dev_audio", here / "mixed.yaml"
    mixed.write_text(f"steps: [{{minute: 0, rate_hz: 6}}]\nmix: [{{file: {json.dumps(str(path))}, level_db: -6}}]\n")
    return case(rng.choice(OF_SOUND), FILE=path, OUT=out, FOLDER=folder, SHAM=sham, MIXED=mixed, MODEL=whole.model)


def _odd_name(rng: random.Random) -> str:
    return rng.choice(
        ("$$.wav", "$\\frac.wav", "-a.wav", " .wav", ".wav", "a\nb.wav", "\udcff\udcfe.wav", "x" * 251 + ".wav",
         "\u202eab.wav", "%s.wav", "{0}.wav", "a;b|c.wav", "\u96e8.wav", "a.wav.", "_.wav", "a=b.wav", "\x1b[31m.wav")
    )  # fmt: skip


def model(rng: random.Random, whole: Inputs, here: Path) -> Case:
    path = here / "m.safetensors"
    weights, described = whole.model.read_bytes(), json.loads(whole.model.with_suffix(".json").read_text())
    where = rng.randrange(4)
    if where == 0:
        weights = _odd_weights(rng, weights)
    elif where == 1:
        (size,) = struct.unpack("<Q", weights[:8])
        header = spoiled(rng, json.loads(weights[8 : 8 + size]))
        weights = struct.pack("<Q", len(header)) + header + weights[8 + size :]
    if (where == 0 and rng.random() < 0.8) or where == 1:
        described["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    text = json.dumps(described).encode()
    if where == 2:
        text = spoiled(rng, described)
    elif where == 3:
        part = rng.choice(("config", "profile", "attribution", "licences"))
        text = json.dumps({**described, part: "@"}).encode().replace(b'"@"', spoiled(rng, described[part]))
    path.write_bytes(weights if rng.random() < 0.9 else mangled(rng, weights))
    path.with_suffix(".json").write_bytes(text)
    return case(rng.choice(OF_MODEL), MODEL=path, CORPUS=whole.corpus)


def _odd_weights(rng: random.Random, encoded: bytes) -> bytes:
    tensors = safetensors.torch.load(encoded)
    for name in rng.sample(sorted(tensors), rng.randint(1, 3)):
        tensor, fault = tensors[name].clone(), rng.randrange(6)
        if fault == 0:
            del tensors[name]
        elif fault == 1:
            tensors[name] = tensor.to(
                rng.choice((torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool))
            )
        elif fault == 2:
            tensors[name] = tensor.reshape(-1)[: rng.randrange(1 + tensor.numel())].clone()
        elif fault == 3:
            tensors[f"{name}.more"] = tensor
        elif tensor.is_floating_point():
            value = rng.choice((float("nan"), float("inf"), 1e30, -1e30, -1.0, 1e-40))
            at = rng.randrange(max(1, tensor.numel()))
            tensor.reshape(-1)[at : None if fault == 4 else at + 1] = value
            tensors[name] = tensor
        else:
            tensors[name] = torch.full_like(tensor, rng.choice((-5, 99, 2**40)) if tensor.dtype == torch.int64 else 1)
    return safetensors.torch.save(tensors)


def tables(rng: random.Random, whole: Inputs, here: Path) -> Case:
    corpus = linked(whole.corpus, here / "corpus")
    for _ in range(rng.randint(1, 2)):
        path = rng.choice(sorted(path for path in corpus.rglob("*") if path.suffix in (".csv", ".json")))
        content = path.read_bytes()
        as_json = path.suffix == ".json" and rng.random() < 0.8 and content.startswith(b"{")
        try:
            replaced(path, spoiled(rng, json.loads(content)) if as_json else _odd_table(rng, content))
        except ValueError:  # spoiled twice
            replaced(path, mangled(rng, content))
    return case(rng.choice(OF_TABLES), MODEL=whole.model)


def _odd_table(rng: random.Random, content: bytes) -> bytes:
    fault = rng.randrange(8)
    lines = content.split(b"\n")
    if fault == 0:
        return content.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig", "utf-32", "cp037")))
    if fault == 1:
        return content.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\0\n", b"\n\n", b'"\n')))
    if fault == 2:
        return lines[0] + b"\n" + b"\n".join(rng.choices(lines, k=len(lines)))
    if fault == 3:
        return content.replace(b",", rng.choice((b";", b"\t", b",,", b'","')))
    if fault in (4, 5):
        cells = [line.split(b",") for line in lines]
        cell = rng.choice(rng.choice(cells))
        value = str(rng.choice([value for value in VALUES if isinstance(value, str)])).encode("utf-8", "surrogatepass")
        return content.replace(cell, value) if cell else content + value
    if fault == 6:
        return lines[0] + b"\n" + b"x" * rng.choice((200_000, 3_000_000)) + b"\n" + content
    return mangled(rng, content)


def cache(rng: random.Random, whole: Inputs, here: Path) -> Case:
    run = linked(whole.run, here / "out")
    folder = next(path for path in (run / "prepared").iterdir() if path.is_dir())
    path = folder / rng.choice(("index.json", "samples.f32"))
    special = rng.randrange(10)
    if special == 0:
        path.unlink()
    elif special == 1:
        path.unlink()
        rng.choice((path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero")))()
    elif path.suffix == ".json" and rng.random() < 0.8:
        replaced(path, spoiled(rng, json.loads(path.read_bytes())))
    elif rng.random() < 0.5:
        samples = np.frombuffer(path.read_bytes()[: path.stat().st_size // 4 * 4], "<f4").copy()
        samples[rng.randrange(len(samples)) :: rng.choice((1, 1000, 10**9))] = rng.choice((np.nan, np.inf, 1e30, 0.0))
        replaced(path, samples.tobytes())
    else:
        replaced(path, mangled(rng, path.read_bytes()))
    return case(rng.choice(OF_CACHE), CORPUS=whole.corpus)


def checkpoints(rng: random.Random, whole: Inputs, here: Path) -> Case:
    run = linked(whole.run, here / "out")
    path = run / "checkpoints" / "latest.pt"
    fault = rng.randrange(5)
    if fault == 0:
        replaced(path, mangled(rng, path.read_bytes()))
    elif fault == 1:
        replaced(path, pickle.dumps(rng.choice(VALUES)))
    elif fault == 2:
        path.unlink()
        rng.choice((path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("latest.pt"), lambda: None))()
    else:
        state = torch.load(path, weights_only=True)
        holder, key = state, rng.choice(list(state))
        while isinstance(holder[key], dict) and holder[key] and rng.random() < 0.6:
            holder = holder[key]
            key = rng.choice(list(holder))
        if fault == 3:
            del holder[key]
        else:
            tensors = (torch.zeros(0), torch.full((3,), torch.nan), torch.ones(2, dtype=torch.int64))
            holder[key] = rng.choice((*(value for value in VALUES if value != 10**400), *tensors))
        path.unlink()
        torch.save(state, path)
    return case(f"{TRAIN} --resume", CORPUS=whole.corpus)


def archives(rng: random.Random, whole: Inputs, here: Path) -> Case:
    return Case(*hostile_fetch(rng, here))


KINDS: dict[str, tuple[Make, int, int]] = {
    # cases in all, and those that run with the other tests
    "audio files": (audio, 720, 12),
    "model .safetensors and .json": (model, 490, 8),
    "CSV and JSON metadata": (tables, 150, 3),
    "prepared cache": (cache, 60, 1),
    "schedules": (lambda rng, whole, here: Case(schedules(rng, whole, here)), 160, 6),
    "command-line values": (lambda rng, whole, _: Case(arguments(rng, whole), SMALL), 500, 10),
    "zip archives": (archives, 130, 4),
    "checkpoints": (checkpoints, 60, 1),
}
