"""The state of the server and its API document, for probes, Prometheus and generators of clients."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.log.contract import LogError
from features.times import moment
from serving.engine.staleness import staleness
from serving.http.auth import Auth
from serving.http.messages import JSON, reply, reply_with
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.process.maintenance import MaintenanceReport
from serving.process.worker import Worker

LEAST_FREE_BYTES = 256 << 20
"""The readiness check warns when the disk has less free space."""

MOST_CODES = 10
"""Most codes of customers in one line."""


class ReadyCheck(Answer):
    """One condition that must hold before the server is ready."""

    ok: bool
    detail: str
    done: int | None = Field(default=None, description="How much of a running task is done.")
    total: int | None = Field(default=None, description="The size of the running task.")


class ReadyAnswer(Answer):
    """Whether the server is ready, and what prevents it."""

    ready: bool
    checks: dict[str, ReadyCheck]


class LiveAnswer(Answer):
    """The process runs."""

    alive: Literal[True]


_ALIVE = LiveAnswer(alive=True)


async def get_livez(worker: Worker, request: HttpRequest) -> Response:
    """Answer that the process runs."""
    return reply(_ALIVE)


async def get_readyz(worker: Worker, request: HttpRequest) -> Response:
    """Answer whether everything that correct answers need is in order."""
    maintenance = worker.maintenance.report()
    needed = {
        "serving": _serving(worker),
        "model": _model(worker),
        "store": await _store(worker),
        "rebuild": _rebuild(maintenance),
        "audit": _audit(maintenance),
        "keys": _keys(request.app.state.auth),
    }
    ready = all(check.ok for check in needed.values())
    checks = {**needed, "disk": _disk(worker), "scoreboard": _scoreboard(worker), "clock": _clock(worker)}
    return reply_with(ReadyAnswer(ready=ready, checks=checks), 200 if ready else 503)


def _keys(auth: Auth) -> ReadyCheck:
    """Whether the file of keys is in order; a fault makes the server unready only if the keys were never read."""
    if auth.keys is None:
        return ReadyCheck(ok=True, detail="none: this machine alone is answered")
    if auth.keys.problem:
        return ReadyCheck(ok=auth.keys.ever_read, detail=auth.keys.problem)
    ring = auth.keys.current()
    if ring is None:
        return ReadyCheck(ok=False, detail="there are none, so nobody is answered; run `waypost keys create`")
    return ReadyCheck(ok=True, detail=f"{len(ring)} in force")


def _serving(worker: Worker) -> ReadyCheck:
    if worker.stopping:
        return ReadyCheck(
            ok=False, detail="the server is stopping: it finishes running requests, send others elsewhere"
        )
    return ReadyCheck(ok=True, detail="answering")


def _model(worker: Worker) -> ReadyCheck:
    champion = worker.champions.current
    if champion is None:
        return ReadyCheck(ok=False, detail=worker.champions.problem)
    loaded = f"bundle {champion.bundle.version}, features {worker.fold.fingerprint}"
    if worker.champions.problem:
        return ReadyCheck(ok=True, detail=f"{loaded}; the bundle on disk is not used: {worker.champions.problem}")
    return ReadyCheck(ok=True, detail=loaded)


async def _store(worker: Worker) -> ReadyCheck:
    try:
        await worker.check_store()
    except LogError as error:
        return ReadyCheck(ok=False, detail=str(error))
    return ReadyCheck(ok=True, detail="readable and writable")


def _rebuild(maintenance: MaintenanceReport) -> ReadyCheck:
    """Whether every customer has a state of the running features; until then a requested one is replayed first."""
    if maintenance.rebuilt:
        return ReadyCheck(ok=True, detail=f"every state has the features {maintenance.fingerprint}")
    return ReadyCheck(
        ok=False, detail="states are being rebuilt from the log", done=maintenance.done, total=maintenance.total
    )


def _audit(maintenance: MaintenanceReport) -> ReadyCheck:
    if not maintenance.mismatched:
        return ReadyCheck(ok=True, detail=f"{maintenance.audited} customers audited, every state agrees with the log")
    codes = ", ".join(map(str, maintenance.mismatched[:MOST_CODES]))
    return ReadyCheck(
        ok=False,
        detail=f"{len(maintenance.mismatched)} customers have a state that differs from the log "
        f"(codes {codes}): run `waypost rebuild`",
    )


def _disk(worker: Worker) -> ReadyCheck:
    """How much disk space is free; the server answers until none is left, so this does not make it unready."""
    free = worker.opening.free_bytes()
    if free is None:
        return ReadyCheck(ok=True, detail="kept by the database server")
    detail = f"{free / 2**20:,.0f} MiB free"
    if free < LEAST_FREE_BYTES:
        return ReadyCheck(ok=False, detail=f"{detail}, less than {LEAST_FREE_BYTES >> 20} MiB: free some space")
    return ReadyCheck(ok=True, detail=detail)


def _scoreboard(worker: Worker) -> ReadyCheck:
    """How old the scoreboard is; the server answers without one, so this does not make it unready."""
    generation = worker.scoreboard.current()
    if generation is None:
        return ReadyCheck(ok=False, detail="not swept yet")
    age = (worker.clock() - generation.as_of) / 1e6
    return ReadyCheck(ok=True, detail=f"{generation.count} customers, {age:.0f} s old")


def _clock(worker: Worker) -> ReadyCheck:
    """Whether the clock is too far beyond the newest event for predictions; this does not make the server unready."""
    generation = worker.scoreboard.current()
    warning = staleness(generation) if generation else ""
    return ReadyCheck(ok=not warning, detail=warning or moment(worker.clock()).isoformat())


async def get_openapi(worker: Worker, request: HttpRequest) -> Response:
    """Give the OpenAPI document."""
    return Response(request.app.state.openapi, media_type=JSON)


ROUTES: tuple[Route, ...] = (
    Route(
        name="getLiveness",
        scope="open",
        method="GET",
        path="/livez",
        endpoint=get_livez,
        tag="operations",
        summary="Is the process alive",
        doc="Answers as long as the process runs; checks nothing.",
        answer=LiveAnswer,
    ),
    Route(
        name="getReadiness",
        scope="open",
        method="GET",
        path="/readyz",
        endpoint=get_readyz,
        tag="operations",
        summary="Can the server answer",
        doc="200 when a model that fits the features is loaded, the store can be written, every state is rebuilt and "
        "the audit found no wrong state; else 503 with the same body. A stopping server first answers 503 here, and "
        "goes on answering other requests for a moment.",
        answer=ReadyAnswer,
        answer_doc="Ready.",
        also_statuses={503: "Not ready: `checks` says why."},
    ),
    Route(
        name="getMetrics",
        scope="metrics",
        method="GET",
        path="/metrics",
        endpoint=None,
        tag="operations",
        summary="Metrics for Prometheus",
        doc="The server's own metrics and the framework's, added up over all worker processes.",
        answer_doc="Metrics in the text format.",
        also_answers={"text/plain": ""},
    ),
    Route(
        name="getOpenApi",
        scope="open",
        method="GET",
        path="/openapi.json",
        endpoint=get_openapi,
        tag="operations",
        summary="This document",
        doc="The OpenAPI document of the server.",
        answer_doc="The document.",
        also_answers={"application/json": ""},
    ),
)
