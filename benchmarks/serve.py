"""The server under load: /v1/scores with a state read and two models, beside a bare echo and an empty BentoML endpoint.

    python -m benchmarks.serve [--rounds 5] [--seconds 5]

Needs wrk (Debian and Ubuntu: apt install wrk). All three listen on loopback with two worker processes and answer 16
connections, in turn, round after round; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.report import print_claims, print_table, spread
from benchmarks.shops import write_shop
from features.journey import JOURNEY

CONNECTIONS = 16
WORKERS = 2
CUSTOMERS, EVENTS = 2_000, 60_000
QUIET = {"BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "true", "WAYPOST_SWEEP_SECONDS": "0"}
_SCRIPT = """\
local bodies = {{{bodies}}}
local turn = 0
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
request = function()
  turn = turn % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[turn])
end
"""


class Load(NamedTuple):
    """What wrk saw in one run: requests a second, the 99th percentile in milliseconds, answers that were no 2xx."""

    throughput: float
    p99: float
    failures: int


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("this benchmark drives the servers with wrk, which is missing: apt install wrk")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        names = write_shop(folder, CUSTOMERS, EVENTS)
        _rebuild(folder)
        loads, ready = _measure(folder, names, asked.rounds, asked.seconds)
    _report(loads, ready)


def _rebuild(folder: Path) -> None:
    command = [sys.executable, "-m", "waypost", "rebuild", "--store", f"sqlite:///{folder}/waypost.db", "--json"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _measure(folder: Path, names: list[str], rounds: int, seconds: int) -> tuple[dict[str, list[Load]], float]:
    JOURNEY.compile()
    ports = {name: _free_port() for name in ("waypost", "echo", "bento_noop")}
    scripts = _scripts(folder, names)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        ready = _start_all(folder, ports, servers)
        loads: dict[str, list[Load]] = {name: [] for name in ports}
        for round_number in range(rounds + 1):
            for name, port in ports.items():
                load = _wrk(f"http://127.0.0.1:{port}/v1/scores", scripts[name], seconds)
                if load.failures:
                    sys.exit(f"{name} answered {load.failures} requests with an error: the figures would mean nothing")
                if round_number:
                    loads[name].append(load)
        return loads, ready
    finally:
        for server in servers:
            os.killpg(server.pid, signal.SIGTERM)
        for server in servers:
            server.wait(timeout=60)


def _start_all(folder: Path, ports: dict[str, int], servers: list[subprocess.Popen[bytes]]) -> float:
    """Start the three servers and wait for them. Seconds from the start of ours until it was ready."""
    own = {
        "WAYPOST_STORE": f"sqlite:///{folder}/waypost.db", "WAYPOST_BUNDLE": str(folder / "champion"),
        "WAYPOST_SCOREBOARD": str(folder / "scoreboard"), "WAYPOST_WORKERS": str(WORKERS),
    }  # fmt: skip
    serve = [sys.executable, "-m", "bentoml", "serve"]
    echo = [
        sys.executable,
        "-m",
        "uvicorn",
        "benchmarks.peers:echo",
        "--workers",
        str(WORKERS),
        "--log-level",
        "warning",
    ]
    begun = time.perf_counter()
    servers.append(_start([*serve, "serving.service:Waypost", "--port", str(ports["waypost"])], folder, own))
    _wait(f"http://127.0.0.1:{ports['waypost']}/readyz")
    ready = time.perf_counter() - begun
    servers.append(_start([*echo, "--port", str(ports["echo"])], folder, {}))
    servers.append(_start([*serve, "benchmarks.peers:Noop", "--port", str(ports["bento_noop"])], folder, {}))
    _wait(f"http://127.0.0.1:{ports['bento_noop']}/readyz")
    _wait(f"http://127.0.0.1:{ports['echo']}/nothing", status=404)
    return ready


def _scripts(folder: Path, names: list[str]) -> dict[str, Path]:
    """What wrk sends: every customer in turn; the default endpoint wants the same body under a name."""
    bodies = [json.dumps({"customer": name}) for name in names[:500]]
    wrapped = [json.dumps({"body": {"customer": name}}) for name in names[:500]]
    scripts = {}
    for name, texts in {"waypost": bodies, "echo": bodies, "bento_noop": wrapped}.items():
        scripts[name] = folder / f"{name}.lua"
        scripts[name].write_text(_SCRIPT.format(bodies=", ".join(f"'{text}'" for text in texts)))
    return scripts


def _start(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    settings = {**os.environ, **QUIET, "BENTOML_HOME": str(folder / f"bentoml-{command[-1]}"), **environment}
    Path(settings["BENTOML_HOME"]).mkdir(exist_ok=True)
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=settings, stdout=quiet, stderr=quiet, start_new_session=True)


def _wait(url: str, status: int = 200) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                found = answer.status
        except urllib.error.HTTPError as error:
            found = error.code
        except OSError:
            found = 0
        if found == status:
            return
        time.sleep(0.02)
    sys.exit(f"{url} did not answer {status} within 90 s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def _wrk(url: str, script: Path, seconds: int) -> Load:
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--latency", "-s", str(script), url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if rate is None or tail is None:
        sys.exit(f"wrk said something unexpected:\n{text}")
    return Load(float(rate[1]), float(tail[1]) * _UNITS[tail[2]], int(failed[1]) if failed else 0)


def _report(loads: dict[str, list[Load]], ready: float) -> None:
    rows = [
        (name, spread([each.throughput for each in runs]), spread([each.p99 for each in runs], " ms"))
        for name, runs in loads.items()
    ]
    print_table(f"{CONNECTIONS} connections, {WORKERS} workers each", ("server", "requests a second", "p99"), rows)
    own = loads["waypost"]
    ratios = {
        "throughput_vs_bento_noop": [
            a.throughput / b.throughput for a, b in zip(own, loads["bento_noop"], strict=True)
        ],
        "throughput_vs_echo": [a.throughput / b.throughput for a, b in zip(own, loads["echo"], strict=True)],
        "p99_vs_echo": [a.p99 / b.p99 for a, b in zip(own, loads["echo"], strict=True)],
    }
    print_table(
        "ratios, round by round", ("ratio", "median (range)"), [(name, spread(each)) for name, each in ratios.items()]
    )
    print_claims("serve", {**{name: median(each) for name, each in ratios.items()}, "ready_s": ready})


if __name__ == "__main__":
    main()
