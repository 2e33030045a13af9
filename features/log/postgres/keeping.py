"""The history of a PostgreSQL log: the manifest and all else that `features.log.history.keeping` asks of a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import compress

import numpy as np
import polars as pl

from features.events import Event, Kind
from features.log import rows, tombstones
from features.log.contract import CHUNK, LogBusy, LogError, Records
from features.log.history import live, segment
from features.log.history.database import Position, Unsealed
from features.log.history.history import Codes, History
from features.log.history.keeping import Keeping
from features.log.history.names import Names
from features.log.history.records import in_log_order
from features.log.history.segment import Entry
from features.log.history.whole import piece_of_rows
from features.log.membership import named
from features.log.postgres import inserting, manifest, reading
from features.log.postgres.arrays import numbers
from features.log.postgres.folder import claim, history_store
from features.log.postgres.inserting import Vocabularies
from features.log.postgres.members import CODES, PostgresMembers
from features.log.postgres.session import Row, Session
from features.log.postgres.vocabulary import intern

_STAYS = live.stays("strpos")

_UNSEALED = f"""
SELECT *, coalesce({_STAYS}, false)::int4 FROM events
WHERE "offset" > (SELECT sealed FROM log) ORDER BY "offset" LIMIT %b::int8
"""

_REMOVE = f"""
WITH removed AS (
    DELETE FROM events WHERE "offset" > (SELECT sealed FROM log) AND "offset" <= %b::int8 AND {_STAYS} IS NOT TRUE
    RETURNING 1
) SELECT count(*) FROM removed
"""

_LIST = """
INSERT INTO segments VALUES (%b::int8, %b::int8, %b::int8, %b::int8, %b::int8, %b::int8)
ON CONFLICT (number) DO UPDATE SET
    events = excluded.events, base = excluded.base, last_offset = excluded.last_offset,
    first_received = excluded.first_received, last_received = excluded.last_received
