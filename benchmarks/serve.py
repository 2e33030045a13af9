"""The server under load: /v1/scores with a state read and two models, beside a bare echo and an empty BentoML endpoint.

    python -m benchmarks.serve [--rounds 5] [--seconds 5]

Needs wrk (Debian and Ubuntu: apt install wrk). All three listen on loopback with two worker processes and answer 16
connections, in turn, round after round; ratios are computed within a round.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.report import median_range, print_claims, print_table
from benchmarks.servers import SERVE, Load, free_port, require_wrk, start, start_waypost, stop, wait_for, wrk
from benchmarks.shops import write_shop
from features.journey import JOURNEY

CONNECTIONS = 16
WORKERS = 2
CUSTOMERS, EVENTS = 2_000, 60_000
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


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    asked = parser.parse_args()
    require_wrk()
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
    ports = {name: free_port() for name in ("waypost", "echo", "bento_noop")}
    scripts = _scripts(folder, names)
    servers: list[subprocess.Popen[bytes]] = []
    try:
        ready = _start_all(folder, ports, servers)
        loads: dict[str, list[Load]] = {name: [] for name in ports}
        for round_number in range(rounds + 1):
            for name, port in ports.items():
                load = wrk(f"http://127.0.0.1:{port}/v1/scores", scripts[name], seconds, CONNECTIONS)
                if load.failures:
                    sys.exit(f"{name} answered {load.failures} requests with an error: the figures would mean nothing")
                if round_number:
                    loads[name].append(load)
        return loads, ready
    finally:
        for server in servers:
            stop(server)


def _start_all(folder: Path, ports: dict[str, int], servers: list[subprocess.Popen[bytes]]) -> float:
    """Start the three servers and wait for them. Seconds from the start of ours until it was ready."""
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
    store = f"sqlite:///{folder}/waypost.db"
    servers.append(
        start_waypost(folder, ports["waypost"], store, workers=WORKERS, environment={"WAYPOST_SWEEP_SECONDS": "0"})
    )
    wait_for(f"http://127.0.0.1:{ports['waypost']}/readyz")
    ready = time.perf_counter() - begun
    servers.append(start([*echo, "--port", str(ports["echo"])], folder, {}))
    servers.append(start([*SERVE, "benchmarks.peers:Noop", "--port", str(ports["bento_noop"])], folder, {}))
    wait_for(f"http://127.0.0.1:{ports['bento_noop']}/readyz")
    wait_for(f"http://127.0.0.1:{ports['echo']}/nothing", status=404)
    return ready


def _scripts(folder: Path, names: list[str]) -> dict[str, Path]:
    """The scripts for wrk, which send every customer in turn; BentoML's endpoint needs the same body under a name."""
    bodies = [json.dumps({"customer": name}) for name in names[:500]]
    wrapped = [json.dumps({"body": {"customer": name}}) for name in names[:500]]
    scripts = {}
    for name, texts in {"waypost": bodies, "echo": bodies, "bento_noop": wrapped}.items():
        scripts[name] = folder / f"{name}.lua"
        scripts[name].write_text(_SCRIPT.format(bodies=", ".join(f"'{text}'" for text in texts)))
    return scripts


def _report(loads: dict[str, list[Load]], ready: float) -> None:
    rows = [
        (
            name,
            median_range([load.throughput for load in runs]),
            median_range([load.p99 for load in runs], " ms"),
        )
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
        "ratios, round by round",
        ("ratio", "median (range)"),
        [(name, median_range(values)) for name, values in ratios.items()],
    )
    print_claims("serve", {**{name: median(values) for name, values in ratios.items()}, "ready_s": ready})


if __name__ == "__main__":
    main()
