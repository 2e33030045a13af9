"""Dead letters read again: a letter that now gives events is settled in the transaction that records them.

A letter's record is parsed by today's reader of the source it came through. A record that came live counts as received
at the moment of the replay; one that came with a file counts as an import of the past, like the rest of its file. A
record without a message id gets one from the letter, so that nothing is added twice when a replay is interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from features.events import Event
from features.log.contract import DeadLetter
from features.log.rows import concerns
from features.sources import SOURCES
from features.sources.contract import BadRecord, Source, SourceUnknown
from features.sources.fields.currencies import Currencies, Rates
from features.sources.fields.fields import mended
from features.sources.fields.message_ids import Identities, content_id
from features.sources.fields.privacy import Privacy
from features.sources.formats import measurement, segment, waypost
from features.sources.importing import NO_RATES
from features.sources.readers.broken_json import read
from serving.engine.batch import Batch
from serving.engine.engine import Engine
from serving.engine.ingest import ids_of

BATCH = 500
"""Dead letters read in one transaction."""

LIVE: dict[str, Source] = {
    "api": waypost.SOURCE,
    segment.SOURCE.name: segment.SOURCE,
    measurement.SOURCE.name: measurement.SOURCE,
}
"""The sources whose records come by request."""

Progress = Callable[[int], None]
"""Called with the number of letters read so far."""


@dataclass
class DeadLetterReport:
    """What became of the dead letters."""

    letters: int = 0
    """Letters read."""
    settled: int = 0
    """Letters that became events, or are now left out on purpose, and were removed."""
    accepted: int = 0
    """Events new in the log."""
    duplicates: int = 0
    """Events the log already had."""
    withheld: int = 0
    """Events of customers who withdrew the consent to be profiled."""
    remaining: int = 0
    """Letters that still do not become events."""


class Replay:
    """One replay of the dead letters of a store, of one source when it is named.

    `mapped` is the source that a mapping describes, for letters under its name. Raises SourceUnknown for a name
    that no letter can have.
    """

    def __init__(
        self,
        engine: Engine,
        received: int,
        privacy: Privacy,
        source: str | None = None,
        mapped: Source | None = None,
        rates: Rates = NO_RATES,
    ) -> None:
        self.report = DeadLetterReport()
        self._engine = engine
        self._received = received
        self._privacy = privacy
        self._currencies = Currencies(rates)
        self._sources = {**SOURCES, **LIVE, **({mapped.name: mapped} if mapped else {})}
        self._name = mapped.name if mapped and source is None else source
        if self._name is not None and self._name not in self._sources:
            raise SourceUnknown(
                f"unknown source {self._name!r}; expected {', '.join(self._sources)}, or one of a mapping with --map"
            )
        self._identities: dict[str, Identities] = {}

    def run(self, progress: Progress | None = None) -> DeadLetterReport:
        """Read every letter again, oldest first. Raises a `LogError`; letters settled before stay settled."""
        log = self._engine.states.log
        last = 0
        while dead_letters := log.dead_letters(BATCH, after=last, source=self._name):
            last = dead_letters[-1].number
            self._batch(dead_letters)
            if progress:
                progress(self.report.letters)
        return self.report

    def _batch(self, dead_letters: Sequence[DeadLetter]) -> None:
        settled: list[DeadLetter] = []
        live: list[Event] = []
        past: list[Event] = []
        for letter in dead_letters:
            try:
                events = self._parse(letter)
            except BadRecord:
                continue
            settled.append(letter)
            (live if letter.source in LIVE else past).extend(events)
        states = self._engine.states
        with states.transaction():
            outcomes = self._engine.take([Batch(live)])[0].outcomes if live else []
            appended = states.log.append(past, history=True) if past else None
            removed = states.log.settle(settled) if settled else 0
        report = self.report
        report.letters += len(dead_letters)
        report.settled += removed
        report.remaining += len(dead_letters) - len(settled)
        report.accepted += outcomes.count("accepted") + (appended.accepted_count if appended else 0)
        report.duplicates += outcomes.count("duplicate") + (appended.duplicate_count if appended else 0)
        report.withheld += outcomes.count("withheld")

    def _parse(self, letter: DeadLetter) -> list[Event]:
        """The events of a letter, with the properties that may be kept. Raises BadRecord."""
        source = self._sources.get(letter.source)
        if source is None:
            raise BadRecord("", f"no source is called {letter.source}")
        values = _values(letter.raw)
        live = letter.source in LIVE
        identity = _letter_ids(letter) if live else self._import_ids(source.name, letter.raw)
        moment = letter.received if live else self._received
        events = source.parse(values, moment, identity, not live)
        self._currencies.convert(events, [])
        clean = self._privacy.keeping(source.keeps).clean
        return [clean(replace(event, properties=mended(event.properties)))[0] for event in events]

    def _import_ids(self, source: str, raw: bytes) -> Callable[[], str]:
        """The message ids that an import of the file gives, so that importing it again adds nothing."""
        identities = self._identities.setdefault(source, Identities(source))
        identities.raw = raw
        return identities


def speaks_of(letter: DeadLetter, names: Collection[str]) -> bool:
    """Whether the export of the customer with these ids includes a letter.

    Stricter than an erasure: a letter that names its customer goes to nobody else, even if it contains their id too.
    """
    if not any(concerns(letter, name) for name in names):
        return False
    source = (SOURCES | LIVE).get(letter.source)
    try:
        ids = ids_of(_values(letter.raw), source.customer) if source else set()
    except BadRecord:
        return True
    return not ids or not ids.isdisjoint(names)


def _letter_ids(letter: DeadLetter) -> Callable[[], str]:
    """Message ids made from the letter itself, one after the other."""
    number = 0

    def identity() -> str:
        nonlocal number
        number += 1
        return content_id("letter", letter.source, str(letter.position), str(number), letter.raw)

    return identity


def _values(raw: bytes) -> dict[str, Any]:
    """The record in the bytes. A line of a CSV file lacks the column names: its file is imported again instead."""
    try:
        values = read(raw)
    except ValueError:
        raise BadRecord("", "not JSON") from None
    if not isinstance(values, dict):
        raise BadRecord("", "no object")
    return values
