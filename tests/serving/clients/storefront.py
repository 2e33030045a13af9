"""A shop's web pages on an address of their own, for the clients that run in browsers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.serving.clients.npm import MODULES

PACKAGES = "/packages/"
"""Below it, files of the installed packages."""


class Storefront:
    """A running web server. `pages` are its pages of HTML by their path; they may be changed at any time."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request with a page, a file of a package, or nothing."""
        path = request.path.partition("?")[0]
        file = MODULES / path.removeprefix(PACKAGES)
        if path in self.pages:
            status, media, body = 200, "text/html; charset=utf-8", self.pages[path].encode()
        elif path.startswith(PACKAGES) and file.is_file() and file.resolve().is_relative_to(MODULES):
            status, media, body = 200, "text/javascript", file.read_bytes()
        else:
            status, media, body = 204, "text/plain", b""
        request.send_response(status)
        request.send_header("Content-Type", media)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@contextmanager
def opened() -> Iterator[Storefront]:
    """A storefront, until the end of the block."""
    storefront = Storefront()
    thread = threading.Thread(target=storefront.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield storefront
    finally:
        storefront.server.shutdown()
        thread.join()
        storefront.server.server_close()
