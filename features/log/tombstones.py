"""What stays of an erased customer: a salted digest of the name, and when; so that the past does not come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from features.events import Event
from features.log.membership import unnamed

SALT_BYTES = 16
"""Length of a log's salt: random, made with the log and known to it alone."""


def digest(salt: bytes, name: str) -> bytes:
    """The salted digest of a name, 16 bytes: without the salt no list of names can be tried against it."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16, key=salt).digest()


def living(events: Sequence[Event], erased: Mapping[str, int]) -> list[Event | None]:
    """The events as a log may take them: None in the place of those received before their customer was erased.

    `erased` tells when each name was. An event that only joins an erased id to another customer's is kept without it.
    """
    return [None if event.received < erased.get(event.customer, 0) else unnamed(event, erased) for event in events]