"""

_ADVANCE = """
UPDATE log SET "offset" = %b::int8, received = greatest(received, %b::int8), people = greatest(people, %b::int8)
"""

_HAS_TRIGGER = "SELECT 1 FROM pg_trigger WHERE tgrelid = 'imported'::regclass"

_LIVE = f'SELECT {reading.RECORD}, "offset" FROM events WHERE customer IN ({CODES})'

_NEWEST = f"""
SELECT * FROM events WHERE customer IN ({CODES}) ORDER BY received DESC, "offset" DESC LIMIT %b::int8
"""

_KEY = "hashtextextended('history of ' || %b::text, 0)"

Begin = Callable[[], AbstractContextManager[object]]


class PostgresKeeping(Keeping):
    """The history of one `PostgresLog`, through its session."""

    def __init__(self, session: Session, begin: Begin, vocabularies: Vocabularies, members: PostgresMembers) -> None:
        super().__init__(history_store(*session.identity), session.busy_seconds)
        self._session = session
        self._begin = begin
        self._vocabularies = vocabularies
        self._members = members
        self._held: int | None = None
        self._seen: tuple[int, History] = (-1, History(self.store))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Be the only one who changes the history, of all machines. Raises LogError when its files are not here."""
        self.view()
        with self._locked():
            claim(self.store, self._session.identity.log)
            with super().changing():
                yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the history in the database, which goes with the connection."""
        try:
            self._session.run(f"SELECT 1 FROM pg_advisory_lock({_KEY})", (self._session.identity.log,))
        except LogBusy as error:
            raise self._busy() from error
        self._held = self._session.reconnections
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held == self._session.reconnections:
                with suppress(LogError):
                    self._session.run(f"SELECT pg_advisory_unlock({_KEY})", (self._session.identity.log,))

    @contextmanager
    def transaction(self) -> Iterator[object]:
        """All or nothing; may be nested. Raises LogBusy when the connection was lost since the history was locked:
        another may change it already."""
        with self._begin() as session:
            if self._held not in (None, self._session.reconnections):
                raise LogBusy(f"the connection to {self._session.place} was lost; nothing was written here, try again")
            yield session

    def view(self) -> History:
        """The history as the manifest has it now."""
        return self._view(self._session.run_at_once([(statement, ()) for statement in manifest.STATEMENTS]))

    def view_after(self, changes: int) -> History:
        """The history as the manifest has it after so many changes, which are all; read anew when it changed."""
        return self._seen[1] if self._seen[0] == changes else self.view()

    def _view(self, fetched: Sequence[Sequence[Row]]) -> History:
        changes = int(fetched[0][0][0])
        if changes != self._seen[0]:
            view = manifest.read_manifest(self.store, *fetched)
            if not self._session.depth:  # before a transaction needs them, for whose end others wait
                with suppress(LogBusy):  # who needs one that cannot be had learns why
                    for entry in view.entries:
                        segment.index_of(self.store, entry.number)
            self._seen = changes, view
        return self._seen[1]

    def forget(self) -> None:
        """Read the manifest anew when it is asked for: a transaction was undone."""
        self._seen = -1, self._seen[1]

    def position(self) -> Position:
        """Where the log stands now."""
        return Position(*self._session.run('SELECT "offset", erasures FROM log')[0])

    def highest(self) -> int:
        """The highest number that a segment of the manifest ever had."""
        return int(self._session.run("SELECT newest_segment FROM log")[0][0])

    def _number(self) -> int:
        """A number that no segment ever had, and that no file will have but those written for it."""
        with self.transaction():
            raised = "UPDATE log SET newest_segment = newest_segment + 1 RETURNING newest_segment"
            return int(self._session.run(raised)[0][0])

    def list_segment(self, entry: Entry) -> None:
        """Add a segment to the manifest, or change what it says."""
        self._session.later(_LIST, entry)
        self._session.later("UPDATE log SET newest_segment = greatest(newest_segment, %b::int8)", (entry.number,))
        self._changed()

    def unlist(self, numbers: Collection[int]) -> None:
        """Take segments out of the manifest."""
        self._session.later("DELETE FROM segments WHERE number = ANY(%b::int8[])", (list(numbers),))
        self._changed()

    def mark_erased(self, codes: Collection[int]) -> None:
        """Note that the events of these customers are still to be erased from segments."""
        statement = "INSERT INTO erased_from_database SELECT unnest(%b::int4[]) ON CONFLICT DO NOTHING"
        self._session.later(statement, (list(codes),))
        self._changed()

    def erased_from_history(self, codes: Collection[int]) -> None:
        """Forget that these customers are still to be erased from segments."""
        self._session.later("DELETE FROM erased_from_database WHERE customer = ANY(%b::int4[])", (list(codes),))
        self._changed()

    def _changed(self) -> None:
        self._session.later("UPDATE log SET segments = segments + 1, history = %b::text", (self.store.place,))

    def live_ids(self, message_ids: Sequence[str]) -> set[str]:
        """Those of the message ids that the database has."""
        return set(reading.known(self._session, message_ids))

    def live_ids_after(self, offset: int) -> Iterator[list[str]]:
        """The message ids of the live events above an offset, some thousands at a time."""
        query = f'SELECT "offset", message_id FROM events WHERE "offset" > %b::int8 ORDER BY "offset" LIMIT {CHUNK}'
        while fetched := self._session.run(query, (offset,)):
            yield [message_id for _, message_id in fetched]
            offset = fetched[-1][0]

    def newest_erasure(self) -> int:
        """When a customer was last erased; 0 when none ever was."""
        return self._session.head().erased

    def erasures_of(self, customers: Sequence[str]) -> dict[str, int]:
        """When each of these customers was erased, microseconds; those who never were are left out."""
        ((salt,),), buried = self._session.run_at_once(
            [("SELECT salt FROM log", ()), ("SELECT digest, at FROM tombstones", ())]
        )
        erased = {bytes(digest): at for digest, at in buried}
        times = ((name, erased.get(tombstones.digest(bytes(salt), name))) for name in customers)
        return {name: at for name, at in times if at is not None}

    def codes_of(self, vocabulary: str, texts: Sequence[str]) -> list[int]:
        """The codes of names, new ones for new names. Within a transaction."""
        place = ("customers", "items", "categories").index(vocabulary)
        return intern(self._session, [(self._vocabularies[place], texts)])[0]

    def add_imported(
        self, events: Sequence[Event], offsets: Sequence[int], newest: int, last: int, codes: Codes
    ) -> None:
        """Write what an import leaves to the database, and move the log's offset to `last`. Within a transaction."""
        about = (Kind.IDENTIFY <= event.kind <= Kind.CONSENT_GRANT for event in events)
        people = max(compress(offsets, about), default=0)
        merges = self._insert(events, offsets, last) if events else 0
        if self._session.run(_HAS_TRIGGER):
            self._session.later("INSERT INTO imported SELECT unnest(%b::int4[])", (numbers(codes, "int4"),))
            self._session.later("DELETE FROM imported")
        self._session.later(_ADVANCE, (last + merges, newest, people))

    def _insert(self, events: Sequence[Event], offsets: Sequence[int], last: int) -> int:
        """Insert events, and apply what they say of ids. Returns how many merges that makes."""
        erased = self.erasures_of(named(events))
        kept = [event for event in tombstones.living(events, erased) if event is not None]
        records = inserting.coded(self._session, self._vocabularies, kept, rows.clamped(kept, 0, history=True))
        inserting.insert(self._session, offsets, kept, records)
        return len(self._members.join(kept, records, last))

    def has_unsealed(self, before: int, least: int) -> bool:
        """Whether the oldest `least` events that were never sealed were `received` before `before`."""
        return reading.has_unsealed(self._session, before, least)

    def unsealed(self, before: int, most: int) -> Unsealed:
        """The oldest `most` events that were never sealed, up to the first one not `received` before `before`."""
        return live.unsealed(self._session.run(_UNSEALED, (most,)), before)

    def remove_sealed(self, last: int) -> int:
        """Delete what was sealed up to an offset, and remember the offset. Returns how many. Within a transaction."""
        ((removed,),) = self._session.run(_REMOVE, (last,))
        self._session.later("UPDATE log SET sealed = %b::int8", (last,))
        return int(removed)

    def spells(self, names: Sequence[str], codes: Sequence[int]) -> bool:
        """Whether the texts of these customers' sealed events contain one of the names."""
        spellings = [spelling.decode() for name in names for spelling in rows.spellings(name)]
        texts = pl.concat_str("message_id", "order_id", "properties", separator=" ", ignore_nulls=True)
        held = self.view().texts_of(np.array(codes, np.int32)).select(texts).to_series()
        return bool(held.str.contains_any(spellings).any())

    def find(self, message_id: str) -> Event | None:
        """The event of a message id in the history; None when there is none."""
        row = self.view().find(message_id)
        return None if row is None else live.named(row, *self._vocabularies)[0]

    def history(self, customer: str) -> Records:
        """All events of a customer's profile, of the database and of the history, in log order."""
        view, codes, events = self._together(customer, (_LIVE, (customer,)))
        return in_log_order([view.of(codes), piece_of_rows(events)]).records

    def newest(self, customer: str, limit: int) -> list[Event]:
        """The newest `limit` events of a customer's profile, of the database and of the history, newest first."""
        view, codes, events = self._together(customer, (_NEWEST, (customer, limit)))
        return live.named(live.newest(view, codes, events, limit), *self._vocabularies)

    def _together(self, customer: str, statement: tuple[str, Sequence[object]]) -> tuple[History, Codes, list[Row]]:
        """The history, the codes of a customer's profile and the rows of a statement, all of one moment."""
        asked = [*((statement, ()) for statement in manifest.STATEMENTS), (CODES, (customer,)), statement]
        *fetched, codes, events = self._session.run_at_once(asked)
        return self._view(fetched), np.array(codes, np.int32).ravel(), events

    def names_from(self, vocabulary: str, code: int) -> Names:
        """The names of a code and of all above it."""
        return self._session.run(f"SELECT code, name FROM {vocabulary} WHERE code >= %b::int8 ORDER BY code", (code,))
