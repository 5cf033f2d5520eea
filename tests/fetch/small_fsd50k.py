"""A small FSD50K as both its sources serve it: tables as Zenodo's zips, clips as files of the hub."""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from hub_layout import hub_path, hub_routes
from loopback import LoopbackServer, Route
from zenodo_layout import told_of

from ctxaudio.fetch.network import Network
from ctxaudio.fetch.zenodo import FSD50K_RECORD, RECORD_ID, Archive

CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"
BY = "http://creativecommons.org/licenses/by/3.0/"
NC = "http://creativecommons.org/licenses/by-nc/3.0/"


@dataclass(frozen=True)
class Row:
    """A clip as the tables and the hub have it."""

    clip_id: str
    labels: str
    split: str = "train"
    uploader: str = ""
    licence: str = CC0
    content: bytes = b""
    votes: tuple[float, ...] = (1.0, 1.0)
    on_hub: bool = True


def wav(seconds: float = 0.4, seed: int = 0, sample_rate: int = 44100, channels: int = 1, kind: str = "WAV") -> bytes:
    """Noise as the bytes of a 16-bit sound file."""
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, (round(seconds * sample_rate), channels))
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, sample_rate, "PCM_16", format=kind)
    return encoded.getvalue()


def sleep_rows(per_condition: int = 4, conditions: Sequence[str] = ("Rain", "Wind", "Cricket")) -> list[Row]:
    """Clips of three conditions: each of another uploader, one in four val, CC0 and CC-BY in turn."""
    return [
        Row(
            clip_id=str(1000 * (c + 1) + i),
            labels=label,
            split="val" if i % 4 == 3 else "train",
            uploader=f"{label.lower()} {i}",
            licence=BY if i % 2 else CC0,
            content=wav(0.4 + 0.01 * i, seed=100 * c + i),
        )
        for c, label in enumerate(conditions)
        for i in range(per_condition)
    ]


@dataclass(frozen=True)
class SmallFSD50K:
    """`record` stands in for FSD50K's; `routes` is what the server serves."""

    record: dict[str, Archive]
    routes: dict[str, Route]
    rows: tuple[Row, ...]

    def content(self, clip_id: str) -> bytes:
        return next(row.content for row in self.rows if row.clip_id == clip_id)


def small_fsd50k(rows: Sequence[Row], folder: Path, eval_rows: Sequence[Row] = ()) -> SmallFSD50K:
    """Serve these rows; the zips of the tables are written to `folder`."""
    tables = {"FSD50K.ground_truth": _ground_truth(rows, eval_rows), "FSD50K.metadata": _metadata(rows, eval_rows)}
    record = FSD50K_RECORD
    routes: dict[str, Route] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for field in ("ground_truth", "metadata"):
        name = f"FSD50K.{field}"
        path = folder / f"{name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, text in tables[name].items():
                archive.writestr(f"{name}/{member}", text)
        record = {**record, field: told_of(record[field], [path])}
        routes[f"/records/{RECORD_ID}/files/{path.name}"] = path
    files = {
        hub_path(row.clip_id, subset): row.content
        for subset, listed in (("dev", rows), ("eval", eval_rows))
        for row in listed
        if row.on_hub
    }
    return SmallFSD50K(record, {**routes, **hub_routes(files)}, (*rows, *eval_rows))


def quick(server: LoopbackServer, silence_s: float = 2.0, attempts: int = 3) -> Network:
    """A network that is `server` alone and gives up soon."""
    waits = {"first_wait_s": 0.01, "longest_wait_s": 0.02, "longest_asked_s": 0.02, "silence_s": silence_s}
    return Network(server.url, server.url, progress=False, attempts=attempts, **waits)


def script_of(small: SmallFSD50K, server: LoopbackServer, arguments: Sequence[str], before: str = "") -> list[str]:
    """A command that runs `ctxaudio fetch` with `arguments` in a process of its own, against `server`."""
    zips = {
        field: (str(small.routes[f"/records/{RECORD_ID}/files/FSD50K.{field}.zip"]))
        for field in ("ground_truth", "metadata")
    }
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
os.environ.update(ZENODO_ENDPOINT={server.url!r}, HF_ENDPOINT={server.url!r}, NO_PROXY="127.0.0.1,localhost")
from pathlib import Path
from zenodo_layout import told_of
from ctxaudio.fetch import zenodo
zips = {zips!r}
zenodo.FSD50K_RECORD = {{k: told_of(zenodo.FSD50K_RECORD[k], [Path(zips[k])]) for k in zips}}
{before}
from ctxaudio.cli import main
sys.exit(main(["fetch", *{list(arguments)!r}]))
"""
    return [sys.executable, "-c", code]


def _ground_truth(rows: Sequence[Row], eval_rows: Sequence[Row]) -> dict[str, str]:
    dev, evaluation = io.StringIO(), io.StringIO()
    writer = csv.writer(dev)
    writer.writerow(["fname", "labels", "mids", "split"])
    writer.writerows([row.clip_id, row.labels, "/m/0", row.split] for row in rows)
    writer = csv.writer(evaluation)
    writer.writerow(["fname", "labels", "mids"])
    writer.writerows([row.clip_id, row.labels, "/m/0"] for row in eval_rows)
    labels = sorted({label for row in (*rows, *eval_rows) for label in row.labels.split(",")})
    vocabulary = "".join(f"{i},{label},{_mid(label)}\n" for i, label in enumerate(labels))
    return {"dev.csv": dev.getvalue(), "eval.csv": evaluation.getvalue(), "vocabulary.csv": vocabulary}


def _metadata(rows: Sequence[Row], eval_rows: Sequence[Row]) -> dict[str, str]:
    def about(row: Row) -> dict[str, object]:
        title = f"{row.labels} [{row.clip_id}]"
        return {"title": title, "description": "", "tags": [], "license": row.licence, "uploader": row.uploader}

    return {
        "dev_clips_info_FSD50K.json": json.dumps({row.clip_id: about(row) for row in rows}),
        "eval_clips_info_FSD50K.json": json.dumps({row.clip_id: about(row) for row in eval_rows}),
        "pp_pnp_ratings_FSD50K.json": json.dumps(
            {row.clip_id: {_mid(row.labels.split(",")[0]): row.votes} for row in (*rows, *eval_rows)}
        ),
    }


def _mid(label: str) -> str:
    return f"/m/{label.lower()}"
