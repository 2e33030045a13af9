"""Reading requests within limits and checking them, and writing answers."""

from __future__ import annotations

import asyncio
import random
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Scope

from features.sources.readers.broken_json import DEEPEST
from serving.http.limits import too_deep
from serving.http.problems import Problem, ProblemError
from serving.http.route import ROUTE, Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.request import Request

MOST_ERRORS = 20
BODY_SECONDS = 5.0
JSON = "application/json"
JSON_LINES = "application/x-ndjson"

RequestModel = TypeVar("RequestModel", bound=Request)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id(scope: Scope) -> str:
    """The id the client gave in `X-Request-Id` when it is a plain word, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    # The id need not be secret, and the operating system's randomness would cost a system call.
    return f"{random.getrandbits(64):016x}"


async def read_body(
    request: HttpRequest,
    accepted: Sequence[str] = (JSON,),
    too_large: str = "body_too_large",
    *,
    any_depth: bool = False,
) -> tuple[bytes, str]:
    """The body, unpacked, and its media type. Raises a `Problem` for a type not `accepted`, an encoding, or its size.

    A body whose announced length is above the route's limit is not read; one without a length, or packed, is read and
    unpacked up to the limit and not a byte further. `too_large` is the code of that problem. Raises `malformed_json`
    for a body nested too deep, unless `any_depth` is allowed.
    """
    most = request.scope[ROUTE].most_bytes
    headers = dict(request.scope["headers"])
    media = _media(headers.get(b"content-type"), accepted)
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding not in (b"identity", b"gzip"):
        raise Problem(
            "unsupported_encoding",
            f"Content-Encoding is {shorten(repr(str(encoding, 'latin-1')))}; expected gzip, or none.",
            headers={"Accept-Encoding": "gzip, identity"},
        )
    length = headers.get(b"content-length", b"")
    try:
        if length.isdigit() and int(length) > most:
            raise _TooLarge(f"{int(length):,} bytes")
        async with asyncio.timeout(BODY_SECONDS):
            body = await _received(request, most)
        if encoding == b"gzip":
            body = unpacked(body, most)
    except TimeoutError:
        raise Problem("body_too_slow", f"The body did not arrive within {BODY_SECONDS} s. Send it again.") from None
    except _TooLarge as size:
        raise Problem(
            too_large, f"The body has {size}; at most {most:,} are read. Send several smaller requests."
        ) from None
    if not any_depth and too_deep(body):
        raise malformed(f"it is nested deeper than {DEEPEST} levels")
    return body, media


def _media(header: bytes | None, accepted: Sequence[str]) -> str:
    if header is None:
        return accepted[0]
    if header == b"application/json" and JSON in accepted:
        return JSON
    media = str(header, "latin-1").partition(";")[0].strip().lower()
    if media not in accepted:
        wanted = " or ".join(accepted)
        raise Problem(
            "unsupported_media_type",
            f"Content-Type is {shorten(repr(media))}; expected {wanted}. Send it with -H 'Content-Type: {JSON}'.",
        )
    return media


async def _received(request: HttpRequest, most: int) -> bytes:
    body = b""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        if len(body) + len(part) > most:
            raise _TooLarge(f"more than {most:,} bytes")
        body = body + part if body else part
        if not message.get("more_body", False):
            return body


class _TooLarge(Exception):
    """The body is larger than its route allows; the message says how large."""


def unpacked(packed: bytes, most: int) -> bytes:
    """Unpack gzip data, up to `most` bytes: unpacking stops there, so that a decompression bomb costs no memory.

    Raises a `Problem` for data that is not gzip, is cut off, or has data after its end.
    """
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        whole = stream.decompress(packed, most + 1)
    except zlib.error as error:
        raise Problem("malformed_gzip", f"The body is not gzip: {error}. Send it packed, or as it is.") from None
    if len(whole) > most:
        raise _TooLarge(f"more than {most:,} bytes when unpacked")
    if not stream.eof or stream.unused_data:
        fault = "has data after its end" if stream.eof else "is cut off before its end"
        raise Problem("malformed_gzip", f"The gzip data {fault}. Send the body again, as one stream.")
    return whole


def parse(model: type[RequestModel], body: bytes) -> RequestModel:
    """The body as `model`. Raises a `Problem`: `malformed_json` (400) or `invalid_request` (422) with every fault."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        if faults[0]["type"] == "json_invalid":
            raise malformed(faults[0]["msg"]) from None
        raise _invalid(faults, "") from None


def check_query(route: Route, scope: Scope) -> None:
    """Raise a `Problem` that names unknown query parameters, and those that the route knows."""
    known = route.parameters
    if not scope["query_string"] or known is None:
        return
    unknown = [name for name in dict(QueryParams(scope["query_string"])) if name not in known]
    if unknown:
        takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
        detail = f"is no query parameter of {route.method} {route.path}; {takes}"
        errors = [
            ProblemError(pointer=f"?{shorten(name)}", code="unknown_parameter", detail=detail)
            for name in unknown[:MOST_ERRORS]
        ]
        raise Problem("invalid_request", f"?{shorten(unknown[0])} {detail}.", errors)


def parse_query(model: type[RequestModel], query: QueryParams) -> RequestModel:
    """The query string as `model`. Raises a `Problem` `invalid_request` with every fault."""
    counts = Counter(name for name, _ in query.multi_items())
    twice = [name for name, times in counts.items() if times > 1]
    if twice:
        errors = [ProblemError(pointer=f"?{name}", code="repeated", detail="is given more than once") for name in twice]
        raise Problem("invalid_request", f"?{shorten(twice[0])} is given more than once; expected once.", errors)
    try:
        return model.model_validate(dict(query))
    except ValidationError as error:
        raise _invalid(error.errors(include_url=False, include_context=False), "?") from None


def malformed(reason: str) -> Problem:
    """The problem of a body that is not JSON."""
    reason = reason.removeprefix("Invalid JSON: ")
    return Problem("malformed_json", f"The body is not JSON: {reason}. Send one JSON value in UTF-8.")


def _invalid(faults: Sequence[Mapping[str, Any]], query: str) -> Problem:
    errors = [
        ProblemError(pointer=_pointer(fault["loc"], query), code=fault["type"], detail=_detail(fault))
        for fault in faults[:MOST_ERRORS]
    ]
    first = errors[0]
    more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
    where = first.pointer or "the body"
    return Problem("invalid_request", f"{where}: {first.detail}{more}. `/docs` shows what is expected.", errors)


def _pointer(location: Sequence[str | int], query: str) -> str:
    """RFC 6901 pointer of a fault in the body; `?name` of a query parameter."""
    if query:
        return query + ".".join(map(str, location))
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _detail(fault: Mapping[str, Any]) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    given = fault.get("input")
    if isinstance(given, (str, int, float, bool)):
        return f"{message}, got {shorten(repr(given))}"
    return message


def shorten(text: str) -> str:
    """`text`, cut to 80 characters for a message."""
    return text if len(text) <= 80 else f"{text[:77]}..."


def reply(answer: Answer) -> Response:
    """The response that carries `answer`."""
    return Response(answer.__pydantic_serializer__.to_json(answer), media_type=JSON)


def reply_with(answer: BaseModel, status: int) -> Response:
    """The response that carries `answer` under a status other than 200, never cached."""
    body = answer.__pydantic_serializer__.to_json(answer)
    return Response(body, status_code=status, media_type=JSON, headers={"Cache-Control": "no-store"})
