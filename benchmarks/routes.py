"""The number of Waypost's files that a request, or a training, goes through.

    python -m benchmarks.routes

It counts the files in which a function is called, in any thread, while a server in this process answers: the files to
read in order to follow a request. Each request is sent several times, and only files that all of them enter count; the
others belong to background work. Functions compiled by numba are not seen, and files that are only imported do not
count.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from benchmarks.report import print_claims, print_table
from benchmarks.shops import write_shop
from benchmarks.synthetic import END
from features.journey import JOURNEY
from features.log import open_log

CUSTOMERS, EVENTS = 200, 20_000
TIMES = 5
"""The number of times each request is sent."""

ROOT = Path(__file__).parents[1]
ROOMS = tuple(f"{ROOT / room}/" for room in ("features", "models", "training", "insights", "serving"))

SHOWN = {
    "files_score": "scores",
    "files_ingest": "a Segment batch",
    "files_erase": "an erasure",
    "files_train": "a training",
}


class Trace:
    """The files of Waypost in which a function was called, in any thread, since `files` was cleared."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """The trace function, which Python calls on every call of a function, not on its lines."""
        code = frame.f_code
        if code.co_name != "<module>" and code.co_filename.startswith(ROOMS):
            self.files.add(code.co_filename[len(str(ROOT)) + 1 :])

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Trace the calls of this thread and of every thread that is started meanwhile."""
        threading.settrace(self)
        sys.settrace(self)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)


def main() -> None:
    """Count, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="name the files, too")
    asked = parser.parse_args()
    trace = Trace()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        place = Path(folder)
        names = write_shop(place, CUSTOMERS, EVENTS)
        entered = {**_of_requests(trace, place, names), "files_train": _of_training(trace, place)}
    rows = [(SHOWN[name], str(len(files))) for name, files in entered.items()]
    print_table("files entered", ("by", "files"), rows)
    if asked.list:
        for name, files in entered.items():
            print(SHOWN[name], *sorted(files), sep="\n  ")
    print_claims("routes", {name: float(len(files)) for name, files in entered.items()})


def _of_requests(trace: Trace, place: Path, names: list[str]) -> dict[str, set[str]]:
    """The files that each request enters every time it is sent."""
    with trace.installed(), TestClient(_application(place), "http://127.0.0.1", client=("127.0.0.1", 50_000)) as client:
        requests: dict[str, Callable[[int], Any]] = {
            "files_score": lambda number: client.post("/v1/scores", json={"customer": names[number]}),
            "files_ingest": lambda number: client.post("/v1/batch", json=_batch(names, number)),
            "files_erase": lambda number: client.delete(f"/v1/customers/{names[-1 - number]}"),
        }
        return {name: _of_every(trace, request) for name, request in requests.items()}


def _of_every(trace: Trace, request: Callable[[int], Any]) -> set[str]:
    request(TIMES).raise_for_status()
    seen = []
    for number in range(TIMES):
        trace.files = set()
        request(number).raise_for_status()
        seen.append(trace.files)
    return set.intersection(*seen)


def _batch(names: list[str], number: int) -> dict[str, Any]:
    order = {"order_id": f"o{number}", "total": 20.0, "products": [{"product_id": "1", "price": 20.0, "quantity": 1}]}
    track = {"type": "track", "userId": names[number], "messageId": f"s{number}", "event": "Order Completed"}
    return {"batch": [{**track, "properties": order}]}


def _application(place: Path) -> Any:
    """The application of the server, without BentoML, on the store in a folder."""
    from prometheus_client import make_asgi_app

    from serving.http.app import application
    from serving.http.routes import ROUTES
    from serving.process.worker import Worker
    from serving.settings import read_settings

    environment = {
        "WAYPOST_STORE": f"sqlite:///{place / 'waypost.db'}", "WAYPOST_BUNDLE": str(place / "champion"),
        "WAYPOST_SCOREBOARD": str(place / "scoreboard"), "WAYPOST_SWEEP_SECONDS": "0", "WAYPOST_KEYS": "none",
    }  # fmt: skip
    worker = Worker(read_settings(environment), JOURNEY, lambda: END)
    answers = application(worker, ROUTES, make_asgi_app())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await answers(scope, receive, send)
            return
        await receive()
        await worker.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await worker.close()
        await send({"type": "lifespan.shutdown.complete"})

    return app


def _of_training(trace: Trace, place: Path) -> set[str]:
    """The files that a training of one target of each form enters."""
    from training.run.pipeline import train

    log = open_log(place / "waypost.db")
    targets = ("conversion_7d", "lifetime_value_90d", "next_stage_28d")
    # MLflow keeps a store open by its address, so a store that is removed later needs its own address.
    address = {"MLFLOW_TRACKING_URI": f"sqlite:///{place / 'mlflow.db'}"}
    with mock.patch.dict(os.environ, address), trace.installed():
        trace.files = set()
        train(log, targets, started=END, folder=place / "trained")
        files = trace.files
    log.close()
    return files


if __name__ == "__main__":
    main()
