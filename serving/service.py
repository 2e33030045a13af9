"""The BentoML service: the only file that knows BentoML, and the server's clock.

BentoML starts the worker processes, restarts them and packs the service. Its own request path costs five times the
throughput, so `FastService` answers the routes of our one Starlette application before BentoML's middleware is
reached; BentoML answers only its metrics page and its own probes.

The supervising process imports this file too, only to learn how many workers to start. The code that answers is
imported in the workers alone, which makes the start a second shorter.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import bentoml
from bentoml._internal.utils.analytics import usage_stats
from bentoml._internal.utils.circus import Arbiter

from serving.settings import BadSetting, read_settings

if TYPE_CHECKING:
    from serving.process.worker import Worker

FRAMEWORK_PATHS = frozenset({"/healthz", "/schema.json", "/docs.json"})
"""Open paths that BentoML answers. Our application answers every other path, also those that do not exist. BentoML
answers the metrics too, behind our authentication."""

try:
    SETTINGS = read_settings(os.environ)
except BadSetting as fault:
    raise SystemExit(f"error: {fault}") from None


def keep_control_inside(supervisor: Any) -> None:
    """Let the process manager take commands from within its own process alone.

    By default it listens for commands on a TCP port of 127.0.0.1 and asks for no key: any user of the machine could
    have it run a command as the server's user. This holds however the service is started, because every start imports
    this file.
    """
    begin = supervisor.__init__

    def __init__(self: Any, watchers: Any, endpoint: str, pubsub_endpoint: str, **options: Any) -> None:
        if options.get("plugins"):
            raise SystemExit(
                "error: `bentoml serve --reload` needs a control port, through which any user of this machine could "
                "run commands; start the server without --reload, and again after a change"
            )
        begin(self, watchers, endpoint="inproc://control", pubsub_endpoint="inproc://events", **options)

    supervisor.__init__ = __init__


keep_control_inside(Arbiter)

# `bentoml serve` caches whether usage may be reported before it imports this file, so the cache is cleared.
usage_stats.do_not_track.cache_clear()


def clock() -> int:
    """The time, in microseconds since the epoch, UTC; shifted by WAYPOST_CLOCK_SHIFT_DAYS."""
    return time.time_ns() // 1000 + SETTINGS.clock_shift


@cache
def worker() -> Worker:
    """The worker of this process, which answers its requests."""
    from features.journey import JOURNEY
    from serving.process.worker import Worker

    return Worker(SETTINGS, JOURNEY, clock)


class FastService(bentoml.Service):  # type: ignore[misc]
    """A BentoML service that answers our routes itself and passes on the framework's own."""

    def to_asgi(self, is_main: bool = True) -> Any:
        """The ASGI application of one worker process."""
        from serving.http.app import application, with_headers
        from serving.http.routes import ROUTES

        framework = super().to_asgi(is_main)
        ours, others = application(worker(), ROUTES, framework), with_headers(framework)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and scope["path"] not in FRAMEWORK_PATHS:
                await ours(scope, receive, send)
            else:
                await others(scope, receive, send)

        return app


@bentoml.service(
    name="waypost",
    service_class=FastService,
    workers=SETTINGS.workers,
    http={"port": 3000},
    traffic={"timeout": 5},
    logging={"access": {"enabled": False}},
    # There is no address to send spans to, and tracing would take half of the framework's time.
    tracing={"excluded_urls": ".*"},
)
class Waypost:
    """Scores, recommendations and next best actions for every customer of a shop."""

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Open the store and load the champion, once per worker process."""
        from serving.process.connections import share_evenly
        from serving.process.logs import set_up_logs
        from serving.process.shutdown import GentleStop

        set_up_logs(SETTINGS.log)
        await worker().open()
        if SETTINGS.workers > 1:
            share_evenly(asyncio.get_running_loop(), SETTINGS.scoreboard)
        GentleStop(SETTINGS.scoreboard, SETTINGS.drain_seconds, worker().stop).install()
        # What is loaded now lives as long as the process, so the collector skips it, and runs rarely.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1000)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """Finish the writes that wait and close the store."""
        await worker().close()


# The access log of uvicorn writes paths, and paths name customers: without a handler it writes nothing.
logging.getLogger("uvicorn.access").propagate = False
