"""What arrived with one request, sorted: events on their way into the log, records that are none among the letters.

Every route that takes events in sorts them here, whatever the shape they come in.
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
from features.sources.fields import fields as door
from features.sources.fields.currencies import Currencies
from features.sources.fields.privacy import Privacy
from serving import metrics
from serving.engine.batch import Batch, BatchResult, Outcome

TURN = 250
"""Records sorted before other requests have their turn: some milliseconds."""

MOST_WARNINGS = 20
"""Values that an answer tells of one by one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that did not become events."""

    index: int
    record: Any
    bad: BadRecord
    code: str
    """`invalid_` and the field at fault, as far as the source names it; a label of the metrics."""

    def text(self, name: str) -> str | None:
        """The text that the record has under a name; None where it has none, or is no object."""
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
    return {name for value in given if (name := door.name(value, "customer")) is not None}


def only_customer(record: Any, fields: Collection[str]) -> str | None:
    """The one id that a record names its customer by; None when there is none, or several.

    A dead letter of several ids is looked through for any of them, when their customer is erased.
    """
    try:
        ids = ids_of(record, fields)
    except BadRecord:
        return None
    return ids.pop() if len(ids) == 1 else None


def _mended(bad: BadRecord) -> BadRecord:
    """A fault that can be sent on: what it shows of a record may hold halves of characters."""
    return BadRecord(door.mended_text(bad.field), door.mended_text(bad.reason), bad.code)


class Ingest:
    """The records of one request of `size` bytes, taken in one by one.

    `source` names the source in the dead letters, `customer` the fields that may name the customer of a record, and
    `fields` what may stand in the code of a fault.
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
        """The first of the values that were left out."""
        self._unread: Counter[str] = Counter()

    @property
    def more_warnings(self) -> int:
        """How many values were left out beyond those of `warnings`."""
        return self._unread.total() - len(self.warnings)

    def take(
        self, index: int, record: Any, parse: Callable[[Any, Unread], Sequence[Event]], raw: bytes | None = None
    ) -> None:
        """Take in the events that `parse` makes of a record, or none of them and a dead letter, when it is at fault.

        `raw` are the bytes of a record that is not JSON to the letter.
        """
        events = self.batch.events
        first = len(events)
        dropped = 0
        unread: Unread = []
        try:
            found = parse(record, unread)
            self._currencies.convert(found, unread)
            for event in found:
                if raw is not None:
                    event.properties = door.mended(event.properties)
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
        """Keep a record as a dead letter: as the bytes that came, when they are given."""
        bad = _mended(bad)
        field = bad.field.partition(".")[0].partition("[")[0]
        known = record if raw is None else door.mended(record)
        self.faults.append(Fault(index, known, bad, f"invalid_{field if field in self._fields else 'event'}"))
        self.batch.letters.append(
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

    def outcomes(self, taken: BatchResult) -> Counter[Outcome]:
        """What became of the records: a record that made several events shares the fate of the first.

        Counts them, and the faults, in the metrics.
        """
        events = Counter(zip(map(_KIND, self.batch.events), taken.outcomes, strict=True))
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
        return Counter(taken.outcomes[first] for first in self._firsts)
