"""The history beside a SQLite log: the manifest and all else that `features.log.history.keeping` asks of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.events import Channel, Event, Kind
from features.log import rows, tombstones
from features.log.contract import CHUNK, Records
from features.log.history import segment
from features.log.history.database import Position, Unsealed
from features.log.history.history import Codes, History
from features.log.history.keeping import Keeping
from features.log.history.names import Names
from features.log.history.records import in_log_order
from features.log.history.segment import Entry
from features.log.membership import JOINS, named
from features.log.sqlite import reading
from features.log.sqlite.insert import insert_many
from features.log.sqlite.members import SqliteMembers
from features.log.sqlite.vocabulary import SqliteVocabulary
from features.log.sqlite.whole import live_of, read_manifest

_STAYS = (
    f"(kind BETWEEN {int(Kind.IDENTIFY)} AND {int(Kind.CONSENT_GRANT)}"
    + "".join(f" OR instr(properties, '\"{name}\":') > 0" for name in JOINS)
    + ")"
)
"""Whether an event stays in the database; NULL, which is not true, for an event without properties."""

_EVENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "offset": pl.Int64, "message_id": pl.String, "customer": pl.Int32, "kind": pl.UInt8, "at": pl.Int64,
    "received": pl.Int64, "channel": pl.UInt8, "item": pl.Int32, "category": pl.Int32, "quantity": pl.Float64,
    "amount": pl.Float64, "order_id": pl.String, "score": pl.Float64, "properties": pl.String,
}  # fmt: skip

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
        super().__init__(reading.history_folder(path), busy_seconds)
        self._connection = connection
        self._path = path
        self._begin = begin
        self._vocabularies = dict(zip(("customers", "items", "categories"), vocabularies, strict=True))
        self._members = members
        self._seen: tuple[int, History] = (-1, History(self.folder))

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

    def unsealed(self, before: int, most: int) -> Unsealed:
        """The oldest `most` events that were never sealed, up to the first one not `received` before `before`."""
        unsealed = self._connection.execute(
            f'SELECT *, {_STAYS} FROM events WHERE "offset" > (SELECT sealed FROM log) ORDER BY "offset" LIMIT ?',
            (most,),
        ).fetchall()
        frame = _frame(unsealed, {**_EVENTS, "stays": pl.Int8})
        late = (frame["received"] >= before).to_numpy()
        if late.any():
            frame = frame.head(int(late.argmax()))
        last = int(frame["offset"][-1]) if len(frame) else 0
        return Unsealed(frame.filter(pl.col("stays").ne_missing(1)).drop("stays"), last, len(frame))

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
        return None if row is None else self._spelt(row)[0]

    def history(self, codes: Sequence[int]) -> Records:
        """All events of these customers, of the database and of the history, in log order."""
        sealed = self.view().of(np.array(codes, np.int32))
        return in_log_order([sealed, live_of(self._connection, codes)]).records

    def newest(self, codes: Sequence[int], limit: int) -> list[Event]:
        """The newest `limit` events of these customers, of the database and of the history, newest first."""
        live = self._connection.execute(
            f'SELECT * FROM events WHERE {reading.of(codes)} ORDER BY received DESC, "offset" DESC LIMIT ?',
            (*codes, limit),
        ).fetchall()
        sealed = self.view().texts_of(np.array(codes, np.int32))
        both = pl.concat([segment.coded(_frame(live, _EVENTS)), sealed], how="diagonal")
        return self._spelt(both.sort("received", "offset", descending=True).head(limit))

    def _spelt(self, frame: pl.DataFrame) -> list[Event]:
        """Coded events with their names."""
        customers, items, categories = self._vocabularies.values()
        return [
            rows.event(
                customers.name(row["customer"]), row["message_id"], Kind[row["kind"]], row["at"], row["received"],
                Channel[row["channel"]], None if row["item"] is None else items.name(row["item"]),
                None if row["category"] is None else categories.name(row["category"]), row["quantity"],
                row["amount"], row["order_id"], row["score"], row["properties"],
            )
            for row in frame.with_columns(pl.col("at", "received").to_physical()).iter_rows(named=True)
        ]  # fmt: skip

    def names_from(self, vocabulary: str, code: int) -> Names:
        """The names of a code and of all above it."""
        query = f"SELECT code, name FROM {vocabulary} WHERE code >= ? ORDER BY code"
        return self._connection.execute(query, (code,)).fetchall()


def _frame(events: Sequence[tuple[Any, ...]], schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """Rows of the table of events, made column by column: other threads go on between two of them."""
    columns = zip(*events, strict=True) if events else [()] * len(schema)
    return pl.DataFrame(
        [pl.Series(name, column, dtype) for (name, dtype), column in zip(schema.items(), columns, strict=True)]
    )


_HAS_TRIGGER = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'imported'"
