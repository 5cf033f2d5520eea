"""Single clips of FSD50K from the Hugging Face hub, where the data set Fhrozen/FSD50k has them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ctxaudio.data.fsd50k import Subset
from ctxaudio.fetch.network import Network

REPOSITORY = "Fhrozen/FSD50k"
_FILES_A_REQUEST = 500


class HubFile(NamedTuple):
    """A file of the repository: its path there, bytes and sha256 (hex)."""

    path: str
    size: int
    sha256: str


class Hub:
    """The repository at its latest commit, so that nothing changes under a fetch. All methods raise as `Network`'s."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._api = f"{network.hub}/api/datasets/{REPOSITORY}"

    @cached_property
    def commit(self) -> str:
        """The hash of the latest commit."""
        return self.network.ask("GET", self._api, lambda answer: str(answer["sha"]))

    def look_up(self, paths: Sequence[str]) -> dict[str, HubFile]:
        """Size and sha256 of those of `paths` that are in the repository."""
        found: dict[str, HubFile] = {}
        for start in range(0, len(paths), _FILES_A_REQUEST):
            asked = {"paths": paths[start : start + _FILES_A_REQUEST]}
            found |= self.network.ask("POST", f"{self._api}/paths-info/{self.commit}", _files, data=asked)
        return found

    def download(self, file: HubFile, folder: Path) -> Path:
        """Bring a file to `folder`; raises `DigestError` where what arrives is not what the hub describes, twice."""
        url = f"{self.network.hub}/datasets/{REPOSITORY}/resolve/{self.commit}/{quote(file.path)}"
        self.network.download(url, folder / file.path, file.size, file.sha256)
        return folder / file.path


def hub_path(clip_id: str, subset: Subset) -> str:
    """Where a clip lies in the repository.

    >>> hub_path("64760", "dev")
    'clips/dev/64760.wav'
    """
    return f"clips/{subset}/{clip_id}.wav"


def _files(answer: Any) -> dict[str, HubFile]:
    return {file["path"]: HubFile(file["path"], file["size"], file["lfs"]["oid"]) for file in answer}
