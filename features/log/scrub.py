"""Whether erased bytes are left in the unused space of a SQLite database.

`PRAGMA secure_delete` overwrites what is deleted. But when SQLite rebalances its trees it moves rows to other pages,
and at times rebuilds a page without clearing the gap between its row pointers and its rows: an old copy of a moved
row can stay there. Here those gaps, and nothing else, are searched, so that the costly cure (`VACUUM`) is applied
only where it is needed. The layout of a page is section 1.6 of https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from pathlib import Path

SHORTEST = 6
"""Bytes of the shortest name worth a search: shorter ones are found in any file by chance."""

_FILE_HEADER = 100
_CELLS_AFTER = {0x02: 12, 0x05: 12, 0x0A: 8, 0x0D: 8}
"""Bytes of a page's header, by its kind: interior and leaf pages of indexes (0x02, 0x0A) and of tables (0x05, 0x0D)."""


def has_remnants(database: Path, needles: Iterable[bytes]) -> bool:
    """Whether any needle of at least `SHORTEST` bytes begins in the unused gap of a page. Reads the file once each."""
    with database.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        size = int.from_bytes(content[16:18], "big")
        size = 65_536 if size == 1 else size
        return any(_in_a_gap(content, needle, size) for needle in needles if len(needle) >= SHORTEST)


def holds(database: Path, needles: Iterable[bytes]) -> bool:
    """Whether any needle stands anywhere in the file. Reads it once each."""
    with database.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(needle) >= 0 for needle in needles)


def _in_a_gap(content: mmap.mmap, needle: bytes, size: int) -> bool:
    place = content.find(needle)
    while place >= 0:
        page = place - place % size
        header = page + (_FILE_HEADER if page == 0 else 0)
        if content[header] in _CELLS_AFTER:
            pointers = int.from_bytes(content[header + 3 : header + 5], "big")
            rows = int.from_bytes(content[header + 5 : header + 7], "big") or 65_536
            if header + _CELLS_AFTER[content[header]] + 2 * pointers <= place < page + rows:
                return True
        place = content.find(needle, place + 1)
    return False
