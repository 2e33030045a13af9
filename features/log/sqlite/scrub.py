"""Whether erased bytes are left in the unused space of a SQLite database.

`PRAGMA secure_delete` overwrites what is deleted. But when SQLite rebalances its trees it moves rows to other pages,
and at times rebuilds a page without clearing the gap between its row pointers and its rows: an old copy of a moved
row can stay there. This module searches those gaps and nothing else, so that the costly remedy (`VACUUM`) runs only
where it is needed. The layout of a page is section 1.6 of https://www.sqlite.org/fileformat2.html.

A plain search of all bytes would take live rows for remnants: where customers have numbers of six digits, 39 of 40
erasures would rewrite the whole database under its write lock, which takes three times as long as a search and as much
free disk as the database; none of the 40 had to (`python -m benchmarks.own_ways --parts pages`).

A separate process reads the file. When a process closes a file, the system removes all locks that it holds on the file,
those of SQLite too. SQLite would then take the next connection that another process closes for the last one, and delete
the write-ahead file that this process still writes to (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import mmap
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

SHORTEST = 6
"""Bytes of the shortest name that is searched for: shorter ones occur in any file by chance."""

_FILE_HEADER = 100
_CELLS_AFTER = {0x02: 12, 0x05: 12, 0x0A: 8, 0x0D: 8}
"""Bytes of a page's header, by its kind: interior and leaf pages of indexes (0x02, 0x0A) and of tables (0x05, 0x0D)."""


def has_remnants(database: Path, needles: Iterable[bytes]) -> bool:
    """Whether any needle of at least `SHORTEST` bytes stands in the unused gap of a page. One read of the file."""
    return _searched("gaps", database, [needle for needle in needles if len(needle) >= SHORTEST])


def has_any_remnant(database: Path) -> bool:
    """Whether the unused gap of any page holds anything but zeros. One read of the file."""
    return _searched("any", database, [b"\0"])


def holds(database: Path, needles: Iterable[bytes]) -> bool:
    """Whether any needle stands anywhere in the file. One read of the file each."""
    return _searched("all", database, list(needles))


def _searched(where: str, database: Path, needles: list[bytes]) -> bool:
    """The answer of `_search`, run in a separate process; True when that process fails."""
    if not needles:
        return False
    # The needles are not passed as arguments, which every user of the machine can read.
    asked = "\n".join(needle.hex() for needle in needles).encode()
    command = [sys.executable, "-I", "-S", __file__, where, str(database)]
    try:
        return subprocess.run(command, input=asked, capture_output=True, check=False).stdout != b"absent"
    except OSError:
        return True


def _search(where: str, database: Path, needles: list[bytes]) -> bool:
    with database.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if where == "all":
            return any(content.find(needle) >= 0 for needle in needles)
        gaps = b"\n".join(_gaps(content))
    return bool(gaps) if where == "any" else any(needle in gaps for needle in needles)


def _gaps(content: mmap.mmap) -> Iterator[bytes]:
    """What stands in the unused gaps of the pages, as far as it is not all zeros."""
    size = int.from_bytes(content[16:18], "big")
    size = 65_536 if size == 1 else size
    for page in range(0, len(content), size):
        header = page + (_FILE_HEADER if page == 0 else 0)
        if content[header] in _CELLS_AFTER:
            pointers = int.from_bytes(content[header + 3 : header + 5], "big")
            rows = int.from_bytes(content[header + 5 : header + 7], "big") or 65_536
            gap = content[header + _CELLS_AFTER[content[header]] + 2 * pointers : page + min(rows, size)].strip(b"\0")
            if gap:
                yield gap


if __name__ == "__main__":
    present = _search(sys.argv[1], Path(sys.argv[2]), [bytes.fromhex(line) for line in sys.stdin.read().split()])
    sys.stdout.write("present" if present else "absent")
