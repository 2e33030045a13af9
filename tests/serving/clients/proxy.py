"""A proxy between a client and the server, that fails on its way as networks and servers do."""

from __future__ import annotations

import http.client
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal["429", "500", "dropped", "lost", "pass"]
"""What becomes of a request: refused in two ways, cut off before it arrives, or taken and its answer lost."""
_OF_ONE_CONNECTION = ("connection", "content-length", "date", "server", "transfer-encoding")


class FaultyProxy:
    """Meets the first posts with `faults`, one after the other, and passes on all that follow, and all that is no post.

    `statuses` are what the client saw, None for a connection that was cut; `bodies` what it posted, as it came.
    """

    def __init__(self, port: int, *faults: Fault) -> None:
        self.faults = deque(faults)
        self.statuses: list[int | None] = []
        self.bodies: list[bytes] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy.meet(self, port)

            def do_GET(self) -> None:
                _answered(self, *_forwarded(self, b"", port))

            do_OPTIONS = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def meet(self, request: BaseHTTPRequestHandler, port: int) -> None:
        """Answer one request, or cut its connection."""
        body = request.rfile.read(int(request.headers["content-length"]))
        self.bodies.append(body)
        fault = self.faults.popleft() if self.faults else "pass"
        if fault in ("lost", "pass"):
            status, headers, answer = _forwarded(request, body, port)
        else:
            status, headers, answer = _refusal(fault)
        if fault in ("dropped", "lost"):
            self.statuses.append(None)
            request.close_connection = True
            return
        self.statuses.append(status)
        _answered(request, status, headers, answer)


def _answered(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], answer: bytes) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(answer)))
    request.end_headers()
    request.wfile.write(answer)


def _forwarded(request: BaseHTTPRequestHandler, body: bytes, port: int) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(request.command, request.path, body, dict(request.headers.items()))
        answer = connection.getresponse()
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
        return answer.status, kept, answer.read()
    finally:
        connection.close()


def _refusal(fault: Fault) -> tuple[int, dict[str, str], bytes]:
    answer = json.dumps({"code": "refused", "message": "by the tests"}).encode()
    return (429, {"Retry-After": "1"}, answer) if fault == "429" else (500, {}, answer)
