"""nginx and haproxy before a server: as they are installed, and as they are told to pass on who asks."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.servers import free_port

NGINX: Mapping[str, str] = {
    "as installed": "location / { proxy_pass http://127.0.0.1:BACK; }",
    "with its headers": (
        "location / { proxy_pass http://127.0.0.1:BACK; proxy_http_version 1.1; proxy_set_header Host $host; "
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }"
    ),
    "below a prefix": (
        "location /waypost/ { proxy_pass http://127.0.0.1:BACK/; proxy_set_header X-Forwarded-Prefix /waypost; "
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }"
    ),
}
HAPROXY: Mapping[str, str] = {"as installed": "", "with its headers": "option forwardfor"}

_NGINX = """daemon off;
pid FOLDER/nginx.pid;
error_log FOLDER/nginx-error.log;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
    SERVERS
}
"""
_HAPROXY = """defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
"""


def program(name: str) -> str:
    """The path of a program; skips the test where it is missing."""
    found = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def proxies(folder: Path, back: int) -> Iterator[dict[str, str]]:
    """The addresses of proxies before the server on the port `back`, by what they are."""
    nginx, haproxy = program("nginx"), program("haproxy")
    addresses, servers, fronts = {}, [], _HAPROXY
    for name, location in NGINX.items():
        port = free_port()
        addresses[f"nginx {name}"] = f"http://127.0.0.1:{port}{'/waypost' if 'prefix' in name else ''}"
        servers.append(f"server {{ listen 127.0.0.1:{port}; {location.replace('BACK', str(back))} }}")
    for number, (name, option) in enumerate(HAPROXY.items()):
        port = free_port()
        addresses[f"haproxy {name}"] = f"http://127.0.0.1:{port}"
        fronts += f"listen waypost{number}\n    bind 127.0.0.1:{port}\n    {option}\n    server one 127.0.0.1:{back}\n"
    (folder / "nginx.conf").write_text(_NGINX.replace("SERVERS", "\n".join(servers)).replace("FOLDER", str(folder)))
    (folder / "haproxy.cfg").write_text(fronts)
    started = [
        subprocess.Popen([nginx, "-e", str(folder / "early.log"), "-c", str(folder / "nginx.conf")]),
        subprocess.Popen([haproxy, "-db", "-f", str(folder / "haproxy.cfg")]),
    ]
    try:
        for address in addresses.values():
            _wait(int(address.split(":")[2].split("/")[0]))
        yield addresses
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=20)


def _wait(port: int) -> None:
    """Return when somebody listens on the port."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")
