"""Events of GA4, taken in alike from its Measurement Protocol and from its tag in a browser.

Google answers 204 whatever it was sent, and so do we: what is at fault is kept as a dead letter. Only what could not
be written at all is a failure, so that it is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from features.sources.contract import BadRecord
from features.sources.fields.fields import mended
from features.sources.formats.measurement import SOURCE, parse
from features.sources.readers.broken_json import Part
from serving.engine.ingest import TURN, Ingest
from serving.process.worker import Worker

_FIELDS = frozenset(("client_id", "user_id", "timestamp_micros", "events", "event"))


def new_ingest(worker: Worker, now: int, size: int) -> Ingest:
    """What the events of a request of `size` bytes are taken into."""
    return Ingest(SOURCE.name, worker.settings.privacy, worker.currencies, now, size, SOURCE.customer, _FIELDS)


async def take_events(
    ingested: Ingest,
    parts: Sequence[dict[str, Any]],
    now: int,
    odd: Mapping[int, Part],
    shared: Mapping[str, Any],
) -> None:
    """Take the events `parts` in; of those that are `odd`, with what they `shared`, the bytes as they came."""
    for index, part in enumerate(parts):
        event = odd.get(part.get("number", -1))
        raw = None if event is None or event.raw is None else _enveloped(shared, event.raw)
        if event and event.reason:
            ingested.refuse(index, part, BadRecord("event", event.reason), raw)
        else:
            ingested.take(index, part, lambda part, unread: parse(part, now, None, False, unread), raw)
        if index % TURN == TURN - 1:
            await asyncio.sleep(0)


def _enveloped(shared: Mapping[str, Any], raw: bytes) -> bytes:
    """The request that an event would be by itself, with the event's bytes as they came: it can be mended and read."""
    return to_json({**mended(shared), "events": []})[:-2] + raw + b"]}"
