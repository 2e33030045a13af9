"""The history beside a SQLite log: the manifest and all else that `features.log.history.keeping` asks of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from features.events import Event, Kind
from features.log import rows, tombstones
from features.log.contract import CHUNK, Records
from features.log.history import live
from features.log.history.database import Position, Unsealed
from features.log.history.history import Codes, History
from features.log.history.keeping import Keeping
from features.log.history.names import Names
from features.log.history.records import in_log_order
from features.log.history.segment import Entry
from features.log.history.store import Folder
from features.log.history.whole import piece_of_rows
from features.log.membership import named
from features.log.sqlite import reading
from features.log.sqlite.insert import insert_many
from features.log.sqlite.manifest import read_manifest
from features.log.sqlite.members import SqliteMembers
from features.log.sqlite.vocabulary import SqliteVocabulary

_STAYS = live.stays("instr")

Begin = Callable[[], AbstractContextManager[object]]


class SqliteKeeping(Keeping):
    """The history of one `SqliteLog`, through its connection."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        begin: Begin,
        vocabularies: Iterable[SqliteVocabulary],
        members: SqliteMembers,
        busy_seconds: float,
    ) -> None:
        super().__init__(Folder(reading.history_folder(path)), busy_seconds)
        self._connection = connection
        self._path = path
        self._begin = begin
        self._vocabularies = dict(zip(("customers", "items", "categories"), vocabularies, strict=True))
        self._members = members
        self._seen: tuple[int, History] = (-1, History(self.store))

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing; may be nested."""
        return self._begin()

    def view(self) -> History:
        """The history as the manifest has it now; read anew when it changed."""
        changes = int(self._connection.execute("SELECT segments FROM log").fetchone()[0])
        if changes != self._seen[0]:
            self._seen = changes, read_manifest(self._connection, self._path)
        return self._seen[1]

    def forget(self) -> None:
        """Read the manifest anew when it is asked for: a transaction was undone."""
        self._seen = -1, self._seen[1]

    def position(self) -> Position:
        """Where the log stands now."""
        return Position(*self._connection.execute('SELECT "offset", erasures FROM log').fetchone())

    def highest(self) -> int:
        """The highest number that a segment of the manifest ever had."""
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'segments'").fetchone()
        return 0 if row is None else int(row[0])

    def list_segment(self, entry: Entry) -> None:
        """Add a segment to the manifest, or change what it says."""
        self._connection.execute("INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?)", entry)
        self._changed()

    def unlist(self, numbers: Collection[int]) -> None:
        """Take segments out of the manifest."""
        self._connection.executemany("DELETE FROM segments WHERE number = ?", [(number,) for number in numbers])
        self._changed()

    def mark_erased(self, codes: Collection[int]) -> None:
        """Note that the events of these customers are still to be erased from segments."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO erased_from_database VALUES (?)", [(code,) for code in codes]
        )
        self._changed()

    def erased_from_history(self, codes: Collection[int]) -> None:
        """Forget that these customers are still to be erased from segments."""
        self._connection.executemany("DELETE FROM erased_from_database WHERE customer = ?", [(code,) for code in codes])
        self._changed()

    def _changed(self) -> None:
        self._connection.execute("UPDATE log SET segments = segments + 1")

    def live_ids(self, message_ids: Sequence[str]) -> set[str]:
        """Those of the message ids that the database has."""
        return set(reading.known(self._connection, message_ids))

    def live_ids_after(self, offset: int) -> Iterator[list[str]]:
        """The message ids of the live events above an offset, some thousands at a time."""
        cursor = self._connection.execute('SELECT message_id FROM events WHERE "offset" > ?', (offset,))
        while chunk := cursor.fetchmany(CHUNK):
            yield [message_id for (message_id,) in chunk]

    def newest_erasure(self) -> int:
        """When a customer was last erased; 0 when none ever was."""
        return int(self._connection.execute("SELECT erased FROM log").fetchone()[0])

    def erasures_of(self, customers: Sequence[str]) -> dict[str, int]:
        """When each of these customers was erased, microseconds; those who never were are left out."""
        salt = self._connection.execute("SELECT salt FROM log").fetchone()[0]
        buried = dict(self._connection.execute("SELECT digest, at FROM tombstones").fetchall())
        times = ((name, buried.get(tombstones.digest(salt, name))) for name in customers)
        return {name: at for name, at in times if at is not None}

    def codes_of(self, vocabulary: str, texts: Sequence[str]) -> list[int]:
        """The codes of names, new ones for new names. Within a transaction."""
        return self._vocabularies[vocabulary].intern(texts)

    def add_imported(
        self, events: Sequence[Event], offsets: Sequence[int], newest: int, last: int, codes: Codes
    ) -> None:
        """Write what an import leaves to the database, and move the log's offset to `last`. Within a transaction."""
        merges = self._insert(events, offsets, last) if events else 0
        if self._connection.execute(_HAS_TRIGGER).fetchone():
            insert_many(self._connection, "INSERT INTO imported VALUES {}", ((code,) for code in codes.tolist()))
            self._connection.execute("DELETE FROM imported")
        self._connection.execute('UPDATE log SET "offset" = ?, received = max(received, ?)', (last + merges, newest))

    def _insert(self, events: Sequence[Event], offsets: Sequence[int], last: int) -> int:
        """Insert events, and apply what they say of ids. Returns how many merges that makes."""
        erased = self.erasures_of(named(events))
        kept = [event for event in tombstones.living(events, erased) if event is not None]
        times = rows.clamped(kept, 0, history=True)
        codes = (
            self._vocabularies["customers"].intern([event.customer for event in kept]),
            self._vocabularies["items"].intern([event.item for event in kept]),
            self._vocabularies["categories"].intern([event.category for event in kept]),
        )
        insert_many(self._connection, "INSERT INTO events VALUES {}", rows.stored(offsets, kept, times, *codes))
        records = rows.records(kept, times, *codes)
        places = np.flatnonzero(records["kind"] == Kind.IDENTIFY)
        if not len(places):
            return 0
        return len(self._members.join([kept[place] for place in places.tolist()], records[places], last))

    def has_unsealed(self, before: int, least: int) -> bool:
        """Whether the oldest `least` events that were never sealed were `received` before `before`."""
        return reading.has_unsealed(self._connection, before, least)

    def unsealed(self, before: int, most: int) -> Unsealed:
        """The oldest `most` events that were never sealed, up to the first one not `received` before `before`."""
        rows_of_events = self._connection.execute(
            f'SELECT *, {_STAYS} FROM events WHERE "offset" > (SELECT sealed FROM log) ORDER BY "offset" LIMIT ?',
            (most,),
        ).fetchall()
        return live.unsealed(rows_of_events, before)

    def remove_sealed(self, last: int) -> int:
        """Delete what was sealed up to an offset, and remember the offset. Returns how many. Within a transaction."""
        removed = self._connection.execute(
            f'DELETE FROM events WHERE "offset" > (SELECT sealed FROM log) AND "offset" <= ? AND {_STAYS} IS NOT TRUE',
            (last,),
        ).rowcount
        self._connection.execute("UPDATE log SET sealed = ?", (last,))
        return removed

    def find(self, message_id: str) -> Event | None:
        """The event of a message id in the history; None when there is none."""
        row = self.view().find(message_id)
        return None if row is None else live.named(row, **self._vocabularies)[0]

    def ids_of(self, codes: Sequence[int]) -> list[str]:
        """The message ids and order ids of these customers' sealed events."""
        texts = self.view().texts_of(np.array(codes, np.int32))
        return [*texts["message_id"].to_list(), *texts["order_id"].drop_nulls().to_list()]

    def history(self, codes: Sequence[int]) -> Records:
        """All events of these customers, of the database and of the history, in log order."""
        query = f'SELECT {reading.RECORD}, "offset" FROM events WHERE {reading.of(codes)}'
        rows_of_events = self._connection.execute(query, codes).fetchall()
        return in_log_order([self.view().of(np.array(codes, np.int32)), piece_of_rows(rows_of_events)]).records

    def newest(self, codes: Sequence[int], limit: int) -> list[Event]:
        """The newest `limit` events of these customers, of the database and of the history, newest first."""
        query = f'SELECT * FROM events WHERE {reading.of(codes)} ORDER BY received DESC, "offset" DESC LIMIT ?'
        rows_of_events = self._connection.execute(query, (*codes, limit)).fetchall()
        frame = live.newest(self.view(), np.array(codes, np.int32), rows_of_events, limit)
        return live.named(frame, **self._vocabularies)

    def names_from(self, vocabulary: str, code: int) -> Names:
        """The names of a code and of all above it."""
        query = f"SELECT code, name FROM {vocabulary} WHERE code >= ? ORDER BY code"
        return self._connection.execute(query, (code,)).fetchall()


_HAS_TRIGGER = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'imported'"
