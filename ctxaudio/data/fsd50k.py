"""FSD50K's index: which clips there are, their labels, split, title, uploader and licence.

Fonseca et al. 2022, IEEE/ACM TASLP 30:829-852, arXiv:2010.00475; Zenodo 4060432.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.files import child_path, read_json, why_unreadable
from ctxaudio.options import listed

Subset = Literal["dev", "eval"]
Ratings = Mapping[str, Mapping[str, Sequence[float]]]  # clip id -> AudioSet id -> votes

#: Short names, and what they ask for.
LICENCES = {
    "cc0": "CC0 (no credit needed, given all the same)",
    "cc-by": "CC BY (credit the uploader)",
    "cc-by-nc": "CC BY-NC (credit the uploader; not for commercial use)",
    "sampling+": "Sampling+ (credit the uploader; for parts and mixes; not in advertising)",
    "unknown": "Other or unknown licences",
}
#: May be used for anything, CC-BY with the credit that ATTRIBUTION.md gives.
DEFAULT_LICENCES = ("cc0", "cc-by")
FSD50K_CREDIT = (
    "Clips of FSD50K (Eduardo Fonseca, Xavier Favory, Jordi Pons, Frederic Font, Xavier Serra: FSD50K: an Open Dataset "
    "of Human-Labeled Sound Events, IEEE/ACM TASLP 30:829-852, 2022, https://doi.org/10.5281/zenodo.4060432), a data "
    "set under CC BY 4.0 of recordings from Freesound, each under its uploader's licence as listed here."
)
RATINGS, _TABLE = "pp_pnp_ratings_FSD50K.json", "FSD50K.ground_truth/{}.csv"
_LAYOUT = (
    "an FSD50K folder holds FSD50K.dev_audio/*.wav, FSD50K.ground_truth/dev.csv (fname,labels,mids,split), "
    "and, if wanted, FSD50K.metadata/ (the same with eval)"
)


@dataclass(frozen=True)
class Clip:
    """One row of the index. `labels` are in row order: leaves first, then their parents; `split` train, val or eval.

    `start` and `stop` are the part of the file that is meant, in sample frames (None: to its end). A selected clip
    has the index of its `condition`, a prepared one its place among `PreparedClips.samples`, `offset` and `length`, one
    that is not used the `reason`.
    """

    clip_id: str
    path: Path
    labels: tuple[str, ...] = ()
    split: str = "train"
    title: str = ""
    uploader: str = ""
    licence: str = "unknown"
    start: int = 0
    stop: int | None = None
    condition: int = -1
    offset: int = 0
    length: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Index:
    """All rows of a subset, of which with `on_disk` only those are of use whose clip lies there; the AudioSet id of
    each label, if known; and where this was read. A row has a `reason` not to be used where its file name points
    outside the audio folder or came before."""

    clips: tuple[Clip, ...]
    vocabulary: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    on_disk: bool = False


def is_fsd50k(data_dir: Path) -> bool:
    """Whether `data_dir` has the audio folder and the ground truth of FSD50K's dev set."""
    return audio_folder(data_dir, "dev").is_dir() and (data_dir / _TABLE.format("dev")).is_file()


def audio_folder(data_dir: Path, subset: Subset) -> Path:
    """Where the clips of a subset lie, `FSD50K.dev_audio` or `FSD50K.eval_audio`."""
    return data_dir / f"FSD50K.{subset}_audio"


