"""Is an acknowledged event ever lost or counted twice, when the server is killed again and again?

    python -m benchmarks.chaos [--rounds 50] [--events 4200] [--stores sqlite postgresql] [--postgres URL] [--seed 1]

Segment's and RudderStack's own client libraries send events to a server of two workers, as fast as they can. In every
round, at a random time, one worker, the process that supervises the workers, or all of them are killed with SIGKILL.
Then the server is started again, and the clients go on by their own rules and repeat what was not acknowledged. A batch
counts as acknowledged if its client library got an answer of 200. At the end every acknowledged event must be in the
log exactly once, and every customer's state must equal the one that an audit recomputes from the log in plain Python.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.report import console, print_claims, print_table
from benchmarks.servers import free_port, processes, start_waypost, stop, wait_for
from benchmarks.stores import places
from features.journey import JOURNEY
from features.log import open_log

CUSTOMERS = 300
WORKERS = 2
KILL_WITHIN = 1.5
"""Seconds after the start of a round within which the server is killed."""

VICTIMS = ("worker", "server", "supervisor")
EVENTS = ("Product Viewed", "Product Added", "Products Searched", "Checkout Started", "Order Completed")


class Outcome(NamedTuple):
    """The results of one store."""

    acknowledged: int
    logged: int
    lost: int
    twice: int
    mismatches: int
    audited: int
    worker_kills: int
    server_kills: int
    supervisor_kills: int


class Clients:
    """The two client libraries, with a record of every message whose batch was answered with 200."""

    def __init__(self, port: int) -> None:
        import rudderstack.analytics.consumer as rudder_consumer
        from rudderstack.analytics.client import Client as Rudder
        from segment.analytics import consumer as segment_consumer
        from segment.analytics.client import Client as Segment

        self.acknowledged: set[str] = set()
        self.failures: list[str] = []
        for module in (segment_consumer, rudder_consumer):
            module.post = self._noting(module.post)
        host = f"http://127.0.0.1:{port}"
        options: dict[str, Any] = {"max_queue_size": 1_000_000, "max_retries": 60, "timeout": 30, "thread": 2}
        self._clients = [Segment("key", host=host, **options), Rudder("key", host=host, **options)]
        for client in self._clients:
            client.on_error = lambda error, batch: self.failures.append(
                f"{type(error).__name__}: {len(batch)} messages"
            )

    def _noting(self, post: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*arguments: Any, **named: Any) -> Any:
            answer = post(*arguments, **named)
            if answer.status_code == 200:
                result = answer.json()
                if result.get("rejected"):
                    self.failures.append(f"rejected: {result['rejected'][0]}")
                self.acknowledged.update(message["messageId"] for message in named["batch"])
            return answer

        return noting

    def send(self, number: int, draw: random.Random) -> None:
        """Queue so many messages of random customers, some of whom log in, which merges their anonymous id."""
        for _ in range(number):
            client = draw.choice(self._clients)
            customer = draw.randrange(CUSTOMERS)
            user, visitor = f"user-{customer}", f"visitor-{customer}"
            kind = draw.random()
            if kind < 0.02:
                client.identify(user, anonymous_id=visitor, traits={"plan": "basic"})
            else:
                who = {"anonymous_id": visitor} if kind < 0.3 else {"user_id": user}
                money = {"revenue": draw.randrange(100, 9900) / 100, "product_id": f"p-{draw.randrange(50)}"}
                client.track(event=draw.choice(EVENTS), properties=money, **who)

    def flush(self) -> None:
        """Return when every queued message is acknowledged or abandoned."""
        for client in self._clients:
            client.flush()


def main() -> None:
    """Kill, count, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--events", type=int, default=4200, help="messages a round")
    parser.add_argument("--stores", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--postgres")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    JOURNEY.compile()
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as folder, places(Path(folder), asked.postgres, asked.stores) as stores:
        for store in asked.stores:
            place = Path(folder) / store
            place.mkdir()
            outcomes[store] = _torment(place, stores[store].new(), asked.rounds, asked.events, asked.seed)
    _report(outcomes)


def _torment(folder: Path, url: str, rounds: int, events: int, seed: int) -> Outcome:
    draw = random.Random(seed)
    port = free_port()
    kills: Counter[str] = Counter()
    server = _start(folder, port, url)
    clients = Clients(port)
    try:
        for number in range(rounds):
            clients.send(events, draw)
            time.sleep(draw.random() * KILL_WITHIN)
            victim = draw.choice(VICTIMS)
            kills[victim] += 1
            _kill(victim, server, draw)
            if victim != "worker":
                _await_end(server)
                server = _start(folder, port, url)
            clients.flush()
            console.print(
                f"round {number + 1} of {rounds}: {victim} killed, {len(clients.acknowledged):,} acknowledged"
            )
    finally:
        stop(server)
    if clients.failures:
        sys.exit(f"{len(clients.failures)} batches were abandoned by a client, the first: {clients.failures[0]}")
    return _counted(url, clients.acknowledged, kills)


def _start(folder: Path, port: int, url: str) -> subprocess.Popen[bytes]:
    environment = {"WAYPOST_REQUESTS_PER_SECOND": "0"}
    server = start_waypost(folder, port, url, workers=WORKERS, environment=environment)
    wait_for(f"http://127.0.0.1:{port}/livez")
    return server


def _kill(victim: str, server: subprocess.Popen[bytes], draw: random.Random) -> None:
    """Send SIGKILL to one worker, to all processes at once, or to the one that supervises the workers."""
    running = processes(server)
    workers = sorted(process for process, command in running.items() if "worker" in command)
    chosen = {"worker": [draw.choice(workers)], "server": sorted(running), "supervisor": [server.pid]}[victim]
    for process in chosen:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _await_end(server: subprocess.Popen[bytes]) -> None:
    """Return when no process of a server is left: workers without a supervisor stop by themselves."""
    server.wait()
    deadline = time.monotonic() + 30
    while processes(server):
        if time.monotonic() > deadline:
            sys.exit(f"workers outlive their supervisor: {processes(server)}")
        time.sleep(0.05)


def _counted(url: str, acknowledged: set[str], kills: Counter[str]) -> Outcome:
    log = open_log(url)
    names = [name for name in log.customers.names() if name]
    logged = Counter(event.message_id for name in names for event in log.events(name, 10**7) if event.customer == name)
    log.close()
    command = [sys.executable, "-m", "waypost", "audit", "--store", url, "--json"]
    audit = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    return Outcome(
        acknowledged=len(acknowledged),
        logged=sum(logged.values()),
        lost=len(acknowledged - logged.keys()),
        twice=sum(number - 1 for number in logged.values()),
        mismatches=len(audit["mismatches"]),
        audited=int(audit["audited"]),
        **{f"{victim}_kills": kills[victim] for victim in VICTIMS},
    )


def _report(outcomes: dict[str, Outcome]) -> None:
    rows = [(name, *(f"{getattr(outcome, name):,}" for outcome in outcomes.values())) for name in Outcome._fields]
    print_table("After the last round", ("what", *outcomes), rows)
    results = outcomes.values()
    claims = {f"{store}_acknowledged": outcome.acknowledged for store, outcome in outcomes.items()} | {
        "acknowledged_lost": sum(outcome.lost for outcome in results),
        "counted_twice": sum(outcome.twice for outcome in results),
        "audit_mismatches": sum(outcome.mismatches for outcome in results),
        "rounds": min(outcome.worker_kills + outcome.server_kills + outcome.supervisor_kills for outcome in results),
    }
    print_claims("chaos", claims)


if __name__ == "__main__":
    main()
