"""A file server on loopback that can be told to fail: what the tests of every download talk to.

    with LoopbackServer({"/files/a.zip": path, "/api/": answer}) as server:
        server.fail("/files/a.zip", CutAfter(1000), Status(503, retry_after=0))
        requests.get(server.url + "/files/a.zip")      # cut after 1000 bytes
        server.sent("/files/a.zip")                    # 1000

A route is bytes, a file, or a function of the `Request`; its answer is bytes, a file or a `Response`. A key that
ends in "/" serves every path below it that has no route of its own. The query string takes no part in routing.
The faults (CutAfter, Status, WrongByte, Stall, IgnoreRange) can be imported from here too.
"""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from faults import CutAfter, Fault, IgnoreRange, Stall, Status, WrongByte

_CHUNK = 1 << 16
_IDLE_S = 30.0
_LONGEST_REQUEST = 1 << 24


@dataclass
class Request:
    """One request as the server saw it; `sent` grows while the body (without headers) leaves."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes = b""
    status: int = 0
    sent: int = 0
    at: float = field(default_factory=time.monotonic)

    @property
    def range(self) -> str | None:
        """The `Range` header, None without one."""
        return self.headers.get("Range")


@dataclass(frozen=True)
class Response:
    """An answer with headers of its own: they win over those the server sets (ETag, Content-Type)."""

    body: bytes | Path = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = bytes | Path | Response
Route = bytes | Path | Response | Callable[[Request], Answer]


class LoopbackServer:
    """Serves `routes` on 127.0.0.1 at `url` (a free port, or `port`) while the context lasts; see the module.

    `log` holds every request in order of arrival. An error inside a route is raised when the context ends.
    """

    def __init__(self, routes: Mapping[str, Route], port: int = 0) -> None:
        self.routes = dict(routes)
        self.log: list[Request] = []
        self.errors: list[BaseException] = []
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._faults: dict[str, deque[Fault]] = {}
        self._server = _Server(port, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self.errors:
            raise self.errors[0]

    def close(self) -> None:
        """Stop serving: stalls end, open connections break. Twice is harmless."""
        if self.closing.is_set():
            return
        self.closing.set()
        self._server.shutdown()
        self._server.break_connections()
        self._server.server_close()
        self._thread.join()

    def fail(self, path: str, *faults: Fault) -> None:
        """The next GETs of `path` meet these faults, one each, in this order."""
        with self.lock:
            self._faults.setdefault(path, deque()).extend(faults)

    def next_fault(self, path: str) -> Fault | None:
        with self.lock:
            waiting = self._faults.get(path)
            return waiting.popleft() if waiting else None

    def requests_of(self, path: str, method: str = "GET") -> list[Request]:
        with self.lock:
            return [request for request in self.log if request.path == path and request.method == method]

    def sent(self, path: str | None = None) -> int:
        """Body bytes sent so far for `path`, or for all."""
        with self.lock:
            return sum(request.sent for request in self.log if path in (None, request.path))

    def route_of(self, path: str) -> Route | None:
        if path in self.routes:
            return self.routes[path]
        folders = [key for key in self.routes if key.endswith("/") and path.startswith(key)]
        return self.routes[max(folders, key=len)] if folders else None


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    block_on_close = True
    request_queue_size = 64

    def __init__(self, port: int, owner: LoopbackServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's asks the resolver for the host's name
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.owner.lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.owner.lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        with self.owner.lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was quicker

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet: `_Handler` keeps what matters in `LoopbackServer.errors`."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *message: Any) -> None:
        """Quiet: the log is `LoopbackServer.log`."""

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        owner = self.server.owner
        url = urlsplit(self.path)
        request = Request(self.command, unquote(url.path), parse_qs(url.query), self.headers)
        with owner.lock:
            owner.log.append(request)
        try:
            length = int(self.headers.get("Content-Length") or 0)
            if length > _LONGEST_REQUEST:
                self.close_connection = True
                return self._send(request, Response(status=413), None)
            request.body = self.rfile.read(length)
            fault = owner.next_fault(request.path) if self.command == "GET" else None
            self._send(request, self._answer(request, fault), fault)
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the client has gone, or the server closes
        except BaseException as error:
            owner.errors.append(error)
            raise

    def _answer(self, request: Request, fault: Fault | None) -> Response:
        if isinstance(fault, Status):
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return Response(status=fault.code, headers=headers)
        answer = self.server.owner.route_of(request.path)
        if callable(answer):
            answer = answer(request)
        if answer is None or (isinstance(answer, Path) and not answer.is_file()):
            return Response(b"no such file", status=404)
        return answer if isinstance(answer, Response) else Response(answer)

    def _send(self, request: Request, response: Response, fault: Fault | None) -> None:
        body = response.body
        size = body.stat().st_size if isinstance(body, Path) else len(body)
        headers = {"Content-Type": "application/octet-stream"}
        status, start, stop = response.status, 0, size
        if status == 200:
            headers |= {"Accept-Ranges": "bytes", "ETag": f'"{_tag(body)}"'}
            asked = None if isinstance(fault, IgnoreRange) else _asked_range(request.range, size)
            if asked is not None:
                start, stop = asked
                status = 206 if start < stop else 416
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}" if start < stop else f"bytes */{size}"
        given = {name.lower() for name in response.headers}
        headers = {name: value for name, value in headers.items() if name.lower() not in given}
        headers |= {**response.headers, "Content-Length": str(stop - start)}
        request.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if request.method != "HEAD":
            self._send_body(request, _pieces(body, start, stop), start, fault)

    def _send_body(self, request: Request, pieces: Iterator[bytes], start: int, fault: Fault | None) -> None:
        stalled = False
        for piece in pieces:
            if isinstance(fault, WrongByte) and 0 <= (at := fault.at - start - request.sent) < len(piece):
                piece = piece[:at] + bytes([piece[at] ^ 0xFF]) + piece[at + 1 :]
            if isinstance(fault, Stall) and not stalled and request.sent + len(piece) > fault.after:
                head, piece = piece[: fault.after - request.sent], piece[fault.after - request.sent :]
                self._write(request, head)
                stalled = self.server.owner.closing.wait(fault.seconds) or True
            if isinstance(fault, CutAfter) and request.sent + len(piece) >= fault.count:
                self._write(request, piece[: fault.count - request.sent])
                self.close_connection = True
                return
            self._write(request, piece)

    def _write(self, request: Request, piece: bytes) -> None:
        self.wfile.write(piece)
        request.sent += len(piece)


def _asked_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and stop of a single byte range; equal where it lies outside; None where the file is to be sent whole."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size)
    start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else (0, 0)


def _pieces(body: bytes | Path, start: int, stop: int) -> Iterator[bytes]:
    if isinstance(body, bytes):
        for at in range(start, stop, _CHUNK):
            yield body[at : min(at + _CHUNK, stop)]
        return
    with body.open("rb") as file:
        file.seek(start)
        yield from _read_up_to(file, stop - start)


def _read_up_to(file: IO[bytes], left: int) -> Iterator[bytes]:
    while left and (piece := file.read(min(_CHUNK, left))):
        left -= len(piece)
        yield piece


def _tag(body: bytes | Path) -> str:
    if isinstance(body, bytes):
        return hashlib.md5(body).hexdigest()
    about = body.stat()
    return f"{about.st_size:x}-{about.st_mtime_ns:x}"
