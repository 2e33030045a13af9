"""Keeping a history beside a database: imports go into it, old events are sealed into it, segments are merged,
customers are erased from it.

The manifest in the database says which segments are part of the log. Files are written first, without a lock that
anything live waits for; a transaction then makes them part of the log, so that an event is in the database or in the
history and never in both, whenever the process ends. One process at a time changes a history (`lock` in its folder).
Segments that others replace are put away for scans that began before; an erasure deletes them at once.

Events about identity and consent, and those whose properties name another id of their customer, stay in the database:
they are few, the rules of `features.identity` read them, and an erasure has to find a name in them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import Kind
from features.files import alone, synchronise
from features.log.contract import HistoryUnreachable, LogBusy
from features.log.frame import events_of
from features.log.history import names, rewriting, segment
from features.log.history.database import Database, Sealed
from features.log.history.disk import explained
from features.log.history.distinct import Distinct
from features.log.history.hashing import Hashes, first_distinct, hashes_of
from features.log.history.history import History
from features.log.history.resolving import resolved_ids
from features.log.history.segment import Entry
from features.log.history.store import LOCK, Store
from features.log.membership import JOINS

SEALED_TOGETHER = 20_000
"""Events sealed by one transaction: deleting them from the database takes some tenths of a second."""

RETIRED_SECONDS = 900.0
"""A segment that others have replaced is deleted after so long: scans that began before have ended."""

LOOK_SECONDS = 5.0
"""How long one look fetches files: the next one comes soon, and deletes what has to go meanwhile."""

_NUMBER = re.compile(r"events-(\d{8})\.(?:parquet|index)")


class Keeping(Database):
    """What a store does with its history, whatever its database."""

    def __init__(self, store: Store, busy_seconds: float) -> None:
        self.store = store
        self.busy_seconds = busy_seconds
        self._live_hashes: Hashes = np.empty(0, np.uint64)
        self._hashed = 0

    @property
    def folder(self) -> Path:
        """The folder of this machine in which the files of the history are read."""
        return self.store.folder

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Be the only one who changes the history, once what a process that died has left is finished.

        Never within a transaction: files that are deleted do not come back when it is undone. Raises LogBusy when
        another changes the history for too long, and LogFull when the disk is full: then no file is left of the change.
        """
        try:
            with explained(self.folder), self._alone(), self.store.changing():
                self._finish()
                try:
                    with explained(self.folder):
                        yield
                finally:
                    with suppress(HistoryUnreachable):  # whoever changes the history next sweeps it
                        self._sweep(RETIRED_SECONDS)
        except TimeoutError as error:
            raise self._busy() from error

    def _busy(self) -> LogBusy:
        return LogBusy(
            f"the history {self.store.place} is being changed by another process (an import, a sealing or an erasure) "
            "for too long; nothing was written here; try again"
        )

    def _alone(self) -> AbstractContextManager[None]:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            synchronise(self.folder.parent)
        return alone(self.folder / LOCK, self.busy_seconds)

    def append(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Add the events of an import that the log does not have yet. Returns which of them are new.

        `frame` has the columns of `features.log.frame.SCHEMA`. Of two events with one message id the first stays.
        """
        if not len(frame):
            return np.zeros(0, bool)
        with self.changing():
            while (accepted := self._append(frame)) is None:
                pass
            if self.view().entries:
                self._name()
        return accepted

    def _append(self, frame: pl.DataFrame) -> NDArray[np.bool_] | None:
        """Which of the events are new, and added; None when the log changed meanwhile in a way that matters."""
        before, view = self.position(), self.view()
        if (frame["at"] > frame["received"]).any():
            frame = frame.with_columns(at=pl.min_horizontal("at", "received"))
        frame = frame.with_columns(message_id=resolved_ids(frame, self._known(view)))
        frame = frame.with_columns(hash=hashes_of(frame["message_id"]))
        accepted = self._unseen(frame, view) & self._living(frame)
        new = frame.filter(accepted).with_columns(arrival=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
        if not len(new):
            return accepted
        new = self._coded(new)
        stays = new.select(_stays(pl.col("kind"))).to_series()
        moved = new.filter(~stays)
        base = before.offset
        entry = self._write(moved, base) if len(moved) else None
        with self.transaction():
            now = self.position()
            if now.erasures != before.erasures or not self._is_free(new["message_id"], before.offset, now.offset):
                return None
            if entry is not None:
                shift = now.offset - base
                self.list_segment(entry._replace(base=now.offset, last_offset=entry.last_offset + shift))
            live = new.filter(stays)
            self.add_imported(
                events_of(live),
                (live["arrival"] + now.offset).to_list(),
                int(new["received"].to_numpy().max()),
                now.offset + len(new),
                np.unique(moved["code"].to_numpy()),
            )
        return accepted

    def _known(self, view: History) -> Callable[[Sequence[str]], Collection[str]]:
        def known(message_ids: Sequence[str]) -> Collection[str]:
            asked = pl.Series(message_ids, dtype=pl.String)
            return {*asked.filter(pl.Series(view.known(asked))).to_list(), *self.live_ids(message_ids)}

        return known

    def _unseen(self, frame: pl.DataFrame, view: History) -> NDArray[np.bool_]:
        ids, hashes = frame["message_id"], frame["hash"].to_numpy()
        unseen = first_distinct(ids, hashes) & ~view.known(ids, hashes)
        perhaps = np.flatnonzero(self._perhaps_live(hashes))
        live = self.live_ids(ids.gather(perhaps).to_list()) if len(perhaps) else set()
        unseen[perhaps] &= ~ids.gather(perhaps).is_in(list(live)).to_numpy()
        return unseen

    def _perhaps_live(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Which message ids the database may have, by their hashes; those that it has are among them.

        The hashes of the live events are kept from one batch of an import to the next: 8 bytes for each.
        """
        now = self.position().offset
        parts = [self._live_hashes, *(hashes_of(ids) for ids in self.live_ids_after(self._hashed))]
        self._live_hashes, self._hashed = np.concatenate(parts), now
        return np.isin(hashes, self._live_hashes) if len(self._live_hashes) else np.zeros(len(hashes), bool)

    def _living(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Which events were not received before their customer was erased."""
        if int(frame["received"].to_numpy().min()) >= self.newest_erasure():
            return np.ones(len(frame), bool)
        erased = self.erasures_of(frame["customer"].unique().to_list())
        at = frame["customer"].replace_strict(erased, default=0, return_dtype=pl.Int64)
        return (frame["received"] >= at).to_numpy()

    def _coded(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with the codes of its customers, items and categories as `code`, `item_code`, `category_code`."""
        with ThreadPoolExecutor() as pool:
            texts = pool.map(lambda column: Distinct(frame[column]), _VOCABULARIES.values())
            with self.transaction():
                codes = [
                    different.given(self.codes_of(vocabulary, different.names.to_list())).alias(_CODED[column])
                    for (vocabulary, column), different in zip(_VOCABULARIES.items(), texts, strict=True)
                ]
        return frame.with_columns(codes)

    def _is_free(self, message_ids: pl.Series, before: int, now: int) -> bool:
        """Whether none of the message ids was appended between two offsets."""
        return now == before or not any(message_ids.is_in(ids).any() for ids in self.live_ids_after(before))

    def _write(self, moved: pl.DataFrame, base: int) -> Entry:
        """Write a segment of coded events."""
        coded = segment.coded(moved.drop(list(_CODED)).rename({code: column for column, code in _CODED.items()}))
        return segment.write(self.store, self._number(), coded, base)

    def _number(self) -> int:
        """A number that no segment ever had."""
        used = [int(match[1]) for name in self.store.names() if (match := _NUMBER.fullmatch(name))]
        return max([self.highest(), *used]) + 1

    def _name(self) -> None:
        for vocabulary in names.VOCABULARIES:
            names.add(self.store, vocabulary, partial(self.names_from, vocabulary))

    def seal(self, before: int, *, least: int = 1, most: int = SEALED_TOGETHER) -> int:
        """Move the oldest events that were `received` before `before` into the history. Returns how many.

        At most `most`, and none if there are fewer than `least`.
        """
        with self.changing():
            if not self.has_unsealed(before, least):
                return 0
            position = self.position()
            frame, last, looked_at = self.unsealed(before, most)
            while looked_at == most and not len(frame):  # all of them stay in the database
                with self.transaction():
                    self._remove(last, 0)
                frame, last, looked_at = self.unsealed(before, most)
            if not len(frame) or (len(frame) < least and looked_at < most):
                return 0
            base = int(frame["offset"].to_numpy().min()) - 1
            coded = segment.coded(frame.with_columns(arrival=pl.col("offset") - base))
            entry = segment.write(self.store, self._number(), coded, base)
            with self.transaction():
                if self.position().erasures != position.erasures:
                    return 0
                self.list_segment(entry)
                self._remove(last, len(frame))
            self._name()
        return len(frame)

    def _remove(self, last: int, expected: int) -> None:
        """Delete the events that were sealed. Raises LogBusy when others would be deleted: an erasure, which changes
        what stays, came between."""
        removed = self.remove_sealed(last)
        if removed != expected:
            raise LogBusy(f"{expected} events were to be sealed and {removed} are there now; nothing was sealed")

    def compact(self) -> int:
        """Write several small segments as one, where it is due. Returns how many there were."""
        with self.changing():
            position, view = self.position(), self.view()
            few = rewriting.due(view.entries)
            if not few:
                return 0
            entry = rewriting.merged(self.store, self._number(), few, view.erased.tolist())
            with self.transaction():
                if self.position().erasures != position.erasures:
                    return 0
                self.unlist([old.number for old in few])
                if entry is not None:
                    self.list_segment(entry)
            self.store.retire(_files(few))
        return len(few)

    def finish_erasures(self) -> None:
        """Remove from the files the events of customers who are erased already."""
        with self.changing():
            pass

    def _finish(self) -> None:
        """Finish the erasures under way, and delete files that nobody needs."""
        view = self.view()
        gone = view.erased
        if len(gone):
            for old in view.holding(gone):
                entry = rewriting.merged(self.store, self._number(), [old], gone.tolist())
                with self.transaction():
                    self.unlist([old.number])
                    if entry is not None:
                        self.list_segment(entry)
            names.erase(self.store, gone.tolist())
        # Before the customers are forgotten: a process that dies in between leaves no file of theirs.
        self._sweep(0.0 if len(gone) else RETIRED_SECONDS)
        if len(gone):
            with self.transaction():
                self.erased_from_history(gone.tolist())

    def _sweep(self, seconds: float) -> None:
        """Delete drafts and what the manifest does not list; retired segments once they are older than `seconds`."""
        if self._unlisted():
            with self.transaction():  # waits for what a process sent to the database before it died
                unlisted = self._unlisted()
            self.store.remove(unlisted)
        names.remove_repeated(self.store)
        self.store.tidy(seconds)

    def _unlisted(self) -> list[str]:
        listed = {entry.number for entry in self.view().entries}
        numbered = [(name, match) for name in self.store.names() if (match := _NUMBER.fullmatch(name))]
        return [name for name, match in numbered if int(match[1]) not in listed]

    def look(self, seconds: float = LOOK_SECONDS) -> None:
        """Bring the copies of files on this machine, if there are any, in line with the history as it is now.

        None is fetched after so many seconds: there will be another look.
        """
        self.store.look(_files(self.view().entries), seconds)

    def erase(self, codes: Sequence[int]) -> Sealed:
        """Erase customers from the history as far as readers see it, within a transaction.

        The files follow with `finish_erasures`; those of names hold customers without an event in a segment, too.
        """
        view, gone = self.view(), np.array(codes, np.int32)
        theirs = view.of(gone).records
        for entry in view.holding(gone):
            self.list_segment(view.without(entry, gone))
        self.mark_erased(codes)
        return Sealed(len(theirs), int(theirs["received"][0]) if len(theirs) else 0)


def _files(entries: Sequence[Entry]) -> list[str]:
    """The names of the files of segments."""
    return [name(entry.number) for entry in entries for name in (segment.events_name, segment.index_name)]


_VOCABULARIES = {"customers": "customer", "items": "item", "categories": "category"}
_CODED = {"customer": "code", "item": "item_code", "category": "category_code"}


def _stays(kind: pl.Expr) -> pl.Expr:
    """Whether an event stays in the database."""
    about_people = kind.is_between(int(Kind.IDENTIFY), int(Kind.CONSENT_GRANT))
    mentions = [pl.col("properties").str.contains(f'"{name}":', literal=True) for name in JOINS]
    return about_people | pl.any_horizontal(mentions).fill_null(False)
