"""Message ids for records that come without one: from their content, so that importing twice adds nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

WINDOW = 65_536
"""How many different records back an identical record is surely recognised as a repetition within the file."""

_BYTES = 12  # two of a thousand million records share a digest with a chance of 1 in 10^11; more makes the log larger


def content_id(prefix: str, *parts: str | bytes) -> str:
    """An id that any machine derives from the same content: the prefix and 96 bits of BLAKE2b."""
    content = blake2b(digest_size=_BYTES)
    for number, part in enumerate(parts):
        if number:
            content.update(b"\x1f")
        content.update(part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass"))
    return f"{prefix}-{content.hexdigest()}"


def of_values(prefix: str, values: Mapping[str, Any], received: int) -> str:
    """The id of a live record without one: from its content and the time at which it was received."""
    return content_id(prefix, json.dumps(values, sort_keys=True, default=str), str(received))


class Identities:
    """Ids for the records of one file: the digest of the record, and a number when the file repeats the record.

    Two identical lines are two events (two equal purchases of a day), while the same file read again gives the same
    ids. Memory is bounded: it holds between one and two `window`s of different records. A sorted file has identical
    records next to each other; in a shuffled one, a repetition farther away counts as a duplicate.
    """

    def __init__(self, prefix: str, window: int = WINDOW) -> None:
        self.raw = b""
        self._prefix = prefix
        self._window = window
        self._recent: dict[str, int] = {}
        self._older: dict[str, int] = {}

    def __call__(self) -> str:
        """The id of the record whose bytes are in `raw`."""
        return self.numbered(self.unnumbered())

    def unnumbered(self) -> str:
        """The id that the record in `raw` has if it is the first of its kind."""
        return f"{self._prefix}-{blake2b(self.raw, digest_size=_BYTES).hexdigest()}"

    def numbered(self, identity: str) -> str:
        """The id of the next record, by what it is unnumbered: with a number if the file repeats the record."""
        earlier = self._recent.get(identity)
        if earlier is None:
            earlier = self._older.pop(identity, 0)
            if len(self._recent) >= self._window:
                self._older, self._recent = self._recent, {}
        self._recent[identity] = earlier + 1
        return f"{identity}-{earlier}" if earlier else identity
