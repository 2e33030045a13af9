"""The records of one request: valid ones become events for the log, the others dead letters.

Every route that records events does it through here, whatever the format of its records.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from pydantic_core import to_json

from features.events import Event
from features.log.contract import DeadLetter
from features.log.membership import JOINS
from features.sources.contract import BadRecord, Unread
from features.sources.fields import fields as field_values
from features.sources.fields.currencies import Currencies
from features.sources.fields.privacy import Privacy
from serving import metrics
from serving.engine.batch import Batch, BatchResult, Outcome

TURN = 250
"""Records read before other requests have their turn: some milliseconds."""

MOST_WARNINGS = 20
"""Most unread values that an answer lists one by one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that did not become events."""

    index: int
    record: Any
    bad: BadRecord
    code: str
    """`invalid_` and the field at fault, or `invalid_event` if the source does not know it; a label of the metrics."""

    def text(self, name: str) -> str | None:
        """The text in a field of the record; None where it has none, or where the record is not an object."""
        value = self.record.get(name) if isinstance(self.record, dict) else None
        return value if isinstance(value, str) else None


class Warned(NamedTuple):
    """A value that was left out, and the place of its record in the request."""

    place: int
    bad: BadRecord


_KIND = attrgetter("kind")

OTHER_IDS = ("previousId", *JOINS)
"""Where a record, or its `properties`, may name its customer by another id."""


def new_id() -> str:
    """A message id for a record that came without one."""
    return os.urandom(16).hex()


def ids_of(record: Any, fields: Collection[str]) -> set[str]:
    """Every id that a record names its customer by, in these fields or as another id. Raises BadRecord."""
    known = record if isinstance(record, dict) else {}
    within = known.get("properties")
    given = [known.get(field) for field in (*fields, *OTHER_IDS)]
    given += [within.get(field) for field in OTHER_IDS] if isinstance(within, dict) else []
    return {name for value in given if (name := field_values.name(value, "customer")) is not None}


def only_customer(record: Any, fields: Collection[str]) -> str | None:
    """The one id that a record names its customer by; None when there is none, or several.

    An erasure searches the bytes of a dead letter for the erased ids when the letter has no such id.
    """
    try:
        ids = ids_of(record, fields)
    except BadRecord:
        return None
    return ids.pop() if len(ids) == 1 else None


def _mended(bad: BadRecord) -> BadRecord:
    """A fault without lone surrogates, which its quote of a record may hold and UTF-8 cannot encode."""
    return BadRecord(field_values.mended_text(bad.field), field_values.mended_text(bad.reason), bad.code)


class Ingest:
    """The records of one request of `size` bytes, added one by one.

    `source` names the source in the dead letters, `customer` the fields that may name the customer of a record, and
    `fields` those that may be named in the code of a fault.
    """

    def __init__(
        self,
        source: str,
        privacy: Privacy,
        currencies: Currencies,
        received: int,
        size: int,
        customer: Sequence[str],
        fields: Collection[str],
    ) -> None:
        self.batch = Batch(size=size)
        self.faults: list[Fault] = []
        self._source = source
        self._privacy = privacy
        self._currencies = currencies
        self._received = received
        self._customer = customer
        self._fields = fields
        self._firsts: list[int] = []
        self._dropped = 0
        self.warnings: list[Warned] = []
        """The first `MOST_WARNINGS` of the values that were left out."""
        self._unread: Counter[str] = Counter()

    @property
    def more_warnings(self) -> int:
        """How many values were left out beyond those of `warnings`."""
        return self._unread.total() - len(self.warnings)

    def take(
        self, index: int, record: Any, parse: Callable[[Any, Unread], Sequence[Event]], raw: bytes | None = None
    ) -> None:
        """Add the events that `parse` makes of a record, or a dead letter alone when the record is invalid.

        `raw` are the bytes of a record that is not valid JSON.
        """
        events = self.batch.events
        first = len(events)
        dropped = 0
        unread: Unread = []
        try:
            parsed = parse(record, unread)
            self._currencies.convert(parsed, unread)
            for event in parsed:
                if raw is not None:
                    event.properties = field_values.mended(event.properties)
                kept, number = self._privacy.clean(event)
                events.append(kept)
                dropped += number
        except BadRecord as bad:
            del events[first:]
            self.refuse(index, record, bad, raw)
            return
        self._dropped += dropped
        if len(events) > first:
            self._firsts.append(first)
        if unread:
            self._unread.update(bad.code for bad in unread)
            self.warnings += (Warned(index, _mended(bad)) for bad in unread[: MOST_WARNINGS - len(self.warnings)])

    def refuse(self, index: int, record: Any, bad: BadRecord, raw: bytes | None = None) -> None:
        """Keep a record as a dead letter, with its original bytes `raw` when they are given."""
        bad = _mended(bad)
        field = bad.field.partition(".")[0].partition("[")[0]
        known = record if raw is None else field_values.mended(record)
        self.faults.append(Fault(index, known, bad, f"invalid_{field if field in self._fields else 'event'}"))
        self.batch.dead_letters.append(
            DeadLetter(
                source=self._source,
                position=index,
                field=bad.field,
                reason=bad.reason,
                raw=to_json(record) if raw is None else raw,
                received=self._received,
                customer=only_customer(record, self._customer),
            )
        )

    def outcomes(self, result: BatchResult) -> Counter[Outcome]:
        """How many records had each outcome; a record of several events has that of its first.

        Adds the outcomes and the faults to the metrics.
        """
        events = Counter(zip(map(_KIND, self.batch.events), result.outcomes, strict=True))
        for (kind, outcome), number in events.items():
            metrics.EVENTS.labels(kind.name, outcome).inc(number)
            if outcome == "duplicate":
                metrics.DUPLICATES.inc(number)
        for code, number in Counter(fault.code for fault in self.faults).items():
            metrics.EVENTS.labels("unknown", "rejected").inc(number)
            metrics.DEAD_LETTERS.labels(code).inc(number)
        for code, number in self._unread.items():
            metrics.VALUES_UNREAD.labels(code).inc(number)
        if self._dropped:
            metrics.PROPERTIES_DROPPED.inc(self._dropped)
        return Counter(result.outcomes[first] for first in self._firsts)
