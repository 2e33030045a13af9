"""What one route is: its address, what it reads and answers, how it can fail, and who answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from serving.schemas import Answer, Request

if TYPE_CHECKING:
    from serving.worker import Worker

Endpoint = Callable[["Worker", HttpRequest], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One method of one path. `name` is the operation's id, `problems` are keys of `problems.FAILURES`.

    `endpoint` is None for a path that the framework answers. `path_parameters` maps a name to its description and
    an example; `also_reads` and `also_answers` map further media types to an example, `also_statuses` further statuses
    under which the same body comes to what they mean.
    """

    name: str
    method: str
    path: str
    endpoint: Endpoint | None
    tag: str
    summary: str
    doc: str
    answer: type[Answer] | None = None
    answer_doc: str = "The answer."
    request: type[BaseModel] | None = None
    query: type[Request] | None = None
    problems: tuple[str, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    answer_example: Any = None
    path_parameters: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    also_reads: Mapping[str, str] = field(default_factory=dict)
    also_answers: Mapping[str, str] = field(default_factory=dict)
    also_statuses: Mapping[int, str] = field(default_factory=dict)
