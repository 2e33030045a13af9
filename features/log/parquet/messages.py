"""Which messages a log of files has: a digest of each message id, 16 bytes, in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.log.parquet.tables import read

Digests: TypeAlias = NDArray[np.bytes_]


class Messages:
    """The digests of all message ids in the files that `event_files` lists, sorted.

    They are read at the first use, and again when another process has written since.
    """

    def __init__(self, event_files: Callable[[], list[Path]]) -> None:
        self._event_files = event_files
        self._seen = digests([])
        self._commit = 0

    def known(self, message_ids: Sequence[str], commit: int) -> list[str]:
        """Those of the message ids that the log has at `commit`."""
        unseen = self.unseen(digests(message_ids), commit)
        return [message for message, new in zip(message_ids, unseen, strict=True) if not new]

    def unseen(self, asked: Digests, commit: int) -> NDArray[np.bool_]:
        """Which digests are new in the log at `commit`; of equal ones in the batch, only the first."""
        if self._commit != commit:
            stored = [read(path, ["message_id"])["message_id"].to_pylist() for path in self._event_files()]
            self._seen = np.sort(np.concatenate([digests([]), *map(digests, stored)]))
            self._commit = commit
        unseen = np.zeros(len(asked), np.bool_)
        unseen[np.unique(asked, return_index=True)[1]] = True
        if len(self._seen):
            place = np.searchsorted(self._seen, asked)
            unseen &= self._seen[np.minimum(place, len(self._seen) - 1)] != asked
        return unseen

    def committed(self, commit: int, added: Digests | None) -> None:
        """Add the messages that were written for `commit`, now that they are part of the log."""
        if self._commit == commit - 1:
            if added is not None:
                added = np.sort(added)
                self._seen = np.insert(self._seen, np.searchsorted(self._seen, added), added)
            self._commit = commit

    def forget(self) -> None:
        """Read everything again before the next use."""
        self._commit = -1


def digests(message_ids: Sequence[str]) -> Digests:
    """The BLAKE2b digest of each message id."""
    return np.array([blake2b(message_id.encode(), digest_size=16).digest() for message_id in message_ids], "S16")
