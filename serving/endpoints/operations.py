"""Whether the server is well, and what it can do."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.log.contract import LogError
from serving.exchange import JSON, reply, reply_with
from serving.schemas import LiveAnswer, ReadyAnswer, ReadyCheck
from serving.worker import Worker

_ALIVE = LiveAnswer(alive=True)


async def get_livez(worker: Worker, request: HttpRequest) -> Response:
    """Say that the process runs."""
    return reply(_ALIVE)


async def get_readyz(worker: Worker, request: HttpRequest) -> Response:
    """Say whether model and store are in order."""
    checks = {"model": _model(worker), "store": await _store(worker), "scoreboard": _scoreboard(worker)}
    ready = checks["model"].ok and checks["store"].ok
    return reply_with(ReadyAnswer(ready=ready, checks=checks), 200 if ready else 503)


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


def _scoreboard(worker: Worker) -> ReadyCheck:
    """How old the scoreboard is; the server answers without one, so it does not make the server unready."""
    generation = worker.scoreboard.current()
    if generation is None:
        return ReadyCheck(ok=False, detail="not swept yet")
    age = (worker.clock() - generation.as_of) / 1e6
    return ReadyCheck(ok=True, detail=f"{generation.count} customers, {age:.0f} s old")


async def get_openapi(worker: Worker, request: HttpRequest) -> Response:
    """Give the OpenAPI document."""
    return Response(request.app.state.openapi, media_type=JSON)
