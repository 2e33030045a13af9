"""What every event log promises, whatever stores it: append exactly once, scan in log order, join ids, erase.

The *log order* is `(received, offset)`: when an event was learnt, then the order of arrival. Names of customers,
items and categories are kept once, as dense integer codes beside the events; a code means something in one log
only, so anything that leaves a log carries names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.events import Event

Records: TypeAlias = NDArray[np.void]
"""A one-dimensional array of `features.events.EVENT` records."""

CHUNK = 65_536
"""Most events of one chunk of a scan: 3 MiB of records."""


IMPORT_BATCH = 50_000
"""How many events an import had best append at a time: a store pays for an append by the pages or files it touches,
and ten thousand events touch nearly as many of them as fifty thousand."""


class LogError(Exception):
    """A log cannot do what was asked; the message says why, and what to do."""


class LogMissing(LogError):
    """There is no log where one was expected."""


class LogBusy(LogError):
    """Another process held the log for longer than the store waits; nothing was written. Trying again is safe."""


class LogFull(LogError):
    """The disk has no room left; nothing was written."""


class LogDenied(LogError):
    """The file system does not let this user read or write the log."""


class LogCorrupt(LogError):
    """The file is not a log, or its contents are damaged."""


class LogVersion(LogError):
    """The log was written by a newer release, or is another program's database."""


class Vocabulary(Protocol):
    """The names of one namespace (customers, items or categories) and their codes: 0, 1, 2... in order of arrival.

    Names are only ever added. A name that was erased leaves its code unused for ever; when the same name comes
    back, it gets a new code.
    """

    def code(self, name: str) -> int | None:
        """The code of `name`, None when the log has never seen it (or has erased it)."""
        ...

    def name(self, code: int) -> str:
        """The name behind `code`. Raises LookupError when no name has this code, or when it was erased."""
        ...

    def names(self) -> list[str]:
        """Every name, at the index of its code; an empty string where a name was erased. Reads the whole vocabulary."""
        ...


MERGE = np.dtype(
    [("received", np.int64), ("offset", np.int64), ("member", np.int32), ("profile", np.int32), ("undone", np.uint8)],
    align=True,
)
"""A merge as it stands in the log: from then on `member` is part of `profile`, or, when `undone`, no longer.

Both are customers' codes. A profile has one level: a member is never the profile of another.
"""

MOST_JOINED = 5
"""Most ids that join one profile. Beyond, an id stays a customer of its own."""


class Erased(NamedTuple):
    """What an erasure removed: how many events, dead letters and merges, and the ids of the profile."""

    customers: list[str]
    events: int
    dead_letters: int
    merges: int
    first_received: int
    """When the first removed event was learnt; 0 when there was none. Whatever was trained later may have seen it."""

    @property
    def rows(self) -> int:
        """All rows removed."""
        return self.events + self.dead_letters + self.merges


class Training(NamedTuple):
    """A model that was trained on this log."""

    version: str
    until: int
    """The newest `received` it was trained on, microseconds UTC."""
    at: int
    """When it was trained, microseconds UTC."""


class Appended(NamedTuple):
    """What became of the events of one `append`."""

    accepted: list[bool]
    """One per event given, in the order given; False for a duplicate."""
    records: Records
    """The accepted events as they stand in the log (codes assigned, times clamped), in the order given."""
    first_offset: int
    """Offset of the first accepted event; 0 when none was accepted."""
    last_offset: int
    """Offset of the last accepted event; 0 when none was accepted."""
    merges: NDArray[np.void]
    """The merges that accepted events brought about, `MERGE` records. Their offsets are among those given out."""

    @property
    def accepted_count(self) -> int:
        """How many events are new in the log."""
        return len(self.records)

    @property
    def duplicate_count(self) -> int:
        """How many events the log already had."""
        return len(self.accepted) - len(self.records)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not become events, kept as it came so that it can be mended and replayed."""

    source: str
    """Name of the source that read it, such as `ga4`."""
    position: int
    """Where it stood: line or row of the file counted from 1, or index in the request's batch."""
    field: str
    """The field at fault; empty when the record could not be read at all."""
    reason: str
    """What is wrong with the field, with its value."""
    raw: bytes
    """The record as it came."""
    received: int
    """When it came, microseconds UTC."""
    customer: str | None = None
    """The customer it speaks of, when that much could be read: erasing the customer removes it."""
    number: int = 0
    """The log's own number of the letter; 0 until it is kept."""


