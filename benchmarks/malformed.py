"""Does the server survive malformed requests, and at what cost in memory?

    python -m benchmarks.malformed [--bodies 100_000]

Bodies that are nearly valid, with the faults of the tests (other types, odd values, cut and flipped bytes, broken
gzip), are sent to every route that accepts events, of a running server with two workers. Every answer must be a success
or a problem with a code. Memory is that of the server's processes, from when a tenth of the bodies is answered to the
end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from benchmarks.clients import Connection
from benchmarks.report import print_claims, print_table
from benchmarks.servers import free_port, private_memory, processes, start_waypost, stop, wait_for
from features.journey import JOURNEY
from serving.http.route import Route
from tests.serving.http.test_bodies import INTAKE, bodies

CONNECTIONS = 16
Sent = tuple[Route, bytes, bytes]


def main() -> None:
    """Send, count, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bodies", type=int, default=100_000)
    asked = parser.parse_args()
    JOURNEY.compile()
    with tempfile.TemporaryDirectory() as place:
        folder, port = Path(place), free_port()
        environment = {"WAYPOST_REQUESTS_PER_SECOND": "0"}
        server = start_waypost(folder, port, f"sqlite:///{folder}/waypost.db", workers=2, environment=environment)
        try:
            wait_for(f"http://127.0.0.1:{port}/livez")
            before = set(processes(server))
            statuses, strange, memory = asyncio.run(_send(port, server, asked.bodies))
            died = len(before - set(processes(server)))
        finally:
            stop(server)
    rows = [(str(status), f"{number:,}") for status, number in sorted(statuses.items())]
    print_table(f"{asked.bodies:,} bodies; memory grew to {memory:.3f} times", ("status", "answers"), rows)
    print_claims(
        "malformed",
        {
            "bodies": sum(statuses.values()),
            "server_errors": sum(number for status, number in statuses.items() if status >= 500),
            "answers_without_code": strange,
            "processes_died": died,
            "rss_growth_ratio": memory,
        },
    )


def _all(number: int) -> Iterator[Sent]:
    """The bodies of all routes, mixed."""
    draw = random.Random(1)
    examples = [(route, example) for route in INTAKE for example in route.examples.values()]
    rounds = 50
    per_example = -(-number // (len(examples) * rounds))
    return chain.from_iterable(
        ((route, *sent) for sent in bodies(example, draw, per_example))
        for _ in range(rounds)
        for route, example in examples
    )


async def _send(port: int, server: subprocess.Popen[bytes], number: int) -> tuple[Counter[int], int, float]:
    """The number of answers by status, the number of errors that are no problem with a code, and the memory growth."""
    statuses: Counter[int] = Counter()
    strange = 0
    waiting = _all(number)
    first = 0

    async def work() -> None:
        nonlocal strange, first
        connection = Connection(port)
        for route, body, encoding in waiting:
            headers = {"content-encoding": encoding.decode()}
            status, answer = await asyncio.wait_for(connection.post(route.path, body, headers), 60)
            statuses[status] += 1
            if status >= 400 and "code" not in json.loads(answer):
                strange += 1
            total = statuses.total()
            if total == number // 10:
                first = private_memory(server)
            if total % 10_000 == 0:
                print(f"{total:,} answered", file=sys.stderr)
        connection.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return statuses, strange, private_memory(server) / first


if __name__ == "__main__":
    main()
