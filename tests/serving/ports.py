"""What the processes of a server listen at, as the system tells it: /proc of Linux."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

LISTENS = "0A"
"""State of a TCP socket that listens, in the tables of /proc/net."""


def descendants(process: int) -> set[int]:
    """A process and all that it started, and what they started."""
    children: dict[int, list[int]] = defaultdict(list)
    for place in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in brackets, may hold anything.
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        children[int(fields[1])].append(int(place.name))
    family, waiting = {process}, [process]
    while waiting:
        for child in children[waiting.pop()]:
            family.add(child)
            waiting.append(child)
    return family


def sockets_of(processes: set[int]) -> set[str]:
    """Inodes of the sockets that the processes hold open."""
    found = set()
    for process in processes:
        for file in Path(f"/proc/{process}/fd").iterdir():
            try:
                target = str(file.readlink())
            except FileNotFoundError:
                continue  # closed meanwhile
            if target.startswith("socket:["):
                found.add(target[len("socket:[") : -1])
    return found


def listening(process: int) -> set[tuple[str, str]]:
    """(protocol, port or path) of everything that a process and its descendants can be reached at."""
    own = sockets_of(descendants(process))
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in own and (fields[3] == LISTENS or table.startswith("udp")):
                found.add((table, str(int(fields[1].rpartition(":")[2], 16))))
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in own and len(fields) > 7:
            found.add(("unix", fields[7]))
    return found
