"""The Hugging Face hub's answers for a data set of clips, as routes for `LoopbackServer`.

Found by watching huggingface_hub 2.4 talk: the commit (GET /api/datasets/REPO), sizes and sha256 of files
(POST .../paths-info/COMMIT), and each file as .../resolve/COMMIT/PATH, which redirects to another host
(localhost in place of 127.0.0.1, as the hub to its CDN), where GET brings the bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs

from loopback import Request, Response, Route

REPO = "Fhrozen/FSD50k"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def hub_path(clip_id: str, subset: str = "dev") -> str:
    return f"clips/{subset}/{clip_id}.wav"


def cdn_path(content: bytes | Path) -> str:
    """Where GETs of a file arrive: what `LoopbackServer.fail` is told."""
    return f"/cdn/{_sha256(content)}"


def resolve_path(path: str) -> str:
    """Where the first request for a file arrives."""
    return f"/datasets/{REPO}/resolve/{COMMIT}/{path}"


def hub_routes(files: Mapping[str, bytes | Path]) -> dict[str, Route]:
    """Routes that serve `files` ({path in the repository: content})."""
    described = {path: _about(path, content) for path, content in files.items()}

    def paths_info(request: Request) -> Response:
        asked = parse_qs(request.body.decode()).get("paths", [])  # none where the client broke off
        return _json([described[path] for path in asked if path in described])

    routes: dict[str, Route] = {
        f"/api/datasets/{REPO}": lambda request: _json({"id": REPO, "sha": COMMIT}),
        f"/api/datasets/{REPO}/paths-info/{COMMIT}": paths_info,
    }
    for path, content in files.items():
        oid = described[path]["lfs"]["oid"]
        routes[resolve_path(path)] = _redirect(f"/cdn/{oid}", oid, described[path]["size"])
        routes[f"/cdn/{oid}"] = content
    return routes


def _redirect(to: str, oid: str, size: int) -> Route:
    def answer(request: Request) -> Response:
        port = request.headers["Host"].rpartition(":")[2]
        headers = {
            "Location": f"http://localhost:{port}{to}",
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{oid}"',
            "X-Linked-Size": str(size),
        }
        return Response(status=302, headers=headers)

    return answer


def _about(path: str, content: bytes | Path) -> dict[str, object]:
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    oid = _sha256(content)
    return {
        "type": "file",
        "path": path,
        "size": size,
        "oid": oid[:40],
        "lfs": {"oid": oid, "size": size, "pointerSize": 131},
    }


def _sha256(content: bytes | Path) -> str:
    return hashlib.sha256(content.read_bytes() if isinstance(content, Path) else content).hexdigest()


def _json(content: object) -> Response:
    return Response(json.dumps(content).encode(), headers={"Content-Type": "application/json"})
