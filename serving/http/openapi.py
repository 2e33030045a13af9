"""The OpenAPI 3.1 document, generated from the table of routes: what is served is what is documented.

`python -m serving.http` prints it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from serving.http.openapi_schemas import components, parameters
from serving.http.problems import FAILURES, MEDIA_TYPE
from serving.http.route import Route

VERSION = "1"
TITLE = "Waypost"
DESCRIPTION = (
    "Follows every customer of a shop along the journey, predicts where each one goes next, and answers with the next "
    "best action. Times are ISO 8601 in UTC. An accepted event is on disk and in every later answer. Errors "
    "are RFC 9457 problems with a `code` for programs."
)
TAGS = {
    "events": "What customers did.",
    "segment": "What customers did, in the protocol of Segment's and RudderStack's clients.",
    "measurement": "What customers did, in GA4's Measurement Protocol.",
    "browsers": "What customers did, as GA4's tag in the browser sends it, and the settings of other clients there.",
    "answers": "What to expect of a customer, and what to do.",
    "customers": "What is known about one customer, and about all.",
    "operations": "The state of the server.",
    "pages": "Pages for people.",
}
SECURITY = {
    "basic": {"type": "http", "scheme": "basic", "description": "The key as the user, with an empty password."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key, or a visitor's token."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The key."},
    "query": {"type": "apiKey", "in": "query", "name": "api_secret", "description": "The key, for GA4's clients only."},
}
"""The ways to send a key. Segment's clients may also send it in the body, which OpenAPI cannot express."""

FORM = "application/x-www-form-urlencoded"

Json = dict[str, Any]


def document(routes: Sequence[Route]) -> Json:
    """The OpenAPI document of these routes."""
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components(routes),
            "headers": {"RequestId": _REQUEST_ID},
            "securitySchemes": SECURITY,
        },
    }


@cache
def served(routes: tuple[Route, ...]) -> bytes:
    """The document as a server sends it; made once for the same routes, because it takes a quarter of a second."""
    return json.dumps(document(routes), ensure_ascii=False).encode()


_REQUEST_ID = {
    "description": "Id of the request: the one sent in `X-Request-Id`, or a new one.",
    "schema": {"type": "string"},
}
_REQUEST_ID_HEADER = {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}


def _operation(route: Route) -> Json:
    operation: Json = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "description": route.description,
    }
    if described := parameters(route):
        operation["parameters"] = described
    if content := _request_content(route):
        operation["requestBody"] = {"required": route.request is not None, "content": content}
    success = _success(route)
    also = {str(status): {**success, "description": text} for status, text in route.also_statuses.items()}
    operation["security"] = _security(route)
    operation["responses"] = {str(route.success): success, **_beside(also, _failures(route.failures))}
    return operation


def _beside(answers: Json, failures: Json) -> Json:
    """Answers and failures by status; a status of both describes both."""
    both = {
        status: {
            **failures[status],
            "description": f"{answers[status]['description']} {failures[status]['description']}",
            "content": answers[status].get("content", {}) | failures[status]["content"],
        }
        for status in sorted(answers.keys() & failures.keys())
    }
    return answers | failures | both


def _security(route: Route) -> list[Json]:
    """The ways to send the key of a route, with its scope; none for an open route."""
    if route.scope == "open":
        return []
    return [{scheme: [route.scope]} for scheme in SECURITY if scheme != "query" or route.key_in in ("query", "form")]


def _request_content(route: Route) -> Json:
    content: Json = {}
    if route.request:
        content["application/json"] = {
            "schema": {"$ref": f"#/components/schemas/{route.request.__name__}"},
            "examples": {name: {"value": value} for name, value in route.examples.items()},
        }
    return {
        **content,
        **{media: _text_content(media, text) for media, text in route.also_reads.items()},
    }


def _text_content(media: str, text: str) -> Json:
    if media == FORM:
        form = {"type": "object", "additionalProperties": {"type": "string"}}
        return {"schema": form, "example": dict(parse_qsl(text))}
    return {"schema": {"type": "string"}, "example": text}


def _success(route: Route) -> Json:
    content: Json = {}
    if route.answer:
        body: Json = {"schema": {"$ref": f"#/components/schemas/{route.answer.__name__}"}}
        if route.answer_example is not None:
            body["example"] = route.answer_example
        content["application/json"] = body
    for media, example in route.also_answers.items():
        kind = "object" if media == "application/json" else "string"
        content[media] = {"schema": {"type": kind}, **({"example": example} if example else {})}
    return {"description": route.answer_doc, "headers": _REQUEST_ID_HEADER, **({"content": content} if content else {})}


def _failures(codes: Iterable[str]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(FAILURES[code].status, []).append(code)
    return {str(status): _failure(status, some) for status, some in sorted(by_status.items())}


def _failure(status: int, codes: Sequence[str]) -> Json:
    headers: Json = dict(_REQUEST_ID_HEADER)
    if any(FAILURES[code].retry for code in codes):
        headers["Retry-After"] = {"description": "Seconds to wait before trying again.", "schema": {"type": "integer"}}
    if status == 401:
        headers["WWW-Authenticate"] = {"description": "Asks for a key.", "schema": {"type": "string"}}
    if status == 429:
        text = "The same as `Retry-After`, under the name that Segment's clients read."
        headers["X-RateLimit-Reset"] = {"description": text, "schema": {"type": "integer"}}
    return {
        "description": " ".join(f"`{code}`: {FAILURES[code].doc}" for code in codes),
        "headers": headers,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemAnswer"},
                "examples": {code: {"value": _problem_example(code)} for code in codes},
            }
        },
    }


def _problem_example(code: str) -> Mapping[str, Any]:
    failure = FAILURES[code]
    return {
        "type": f"/docs#{code}",
        "title": failure.title,
        "status": failure.status,
        "detail": failure.doc,
        "instance": "/v1/…",
        "code": code,
        "message": failure.doc,
        "errors": [],
        "request_id": "4f1c2a9be07d3356",
    }


def text(routes: Sequence[Route]) -> str:
    """The document as the text of a file."""
    return json.dumps(document(routes), indent=1, ensure_ascii=False) + "\n"
