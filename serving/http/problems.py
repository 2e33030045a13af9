"""Every way a request can fail, in one table, and the RFC 9457 problem that answers it.

A problem's `type` is an address on this server: `/docs#CODE` shows the line about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import Field
from pydantic_core import to_json
from starlette.responses import Response

from features.log.contract import LogBusy, LogError, LogFull
from serving.http.schemas.answer import Answer

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2


class Failure(NamedTuple):
    """One kind of problem: the HTTP status, a title for people, its meaning and a remedy."""

    status: int
    title: str
    doc: str
    retry: bool = False


FAILURES: dict[str, Failure] = {
    "malformed_json": Failure(
        400,
        "The body is not JSON",
        "The body could not be read, or is nested deeper than 64 levels. Nothing was done.",
    ),
    "not_found": Failure(404, "No such path", "No route has this path. `/docs` lists the routes."),
    "unknown_segment": Failure(404, "No such segment", "`GET /v1/segments` lists the segments there are."),
    "unknown_decision": Failure(
        404, "No such decision", "This customer has no decision with this id. Ask `POST /v1/next-best-action` first."
    ),
    "method_not_allowed": Failure(405, "Wrong method", "The path exists, but not with this method; see `Allow`."),
    "decision_conflict": Failure(
        409, "The id is in use", "The id belongs to another customer's decision or to another event. Send a new one."
    ),
    "cursor_expired": Failure(
        410, "The cursor is too old", "The sweep of the page is no longer kept. Start again without a cursor."
    ),
    "body_too_large": Failure(
        413, "The body is too large", "The body is larger than its route allows. Send several requests."
    ),
    "body_too_slow": Failure(408, "The body arrived too slowly", "The body must arrive within 5 s. Nothing was done."),
    "unsupported_media_type": Failure(415, "Wrong content type", "Send `Content-Type: application/json`."),
    "unsupported_encoding": Failure(
        415, "Wrong content encoding", "Send the body as it is, or with `Content-Encoding: gzip`."
    ),
    "invalid_request": Failure(
        422,
        "The request is invalid",
        "Fields of the JSON, or parameters of the query, are missing, unknown, of a wrong type or out of range.",
    ),
    "no_event_accepted": Failure(
        422,
        "No event was accepted",
        "Every event of the request is invalid. All are kept as dead letters, with reasons.",
    ),
    "internal_error": Failure(
        500, "The server failed", "A fault of the server; its log has the place in the code under this `request_id`."
    ),
    "model_missing": Failure(503, "No model", "There is no usable model bundle. Run `waypost train`.", retry=True),
    "scoreboard_missing": Failure(
        503, "No scoreboard yet", "The first sweep of all customers is not finished yet. Try again shortly.", retry=True
    ),
    "store_busy": Failure(
        503, "The store is busy", "Another process has locked the store. Nothing was kept; try again.", retry=True
    ),
    "store_full": Failure(503, "The store is full", "The disk is full. Nothing was kept; free some space.", retry=True),
    "store_unavailable": Failure(
        503,
        "The store cannot be used",
        "The store is missing, damaged or not writable. Run `waypost doctor`.",
        retry=True,
    ),
    "overloaded": Failure(503, "Too many writes wait", "The queue of writes is full. Try again.", retry=True),
    "key_missing": Failure(
        401, "No key", "The request holds no key. Send one as `Authorization: Bearer KEY`, or as the user of Basic."
    ),
    "key_unknown": Failure(401, "Unknown key", "The server does not have this key, or it has expired or been revoked."),
    "token_refused": Failure(
        401,
        "The visitor's token is refused",
        "Its form or signature is wrong, or it has expired, or it is valid for too long.",
    ),
    "scope_missing": Failure(
        403, "The key does not open this", "The key is known, but its scope does not open this route."
    ),
    "customer_refused": Failure(
        403, "Another customer's answer", "A visitor's token opens answers about the one customer it names."
    ),
    "foreign_origin": Failure(
        403,
        "Not from a web page",
        "A web page of another origin sent a key or a session that must not be public. Only keys of the scope `write` "
        "and visitors' tokens may be.",
    ),
    "keys_required": Failure(
        403,
        "Keys are needed",
        "There are no keys, or the server runs without them for this machine alone and the request may be from "
        "another. Run `waypost keys create`.",
    ),
    "rate_limited": Failure(
        429,
        "Too many requests",
        "The caller asked more often than WAYPOST_REQUESTS_PER_SECOND allows. Nothing was done.",
        retry=True,
    ),
    "malformed_gzip": Failure(400, "The body is not gzip", "The body could not be unpacked. Nothing was done."),
    "message_too_large": Failure(
        400,
        "The message or the batch is too large",
        "A message may have up to 32 KB and a batch up to 500 KB, unpacked. Nothing was done.",
    ),
    "too_many_messages": Failure(
        400, "Too many messages", "A batch may have up to 2500 messages. Nothing was done; send several."
    ),
    "not_a_message": Failure(
        400, "Not a message", "The JSON was read, but it is no object, or its `batch` is no list. Nothing was done."
    ),
}

ALWAYS = ("internal_error",)
READ = ("store_busy", "store_unavailable", *ALWAYS)
WRITE = ("store_busy", "store_full", "store_unavailable", "overloaded", *ALWAYS)
SWEPT = ("scoreboard_missing", *ALWAYS)
UNREADABLE = (
    "malformed_json",
    "malformed_gzip",
    "body_too_slow",
    "body_too_large",
    "unsupported_media_type",
    "unsupported_encoding",
)
BODY = (*UNREADABLE, "invalid_request")
"""Sets of failures that routes share: those of every route, of routes that read or write the store, of routes that
answer from the scoreboard, of a body that cannot be read, and of one that cannot be read or is invalid."""


class ProblemError(Answer):
    """One fault of a request."""

    pointer: str = Field(description="JSON pointer into the body, or `?name` for a query parameter.")
    code: str
    detail: str


class ProblemAnswer(Answer):
    """RFC 9457 problem details."""

    type: str = Field(description="Address of the documentation of this problem.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="Path of the request.")
    code: str = Field(description="Stable code for programs.")
    message: str = Field(description="The same as `detail`, in the field that clients of Segment's protocol read.")
    errors: list[ProblemError] = Field(
        description="Every fault of the request, when there are several or they have a place."
    )
    request_id: str = Field(
        description="Also in the `X-Request-Id` header, and in the server's log when the server failed."
    )


class Problem(Exception):
    """A request that cannot be answered. `code` is a key of `FAILURES`; `detail` says what happened, with the value.

    The message may hold what the client sent: it goes back to the client and never to a log.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Sequence[ProblemError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.failure = FAILURES[code]
        self.headers = headers or {}
        if self.failure.retry:
            self.headers.setdefault("Retry-After", str(RETRY_SECONDS))

    def answer(self, instance: str, request_id: str) -> ProblemAnswer:
        """The body of the response to the request for path `instance`."""
        return ProblemAnswer(
            type=f"/docs#{self.code}",
            title=self.failure.title,
            status=self.failure.status,
            detail=self.detail,
            instance=instance,
            code=self.code,
            message=self.detail,
            errors=list(self.errors),
            request_id=request_id,
        )

    def response(self, instance: str, request_id: str) -> Response:
        """The response to the request for path `instance`."""
        return Response(
            to_json(self.answer(instance, request_id)),
            status_code=self.failure.status,
            headers={**self.headers, "Cache-Control": "no-store"},
            media_type=MEDIA_TYPE,
        )


def store_problem(error: LogError) -> Problem:
    """The problem of a failed store, without the store's own message, which may name paths."""
    if isinstance(error, LogBusy):
        return Problem(
            "store_busy", "The store is locked by another process; nothing was kept. Send the request again."
        )
    if isinstance(error, LogFull):
        return Problem(
            "store_full", "The disk of the store is full; nothing was kept. Free some space, then send it again."
        )
    return Problem(
        "store_unavailable",
        "The store cannot be used. Send the same request again later: if it was kept nevertheless, it counts as a "
        "duplicate. Run `waypost doctor` on the server.",
    )
