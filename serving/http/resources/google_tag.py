"""Events that GA4's tag sends from a browser: `/g/collect`, the Measurement Protocol in other letters."""

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
"""Of the hits of one request; the tag sends them on from 16 KB."""

FORMS = ("text/plain", "application/x-www-form-urlencoded")


class HitQuery(Request):
    """One event of GA4's tag, or what several in the body share. Every other parameter of the tag is understood too."""

    v: str | None = Field(None, description="Version of the protocol, 2.")
    tid: str | None = Field(None, description="The stream; not looked at.")
    cid: str | None = Field(None, description="The browser.")
    uid: str | None = Field(None, description="The customer, where the shop knows it: joined to `cid`.")
    en: str | None = Field(None, description="GA4's name of what happened; of several events, in the body.")
    cu: str | None = Field(None, description="The currency; `epn.value` is the amount, `pr1`, `pr2`... the products.")
    api_secret: str | None = Field(None, description="The write key, when it is in no header; also `ep.api_secret`.")


HIT = "v=2&tid=G-TEST&cid=77.1772352000&en=add_to_cart&cu=EUR&epn.value=20&pr1=idmug~nmMug~pr10~qt2"
HITS = "en=view_item&pr1=idmug~nmMug~pr10\r\nen=add_to_cart&cu=EUR&epn.value=20&pr1=idmug~nmMug~pr10~qt2"


async def get_hit(worker: Worker, request: HttpRequest) -> Response:
    """Take the event of an address in."""
    return await _collected(worker, request, "", 0)


async def post_hits(worker: Worker, request: HttpRequest) -> Response:
    """Take the events of an address and its form, or of a form a line, in."""
    try:
        body, _ = await read_body(request, FORMS)
        lines = len(body.splitlines())
        if repeats_too_much(request.scope["query_string"], lines):
            raise Problem("body_too_large", f"The query is too long to hold for each of {lines:,} lines. Send fewer.")
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
    await take_events(ingested, [part for each in collect.measured(sent) for part in requests(each)], now, {}, {})
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
        summary="Take an event of GA4's tag in",
        doc="The event is in the query, as gtag.js writes it. As Google's own address: 204 whatever was sent. What is "
        "at fault is kept as a dead letter.",
        query=HitQuery,
        answer_doc="What could be taken in is on disk, and the rest among the dead letters.",
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
        summary="Take events of GA4's tag in",
        doc="The event is in the query; or in the body, a form; or there are several, a line of the body each, beside "
        "what they share in the query. 204 as for a single one. A hit that is sent again adds nothing.",
        query=HitQuery,
        answer_doc="What could be taken in is on disk, and the rest among the dead letters.",
        success=204,
        problems=(*UNREADABLE, *WRITE),
        also_reads={"text/plain": HITS, "application/x-www-form-urlencoded": HIT},
        key_in="form",
        most_bytes=MOST_HIT_BYTES,
    ),
)
