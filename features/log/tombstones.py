"""What stays of an erased customer: a salted digest of the name and the time of the erasure.

They keep an import of older records from bringing the customer back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from features.events import Event
from features.log.membership import unnamed

SALT_BYTES = 16
"""Length of a log's salt: random, made with the log and known to it alone."""


def digest(salt: bytes, name: str) -> bytes:
    """The salted digest of a name, 16 bytes: nobody without the salt can test a list of names against it."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16, key=salt).digest()


def living(events: Sequence[Event], erased: Mapping[str, int]) -> list[Event | None]:
    """The events that a log may keep: None in the place of those received before their customer was erased.

    `erased` maps each erased name to the time of its erasure. An event of another customer that joins an erased id is
    kept without that id.
    """
    return [None if event.received < erased.get(event.customer, 0) else unnamed(event, erased) for event in events]