def read_index(data_dir: Path, subset: Subset = "dev", on_disk: bool = True) -> Index:
    """Read the ground truth and metadata of `subset` under `data_dir`, without opening any clip.

    Without the metadata file titles and uploaders are empty and licences "unknown". Unless `on_disk`, the tables are
    enough, as before a fetch. Raises `CtxAudioError` for a folder that is not laid out as FSD50K, a CSV without the
    needed columns or with a damaged row, and a label that is not in `vocabulary.csv` (where that file is there).
    """
    table, folder = data_dir / _TABLE.format(subset), audio_folder(data_dir, subset)
    if not data_dir.is_dir():
        raise CtxAudioError(f"{data_dir}: no such folder; {_LAYOUT}")
    for path, there in ((folder, folder.is_dir() or not on_disk), (table, table.is_file())):
        if not there:
            raise CtxAudioError(f"{path.relative_to(data_dir)} is missing in {data_dir}; {_LAYOUT}")
    path = table.with_name("vocabulary.csv")
    rows = _read_csv(path, "index", "label", "mid", header=False) if path.exists() else ()
    vocabulary = {row["label"]: row["mid"] for _, row in rows}
    path = data_dir / "FSD50K.metadata" / f"{subset}_clips_info_FSD50K.json"
    metadata = read_json(path) if path.exists() else {}
    clips, seen = list[Clip](), set[str]()
    for where, row in _read_csv(table, "fname", "labels", *(["split"] if subset == "dev" else [])):
        clip_id, split, labels = row["fname"], row["split"] if subset == "dev" else "eval", listed(row["labels"])
        if vocabulary and (unknown := sorted(set(labels) - vocabulary.keys())):
            raise CtxAudioError(f"{where}: {', '.join(unknown)} not in vocabulary.csv; mend the label or the list")
        if subset == "dev" and split not in ("train", "val"):
            raise CtxAudioError(f"{where}: split {split!r} is neither train nor val")
        if not isinstance(about := metadata.get(clip_id, {}), dict):
            raise CtxAudioError(f"{path}: the entry of clip {clip_id} is not a JSON object")
        given = about.get("title", ""), about.get("uploader", ""), about.get("license") or "unknown"
        # A lone surrogate (half an emoji, cut off) becomes a question mark.
        title, uploader, licence = (str(value).encode("utf-8", "replace").decode("utf-8") for value in given)
        try:
            file = child_path(folder, clip_id and f"{clip_id}.wav")
            reason = "listed twice: the first row counts" if clip_id in seen else ""
        except ClipError as error:
            file, reason = folder, str(error)
        clips.append(Clip(clip_id, file, labels, split, title, uploader, licence, reason=reason))
        seen.add(clip_id)
    return Index(tuple(clips), vocabulary, data_dir, on_disk)


def read_ratings(index: Index) -> Ratings:
    """What the annotators voted, in dev and eval alike: 1 is present and predominant, 0.5 present but not predominant,
    0 unsure, -1 not present. Raises `CtxAudioError` where the file or the vocabulary is missing or damaged."""
    if index.folder is None or not index.vocabulary:
        raise CtxAudioError("ratings go by AudioSet ids: FSD50K.ground_truth/vocabulary.csv is needed for them")
    path = index.folder / "FSD50K.metadata" / RATINGS
    if not path.exists():
        raise CtxAudioError(f"{path} is missing: it has the ratings; do without them")
    ratings = read_json(path)
    for clip_id, votes in ratings.items():
        if not isinstance(votes, dict) or not all(isinstance(given, list) for given in votes.values()):
            raise CtxAudioError(f"{path}: the entry of clip {clip_id} is not a table of votes: fetch the file again")
    return ratings


def _read_csv(path: Path, *columns: str, header: bool = True) -> Iterator[tuple[str, dict[str, str]]]:
    """Where each row stands, and its values: at least `columns` (without `header` just these)."""
    if reason := why_unreadable(path):
        raise CtxAudioError(f"can't read {path}: {reason}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, None if header else columns, strict=True)
            names = reader.fieldnames or ()
            if missing := [column for column in columns if column not in names]:
                has = f"it has {', '.join(names) or 'none'}"
                raise CtxAudioError(f"{path} lacks the column(s) {', '.join(missing)}; {has}")
            for row in reader:
                where = f"{path} line {reader.line_num}"
                if None in row or None in row.values():
                    wrong = f"doesn't have {len(names)} fields ({', '.join(names)})"
                    raise CtxAudioError(f"{where} {wrong}: fetch the file again")
                yield where, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise CtxAudioError(f"{path} is not a UTF-8 CSV file: {error}") from error


def licence_name(uri: str) -> str:
    """The short name of a licence URI, one of `LICENCES`: any Creative Commons version, http or https. Every other
    licence, by-sa and by-nc-nd among them, is "unknown"."""
    pattern = r"https?://(?:www\.)?creativecommons\.org/(?:publicdomain|licenses)/([^/?#]+)(?:[/?#].*)?"
    match = re.fullmatch(pattern, unquote(uri).strip().lower())
    names = {"zero": "cc0", "by": "cc-by", "by-nc": "cc-by-nc", "sampling+": "sampling+"}
    return names.get(match[1] if match else "", "unknown")
