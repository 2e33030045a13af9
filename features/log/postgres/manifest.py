"""The history of a PostgreSQL log as the manifest in its database has it."""

from __future__ import annotations

from collections.abc import Sequence

from features.log.history.history import History
from features.log.history.segment import Entry
from features.log.history.store import Store
from features.log.postgres.folder import check
from features.log.postgres.session import Row

STATEMENTS = (
    "SELECT segments, identity::text, history FROM log",
    "SELECT number, events, base, last_offset, first_received, last_received FROM segments ORDER BY base",
    "SELECT customer FROM erased_from_database",
)
"""What `read_manifest` takes the rows of. They must see the log at one moment."""


def read_manifest(store: Store, log: Sequence[Row], segments: Sequence[Row], erased: Sequence[Row]) -> History:
    """The history as the manifest has it. Raises LogError when the store is not that of the history."""
    ((changes, identity, listed),) = log
    if changes:
        check(store, identity, listed)
    return History(store, [Entry(*entry) for entry in segments], [customer for (customer,) in erased])