class EventLog(Protocol):
    """An append-only log of events, each in it exactly once by `message_id`.

    A log object belongs to the thread that opened it; other threads and processes open the same place again.
    Every method may raise a `LogError`.
    """

    @property
    def customers(self) -> Vocabulary:
        """Names of the customers."""
        ...

    @property
    def items(self) -> Vocabulary:
        """Names of the products."""
        ...

    @property
    def categories(self) -> Vocabulary:
        """Names of the product categories, and of the actions that decisions chose."""
        ...

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Add the events that the log does not have yet, all of them or (on an error) none.

        Live events get `received` no earlier than the newest in the log, so that for them log order is the order of
        appending. With `history`, for imports of the past, `received` stays as given. Either way `at` is never after
        `received`. Of two events with one `message_id`, within the batch or across, the first stays.

        An accepted event that joins ids (`features.identity.rules.joined`) merges them, by the rules of that module, in
        the same transaction. An event of an erased customer that was received before the erasure is a duplicate: it had
        its turn.
        """
        ...

    def unmerge(self, customer: str, received: int) -> list[str]:
        """Take a member out of its profile, or, given the profile, all its members. The members taken out.

        From then on everybody's history is what it would be had they never been merged. The same two are not merged
        again by later events. Empty when there is nothing to take apart.
        """
        ...

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing that is still in the log: `MERGE` records, in log order."""
        ...

    def profile(self, customer: str) -> list[str]:
        """All ids of the profile that a customer belongs to now, the profile's own first; itself when never merged.

        Empty when the log does not know the customer.
        """
        ...

    def scan(self, *, shard: int = 0, shards: int = 1, until: int | None = None) -> Iterator[Records]:
        """The log as it is when the first chunk is read, in log order, in chunks of at most `CHUNK` records.

        Takes the customers whose code leaves remainder `shard` when divided by `shards`, and events with
        `received <= until` (all when None). Memory does not grow with the log.
        """
        ...

    def history(self, customer: str) -> Records:
        """All events of the profile that a customer belongs to now, in log order; empty when there is none.

        Records carry the code of the id under which they came.
        """
        ...

    def events(self, customer: str, limit: int) -> list[Event]:
        """The newest `limit` events of a customer's profile with names and properties, newest first.

        Each names the id under which it came.
        """
        ...

    def count(self) -> int:
        """How many events the log holds."""
        ...

    def span(self) -> tuple[int, int] | None:
        """The first and the last `received` in the log; None when it is empty."""
        ...

    def offset(self) -> int:
        """The newest offset ever given out; 0 when nothing was ever appended. Never goes back."""
        ...

    def erase(self, customer: str, now: int) -> Erased:
        """Remove every trace of a customer's profile: events, merges, dead letters that speak of it, and its names.

        Dead letters that name their customer are matched by it; the others are removed when their raw bytes contain
        a name as a whole word. Erasing an unknown customer removes such letters alone. Afterwards no file of the
        log holds a name of the customer, in used space or unused; what stays is a salted digest of each name and
        `now`, so that what was received earlier does not come back by an import.
        """
        ...

    def reject(self, letters: Sequence[DeadLetter]) -> int:
        """Keep records that could not become events. How many are new.

        The same record, at the same position of the same source, is kept once: what is imported or sent again adds
        nothing.
        """
        ...

    def dead_letters(self, limit: int, *, after: int = 0, source: str | None = None) -> list[DeadLetter]:
        """The oldest `limit` dead letters with a number above `after`, oldest first; of one source when it is named."""
        ...

    def settle(self, letters: Sequence[DeadLetter]) -> int:
        """Remove dead letters that have become events, by their numbers. How many there were."""
        ...

    def trained(self, training: Training) -> None:
        """Note that a model was trained on this log."""
        ...

    def trainings(self) -> list[Training]:
        """Every model trained on this log, oldest first."""
        ...

    def digest(self) -> str:
        """A short hexadecimal digest of how much the log holds: equal for logs built by the same appends.

        Computed from the counts, the span, the offset and the erasures, without reading the events.
        """
        ...

    def close(self) -> None:
        """Give up files and memory; closing twice is harmless."""
        ...
