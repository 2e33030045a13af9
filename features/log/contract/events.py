"""Events in a log: appended exactly once, scanned in log order, looked up by customer and by message id."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.histories import Histories
from features.log.contract.names import Vocabulary

if TYPE_CHECKING:
    import polars as pl

Records: TypeAlias = NDArray[np.void]
"""A one-dimensional array of `features.events.EVENT` records."""

CHUNK = 65_536
"""Most events of one chunk of a scan: 3 MiB of records."""

BATCH = 8_192
"""Events of one batch of a scan with properties, unless another number is asked for: some megabytes."""

IMPORT_BATCH = 50_000
"""Events that an import should append at a time: the cost of an append is the pages or files that it touches, and ten
thousand events touch nearly as many of them as fifty thousand."""


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


class EventBatch(NamedTuple):
    """Events with their texts, as columns of one length.

    The texts are as stored, so that a reader parses only the JSON that it needs.
    """

    records: Records
    """What the fold reads of each event: codes and numbers."""
    message_ids: Sequence[str]
    order_ids: Sequence[str | None]
    properties: Sequence[str | None]
    """A JSON object each; None where an event has no properties."""


class EventStore(Protocol):
    """The events of a log, each once by its `message_id`, and the names behind their codes."""

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
        the same transaction. An event of an erased customer that was received before the erasure counts as a duplicate.
        """
        ...

    def append_columns(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Add the events of an import that the log does not have yet, given as columns (`features.log.frame.SCHEMA`).

        The same as `append` of these events with `history`: all of them or (on an error) none, the first of two events
        with one `message_id` stays, ids are merged. Made for many events at once, which a database may keep outside of
        its tables. Returns which of the events are new.
        """
        ...

    def by_customer(self, *, until: int | None = None) -> Iterator[Histories]:
        """What `scan` gives, by customer: histories of some customers after the other, by rising code.

        Each id is a customer by itself here, whatever it was merged with. Much faster than `scan` where events are kept
        by customer.
        """
        ...

    def together(self, codes: NDArray[np.int32], *, until: int | None = None) -> Records:
        """The events of some customers, given by their codes, as one array in log order; each has its own code."""
        ...

    def scan(
        self, *, kinds: Collection[Kind] | None = None, shard: int = 0, shards: int = 1, until: int | None = None
    ) -> Iterator[Records]:
        """The log as it is when the first chunk is read, in log order, in chunks of at most `CHUNK` records.

        Selects the `kinds` (all when None) of the customers whose code leaves remainder `shard` when divided by
        `shards`, with `received <= until` (all when None). Memory does not grow with the log. Raises ValueError when
        `shard` is not one of `shards`.
        """
        ...

    def scan_with_properties(
        self, *, kinds: Collection[Kind] | None = None, shard: int = 0, shards: int = 1, until: int | None = None,
        size: int = BATCH,
    ) -> Iterator[EventBatch]:  # fmt: skip
        """What `scan` gives, with message ids, order ids and properties, in batches of at most `size` events.

        Memory grows with `size`, not with the log.
        """
        ...

    def find(self, message_id: str) -> Event | None:
        """The event of a message id, with its properties and the id of the customer under which it came; or None.

        In a database this is one index lookup, whose time does not depend on the length of the log.
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

    def changed(self, after: int) -> NDArray[np.int32]:
        """The codes of the customers with something written at an offset above `after`, rising.

        Events count for the id under which they came, a merge or its undoing for both ids. Where events lie by
        customer, it may be more customers than changed. An erasure has no offset: see `erasures`.
        """
        ...

    def identity(self) -> str:
        """A text that differs between logs, and stays the same for one, wherever it lies."""
        ...

    def erasures(self) -> int:
        """How many ids were ever erased."""
        ...

    def offset(self) -> int:
        """The newest offset ever given out; 0 when nothing was ever appended. Never goes back."""
        ...

    def digest(self) -> str:
        """A short hexadecimal digest of how much the log holds: equal for logs built by the same appends.

        Computed from the counts, the span, the offset and the erasures, without reading the events.
        """
        ...
