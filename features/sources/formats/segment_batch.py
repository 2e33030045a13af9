"""Batches of Segment's messages: the fields that a batch gives for all of them, and files that hold batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from features.sources.contract import BadRecord, shown

_NOTHING: Mapping[str, Any] = {}


def within(values: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """The object under `field`; empty when there is anything else, such as a text."""
    value = values.get(field)
    return value if isinstance(value, dict) else _NOTHING


class Envelope(NamedTuple):
    """The body of a batch: its items, and the fields that it gives for all of them."""

    items: list[Any]
    shared: Mapping[str, Any]
    context: Mapping[str, Any]

    def message(self, index: int) -> dict[str, Any]:
        """One message, with the fields that the batch gives for all. Raises BadRecord when the item is no object."""
        item = self.items[index]
        if type(item) is not dict:
            raise BadRecord(f"batch[{index}]", f"expected an object, got {shown(item)}")
        if not self.shared and not self.context:
            return item
        whole: dict[str, Any] = {**self.shared, **item}
        if self.context:
            whole["context"] = {**self.context, **within(item, "context")}
        return whole


def opened(body: Mapping[str, Any]) -> Envelope:
    """The envelope that a body is. Raises BadRecord when it has no list of messages."""
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise BadRecord("batch", f"expected a list of messages, got {shown(batch)}")
    shared = {key: body[key] for key in ("sentAt", "receivedAt", "integrations") if key in body}
    return Envelope(batch, shared, within(body, "context"))


def messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a batch, each with the fields that the batch gives for all of them. Raises BadRecord."""
    envelope = opened(body)
    return [envelope.message(index) for index in range(len(envelope.items))]


def of_record(record: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The messages of a record of a file that is a batch; None for one that is a message by itself."""
    return messages(record) if "batch" in record else None
