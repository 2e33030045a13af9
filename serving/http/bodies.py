"""The body of a request with records: parsed at once where it is JSON, else as far as it can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json

from features.sources.fields.fields import mended
from features.sources.readers.broken_json import DEEPEST, IsMessage, Part, parts, read, without_key
from serving.http.limits import too_deep
from serving.http.messages import malformed


class Body(NamedTuple):
    """The content of a body."""

    content: Any
    odd: Mapping[int, Part]
    """The records that are not valid JSON, by their places in the list; `content` has None for those that cannot be
    read."""


def strict(body: bytes) -> Any:
    """The JSON value of a body. Raises ValueError."""
    if too_deep(body):
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    return from_json(body, allow_inf_nan=False)


def listed(body: bytes, name: str | None, is_message: IsMessage) -> Body:
    """A body whose records are the list under `name`, or that is the list. Raises a `Problem` without any record."""
    try:
        return Body(strict(body), {})
    except ValueError as error:
        salvaged = parts(body, name, is_message)
        if salvaged is None or not any(part.raw is None or part.raw.startswith(b"{") for part in salvaged.parts):
            raise malformed(str(error)) from None
    values = [part.value for part in salvaged.parts]
    odd = {index: part for index, part in enumerate(salvaged.parts) if part.raw is not None}
    return Body(values if name is None else {**mended(salvaged.around), name: values}, odd)


def alone(body: bytes) -> Body:
    """A body that is one record. Raises a `Problem` when it does not begin like one."""
    content, part = record_of(body)
    if part and part.reason and not body.lstrip().startswith(b"{"):
        raise malformed(part.reason)
    return Body({} if part and part.reason else content, {0: part} if part else {})


def lined(lines: Iterable[bytes]) -> Body:
    """A body of lines, each of which is a record."""
    records = [record_of(line) for line in lines]
    return Body([content for content, _ in records], {index: part for index, (_, part) in enumerate(records) if part})


def record_of(raw: bytes) -> tuple[Any, Part | None]:
    """The record in some bytes, and its part when it is not valid JSON."""
    try:
        return strict(raw), None
    except ValueError as error:
        try:
            part = Part(read(raw), without_key(raw))
        except ValueError:
            part = Part(None, without_key(raw), f"not JSON: {error}")
        return part.value, part
