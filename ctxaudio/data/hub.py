"""Single clips of FSD50K from the Hugging Face hub, through huggingface_hub.

The data set repository Fhrozen/FSD50k holds a copy of the Zenodo record with every clip as a file of its own, which
the record (split archives) has not. `HF_ENDPOINT` in the environment stands in for the hub. No account is needed.
"""

from __future__ import annotations

import errno
import hashlib
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub import HfApi, close_session, constants, get_session, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.hf_api import RepoFile
from tqdm import tqdm

from ctxaudio.data.download import PATIENCE, Patience
from ctxaudio.data.fsd50k import Subset
from ctxaudio.errors import ClipError, CtxAudioError
from ctxaudio.version import __version__

REPOSITORY = "Fhrozen/FSD50k"
_FILES_A_REQUEST = 500
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class HubFile:
    """A file of the repository: its path there, bytes and sha256 (hex)."""

    path: str
    size: int
    sha256: str


class _NoBar(tqdm):
    """huggingface_hub shows a bar a file; `fetch` has one for all."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **{**named, "disable": True})


class Hub:
    """The repository at one commit, so that nothing changes under a fetch. `endpoint` None: the hub, or `HF_ENDPOINT`.

    Every method raises `CtxAudioError` where the hub can't be reached or refuses, after as many attempts as
    `patience` allows (huggingface_hub makes five of its own for each).
    """

    def __init__(self, endpoint: str | None = None, patience: Patience = PATIENCE, progress: bool = True) -> None:
        constants.HF_HUB_DISABLE_TELEMETRY = True  # else every request tells which torch runs here
        warnings.filterwarnings("ignore", "Not enough free disk space", module="huggingface_hub")  # the error says so
        self.endpoint = endpoint or constants.ENDPOINT
        self.patience = patience
        self.progress = progress
        self._api = HfApi(self.endpoint, token=False, library_name="ctxaudio", library_version=__version__)
        self._commit = ""

    @property
    def commit(self) -> str:
        """The hash of the repository's latest commit, asked for once."""
        if not self._commit:
            about = self._patiently("", lambda: self._asking().dataset_info(REPOSITORY, expand=["sha"]))
            if not about.sha:
                raise CtxAudioError(f"{self.endpoint} does not say which commit of {REPOSITORY} is the latest")
            self._commit = about.sha
        return self._commit

    def look_up(self, paths: Sequence[str]) -> dict[str, HubFile]:
        """Size and sha256 of those of `paths` that are in the repository."""
        found = {}
        for start in range(0, len(paths), _FILES_A_REQUEST):
            some = list(paths[start : start + _FILES_A_REQUEST])
            for about in self._patiently("", lambda some=some: self._paths_info(some)):  # type: ignore[misc]
                if isinstance(about, RepoFile) and about.lfs is not None:
                    found[about.path] = HubFile(about.path, about.size, about.lfs.sha256)
        return found

    def download(self, file: HubFile, folder: Path) -> Path:
        """Bring a file to `folder` (where huggingface_hub keeps notes beside it) and check its sha256.

        A file that is there already, whole, is not fetched again. Raises `ClipError` where it is not in the
        repository, or what arrives is not what the hub describes, twice.
        """
        path, found = folder / file.path, ""
        for _ in range(2):
            # The library would go by its notes, and a kill may have cut these short beside a file that is whole.
            if not (path.is_file() and sha256_of(path) == file.sha256):
                path = self._patiently(file.path, lambda: self._download(file, folder))
            found = sha256_of(path)
            if found == file.sha256:
                return path
            path.unlink()
        raise ClipError(f"{file.path}: arrived with sha256 {found[:12]}..., not {file.sha256[:12]}..., twice")

    def _download(self, file: HubFile, folder: Path) -> Path:
        return Path(
            hf_hub_download(
                REPOSITORY,
                file.path,
                repo_type="dataset",
                revision=self.commit,
                local_dir=folder,
                etag_timeout=self.patience.silence_s,
                endpoint=self.endpoint,
                token=False,
                library_name="ctxaudio",
                library_version=__version__,
                tqdm_class=_NoBar,
            )
        )

    def _paths_info(self, paths: list[str]) -> list[object]:
        return list(self._asking().get_paths_info(REPOSITORY, paths, repo_type="dataset", revision=self.commit))

    def _asking(self) -> HfApi:
        get_session().timeout = httpx2.Timeout(self.patience.silence_s)  # the library's own is: for ever
        return self._api

    def _patiently(self, path: str, call: Callable[[], Answer]) -> Answer:
        """`call`, once more after a wait where the hub is busy or the connection breaks."""
        where = f"{self.endpoint}/datasets/{REPOSITORY}" + (f" {path}" if path else "")
        for attempt in range(1, self.patience.attempts + 1):
            wait_s = min(self.patience.first_wait_s * 2 ** (attempt - 1), self.patience.longest_wait_s)
            try:
                return call()
            except LocalEntryNotFoundError as error:  # the library gives up on finding out about the file
                raise CtxAudioError(f"{where}: {_reason(error.__cause__ or error)}; {_GO_ON}") from error
            except EntryNotFoundError as error:
                raise ClipError(f"{path}: not in the repository {REPOSITORY}") from error
            except HfHubHTTPError as error:
                if error.response.status_code not in _RETRIED or attempt == self.patience.attempts:
                    raise CtxAudioError(f"{where}: {_reason(error)}; {_GO_ON}") from error
                asked = error.response.headers.get("Retry-After", "")
                wait_s = min(float(asked), self.patience.longest_asked_s) if asked.isdecimal() else wait_s
            except (httpx2.HTTPError, RuntimeError) as error:
                if isinstance(error, RuntimeError):  # another thread met a broken connection and closed the client
                    if "closed" not in str(error):
                        raise
                    close_session()
                if attempt == self.patience.attempts:
                    raise CtxAudioError(f"{where}: {_reason(error)}; {_GO_ON}") from error
            except OSError as error:
                if error.errno is not None:
                    reason = error.strerror or str(error)
                    mend = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "mend that"
                    raise CtxAudioError(f"can't write {path}: {reason}; {mend} and start again") from error
                if attempt == self.patience.attempts:  # the library's word for a file of another size
                    raise CtxAudioError(f"{where}: {error}; {_GO_ON}") from error
            if self.progress:
                tqdm.write(f"{where} is busy or away; trying again in {wait_s:.0f} s", file=sys.stderr)
            time.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")


_GO_ON = "start again later, what has come is kept"


def _reason(error: BaseException) -> str:
    if isinstance(error, HfHubHTTPError):
        return f"the hub answers {error.response.status_code} {error.response.reason_phrase}"
    if isinstance(error, httpx2.TimeoutException):
        return "the hub is silent"
    if isinstance(error, httpx2.HTTPError):
        return f"no connection ({error})"
    return str(error).splitlines()[0]


def hub_path(clip_id: str, subset: Subset) -> str:
    """Where a clip lies in the repository.

    >>> hub_path("64760", "dev")
    'clips/dev/64760.wav'
    """
    return f"clips/{subset}/{clip_id}.wav"


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hex; raises `CtxAudioError` where it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CtxAudioError(f"can't read {path}: {error.strerror}") from error
