"""A small FSD50K record as Zenodo would serve it: split zips of real recordings, their sizes and md5, and routes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from split_archives import SMALLEST_PART, write_split_zip

from ctxaudio.fetch.zenodo import FSD50K_RECORD, RECORD_ID, Archive, Part
from ctxaudio.signal.audio import write_audio

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"


@dataclass(frozen=True)
class ZenodoLayout:
    """`record` is what the fetch is told, `folder` the unpacked original, `routes` what the server serves."""

    record: dict[str, Archive]
    folder: Path
    routes: dict[str, Path]

    def route(self, name: str) -> str:
        return f"/records/{RECORD_ID}/files/{name}"

    def archives(self, subsets: Sequence[str] = ("dev", "eval")) -> list[Archive]:
        return [self.record[name] for name in ("ground_truth", "metadata", "doc", *(f"{s}_audio" for s in subsets))]


def write_source(folder: Path, clips: int) -> Path:
    """An FSD50K folder of `clips` dev and half as many eval clips: the shortest real ones, or noise without them."""
    rng = np.random.default_rng(0)
    for subset, count in (("dev", clips), ("eval", clips // 2)):
        audio = folder / f"FSD50K.{subset}_audio"
        audio.mkdir(parents=True)
        recorded = sorted((RECORDINGS / audio.name).glob("*.wav"), key=lambda path: path.stat().st_size)
        for path in [path for path in recorded if path.stat().st_size > 20_000][:count]:
            shutil.copyfile(path, audio / path.name)
        for number in range(count - len(list(audio.iterdir()))):
            noise = rng.uniform(-0.5, 0.5, 10_000 + 3_000 * number).astype(np.float32)
            write_audio(audio / f"{1000 + number}.wav", noise, 44100)
    names = {
        subset: sorted(p.stem for p in (folder / f"FSD50K.{subset}_audio").iterdir()) for subset in ("dev", "eval")
    }
    truth, metadata, doc = (folder / f"FSD50K.{name}" for name in ("ground_truth", "metadata", "doc"))
    for made in (truth, metadata / "collection", doc):
        made.mkdir(parents=True)
    dev_rows = [f'{name},"Rain,Water","/m/06mb1,/m/0838f",train' for name in names["dev"]]
    (truth / "dev.csv").write_text("\n".join(["fname,labels,mids,split", *dev_rows]) + "\n")
    eval_rows = [f'{name},"Rain,Water","/m/06mb1,/m/0838f"' for name in names["eval"]]
    (truth / "eval.csv").write_text("\n".join(["fname,labels,mids", *eval_rows]) + "\n")
    (truth / "vocabulary.csv").write_text("0,Rain,/m/06mb1\n1,Water,/m/0838f\n")
    about = {"title": "rain", "uploader": "ann", "license": "http://creativecommons.org/publicdomain/zero/1.0/"}
    for subset, listed in names.items():
        content = json.dumps(dict.fromkeys(listed, about))
        (metadata / f"{subset}_clips_info_FSD50K.json").write_text(content)
    (metadata / "pp_pnp_ratings_FSD50K.json").write_text("{}")
    (metadata / "collection" / "collection_dev.csv").write_text("fname,labels\n")
    (doc / "README.md").write_text("FSD50K\n")
    return folder


def write_zenodo_layout(folder: Path, clips: int = 10, part_bytes: int = SMALLEST_PART) -> ZenodoLayout:
    """Zip `clips` dev clips (and half as many eval clips) with the tables into `folder`, audio split."""
    source = write_source(folder / "source", clips)
    routes: dict[str, Path] = {}
    archives = {}
    for key in ("dev_audio", "eval_audio", "ground_truth", "metadata", "doc"):
        real = FSD50K_RECORD[key]
        size = part_bytes if key.endswith("audio") else None
        paths = write_split_zip(folder / "served", real.name, source, size)
        archives[key] = told_of(real, paths)
        routes |= {f"/records/{RECORD_ID}/files/{path.name}": path for path in paths}
    return ZenodoLayout(archives, source, routes)


def told_of(archive: Archive, paths: Sequence[Path]) -> Archive:
    """`archive` with the sizes and md5 of these parts, and the bound on what they unpack to."""
    contents = [path.read_bytes() for path in paths]
    parts = (
        Part(path.name, len(content), hashlib.md5(content).hexdigest())
        for path, content in zip(paths, contents, strict=True)
    )
    return archive._replace(parts=tuple(parts), unpacked_bytes=64 << 20)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its content, hidden folders aside."""
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(".")}
