"""Servers for the benchmarks that need one: started on a free port, waited for, loaded with wrk, stopped."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

QUIET = {"BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "true"}
SERVE = [sys.executable, "-m", "bentoml", "serve"]
READY_SECONDS = 90.0
MARK = "WAYPOST_BENCHMARK_PORT"
"""The environment variable that identifies the processes of a server; the last word of its command is the port."""


class Load(NamedTuple):
    """The results of wrk in one run: requests a second, the 99th percentile in milliseconds, answers other than 2xx."""

    throughput: float
    p99: float
    failures: int


def require_wrk() -> None:
    """Exit, with the command that installs wrk, when it is missing."""
    if shutil.which("wrk") is None:
        sys.exit("this benchmark drives the servers with wrk, which is missing: apt install wrk")


def start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own. Its output goes to `log`, if there is one."""
    home = str(folder / f"bentoml-{command[-1]}")
    settings = {**os.environ, **QUIET, "BENTOML_HOME": home, MARK: command[-1], **environment}
    Path(settings["BENTOML_HOME"]).mkdir(exist_ok=True)
    with (log or Path(os.devnull)).open("ab") as output:
        return subprocess.Popen(command, env=settings, stdout=output, stderr=output, start_new_session=True)


def start_waypost(
    folder: Path,
    port: int,
    store: str,
    *,
    workers: int,
    environment: Mapping[str, str] | None = None,
    service: str = "serving.service:Waypost",
) -> subprocess.Popen[bytes]:
    """Start our server over a store and the bundle in `folder/champion`; its log is `folder/server.log`."""
    own = {
        "WAYPOST_STORE": store, "WAYPOST_BUNDLE": str(folder / "champion"), "WAYPOST_KEYS": "none",
        "WAYPOST_SCOREBOARD": str(folder / "scoreboard"), "WAYPOST_WORKERS": str(workers), **(environment or {}),
    }  # fmt: skip
    command = [*SERVE, service, "--host", "127.0.0.1", "--port", str(port)]
    return start(command, folder, own, folder / "server.log")


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop a server as an operator would, and wait until it is gone."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
    server.wait(timeout=60)


def processes(server: subprocess.Popen[bytes]) -> dict[int, str]:
    """The running processes of a server with their commands: those that inherited its environment.

    Neither the process group nor the parent identifies them: BentoML gives each worker a session of its own, and a
    worker whose supervisor was killed has another parent.
    """
    mark = f"{MARK}={port_of(server)}".encode()
    running = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes().split(b"\0"):
                running[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended meanwhile, or is another user's
    return running


def private_memory(server: subprocess.Popen[bytes]) -> int:
    """The private memory of a server's processes in bytes, without the memory that they share."""
    total = 0
    for process in processes(server):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
    return total


def most_connections(server: subprocess.Popen[bytes]) -> int:
    """The most connections to the server that one of its processes holds."""
    port = port_of(server)
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = {f"socket:[{row[9]}]" for row in rows if row[3] == "01" and int(row[1].split(":")[1], 16) == port}
    held = [0]
    for process in processes(server):
        with suppress(OSError):  # it ended meanwhile, or closed a file
            held.append(
                sum(str(descriptor.readlink()) in established for descriptor in Path(f"/proc/{process}/fd").iterdir())
            )
    return max(held)


def port_of(server: subprocess.Popen[bytes]) -> int:
    """The port at which a server listens."""
    assert isinstance(server.args, list)
    return int(server.args[-1])


def wait_for(url: str, status: int = 200) -> None:
    """Return when the address answers with `status`; exit when it does not within 90 s."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                answered = answer.status
        except urllib.error.HTTPError as error:
            answered = error.code
        except OSError:
            answered = 0
        if answered == status:
            return
        time.sleep(0.02)
    sys.exit(f"{url} did not answer {status} within {READY_SECONDS:.0f} s")


PORTS = range(20_000, 32_000)
"""Ports below those that the system gives to clients, so that no connection takes the port of a restarting server."""


def free_port() -> int:
    """A free port."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    sys.exit(f"none of 100 ports between {PORTS.start} and {PORTS.stop} is free")


_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def wrk(url: str, script: Path, seconds: int, connections: int) -> Load:
    """Send the requests of the Lua script to `url` continuously, over `connections` connections."""
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if rate is None or tail is None:
        sys.exit(f"wrk said something unexpected:\n{text}")
    return Load(float(rate[1]), float(tail[1]) * _UNITS[tail[2]], int(failed[1]) if failed else 0)
