"""Events that GA4's tag sends from a browser: `/g/collect`, the Measurement Protocol with other field names."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.sources.formats import collect
from features.sources.formats.measurement import requests
from serving.http.auth import authorize_body_key, count_unreadable
from serving.http.limits import repeats_too_much
from serving.http.messages import read_body
from serving.http.problems import UNREADABLE, WRITE, Problem
from serving.http.protocols.ga4 import new_ingest, take_events
from serving.http.route import Route
from serving.http.schemas.request import Request
from serving.process.worker import Worker

MOST_HIT_BYTES = 128 * 1024
"""Most bytes of the hits of one request; the tag itself sends at 16 KB."""

FORMS = ("text/plain", "application/x-www-form-urlencoded")


class HitQuery(Request):
    """One event of GA4's tag, or the fields that several in the body share. The tag's other parameters are read too."""

    v: str | None = Field(None, description="Version of the protocol, 2.")
    tid: str | None = Field(None, description="The stream; ignored.")
    cid: str | None = Field(None, description="The browser.")
    uid: str | None = Field(None, description="The customer, where the shop knows it: merged with `cid`.")
    en: str | None = Field(None, description="GA4's name of the event; several events have theirs in the body.")
    cu: str | None = Field(None, description="The currency; `epn.value` is the amount, `pr1`, `pr2`... the products.")
    api_secret: str | None = Field(None, description="The write key, unless a header has it; also `ep.api_secret`.")


HIT = "v=2&tid=G-TEST&cid=77.1772352000&en=add_to_cart&cu=EUR&epn.value=20&pr1=idmug~nmMug~pr10~qt2"
HITS = "en=view_item&pr1=idmug~nmMug~pr10\r\nen=add_to_cart&cu=EUR&epn.value=20&pr1=idmug~nmMug~pr10~qt2"


async def get_hit(worker: Worker, request: HttpRequest) -> Response:
    """Record the event in the query."""
    return await _collected(worker, request, "", 0)


async def post_hits(worker: Worker, request: HttpRequest) -> Response:
    """Record the events in the query and the body: a form, or a form a line."""
    try:
        body, _ = await read_body(request, FORMS)
        lines = len(body.splitlines())
        if repeats_too_much(request.scope["query_string"], lines):
            raise Problem(
                "body_too_large", f"The query is too long to be kept with each of {lines:,} lines. Send fewer."
            )
    except Problem:
        count_unreadable(request)
        raise
    return await _collected(worker, request, body.decode("utf-8", "replace"), len(body))


async def _collected(worker: Worker, request: HttpRequest, body: str, size: int) -> Response:
    query = request.scope["query_string"]
    sent = collect.hits(query.decode("latin-1"), body)
    secrets = (hit[name] for hit in sent for name in collect.SECRETS if hit.get(name))
    authorize_body_key(request, next(secrets, None))
    now = worker.clock()
    ingested = new_ingest(worker, now, size + len(query))
    await take_events(
        ingested, [part for measured in collect.measured(sent) for part in requests(measured)], now, {}, {}
    )
    ingested.outcomes(await worker.record(ingested.batch))
    return Response(status_code=204)


ROUTES: tuple[Route, ...] = (
    Route(
        name="collectHit",
        scope="write",
        method="GET",
        path="/g/collect",
        endpoint=get_hit,
        tag="browsers",
        summary="Record an event of GA4's tag",
        doc="The event is in the query, as gtag.js writes it. The answer is 204 also for invalid events, as from "
        "Google's own address. These are kept as dead letters.",
        query=HitQuery,
        answer_doc="Valid events are on disk, and the others are dead letters.",
        success=204,
        problems=WRITE,
        key_in="form",
    ),
    Route(
        name="collectHits",
        scope="write",
        method="POST",
        path="/g/collect",
        endpoint=post_hits,
        tag="browsers",
        summary="Record events of GA4's tag",
        doc="The event is in the query; or it is a form in the body; or the body has one event a line, and the query "
        "what they share. The answer is 204 as for a single event. A hit that is sent again adds nothing.",
        query=HitQuery,
        answer_doc="Valid events are on disk, and the others are dead letters.",
        success=204,
        problems=(*UNREADABLE, *WRITE),
        also_reads={"text/plain": HITS, "application/x-www-form-urlencoded": HIT},
        key_in="form",
        most_bytes=MOST_HIT_BYTES,
    ),
)
