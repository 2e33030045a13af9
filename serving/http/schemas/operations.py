"""What the server says of itself, and of requests that it cannot answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serving.http.schemas.answer import Answer


class ReadyCheck(Answer):
    """One thing that must be right before the server can answer."""

    ok: bool
    detail: str
    done: int | None = Field(default=None, description="How much of a work under way is done.")
    total: int | None = Field(default=None, description="How much there is to do.")


class ReadyAnswer(Answer):
    """Whether the server can answer, and what keeps it from it."""

    ready: bool
    checks: dict[str, ReadyCheck]


class LiveAnswer(Answer):
    """The process runs."""

    alive: Literal[True]


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
    code: str = Field(description="Stable word for programs to test.")
    message: str = Field(description="The same as `detail`, where clients of Segment's protocol look for it.")
    errors: list[ProblemError] = Field(
        description="Each fault of the request, when there are several or they have a place."
    )
    request_id: str = Field(
        description="Also in the `X-Request-Id` header, and in the server's log when the server failed."
    )
