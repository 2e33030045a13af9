"""The records of a file, one after the other: each through its source's `parse`, which says what every record means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from features.events import Event
from features.log.contract import IMPORT_BATCH, DeadLetter
from features.log.frame import frame_of
from features.sources.columns.batch import Batch
from features.sources.contract import BadRecord, FileUnreadable, Reading, Record, Source, Unread
from features.sources.fields import fields
from features.sources.fields.currencies import Currencies, Rates
from features.sources.fields.message_ids import Identities
from features.sources.fields.privacy import Privacy
from features.sources.report import ImportReport

BATCH = IMPORT_BATCH
"""Events or dead letters of a full batch."""

BATCH_BYTES = 64 << 20
"""Bytes of records after which a batch is full, however few events they made."""


class RowByRow:
    """One file under way: what its records so far say of the next ones, and the batch that is being filled."""

    def __init__(self, source: Source, received: int, privacy: Privacy, rates: Rates) -> None:
        self.source = source
        self.received = received
        self.identities = Identities(source.name)
        self.currencies = Currencies(rates)
        self.privacy = privacy.keeping(source.keeps)
        self._clean = self.privacy.clean
        self._begin()

    def _begin(self) -> None:
        self._report = ImportReport(self.source.name)
        self._events: list[Event] = []
        self._records: list[int] = []
        self._dead_letters: list[DeadLetter] = []
        self._bytes = 0

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """The batches of a whole file. Raises FileUnreadable where it breaks off, after a batch of what was read."""
        try:
            for record in reading:
                self.take(record, self._report.records)
                if self._is_full():
                    yield self.batch(reading.done())
        except FileUnreadable:
            yield self.batch(reading.done())
            raise
        if self._report.records:
            yield self.batch(reading.done())

    def take(self, record: Record, place: int) -> None:
        """Turn a record into events of the batch, or into a dead letter; `place` counts the records of the batch."""
        self._report.records += 1
        self._bytes += len(record.raw)
        if record.fault is not None:
            self._reject(record, record.fault)
            return
        self.identities.raw = record.raw
        unread: Unread = []
        try:
            events = self.source.parse(record.values, self.received, self.identities, True, unread)
            self.currencies.convert(events, unread)
            if record.odd:
                events = [replace(event, properties=fields.mended(event.properties)) for event in events]
            cleaned = [self._clean(event) for event in events]
        except BadRecord as bad:
            self._reject(record, bad)
            return
        for value in unread:
            self._report.leave_out(record.position, value, fields.mended_text(value.reason))
        for event, dropped in cleaned:
            self._events.append(event)
            self._records.append(place)
            self._report.dropped += dropped
        if not cleaned:
            self._report.skipped += 1

    def batch(self, done: int) -> Batch:
        """What was taken since the last batch; the next one begins."""
        batch = Batch(frame_of(self._events, self._records), self._dead_letters, self._report, done)
        self._begin()
        return batch

    def _is_full(self) -> bool:
        return len(self._events) >= BATCH or len(self._dead_letters) >= BATCH or self._bytes >= BATCH_BYTES

    def _reject(self, record: Record, bad: BadRecord) -> None:
        self._report.reject(record.position, bad)
        self._dead_letters.append(
            DeadLetter(
                source=self.source.name,
                position=record.position,
                field=bad.field,
                reason=fields.mended_text(bad.reason),
                raw=record.raw or json.dumps(record.values, default=str).encode(),
                received=self.received,
                customer=_customer(self.source, record.values),
            )
        )


def _customer(source: Source, values: Mapping[str, Any]) -> str | None:
    """The customer that a rejected record names, when that can be read."""
    for column in source.customer:
        try:
            if customer := fields.name(values.get(column), column):
                return customer
        except BadRecord:
            continue
    return None
