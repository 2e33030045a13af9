"""Profiles in a log of files: the merges in a folder, and the membership of all ids in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.events import Event, Kind
from features.log.contract import MERGE, Records
from features.log.membership import NO_MERGES, Join, Membership, merges
from features.log.parquet import folder
from features.log.parquet.tables import MERGES, read, read_all, table_of, write
from features.log.rows import identified


class FolderMembers:
    """Which ids are members of which profile in the log at `path`; `event_files` lists its files of events."""

    def __init__(self, path: Path, event_files: Callable[[], list[Path]]) -> None:
        self._path = path
        self._event_files = event_files
        self._merges = NO_MERGES
        self._membership = Membership()
        self._commit = 0
        self._users_commit = -1

    def refresh(self) -> None:
        """Bring memory up to date with the log."""
        commit = folder.load(self._path).commit
        if self._commit == commit:
            return
        table = read_all(self._path, "merges", MERGES)
        self._merges = np.array(list(zip(*table.to_pydict().values(), strict=True)), MERGE)
        self._merges.sort(order="offset")
        self._membership = Membership()
        for merge in self._merges:
            self._take(int(merge["member"]), int(merge["profile"]), bool(merge["undone"]))
        self._commit = commit
        self._users_commit = -1

    def codes(self, code: int) -> list[int]:
        """All codes of a customer's profile, the profile's own first."""
        own = self._membership.profiles.get(code, code)
        return [own, *sorted(member for member, profile in self._membership.profiles.items() if profile == own)]

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing, in log order."""
        self.refresh()
        return np.sort(self._merges, order=["received", "offset"])

    def join(
        self, events: Sequence[Event], records: Records, members: dict[int, int], offset: int, commit: int
    ) -> NDArray[np.void]:
        """Write for `commit` the merges that accepted events of kind IDENTIFY declare.

        `members` are the codes of the ids that they join, by the places of the events. Returns the merges, with the
        offsets that follow `offset`.
        """
        self._know_users()
        joins = [Join(place, int(records["customer"][place]), member) for place, member in members.items()]
        merged = merges(self._membership.apply(events, records, joins), offset, undone=False)
        self._write(merged, commit)
        return merged

    def unmerge(self, code: int, received: int, offset: int, commit: int) -> NDArray[np.void]:
        """Write for `commit` that a member, or every member of a profile, is taken out.

        Returns the entries, with the offsets that follow `offset`.
        """
        profile, *members = self.codes(code)
        out = members if code == profile else [code]
        undone = merges([(received, member, profile) for member in out], offset, undone=True)
        self._write(undone, commit)
        return undone

    def erase(self, codes: Collection[int], commit: int) -> int:
        """Write for `commit` the merges without those of some customers. Returns how many those were."""
        asked = list(codes)
        theirs = np.isin(self._merges["member"], asked) | np.isin(self._merges["profile"], asked)
        if theirs.any():
            write(folder.whole(self._path / "merges", commit), table_of(self._merges[~theirs].tolist(), MERGES))
        return int(theirs.sum())

    def forget(self) -> None:
        """Read everything again before the next use: memory may differ from the log."""
        self._commit = -1

    def committed(self, commit: int, written: NDArray[np.void]) -> None:
        """Take over into memory what `join` or `unmerge` wrote, now that it is part of the log."""
        if self._commit != commit - 1:
            self.forget()
            return
        for merge in written[written["undone"] == 1]:
            self._take(int(merge["member"]), int(merge["profile"]), undone=True)
        self._merges = np.concatenate([self._merges, written])
        self._users_commit = commit if self._users_commit == self._commit else -1
        self._commit = commit

    def _take(self, member: int, profile: int, undone: bool) -> None:
        known = self._membership
        if undone:
            known.profiles.pop(member, None)
            known.apart.add((member, profile))
        else:
            known.profiles[member] = profile
            known.users.add(profile)
        known.sizes[profile] = known.sizes.get(profile, 0) + (-1 if undone else 1)

    def _know_users(self) -> None:
        """Read which customers an event ever identified; events that are being appended must not be committed yet."""
        if self._users_commit == self._commit:
            return
        for path in self._event_files():
            events = read(path, ["customer", "kind", "properties"])
            events = events.filter(pc.equal(events["kind"], int(Kind.IDENTIFY)))
            pairs = zip(events["customer"].to_pylist(), events["properties"].to_pylist(), strict=True)
            self._membership.users.update(code for code, properties in pairs if identified(properties))
        self._users_commit = self._commit

    def _write(self, records: NDArray[np.void], commit: int) -> None:
        if len(records):
            write(folder.part(self._path / "merges", commit), table_of(records.tolist(), MERGES))
