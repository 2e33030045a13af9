"""Events of GA4, recorded in the same way from its Measurement Protocol and from its tag in a browser.

Google answers 204 to invalid events too, and so do we: an invalid event is kept as a dead letter. Only a failed write
is answered as a failure, so that the request is sent again.
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
    """The `Ingest` for the events of a request of `size` bytes."""
    return Ingest(SOURCE.name, worker.settings.privacy, worker.currencies, now, size, SOURCE.customer, _FIELDS)


async def take_events(
    ingested: Ingest,
    parts: Sequence[dict[str, Any]],
    now: int,
    odd: Mapping[int, Part],
    shared: Mapping[str, Any],
) -> None:
    """Add the events `parts`; those that are `odd` keep their original bytes, together with what they `shared`."""
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
    """A request with this event alone, with the original bytes of the event, that can be corrected and read again."""
    return to_json({**mended(shared), "events": []})[:-2] + raw + b"]}"
